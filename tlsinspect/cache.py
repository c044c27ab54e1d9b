"""Revocation objects kept on disk between runs, under what they were verified with: the trust set, the issuer's key and
the URL.

Nothing read from here is believed: whoever asks verifies the signature again. So a cache that is lost, broken or in the
way costs a fetch and never an answer, and every trouble with it is silent but for `reason`.

Several processes may write at once, without locks: an object's own date stands in its file's name, and readers take the
newest. A file's time is when its object ends, so that the ended ones are found without opening any.
"""

import json
import mmap
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from tlsinspect.der import Buffer

MAX_SIZE = 256 * 1024 * 1024  # of all objects together
MAX_OBJECTS = 2000
IN_MEMORY = 1024 * 1024  # what is longer is mapped
KEPT_AFTER_END = timedelta(days=7)  # a CRL that names a serial says so for longer than it is fresh
MAX_SIDECAR = 16 * 1024
ABANDONED = 3600  # seconds after which an unfinished file is nobody's any more

_NAME = re.compile(r"(?P<key>[0-9a-f]{64})-(?P<stamp>[0-9]{14})\.(?P<kind>[a-z]{2,8})")
_STAMP = "%Y%m%d%H%M%S"
_UNFINISHED = ".new-"
_SIDECAR = ".json"
_FLAGS = (  # a link is not followed, and a pipe in the place of a file is not waited for
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class Entry:
    """One object, for people: `url` and `issuer` are empty where what was noted of it is lost."""

    url: str
    kind: str  # crl, ocsp or issuer
    issuer: str
    this_update: datetime
    until: datetime
    size: int
    path: Path


@dataclass(frozen=True)
class _File:
    """An object as the folder shows it."""

    path: Path
    key: str
    stamp: str
    kind: str
    size: int
    until: float


class Cache:
    """The objects in one folder; None is the user's own cache folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = _users_folder() if folder is None else folder
        self._known: dict[str, list[_File]] | None = None  # by key, since the folder was first read for `get`
        self._unpruned: int | None = None  # how much was put since the folder was last pruned; None: it never was

    @property
    def usable(self) -> bool:
        return not self.reason

    @property
    def reason(self) -> str:
        """Why nothing is kept, for people; empty where all is well."""
        try:
            if not self.folder.is_absolute():
                return "there is no home folder"
            made = _nearest(self.folder)
            if made == self.folder and not _is_ours(made.lstat(), stat.S_ISDIR):
                return f"{made} is no folder of this user alone"
            return "" if os.access(made, os.W_OK | os.X_OK) else f"{made} cannot be written to"
        except (OSError, ValueError) as error:
            return f"{self.folder} cannot be used ({error})"

    def get(self, trust_id: str, issuer_key: str, url: str) -> list[Buffer]:
        """What is kept for this key, newest first: usually one object, or none. The folder is read once, and again
        where another process has replaced what was there."""
        key = _key(trust_id, issuer_key, url)
        bodies: list[Buffer | None] = []
        for _ in range(3):
            bodies = self._bodies(key)
            if None not in bodies:
                break
            self._known = None
        return [body for body in bodies if body is not None]

    def _bodies(self, key: str) -> list[Buffer | None]:
        mine = sorted(self._by_key().get(key, ()), key=lambda f: f.stamp, reverse=True)
        return [_read(file.path, MAX_SIZE) for file in mine]

    def _by_key(self) -> dict[str, list[_File]]:
        if not self._is_safe():
            return {}
        if self._known is None:
            self._known = {}
            for file in self._files():
                self._known.setdefault(file.key, []).append(file)
        return self._known

    def put(
        self,
        trust_id: str,
        issuer_key: str,
        url: str,
        body: Buffer,
        *,
        kind: str,
        this_update: datetime,
        until: datetime,
        issuer: str,
    ) -> None:
        """Keep an object whose signature is proven. `until` is when it should be asked for again."""
        key, noted = _key(trust_id, issuer_key, url), {"url": url, "issuer": issuer}
        with suppress(OSError, ValueError, OverflowError):
            name = f"{key}-{this_update.astimezone(UTC).strftime(_STAMP)}.{kind}"
            if not _NAME.fullmatch(name) or not 0 < len(body) <= MAX_SIZE // 2 or not self.folder.is_absolute():
                return
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_safe():
                return
            # The sidecar first: an object is never seen without what is noted of it.
            _write(self.folder / (name + _SIDECAR), json.dumps(noted).encode(), until)
            _write(self.folder / name, body, until)
            stamp = name.removeprefix(f"{key}-").partition(".")[0]
            self._replace(_File(self.folder / name, key, stamp, kind, len(body), until.timestamp()))
            self._prune_in_time(len(body))

    def entries(self) -> list[Entry]:
        """Everything that is kept."""
        found = []
        for file in self._files():
            with suppress(ValueError, OverflowError, OSError):  # dates that are none: nothing of ours
                found.append(_entry(file))
        return sorted(found, key=lambda e: (e.kind, e.issuer, e.url, e.this_update))

    def clear(self) -> int:
        """Remove everything; returns how many objects that were."""
        files = self._files()
        gone = sum(_remove(file.path) for file in files)
        self._known = None
        for path in self._leftovers(set()):
            _remove(path)
        return gone

    # -- the folder --------------------------------------------------------------------------------------------------

    def _is_safe(self) -> bool:
        """Whether the folder is this user's, and nobody else may put anything into it."""
        with suppress(OSError, ValueError):
            return self.folder.is_absolute() and _is_ours(self.folder.lstat(), stat.S_ISDIR)
        return False

    def _files(self) -> list[_File]:
        """The objects in the folder."""
        found: list[_File] = []
        if not self._is_safe():
            return found
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                name = _NAME.fullmatch(entry.name)
                if name is None:
                    continue
                with suppress(OSError):  # another process removed it
                    seen = entry.stat(follow_symlinks=False)
                    path, size, until = Path(entry.path), seen.st_size, seen.st_mtime
                    found.append(_File(path, name["key"], name["stamp"], name["kind"], size, until))
        return found

    def _leftovers(self, objects: set[str]) -> Iterator[Path]:
        """Sidecars of no object among `objects`, and what writers left unfinished, of whom none can be at work."""
        if not self._is_safe():
            return
        with suppress(OSError):
            for name in os.listdir(self.folder):
                sidecar = name.removesuffix(_SIDECAR)
                lonely = sidecar != name and _NAME.fullmatch(sidecar) and sidecar not in objects
                if lonely or name.startswith(_UNFINISHED):
                    yield self.folder / name

    def _replace(self, written: _File) -> None:
        """Remove what an object just written replaces: an older one of the same key."""
        same = [file for file in self._by_key().get(written.key, ()) if file.path != written.path]
        for file in same:
            if file.stamp < written.stamp:
                _remove(file.path)
                _remove(_sidecar(file.path))
        self._by_key()[written.key] = [written, *(file for file in same if file.stamp >= written.stamp)]

    def _prune_in_time(self, added: int) -> None:
        """Prune at the first object, and when an eighth of what is allowed was put since: it reads the whole folder."""
        self._unpruned = MAX_SIZE if self._unpruned is None else self._unpruned + added
        if self._unpruned > MAX_SIZE // 8 or len(self._by_key()) > MAX_OBJECTS * 9 // 8:
            self._unpruned, self._known = 0, None
            self._prune()

    def _prune(self) -> None:
        """Remove what has long ended, what is older than another of its key, and the oldest where all is too much."""
        now, size = time.time(), 0
        files = sorted(self._files(), key=lambda f: f.stamp, reverse=True)
        newest = {file.key: file.stamp for file in reversed(files)}
        kept: set[str] = set()
        for file in files:
            ended = file.until + KEPT_AFTER_END.total_seconds() < now
            replaced = file.stamp < newest[file.key]
            if replaced or ended or size + file.size > MAX_SIZE or len(kept) == MAX_OBJECTS:
                _remove(file.path)
                _remove(_sidecar(file.path))
            else:
                size += file.size
                kept.add(file.path.name)
        for path in self._leftovers({file.path.name for file in files}):
            with suppress(OSError):
                if now - path.lstat().st_ctime > ABANDONED:
                    _remove(path)


def _users_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("tlsinspect", appauthor=False) / "objects"


def _nearest(path: Path) -> Path:
    """The path itself, or the nearest above it that exists."""
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), path)


def _key(*parts: str) -> str:
    """No part of a name comes from a URL: this is a hash of everything."""
    return sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + _SIDECAR)


# -- files -----------------------------------------------------------------------------------------------------------


def _is_ours(seen: os.stat_result, is_kind: Any) -> bool:
    """Whether it is what it should be, this user's, and written by nobody else. Windows keeps that in the profile."""
    if not is_kind(seen.st_mode):
        return False
    return os.name == "nt" or (seen.st_uid == os.getuid() and not seen.st_mode & _OTHERS_MAY_WRITE)


def _read(path: Path, limit: int) -> Buffer | None:
    """A file of ours; None where there is none that may be read."""
    try:
        if os.name == "nt" and path.is_symlink():
            return None
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            seen = os.fstat(file.fileno())
            if not _is_ours(seen, stat.S_ISREG) or not 0 < seen.st_size <= limit:
                return None
            if seen.st_size > IN_MEMORY:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            return file.read(limit)
    except (OSError, ValueError):
        return None


def _write(path: Path, content: Buffer, until: datetime) -> None:
    """Write a file that is there whole or not at all."""
    import tempfile

    handle, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)  # for this user alone
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.utime(name, (until.timestamp(), until.timestamp()))
        os.replace(name, path)
    except BaseException:
        _remove(Path(name))
        raise


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _entry(file: _File) -> Entry:
    noted: Any = None
    with suppress(ValueError, RecursionError):
        noted = json.loads(bytes(_read(_sidecar(file.path), MAX_SIDECAR) or b""))
    words = noted if isinstance(noted, dict) else {}
    return Entry(
        url=str(words.get("url", "")),
        kind=file.kind,
        issuer=str(words.get("issuer", "")),
        this_update=datetime.strptime(file.stamp, _STAMP).replace(tzinfo=UTC),
        until=datetime.fromtimestamp(int(file.until), UTC),
        size=file.size,
        path=file.path,
    )
