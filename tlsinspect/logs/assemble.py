"""From lines to failures: what a thread writes about one of them is put together.

A failure is several messages of one thread: that the connection is not secure, with its flags; the certificate, line
by line; the call that failed, with its code; where the connection went. Threads write between each other's lines,
files end in mid block, and programs that made the call repeat its code on their own account. Whatever comes, what is
kept has a bound: so many threads, so many values, so many characters of each.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tlsinspect.logs.codes import Means, api, error, flag_values, flags, is_of_winhttp
from tlsinspect.logs.echoes import Echoes, apart, name_of
from tlsinspect.logs.grammar import (
    COMPLAINTS,
    SECURE_FAILURE,
    CallFailed,
    Line,
    Mentioned,
    NotSecure,
    Printing,
    Raised,
    Said,
    WentTo,
    bare,
    begins_message,
    dated,
    is_of_connections,
    raised,
    said,
)
from tlsinspect.logs.printed import Printed
from tlsinspect.logs.products import product_of
from tlsinspect.logs.stories import Key, Stories, Tries
from tlsinspect.model import Logged

MOST_THREADS = 64  # that are in the middle of a failure
MOST_LINES = 200  # between two of one failure
APART = timedelta(seconds=10)  # messages of a thread further apart are not about the same failure
TOLD_BY = timedelta(minutes=1)  # by when a thread has told of a failure, while others write
AT_ONCE = timedelta(seconds=1)  # within which two messages with one code are of the same call
LONGEST_MESSAGE = 300
# What a code says in the place of flags that are not printed. That somebody revoked it is too grave to be taken so.
UNFLAGGED = {Means.UNTRUSTED, Means.NAME_MISMATCH, Means.EXPIRED_OR_CLOCK, Means.REVOCATION_UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where lines come from, as far as it is the same for all of a file."""

    file: str
    product: str = ""
    version: str = ""
    system: str = ""


@dataclass(slots=True)
class _Open:
    """A failure that is being told."""

    logged: Logged
    told: int  # the number of the last line that told something
    time: datetime  # of the last message that did
    going_on: bool = False  # whether lines without a time belong to it
    printed: Printed = field(default_factory=Printed)

    @property
    def waits(self) -> bool:
        """Whether its certificate is still to come, or to come to its end."""
        return self.going_on and not self.printed.ended

    @property
    def of_tls(self) -> bool:
        """Whether it is known to be a failure of TLS."""
        return self.logged.status is not None or bool(self.printed.parts)

    def complain(self, names: Raised) -> None:
        """Windows raises these flags. Where it printed them as a number, all of them were in it."""
        if self.logged.status is None:
            self.logged = replace(self.logged, flags=(self.logged.flags or 0) | flag_values(names.names))

    @property
    def name(self) -> str | None:
        """Of what failed, by its number."""
        logged = self.logged
        return name_of(Mentioned(logged.code, logged.http_status, logged.host, proxy=True))

    def repeated(self, told: Mentioned) -> None:
        """Whoever made the call repeats its code, and may say for which host."""
        if told.host and not self.logged.host and self.name is not None and self.name == name_of(told):
            self.logged = replace(self.logged, host=told.host)

    def finished(self) -> Logged:
        printed = self.printed
        return replace(
            self.logged,
            subject=printed.subject,
            issuer=printed.issuer,
            not_before=printed.edges.get("from"),
            not_after=printed.edges.get("until"),
            whole=printed.whole,
            mixed=printed.mixed,
        )


class Assembler:
    """Fed with lines, gives failures. One for a file and its rotated predecessors."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._open: OrderedDict[Key, _Open] = OrderedDict()
        self._stories = Stories()
        self._last: Line | None = None  # the message that lines without a time go on with
        self._echoes = Echoes()
        self._tangled: tuple[int, Line] | None = None  # where it was last not known whose lines are

    @property
    def busy(self) -> bool:
        """Whether the next line counts, whatever it is."""
        return bool(self._open)

    def feed(self, number: int, text: str) -> Iterator[Tries]:
        """The failures that are complete with this line, which ends without its line break."""
        text = bare(text)
        line = dated(text)
        if line is None:
            self._continue(number, text)
            return
        yield from self._old(number, line)
        self._last, key = line, _key(line)
        current = self._open.get(key)
        if current is not None:
            if current.waits and not line.thread:
                self._tangle(number, line)  # threads without names write between each other
            current.going_on, current.printed.section = False, ""
        told = said(line.message)
        if told is None or not self._tells(line, told):
            if current is not None and isinstance(told, Mentioned) and line.level in COMPLAINTS:
                current.repeated(told)
            return
        if current is not None and _is_of_another(current, told, line):
            yield from self._alone(number, line, told)
            return
        if current is not None and _is_another(current, told, line.time):
            self._cut_off(current, number, line)
            yield from self._closed(key)
            current = None
        if current is None:
            if isinstance(told, WentTo):
                return  # where a connection went that did not fail
            current = self._begun(number, line)
            self._open[key] = current
        self._add(current, number, line, told)
        if isinstance(told, WentTo):
            self._cut_off(current, number, line)
            yield from self._closed(key)
        while len(self._open) > MOST_THREADS:
            yield from self._closed(next(iter(self._open)))

    def settle(self) -> Iterator[Tries]:
        """What is being told, where nothing more was written for a while."""
        for key in list(self._open):
            yield from self._closed(key)

    def flush(self) -> Iterator[Tries]:
        """What is open when nothing more comes."""
        yield from self.settle()
        yield from self._stories.flush()
        self._last = None

    # -- messages -----------------------------------------------------------------------------------------------------

    def _old(self, number: int, line: Line) -> Iterator[Tries]:
        """Failures of which nothing was told for too long."""
        for key, each in list(self._open.items()):
            limit = APART if key == _key(line) else TOLD_BY
            late = key[0] == line.clock and apart(each.time, line.time) > limit
            if late or number - each.told > MOST_LINES:
                yield from self._closed(key)
        yield from self._stories.old(line)

    def _tells(self, line: Line, told: Said) -> bool:
        """Only a complaint counts: other lines may quote one. A code in other words counts only by who was the first to
        say it."""
        if line.level not in COMPLAINTS:
            return False
        if not isinstance(told, Mentioned):
            return True
        name = name_of(told)
        if name is None or not (is_of_winhttp(told.code) or is_of_connections(line)):
            return False
        return not self._echoes.repeats(line, name, told.host)

    def _begun(self, number: int, line: Line) -> _Open:
        origin = self.origin
        logged = Logged(
            file=origin.file,
            line=number,
            kind=line.kind,
            time=line.time,
            zone=line.zone,
            product=product_of(module=line.module) or origin.product,
            version=origin.version,
            system=origin.system,
            thread=line.thread,
        )
        found = _Open(logged, number, line.time)
        found.printed.mixed = self._is_tangled(number, line)
        return found

    def _alone(self, number: int, line: Line, told: Said) -> Iterator[Tries]:
        """A failure of one message, beside the one that is being told."""
        found = self._begun(number, line)
        self._add(found, number, line, told)
        yield from self._done(_key(line), found)

    def _cut_off(self, current: _Open, number: int, line: Line) -> None:
        """Another failure begins, or this one ends. Where threads have no names, one that lacks both its certificate
        and its call is told further."""
        logged = current.logged
        if not line.thread and logged.status is not None and logged.code is None and not current.printed.ended:
            self._tangle(number, line)

    def _tangle(self, number: int, line: Line) -> None:
        """Of the lines that come next nobody knows whose they are."""
        self._tangled = (number, line)
        for each in self._open.values():
            each.printed.mixed |= not each.printed.ended

    def _is_tangled(self, number: int, line: Line) -> bool:
        """Whether that was so just before. Times of two clocks cannot be compared."""
        if self._tangled is None:
            return False
        since, before = self._tangled
        if before.clock == line.clock:
            return apart(before.time, line.time) <= APART
        return number - since <= MOST_LINES

    def _add(self, current: _Open, number: int, line: Line, told: Said) -> None:
        current.told, current.time = number, line.time
        logged = current.logged
        match told:
            case NotSecure(flags=raised_flags):
                # Those that were named before it go with it.
                current.logged = replace(logged, status=SECURE_FAILURE, flags=(logged.flags or 0) | raised_flags)
            case Raised():
                current.complain(told)
            case Printing():
                current.going_on = True
            case WentTo(address, port, name):
                current.logged = replace(logged, address=address, port=port, name=name)
            case CallFailed(api=called, code=code, via=via, retry=retry):
                name = api(int(called)) if called.isdecimal() else called
                current.logged = replace(logged, code=code, api=name, via=via, retry=retry)
                self._echoes.add(line, name_of(told), "")
            case Mentioned(code=code, http_status=http_status, host=host):
                code = logged.code if code is None else code
                message = line.message[:LONGEST_MESSAGE]
                current.logged = replace(logged, code=code, http_status=http_status, host=host, message=message)
                self._echoes.add(line, name_of(told), host)

    # -- lines that go on ---------------------------------------------------------------------------------------------

    def _continue(self, number: int, text: str) -> None:
        """A line without a time belongs to the message before it, or perhaps to a certificate that was being printed
        when another thread wrote that message."""
        last = self._last
        current = self._open.get(_key(last)) if last is not None else None
        if last is None or begins_message(text):
            self._last = None
            if current is not None and current.going_on:
                current.printed.interrupt()
                current.going_on = False
            return
        waiting = [each for each in self._open.values() if each.waits and each is not current]
        if current is None or not current.going_on:
            if not waiting:
                return
            current = waiting.pop()
            current.printed.mixed = True
        if waiting:
            self._tangle(number, last)
        current.told = number
        names = raised(text)
        if names is not None and not current.printed.section:
            current.complain(names)
        else:
            current.printed.add(text)

    # -- failures -----------------------------------------------------------------------------------------------------

    def _closed(self, key: Key) -> Iterator[Tries]:
        """The failure a thread was telling."""
        return self._done(key, self._open.pop(key))

    def _done(self, key: Key, found: _Open) -> Iterator[Tries]:
        logged = found.finished()
        if not _says_nothing(logged):
            yield from self._stories.add(key, logged)


def _key(line: Line) -> Key:
    return line.clock, line.thread


def _is_of_another(current: _Open, told: Said, line: Line) -> bool:
    """Whether a code is of something else than the TLS failure that is being told, of whose complaints it is none: what
    a thread says meanwhile may be of a mail's signature. Where threads have no names a call may be another's too."""
    logged = current.logged
    if not current.of_tls or not (isinstance(told, Mentioned) or (isinstance(told, CallFailed) and not line.thread)):
        return False
    known = error(told.code) if told.code is not None else None
    if known is None or (isinstance(told, Mentioned) and told.http_status is not None):
        return True
    fits = {Means.SEE_FLAGS, Means.TLS, *(each.means for each in flags(logged.flags or 0))}
    if line.thread and not logged.flags and apart(current.time, line.time) <= AT_ONCE:
        fits |= UNFLAGGED
    return known.means not in fits


def _is_another(current: _Open, told: Said, time: datetime) -> bool:
    """Whether this begins another failure: what it says was said already."""
    logged = current.logged
    failed = logged.code is not None or logged.http_status is not None
    match told:
        case NotSecure():
            repeated = not current.printed.parts and logged.flags == told.flags and apart(current.time, time) <= AT_ONCE
            return failed or (current.of_tls and not repeated)
        case Printing():
            return bool(current.printed.parts)
        case CallFailed():
            # A caller may have said it before the call's own line is written.
            at_once = apart(current.time, time) <= AT_ONCE
            same = current.of_tls or (at_once and current.name == name_of(told))
            return failed and (logged.api != "" or not same)
        case Mentioned():
            return failed
        case Raised() | WentTo():
            return False


def _says_nothing(logged: Logged) -> bool:
    """A call that did not fail by the network: cancelled, to be sent again, handled wrongly."""
    if logged.status is not None or logged.flags or logged.subject or logged.issuer or logged.http_status is not None:
        return False
    known = error(logged.code) if logged.code is not None else None
    return known is not None and known.means is Means.NONE
