"""One plain-HTTP request to a port-80 row: is it there, and is it who it should be?"""

import asyncio
from dataclasses import dataclass

from tlsinspect.endpoints.target import read_target
from tlsinspect.model import Connection, Endpoint, Reason
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.connect import DialError, dial, resolve
from tlsinspect.observe.head import Head, HeadReader, NotHttpError, TooLongError, bracketed, http_request, number
from tlsinspect.observe.route import Proxy

MAX_BODY = 64 * 1024  # the revocation lists and certificates asked for here are a few kB


@dataclass(frozen=True)
class PlainAnswer:
    """What came back: `reason` says why nothing did."""

    head: Head | None = None
    body: bytes = b""
    address: str | None = None
    reason: Reason | None = None


async def ask_plainly(endpoint: Endpoint, proxy: Proxy | None, settings: Settings) -> PlainAnswer:
    """GET the row's URL, through the proxy where there is one. Nothing the network does raises."""
    tried: list[Connection] = []
    try:
        async with asyncio.timeout(settings.timeout):
            answer = await _ask(endpoint, proxy, settings, tried)
            if proxy is not None and proxy.answers(answer.head):
                answer = await _ask(endpoint, proxy, settings, tried, proxy.authorization)
            return answer
    except TimeoutError:
        return PlainAnswer(reason=Reason.TIMEOUT)
    except asyncio.CancelledError:
        return PlainAnswer(reason=Reason.CANCELLED)
    except DialError as error:
        return PlainAnswer(reason=error.reason)
    except OSError:
        return PlainAnswer(reason=Reason.RESET, address=tried[-1].address if tried else None)


async def _ask(
    endpoint: Endpoint, proxy: Proxy | None, settings: Settings, tried: list[Connection], *fields: str
) -> PlainAnswer:
    loop = asyncio.get_running_loop()
    host, port = (proxy.host, proxy.port) if proxy else (endpoint.host, endpoint.port)
    places = settings.resolved.get((host, port)) or await resolve(host, port, settings.family)
    sock = await dial(places, tried)
    if isinstance(sock, DialError):
        raise sock
    try:
        address = str(sock.getpeername()[0])
        path = read_target(endpoint.rows[0].url).path
        # RFC 9112 §3.2.2: a proxy is asked for the whole URL.
        where = f"http://{bracketed(endpoint.host)}:{endpoint.port}{path}" if proxy else path
        await loop.sock_sendall(
            sock, http_request("GET", where, endpoint.host, endpoint.port, *fields, default_port=80)
        )
        reader, head = HeadReader(), None
        while head is None:
            data = await loop.sock_recv(sock, 65536)
            if not data:
                return PlainAnswer(address=address, reason=Reason.CLOSED)
            try:
                head = reader.feed(data)
            except (NotHttpError, TooLongError):
                return PlainAnswer(address=address, reason=Reason.PROXY_NOT_HTTP)
        return PlainAnswer(head, await _body(sock, reader.rest, head), address)
    finally:
        sock.close()


async def _body(sock: object, begun: bytes, head: Head) -> bytes:
    """The body, as far as MAX_BODY; `Connection: close` ends it where no length does."""
    loop = asyncio.get_running_loop()
    length = number(head.get("content-length") or "")
    wanted = MAX_BODY if length is None else min(length, MAX_BODY)
    while len(begun) < wanted:
        data = await loop.sock_recv(sock, 65536)  # type: ignore[arg-type]
        if not data:
            break
        begun += data
    return begun[:MAX_BODY]
