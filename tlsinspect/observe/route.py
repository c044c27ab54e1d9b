"""How to get there: straight, or through which proxies; and `--resolve`, as curl has it.

Credentials live here and nowhere else: no noun of `model` can hold them.
"""

import base64
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Protocol, TypeAlias
from urllib.parse import quote, unquote

from tlsinspect.endpoints.target import bracketed, normal_host, parts, read_port
from tlsinspect.errors import UsageError
from tlsinspect.http1 import Head
from tlsinspect.model import Route
from tlsinspect.text import printable

# What can be spoken with a proxy, and the port where none is named, as curl has them: socks5 resolves names here,
# socks5h leaves that to the proxy.
SCHEMES = {"http": 1080, "https": 443, "socks5": 1080, "socks5h": 1080}
_VARIABLES = {True: ("https_proxy", "HTTPS_PROXY"), False: ("http_proxy",)}  # HTTP_PROXY is unsafe in CGI: curl's rule
_FOR_ALL = ("all_proxy", "ALL_PROXY")
_LONGEST = 255  # bytes of a user's name or password in SOCKS5 (RFC 1929)


@dataclass(frozen=True)
class Proxy:
    """A proxy. Credentials go only to the proxy whose URL held them, and only once it asks for them.

    Scripts and systems may also name schemes that are not in SCHEMES: such a proxy is never connected to.
    """

    host: str
    port: int
    origin: str
    credentials: str | None = field(default=None, repr=False)  # user:password
    scheme: str = "http"

    @property
    def usable(self) -> bool:
        return self.scheme in SCHEMES

    @property
    def socks(self) -> bool:
        return self.scheme.startswith("socks")

    @property
    def resolves_here(self) -> bool:
        """Whether it is told an address, which is looked up here, and no name."""
        return self.scheme == "socks5"

    def makes_way(self, tls: bool) -> bool:
        """Whether it is asked for a way through to the endpoint, rather than to fetch something itself."""
        return tls or self.socks

    def answers(self, head: Head | None) -> bool:
        """Whether there are credentials for what this proxy asks: Basic, in a 407. `head` must be the proxy's own: what
        comes through a way it made is somebody else's. One that speaks SOCKS gets its credentials there alone."""
        asked = head is not None and head.status == 407 and "basic" in (s.lower() for s in head.schemes)
        return asked and self.credentials is not None and not self.socks

    @property
    def authorization(self) -> str:
        """The field that carries the credentials (RFC 7617)."""
        return "Proxy-Authorization: Basic " + base64.b64encode((self.credentials or "").encode()).decode()

    def hide(self, text: str) -> str:
        """`text` without these credentials, in case the proxy writes them into what it answers."""
        if self.credentials is None:
            return text
        _, _, password = self.credentials.partition(":")
        secrets = (self.authorization.rpartition(" ")[2], self.credentials, password, quote(password, safe=""))
        for secret in secrets:
            text = text.replace(secret, "…") if secret else text
        return text

    def clean(self, head: Head) -> Head:
        """`head` without these credentials."""
        return replace(head, fields=tuple((name, self.hide(value)) for name, value in head.fields))

    @property
    def route(self) -> Route:
        return Route(proxy=f"{self.scheme}://{bracketed(self.host)}:{self.port}", origin=self.origin)


DIRECT = Route()


def read_proxy(text: str, origin: str) -> Proxy:
    """A proxy as people write it: ``[scheme://][user:password@]host[:port]``. Raises UsageError.

    No sentence repeats what stood before the @: it may be a password.
    """
    scheme, userinfo, place = parts(text)
    scheme, place = scheme or "http", place.removesuffix("/")
    if scheme not in SCHEMES:
        raise UsageError(
            f"{origin}: a proxy with the scheme {printable(scheme, 20)} cannot be used, only "
            f"{', '.join(SCHEMES)}; --proxy none scans without it"
        )
    if re.search(r"[/?#]", (userinfo or "") + place):
        raise UsageError(f"{origin}: the address of a proxy has no path; write / ? # in a password as %2F %3F %23")
    host, port = read_place(place, origin, SCHEMES[scheme])
    credentials = None if userinfo is None else _credentials(userinfo, scheme, origin)
    return Proxy(host, port, origin, credentials, scheme)


def _credentials(userinfo: str, scheme: str, origin: str) -> str:
    user, _, password = (unquote(part) for part in userinfo.partition(":"))
    if any(ord(c) < 32 for c in user + password):
        raise UsageError(f"{origin}: the proxy's credentials hold control characters")
    if scheme.startswith("socks") and max(len(user.encode()), len(password.encode())) > _LONGEST:
        raise UsageError(f"{origin}: SOCKS5 takes no name or password longer than {_LONGEST} bytes")
    return f"{user}:{password}"


def read_place(place: str, origin: str, default: int) -> tuple[str, int]:
    """Host and port of a proxy. Raises UsageError."""
    host, port = place, ""
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise UsageError(f"{origin}: an IPv6 address is written [address]:port")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    try:
        return normal_host(host), read_port(port, origin) if port else default
    except UsageError:
        raise UsageError(f"{origin}: not the address of a proxy; write it as http://host:port") from None


@dataclass(frozen=True)
class Ways:
    """The ways to one host, in order; None is straight there. A later one counts only where on those before no
    connection can be had, not even to the proxy."""

    proxies: tuple[Proxy | None, ...] = (None,)
    origin: str = DIRECT.origin  # of going straight
    trouble: str = ""  # why there is no way at all

    @classmethod
    def only(cls, proxy: Proxy | None) -> "Ways":
        return cls((proxy,))

    @property
    def seen(self) -> bool:
        """Whether the addresses of the host are looked up here, on every way."""
        return all(proxy is None or proxy.resolves_here for proxy in self.proxies)

    def route(self, proxy: Proxy | None) -> Route:
        return proxy.route if proxy is not None else Route(origin=self.origin)


class Script(Protocol):
    """Whoever is asked for each host which ways it takes."""

    async def ways(self, host: str, tls: bool) -> Ways: ...

    def ways_now(self, host: str, tls: bool) -> Ways: ...

    def close(self) -> None: ...


# What is worth saying about where the proxies come from: the code of a finding, and its values.
Note: TypeAlias = tuple[str, Mapping[str, str]]


@dataclass(frozen=True)
class Routing:
    """Which ways each host takes. How it is made from options, environment and system: `routing`."""

    fixed: Proxy | None = None
    script: Script | None = None
    by_scheme: Mapping[bool, Proxy] = field(default_factory=dict)  # True for https
    no_proxy: tuple[str, ...] = ()  # as curl reads it
    bypass: tuple[str, ...] = ()  # as Windows and macOS do
    notes: tuple[Note, ...] = ()

    async def ways(self, host: str, tls: bool) -> Ways:
        if self.script is not None:
            return await self.script.ways(host, tls)
        return Ways.only(self.proxy_for(host, tls))

    def proxy_for(self, host: str, tls: bool) -> Proxy | None:
        """The proxy where no script is asked."""
        if self.fixed is not None:
            return self.fixed
        proxy = self.by_scheme.get(tls)
        exempt = _exempt(host, self.no_proxy) or _bypassed(host, self.bypass)
        return None if proxy is None or exempt else proxy

    def close(self) -> None:
        """End what was started to find ways. It is started again where it is needed again."""
        if self.script is not None:
            self.script.close()


def from_environment(env: Mapping[str, str]) -> Routing | None:
    """What the variables say, as curl reads them; None where none of them names a proxy. Raises UsageError."""
    found = {}
    for tls, names in _VARIABLES.items():
        name = next((n for n in (*names, *_FOR_ALL) if env.get(n)), None)
        if name is not None:
            found[tls] = read_proxy(env[name], name)
    exempt = env.get("no_proxy") or env.get("NO_PROXY") or ""
    entries = tuple(e.strip().lower() for e in exempt.split(",") if e.strip())
    return Routing(by_scheme=found, no_proxy=entries) if found else None


def _exempt(host: str, no_proxy: Iterable[str]) -> bool:
    """curl's reading of no_proxy: ``*``, a name and all below it, an address, a network in CIDR form."""
    return any(entry == "*" or _covers(entry.lstrip("."), host) for entry in no_proxy)


def _covers(entry: str, host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = entry.rstrip(".")
        return bool(name) and (host == name or host.endswith("." + name))
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _bypassed(host: str, patterns: Iterable[str]) -> bool:
    """Windows' and macOS's reading: ``<local>`` is every name without a dot, ``*`` stands for anything; macOS adds
    networks written short (169.254/16) and all that is below a domain (.acme.test)."""
    return any(_matches(pattern.lower(), host) for pattern in patterns)


def _matches(pattern: str, host: str) -> bool:
    if pattern == "<local>":
        return "." not in host and ":" not in host
    pattern = pattern.rpartition("://")[2].replace("[", "").replace("]", "")
    address, slash, bits = pattern.partition("/")
    if slash:
        return _covers(".".join((*address.split("."), "0", "0", "0")[:4]) + f"/{bits}", host)
    return host.endswith(pattern) if pattern.startswith(".") else fnmatchcase(host, pattern)


Resolved = dict[tuple[str, int], list[tuple[str, int]]]


def read_resolve(options: Iterable[str]) -> Resolved:
    """``HOST:PORT:ADDRESS[,ADDRESS…][:PORT]``, as curl's --resolve with a port to connect to. Raises UsageError."""
    found: Resolved = {}
    for text in options:
        host, port, rest = _three(text)
        target = (normal_host(host), read_port(port, f"--resolve {text}"))
        addresses, connect_port = _addresses(rest, target[1], text)
        found[target] = [(address, connect_port) for address in addresses]
    return found


def _three(text: str) -> tuple[str, str, str]:
    parts = text.split(":", 2)
    if len(parts) != 3 or not all(parts):
        raise UsageError(f"--resolve {printable(text)}: must be HOST:PORT:ADDRESS[:PORT]")
    return parts[0], parts[1], parts[2]


def _addresses(rest: str, port: int, text: str) -> tuple[list[str], int]:
    """Addresses and the port to connect to. A lone IPv6 address needs brackets only where a port follows it."""
    listed, colon, number = rest.rpartition(":")
    if colon and number.isdigit() and ("]" in listed or ":" not in listed):
        rest, port = listed, read_port(number, f"--resolve {text}")
    try:
        return [str(ipaddress.ip_address(a.strip().strip("[]"))) for a in rest.split(",")], port
    except ValueError:
        raise UsageError(f"--resolve {printable(text)}: {printable(rest)} is not an address") from None
