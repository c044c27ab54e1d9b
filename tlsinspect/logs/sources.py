"""Which files are meant by the names of logs that people give: files, folders, patterns, standard input."""

import glob
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

from tlsinspect.errors import UsageError
from tlsinspect.files import reason_of
from tlsinspect.logs.patterns import fitting

MOST_FILES = 100_000
STDIN = "-"
# What a rotated log is called after its name: Trace.log.1, Trace.log.old, Trace.log.2.gz
_ENDING = r"(?:\.(?P<number>\d{1,6})|\.(?P<old>old|bak))?(?:\.gz)?"
_ROTATED = re.compile(rf"{_ENDING}$", re.IGNORECASE)
# In a folder only what may be a log by its name is read: the tools keep mailboxes beside them.
_LOG = re.compile(rf".*\.(?:log|txt){_ENDING}", re.IGNORECASE | re.DOTALL)
Identity = object  # what tells a file from all others, whatever it is called


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be read."""

    name: str  # as it is shown; - for standard input
    size: int | None = None  # octets on disk, where that is known

    def open(self) -> AbstractContextManager[BinaryIO]:
        """Raises OSError or ValueError. Standard input is not closed."""
        if self.name == STDIN:
            if sys.stdin is None:
                raise OSError("standard input is closed")
            return nullcontext(sys.stdin.buffer)
        return Path(self.name).open("rb")


def find(names: Sequence[str]) -> tuple[Source, ...]:
    """The files that `names` mean, each once, a log's rotated predecessors before it. Raises UsageError."""
    return tuple(identified(names).values())


def identified(names: Sequence[str]) -> dict[Identity, Source]:
    """The same, by what tells each from all others."""
    found: dict[Identity, Source] = {}
    for name in names:
        for source, identity in _meant(name):
            found.setdefault(identity, source)
            if len(found) > MOST_FILES:
                raise UsageError(f"{name}: more than {MOST_FILES:,} files; name fewer")
    return found


def identity(name: str, status: os.stat_result) -> Identity:
    """What stays the same of a file when its name changes; the name where a system does not tell."""
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(name)


def follows(name: str, before: str) -> bool:
    """Whether a file goes on with the log of which another is the end, by their names: none is missing between them."""
    return _unrotated(name) == _unrotated(before) and 0 <= _age(before) - _age(name) <= 1


def rotated(name: str) -> list[str]:
    """What stands beside a log and is called as its predecessors are. Raises OSError."""
    folder, own = os.path.split(name)
    beside = (each for each in os.listdir(folder or os.curdir) if each != own and _unrotated(each) == own)
    return [os.path.join(folder, each) for each in beside]


def _meant(name: str) -> Iterator[tuple[Source, Identity]]:
    """Each file, and what tells it from all others."""
    if name == STDIN:
        yield Source(STDIN), STDIN
        return
    status = _status(name)
    if status is not None:
        yield from _in_folder(name) if S_ISDIR(status.st_mode) else [_source(name, status)]
        return
    if not glob.has_magic(name):
        raise UsageError(f"{name}: there is no such file or folder")
    files = list(_found(_ordered(fitting(name))))
    if not files:
        raise UsageError(f"{name}: no file fits this pattern")
    yield from files


def _in_folder(name: str) -> Iterator[tuple[Source, Identity]]:
    """Its logs, and the folders in it that cannot be looked into: what they hold will be missing, and is to be said."""
    closed: list[str] = []
    found: list[str] = []
    for folder, _, files in os.walk(name, onerror=lambda error: closed.append(str(error.filename))):
        found += (os.path.join(folder, file) for file in files if _LOG.fullmatch(file))
        if len(found) > MOST_FILES:
            raise UsageError(f"{name}: more than {MOST_FILES:,} files; name fewer")
    logs = list(_found(_ordered(found), closed))
    if not logs:
        raise UsageError(f"{name}: holds no log (*.log, *.txt, rotated or packed with gzip)")
    yield from logs


def _found(names: Sequence[str], closed: Sequence[str] = ()) -> Iterator[tuple[Source, Identity]]:
    """The files of these names, and the folders that are `closed`. What is gone in the meantime is left out, and so is
    what is no file; what cannot be looked at stays, and will be said not to be readable."""
    for name in (*names, *closed):
        try:
            status = os.stat(name)
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            yield Source(name), name
            continue
        if S_ISREG(status.st_mode) or name in closed:
            yield _source(name, status)


def _source(name: str, status: os.stat_result) -> tuple[Source, Identity]:
    return Source(name, status.st_size if S_ISREG(status.st_mode) else None), identity(name, status)


def _status(name: str) -> os.stat_result | None:
    try:
        return os.stat(name)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        if glob.has_magic(name):  # which Windows allows in no name
            return None
        raise UsageError(f"{name}: cannot be read ({reason_of(error)})") from None


def _ordered(names: Iterable[str]) -> list[str]:
    """By name, and of a log and its predecessors the oldest first: the highest number, then old, then itself."""

    # Some begin to count at 0, and that is older than the log itself.
    return sorted(names, key=lambda name: (_unrotated(name), -_age(name), _unrotated(name) == name, name))


def _unrotated(name: str) -> str:
    """The same for a log and its predecessors."""
    return _ROTATED.sub("", name)


def _age(name: str) -> int:
    """How many logs were begun since, as far as the name tells."""
    found = _ROTATED.search(name)
    assert found is not None  # there is always an end
    return int(found["number"]) if found["number"] else int(bool(found["old"]))
