"""Reading certificates from files and folders that somebody else wrote: bounded, and never an error.

What cannot be read is said in words; what could be read until then counts.
"""

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tlsinspect.certificate import Certificate, UnreadableError
from tlsinspect.errors import UsageError
from tlsinspect.files import read_bytes, reason_of
from tlsinspect.text import counted
from tlsinspect.trust import certificates_in

MOST_CERTIFICATES = 5_000  # in one store; the fullest of today hold about 500
MOST_FILES = 5_000  # read together
MOST_BYTES = 32 * 1024 * 1024
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")  # what OpenSSL looks for in a folder


@dataclass(frozen=True)
class Held:
    """What a store holds, as far as it could be read."""

    certificates: tuple[Certificate, ...] = ()
    problem: str = ""
    place: str = ""


def read_file(name: str) -> Held:
    """A PEM bundle."""
    try:
        content = _content(name)
    except UsageError as error:
        return Held(problem=str(error), place=name)
    held = from_pem(content)
    empty = not held.certificates and not held.problem
    return Held(held.certificates, "holds no certificate" if empty else held.problem, name)


def from_pem(content: bytes) -> Held:
    """Every certificate in `content`, until the first that is broken."""
    found: dict[bytes, None] = {}
    try:
        for der in certificates_in(content):
            if len(found) >= MOST_CERTIFICATES:
                return _read(found, f"holds more than {MOST_CERTIFICATES} certificates; the others were not read")
            found[der] = None
    except ValueError:
        return _read(found, "broken PEM")
    return _read(found)


def from_der(ders: Iterable[bytes]) -> Held:
    return _read(dict.fromkeys(ders))


def _read(ders: Iterable[bytes], problem: str = "") -> Held:
    found, unreadable = [], 0
    for der in ders:
        try:
            found.append(_certificate(der))
        except UnreadableError:
            unreadable += 1
    if unreadable and not problem:
        problem = f"holds {counted(unreadable, 'certificate')} that nobody can read"
    return Held(tuple(found), problem)


_certificate = lru_cache(maxsize=4096)(Certificate)  # the same roots stand in every store


def _content(name: str) -> bytes:
    """The bytes of a regular file: a pipe or a device might never end. Raises UsageError without the name."""
    try:
        mode = Path(name).stat().st_mode
    except (OSError, ValueError) as error:
        raise UsageError(reason_of(error)) from None
    if not stat.S_ISREG(mode):
        raise UsageError("a folder, where a file is expected" if stat.S_ISDIR(mode) else "not a file")
    try:
        return read_bytes(Path(name))
    except UsageError as error:
        raise UsageError(str(error).removeprefix(f"{Path(name)}: ")) from None


@dataclass
class _Files:
    """What was read of many files so far."""

    pem: dict[bytes, None] = field(default_factory=dict)
    count: int = 0
    size: int = 0
    problem: str = ""

    def read(self, names: Iterable[str]) -> None:
        """Read them too, as far as there may be so many."""
        for name in names:
            if not self._read(name):
                break

    def _read(self, name: str) -> bool:
        """Read one more; False where that would be too many."""
        self.count += 1
        if self.count > MOST_FILES or self.size > MOST_BYTES:
            self.problem = "holds too many files; the others were not read"
            return False
        try:
            content = _content(name)
        except UsageError as error:
            self.problem = self.problem or f"{Path(name).name}: {error}"
            return True
        self.size += len(content)
        self.pem[content] = None
        return True

    def held(self) -> Held:
        found = from_pem(b"\n".join(self.pem))
        return Held(found.certificates, self.problem or found.problem)


def read_files(names: Iterable[str]) -> Held:
    """Several PEM files together."""
    files = _Files()
    files.read(names)
    return files.held()


def read_folders(names: str) -> Held:
    """Folders, as many as the variable's separator divides, in which files are named by the hash of their subject."""
    files = _Files()
    for name in filter(None, names.split(os.pathsep)):
        try:
            with os.scandir(name) as entries:
                files.read(entry.path for entry in entries if _HASHED.fullmatch(entry.name))
        except (OSError, ValueError) as error:
            files.problem = files.problem or reason_of(error)
    held = files.held()
    problem = held.problem
    if not held.certificates and not problem:
        problem = "holds no certificate under a hashed name, as c_rehash makes them"
    return Held(held.certificates, problem, names)
