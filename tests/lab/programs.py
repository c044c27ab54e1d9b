"""The programs of the lab: what answers for every host of Google, and the proxies a client may meet on its way there.

Each function starts one program on the network, waits until it listens, and says where. The programs stop with the
network. Every configuration is minimal: what is not said is the program's default.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .network import GATEWAY, PECULIAR_HOSTS, TLS_HOSTS, Network, Process, program
from .pki import FORGED, STOLEN, Pki
from .revocation_server import REQUESTS, Request, Rule, requests_in, write_rules

CREDENTIALS = ("inspector", "let-me-in")

# Squid refuses to be root and cannot become anybody else, as only root exists in the user namespace. So it is started
# in one more, where the same user has another number.
_AS_NOT_ROOT = ("unshare", "--user", "--map-user=13", "--map-group=13", "setpriv", "--pdeathsig", "KILL")
_CERTIFICATE_MAKERS = ("/usr/lib/squid/security_file_certgen", "/usr/libexec/squid/security_file_certgen")


@dataclass(frozen=True)
class Proxy:
    """A running proxy on the gateway."""

    process: Process
    port: int
    """Where it is asked for a connection."""
    transparent_port: int | None = None
    """Where redirected connections go, if it takes any."""
    authority: Path | None = None
    """The root it signs forged certificates with."""

    @property
    def url(self) -> str:
        return f"http://{GATEWAY.ipv4}:{self.port}"


def missing(name: str) -> str | None:
    """Why a program cannot be started; None when it can."""
    if name == "faketime":
        return None if _faketime_library() else "not installed: faketime"
    if program(name) is None:
        return f"not installed: {name}"
    if name == "squid" and not _certificate_maker():
        return "squid is built without TLS: install squid-openssl"
    return None


# -- the hosts ---------------------------------------------------------------------------------------------------------

_NGINX = """
daemon off;
master_process off;
user root root;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
  access_log off;
  server_tokens off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  ssl_protocols TLSv1.2 TLSv1.3;
{servers}
}}
"""
_TLS_HOST = """
  server {{
    listen {port} ssl http2;
    listen [::]:{port} ssl http2;
    server_name {host};
    ssl_certificate {chain};
    ssl_certificate_key {key};
    {more}
    location / {{ return {status}; }}
  }}
"""
_PORTAL = """
  server {{
    listen {http};
    listen [::]:{http};
    listen {https} ssl;
    listen [::]:{https} ssl;
    ssl_certificate {chain};
    ssl_certificate_key {key};
    location / {{ return 302 http://{host}/login; }}
  }}
"""
PORTAL = "portal.hotel.test"
PORTAL_PORTS = (8000, 8443)


AGE_PORT = 4441
"""Where the hosts say that their answers come out of a cache, so that their `Date` means nothing."""
DATELESS_PORT = 4442
"""Where one of the hosts answers without a `Date`."""
STOLEN_PORT = 4443
"""Where somebody answers with a leaf that expired, and with the time at which it had not."""


def hosts(network: Network, pki: Pki) -> Process:
    """nginx on port 443 of every address: what a client of Google talks to in the end. It says in its `Date` what time
    it is; on `AGE_PORT` the same answers come with an `Age`."""
    servers = [_tls_host(host, pki, 443, more=_staple(host, pki)) for host in (*TLS_HOSTS, *PECULIAR_HOSTS)]
    servers += [_tls_host(host, pki, AGE_PORT, more="add_header Age 30 always;") for host in TLS_HOSTS]
    return _nginx(network, "internet", "".join(servers), ports=(443, AGE_PORT))


_DATELESS = """
import socket, ssl, sys
port, chain, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
listener = socket.create_server(("", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)
while True:
    try:
        with context.wrap_socket(listener.accept()[0], server_side=True) as client:
            client.settimeout(10)
            client.recv(65536)
            client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
    except OSError:
        continue
"""


def dateless(network: Network, pki: Pki, host: str) -> Process:
    """One of the hosts on `DATELESS_PORT`, where it says nothing of the time. No server worth its name can do that."""
    argv = [sys.executable, "-c", _DATELESS, str(DATELESS_PORT), str(pki.chain(host)), str(pki.key(host))]
    return network.serve("internet", argv, ports=(DATELESS_PORT,))


def stolen(network: Network, pki: Pki, offset: str) -> Process:
    """nginx with a leaf for every host that has expired, by a clock that is `offset` from the truth."""
    server = _tls_host(" ".join(TLS_HOSTS), pki, STOLEN_PORT, stem=STOLEN)
    return _nginx(network, "internet", server, ports=(STOLEN_PORT,), env=faketime(offset), name="stolen")


def _staple(host: str, pki: Pki) -> str:
    staple = pki.staple(host)
    return f"ssl_stapling on; ssl_stapling_file {staple};" if staple.exists() else ""


def _tls_host(host: str, pki: Pki, port: int, *, stem: str = "", more: str = "") -> str:
    # As in life: the API hosts have nothing at their root.
    status = 404 if "googleapis" in host else 200
    chain, key = pki.chain(stem or host), pki.key(stem or host)
    return _TLS_HOST.format(host=host, port=port, chain=chain, key=key, status=status, more=more)


@dataclass(frozen=True)
class Port80:
    """What answers on port 80 of every address. See `revocation_server`."""

    process: Process
    folder: Path

    @contextmanager
    def answering(self, *rules: Rule) -> Iterator[None]:
        """Have it follow `rules` before it is honest."""
        write_rules(self.folder, rules)
        try:
            yield
        finally:
            write_rules(self.folder, ())

    def requests(self, host: str | None = None) -> Sequence[Request]:
        """What was asked since `forget`, of one host or of all."""
        return [request for request in requests_in(self.folder) if host in (None, request.host)]

    def forget(self) -> None:
        (self.folder / REQUESTS).write_text("")


def port80(network: Network, pki: Pki) -> Port80:
    """The hosts of pki.goog, the time service and whoever else is asked something on port 80."""
    folder = _folder(network, "port-80")
    argv = [sys.executable, "-m", "tests.lab.revocation_server", str(folder), str(pki.authorities)]
    root = str(Path(__file__).resolve().parents[2])
    environment = {"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"}
    return Port80(network.serve("internet", argv, ports=(80,), env=environment), folder)


def faketime(offset: str) -> dict[str, str]:
    """The environment in which a program's clock is off, in faketime's notation: +1y, -40d. Its timeouts stay right."""
    library = _faketime_library()
    assert library is not None, "faketime is not installed"
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def _faketime_library() -> Path | None:
    # Debian keeps it apart for each architecture, others in one place.
    return next(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"), None)


def portal(network: Network, pki: Pki) -> Process:
    """A captive portal on the gateway, at `PORTAL_PORTS`: whatever is asked, it redirects to its own page."""
    http, https = PORTAL_PORTS
    server = _PORTAL.format(http=http, https=https, host=PORTAL, chain=pki.chain(PORTAL), key=pki.key(PORTAL))
    return _nginx(network, "gateway", server, ports=PORTAL_PORTS)


def _nginx(
    network: Network,
    machine: str,
    servers: str,
    *,
    ports: tuple[int, ...],
    env: Mapping[str, str] | None = None,
    name: str = "nginx",
) -> Process:
    folder = _folder(network, f"{name}-{machine}")
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, servers=servers))
    argv = [_path("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
    return network.serve(machine, argv, ports=ports, env=env)


# -- honest proxies ----------------------------------------------------------------------------------------------------

_TINYPROXY = """
Port {port}
Timeout 30
MaxClients 100
LogLevel Error
ConnectPort 443
{more}
"""


def tinyproxy(network: Network, *, port: int = 8888, authenticated: bool = False) -> Proxy:
    """tinyproxy: opens a tunnel and leaves it alone; if `authenticated`, only for those who know `CREDENTIALS`."""
    configuration = _folder(network, f"tinyproxy-{port}") / "tinyproxy.conf"
    more = "BasicAuth {} {}".format(*CREDENTIALS) if authenticated else ""
    configuration.write_text(_TINYPROXY.format(port=port, more=more))
    process = network.serve("gateway", [_path("tinyproxy"), "-d", "-c", str(configuration)], ports=(port,))
    return Proxy(process, port)


# -- interceptors ------------------------------------------------------------------------------------------------------


def mitmproxy(network: Network, pki: Pki, *, port: int = 8080, renamed: bool = False) -> Proxy:
    """mitmproxy, asked for a connection on one port and given redirected ones on the next. Its authority is its own,
    or the company's if it is `renamed`."""
    folder = _folder(network, f"mitmproxy-{port}")
    if renamed:
        (folder / "mitmproxy-ca.pem").write_bytes(pki.corporate_key.read_bytes() + pki.corporate_root.read_bytes())
    settings = {
        "confdir": folder,
        "ssl_verify_upstream_trusted_ca": pki.google_roots,
    }
    argv = [_path("mitmdump"), "--mode", f"regular@{port}", "--mode", f"transparent@{port + 1}"]
    for name, value in settings.items():
        argv += ["--set", f"{name}={value}"]
    process = network.serve("gateway", argv, ports=(port, port + 1))
    return Proxy(process, port, port + 1, pki.corporate_root if renamed else folder / "mitmproxy-ca-cert.pem")


_SQUID = """
http_port {bump} name=bump ssl-bump {minting}
https_port {transparent} name=transparent intercept ssl-bump {minting}
http_port {splice} name=splice ssl-bump {minting}
sslcrtd_program {maker} -s {folder}/minted -M 4MB
sslcrtd_children 2 startup=1
tls_outgoing_options cafile={roots}
acl hello at_step SslBump1
acl honest myportname splice
ssl_bump peek hello
ssl_bump splice honest
ssl_bump bump all
http_access allow all
visible_hostname proxy.acme.test
pid_filename none
cache deny all
access_log none
cache_log {folder}/cache.log
coredump_dir {folder}
netdb_filename none
pinger_enable off
shutdown_lifetime 0 seconds
"""
SQUID_SPLICE_PORT = 3130


def squid(network: Network, pki: Pki, *, port: int = 3128) -> Proxy:
    """Squid, which opens TLS on `port` and, redirected, on the next; on `SQUID_SPLICE_PORT` it only reads the hello."""
    folder = _folder(network, "squid")
    maker = _certificate_maker()
    made = network.run("gateway", [*_AS_NOT_ROOT, maker, "-c", "-s", str(folder / "minted"), "-M", "4MB"])
    made.check_returncode()
    minting = f"tls-cert={pki.corporate_root} tls-key={pki.corporate_key} generate-host-certificates=on"
    configuration = folder / "squid.conf"
    configuration.write_text(
        _SQUID.format(
            bump=port,
            transparent=port + 1,
            splice=SQUID_SPLICE_PORT,
            minting=f"{minting} dynamic_cert_mem_cache_size=4MB",
            maker=maker,
            folder=folder,
            roots=pki.google_roots,
        )
    )
    argv = [*_AS_NOT_ROOT, _path("squid"), "-N", "-f", str(configuration)]
    process = network.serve("gateway", argv, ports=(port, port + 1, SQUID_SPLICE_PORT))
    return Proxy(process, port, port + 1, pki.corporate_root)


def squid_splice(squid: Proxy) -> Proxy:
    """The honest side of a running Squid."""
    return Proxy(squid.process, SQUID_SPLICE_PORT)


def proxy_py(network: Network, pki: Pki, *, port: int = 8899) -> Proxy:
    """proxy.py with the company's authority; it makes certificates with the openssl tool."""
    folder = _folder(network, "proxy.py")
    settings = {
        "hostname": "0.0.0.0",
        "port": port,
        "num-workers": 1,
        "num-acceptors": 1,
        "ca-cert-file": pki.corporate_root,
        "ca-key-file": pki.corporate_key,
        "ca-signing-key-file": pki.corporate_key,
        "ca-cert-dir": folder,
        "ca-file": pki.google_roots,
        "log-level": "warning",
    }
    argv = [_path("proxy")]
    for name, value in settings.items():
        argv += [f"--{name}", str(value)]
    process = network.serve("gateway", argv, ports=(port,), env={"HOME": str(folder)})
    return Proxy(process, port, authority=pki.corporate_root)


FRONT_PORT = 8444


def front(network: Network, pki: Pki) -> Process:
    """nginx on the gateway as an appliance that ends TLS, at `FRONT_PORT`: its leaf by the company's authority names
    addresses of its own for everything a certificate can name."""
    server = _tls_host(" ".join(TLS_HOSTS), pki, FRONT_PORT, stem=FORGED)
    return _nginx(network, "gateway", server, ports=(FRONT_PORT,), name="front")


def _folder(network: Network, name: str) -> Path:
    folder = network.folder / name
    folder.mkdir(mode=0o700)
    return folder


def _path(name: str) -> str:
    path = program(name)
    assert path is not None, f"{name} is not installed"
    return path


def _certificate_maker() -> str:
    return next((path for path in _CERTIFICATE_MAKERS if Path(path).exists()), "")
