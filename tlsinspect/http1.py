"""HTTP/1 without I/O: a request as bytes, and the head of an answer, fed bytes until its end.

Read as leniently as proxies write: bare line feeds, several headers or one comma list, interim 1xx answers before the
real one.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tlsinspect.endpoints.target import bracketed
from tlsinspect.version import __version__

MAX_HEAD = 64 * 1024
_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})(?: |$)")
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


def number(text: str) -> int | None:
    """A number as HTTP writes it, of at most nine digits; None where it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


class NotHttpError(ValueError):
    """What came is not an HTTP answer."""


class TooLongError(ValueError):
    """The head does not end within MAX_HEAD bytes."""


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
