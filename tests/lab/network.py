"""A small internet in Linux namespaces: a client, a gateway, and one machine that plays every host of Google.

::

    client 192.0.2.2 ──── 192.0.2.1 gateway 198.51.100.1 ──── 198.51.100.2 internet (owns every address in HOSTS)
           2001:db8:1::2   2001:db8:1::1    2001:db8:2::1      2001:db8:2::2

A machine is a network and a mount namespace kept by one holder process, which does nothing but read a pipe of ours.
When the pipe closes, by `Network.__exit__` or because the test run died, the holder ends; programs are told by the
kernel when the test run dies. Nothing survives, nothing outside is touched, and no packet can leave: none of the three
machines has an interface to the outside.

Neither root nor `ip netns` is needed: the first holder makes a user namespace, in which the caller is root.
"""

import functools
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Self


class Address(NamedTuple):
    """Where a host lives in the lab."""

    ipv4: str
    ipv6: str


class Peculiar(StrEnum):
    """Hosts of Google's beside those of the sync client, each with a leaf that differs in one respect."""

    CRL_ONLY = "accounts.google.com"  # names no OCSP responder, as Google's elliptic leaves today
    OCSP_ONLY = "docs.google.com"  # names no revocation list
    ALONE = "drive.google.com"  # is sent without its intermediate, which is a new one
    BYSTANDER = "people.googleapis.com"  # has another intermediate, another root, other addresses
    EXPIRED = "calendar.google.com"  # really is
    UNLOGGED = "contacts.google.com"  # carries no transparency timestamps
    STAPLED = "photos.google.com"  # names nobody to ask, and comes with a good OCSP answer
    STAPLED_REVOKED = "keep.google.com"  # comes with an answer that it is revoked
    STAPLED_FORGED = "sites.google.com"  # names nobody either; the signature of its good answer is broken


TLS_HOSTS = ("www.googleapis.com", "oauth2.googleapis.com", "www.google.com", "mail.google.com")
PECULIAR_HOSTS = tuple(Peculiar)
# Where an interceptor's forged leaves send whoever believes them.
FORGER_HOST = "pki.acme.example"
TIME_HOST = "clients2.google.com"
HTTP_HOSTS = (
    "crl.pki.goog",
    "crls.pki.goog",
    "ocsp.pki.goog",
    "c.pki.goog",
    "o.pki.goog",
    "i.pki.goog",
    "pki.goog",
    "connectivitycheck.gstatic.com",
    TIME_HOST,
    FORGER_HOST,
)
# Addresses in Google's own ranges: documentation addresses count as private, and rules about private or foreign
# addresses would then see something they never see in life. Inside the namespaces they lead nowhere else.
HOSTS = {
    str(name): Address(f"142.250.185.{number}", f"2a00:1450:4001:80b::{number}")
    for number, name in enumerate(TLS_HOSTS + HTTP_HOSTS + PECULIAR_HOSTS, start=10)
}
# What a cloud's machines ask for their secrets: it answers here, so that a test sees whether it was asked.
METADATA = "169.254.169.254"
INTERNET = Address("198.51.100.2", "2001:db8:2::2")
CLIENT = Address("192.0.2.2", "2001:db8:1::2")
GATEWAY = Address("192.0.2.1", "2001:db8:1::1")

# The first process of a process namespace takes all others along, whatever sessions and children they made.
_DYING_TOGETHER = ("unshare", "--pid", "--fork", "--kill-child", "--")
_END_OF_PEM = "-----END CERTIFICATE-----\n"
_SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"))
_NEEDED = ("unshare", "nsenter", "setpriv", "mount", "ip", "iptables", "ip6tables", "openssl", "sh", "cat")

# `unshare --mount` makes propagation private. /run is emptied because unix sockets ignore network namespaces: a name
# service listening there would resolve names for the lab outside of it (and iptables wants its lock there). Shared
# memory is the lab's own too: Squid's segments have fixed names.
_MOUNTS = """
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
mount --bind {hosts} /etc/hosts
resolver=$(readlink -m /etc/resolv.conf)
mkdir -p "$(dirname "$resolver")"
test -e "$resolver" || : > "$resolver"
mount --bind {resolv} "$resolver"
"""
_OS_STORE = """
mount --bind {store} "$(readlink -f /etc/ssl/certs)"
"""
# Duplicate address detection would keep the links without IPv6 for their first two seconds.
_NO_DETECTION = """
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
"""
_FORWARDING = """
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
"""
_GATEWAY_LINKS = """
ip link set lo up
ip link add downstream type veth peer name eth0 netns {client}
ip link add upstream type veth peer name eth0 netns {internet}
ip address add 192.0.2.1/24 dev downstream
ip address add 198.51.100.1/24 dev upstream
ip -6 address add 2001:db8:1::1/64 dev downstream nodad
ip -6 address add 2001:db8:2::1/64 dev upstream nodad
ip link set downstream up
ip link set upstream up
ip route add 142.250.185.0/24 via 198.51.100.2
ip -6 route add 2a00:1450:4001:80b::/64 via 2001:db8:2::2
ip route add {metadata} via 198.51.100.2
"""
_LEAF_LINKS = """
ip link set lo up
ip address add {ipv4}/24 dev eth0
ip -6 address add {ipv6}/64 dev eth0 nodad
ip link set eth0 up
ip route add default via {via4}
ip -6 route add default via {via6}
"""
_TRIAL = (
    "mount -t tmpfs tmpfs /run\n"
    + _FORWARDING
    + """
ip link add one type veth peer name two
for tables in iptables ip6tables; do
  $tables -t nat -A PREROUTING -p tcp --dport 443 -m statistic --mode nth --every 2 --packet 0 -j REDIRECT --to-ports 1
  $tables -t nat -A PREROUTING -p tcp --dport 443 -j DNAT --to-destination :1
  $tables -A FORWARD -p tcp -m string --algo bm --string name -j REJECT --reject-with tcp-reset
done
"""
)


class LabError(RuntimeError):
    """The lab itself failed, which says nothing about the program under test."""


def program(name: str) -> str | None:
    """Where a program is: in the folder TLSINSPECT_LAB_TOOLS, on PATH, or among the administrator's programs."""
    folder = os.environ.get("TLSINSPECT_LAB_TOOLS")
    return (shutil.which(name, path=folder) if folder else None) or shutil.which(name, path=_SYSTEM_PATH)


@functools.cache
def why_unavailable() -> str | None:
    """Why no network can be made on this machine; None when it can. The answer comes from trying the parts once."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if missing := [name for name in _NEEDED if program(name) is None]:
        return f"not installed: {', '.join(missing)}"
    trial = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-ec", _TRIAL],
        env={"PATH": _SYSTEM_PATH},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if trial.returncode:
        return f"namespaces are not allowed here: {_last_line(trial.stderr)}"
    return None


class Process:
    """A program of the lab, with whatever it started itself."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self._popen = popen
        self._log = log

    def running(self) -> bool:
        return self._popen.poll() is None

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """End the program and its children at once: nothing of the lab is worth an orderly shutdown."""
        self._popen.kill()
        self._popen.wait()


@dataclass(frozen=True)
class Machine:
    """One set of namespaces, and the process that keeps it."""

    name: str
    holder: subprocess.Popen[bytes]

    @classmethod
    def boot(cls, name: str, argv: Sequence[str]) -> Self:
        """Start a holder with `argv` (which enters and makes namespaces) and wait until it is inside."""
        holder = subprocess.Popen(
            [*argv, "sh", "-c", "echo inside; exec cat > /dev/null"],
            env={"PATH": _SYSTEM_PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert holder.stdout is not None
        with holder.stdout as answer:
            inside = answer.readline() == b"inside\n"
        machine = cls(name, holder)
        if not inside:
            machine.shut_down()
            raise LabError(f"no namespaces for {name}")
        return machine

    def entering(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` in this machine. Nothing forks on the way: the program is our child."""
        # setpriv comes last: the kernel forgets a parent-death signal when a process changes its credentials.
        return [
            *("nsenter", f"--target={self.holder.pid}", "--user", "--mount", "--net", "--preserve-credentials"),
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *argv,
        ]

    def listens(self, port: int) -> bool:
        """Whether a socket of this machine listens on a TCP port; read from the kernel's table, without connecting."""
        listening = f":{port:04X}"
        for table in ("tcp", "tcp6"):
            for row in Path(f"/proc/{self.holder.pid}/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_ = row.split()
                if state == "0A" and local.endswith(listening):
                    return True
        return False

    def shut_down(self) -> None:
        """Close the pipe, at which the holder ends."""
        assert self.holder.stdin is not None
        self.holder.stdin.close()
        self.holder.wait(timeout=10)


class Network:
    """The three machines. A context manager: everything it started has ended when it is left."""

    def __init__(self, folder: Path, *, os_roots: Path) -> None:
        """`folder` is private and empty; `os_roots` is a PEM bundle of what the client's operating system trusts."""
        self.folder = folder
        self._os_roots = os_roots
        self._stack = ExitStack()
        self._machines: dict[str, Machine] = {}
        self._environment = {"PATH": _SYSTEM_PATH, "HOME": str(folder), "LANG": "C.UTF-8"}

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- programs ------------------------------------------------------------------------------------------------------

    def run(
        self, machine: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end in a machine. The environment is the lab's own: no proxy variable leaks in."""
        return subprocess.run(
            self._machines[machine].entering(argv),
            env={**self._environment, **(env or {})},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, machine: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Process:
        """Start a program that stays; it is stopped with the network unless it was stopped before."""
        log = self.folder / f"{Path(argv[0]).name}-{time.monotonic_ns()}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                self._machines[machine].entering([*_DYING_TOGETHER, *argv]),
                env={**self._environment, **(env or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        process = Process(popen, log)
        self._stack.callback(process.stop)
        return process

    def serve(
        self, machine: str, argv: Sequence[str], *, ports: Iterable[int], env: Mapping[str, str] | None = None
    ) -> Process:
        """Start a server and wait, within bounds, until every one of its ports listens."""
        process = self.start(machine, argv, env=env)
        waiting = list(ports)
        deadline = time.monotonic() + 30
        while waiting := [port for port in waiting if not self._machines[machine].listens(port)]:
            if not process.running() or time.monotonic() > deadline:
                raise LabError(f"{shlex.join(argv)}\ndoes not listen on {waiting}:\n{process.output()[-4000:]}")
            time.sleep(0.02)
        return process

    # -- what the gateway does to connections --------------------------------------------------------------------------

    @contextmanager
    def redirect(
        self,
        to: int,
        *,
        hosts: Iterable[str] = TLS_HOSTS,
        port: int = 443,
        every: int = 1,
        tables: Iterable[str] = ("iptables", "ip6tables"),
    ) -> Iterator[None]:
        """Lead connections to a port of `hosts` to one of the gateway: all, or one of `every` to each address; of one
        family where only its `tables` are given."""
        target = f"-j REDIRECT --to-ports {to}"
        if every > 1:
            target = f"-m statistic --mode nth --every {every} --packet 0 {target}"
        with self._rules("-t nat", "PREROUTING", hosts, port, target, tables):
            yield

    @contextmanager
    def divert(self, to: int, *, hosts: Iterable[str] = TLS_HOSTS) -> Iterator[None]:
        """Lead connections to port 443 of `hosts` to another port of theirs, where another program answers."""
        with self._rules("-t nat", "PREROUTING", hosts, 443, f"-j DNAT --to-destination :{to}"):
            yield

    @contextmanager
    def refuse(self, *, hosts: Iterable[str] = TLS_HOSTS, port: int = 443) -> Iterator[None]:
        """Answer connections to a port of `hosts` with a reset, as a closed port does."""
        with self._rules("-t filter", "FORWARD", hosts, port, "-j REJECT --reject-with tcp-reset"):
            yield

    @contextmanager
    def swallow(self, *, hosts: Iterable[str] = TLS_HOSTS, port: int = 443) -> Iterator[None]:
        """Let packets to a port of `hosts` vanish without an answer."""
        with self._rules("-t filter", "FORWARD", hosts, port, "-j DROP"):
            yield

    @contextmanager
    def filter_name(self, name: str, *, hosts: Iterable[str] = TLS_HOSTS) -> Iterator[None]:
        """Reset connections to port 443 of `hosts` once the client has sent this name, as filters that read SNI do."""
        target = f"-m string --algo bm --string {name} -j REJECT --reject-with tcp-reset"
        with self._rules("-t filter", "FORWARD", hosts, 443, target):
            yield

    @contextmanager
    def _rules(
        self,
        table: str,
        chain: str,
        hosts: Iterable[str],
        port: int,
        target: str,
        tables: Iterable[str] = ("iptables", "ip6tables"),
    ) -> Iterator[None]:
        # A rule for each address, so that "every second connection" is counted for each of them.
        rules = []
        for host in hosts:
            for command, address in zip(("iptables", "ip6tables"), HOSTS[host], strict=True):
                if command in tables:
                    rules.append(f"{command} {table} {{}} {chain} -p tcp -d {address} --dport {port} {target}")
        self._shell("gateway", "\n".join(rule.format("-I") for rule in rules))
        try:
            yield
        finally:
            self._shell("gateway", "\n".join(rule.format("-D") for rule in rules))

    # -- what names lead to --------------------------------------------------------------------------------------------

    @contextmanager
    def resolving(self, addresses: Mapping[str, str]) -> Iterator[None]:
        """Have names lead to one other address each, as after somebody took over the name service."""
        # The file is bound into every machine, so it is changed in place.
        hosts = self.folder / "hosts"
        honest = hosts.read_text()
        kept = [line for line in honest.splitlines() if line.split()[1] not in addresses]
        hosts.write_text("\n".join([*kept, *(f"{address} {name}" for name, address in addresses.items())]) + "\n")
        try:
            yield
        finally:
            hosts.write_text(honest)

    # -- what the client's operating system trusts ---------------------------------------------------------------------

    @contextmanager
    def os_trusts(self, *authorities: Path) -> Iterator[None]:
        """Have the client's operating system trust these PEM files too, as after an administrator installed them."""
        self._fill_store(self._os_roots, *authorities)
        try:
            yield
        finally:
            self._fill_store(self._os_roots)

    def _fill_store(self, *bundles: Path) -> None:
        # The folder is bound into the client, so it is changed in place: one bundle, and for OpenSSL, which looks a
        # root up by the hash of its name, one file each.
        store = self.folder / "os-store"
        for old in store.iterdir():
            old.unlink()
        bundle = "".join(bundle.read_text() for bundle in bundles)
        for number, pem in enumerate(bundle.split(_END_OF_PEM)[:-1]):
            (store / f"root-{number}.pem").write_text(pem + _END_OF_PEM)
        subprocess.run([program("openssl") or "openssl", "rehash", str(store)], check=True, timeout=30)
        (store / "ca-certificates.crt").write_text(bundle)

    # -- building ------------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        hosts, resolv, store = (self.folder / name for name in ("hosts", "resolv.conf", "os-store"))
        hosts.write_text(_hosts_file())
        # A name that is not in the hosts file is refused at once: nothing listens on the machine itself.
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        store.mkdir()
        self._fill_store(self._os_roots)
        gateway = self._boot("gateway", ["unshare", "--user", "--map-root-user", "--net", "--mount"])
        self._shell("gateway", _MOUNTS.format(hosts=hosts, resolv=resolv))
        # Born from the gateway, the others inherit its user namespace and a copy of its mounts.
        inside = ["nsenter", f"--target={gateway.holder.pid}", "--user", "--mount", "--net", "--preserve-credentials"]
        client = self._boot("client", [*inside, "unshare", "--net", "--mount"])
        internet = self._boot("internet", [*inside, "unshare", "--net", "--mount"])
        self._shell("client", _OS_STORE.format(store=store))
        self._connect(client, internet)

    def _connect(self, client: Machine, internet: Machine) -> None:
        for machine in self._machines:
            self._shell(machine, _NO_DETECTION)
        links = _GATEWAY_LINKS.format(client=client.holder.pid, internet=internet.holder.pid, metadata=METADATA)
        self._shell("gateway", _FORWARDING + links)
        self._shell(
            "client",
            _LEAF_LINKS.format(ipv4=CLIENT.ipv4, ipv6=CLIENT.ipv6, via4=GATEWAY.ipv4, via6=GATEWAY.ipv6),
        )
        self._shell(
            "internet",
            _LEAF_LINKS.format(ipv4=INTERNET.ipv4, ipv6=INTERNET.ipv6, via4="198.51.100.1", via6="2001:db8:2::1")
            + "".join(
                f"ip address add {address.ipv4}/32 dev lo\nip -6 address add {address.ipv6}/128 dev lo nodad\n"
                for address in HOSTS.values()
            )
            + f"ip address add {METADATA}/32 dev lo\n",
        )

    def _boot(self, name: str, argv: Sequence[str]) -> Machine:
        machine = Machine.boot(name, argv)
        self._stack.callback(machine.shut_down)
        self._machines[name] = machine
        return machine

    def _shell(self, machine: str, script: str) -> None:
        done = self.run(machine, ["sh", "-ec", script], timeout=30)
        if done.returncode:
            raise LabError(f"{machine}: {_last_line(done.stderr)}")


def _hosts_file() -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for name, address in HOSTS.items():
        lines += [f"{address.ipv4} {name}", f"{address.ipv6} {name}"]
    return "\n".join(lines) + "\n"


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2] or "no reason given"
