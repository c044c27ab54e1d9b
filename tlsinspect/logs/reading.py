"""One log after the other: from blocks of lines to failures, and what is to be said of each file.

A block in which nothing stands that could begin a failure is counted and passed over; only the others are taken apart.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import BinaryIO, Protocol

from tlsinspect.files import reason_of
from tlsinspect.logs.assemble import Assembler, Origin
from tlsinspect.logs.blocks import Told, blocks
from tlsinspect.logs.grammar import bare, complains, dated, edge, head, section
from tlsinspect.logs.needles import ends, hits, line_count
from tlsinspect.logs.products import product_of
from tlsinspect.logs.sources import follows
from tlsinspect.logs.stories import Tries
from tlsinspect.model import LogFile, LogKind
from tlsinspect.text import printable

HEAD = 16 * 1024  # octets: the program says at the beginning what it is
TAIL = 16 * 1024  # octets from the end, in which the last line with a time is looked for


class Readable(Protocol):
    """Where a log comes from: see `sources.Source`."""

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int | None: ...
    def open(self) -> AbstractContextManager[BinaryIO]: ...


Progress = Callable[[int, int | None], None]  # octets read on disk, and of how many where that is known


@dataclass(slots=True)
class BeingRead:
    """What is known of a file while it is read."""

    name: str
    goes_on: bool = False  # with the file before it
    told: Told = field(default_factory=Told)
    lines: int = 0
    failures: int = 0
    kinds: set[LogKind] = field(default_factory=set)
    head: dict[str, str] = field(default_factory=dict)
    product: str = ""
    begins_within: bool = False
    first: datetime | None = None
    last: datetime | None = None
    begin: bytes = b""  # as far as it is not known yet what it says
    seen: int = 0  # octets of it that were looked at
    end: bytes = b""  # of what was read, the last TAIL octets

    def add(self, block: bytes) -> None:
        """Count its lines, and see what the beginning says, which may come in pieces."""
        self.lines += line_count(block)
        self.end = block[-TAIL:] if len(block) >= TAIL else (self.end + block)[-TAIL:]
        if self.seen < HEAD:
            self.begin += block[: HEAD - len(self.begin)]
            if len(self.begin) >= min(2 * self.seen, HEAD):
                self.see_begin()

    def see_begin(self) -> None:
        """What it says of the program and of the form of the log."""
        if len(self.begin) <= self.seen:
            return
        self.seen = len(self.begin)
        texts = [bare(text_of(line)) for line in self.begin.split(b"\n")]
        self.head = head("\n".join(texts))
        lines = [line for line in map(dated, texts) if line is not None]
        undated = takewhile(lambda text: dated(text) is None, texts)
        self.begins_within = bool(lines) and not self.goes_on and any(section(text) or edge(text) for text in undated)
        self.kinds |= {line.kind for line in lines}
        self.first = lines[0].time if lines else None
        modules = {line.module for line in lines if line.module}
        named = (product_of(module=module) for module in sorted(modules))
        self.product = (
            product_of(path=self.head.get("exe", "")) or next(filter(None, named), "") or product_of(path=self.name)
        )
        if self.seen == HEAD:
            self.begin = b""

    def see_end(self) -> None:
        """When the log ends, as far as it was read."""
        for line in reversed(self.end.split(b"\n")):
            found = dated(bare(text_of(line)))
            if found is not None:
                self.last = found.time
                self.kinds.add(found.kind)
                return

    def counted(self, failures: Iterator[Tries]) -> Iterator[Tries]:
        """The same failures, counted."""
        for failure in failures:
            self.failures += 1
            self.kinds.add(failure[0].kind)
            yield failure

    def origin(self) -> Origin:
        return Origin(self.name, self.product, self.head.get("version", ""), self.head.get("system", ""))

    def file(self) -> LogFile:
        self.see_begin()
        told = self.told
        return LogFile(
            name=self.name,
            octets=told.octets,
            lines=self.lines,
            failures=self.failures,
            kinds=tuple(kind for kind in LogKind if kind in self.kinds),
            encoding=told.encoding,
            product=self.product,
            version=self.head.get("version", ""),
            system=self.head.get("system", ""),
            first=self.first,
            last=self.last,
            begins_within=self.begins_within,
            problem=told.problem,
        )


class Reader:
    """Iterate it for the failures; `files` grows with each file that is done, or was begun when it was left."""

    def __init__(self, sources: Sequence[Readable], progress: Progress | None = None) -> None:
        self._sources = sources
        self._progress = progress
        self._before = 0  # octets of the files before this one
        sizes = [source.size for source in sources]
        self._all = None if None in sizes else sum(size or 0 for size in sizes)
        self._done: list[LogFile] = []
        self._current: BeingRead | None = None
        self._assembler = Assembler(Origin(""))

    @property
    def files(self) -> tuple[LogFile, ...]:
        """Those that were read, the one that is being read included."""
        now = self._current
        return (*self._done, *([now.file()] if now is not None else []))

    def __iter__(self) -> Iterator[Tries]:
        for source in self._sources:
            # What is missing between two files may be the end of one failure and the begin of another.
            before = self._current
            goes_on = before is not None and not before.told.problem and follows(source.name, before.name)
            if not goes_on:
                yield from self.rest()
                self._assembler = Assembler(Origin(source.name))
            yield from self._file(source, goes_on=goes_on)
        yield from self.rest()
        self._finish()

    def rest(self) -> Iterator[Tries]:
        """What is begun and will not be told any further."""
        rest = self._assembler.flush()
        return rest if self._current is None else self._current.counted(rest)

    def _finish(self) -> None:
        if self._current is not None:
            self._done.append(self._current.file())
            self._current = None

    def _file(self, source: Readable, *, goes_on: bool = False) -> Iterator[Tries]:
        self._finish()
        reading = self._current = BeingRead(source.name, goes_on)
        try:
            with source.open() as stream:
                for block in blocks(stream, reading.told):
                    yield from reading.counted(read_block(block, reading, self._assembler))
                    if self._progress is not None:
                        self._progress(self._before + reading.told.on_disk, self._all)
        except (OSError, ValueError) as error:
            reading.told.problem = printable(f"cannot be read ({reason_of(error)})")
        self._before += reading.told.on_disk
        reading.see_end()


def read_block(block: bytes, reading: BeingRead, assembler: Assembler) -> Iterator[Tries]:
    """The failures that are complete with this block."""
    number = reading.lines + 1
    reading.add(block)
    assembler.origin = reading.origin()
    worth, at = iter(hits(block)), 0  # the begin of a line, whose number is `number`
    while at < len(block):
        if not assembler.busy:
            hit = next((hit for hit in worth if hit >= at), None)
            if hit is None:
                return
            begin = block.rfind(b"\n", at, hit) + 1 or at
            number += ends(block[at:begin])
            at = begin
        end = block.find(b"\n", at)
        end = len(block) if end < 0 else end
        if not assembler.busy and not complains(block, at):
            at, number = end + 1, number + 1
            continue
        yield from assembler.feed(number, text_of(block[at:end]))
        at, number = end + 1, number + 1


def text_of(line: bytes) -> str:
    """A line without its end: UTF-8, or else Windows' own alphabet of western Europe."""
    line = line.rstrip(b"\r\n")
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")
