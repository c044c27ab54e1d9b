"""The programs of the lab: nginx as every host of Google, and the proxies a client may meet on its way to them.

Each function starts one program on the network, waits until it listens, and says where. The programs stop with the
network. Every configuration is minimal: what is not said is the program's default.
"""

from dataclasses import dataclass
from pathlib import Path

from .network import GATEWAY, HTTP_HOSTS, TLS_HOSTS, Network, Process, program
from .pki import Pki

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
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    server_name {host};
    ssl_certificate {chain};
    ssl_certificate_key {key};
    location / {{ return {status}; }}
  }}
"""
_HTTP_HOSTS = """
  server {{
    listen 80;
    listen [::]:80;
    server_name {names};
    root {files};
    location = /r/r1.crl {{ default_type application/pkix-crl; try_files /root.crl =404; }}
    location ~ \\.crl$ {{ default_type application/pkix-crl; try_files /wr2.crl =404; }}
    location ~ \\.crt$ {{ default_type application/pkix-cert; try_files /wr2.crt =404; }}
    location = /generate_204 {{ return 204; }}
    location / {{ return 404; }}
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


def hosts(network: Network, pki: Pki) -> Process:
    """nginx on ports 443 and 80 of every address: what a client of Google talks to in the end."""
    servers = [
        # As in life: the API hosts have nothing at their root.
        _TLS_HOST.format(
            host=host, chain=pki.chain(host), key=pki.key(host), status=404 if "googleapis" in host else 200
        )
        for host in TLS_HOSTS
    ]
    servers.append(_HTTP_HOSTS.format(names=" ".join(HTTP_HOSTS), files=pki.http_folder))
    return _nginx(network, "internet", "".join(servers), ports=(443, 80))


def portal(network: Network, pki: Pki) -> Process:
    """A captive portal on the gateway, at `PORTAL_PORTS`: whatever is asked, it redirects to its own page."""
    http, https = PORTAL_PORTS
    server = _PORTAL.format(http=http, https=https, host=PORTAL, chain=pki.chain(PORTAL), key=pki.key(PORTAL))
    return _nginx(network, "gateway", server, ports=PORTAL_PORTS)


def _nginx(network: Network, machine: str, servers: str, *, ports: tuple[int, ...]) -> Process:
    folder = _folder(network, f"nginx-{machine}")
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, servers=servers))
    argv = [_path("nginx"), "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
    return network.serve(machine, argv, ports=ports)


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


def mitmproxy(network: Network, pki: Pki, *, port: int = 8080) -> Proxy:
    """mitmproxy, asked for a connection on one port and given redirected ones on the next; its authority is its own."""
    folder = _folder(network, "mitmproxy")
    settings = {
        "confdir": folder,
        "ssl_verify_upstream_trusted_ca": pki.google_roots,
    }
    argv = [_path("mitmdump"), "--mode", f"regular@{port}", "--mode", f"transparent@{port + 1}"]
    for name, value in settings.items():
        argv += ["--set", f"{name}={value}"]
    process = network.serve("gateway", argv, ports=(port, port + 1))
    return Proxy(process, port, port + 1, folder / "mitmproxy-ca-cert.pem")


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
