"""One plain-HTTP request to a port-80 row: is it there, and is it who it should be?"""

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field, replace

from tlsinspect.addresses import is_public
from tlsinspect.endpoints.target import bracketed, read_target
from tlsinspect.evidence.peer import peer_of
from tlsinspect.http1 import BodyReader, Head, NotHttpError, TooLongError, http_request
from tlsinspect.model import Connection, Endpoint, Reason, Route
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.connect import DialError, dial, resolve
from tlsinspect.observe.line import Line, answer_to
from tlsinspect.observe.proxied import (
    Entered,
    ProxyError,
    WithheldError,
    authorization,
    enter,
    first_to_connect,
    open_way,
)
from tlsinspect.observe.route import DIRECT, Proxy, Ways

BODY_SHARE = 0.3  # of the deadline
MAX_BODY = 64 * 1024  # the revocation lists and certificates asked for here are a few kB


@dataclass(frozen=True)
class PlainAnswer:
    """What came back: `reason` says why nothing did."""

    head: Head | None = None
    body: bytes = b""
    address: str | None = None
    reason: Reason | None = None
    route: Route = DIRECT


async def ask_plainly(endpoint: Endpoint, ways: Ways, settings: Settings) -> PlainAnswer:
    """GET the row's URL, on the first way that is open. Nothing the network does raises."""
    journey = _Journey(endpoint, ways, settings, asyncio.get_running_loop().time() + settings.timeout)
    answer = await _ask_safely(journey)
    return replace(answer, route=ways.route(journey.proxy))


@dataclass
class _Journey:
    endpoint: Endpoint
    ways: Ways
    settings: Settings
    deadline: float  # by the loop's clock
    proxy: Proxy | None = None  # the way that is tried, or taken
    tried: list[Connection] = field(default_factory=list)

    @property
    def address(self) -> str | None:
        """The one connected to."""
        peer = peer_of(self.tried)
        return peer[0] if peer else None


async def _ask_safely(journey: _Journey) -> PlainAnswer:
    if journey.ways.trouble:
        return PlainAnswer(reason=Reason.PROXY_SCRIPT)
    try:
        answer = await _ask(journey)
        proxy = journey.proxy
        if proxy is not None and not proxy.makes_way(tls=False) and proxy.answers(answer.head):
            with contextlib.suppress(WithheldError):
                answer = await _ask(journey, authorized=True)
        return replace(answer, head=proxy.clean(answer.head)) if proxy and answer.head else answer
    except TimeoutError:
        return PlainAnswer(reason=Reason.TIMEOUT)
    except asyncio.CancelledError:
        return PlainAnswer(reason=Reason.CANCELLED)
    except (DialError, ProxyError) as error:
        return PlainAnswer(reason=error.reason)
    except EOFError:
        return PlainAnswer(reason=Reason.CLOSED)
    except OSError:
        return PlainAnswer(reason=Reason.RESET, address=journey.address)
    except Exception:  # noqa: BLE001 - a defect of ours must not lose the other results; it is reported
        return PlainAnswer(reason=Reason.INTERNAL)


async def _ask(journey: _Journey, *, authorized: bool = False) -> PlainAnswer:
    settings, ways = journey.settings, journey.ways
    # The head has most of the time, so that a body without end cannot cost the answer.
    with contextlib.ExitStack() as open_until_the_end:
        async with asyncio.timeout_at(journey.deadline - settings.timeout * BODY_SHARE):
            patience = settings.timeout * (1 - BODY_SHARE) / len(ways.proxies) / 2
            _, sock = await first_to_connect(ways, lambda proxy: _connected(journey, proxy), [], patience)
            open_until_the_end.enter_context(sock)
            journey.ways = Ways((journey.proxy,), ways.origin)
            entered, early = await _entered(journey, sock)
            line, proxy = entered.line, journey.proxy
            fields = (await authorization(proxy, entered),) if proxy is not None and authorized else ()
            try:
                head, begun = await answer_to(_request(journey.endpoint, proxy, fields), line, early)
            except (NotHttpError, TooLongError):
                return PlainAnswer(address=journey.address, reason=Reason.PROXY_NOT_HTTP)
        return PlainAnswer(head, await _body(line, begun, head, journey.deadline), journey.address)


async def _connected(journey: _Journey, proxy: Proxy | None) -> socket.socket:
    journey.proxy = proxy
    if proxy is None:
        return await dial(await _places_of_host(journey), journey.tried)
    if not proxy.usable:
        raise DialError(Reason.PROXY_UNSUPPORTED)
    place = (proxy.host, proxy.port)
    return await dial(journey.settings.resolved.get(place) or await resolve(*place), journey.tried)


async def _places_of_host(journey: _Journey) -> list[tuple[str, int]]:
    place, settings = (journey.endpoint.host, journey.endpoint.port), journey.settings
    places = settings.resolved.get(place) or await resolve(*place)
    if settings.public_only and place not in settings.resolved:
        places = [each for each in places if is_public(each[0])]
        if not places:
            raise DialError(Reason.NO_ROUTE)
    return places


async def _entered(journey: _Journey, sock: socket.socket) -> tuple[Entered, bytes]:
    """A line on which the request can be made, and what came on it already."""
    proxy, endpoint = journey.proxy, journey.endpoint
    if proxy is None:
        return Entered(Line(sock)), b""
    entered = await enter(sock, proxy)
    if not proxy.makes_way(tls=False):
        return entered, b""
    place = (await _places_of_host(journey))[0] if proxy.resolves_here else (endpoint.host, endpoint.port)
    opened = await open_way(entered, proxy, *place)
    if opened.reason is not None:
        raise ProxyError(opened.reason, opened.detail)
    return entered, opened.early


def _request(endpoint: Endpoint, proxy: Proxy | None, fields: tuple[str, ...]) -> bytes:
    path = read_target(endpoint.rows[0].url).path
    # RFC 9112 §3.2.2: a proxy is asked for the whole URL.
    whole = proxy is not None and not proxy.makes_way(tls=False)
    where = f"http://{bracketed(endpoint.host)}:{endpoint.port}{path}" if whole else path
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
