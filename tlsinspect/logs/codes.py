"""What the numbers in a log mean: the tables of `codes.toml`. Any number has an answer, if only that it is unknown."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

_DWORD = 1 << 32
_WIN32 = 0x80070000  # HRESULT_FROM_WIN32: an error of Win32 below 65536, as an HRESULT


class Means(StrEnum):
    """What a number says of a connection. Closed: a rule may rest on each."""

    DNS = "dns"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    RESET = "reset"
    NO_ROUTE = "no-route"
    TCP = "tcp"  # refused, blocked or no way
    NOT_TLS = "not-tls"
    TLS = "tls"
    PROXY_AUTH = "proxy-auth"
    PROXY_DENIED = "proxy-denied"
    PROXY_UPSTREAM = "proxy-upstream"
    PROXY_TLS = "proxy-tls"
    PROXY_SCRIPT = "proxy-script"
    PORTAL = "portal"
    CLIENT_CERTIFICATE = "client-certificate"
    EXPIRED_OR_CLOCK = "expired-or-clock"
    NAME_MISMATCH = "name-mismatch"
    UNTRUSTED = "untrusted"
    REVOCATION_UNAVAILABLE = "revocation-unavailable"
    REVOKED = "revoked"
    MALFORMED = "malformed"
    SEE_FLAGS = "see-flags"
    NONE = "none"  # no failure of the connection by itself


@dataclass(frozen=True, slots=True)
class Flag:
    """One of WINHTTP_CALLBACK_STATUS_FLAG_*, or all bits that are none of them."""

    value: int
    name: str  # in hexadecimal where it has none
    sentence: str
    means: Means


@dataclass(frozen=True, slots=True)
class Code:
    """An error of Win32, an HRESULT, or a status of HTTP."""

    value: int  # of Win32 where it is one of its errors, whichever way it was written
    name: str
    sentence: str
    means: Means


def flags(value: int) -> tuple[Flag, ...]:
    """The bits that are set, the lowest first, and last together those that are not known."""
    if not 0 < value < _DWORD:
        return ()
    known = tuple(flag for flag in _flags() if value & flag.value)
    rest = value & ~sum(flag.value for flag in known)
    if not rest:
        return known
    unknown = Flag(rest, _hex(rest), _tables()["unknown"]["flag"].format(value=_hex(rest)), Means.NONE)
    return (*known, unknown)


def flag_values(names: Iterable[str]) -> int:
    """The flags of these names, together. What is no name of one adds nothing."""
    values = {flag.name: flag.value for flag in _flags()}
    together = 0
    for name in names:
        together |= values.get(name, 0)
    return together


def error(value: int) -> Code | None:
    """An error of Win32, as it is or as an HRESULT, or another HRESULT, signed or not; None for one not known."""
    if not -_DWORD // 2 <= value < _DWORD:
        return None
    value %= _DWORD
    return _errors().get(value & 0xFFFF if value & 0xFFFF0000 == _WIN32 else value)


def is_of_winhttp(value: int | None) -> bool:
    """Whether nothing but a connection gives this number (WINHTTP_ERROR_BASE, INTERNET_ERROR_BASE)."""
    known = error(value) if value is not None else None
    return known is not None and 12000 <= known.value < 13000


def api(number: int) -> str:
    """The function that goes by this number in WINHTTP_ASYNC_RESULT; the number itself where none is known to."""
    return _functions().get(number) or (f"API {number}" if 0 <= number < _DWORD else "")


def http_status(number: int, *, proxy: bool) -> Code | None:
    """What a status of HTTP says of the way to the server: several do only where a `proxy` is spoken of."""
    found = _http().get(number)
    if found is None:
        return None
    code, only_of_proxies = found
    return code if proxy or not only_of_proxies else None


def _hex(value: int) -> str:
    return f"0x{value:08X}"


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(files("tlsinspect.logs").joinpath("codes.toml").read_text(encoding="utf-8"))


def _rows(table: str) -> Iterator[dict[str, Any]]:
    """The rows of all groups of a table, with what is said of the group."""
    for group in _tables()[table]:
        for row in group["rows"]:
            yield {**group, **row}


def _code(row: Mapping[str, Any]) -> Code:
    return Code(row["value"], row["name"], row["sentence"], Means(row["means"]))


@cache
def _flags() -> tuple[Flag, ...]:
    found = (Flag(row["value"], row["name"], row["sentence"], Means(row["means"])) for row in _rows("flag"))
    return tuple(sorted(found, key=lambda flag: flag.value))


@cache
def _errors() -> dict[int, Code]:
    return {row["value"]: _code(row) for row in _rows("error")}


@cache
def _http() -> dict[int, tuple[Code, bool]]:
    return {row["value"]: (_code(row), row["proxy"]) for row in _rows("http")}


@cache
def _functions() -> dict[int, str]:
    return {row["value"]: row["function"] for row in _rows("api")}
