"""Objects kept between runs: by several processes at once, in folders that are not as they should be, and bounded."""

import json
import mmap
import multiprocessing
import os
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import tlsinspect.cache
from tests.conftest import run
from tlsinspect.cache import IN_MEMORY, Cache

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
URL = "http://c.pki.goog/wr2/x.crl"
KEY = ("trust", "issuer key", URL)
posix = pytest.mark.skipif(os.name == "nt", reason="Windows keeps permissions in the profile")
unprivileged = pytest.mark.skipif(
    os.name == "nt" or os.getuid() == 0, reason="nothing is forbidden to root, and Windows has other rights"
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "tlsinspect" / "objects")


def keep(
    cache: Cache, body: bytes, key: tuple[str, str, str] = KEY, *, made: datetime = NOW, until: datetime = NOW + DAY
) -> None:
    cache.put(*key, body, kind="crl", this_update=made, until=until, issuer="WR2")


def seems_empty(cache: Cache) -> bool:
    return not cache.get(*KEY) and not cache.entries()


def objects(cache: Cache) -> list[Path]:
    return sorted(path for path in cache.folder.iterdir() if path.suffix == ".crl")


# -- keeping ---------------------------------------------------------------------------------------------------------


def test_what_is_kept_comes_back(cache: Cache) -> None:
    assert cache.get(*KEY) == []
    assert not cache.folder.exists(), "looking makes nothing"
    keep(cache, b"body")
    assert cache.get(*KEY) == [b"body"]
    assert Cache(cache.folder).get(*KEY) == [b"body"]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_every_part_of_the_key_counts(cache: Cache, at: int) -> None:
    keep(cache, b"body")
    other = [*KEY]
    other[at] += "x"
    assert cache.get(*other) == []
    assert cache.get("trustissuer key", "", URL) == []


def test_a_large_object_is_a_map(cache: Cache) -> None:
    large = os.urandom(IN_MEMORY + 1)
    keep(cache, large)
    (body,) = cache.get(*KEY)
    assert isinstance(body, mmap.mmap)
    assert body[:] == large
    with pytest.raises(TypeError):
        body[0] = 0
    cache.put(*KEY, body, kind="crl", this_update=NOW + DAY, until=NOW + DAY, issuer="")  # what fetching gives
    assert [again[:] for again in cache.get(*KEY)] == [large]


def test_a_newer_object_replaces_an_older(cache: Cache) -> None:
    keep(cache, b"old")
    keep(cache, b"new", made=NOW + DAY)
    assert cache.get(*KEY) == [b"new"]
    assert len(list(cache.folder.iterdir())) == 2, "the object and its sidecar"


def test_an_older_object_never_replaces_a_newer(cache: Cache) -> None:
    keep(cache, b"new")
    keep(cache, b"old", made=NOW - DAY)
    assert cache.get(*KEY) == [b"new", b"old"]
    keep(cache, b"newest", made=NOW + timedelta(seconds=1))
    assert cache.get(*KEY) == [b"newest"]


def test_the_same_moment_takes_the_last(cache: Cache) -> None:
    keep(cache, b"first")
    keep(cache, b"second")
    assert cache.get(*KEY) == [b"second"]


@pytest.mark.parametrize("url", ["../../../etc/passwd", "http://x/" + "a" * 100_000, "\0\n\x1b[31m", "\udcff", "/", ""])
def test_no_part_of_a_url_gets_into_a_name(cache: Cache, url: str) -> None:
    keep(cache, b"body", ("trust", "key", url))
    assert cache.get("trust", "key", url) == [b"body"]
    (made,) = objects(cache)
    assert made.parent == cache.folder
    assert len(made.name) == 64 + 1 + 14 + 4


@pytest.mark.parametrize("kind", ["", "../x", "CRL", "a/b", "x" * 20, "json.."])
def test_a_kind_that_is_no_kind_is_not_kept(cache: Cache, kind: str) -> None:
    cache.put(*KEY, b"body", kind=kind, this_update=NOW, until=NOW, issuer="")
    assert cache.entries() == []


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_dates_at_the_ends_of_time(cache: Cache, moment: datetime) -> None:
    keep(cache, b"body", made=moment)
    keep(cache, b"body", until=moment)
    assert all(body == b"body" for body in cache.get(*KEY))
    cache.entries()


# -- several processes -----------------------------------------------------------------------------------------------


def _writer(folder: str, ready: Any, first: int, rounds: int) -> None:
    """Writes newer and older objects in turn; the number of each is its body and its date."""
    cache = Cache(Path(folder))
    ready.wait()
    for at in range(rounds):
        number = first + (at if at % 3 else rounds - at)
        keep(cache, b"%d" % number, made=NOW + timedelta(seconds=number))


def test_processes_that_write_at_once_never_leave_an_older_object_on_top(cache: Cache) -> None:
    several = multiprocessing.get_context("spawn")
    ready = several.Barrier(2)
    writers = [
        several.Process(target=_writer, args=(str(cache.folder), ready, first, 50), daemon=True) for first in (0, 3)
    ]
    for writer in writers:
        writer.start()
    seen, reader = 0, Cache(cache.folder)
    while any(writer.is_alive() for writer in writers):
        newest = int(bytes((reader.get(*KEY) or [b"0"])[0]))
        assert newest >= seen
        seen = newest
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert cache.get(*KEY)[0] == b"53"
    assert not list(cache.folder.glob(".new-*"))


# -- what is not ours ------------------------------------------------------------------------------------------------


@posix
def test_folder_and_files_are_for_this_user_alone(cache: Cache) -> None:
    before = os.umask(0)
    try:
        keep(cache, b"body")
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in cache.folder.iterdir()} == {0o600}


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_others_may_write_is_not_read(cache: Cache, mode: int) -> None:
    keep(cache, b"body")
    objects(cache)[0].chmod(mode)
    assert cache.get(*KEY) == []


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_folder_others_may_write_is_not_used(cache: Cache, mode: int) -> None:
    keep(cache, b"body")
    cache.folder.chmod(mode)
    assert seems_empty(cache)
    assert not cache.usable
    assert str(cache.folder) in cache.reason
    keep(cache, b"newer", made=NOW + DAY)
    assert (len(objects(cache)), cache.clear()) == (1, 0)


@posix
def test_a_folder_of_somebody_else_is_not_used(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(cache, b"body")
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    assert cache.get(*KEY) == []
    assert not cache.usable


@posix
def test_a_link_is_not_followed(cache: Cache, tmp_path: Path) -> None:
    keep(cache, b"body")
    (made,) = objects(cache)
    secret = tmp_path / "secret"
    made.rename(secret)
    made.symlink_to(secret)
    assert cache.get(*KEY) == []
    keep(cache, b"again")
    assert (cache.get(*KEY), secret.read_bytes()) == ([b"again"], b"body")
    assert not made.is_symlink()


@posix
def test_a_folder_that_is_a_link_is_not_used(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    cache.folder.parent.mkdir()
    cache.folder.symlink_to(tmp_path / "real")
    keep(cache, b"body")
    assert seems_empty(cache)
    assert os.listdir(tmp_path / "real") == []
    assert not cache.usable


@posix
def test_a_pipe_or_folder_in_the_place_of_a_file_is_not_waited_for(cache: Cache) -> None:
    keep(cache, b"body")
    (made,) = objects(cache)
    made.unlink()
    os.mkfifo(made, 0o600)
    assert cache.get(*KEY) == []
    made.unlink()
    made.mkdir()
    assert cache.get(*KEY) == []
    keep(cache, b"body")  # cannot be put there either
    assert cache.clear() == 0


# -- what is broken --------------------------------------------------------------------------------------------------


def test_a_truncated_file_is_what_is_left_of_it(cache: Cache) -> None:
    keep(cache, b"body")
    objects(cache)[0].write_bytes(b"bo")
    assert cache.get(*KEY) == [b"bo"], "whoever asks verifies the signature"
    objects(cache)[0].write_bytes(b"")
    assert cache.get(*KEY) == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"url": 5}', b"\xff", b"[" * 20000, b"x" * 100_000, None]
)
def test_a_broken_sidecar_costs_nothing_but_the_display(cache: Cache, content: bytes | None) -> None:
    keep(cache, b"body")
    (sidecar,) = cache.folder.glob("*.json")
    if content is None:
        sidecar.unlink()
    else:
        sidecar.write_bytes(content)
    assert cache.get(*KEY) == [b"body"]
    (entry,) = cache.entries()
    assert (entry.kind, entry.issuer, entry.this_update, entry.until) == ("crl", "", NOW, NOW + DAY)
    assert cache.clear() == 1
    assert list(cache.folder.iterdir()) == []


def test_files_of_others_are_left_alone(cache: Cache) -> None:
    keep(cache, b"body")
    strange = [cache.folder / name for name in ("notes.txt", "x.json", "a" * 64 + "-1.crl")]
    for path in strange:
        path.write_bytes(b"mine")
    nowhen = cache.folder / ("a" * 64 + "-99999999999999.crl")
    nowhen.write_bytes(b"x")
    assert len(cache.entries()) == 1
    assert cache.clear() == 2
    assert sorted(cache.folder.iterdir()) == sorted(strange)


@unprivileged
def test_a_folder_that_cannot_be_written_keeps_nothing(cache: Cache) -> None:
    keep(cache, b"body")
    cache.folder.chmod(0o500)
    keep(cache, b"newer", made=NOW + DAY)
    assert cache.get(*KEY) == [b"body"]
    assert "cannot be written" in cache.reason
    cache.folder.chmod(0o700)


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "objects").write_bytes(b"")
    for folder in (tmp_path / "objects", tmp_path / "objects" / "below"):
        cache = Cache(folder)
        keep(cache, b"body")
        assert seems_empty(cache)
        assert cache.clear() == 0
        assert not cache.usable


@pytest.mark.parametrize("broken", ["tempfile.mkstemp", "os.replace", "os.utime", "os.scandir", "os.open"])
def test_a_full_or_failing_disk_raises_nothing(cache: Cache, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    keep(cache, b"body")
    with monkeypatch.context() as patched:
        patched.setattr(broken, fails)
        keep(cache, b"newer", made=NOW + DAY)
        cache.get(*KEY)
        cache.entries()
    assert not list(cache.folder.glob(".new-*"))
    assert b"body" in cache.get(*KEY) or b"newer" in cache.get(*KEY)


@pytest.mark.parametrize("folder", ["relative/objects", "~/objects", "/x\0y", "/proc/nothing/objects"])
def test_a_folder_there_cannot_be(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cache = Cache(Path(folder))
    keep(cache, b"body")
    assert seems_empty(cache)
    assert os.listdir(tmp_path) == []
    assert isinstance(cache.reason, str)


@pytest.mark.parametrize("folder", ["objects", "~/.cache/tlsinspect/objects"])
def test_without_a_home_nothing_is_kept(folder: str) -> None:
    """Where no home is known the name of its folder is all there is, and that would be one beside whatever is here."""
    assert Cache(Path(folder)).reason == "there is no home folder"


def test_a_disk_that_is_read_only_is_said(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert cache.reason == f"{cache.folder.parent.parent} cannot be written to"
    assert not cache.usable


def test_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = Cache().folder
    assert folder.name == "objects"
    assert "tlsinspect" in folder.parts
    if os.name == "posix":
        assert Cache(None).folder == folder


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_what_has_long_ended_goes_when_something_comes(cache: Cache) -> None:
    for days in (6, 8):
        keep(cache, b"%d" % days, ("t", "k", str(days)), made=NOW - 20 * DAY, until=NOW - days * DAY)
    cache = Cache(cache.folder)
    keep(cache, b"new", ("t", "k", "new"))  # the first of a run
    assert cache.get("t", "k", "8") == []
    assert cache.get("t", "k", "6") == [b"6"]


def test_the_whole_is_bounded_and_the_oldest_goes_first(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tlsinspect.cache, "MAX_SIZE", 1000)
    for days in range(15):
        keep(cache, bytes(100), ("t", "k", str(days)), made=NOW - days * DAY)
    assert sum(entry.size for entry in cache.entries()) == 1000
    assert cache.get("t", "k", "9")
    assert not cache.get("t", "k", "10")
    keep(cache, bytes(501), ("t", "k", "huge"))
    assert not cache.get("t", "k", "huge")


def test_the_number_is_bounded(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tlsinspect.cache, "MAX_OBJECTS", 3)
    for hours in range(5):
        keep(cache, b"body", ("t", "k", str(hours)), made=NOW + timedelta(hours=hours))
    assert len(cache.entries()) == 3
    assert len(list(cache.folder.iterdir())) == 6


def test_what_a_writer_left_unfinished_goes_in_time(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(cache, b"body")
    unfinished = cache.folder / ".new-abc"
    unfinished.write_bytes(b"x")
    keep(cache, b"newer", made=NOW + DAY)
    assert unfinished.exists(), "somebody may be at work on it"
    later = time.time() + tlsinspect.cache.ABANDONED + 60
    monkeypatch.setattr(time, "time", lambda: later)
    cache = Cache(cache.folder)
    keep(cache, b"newest", made=NOW + 2 * DAY, until=NOW + 2 * DAY)
    assert not unfinished.exists()
    assert cache.get(*KEY) == [b"newest"]


# -- the command -----------------------------------------------------------------------------------------------------


def test_the_command_shows_and_clears(tmp_path: Path) -> None:
    extra = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path), "COLUMNS": "80"}
    folder = tmp_path / "tlsinspect" / "objects"
    if os.name != "posix":
        pytest.skip("XDG is for Unix")
    cache = Cache(folder)
    empty = run("cache", "show", extra=extra)
    assert (empty.status, empty.out, empty.err) == (0, f"0 objects, 0 B, in {folder}\n", "")
    hostile = "http://c.pki.goog/\x1b[31m/[bold]x.crl"
    cache.put("t", "k", hostile, bytes(2000), kind="crl", this_update=NOW, until=NOW + DAY, issuer="WR2 \u202e\n")
    shown = run("cache", "show", extra=extra)
    assert (shown.status, shown.err) == (0, "")
    assert "\x1b" not in shown.out
    assert "\u202e" not in shown.out
    assert f"{NOW + DAY:%Y-%m-%d}" in shown.out
    assert "1 object, 2.0 kB, in" in shown.out
    assert max(map(len, shown.out.splitlines()[:-1])) <= 80
    listed = json.loads(run("cache", "show", "--format", "json", extra=extra).out)
    assert (listed["usable"], listed["objects"][0]["url"]) == (True, hostile)
    assert Path(listed["objects"][0]["path"]).parent == folder
    cleared = run("cache", "clear", extra=extra)
    assert (cleared.status, cleared.out) == (0, f"removed 1 object from {folder}\n")
    assert cache.entries() == []
    assert json.loads(run("cache", "clear", "--format", "json", extra=extra).out)["removed"] == 0


@posix
def test_the_command_says_why_nothing_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "tlsinspect" / "objects"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    shown = run("cache", "show", extra={"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)})
    assert shown.status == 0
    if folder == Cache(folder).folder and "nothing is kept" not in shown.out:
        pytest.skip("the cache is elsewhere on this system")
    assert str(folder) in shown.out
