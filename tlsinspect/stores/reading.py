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
from tlsinspect.trust import certificates_in

MOST_CERTIFICATES = 5_000  # in one store; the fullest of today hold about 500
MOST_FILES = 5_000  # in a folder
MOST_FOLDER_BYTES = 32 * 1024 * 1024
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
        problem = f"holds {unreadable} certificate{'s' if unreadable > 1 else ''} that nobody can read"
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
class _Folder:
    """What was read of some folders so far."""

    pem: dict[bytes, None] = field(default_factory=dict)
    files: int = 0
    size: int = 0
    problem: str = ""


def read_folders(names: str) -> Held:
    """Folders, as many as the variable's separator divides, in which files are named by the hash of their subject."""
    read = _Folder()
    for name in filter(None, names.split(os.pathsep)):
        _read_folder(name, read)
    held = from_pem(b"\n".join(read.pem))
    problem = read.problem or held.problem
    if not held.certificates and not problem:
        problem = "holds no certificate under a hashed name, as c_rehash makes them"
    return Held(held.certificates, problem, names)


def _read_folder(name: str, read: _Folder) -> None:
    try:
        with os.scandir(name) as entries:
            for entry in entries:
                if not _HASHED.fullmatch(entry.name):
                    continue
                read.files += 1
                if read.files > MOST_FILES or read.size > MOST_FOLDER_BYTES:
                    read.problem = "holds too many files; the others were not read"
                    return
                _add_file(entry.path, read)
    except (OSError, ValueError) as error:
        read.problem = reason_of(error)


def _add_file(name: str, read: _Folder) -> None:
    try:
        content = _content(name)
    except UsageError as error:
        read.problem = read.problem or f"{Path(name).name}: {error}"
        return
    read.size += len(content)
    read.pem[content] = None
