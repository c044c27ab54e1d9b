"""What a line of these logs says, by itself.

Two kinds of lines begin with a time: those of Trace-*.log, with its zone and a thread, and those of the authorisation
logs in the Identity folder, with neither. Lines without a time go on with the message before them; a certificate is
printed so. The forms are those of Google's help page on network problems (support.google.com/a/answer/2622308).

Every expression here is linear in the length of the line.
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from tlsinspect.model import LogKind

_TRACE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[+-]\d\d:\d\d|Z)) (?P<thread>[0-9A-Fa-f]{1,8}) "
    r"(?P<level>[A-Z]):(?P<category>\w{1,64}) (?P<module>[^!\s]{1,128})!(?P<place>[^@]{1,512} @ \d{1,9}) "
    r"\([^()]{0,128}\)> ?(?P<message>.*)",
    re.DOTALL,
)
_AUTHORISATION = re.compile(
    r"\[(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?P<zone>[+-]\d\d:\d\d|Z)?):(?P<level>[A-Z]{1,16}):"
    r"(?P<place>[^()\]]{1,256}\(\d{1,9}\))\] ?(?P<message>.*)",
    re.DOTALL,
)


NETWORK = "Network"  # a category
_MARGIN = "\ufeff \t\xa0\u200b"  # of files put together, and of what was copied out of pages


def bare(text: str) -> str:
    """A line without what others put around it; mails quote each with a bracket."""
    return text.lstrip(f"{_MARGIN}>").rstrip(_MARGIN)


Clock = tuple[LogKind, bool]  # and whether it prints its zone


@dataclass(frozen=True, slots=True)
class Line:
    """A line with a time."""

    kind: LogKind
    time: datetime
    zone: bool
    thread: str
    level: str
    category: str  # what of the program it is about; an authorisation log is about connections alone
    module: str
    place: str  # the statement of the program that wrote it
    message: str

    @property
    def clock(self) -> Clock:
        """Only times of one clock can be compared: one without a zone may be hours off."""
        return self.kind, self.zone


def dated(text: str) -> Line | None:
    """The line, where it is one that begins a message. Digits that make no date are no time."""
    found = _TRACE.fullmatch(text)
    if found is not None:
        time = _time(found["time"])
        thread, *rest = found.group("thread", "level", "category", "module", "place", "message")
        return Line(LogKind.TRACE, time, True, thread.lower(), *rest) if time else None
    found = _AUTHORISATION.fullmatch(text)
    time = _time(found["time"]) if found is not None else None
    if found is None or time is None:
        return None
    zone, level, place, message = found.group("zone", "level", "place", "message")
    return Line(LogKind.AUTHORISATION, time, zone is not None, "", level, NETWORK, "", place, message)


# How messages begin in any log: those of other programs, of other forms, or cut short. A certificate has no such line.
_MESSAGE = re.compile(
    r"\[?\d{4}-\d\d-\d\d(?:T\d\d| \d\d:\d\d:\d\d)|"
    r"(?:\[(?:\d{1,9}:){0,4}\d{4}/\d{6}|(?:\d{1,9}:){0,4}\d{4}/\d{6}[.:]\d{3}:[A-Z])|"
    r"\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|FATAL|VERBOSE\d?)[]:]|Configuration:"
)


_TRACED, _LOGGED = ("E", "W", "F"), ("ERROR", "WARNING", "FATAL")  # levels of complaints, by the form of the line
COMPLAINTS = frozenset((*_TRACED, *_LOGGED))
COMPLAINT_MARKS = tuple(
    f"{before}{level}:".encode() for before, levels in ((" ", _TRACED), (":", _LOGGED)) for level in levels
)
_COMPLAINT = re.compile(
    rb"(?:\xef\xbb\xbf|\xe2\x80\x8b|\xc2?\xa0|[ \t>]){0,64}"
    rb"(?:\S{20,40} [0-9A-Fa-f]{1,8} (?:%b)|\[\d{4}-\d\d-\d\dT[0-9:.+Z-]{8,40}:(?:%b)):"
    % ("|".join(_TRACED).encode(), "|".join(_LOGGED).encode())
)


def complains(block: bytes, at: int) -> bool:
    """Whether the line that begins there may be a complaint, which alone begins a failure. Quicker than `dated`."""
    return _COMPLAINT.match(block, at) is not None


def begins_message(text: str) -> bool:
    """Whether a line that is none of the two forms begins a message all the same, and goes on with none."""
    return _MESSAGE.match(text) is not None


def _time(text: str) -> datetime | None:
    """An aware time in UTC; a clock without a zone is taken for UTC."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# -- what a message says ----------------------------------------------------------------------------------------------

# These are printed with all of their eight digits: fewer at the end of a line are a number that was cut.
_PRINTED = r"0x(?:[0-9A-Fa-f]{8}(?![0-9A-Fa-f])|[0-9A-Fa-f]{1,7}(?=[\s.,;\])]))"
_SECURE = re.compile(rf"Status: (?P<status>{_PRINTED})\.? ?(?:Status )?Info:? (?P<flags>{_PRINTED})")
_API = re.compile(
    r"Error from API (?P<api>\w{1,64})(?: with (?P<via>.{1,64}?))?\.(?: Will try (?P<retry>.{1,64}?)\.)?"
    rf" ?Code: (?P<code>{_PRINTED})"
)
_ASYNC = re.compile(rf"Error result (?P<api>\d{{1,9}}), hr = (?P<code>{_PRINTED})", re.ASCII)
_DESTINATION = re.compile(
    r"Network connection destination details: \[?(?P<address>[0-9A-Fa-f:.]{2,45})(?:%[\w.-]{1,32})?\]?:"
    r"(?P<port>\d{1,5})"
    r"(?: \((?P<name>.{0,255}?)\))?",
    re.ASCII,
)
_CODE = re.compile(
    r"\b(?:hr|hresult|code|error|result|with) ?[=:]? ?(?P<code>(?-i:0x)[0-9A-F]{8}(?![0-9A-F])|-\d{10}(?!\d))",
    re.IGNORECASE | re.ASCII,
)
_DECIMAL = re.compile(r"\b(?:error|code):? ?(?P<code>12[01]\d\d)\b", re.IGNORECASE | re.ASCII)  # of WinHTTP
_HTTP = re.compile(
    r"\b(?:status(?: code)?|HTTP(?:/\d(?:\.\d)?)?)[ :=]{1,3}(?P<status>\d{3})\b|\((?P<alone>407)\)",
    re.IGNORECASE | re.ASCII,
)
_HOST = re.compile(
    r"https?://(?P<host>[A-Za-z0-9.-]{1,253})(?=[/:?#\s\"'>)]|$)|"
    r"(?<![\w.@/-])(?P<bare>(?:[A-Za-z0-9-]{1,63}\.){1,4}(?:google|googleapis)\.com)(?![\w.-])"
)
_FLAG = re.compile(r"WINHTTP_CALLBACK_STATUS_FLAG_\w{1,64}")
SECURE_FAILURE = 0x00010000  # WINHTTP_CALLBACK_STATUS_SECURE_FAILURE: of no other status is the rest flags
_OF_PROXIES = re.compile(r"\b[Pp]roxy\b|PROXY|CONNECT ")  # words of one who speaks of a proxy
_OF_CONNECTIONS = re.compile(r"connect|http|\bproxy\b|\bTLS\b|\bSSL\b", re.IGNORECASE)
CERTIFICATE = "Certificate details:"
DETAILS = "Failure details:"


@dataclass(frozen=True, slots=True)
class NotSecure:
    """Windows takes the connection for not secure."""

    flags: int


@dataclass(frozen=True, slots=True)
class Raised:
    """Flags, by their names."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Printing:
    """What follows in lines of their own: a certificate, or what was wrong and then perhaps a certificate."""

    certificate: bool


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call failed: a function of Windows, by its name or its number."""

    api: str
    code: int
    via: str = ""
    retry: str = ""


@dataclass(frozen=True, slots=True)
class Mentioned:
    """A code or a status of HTTP in whatever words."""

    code: int | None
    http_status: int | None
    host: str  # of a URL
    proxy: bool  # whether it speaks of one


@dataclass(frozen=True, slots=True)
class WentTo:
    """Where the connection ended."""

    address: str
    port: int
    name: str


Said = NotSecure | Raised | Printing | CallFailed | Mentioned | WentTo


def said(message: str) -> Said | None:
    """What the message of a line says; None where that is nothing known."""
    found = _DESTINATION.match(message)  # first: the name in it may be anything
    if found is not None:
        return _went_to(found["address"], found["port"], found["name"] or "")
    found = _SECURE.search(message)
    if found is not None and int(found["status"], 16) == SECURE_FAILURE:
        return NotSecure(int(found["flags"], 16))
    if message.startswith((CERTIFICATE, DETAILS)):
        return Printing(message.startswith(CERTIFICATE))
    names = raised(message)
    if names is not None:
        return names
    found = _API.search(message)
    if found is not None:
        return CallFailed(found["api"], int(found["code"], 16), found["via"] or "", found["retry"] or "")
    found = _ASYNC.search(message)
    if found is not None:
        return CallFailed(found["api"], int(found["code"], 16))
    return _mentioned(message)


def raised(text: str) -> Raised | None:
    """The flags it names, in a message or in a line that goes on with one."""
    names = tuple(_FLAG.findall(text))
    return Raised(names) if names else None


def _mentioned(message: str) -> Mentioned | None:
    code, decimal, http = _CODE.search(message), _DECIMAL.search(message), _HTTP.search(message)
    if code is None and decimal is None and http is None:
        return None
    proxy, host = _OF_PROXIES.search(message) is not None, _HOST.search(message)
    status = (http["status"] or (http["alone"] if proxy else None)) if http is not None else None
    number = _number(code["code"]) if code is not None else int(decimal["code"]) if decimal is not None else None
    if number is None and status is None:
        return None
    return Mentioned(
        code=number,
        http_status=int(status) if status is not None else None,
        host=(host["host"] or host["bare"]).lower() if host is not None else "",
        proxy=proxy,
    )


def _number(text: str) -> int:
    """In hexadecimal, or a signed one of 32 bits."""
    return int(text, 16) if text.startswith("0x") else int(text) % (1 << 32)


def is_of_connections(line: Line) -> bool:
    """Whether a line is about connections: other parts of the tools have codes of their own."""
    return line.category == NETWORK or _OF_CONNECTIONS.search(line.message) is not None


def _went_to(address: str, port: str, name: str) -> WentTo | None:
    """A port or an address that is none makes the whole line doubtful."""
    try:
        return WentTo(str(ipaddress.ip_address(address)), int(port), name) if 0 < int(port) < 65536 else None
    except ValueError:
        return None


# -- lines without a time ---------------------------------------------------------------------------------------------

_SECTION = re.compile(r"-{2,5} ?(?P<name>Validity|Subject|Issuer) ?-{2,5}")
_END = re.compile(r"-{8,20}")
_EDGE = re.compile(
    r"Valid (?P<edge>from|until): (?P<day>\d{4}-\d\d-\d\d)[ T](?P<clock>\d\d:\d\d:\d\d(?:\.\d{1,6})?) ?(?:UTC|Z)"
)


def section(text: str) -> str:
    """Which part of a printed certificate begins here: validity, subject, issuer, end, or none of them."""
    found = _SECTION.fullmatch(text)
    if found is not None:
        return found["name"].lower()
    return "end" if _END.fullmatch(text) else ""


def edge(text: str) -> tuple[str, datetime | None] | None:
    """``from`` or ``until``, and when; None for a line that says neither."""
    found = _EDGE.fullmatch(text)
    return (found["edge"], _time(f"{found['day']}T{found['clock']}")) if found is not None else None


# -- the head of a file -----------------------------------------------------------------------------------------------

_HEAD = {
    "exe": re.compile(r"^.{0,512}?\bExe name: ?(?P<value>[^\r\n]{1,512})", re.MULTILINE),
    "version": re.compile(r"^.{0,512}?\bProduct version: ?(?P<value>[\w. -]{1,64})", re.MULTILINE),
    "system": re.compile(r"^.{0,512}?\bOS Version: ?(?P<value>[\w. -]{1,64})", re.MULTILINE),
}


def head(text: str) -> dict[str, str]:
    """What the beginning of a trace says of the program: ``exe``, ``version``, ``system``, as far as it does."""
    found = ((what, pattern.search(text)) for what, pattern in _HEAD.items())
    return {what: match["value"].strip() for what, match in found if match is not None}
