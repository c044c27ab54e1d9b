"""Reading the logs of Google's sync tools: files to be opened, everything else is pure."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from tlsinspect.errors import UsageError
from tlsinspect.evidence.catalogue import with_interceptors
from tlsinspect.judge.logs.assess import assess_log
from tlsinspect.logs.follow import Follower
from tlsinspect.logs.reading import Readable, Reader
from tlsinspect.logs.sources import STDIN, find
from tlsinspect.logs.stories import Tries
from tlsinspect.model import Assessment, LogFile
from tlsinspect.trust import Trust


class Reading:
    """What a reader finds in logs, judged: iterate it once for the assessments."""

    def __init__(
        self, reader: Reader | Follower, trust: Trust, *, since: datetime | None = None, until: datetime | None = None
    ) -> None:
        self._reader = reader
        self._trust = trust
        self._since, self._until = since, until

    @property
    def files(self) -> tuple[LogFile, ...]:
        """What was read until now."""
        return self._reader.files

    def __iter__(self) -> Iterator[Assessment]:
        return self._assessed(iter(self._reader))

    def rest(self) -> Iterator[Assessment]:
        """What was begun when the reading was interrupted."""
        return self._assessed(self._reader.rest())

    def _assessed(self, failures: Iterator[Tries]) -> Iterator[Assessment]:
        return (assess_log(failure, self._trust) for failure in failures if self._is_wanted(failure))

    def _is_wanted(self, failure: Tries) -> bool:
        """Whether one of its tries failed in that time."""
        since, until = self._since, self._until
        return any((since is None or each.time >= since) and (until is None or each.time <= until) for each in failure)


def read_log(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    trust: Trust | None = None,
    interceptors: str | Path | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[Assessment]:
    """The failures that a log of a sync tool tells, one by one, in the order in which they are complete.

    source: a file, a folder, a pattern, ``-`` for standard input, or an open binary file, which is read and not closed.
        Text in UTF-8, UTF-16 or Windows-1252, packed with gzip or not.
    trust: what names are recognised by; None is the data of this release.
    interceptors: a file with interceptors of your own, in the form of trust/interceptors.toml.
    since, until: aware datetimes; failures before or after are left out.

    Every assessment has the basis `text`: it is `likely` at most and never `genuine`, for anybody can write a log. What
    it rests on is in `observations[].logged`. Opens no socket and reads no clock. Raises UsageError where an argument
    makes no sense; what is wrong with the contents of a log is no error, its lines just tell nothing.
    """
    for time in (since, until):
        if time is not None and time.tzinfo is None:
            raise UsageError("since and until must be aware datetimes: 12:00 in which time zone?")
    if since is not None and until is not None and since > until:
        raise UsageError("since is after until: no time lies between them")
    trust = trust or Trust.default()
    if interceptors is not None:
        trust = with_interceptors(trust, interceptors)
    sources: Sequence[Readable]
    if isinstance(source, str | os.PathLike):
        sources = find([os.fspath(source)])
    elif hasattr(source, "read") and not isinstance(source, io.TextIOBase):
        sources = [_Given(source)]
    else:
        raise UsageError(f"source must be a name or an open binary file, not {type(source).__name__}")
    return iter(Reading(Reader(sources), trust, since=since, until=until))


@dataclass(frozen=True)
class _Given:
    """A file that the caller opened and will close."""

    stream: BinaryIO
    name: str = STDIN
    size: int | None = None

    def open(self) -> AbstractContextManager[BinaryIO]:
        return nullcontext(self.stream)
