"""Having a proxy make a way to an endpoint: TLS to the proxy where its scheme says so, then CONNECT or SOCKS5."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tlsinspect.endpoints.target import is_address
from tlsinspect.http1 import Head, NotHttpError, TooLongError, connect_request
from tlsinspect.model import PassedOver, ProxyAnswer, Reason
from tlsinspect.observe.connect import DialError
from tlsinspect.observe.handshake import MAX_BYTES, SMALL, Handshake
from tlsinspect.observe.line import Line, Secure, answer_to, shake
from tlsinspect.observe.route import Proxy, Ways
from tlsinspect.observe.socks5 import PASSWORD, Socks5
from tlsinspect.observe.systemtrust import distrusted

T = TypeVar("T")
PATIENCE = 3.0  # seconds for a connection on a way after which there is another
_TLS_ENDS: dict[Reason | None, str] = {
    Reason.CLOSED: "it closed the connection",
    Reason.NOT_TLS: "it does not speak TLS",
}
_BY_STATUS = {401: Reason.PROXY_AUTH_REQUIRED, 407: Reason.PROXY_AUTH_REQUIRED, 511: Reason.PROXY_PORTAL}


class ProxyError(Exception):
    """The proxy did not come so far as to say yes or no."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


class WithheldError(ProxyError):
    """The proxy asks for credentials and must not get them."""

    def __init__(self, why: str) -> None:
        super().__init__(Reason.PROXY_AUTH_REQUIRED, why)


@dataclass(frozen=True)
class Entered:
    """A line on which a proxy listens, and the certificates it showed where that is a TLS session."""

    line: Line
    chain: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Opened:
    """What came of asking for a way: where `reason` is None, the endpoint itself answers on the line."""

    answer: ProxyAnswer
    early: bytes = b""  # what came on the line already
    reason: Reason | None = None
    detail: str = ""
    head: Head | None = None  # of an answer in HTTP


async def first_to_connect(
    ways: Ways, connect: Callable[[Proxy | None], Awaitable[T]], passed_over: list[PassedOver], patience: float
) -> tuple[Proxy | None, T]:
    """The first way on which `connect` succeeds, and what that gave. What failed before it is appended to
    `passed_over`; what the last way fails with is raised. `patience`: seconds for each way but the last."""
    for proxy in ways.proxies[:-1]:
        try:
            async with asyncio.timeout(min(PATIENCE, patience)) as scope:
                return proxy, await connect(proxy)
        except DialError as error:
            reason = error.reason
        except TimeoutError:
            if not scope.expired():
                raise  # somebody else's
            reason = Reason.TIMEOUT
        passed_over.append(PassedOver(ways.route(proxy).proxy or "direct", reason))
    last = ways.proxies[-1]
    return last, await connect(last)


async def enter(sock: socket.socket, proxy: Proxy, max_bytes: int = 4 * MAX_BYTES) -> Entered:
    """Get ready to speak with the proxy. `max_bytes`: of all it may send inside TLS. Raises ProxyError."""
    line = Line(sock)
    if proxy.scheme != "https":
        return Entered(line)
    # Its certificate is kept and decides nothing, as everywhere; what must not be read by others waits for
    # `authorization`.
    session = Handshake(None if is_address(proxy.host) else proxy.host, SMALL, max_bytes=max_bytes)
    await shake(line, session)
    if not session.completed:
        raise ProxyError(Reason.PROXY_TLS, session.detail or _TLS_ENDS.get(session.reason, ""))
    return Entered(Secure(line, session), session.tls.chain)


async def authorization(proxy: Proxy, entered: Entered) -> str:
    """The field with the credentials, to be sent on this line and no other: over TLS, another connection may end at
    somebody else. Raises WithheldError where the proxy on this one may be."""
    why_not = await distrusted(entered.chain, proxy.host) if proxy.scheme == "https" else ""
    if why_not:
        raise WithheldError(why_not)
    return proxy.authorization


async def open_way(entered: Entered, proxy: Proxy, host: str, port: int, *credentials: str) -> Opened:
    """Ask the proxy for a way to `host`; `credentials` are the field for one of HTTP. Raises ProxyError, OSError."""
    if proxy.socks:
        return await _by_socks(entered.line, proxy, host, port)
    try:
        head, rest = await answer_to(connect_request(host, port, *credentials), entered.line)
    except EOFError:
        raise ProxyError(Reason.CLOSED) from None
    except NotHttpError:
        raise ProxyError(Reason.PROXY_NOT_HTTP) from None
    except TooLongError:
        raise ProxyError(Reason.PROXY_ANSWER_TOO_LONG) from None
    head = proxy.clean(head)
    reason = None if 200 <= head.status < 300 else _reason(head.status)
    refused = bool(credentials) and reason is Reason.PROXY_AUTH_REQUIRED
    said = (head.status, head.schemes, head.get("server"), head.get("location"))
    answer = ProxyAnswer(*said, entered.chain, refused=refused)
    return Opened(answer, rest, reason, f"status {head.status}", head)


def _reason(status: int) -> Reason:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 300 <= status < 400:
        return Reason.PROXY_REDIRECT
    return Reason.PROXY_DENIED if status < 500 else Reason.PROXY_UPSTREAM_FAILED


async def _by_socks(line: Line, proxy: Proxy, host: str, port: int) -> Opened:
    talk = Socks5(host, port, proxy.credentials)
    await line.send(talk.start())
    while not talk.finished:
        if reply := talk.feed(await line.receive()):
            await line.send(reply)
    if talk.reply is None:
        raise ProxyError(talk.reason or Reason.PROXY_NOT_SOCKS, talk.detail)
    refused = talk.authenticated and talk.reason is Reason.PROXY_AUTH_REQUIRED
    answer = ProxyAnswer(talk.reply, (PASSWORD,) if talk.authenticated else (), refused=refused)
    return Opened(answer, talk.rest, talk.reason, talk.detail)
