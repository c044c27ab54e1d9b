"""Reading one target as a person types it: ``host``, ``host:port``, ``[address]:port``, or a URL."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from tlsinspect.errors import UsageError
from tlsinspect.text import printable

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCHEMES = {"https": (443, True), "http": (80, False)}


@dataclass(frozen=True)
class Target:
    """Where to connect. `host` is an ASCII name in lower case without a trailing dot, or an address."""

    host: str
    port: int
    tls: bool
    path: str = "/"

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        default = _SCHEMES[scheme][0] == self.port
        return f"{scheme}://{bracketed(self.host)}{'' if default else f':{self.port}'}{self.path}"


def parts(url: str) -> tuple[str, str | None, str]:
    """The scheme, in lower case; what stands before the last @, or None; and what follows. A password that should have
    been escaped may hold what means something elsewhere, so the @ is looked for first."""
    found = _SCHEME.match(url)
    scheme, rest = (found[1].lower(), url[found.end() :]) if found else ("", url)
    before, at, after = rest.rpartition("@")
    return scheme, before if at else None, after


def shown(url: str) -> str:
    """One URL, or the name of a file, as it may be shown: without user, password, query and fragment."""
    scheme, before, place = parts(url)
    place = re.sub(r"[?#].*", "", place, flags=re.DOTALL)
    hidden = "" if before is None else "…@" if scheme or ":" in before else f"{before}@"
    return printable((f"{scheme}://" if scheme else "") + hidden + place)


@lru_cache(maxsize=4096)
def is_address(host: str) -> bool:
    """Whether `host` is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)  # an endpoint asks for its path again when it is observed
def read_target(text: str) -> Target:
    """Read a target. Raises UsageError with a sentence that says what is wrong with it."""
    text = text.strip()
    if not text:
        raise UsageError("empty target")
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "https", text
    if scheme.lower() not in _SCHEMES:
        raise UsageError(f"{shown(text)}: only https:// and http:// can be scanned")
    port, tls = _SCHEMES[scheme.lower()]
    authority, path = _split(rest, text)
    if "@" in authority:
        raise UsageError("a target must not hold a user name or password")
    host, port_text = _host_and_port(authority, text)
    return Target(normal_host(host), read_port(port_text, shown(text)) if port_text else port, tls, path)


def _split(rest: str, text: str) -> tuple[str, str]:
    """Authority and path, the path as a request line can carry it."""
    found = re.search(r"[/?#]", rest)
    if found is None:
        return rest, "/"
    authority, path = rest[: found.start()], rest[found.start() :].partition("#")[0]
    if not path.isascii() or re.search(r"[\x00-\x20\x7f]", path):
        raise UsageError(f"{shown(text)}: the path must be plain ASCII without spaces")
    return authority, path if path.startswith("/") else "/" + path


def _host_and_port(authority: str, text: str) -> tuple[str, str]:
    if authority.startswith("["):
        host, bracket, after = authority[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise UsageError(f"{shown(text)}: an IPv6 address is written [address]:port")
        return host, after[1:]
    if authority.count(":") > 1:  # a bare IPv6 address
        return authority, ""
    host, colon, port = authority.partition(":")
    if colon and not port:
        raise UsageError(f"{shown(text)}: the port is missing")
    return host, port


def bracketed(host: str) -> str:
    """A host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def read_port(port: str, text: str) -> int:
    """A port from 1 to 65535. Raises UsageError."""
    digits = port.lstrip("0") if port.isascii() and port.isdigit() else ""
    if not (0 < len(digits) <= 5 and int(digits) < 65536):
        raise UsageError(f"{printable(text)}: the port is not between 1 and 65535")
    return int(port)


def normal_host(host: str) -> str:
    """A host name as it is put on the wire, or an address in its shortest form. Raises UsageError."""
    if "%" in host:
        raise UsageError(f"{printable(host)}: an address with a zone cannot be scanned")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    name = _ascii(host).lower()
    name = name[:-1] if name.endswith(".") else name
    labels = name.split(".")
    if "*" in name:
        raise UsageError(f"{printable(host)}: a pattern cannot be scanned; name a host it covers")
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UsageError(f"{printable(host)}: not a host name")
    if labels[-1].isdigit():  # the URL standard reads these as broken IPv4 addresses
        raise UsageError(f"{printable(host)}: neither an address nor a host name")
    return name


def _ascii(host: str) -> str:
    if host.isascii():
        return host
    import idna

    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        raise UsageError(f"{printable(host)}: not an international host name ({printable(str(error))})") from None
