"""Logs that are still being written: what is there already, then each failure as it comes, until somebody ends it.

The files are looked at again and again, and none is kept open: a tool must be able to rename its log. A log that was
renamed goes on where it was left; where the names that were given no longer mean it, it is read to its end if it stands
beside its successor. One that has become shorter is another log, and a copy of what was read is not read again. Tools
write a new file for each process, so that folders and patterns are looked through again too.
"""

import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from stat import S_ISREG

from tlsinspect.errors import UsageError
from tlsinspect.files import reason_of
from tlsinspect.logs.assemble import APART, Assembler, Origin
from tlsinspect.logs.blocks import BLOCK, Decoder, Lines
from tlsinspect.logs.reading import BeingRead, Reader, read_block
from tlsinspect.logs.sources import STDIN, Identity, Source, find, identified, identity, rotated
from tlsinspect.logs.stories import RETRIED, Tries
from tlsinspect.model import LogFile
from tlsinspect.text import printable

LOOK = 0.5  # seconds from one look at the files to the next
LOOK_AROUND = 5.0  # from one search for new files to the next
MOST_LEFT = 1000  # logs that are gone and of which it is said what they were
BEGIN = 512  # octets that are compared
SETTLED = APART  # without a new line, after which a failure that is being told is told as it is
END = 1024  # octets before the place that was read to, that are compared too: more than a line


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a log was read, and what it is told by: systems give the number of a file that is gone again, and tools
    begin all their logs alike."""

    position: int = 0  # octets read
    begin: bytes = b""  # of the file
    end: bytes = b""  # of what was read

    def after(self, chunk: bytes) -> "_Mark":
        """With these octets too."""
        begin = self.begin + chunk[: BEGIN - len(self.begin)]
        return _Mark(self.position + len(chunk), begin, (self.end + chunk)[-END:])

    def is_in(self, name: str, size: int) -> bool:
        """Whether what was read stands in this file of so many octets."""
        if size < self.position or _read(name, 0, len(self.begin)) != self.begin:
            return False
        return _read(name, self.position - len(self.end), len(self.end)) == self.end


@dataclass(slots=True)
class _Followed:
    """A file that grows."""

    reading: BeingRead
    assembler: Assembler
    lines: Lines = field(default_factory=Lines)
    decoder: Decoder = field(init=False)
    mark: _Mark = field(default_factory=_Mark)
    written: int = 0  # when it was last, by its file system
    told: float = 0.0  # when it last grew
    waiting: bool = False  # whether something may be open since then

    def __post_init__(self) -> None:
        self.decoder = Decoder(self.reading.told)

    def is_another(self, name: str, status: os.stat_result) -> bool:
        """Whether a file that was written to since is no longer the one that was read."""
        before, self.written = self.written, status.st_mtime_ns
        if status.st_size == self.mark.position and before == self.written:
            return False
        return not self.mark.is_in(name, status.st_size)

    def feed(self, chunk: bytes) -> Iterator[Tries]:
        """The failures that are complete with these octets."""
        self.told, self.waiting = time.monotonic(), True
        self.mark = self.mark.after(chunk)
        self.reading.told.on_disk = self.reading.told.octets = self.mark.position
        yield from self._taken(self.lines.feed(self.decoder.feed(chunk)))

    def silent(self) -> Iterator[Tries]:
        """What was begun so long ago that nothing more belongs to it."""
        silence = timedelta(seconds=time.monotonic() - self.told)
        if self.waiting and silence > RETRIED:
            self.waiting = False
            yield from self.reading.counted(self.assembler.flush())
        elif self.waiting and silence > SETTLED:
            yield from self.reading.counted(self.assembler.settle())

    def rest(self) -> Iterator[Tries]:
        """What is begun, the last line that lacks its end included."""
        yield from self._taken(self.lines.feed(self.decoder.flush()) + self.lines.flush())
        yield from self.reading.counted(self.assembler.flush())

    def _taken(self, block: bytes) -> Iterator[Tries]:
        if block:
            yield from self.reading.counted(read_block(block, self.reading, self.assembler))
            self.reading.see_end()
            self.reading.end = b""  # of thousands of files only few grow


class Follower:
    """Iterate it for the failures; it ends only by an interrupt. `files` says what was read until then."""

    def __init__(self, names: Sequence[str]) -> None:
        if STDIN in names:
            raise UsageError("--follow needs files or folders; standard input is followed anyway")
        self._names = names
        packed, growing = _apart(find(names))
        self._packed = Reader(packed)
        self._sources = growing
        self._looked = time.monotonic()
        self._started = False  # whether all that was there was looked at
        self._followed: dict[Identity, _Followed] = {}
        self._left: deque[LogFile] = deque(maxlen=MOST_LEFT)
        self._marks: deque[_Mark] = deque(maxlen=MOST_LEFT)  # of those, which may stand in copies

    @property
    def files(self) -> tuple[LogFile, ...]:
        followed = (each.reading.file() for each in self._followed.values())
        return (*self._packed.files, *self._left, *followed)

    def __iter__(self) -> Iterator[Tries]:
        yield from self._packed
        while True:
            for source in self._sources:
                yield from self._grown(source)
            self._started = True
            for followed in self._followed.values():
                yield from followed.silent()
            time.sleep(LOOK)
            yield from self._look_around()

    def _look_around(self) -> Iterator[Tries]:
        """What the names mean by now. A log that none of them means any more is gone; one that was renamed is not."""
        if time.monotonic() - self._looked < LOOK_AROUND:
            return
        self._looked = time.monotonic()
        present: dict[Identity, Source] = {}
        for name in self._names:
            with suppress(UsageError):  # it may come again
                present = identified([name]) | present
        self._sources = _apart(list(present.values()))[1]
        for gone in self._followed.keys() - present.keys():
            yield from self._last_lines(gone)
            yield from self._leave(gone)

    def _last_lines(self, key: Identity) -> Iterator[Tries]:
        """What was written to a log after it was last looked at and before it was rotated out of the given names."""
        followed = self._followed[key]
        with suppress(OSError):
            for name in rotated(followed.reading.name):
                status = os.stat(name)
                if identity(name, status) == key and followed.mark.is_in(name, status.st_size):
                    yield from _read_on(followed, name, status.st_size)

    def _grown(self, source: Source) -> Iterator[Tries]:
        """What a file has more than when it was last looked at."""
        try:
            status = os.stat(source.name)
            key = identity(source.name, status)
            followed = self._followed.get(key)
            if followed is not None and followed.is_another(source.name, status):
                yield from self._leave(key)
                followed = None
            if followed is None:
                copied = S_ISREG(status.st_mode) and self._started
                mark = self._copied(source.name, status.st_size) if copied else _Mark()
                followed = _Followed(BeingRead(source.name), Assembler(Origin(source.name)), mark=mark)
                self._followed[key] = followed
            if not S_ISREG(status.st_mode):
                raise OSError("is no file that can be followed")
            yield from _read_on(followed, source.name, status.st_size)
            followed.reading.told.problem = ""
        except FileNotFoundError:
            return  # renamed this moment, perhaps
        except (OSError, ValueError) as error:
            known = next((each for each in self._followed.values() if each.reading.name == source.name), None)
            if known is not None:
                known.reading.told.problem = printable(f"cannot be read to its end ({reason_of(error)})")

    def _leave(self, key: Identity) -> Iterator[Tries]:
        followed = self._followed.pop(key)
        yield from followed.rest()
        self._left.append(followed.reading.file())
        self._marks.append(followed.mark)

    def _copied(self, name: str, size: int) -> _Mark:
        """How far a new file is the copy of a log that was read, as where one is copied and then emptied."""
        begin = _read(name, 0, BEGIN)  # once: of thousands of logs hardly any begins so
        marks = (*(each.mark for each in self._followed.values()), *self._marks)
        alike = (mark for mark in marks if mark.position and begin.startswith(mark.begin))
        return max((m for m in alike if m.is_in(name, size)), key=lambda mark: mark.position, default=_Mark())

    def rest(self) -> Iterator[Tries]:
        """What was begun when nobody wants to wait any longer."""
        yield from self._packed.rest()
        for followed in self._followed.values():
            yield from followed.rest()


def _apart(sources: Sequence[Source]) -> tuple[list[Source], list[Source]]:
    """Those that are packed, which do not grow, and the others."""
    packed: list[Source] = []
    growing: list[Source] = []
    for source in sources:
        (packed if source.name.lower().endswith(".gz") else growing).append(source)
    return packed, growing


def _read_on(followed: _Followed, name: str, size: int) -> Iterator[Tries]:
    """From where it was left."""
    while size > followed.mark.position and (chunk := _read(name, followed.mark.position)):
        yield from followed.feed(chunk)


def _read(name: str, position: int, size: int = BLOCK) -> bytes:
    """Octets of a file. Whatever took the place of one meanwhile, a pipe say, is not waited for."""
    with open(name, "rb", opener=lambda path, flags: os.open(path, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        file.seek(position)
        return file.read(size)
