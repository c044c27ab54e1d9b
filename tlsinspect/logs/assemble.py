"""From lines to failures: what a thread writes about one of them is put together.

A failure is several messages of one thread: that the connection is not secure, with its flags; the certificate, line
by line; the call that failed, with its code; where the connection went. Threads write between each other's lines,
files end in mid block, and programs that made the call repeat its code on their own account. Whatever comes, what is
kept has a bound: so many threads, so many values, so many characters of each.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from tlsinspect.logs.codes import is_of_winhttp
from tlsinspect.logs.echoes import Echoes, apart, name_of
from tlsinspect.logs.grammar import (
    CERTIFICATE,
    COMPLAINTS,
    CallFailed,
    Line,
    Mentioned,
    NotSecure,
    Said,
    WentTo,
    bare,
    begins_message,
    dated,
    is_of_connections,
    raised,
    said,
)
from tlsinspect.logs.products import product_of
from tlsinspect.logs.stories import Key, Stories, Tries
from tlsinspect.logs.telling import Telling, near, says_nothing
from tlsinspect.model import Logged

MOST_THREADS = 64  # that are in the middle of a failure
MOST_LINES = 200  # between two of one failure
APART = timedelta(seconds=10)  # messages of a thread further apart are not about the same failure
TOLD_BY = timedelta(minutes=1)  # by when a thread has told of a failure, while others write


@dataclass(frozen=True, slots=True)
class Origin:
    """Where lines come from, as far as it is the same for all of a file."""

    file: str
    product: str = ""
    version: str = ""
    system: str = ""


class Assembler:
    """Fed with lines, gives failures. One for a file and its rotated predecessors."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._open: OrderedDict[Key, Telling] = OrderedDict()
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
        yield from self._tell(key, number, line, told)
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
            late = key[0] == line.clock and apart(each.line.time, line.time) > limit
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

    def _tell(self, key: Key, number: int, line: Line, told: Said) -> Iterator[Tries]:
        """Give a message to the failure that it is of."""
        if isinstance(told, WentTo):
            yield from self._went(key, number, line, told)
            return
        current = self._open.get(key)
        excluded = current is not None and current.excludes(told, line)
        if excluded and isinstance(told, Mentioned):
            yield from self._alone(number, line, told)
            return
        if current is not None and (excluded or current.begins_another(told, line)):
            yield from self._left(key, number, line, told)
            current = None
        if current is None:
            other = self._lacking(number, line, told)
            if other is not None:
                current = self._open[key] = self._open.pop(other)
        if current is None:
            current = self._open[key] = self._begun(number, line)
        self._add(current, number, line, told)

    def _went(self, key: Key, number: int, line: Line, told: WentTo) -> Iterator[Tries]:
        """Where a connection went, which ends a failure if it is that of one: of threads without names the one whose
        call was told."""
        current = self._open.get(key)
        if current is None or not current.failed:
            key = self._lacking(number, line, told) or key
            current = self._open.get(key)
        if current is not None:
            self._add(current, number, line, told)
            yield from self._closed(key)

    def _begun(self, number: int, line: Line) -> Telling:
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
        found = Telling(logged, number, line)
        found.printed.mixed = self._tangled is not None and near(*self._tangled, number, line)
        return found

    def _alone(self, number: int, line: Line, told: Said) -> Iterator[Tries]:
        """A failure of one message, beside the one that is being told."""
        found = self._begun(number, line)
        self._add(found, number, line, told)
        yield from self._done(found)

    def _left(self, key: Key, number: int, line: Line, told: Said) -> Iterator[Tries]:
        """Another failure begins. Where threads have no names, the one before may be told further."""
        current = self._open[key]
        alike = isinstance(told, CallFailed) or (isinstance(told, NotSecure) and told.flags == current.logged.flags)
        untold = current.of_tls and not current.failed and not current.printed.ended
        if not line.thread and untold and not alike:
            self._tangle(number, line)
        if not line.thread and current.may_go_on and current.is_near(number, line):
            self._open[line.clock, f"{number}"] = self._open.pop(key)
        else:
            yield from self._closed(key)

    def _lacking(self, number: int, line: Line, told: Said) -> Key | None:
        """Where a failure is told of which another thread told until now."""
        for key, each in self._open.items():
            if key[0] == line.clock and each.is_near(number, line) and each.lacks(told, line):
                return key
        return None

    def _tangle(self, number: int, line: Line) -> None:
        """Of the lines that come next nobody knows whose they are."""
        self._tangled = (number, line)
        for each in self._open.values():
            each.printed.mixed |= not each.printed.ended

    def _add(self, current: Telling, number: int, line: Line, told: Said) -> None:
        current.add(number, line, told)
        if isinstance(told, CallFailed):
            self._echoes.add(line, name_of(told), "")
        elif isinstance(told, Mentioned):
            self._echoes.add(line, name_of(told), told.host)

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
        names = raised(text)
        others = (each for each in self._open.values() if each is not current and each.is_near(number, last))
        rivals = [each for each in others if each.waits]
        if current is None or not current.going_on:
            begins = text == CERTIFICATE or names is not None
            waiting = [each for each in rivals if begins or each.printed.expected]
            if not waiting:
                return
            current = waiting[-1]
            current.printed.mixed = True
        if any(each is not current for each in rivals):
            self._tangle(number, last)
        current.told = number
        if names is not None and not current.printed.section:
            current.complain(names)
        else:
            current.printed.add(text)

    # -- failures -----------------------------------------------------------------------------------------------------

    def _closed(self, key: Key) -> Iterator[Tries]:
        """The failure a thread was telling."""
        return self._done(self._open.pop(key))

    def _done(self, found: Telling) -> Iterator[Tries]:
        logged = found.finished()
        if not says_nothing(logged):
            yield from self._stories.add((found.line.clock, logged.thread), logged)


def _key(line: Line) -> Key:
    return line.clock, line.thread
