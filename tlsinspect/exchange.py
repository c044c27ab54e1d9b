"""One question and its answer over HTTP, on a connection of its own: straight, through a proxy, inside TLS.

Who may be asked, and how often, is decided in `fetch`. Here it is done: connect, have the proxy make a tunnel, ask, and
keep the body in memory or in a file as it comes, until it ends, is too long, or shows itself to be something else.
"""

import mmap
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TypeAlias

from tlsinspect.der import Buffer
from tlsinspect.endpoints.target import Target, is_address
from tlsinspect.http1 import BodyReader, Head, NotHttpError, TooLongError, http_request
from tlsinspect.model import Connection, FetchOutcome, Reason, Route
from tlsinspect.observe.handshake import MAX_BYTES, SMALL, Handshake
from tlsinspect.observe.line import Line, Secure, answer_to, shake
from tlsinspect.observe.proxied import Entered, Opened, ProxyError, WithheldError, authorization, enter, open_way
from tlsinspect.observe.route import DIRECT, Proxy
from tlsinspect.text import one_line

MAX_LOCATION = 2048
IN_MEMORY = 1024 * 1024  # of a body; what is longer goes to an unnamed file
GARBAGE = 64 * 1024  # of a body that cannot be what was asked for: enough to say so

_REDIRECTS = (301, 302, 303, 307, 308)
_BLOCKING = (403, 451, 503, 511)  # statuses with which block pages come
_BLANK = b"\xef\xbb\xbf\xff\xfe\0 \t\r\n\f\v"  # byte order marks and spaces
_LOOK = 1024  # bytes after which the first that is not blank is no longer waited for


class Ending(Exception):  # noqa: N818 - it ends a fetch, nothing is wrong with the program
    """The fetch ends here, like this."""

    def __init__(self, outcome: FetchOutcome, detail: str = "") -> None:
        super().__init__(outcome, detail)
        self.outcome, self.detail = outcome, detail


class _Challenge(Ending):
    """The proxy asks for credentials."""

    def __init__(self, head: Head) -> None:
        super().__init__(FetchOutcome.PROXY, f"status {head.status}")
        self.head = head


@dataclass
class Journal:
    """What was seen, written as it goes, so that whatever ends a fetch loses nothing."""

    clock: Callable[[], datetime]
    waiting_for: tuple[str, int] | None = None  # host and port
    tried: list[Connection] = field(default_factory=list)
    route: Route = DIRECT
    head: Head | None = None
    location: str = ""
    size: int | None = None  # of the body
    sent: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.sent = self.clock()


@dataclass(frozen=True)
class Question:
    """What is asked for, of whom, and what an answer may be."""

    target: Target
    proxy: Proxy | None
    first: tuple[str, int]  # host and port to connect to: the proxy's, or else the target's
    asked: tuple[str, int]  # what a proxy is asked for: the target's host and port, or an address of it
    limit: int  # bytes of the body
    is_object: bool  # DER or PEM, which shows in its first byte


Connect: TypeAlias = Callable[[], Awaitable[socket.socket]]


async def ask(question: Question, connect: Connect, journal: Journal) -> Buffer | None:
    """The body of the answer; None where it is elsewhere, as the journal says. `connect` makes a connection to
    `question.first`. Raises Ending, DialError, OSError."""
    proxy = question.proxy
    try:
        return await _ask_once(question, connect, journal)
    except _Challenge as challenge:
        if proxy is None or not proxy.answers(challenge.head):
            raise
        try:
            return await _ask_once(question, connect, journal, authorized=True)
        except WithheldError as error:
            why = f"{challenge.detail}; the proxy gets no credentials: {error.detail}"
            raise Ending(FetchOutcome.PROXY, why) from None
        except _Challenge as again:
            why = f"{again.detail}; the proxy does not accept the credentials it got"
            raise Ending(FetchOutcome.PROXY, why) from None


async def _ask_once(
    question: Question, connect: Connect, journal: Journal, *, authorized: bool = False
) -> Buffer | None:
    target, proxy = question.target, question.proxy
    async with _connected(question, connect, journal) as sock:
        # Beside what the target sends in its own session comes the proxy's, with as much again in small records.
        entered = await _entered(sock, proxy, 2 * _most(question)) if proxy else Entered(Line(sock))
        line, early = entered.line, b""
        credentials = (await authorization(proxy, entered),) if proxy and authorized else ()
        whole = proxy is not None and not proxy.makes_way(target.tls)
        if proxy is not None and not whole:
            opened = await _opened(entered, proxy, question, journal, credentials)
            early, credentials = opened.early, ()
        if target.tls:
            line, early = await _secured(line, question, early), b""
        where = target.url if whole else target.path  # RFC 9112 §3.2.2: a proxy is asked for the whole URL
        fields = ("Accept-Encoding: identity", *credentials)
        default = 443 if target.tls else 80
        request = http_request("GET", where, target.host, target.port, *fields, default_port=default)
        journal.sent = journal.clock()
        head, rest = await _answer(line, request, early)
        _note(head, proxy, journal)
        if whole:
            _expect_no_refusal(head)
        if head.status in _REDIRECTS and head.get("location"):
            return None
        return await _body(line, head, rest, question, journal)


@asynccontextmanager
async def _connected(question: Question, connect: Connect, journal: Journal) -> AsyncIterator[socket.socket]:
    """A connection. While it is made the first place is waited for, and then the target."""
    journal.waiting_for = question.first
    sock = await connect()
    journal.waiting_for = (question.target.host, question.target.port)
    with sock:
        yield sock


def _note(head: Head, proxy: Proxy | None, journal: Journal) -> None:
    journal.head = proxy.clean(head) if proxy else head
    journal.location = (journal.head.get("location") or "")[:MAX_LOCATION] or journal.location


async def _entered(sock: socket.socket, proxy: Proxy, max_bytes: int) -> Entered:
    try:
        return await enter(sock, proxy, max_bytes)
    except ProxyError as error:
        raise Ending(FetchOutcome.PROXY, _said(error)) from None


async def _opened(
    entered: Entered, proxy: Proxy, question: Question, journal: Journal, fields: tuple[str, ...]
) -> Opened:
    """Have the proxy make a way to the target."""
    try:
        opened = await open_way(entered, proxy, *question.asked, *fields)
    except ProxyError as error:
        raise Ending(_OUTCOMES.get(error.reason, FetchOutcome.PROXY), _said(error)) from None
    if opened.reason is None:
        return opened
    if opened.head is not None:
        _note(opened.head, proxy, journal)
        _expect_no_refusal(opened.head)
    raise Ending(FetchOutcome.PROXY, opened.detail)


# What a proxy that says nothing is to a fetch.
_OUTCOMES = {
    Reason.CLOSED: FetchOutcome.UNREACHABLE,
    Reason.PROXY_NOT_HTTP: FetchOutcome.NOT_HTTP,
    Reason.PROXY_ANSWER_TOO_LONG: FetchOutcome.NOT_HTTP,
}


def _said(error: ProxyError) -> str:
    return f"{error.reason}: {error.detail}" if error.detail else str(error.reason)


def _expect_no_refusal(head: Head) -> None:
    """Raises where a proxy's own answer is a refusal."""
    if head.status == 407:
        raise _Challenge(head)
    if head.status == 403:
        raise Ending(FetchOutcome.PROXY, "status 403")


# -- the line --------------------------------------------------------------------------------------------------------


class _Bounded(Secure):
    """A session that says so where it was not the peer who ended it."""

    async def receive(self) -> bytes:
        data = await super().receive()
        if not data and self.session.spent:
            raise Ending(FetchOutcome.TOO_LARGE, f"more than {self.session.max_bytes} bytes on https")
        return data


def _most(question: Question) -> int:
    """Bytes of a TLS session: beside the body come the handshake, and, in small records or chunks, as much again."""
    return MAX_BYTES + 2 * question.limit


async def _secured(line: Line, question: Question, early: bytes) -> Line:
    """A TLS session with whoever answers.

    Its certificate decides nothing: what is fetched is signed itself, and judged by that signature. To ask for more
    would lose the object where an interceptor answers, and prove nothing where it does not. The small hello passes most
    boxes on the way; none of them is what a fetch is about.
    """
    host = question.target.host
    session = Handshake(None if is_address(host) else host, SMALL, max_bytes=_most(question))
    await shake(line, session, early)
    if not session.completed:
        raise Ending(FetchOutcome.UNREACHABLE, f"TLS: {session.detail or session.reason}")
    return _Bounded(line, session)


async def _answer(line: Line, request: bytes, early: bytes) -> tuple[Head, bytes]:
    try:
        return await answer_to(request, line, early)
    except EOFError:
        raise Ending(FetchOutcome.UNREACHABLE, "closed without an answer") from None
    except NotHttpError:
        raise Ending(FetchOutcome.NOT_HTTP) from None
    except TooLongError:
        raise Ending(FetchOutcome.NOT_HTTP, "a head without end") from None


# -- the body --------------------------------------------------------------------------------------------------------


class _Kept:
    """A body as it comes: in memory, or, once it is long, in an unnamed file."""

    def __init__(self, is_object: bool) -> None:
        self.size = 0
        self._is_object = is_object
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

    def take(self) -> Buffer:
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


def _unkept(error: OSError) -> Ending:
    return Ending(FetchOutcome.TOO_LARGE, f"cannot be kept: {one_line(error)}")


async def _body(line: Line, head: Head, rest: bytes, question: Question, journal: Journal) -> Buffer:
    page = (head.get("content-type") or "").lower().startswith("text/html")
    if page and head.status in (200, *_BLOCKING):
        raise Ending(FetchOutcome.BLOCK_PAGE)
    if head.status == 200 and head.codings:
        raise Ending(FetchOutcome.ENCODED, ", ".join(head.codings)[:100])
    limit = question.limit
    with closing(_Kept(question.is_object)) as kept:
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
            raise Ending(FetchOutcome.TOO_LARGE, f"more than {limit} bytes{stated}") from None
        except NotHttpError:
            raise Ending(FetchOutcome.NOT_HTTP, "broken chunks") from None
        finally:
            journal.size = kept.size
    raise Ending(FetchOutcome.STATUS, f"status {head.status}")


async def _keep(line: Line, reader: BodyReader, data: bytes, kept: _Kept) -> None:
    """Read the body, as far as it is worth it."""
    await _look(line, reader, data, kept)
    while not (reader.complete or reader.cut_short or (kept.is_garbage and kept.size >= GARBAGE)):
        kept.add(reader.feed(await line.receive()))
    if reader.cut_short:
        raise Ending(FetchOutcome.UNREACHABLE, f"closed in the middle, after {kept.size} bytes")


async def _look(line: Line, reader: BodyReader, data: bytes, kept: _Kept) -> None:
    """Read the body until its start says what it is."""
    while not (reader.complete or reader.cut_short or kept.is_clear):
        kept.add(reader.feed(data or await line.receive()))
        data = b""
    if kept.sign == b"<":
        raise Ending(FetchOutcome.BLOCK_PAGE)
