"""HTTP/1 without I/O: a request as bytes, and the head and the body of an answer, fed bytes until their end.

Read as leniently as proxies write: bare line feeds, several headers or one comma list, interim 1xx answers before the
real one.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tlsinspect.endpoints.target import bracketed
from tlsinspect.version import __version__

MAX_HEAD = 64 * 1024
MAX_LINE = 4096  # of a chunk's size with its extensions, or of a trailer
_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})(?: |$)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*")


def http_request(method: str, target: str, host: str, port: int, *fields: str, default_port: int) -> bytes:
    """A request without a body, after whose answer the connection ends."""
    lines = (
        f"{method} {target} HTTP/1.1",
        f"Host: {bracketed(host)}" + ("" if port == default_port else f":{port}"),
        f"User-Agent: tlsinspect/{__version__}",
        "Accept: */*",
        "Connection: close",
        *fields,
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def connect_request(host: str, port: int, *fields: str) -> bytes:
    """The request to a proxy for a way to `host` (RFC 9110 §9.3.6)."""
    where = f"{bracketed(host)}:{port}"
    lines = (f"CONNECT {where} HTTP/1.1", f"Host: {where}", *fields, "", "")
    return "\r\n".join(lines).encode("ascii")


def number(text: str) -> int | None:
    """A number as HTTP writes it, of at most nine digits; None where it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


class NotHttpError(ValueError):
    """What came is not an HTTP answer."""


class TooLongError(ValueError):
    """The head does not end within MAX_HEAD bytes, or the body not within its limit."""


@dataclass(frozen=True)
class Head:
    status: int
    fields: tuple[tuple[str, str], ...]  # names in lower case

    def get(self, name: str) -> str | None:
        """The first field of this name, or None."""
        return next((value for n, value in self.fields if n == name), None)

    @property
    def date(self) -> datetime | None:
        """The Date field (RFC 9110 §6.6.1), aware and UTC; None where there is none or it is no date."""
        try:
            value = parsedate_to_datetime(self.get("date") or "")
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            return None

    @property
    def age(self) -> int | None:
        """The Age field; any Age at all means a cache answered, so a broken one counts as zero."""
        value = self.get("age")
        return None if value is None else number(value[:9]) or 0

    @property
    def schemes(self) -> tuple[str, ...]:
        """Authentication schemes of every Proxy-Authenticate field, each once, as spelt (RFC 9110 §11.6.1)."""
        found: dict[str, str] = {}
        for name, value in self.fields:
            if name == "proxy-authenticate":
                for scheme in _schemes(value):
                    found.setdefault(scheme.lower(), scheme)
        return tuple(found.values())

    @property
    def codings(self) -> tuple[str, ...]:
        """What was done to the body beside cutting it into chunks: compression, as a rule. In lower case."""
        named = self._listed("content-encoding") + self._listed("transfer-encoding")
        return tuple(coding for coding in named if coding not in ("", "identity", "chunked"))

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks, which must be the last coding (RFC 9112 §6.1)."""
        return self._listed("transfer-encoding")[-1:] == ["chunked"]

    @property
    def length(self) -> int | None:
        """How long the body says it is. Lengths that are none, or contradict each other, say nothing."""
        stated = {value.lstrip("0")[:20] or "0" for value in self._listed("content-length") if value}
        text = stated.pop() if len(stated) == 1 else ""
        return int(text) if text.isascii() and text.isdigit() else None

    def _listed(self, name: str) -> list[str]:
        """The members of every field of this name, in order."""
        return [part.strip().lower() for n, value in self.fields if n == name for part in value.split(",")]


def _schemes(value: str) -> list[str]:
    """The scheme of each challenge in one field: a token at a comma that is not the name of a parameter."""
    unquoted = re.sub(r'"(?:\\.|[^"\\])*"', '""', value)
    names = []
    for part in unquoted.split(","):
        token = _TOKEN.match(part.strip())
        if token and not part.strip()[token.end() :].lstrip().startswith("="):
            names.append(token.group()[:40])
    return names


@dataclass
class HeadReader:
    """Feed bytes until `feed` returns a Head; what came after it stays in `rest`."""

    rest: bytes = b""
    _buffer: bytes = field(default=b"", repr=False)
    _read: int = 0  # bytes of interim answers, which could go on for ever

    def feed(self, data: bytes) -> Head | None:
        """Raises NotHttpError or TooLongError."""
        self._buffer += data
        while True:
            if len(self._buffer) >= 5 and not self._buffer.startswith(b"HTTP/"):
                raise NotHttpError
            end = _END.search(self._buffer)
            if self._read + (end.end() if end else len(self._buffer)) > MAX_HEAD:
                raise TooLongError
            if end is None:
                return None
            head = _parse(self._buffer[: end.start()])
            self._read += end.end()
            self._buffer = self._buffer[end.end() :]
            if head.status >= 200:
                self.rest, self._buffer = self._buffer, b""
                return head


def _parse(raw: bytes) -> Head:
    lines = raw.split(b"\n")
    status = _STATUS.match(lines[0].strip())
    if status is None:
        raise NotHttpError
    fields = []
    for line in lines[1:200]:
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            fields.append((name.strip().lower(), value.strip()[:8192]))
    return Head(int(status.group(1)), tuple(fields))


class BodyReader:
    """Feed bytes until `complete` or `cut_short`; each time, what of them belongs to the body comes back.

    What ends a body, in order (RFC 9112 §6.3): a status that has none, chunks, a length, the end of the connection.
    """

    def __init__(self, head: Head, limit: int | None = None) -> None:
        """Raises TooLongError where the head already says that the body is longer than `limit`."""
        self.received = 0  # bytes of the body
        self.cut_short = False
        self._limit = limit
        self._chunks = _Chunks() if head.chunked else None
        # A body with another transfer coding last ends with the connection, whatever length is stated.
        coded = head.get("transfer-encoding") is not None
        self._length = 0 if head.status in (204, 304) else None if coded else head.length
        self.complete = self._length == 0
        self._bound(self._length or 0)

    def feed(self, data: bytes) -> bytes:
        """Take what the peer sent. With no data: the peer has closed. Raises NotHttpError or TooLongError."""
        if self.complete or self.cut_short:
            return b""
        if not data:
            # Only a body that nothing else ends is whole when the connection ends.
            self.complete = self._length is None and self._chunks is None
            self.cut_short = not self.complete
            return b""
        coming = 0
        if self._chunks is not None:
            data = self._chunks.feed(data)
            self.complete, coming = self._chunks.ended, self._chunks.left
        elif self._length is not None:
            data = data[: self._length - self.received]
            self.complete = self.received + len(data) == self._length
        self.received += len(data)
        self._bound(self.received + coming)
        return data

    def _bound(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            raise TooLongError


class _Chunks:
    """Chunked transfer coding (RFC 9112 §7.1)."""

    def __init__(self) -> None:
        self.left = 0  # bytes of the present chunk that are still to come
        self.ended = False
        self._line = b""
        self._take: Callable[[bytes], None] = self._size  # what the next line is
        self._beside = 0  # bytes of extensions and trailers, which could go on for ever

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`. What follows the last chunk and its trailers is not looked at."""
        pieces = []
        at = 0
        while at < len(data) and not self.ended:
            if self.left:
                pieces.append(data[at : at + self.left])
                at += len(pieces[-1])
                self.left -= len(pieces[-1])
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            if len(self._line) > MAX_LINE:
                raise NotHttpError
            if not end:
                break
            at = end
            line, self._line = self._line.removesuffix(b"\n").removesuffix(b"\r"), b""
            self._take(line)
        return b"".join(pieces)

    def _size(self, line: bytes) -> None:
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise NotHttpError
        self._count(len(line) - len(found.group(1)))
        self.left = int(found.group(1), 16)
        self._take = self._gap if self.left else self._trailer

    def _gap(self, line: bytes) -> None:
        """A chunk ends with a line end of its own."""
        if line:
            raise NotHttpError
        self._take = self._size

    def _trailer(self, line: bytes) -> None:
        self._count(len(line))
        self.ended = not line

    def _count(self, size: int) -> None:
        self._beside += size
        if self._beside > MAX_HEAD:
            raise TooLongError
