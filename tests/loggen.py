"""Logs as Google's sync tools write them, made to order, with what they say beside them.

    >>> written = log([Incident(at(10), flags=0x9, certificate=FIDDLER, went_to=("127.0.0.1", 8888, "PC-7"))])
    >>> written.text            # the lines
    >>> written.failures[0]     # the `Logged` a reader should come to, but for its file and line

The two forms are those of Google's help page on network problems; heads and the lines between failures follow published
traces of these tools. How they word a proxy's refusal is not published: that wording is ours.
"""

import gzip
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

from tlsinspect.model import Logged, LogKind

START = datetime(2026, 3, 2, 9, 0, 0, 250_000, tzinfo=UTC)
SECURE_FAILURE = 0x00010000
SECURE_FAILURE_CODE = 12175
HRESULT = 0x80070000
SEND_REQUEST = 5
FUNCTIONS = {1: "WinHttpReceiveResponse", SEND_REQUEST: "WinHttpSendRequest", 6: "WinHttpGetProxyForUrlEx"}
FLAGS = {
    0x00000001: "CERT_REV_FAILED",
    0x00000002: "INVALID_CERT",
    0x00000004: "CERT_REVOKED",
    0x00000008: "INVALID_CA",
    0x00000010: "CERT_CN_INVALID",
    0x00000020: "CERT_DATE_INVALID",
    0x00000040: "CERT_WRONG_USAGE",
    0x80000000: "SECURITY_CHANNEL_ERROR",
}
EVERY_FLAGS = tuple(
    sum(bit for n, bit in enumerate(FLAGS) if chosen >> n & 1) for chosen in range(1 << len(FLAGS))
)  # all combinations


def at(seconds: float) -> datetime:
    """A moment of the day all of this happens on."""
    return START + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Certificate:
    subject: tuple[str, ...]
    issuer: tuple[str, ...]
    not_before: datetime
    not_after: datetime


GOOGLE = Certificate(
    ("*.googleapis.com",), ("US", "Google Trust Services", "WR2"),
    datetime(2026, 2, 9, 8, 36, 52, tzinfo=UTC), datetime(2026, 5, 4, 8, 36, 51, tzinfo=UTC),
)  # fmt: skip
FIDDLER = Certificate(
    ("Created by http://www.fiddler2.com", "DO_NOT_TRUST", "*.google.com"),
    ("Created by http://www.fiddler2.com", "DO_NOT_TRUST", "DO_NOT_TRUST_FiddlerRoot"),
    datetime(2025, 9, 20, 4, 8, 45, tzinfo=UTC), datetime(2031, 9, 20, 4, 8, 45, tzinfo=UTC),
)  # fmt: skip
NOBODY = Certificate(
    ("www.googleapis.com",), ("DE", "Beispiel Straßenbau GmbH", "Beispiel Prüf-CA 3"),
    datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC),
)  # fmt: skip
CERTIFICATES = {"google": GOOGLE, "fiddler": FIDDLER, "nobody": NOBODY}
GOOGLES_ADDRESS = ("142.250.74.10", 443, "arn09s19-in-f10.1e100.net")


@dataclass(frozen=True)
class Incident:
    """One failed try."""

    time: datetime
    kind: LogKind = LogKind.TRACE
    flags: int | None = None  # of SECURE_FAILURE; None for a failure before TLS
    certificate: Certificate | None = None
    code: int = SECURE_FAILURE_CODE  # of Win32
    api: int = SEND_REQUEST
    via: str = "WinHTTP proxy"  # printed by the authorisation log alone
    retry: str = ""
    went_to: tuple[str, int, str] | None = GOOGLES_ADDRESS
    http_status: int | None = None  # in the place of a code
    thread: str = "1a20"
    module: str = "ClientMigration"
    zone: timezone = timezone(timedelta(hours=-3))

    @property
    def logged(self) -> Logged:
        """What a reader should come to."""
        trace = self.kind is LogKind.TRACE
        certificate = self.certificate
        refused = self.http_status is not None
        return Logged(
            file="",
            line=0,
            kind=self.kind,
            time=self.time.replace(microsecond=self.time.microsecond // 1000 * 1000 if trace else 0),
            zone=trace,
            product=_PRODUCT_OF[self.module] if trace else "",
            thread=self.thread if trace else "",
            status=SECURE_FAILURE if self.flags is not None else None,
            flags=self.flags,
            code=None if refused else (HRESULT | self.code if trace else self.code),
            api="" if refused else FUNCTIONS[self.api],
            http_status=self.http_status,
            via="" if trace or refused else self.via,
            retry="" if trace or refused else self.retry,
            subject=certificate.subject if certificate else (),
            issuer=certificate.issuer if certificate else (),
            not_before=certificate.not_before if certificate else None,
            not_after=certificate.not_after if certificate else None,
            whole=certificate is not None,
            address=self.went_to[0] if self.went_to else None,
            port=self.went_to[1] if self.went_to else None,
            name=self.went_to[2] if self.went_to else "",
            message=_refusal(self.http_status) if self.http_status is not None else "",
        )


Message = tuple[str, ...]  # a line with a time, and those that go on with it


def messages(incident: Incident) -> tuple[Message, ...]:
    """What the tool writes about it, message by message."""
    return _trace(incident) if incident.kind is LogKind.TRACE else _authorisation(incident)


def _trace(incident: Incident) -> tuple[Message, ...]:
    found: list[Message] = []

    def write(number: int, message: str, *further: str) -> None:
        line = trace_line(
            incident.time, message, thread=incident.thread, module=incident.module, number=number, zone=incident.zone
        )
        found.append((line, *further))

    if incident.flags is not None:
        write(2025, f"Secure connection failure. Status: 0x{SECURE_FAILURE:08x}. Info 0x{incident.flags:08x}")
        certificate = _printed(incident.certificate, "T", ".000Z") if incident.certificate else ()
        heading = ("Certificate details:",) if certificate else ()
        write(2030, "Failure details:", *_told(incident.flags), *heading, *certificate)
    if incident.http_status is not None:
        write(1990, _refusal(incident.http_status))
    else:
        hresult = HRESULT | incident.code
        write(2071, f"Error result {incident.api}, hr = 0x{hresult:08x}. Setting event 0000000000001638.")
    if incident.went_to is not None:
        write(2076, _destination(incident.went_to))
    return tuple(found)


def _authorisation(incident: Incident) -> tuple[Message, ...]:
    found: list[Message] = []

    def write(number: int, message: str, *further: str) -> None:
        found.append((authorisation_line(incident.time, message, number=number), *further))

    if incident.flags is not None:
        write(
            331,
            "TLS connection failure. See details below. "
            f"[Status: 0x{SECURE_FAILURE:08x}. Status Info: 0x{incident.flags:08x}]",
        )
        if incident.certificate is not None:
            write(340, "Certificate details:", *_printed(incident.certificate, " ", " UTC"))
        for told in _told(incident.flags):
            write(282, told)
    if incident.http_status is not None:
        write(211, _refusal(incident.http_status))
    else:
        next_way = f" Will try {incident.retry}." if incident.retry else ""
        call = FUNCTIONS[incident.api]
        write(197, f"Error from API {call} with {incident.via}.{next_way} Code: 0x{incident.code:08x}")
    if incident.went_to is not None:
        write(107, _destination(incident.went_to))
    return tuple(found)


def _told(flags: int) -> tuple[str, ...]:
    return tuple(
        f"WINHTTP_CALLBACK_STATUS_FLAG_{name}: What this flag means, in the words of the tool."
        for bit, name in FLAGS.items()
        if flags & bit
    )


def _printed(certificate: Certificate, between: str, zone: str) -> tuple[str, ...]:
    def moment(time: datetime) -> str:
        return f"{time:%Y-%m-%d}{between}{time:%H:%M:%S}{zone}"

    return (
        "---Validity--",
        f"Valid from: {moment(certificate.not_before)}",
        f"Valid until: {moment(certificate.not_after)}",
        "---Subject---",
        *certificate.subject,
        "---Issuer----",
        *certificate.issuer,
        "-------------",
    )


def _destination(went_to: tuple[str, int, str]) -> str:
    address, port, name = went_to
    return f"Network connection destination details: {address}:{port} ({name})"


def _refusal(http_status: int) -> str:
    return f"The request failed at the proxy with HTTP status {http_status}."


def trace_line(
    time: datetime,
    message: str,
    *,
    level: str = "E",
    category: str = "Network",
    thread: str = "1a20",
    module: str = "ClientMigration",
    place: str = "WinHttp::HandleCallback",
    number: int = 1,
    zone: timezone = UTC,
) -> str:
    when = time.astimezone(zone).isoformat(timespec="milliseconds")
    return f"{when} {thread} {level}:{category} {module}!{place} @ {number} ()> {message}"


def authorisation_line(time: datetime, message: str, *, level: str = "ERROR", number: int = 1) -> str:
    return f"[{time:%Y-%m-%dT%H:%M:%S}:{level}:windows_http.cc({number})] {message}"


# -- the programs -----------------------------------------------------------------------------------------------------

_PRODUCT_OF = {
    "ClientMigration": "gwmmo",
    "ExchangeMigration": "gwmme",
    "gsync32": "gwsmo",
    "password_sync_service": "password-sync",
}
MODULES = {product: module for module, product in _PRODUCT_OF.items()}
_PROGRAMS = {
    "gwmmo": r"C:\Program Files\Google\Google Apps Migration\ClientMigration.exe",
    "gwmme": r"C:\Program Files\Google\Google Apps Migration\ExchangeMigration.exe",
    "gwsmo": r"C:\PROGRA~2\MICROS~1\Office16\OUTLOOK.EXE",
    "password-sync": r"C:\Program Files\Google\Google Apps Password Sync\password_sync_service.exe",
}
VERSION = "4.3.48.0"
SYSTEM = "10.0.22631"


def head(product: str) -> tuple[str, ...]:
    """How a trace of this tool begins."""
    of_outlook = ("Outlook version: 16.0.4266.1001", "GAMMO present: yes", "GAMMO version: 4.0.117.0")
    return (
        f"Configuration: Exe name: {_PROGRAMS[product]}",
        "Exe version: 16.0.1.2",
        f"Product version: {VERSION}",
        f"OS Version: {SYSTEM}",
        "OS Service Pack: 0.0",
        "OS Suite/Product: 256/1",
        "Process Id: 732",
        "Process architecture: x64",
        "Timezone: America/Sao_Paulo",
        *(of_outlook if product == "gwsmo" else ()),
    )


def chatter(time: datetime, chance: random.Random, *, thread: str = "", module: str = "ClientMigration") -> Message:
    """What these tools write all day: nothing failed, or nothing on the way to Google."""
    level, category, message, *further = chance.choice(_CHATTER)
    thread = thread or f"{chance.randrange(0x100, 0xFFFF):x}"
    return (
        trace_line(time, message, level=level, category=category, thread=thread, module=module, place="Sync::Run"),
        *further,
    )


_CHATTER = (
    ("A", "Sync", "Opened database (C:\\Users\\Zoë\\AppData\\Local\\x.pst.db). p = 13078570."),
    ("V", "Sync", "Synchronised 407 messages, 503 left; code 0."),
    ("A", "Generic", "Configuration:", "IsMigrateEmail: 1", "EmailMigrationEndDate:", "<a value='0x80072ee7'/>"),
    ("I", "Network", "GET https://www.googleapis.com/calendar/v3/users/me/calendarList, HTTP status 200"),
    ("I", "Network", "Using WinHTTP proxy settings: direct"),
    ("E", "Migration", "Could not read the item, hr = 0x80004005"),
    ("W", "Network", "No proxy script announced, hr = 0x80072f94"),
    ("E", "Network", "Request cancelled, hr = 0x80072ef1"),
    ("W", "Calendar", "Item refused by the server, HTTP status 403"),
    ("A", "Network", "Network connection destination details: 142.250.74.10:443 (arn09s19-in-f10.1e100.net)"),
    ("A", "Generic", ""),
)  # fmt: skip


# -- logs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A log, and what it says."""

    lines: tuple[str, ...]
    failures: tuple[Logged, ...]  # in the order of their beginning

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def log(
    incidents: Sequence[Incident], *, product: str = "", between: int = 0, within: int = 0, seed: int = 7
) -> Written:
    """A log of these, one after the other, after the head of a `product`, with so many messages of chatter before each
    and, from other threads, `within` each message of several lines."""
    chance = random.Random(seed)
    lines = list(head(product)) if product else []
    for incident in incidents:
        for _ in range(between):
            lines += _around(incident, chance)
        for message in messages(incident):
            lines += _with_chatter(message, incident, within, chance)
    return Written(tuple(lines), tuple(_in(product, incident.logged) for incident in incidents))


def threads(incidents: Sequence[Incident], *, seed: int = 7) -> Written:
    """As `log`, of incidents of as many threads, which write between each other's messages."""
    assert len({incident.thread for incident in incidents}) == len(incidents)
    chance = random.Random(seed)
    left = [list(messages(incident)) for incident in incidents]
    lines: list[str] = []
    began: list[int] = []
    while any(left):
        turn = chance.choice([n for n, rest in enumerate(left) if rest])
        if turn not in began:
            began.append(turn)
        lines += left[turn].pop(0)
    return Written(tuple(lines), tuple(incidents[n].logged for n in began))


def retried(first: Incident, second: Incident) -> tuple[Incident, Incident]:
    """Through the proxy, then directly: as the authorisation log tells it."""
    return (
        replace(first, kind=LogKind.AUTHORISATION, via="WinHTTP proxy", retry="direct (without proxy)"),
        replace(second, kind=LogKind.AUTHORISATION, via="direct connection", retry=""),
    )


def _in(product: str, logged: Logged) -> Logged:
    if not product:
        return logged
    return replace(logged, product=logged.product or product, version=VERSION, system=SYSTEM)


def _around(incident: Incident, chance: random.Random) -> Message:
    if incident.kind is LogKind.TRACE:
        return chatter(incident.time, chance, module=incident.module)
    return (authorisation_line(incident.time, "Refreshing the token of zoe@example.com.", level="INFO"),)


def _with_chatter(message: Message, incident: Incident, times: int, chance: random.Random) -> list[str]:
    lines = list(message)
    if len(lines) > 1 and incident.kind is LogKind.TRACE:
        for _ in range(times):
            place = chance.randrange(1, len(lines) + 1)
            # Only lines with a time: one without belongs to nobody that could be told.
            lines[place:place] = chatter(incident.time, chance, thread="ffff", module=incident.module)[:1]
    return lines


# -- damage -----------------------------------------------------------------------------------------------------------

BOMS = {"utf-8-sig": b"", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "cp1252")


@dataclass(frozen=True)
class Form:
    """How a log lies on a disk."""

    encoding: str = "utf-8"
    newline: str = "\n"
    packed: bool = False
    last_break: bool = True  # after the last line

    def octets(self, lines: Iterable[str]) -> bytes:
        text = self.newline.join(lines) + (self.newline if self.last_break else "")
        octets = BOMS.get(self.encoding, b"") + text.encode(self.encoding)
        return gzip.compress(octets, mtime=0) if self.packed else octets

    def __str__(self) -> str:
        parts = (self.encoding, "crlf" * (self.newline == "\r\n"), "gz" * self.packed, "open" * (not self.last_break))
        return "-".join(filter(None, parts))


FORMS = tuple(
    Form(encoding, newline, packed, last_break)
    for encoding in ENCODINGS
    for newline in ("\n", "\r\n")
    for packed in (False, True)
    for last_break in (True, False)
)


def rotated(lines: Sequence[str], at_line: int, form: Form | None = None) -> Mapping[str, bytes]:
    """Two files: what came before the line that begins the newer, and the rest."""
    form = form or Form()
    older = "Trace.log.1.gz" if form.packed else "Trace.log.1"
    plain = replace(form, packed=False)
    return {older: form.octets(lines[:at_line]), "Trace.log": plain.octets(lines[at_line:])}


def hostile(count: int, longest: int = 4096) -> Iterator[str]:
    """Lines that make a reader remember: a thread for each, blocks that never end, many of everything, long lines."""
    chance = random.Random(3)
    return (_hostile(number, chance.randrange(longest)) for number in range(count))


def _hostile(number: int, length: int) -> str:
    kind = number % 8
    time = at(number / 1000)
    thread = f"{number:x}"
    if kind == 0:
        return trace_line(time, "Secure connection failure. Status: 0x00010000. Info 0x00000009", thread=thread)
    if kind == 1:
        return trace_line(time, "Failure details:", thread=thread)
    if kind == 2:
        return "---Subject---"
    if kind == 3:
        return f"{number}" + "x" * length
    if kind == 4:
        return f"[{time:%Y-%m-%dT%H:%M:%S}:ERROR:f{number}.cc(1)] Code: 0x80072ee7"
    if kind == 5:
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return trace_line(time, f"Network connection destination details: {address}:443 (h{number})", thread=thread)
    if kind == 6:
        return trace_line(time, f"Error result 5, hr = 0x{HRESULT + 12000 + number % 200:08x}.", thread=thread)
    return authorisation_line(time, f"Error from API f{number} with w{number}. Will try n{number}. Code: 0x00002f8f")
