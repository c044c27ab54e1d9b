"""How to get there: straight, or through which proxy; and `--resolve`, as curl has it.

Credentials live here and nowhere else: no noun of `model` can hold them.
"""

import base64
import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

from tlsinspect.endpoints.target import bracketed, normal_host, read_port
from tlsinspect.errors import UsageError
from tlsinspect.http1 import Head
from tlsinspect.model import Route
from tlsinspect.text import printable

_VARIABLES = {True: ("https_proxy", "HTTPS_PROXY"), False: ("http_proxy",)}  # HTTP_PROXY is unsafe in CGI: curl's rule
_FOR_ALL = ("all_proxy", "ALL_PROXY")


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy. Basic credentials go only to the proxy whose URL held them, and only after its 407."""

    host: str
    port: int
    origin: str
    credentials: str | None = field(default=None, repr=False)  # user:password

    def answers(self, head: Head | None) -> bool:
        """Whether there are credentials for what this proxy asks: Basic, in a 407."""
        asked = head is not None and head.status == 407 and "basic" in (s.lower() for s in head.schemes)
        return asked and self.credentials is not None

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
        return Route(proxy=f"http://{bracketed(self.host)}:{self.port}", origin=self.origin)


DIRECT = Route()


def read_proxy(text: str, origin: str) -> Proxy:
    """A proxy as people write it: ``[http://][user:password@]host[:port]``. Raises UsageError.

    No sentence repeats what stood before the @: it may be a password.
    """
    scheme, separator, rest = text.partition("://")
    if separator and scheme.lower() != "http":
        raise UsageError(
            f"{origin}: a proxy with the scheme {printable(scheme, 20)} cannot be used yet, only http; "
            "--proxy none scans without it"
        )
    userinfo, at, place = (rest if separator else text).removesuffix("/").rpartition("@")
    if re.search(r"[/?#]", userinfo + place):
        raise UsageError(f"{origin}: the address of a proxy has no path; write / ? # in a password as %2F %3F %23")
    host, port = _place(place, origin)
    credentials = None
    if at:
        user, _, password = userinfo.partition(":")
        credentials = f"{unquote(user)}:{unquote(password)}"
        if any(ord(c) < 32 for c in credentials):
            raise UsageError(f"{origin}: the proxy's credentials hold control characters")
    return Proxy(host, port, origin, credentials)


def _place(place: str, origin: str) -> tuple[str, int]:
    """Host and port, 1080 where there is none, as curl has it."""
    host, port = place, ""
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise UsageError(f"{origin}: an IPv6 address is written [address]:port")
        port = port.removeprefix(":")
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    try:
        return normal_host(host), read_port(port, origin) if port else 1080
    except UsageError:
        raise UsageError(f"{origin}: not the address of a proxy; write it as http://host:port") from None


@dataclass(frozen=True)
class Routing:
    """Which route each host takes. Pure once made: the environment is read by `routing`."""

    fixed: Proxy | None = None
    by_scheme: Mapping[bool, Proxy] = field(default_factory=dict)  # True for https
    no_proxy: tuple[str, ...] = ()

    def proxy_for(self, host: str, tls: bool) -> Proxy | None:
        if self.fixed is not None:
            return self.fixed
        proxy = self.by_scheme.get(tls)
        return None if proxy is None or _exempt(host, self.no_proxy) else proxy

    def configured(self) -> tuple[Proxy, ...]:
        """Every proxy for TLS that is configured, whatever is exempt from it."""
        return tuple(proxy for proxy in (self.fixed, self.by_scheme.get(True)) if proxy is not None)


def routing(option: str = "auto", environment: Mapping[str, str] | None = None) -> Routing:
    """`option` is ``auto`` (the environment's proxies), ``none``, or a proxy's URL. Raises UsageError."""
    if option == "none":
        return Routing()
    if option != "auto":
        return Routing(fixed=read_proxy(option, "--proxy"))
    env = os.environ if environment is None else environment
    found = {}
    for tls, names in _VARIABLES.items():
        name = next((n for n in (*names, *_FOR_ALL) if env.get(n)), None)
        if name is not None:
            found[tls] = read_proxy(env[name], name)
    exempt = env.get("no_proxy") or env.get("NO_PROXY") or ""
    return Routing(by_scheme=found, no_proxy=tuple(e.strip().lower() for e in exempt.split(",") if e.strip()))


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
