"""The only other door: objects asked for outside the handshakes, where it is safe to ask and at a bounded cost.

Where it is safe, in four rules:

1. A certificate that is proven already may send us to any host and port, directly. Everything else goes to hosts on
   the allow-list, at ports 80 and 443: what no proven certificate names, what goes through a proxy, where the address
   cannot be seen, and every redirect, of which one is followed.
2. Names are resolved once; of the addresses only those that are out there are connected to, and no others afterwards.
   What the user said himself (`--resolve`) stands.
3. Only http and https, without user names.
4. The proxy a scan uses is used here too. It gets its credentials as there: Basic, after its 407.

What is bounded: bytes, time and redirects of a fetch; time and number of all fetches of a run. The same URL is fetched
once in a run, and who did not answer once is not asked again.
"""

import asyncio
import mmap
import re
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Literal, Protocol, TypeAlias
from urllib.parse import urljoin

from tlsinspect.addresses import is_public
from tlsinspect.endpoints.target import Target, bracketed, is_address, read_target
from tlsinspect.errors import UsageError
from tlsinspect.http1 import BodyReader, Head, HeadReader, NotHttpError, TooLongError, http_request
from tlsinspect.model import Connection, Fetch, FetchOutcome, Reason, Route
from tlsinspect.observe.attempt import Settings
from tlsinspect.observe.connect import DialError, dial, receive, resolve
from tlsinspect.observe.handshake import MAX_BYTES, SMALL, Handshake
from tlsinspect.observe.route import DIRECT, Proxy, Routing
from tlsinspect.text import one_line

MAX_URL = 4096
MAX_LOCATION = 2048
IN_MEMORY = 1024 * 1024  # of a body; what is longer goes to an unnamed file
GARBAGE = 64 * 1024  # of a body that cannot be what was asked for: enough to say so

_PORTS = (80, 443)  # of hosts on the allow-list
_REDIRECTS = (301, 302, 303, 307, 308)
_BLOCKING = (403, 451, 503, 511)  # statuses with which block pages come
_BLANK = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n\f\v"  # byte order marks and spaces
_LOOK = 1024  # bytes after which the first that is not blank is no longer waited for

Purpose: TypeAlias = Literal["crl", "ocsp", "issuer", "time"]
Body: TypeAlias = bytes | mmap.mmap


@dataclass(frozen=True)
class Limits:
    """What fetching may cost. Sizes are bytes of a body."""

    seconds: float = 5.0  # for one fetch as a whole
    run_seconds: float = 15.0  # of a run in which anything is being fetched
    ocsp: int = 64 * 1024
    crl: int = 64 * 1024 * 1024
    issuer: int = 64 * 1024
    time: int = 1024
    at_once: int = 8
    fetches: int = 200  # in a run

    def size(self, purpose: Purpose) -> int:
        return {"ocsp": self.ocsp, "crl": self.crl, "issuer": self.issuer, "time": self.time}[purpose]


@dataclass(frozen=True)
class Fetched:
    """What came of a fetch. A large body is a read-only map of an unnamed file, shared by all who asked: do not close
    it. `sent` and `received` are the local clock around the last exchange."""

    fetch: Fetch
    body: Body | None
    head: Head | None
    sent: datetime
    received: datetime


class _End(Exception):  # noqa: N818 - it ends a fetch, nothing is wrong with the program
    """The fetch ends here, like this."""

    def __init__(self, outcome: FetchOutcome, detail: str = "") -> None:
        super().__init__(outcome, detail)
        self.outcome, self.detail = outcome, detail


class _Challenge(_End):
    """The proxy asks for credentials."""

    def __init__(self, head: Head) -> None:
        super().__init__(FetchOutcome.PROXY, f"status {head.status}")
        self.head = head


class _Journey:
    """The journal of one fetch, written as it goes, so that whatever ends it loses nothing."""

    def __init__(self, url: str, purpose: Purpose, clock: Callable[[], datetime]) -> None:
        self.url, self.purpose, self._clock = url[:MAX_URL], purpose, clock
        self.place: tuple[str, int] | None = None  # who is being waited for
        self.tried: list[Connection] = []
        self.route: Route = DIRECT
        self.head: Head | None = None
        self.location: str | None = None
        self.size: int | None = None
        self.sent = clock()

    def ask(self) -> None:
        self.sent = self._clock()

    def saw(self, head: Head) -> None:
        self.head = head
        self.location = (head.get("location") or "")[:MAX_LOCATION] or self.location

    def ended(
        self, outcome: FetchOutcome, detail: str = "", *, body: Body | None = None, seconds: float = 0.0
    ) -> Fetched:
        fetch = Fetch(
            url=self.url,
            purpose=self.purpose,
            outcome=outcome,
            detail=detail,
            status=self.head.status if self.head else None,
            address=next((c.address for c in reversed(self.tried) if c.outcome == "connected"), None),
            location=self.location,
            date=self.head.date if self.head else None,
            size=self.size,
            seconds=round(seconds, 6),
            route=self.route,
        )
        return Fetched(fetch, body, self.head, self.sent, self._clock())


# -- who may be asked, and how often ---------------------------------------------------------------------------------


class _Purse:
    """How much of a run's time for fetching is left. It is spent while anything is being fetched."""

    def __init__(self, seconds: float) -> None:
        self._left, self._ends, self._open = seconds, 0.0, 0

    @contextmanager
    def spending(self) -> Iterator[float]:
        """Yields when, by the loop's clock, it will be empty."""
        now = asyncio.get_running_loop().time
        if not self._open:
            self._ends = now() + self._left
        self._open += 1
        try:
            yield self._ends
        finally:
            self._open -= 1
            self._left = max(0.0, self._ends - now())


@dataclass
class _Shared:
    """A fetch, and how many wait for it."""

    task: asyncio.Task[Fetched]
    waiting: int = 0


class Fetcher:
    """Fetches for one run, inside one event loop.

    allowed: whether a host is on the allow-list. allow_private: go to addresses that are not out there too (labs).
    offline: ask nobody.
    """

    def __init__(
        self,
        settings: Settings,
        routing: Routing,
        allowed: Callable[[str], bool],
        *,
        limits: Limits = Limits(),
        allow_private: bool = False,
        offline: bool = False,
    ) -> None:
        self._settings, self._routing, self._allowed, self._limits = settings, routing, allowed, limits
        self._allow_private, self._offline = allow_private, offline
        self._purse = _Purse(limits.run_seconds)
        self._at_once = asyncio.Semaphore(limits.at_once)
        self._begun = 0
        self._shared: dict[tuple[str, Purpose], _Shared] = {}
        self._dead: dict[tuple[str, int], tuple[FetchOutcome, str]] = {}

    async def get(self, url: str, purpose: Purpose, *, proven: bool) -> Fetched:
        """GET an object. `proven`: its URL stands in a certificate that is proven already.

        Nothing the network does raises.
        """
        journey = _Journey(url, purpose, self._settings.clock)
        try:
            target = self._permitted(url, proven)
        except _End as end:
            return journey.ended(end.outcome, end.detail)
        except Exception as defect:  # noqa: BLE001 - a defect of ours must not lose the other results; it is reported
            return journey.ended(FetchOutcome.INTERNAL, f"{type(defect).__name__}: {one_line(defect)}")
        return await self._once_a_run(journey, target)

    def _permitted(self, url: str, proven: bool) -> Target:
        if self._offline:
            raise _End(FetchOutcome.OFFLINE)
        if not re.match(r"https?://", url, re.IGNORECASE):
            raise _End(FetchOutcome.FORBIDDEN_SCHEME)
        if len(url) > MAX_URL:
            raise _End(FetchOutcome.FORBIDDEN_HOST, f"the URL is longer than {MAX_URL} characters")
        try:
            target = read_target(url)
        except UsageError as error:
            raise _End(FetchOutcome.FORBIDDEN_HOST, one_line(error)) from None
        directly = self._routing.proxy_for(target.host, target.tls) is None
        if not (proven and directly) and not self._on_the_list(target):
            raise _End(FetchOutcome.FORBIDDEN_HOST, f"{target.host}:{target.port} is not on the allow-list")
        return target

    def _on_the_list(self, target: Target) -> bool:
        return target.port in _PORTS and self._allowed(target.host)

    async def _once_a_run(self, journey: _Journey, target: Target) -> Fetched:
        """Make the fetch, or wait for the one that is being made. It ends with the last who waits for it."""
        key = (journey.url, journey.purpose)
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = _Shared(asyncio.create_task(self._in_turn(journey, target)))
        shared.waiting += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiting -= 1
            if not shared.waiting and not shared.task.done():
                if self._shared.get(key) is shared:
                    del self._shared[key]
                shared.task.cancel()
                await asyncio.wait([shared.task])

    async def _in_turn(self, journey: _Journey, target: Target) -> Fetched:
        async with self._at_once:
            with self._purse.spending() as empty:
                return await self._in_time(journey, target, empty)

    async def _in_time(self, journey: _Journey, target: Target, empty: float) -> Fetched:
        now = asyncio.get_running_loop().time
        begun = now()
        if empty <= begun:
            return journey.ended(FetchOutcome.NO_TIME, f"{self._limits.run_seconds:g} s of fetching in this run")
        if self._begun == self._limits.fetches:
            return journey.ended(FetchOutcome.NO_TIME, f"{self._begun} fetches in this run")
        self._begun += 1
        body, outcome, detail = None, FetchOutcome.FETCHED, ""
        deadline = min(begun + self._limits.seconds, empty)
        try:
            async with asyncio.timeout_at(deadline):
                body = await self._follow(target, journey)
        except _End as end:
            outcome, detail = end.outcome, end.detail
        except (DialError, TimeoutError) as error:
            outcome, detail = self._silence(error, journey, cut_off=deadline == empty)
        except OSError as error:
            outcome, detail = FetchOutcome.UNREACHABLE, _lost(error)
        except Exception as defect:  # noqa: BLE001 - a defect of ours must not lose the other results; it is reported
            outcome, detail = FetchOutcome.INTERNAL, f"{type(defect).__name__}: {one_line(defect)}"
        return journey.ended(outcome, detail, body=body, seconds=now() - begun)

    def _silence(self, error: Exception, journey: _Journey, *, cut_off: bool) -> tuple[FetchOutcome, str]:
        """Nobody is there, or nobody answered in time: that place is not asked again in this run."""
        if isinstance(error, DialError) and error.reason is not Reason.TIMEOUT:
            said = FetchOutcome.UNREACHABLE, f"{error.reason}: {error.detail}" if error.detail else str(error.reason)
        elif cut_off and isinstance(error, TimeoutError):  # it is not that place's fault
            return FetchOutcome.NO_TIME, f"{self._limits.run_seconds:g} s of fetching in this run"
        else:
            said = FetchOutcome.TIMEOUT, f"{self._limits.seconds:g} s"
        if journey.place is not None:
            self._dead[journey.place] = said
        return said

    # -- one redirect ------------------------------------------------------------------------------------------------

    async def _follow(self, target: Target, journey: _Journey) -> Body:
        body = await self._ask(target, journey)
        if body is None:
            body = await self._ask(self._redirected(target, journey), journey)
        if body is None:
            raise _End(FetchOutcome.FORBIDDEN_REDIRECT, "a second redirect")
        return body

    def _redirected(self, target: Target, journey: _Journey) -> Target:
        location = journey.location or ""
        if len(location) == MAX_LOCATION:  # there was more of it
            raise _End(FetchOutcome.FORBIDDEN_REDIRECT, "longer than a location should be")
        # A relative location stays on the same host, which must be on the list all the same.
        try:
            url = urljoin(target.url, location)
            if not re.match(r"https?://", url):
                raise _End(FetchOutcome.FORBIDDEN_REDIRECT, "neither http nor https")
            onward = read_target(url)
        except (UsageError, ValueError) as error:
            raise _End(FetchOutcome.FORBIDDEN_REDIRECT, one_line(error)) from None
        if not self._on_the_list(onward):
            raise _End(FetchOutcome.FORBIDDEN_REDIRECT, f"{onward.host}:{onward.port} is not on the allow-list")
        return onward

    # -- one exchange ------------------------------------------------------------------------------------------------

    async def _ask(self, target: Target, journey: _Journey) -> Body | None:
        """The body of what is at `target`; None where it is elsewhere."""
        proxy = self._routing.proxy_for(target.host, target.tls)
        journey.route = proxy.route if proxy else DIRECT
        try:
            return await self._ask_once(target, proxy, journey)
        except _Challenge as challenge:
            if proxy is None or not proxy.answers(challenge.head):
                raise
            return await self._ask_once(target, proxy, journey, proxy.authorization)

    async def _ask_once(self, target: Target, proxy: Proxy | None, journey: _Journey, *fields: str) -> Body | None:
        async with self._connected(target, proxy, journey) as sock:
            if not target.tls:
                line: _Line = _Plain(sock)
                where = target.url if proxy else target.path  # RFC 9112 §3.2.2: a proxy is asked for the whole URL
            else:
                early = await _tunnel(sock, target, proxy, journey, fields) if proxy else b""
                line, where, fields = await _secured(sock, target, early), target.path, ()
            default = 443 if target.tls else 80
            fields = ("Accept-Encoding: identity", *fields)
            request = http_request("GET", where, target.host, target.port, *fields, default_port=default)
            journey.ask()
            head, rest = await _answer(line, request)
            journey.saw(proxy.clean(head) if proxy else head)
            if proxy is not None and not target.tls:
                _refused_by_proxy(head)
            if head.status in _REDIRECTS and head.get("location"):
                return None
            limit = self._limits.size(journey.purpose)
            return await _body(line, head, rest, min(limit, MAX_BYTES) if target.tls else limit, journey)

    @asynccontextmanager
    async def _connected(self, target: Target, proxy: Proxy | None, journey: _Journey) -> AsyncIterator[socket.socket]:
        origin = (target.host, target.port)
        journey.place = (proxy.host, proxy.port) if proxy else origin
        for place in (journey.place, origin):
            if place in self._dead:
                raise _End(*self._dead[place])
        sock = await dial(await self._places(journey.place, proxy), journey.tried)
        if isinstance(sock, DialError):
            raise sock
        journey.place = origin
        with sock:
            yield sock

    async def _places(self, place: tuple[str, int], proxy: Proxy | None) -> list[tuple[str, int]]:
        """Where to connect to: the very addresses that were looked at."""
        given = self._settings.resolved.get(place)
        if given:
            return given
        found = await resolve(*place)
        if proxy is not None or self._allow_private:  # where the proxy is was said by the user
            return found
        public = [each for each in found if is_public(each[0])]
        if found and not public:
            raise _End(FetchOutcome.FORBIDDEN_ADDRESS, f"{place[0]} is at {found[0][0]}")
        return public


def _lost(error: OSError) -> str:
    return str(Reason.RESET if isinstance(error, ConnectionError) else Reason.CLOSED)


# -- on the connection -----------------------------------------------------------------------------------------------


class _Line(Protocol):
    """A connection on which HTTP is spoken."""

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """Some bytes, or none at the end."""
        ...


class _Plain:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def receive(self) -> bytes:
        return await receive(self._sock)


class _Secure(_Plain):
    """The same inside a TLS session, which ends at MAX_BYTES.

    That is enough: nothing of size is published on https, for a client that had to check a certificate to check a
    certificate would not come to an end (RFC 5280 §8).
    """

    def __init__(self, sock: socket.socket, session: Handshake, received: int) -> None:
        super().__init__(sock)
        self._session, self._received = session, received

    async def send(self, data: bytes) -> None:
        await super().send(self._session.encrypt(data))

    async def receive(self) -> bytes:
        plain = self._session.decrypt(b"")
        while plain == b"":
            data = await super().receive()
            self._received += len(data)
            plain = self._session.decrypt(data) if data else None
            if plain is None and self._received > MAX_BYTES:  # not the peer has ended it
                raise _End(FetchOutcome.TOO_LARGE, f"more than {MAX_BYTES} bytes on https")
        return plain or b""


async def _secured(sock: socket.socket, target: Target, early: bytes) -> _Secure:
    """A TLS session with whoever answers.

    Its certificate decides nothing: what is fetched is signed itself, and judged by that signature. To ask for more
    would lose the object where an interceptor answers, and prove nothing where it does not. The small hello passes most
    boxes on the way; none of them is what a fetch is about.
    """
    loop = asyncio.get_running_loop()
    session = Handshake(None if is_address(target.host) else target.host, SMALL)
    await loop.sock_sendall(sock, session.start())
    data, received = early, 0
    while not session.finished:
        data = data or await receive(sock)
        received += len(data)
        reply, data = session.feed(data), b""
        if reply:
            await loop.sock_sendall(sock, reply)
    if not session.completed:
        raise _End(FetchOutcome.UNREACHABLE, f"TLS: {session.detail or session.reason}")
    return _Secure(sock, session, received)


async def _tunnel(
    sock: socket.socket, target: Target, proxy: Proxy, journey: _Journey, fields: tuple[str, ...]
) -> bytes:
    """Have the proxy make a way to the target (RFC 9110 §9.3.6); what came on it already comes back."""
    where = f"{bracketed(target.host)}:{target.port}"
    lines = (f"CONNECT {where} HTTP/1.1", f"Host: {where}", *fields, "", "")
    head, rest = await _answer(_Plain(sock), "\r\n".join(lines).encode("ascii"))
    if 200 <= head.status < 300:
        return rest
    journey.saw(proxy.clean(head))
    _refused_by_proxy(head)
    raise _End(FetchOutcome.PROXY, f"status {head.status}")


def _refused_by_proxy(head: Head) -> None:
    """Raises where a proxy's own answer is a refusal."""
    if head.status == 407:
        raise _Challenge(head)
    if head.status == 403:
        raise _End(FetchOutcome.PROXY, "status 403")


async def _answer(line: _Line, request: bytes) -> tuple[Head, bytes]:
    """Ask, and read the head of the answer; what came of the body already is second."""
    await line.send(request)
    reader = HeadReader()
    while data := await line.receive():
        try:
            head = reader.feed(data)
        except NotHttpError:
            raise _End(FetchOutcome.NOT_HTTP) from None
        except TooLongError:
            raise _End(FetchOutcome.NOT_HTTP, "a head without end") from None
        if head is not None:
            return head, reader.rest
    raise _End(FetchOutcome.UNREACHABLE, "closed without an answer")


# -- the body --------------------------------------------------------------------------------------------------------


class _Kept:
    """A body as it comes: in memory, or, once it is long, in an unnamed file."""

    def __init__(self, purpose: Purpose) -> None:
        self.size = 0
        self._is_object = purpose != "time"
        self._memory = bytearray()
        self._file: IO[bytes] | None = None

    def add(self, data: bytes) -> None:
        self.size += len(data)
        try:
            if self._file is None and self.size > IN_MEMORY:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
                self._file.write(self._memory)
            if self._file is not None:
                self._file.write(data)
            else:
                self._memory += data
        except OSError as error:
            raise _unkept(error) from None

    @property
    def sign(self) -> bytes:
        """The first byte that is not blank, where there is one near the start."""
        return bytes(self._memory[:_LOOK]).lstrip(_BLANK)[:1]

    @property
    def is_clear(self) -> bool:
        """Whether the start says what this is."""
        return bool(self.sign) or self.size >= _LOOK

    @property
    def is_garbage(self) -> bool:
        """Neither DER nor PEM where it should be, whatever is still to come."""
        return self._is_object and self.is_clear and self.sign not in (b"0", b"-")

    def take(self) -> Body:
        if self.is_garbage:
            return bytes(self._memory[:GARBAGE])
        if self._file is None:
            return bytes(self._memory)
        try:
            self._file.flush()
            return mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise _unkept(error) from None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()  # a map of it has a handle of its own


def _unkept(error: OSError) -> _End:
    return _End(FetchOutcome.TOO_LARGE, f"cannot be kept: {one_line(error)}")


async def _body(line: _Line, head: Head, rest: bytes, limit: int, journey: _Journey) -> Body:
    page = (head.get("content-type") or "").lower().startswith("text/html")
    if page and head.status in (200, *_BLOCKING):
        raise _End(FetchOutcome.BLOCK_PAGE)
    if head.status == 200 and head.codings:
        raise _End(FetchOutcome.ENCODED, ", ".join(head.codings)[:100])
    with closing(_Kept(journey.purpose)) as kept:
        try:
            if head.status == 200:
                await _keep(line, BodyReader(head, limit), rest, kept)
                return kept.take()
            if head.status in _BLOCKING:
                await _look(line, BodyReader(head), rest, kept)
        except TooLongError:
            if kept.is_garbage:
                return kept.take()
            stated = f", {head.length} announced" if head.length is not None else ""
            raise _End(FetchOutcome.TOO_LARGE, f"more than {limit} bytes{stated}") from None
        except NotHttpError:
            raise _End(FetchOutcome.NOT_HTTP, "broken chunks") from None
        finally:
            journey.size = kept.size
    raise _End(FetchOutcome.STATUS, f"status {head.status}")


async def _keep(line: _Line, reader: BodyReader, data: bytes, kept: _Kept) -> None:
    """Read the body, as far as it is worth it."""
    await _look(line, reader, data, kept)
    while not (reader.complete or reader.cut_short or (kept.is_garbage and kept.size >= GARBAGE)):
        kept.add(reader.feed(await line.receive()))
    if reader.cut_short:
        raise _End(FetchOutcome.UNREACHABLE, f"closed in the middle, after {kept.size} bytes")


async def _look(line: _Line, reader: BodyReader, data: bytes, kept: _Kept) -> None:
    """Read the body until its start says what it is."""
    while not (reader.complete or reader.cut_short or kept.is_clear):
        kept.add(reader.feed(data or await line.receive()))
        data = b""
    if kept.sign == b"<":
        raise _End(FetchOutcome.BLOCK_PAGE)
