"""One plain-HTTP request to a port-80 row: is it there, and is it who it should be?"""

import asyncio
import contextlib
import socket
from dataclasses import dataclass, replace

from tlsinspect.addresses import is_public
from tlsinspect.endpoints.target import bracketed, read_target
from tlsinspect.http1 import BodyReader, Head, NotHttpError, TooLongError, http_request
from tlsinspect.model import Connection, Endpoint, Reason
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.connect import DialError, dial, resolve
from tlsinspect.observe.line import Line, answer_to
from tlsinspect.observe.route import Proxy

BODY_SHARE = 0.3  # of the deadline
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
    deadline = asyncio.get_running_loop().time() + settings.timeout
    try:
        answer = await _ask(endpoint, proxy, settings, deadline, tried)
        if proxy is not None and proxy.answers(answer.head):
            answer = await _ask(endpoint, proxy, settings, deadline, tried, proxy.authorization)
        return replace(answer, head=proxy.clean(answer.head)) if proxy and answer.head else answer
    except TimeoutError:
        return PlainAnswer(reason=Reason.TIMEOUT)
    except asyncio.CancelledError:
        return PlainAnswer(reason=Reason.CANCELLED)
    except DialError as error:
        return PlainAnswer(reason=error.reason)
    except EOFError:
        return PlainAnswer(reason=Reason.CLOSED)
    except OSError:
        return PlainAnswer(reason=Reason.RESET, address=tried[-1].address if tried else None)
    except Exception:  # noqa: BLE001 - a defect of ours must not lose the other results; it is reported
        return PlainAnswer(reason=Reason.INTERNAL)


async def _ask(
    endpoint: Endpoint,
    proxy: Proxy | None,
    settings: Settings,
    deadline: float,
    tried: list[Connection],
    *fields: str,
) -> PlainAnswer:
    # The head has most of the time, so that a body without end cannot cost the answer.
    with contextlib.ExitStack() as open_until_the_end:
        async with asyncio.timeout_at(deadline - settings.timeout * BODY_SHARE):
            line = Line(open_until_the_end.enter_context(await _connected(endpoint, proxy, settings, tried)))
            try:
                head, begun = await answer_to(_request(endpoint, proxy, fields), line)
            except (NotHttpError, TooLongError):
                return PlainAnswer(address=tried[-1].address, reason=Reason.PROXY_NOT_HTTP)
        return PlainAnswer(head, await _body(line, begun, head, deadline), tried[-1].address)


async def _connected(
    endpoint: Endpoint, proxy: Proxy | None, settings: Settings, tried: list[Connection]
) -> socket.socket:
    host, port = (proxy.host, proxy.port) if proxy else (endpoint.host, endpoint.port)
    places = settings.resolved.get((host, port)) or await resolve(host, port)
    if settings.public_only and proxy is None and (host, port) not in settings.resolved:
        places = [place for place in places if is_public(place[0])]
        if not places:
            raise DialError(Reason.NO_ROUTE)
    return await dial(places, tried)


def _request(endpoint: Endpoint, proxy: Proxy | None, fields: tuple[str, ...]) -> bytes:
    path = read_target(endpoint.rows[0].url).path
    # RFC 9112 §3.2.2: a proxy is asked for the whole URL.
    where = f"http://{bracketed(endpoint.host)}:{endpoint.port}{path}" if proxy else path
    return http_request("GET", where, endpoint.host, endpoint.port, *fields, default_port=80)


async def _body(line: Line, begun: bytes, head: Head, deadline: float) -> bytes:
    """The body, as far as MAX_BODY, as far as it comes in time and as far as it is HTTP."""
    reader, body, data = BodyReader(head), b"", begun
    with contextlib.suppress(TimeoutError, OSError, NotHttpError, TooLongError):
        async with asyncio.timeout_at(deadline):
            while True:
                body += reader.feed(data) if data else b""
                if reader.complete or len(body) >= MAX_BODY or not (data := await line.receive()):
                    break
    return body[:MAX_BODY]
