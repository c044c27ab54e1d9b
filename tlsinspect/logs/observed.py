"""From what a log says to an observation: how far the attempt got, where it went, and how it failed."""

import ipaddress
import re
from typing import Literal

from tlsinspect.addresses import is_public
from tlsinspect.endpoints.target import bracketed, is_address
from tlsinspect.logs.codes import Code, Means, error, http_status
from tlsinspect.model import Authority, Endpoint, Failure, Logged, Observation, Reason, Route, Row, Stage
from tlsinspect.trust import Trust

UNKNOWN_HOST = "unknown"  # most failures do not name the host that was asked for
HTTPS = 443
_HOST = re.compile(r"(?:\*\.)?(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z][A-Za-z0-9-]{1,62}")

_PROXY = re.compile(r"\bproxy\b", re.IGNORECASE)
_NO_PROXY = re.compile(r"\b(?:no|without|direct)\b", re.IGNORECASE)

# How far the attempt got and why it ended, by the category of its code.
_ENDS: dict[Means, tuple[Stage, Reason]] = {
    Means.DNS: (Stage.DNS, Reason.NAME_NOT_FOUND),
    Means.TCP: (Stage.TCP, Reason.NOT_CONNECTED),
    Means.REFUSED: (Stage.TCP, Reason.REFUSED),
    Means.NO_ROUTE: (Stage.TCP, Reason.NO_ROUTE),
    Means.TIMEOUT: (Stage.TCP, Reason.TIMEOUT),
    Means.RESET: (Stage.TLS, Reason.RESET),
    Means.NOT_TLS: (Stage.TLS, Reason.NOT_TLS),
    Means.PORTAL: (Stage.PROXY, Reason.PROXY_PORTAL),
    Means.PROXY_AUTH: (Stage.PROXY, Reason.PROXY_AUTH_REQUIRED),
    Means.PROXY_DENIED: (Stage.PROXY, Reason.PROXY_DENIED),
    Means.PROXY_UPSTREAM: (Stage.PROXY, Reason.PROXY_UPSTREAM_FAILED),
    Means.PROXY_TLS: (Stage.PROXY, Reason.PROXY_TLS),
    Means.PROXY_SCRIPT: (Stage.PROXY, Reason.PROXY_SCRIPT),
}

_OF_TLS = (Stage.TLS, Reason.TLS_ERROR)  # what is wrong with a certificate is seen in the handshake


def code_of(logged: Logged) -> Code | None:
    """What the code means, or the status of HTTP where there is no code or it says nothing by itself."""
    known = error(logged.code) if logged.code is not None else None
    if logged.http_status is not None and (known is None or known.means is Means.NONE):
        return http_status(logged.http_status, proxy=True) or known
    return known


def hosts_in(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values of a name that are hosts, or patterns of hosts."""
    return tuple(value.lower() for value in values if _HOST.fullmatch(value) or is_address(value))


def endpoint_of(logged: Logged, trust: Trust, *, wrong_name: bool) -> Endpoint:
    """The host is the one that the message names, or Google's name on the certificate, unless that is for another host
    than was asked for."""
    named = (logged.host,) if wrong_name else (logged.host, *hosts_in(logged.subject))
    host = next((each for each in named if each and trust.is_google_name(each)), UNKNOWN_HOST)
    row = Row(
        url=f"https://{host.removeprefix('*.')}/",
        purpose="as a log tells it",
        profile=logged.product or "log",
        source=logged.file,
    )
    return Endpoint(host, HTTPS, True, Authority.GOOGLE, (row,))


def observed(logged: Logged, endpoint: Endpoint) -> Observation:
    """One try as the log tells it."""
    known = code_of(logged)
    stage, reason = (Stage.DNS, Reason.NOT_TOLD) if known is None else _ENDS.get(known.means, _OF_TLS)
    if logged.status is not None or logged.flags or logged.issuer:
        stage, reason = _OF_TLS
    return Observation(
        host=endpoint.host,
        port=endpoint.port,
        route=route_of(logged),
        started=logged.time,
        stage=stage,
        address=logged.address,
        address_source="log",
        logged=logged,
        failure=Failure(stage, reason, known.name if known is not None else ""),
    )


def route_of(logged: Logged) -> Route:
    """Through the proxy of this machine or network where the connection went to one; else as the log words it."""
    said = f"log: {logged.via}" if logged.via else "log"
    if logged.address is None or logged.port is None or not _is_proxy(logged.address, logged.port, logged.via):
        return Route(origin=said)
    return Route(f"http://{bracketed(logged.address)}:{logged.port}", said)


def _is_proxy(address: str, port: int, via: str) -> bool:
    """Where two things say so: it is nearby, its port is no server's, the log speaks of a proxy. The last alone does
    not: `with WinHTTP proxy` is also said where the settings name none."""
    near = place_of(address) in ("here", "private")
    spoken_of = _PROXY.search(via) is not None and _NO_PROXY.search(via) is None
    return sum((near, port not in (HTTPS, 80), spoken_of)) >= 2


PlaceFact = Literal["here", "private", "outside", "unknown"]  # where a connection went, seen from the machine


def place_of(address: str | None) -> PlaceFact:
    """Where an address is, seen from the machine; unknown where none is printed."""
    if address is None:
        return "unknown"
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    found = mapped or found
    if found.is_loopback or found.is_unspecified:
        return "here"
    return "outside" if is_public(address) else "private"
