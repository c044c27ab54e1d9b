"""``tlsinspect log --follow``: failures as they are written, whatever becomes of the file."""

import gzip
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pytest

from tests.conftest import command, environment
from tests.loggen import FIDDLER, GOOGLE, Incident, Written, at, log
from tests.test_log_cli import HERE, refused
from tlsinspect.errors import UsageError
from tlsinspect.logs import follow
from tlsinspect.logs.follow import Follower
from tlsinspect.model import Logged, LogKind


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "LOOK", 0.01)
    monkeypatch.setattr(follow, "LOOK_AROUND", 0.01)


def following(*names: Path) -> Follower:
    return Follower([str(name) for name in names])


def made(number: int, **values: Any) -> Written:
    given = {"flags": 0x9, "certificate": FIDDLER, "went_to": HERE, **values}
    return log([Incident(at(number * 600), **given)], product="gwmmo")


def add(path: Path, text: str | bytes) -> None:
    with path.open("ab") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def with_one_gone(folder: Path) -> tuple[Path, Path, Iterator[tuple[Logged, ...]]]:
    """Two logs that are followed, of which the first was removed when both were read."""
    one, other = folder / "a.log", folder / "b.log"
    add(one, made(0).text)
    add(other, made(1).text)
    failures = iter(following(one, other))
    assert told(failures, 2) == [0, 1]
    one.unlink()
    return one, other, failures


def told(failures: Iterator[tuple[Logged, ...]], count: int = 1) -> list[float]:
    """When the next failures were, in units of ten minutes."""
    return [(each[0].time - at(0)) / timedelta(minutes=10) for each in islice(failures, count)]


def test_what_is_there_comes_first_then_what_is_written(tmp_path: Path) -> None:
    trace = tmp_path / "Trace.log"
    add(trace, made(0).text + made(1).text)
    follower = following(trace)
    failures = iter(follower)
    assert told(failures, 2) == [0, 1]
    text = made(2).text
    add(trace, text[:100])
    add(trace, text[100:])
    assert told(failures) == [2]
    (file,) = follower.files
    assert (file.failures, file.lines, file.product) == (3, trace.read_text().count("\n"), "gwmmo")
    assert (file.octets, file.kinds, file.problem) == (trace.stat().st_size, (LogKind.TRACE,), "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_a_log_that_begins_empty_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    trace = tmp_path / "Trace.log"
    trace.touch()
    failures = iter(following(trace))
    add(trace, made(3).text.encode(encoding))
    assert told(failures) == [3]


def test_new_files_of_a_folder_are_found(tmp_path: Path) -> None:
    add(tmp_path / "Trace-p1.log", made(0).text)
    failures = iter(following(tmp_path))
    assert told(failures) == [0]
    add(tmp_path / "Trace-p2.log", made(1).text)
    assert told(failures) == [1]


def test_a_log_that_is_renamed_goes_on_and_its_successor_is_read(tmp_path: Path) -> None:
    trace, before = tmp_path / "Trace.log", tmp_path / "Trace.log.1"
    first = made(1).text
    add(trace, made(0).text + first[:200])
    failures = iter(following(tmp_path))
    assert told(failures) == [0]
    trace.rename(before)
    add(before, first[200:])
    add(trace, made(2).text)
    assert sorted(told(failures, 2)) == [1, 2]


def test_a_log_that_is_rotated_out_of_its_name_is_read_to_its_end(tmp_path: Path) -> None:
    trace, before = tmp_path / "Trace.log", tmp_path / "Trace.log.1"
    last, other = made(1).text, tmp_path / "Trace.log.2"
    add(other, made(5).text)
    add(trace, made(0).text + last[:200])
    failures = iter(following(trace))
    assert told(failures) == [0]
    add(trace, last[200:])  # after the last look
    trace.rename(before)
    add(trace, made(2).text)
    assert sorted(told(failures, 2)) == [1, 2]


def test_a_log_that_has_become_shorter_is_another(tmp_path: Path) -> None:
    trace = tmp_path / "Trace.log"
    add(trace, made(0).text + made(1).text)
    follower = following(trace)
    failures = iter(follower)
    assert told(failures, 2) == [0, 1]
    trace.write_text(made(2).text, encoding="utf-8")
    assert told(failures) == [2]
    assert [file.failures for file in follower.files] == [2, 1]


def test_a_log_that_is_gone_may_come_again(tmp_path: Path) -> None:
    trace = tmp_path / "Trace.log"
    add(trace, made(0).text)
    failures = iter(following(tmp_path / "T*.log"))
    assert told(failures) == [0]
    trace.unlink()  # systems may give its number to the next file
    add(tmp_path / "Trace-new.log", made(1).text + made(2).text)
    assert told(failures, 2) == [1, 2]


def test_while_one_log_is_gone_the_others_are_not_read_anew(tmp_path: Path) -> None:
    one, other, failures = with_one_gone(tmp_path)
    add(other, made(2).text)
    assert told(failures) == [2]
    add(one, made(3).text)
    add(other, made(4).text)
    assert sorted(told(failures, 2)) == [3, 4]


def test_a_folder_that_cannot_be_looked_into_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is looked for."""
    add(tmp_path / "a.log", made(0).text)
    closed = tmp_path / "closed"
    closed.mkdir()
    walk = os.walk

    def walked(top: str, **options: Any) -> Iterator[Any]:
        options["onerror"](PermissionError(13, "Permission denied", str(closed)))
        return walk(top, **options)

    monkeypatch.setattr("tlsinspect.logs.sources.os.walk", walked)
    follower = following(tmp_path)
    failures = iter(follower)
    assert told(failures) == [0]
    for number in range(1, 4):
        follower._looked = 0
        add(tmp_path / "a.log", made(number).text)
        assert told(failures) == [number]
    assert sorted(Path(file.name).name for file in follower.files) == ["a.log", "closed"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_a_pipe_in_the_place_of_a_log_holds_up_no_other(tmp_path: Path) -> None:
    one, other, failures = with_one_gone(tmp_path)
    os.mkfifo(one)
    for number in (2, 3):
        add(other, made(number).text)
        assert told(failures) == [number]
    one.unlink()
    add(one, made(4).text)
    assert told(failures) == [4]


def test_a_log_that_was_emptied_and_grew_beyond_what_was_read_is_another(tmp_path: Path) -> None:
    trace = tmp_path / "Trace.log"
    add(trace, made(0).text)
    failures = iter(following(trace))
    assert told(failures) == [0]
    trace.write_text(made(1).text + made(2).text, encoding="utf-8")  # with the same head
    assert told(failures, 2) == [1, 2]


def test_what_was_begun_in_a_packed_log_is_told_at_an_interrupt(tmp_path: Path) -> None:
    begun = made(0, went_to=None).text
    (tmp_path / "Trace.log.1.gz").write_bytes(gzip.compress((begun + "x\n" * 10).encode()))
    follower = following(tmp_path)
    reader = follower._packed
    for source in reader._sources:
        assert list(reader._file(source)) == []
    assert told(follower.rest()) == [0]


def test_packed_logs_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "Trace.log.1.gz").write_bytes(gzip.compress(made(0).text.encode()))
    add(tmp_path / "Trace.log", made(1).text)
    follower = following(tmp_path)
    assert told(iter(follower), 2) == [0, 1]
    assert sorted(file.failures for file in follower.files) == [1, 1]


def test_a_try_whose_second_never_fails_is_told_when_nothing_more_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "auth.log"
    way = "direct (without proxy)"
    add(trace, log([Incident(at(0), kind=LogKind.AUTHORISATION, flags=0x1, certificate=GOOGLE, retry=way)]).text)
    monkeypatch.setattr(follow, "RETRIED", timedelta(seconds=0.05))
    ((failure,),) = islice(iter(following(trace)), 1)
    assert failure.retry == way


def test_a_failure_without_its_last_line_is_told_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = tmp_path / "Trace.log"
    add(trace, made(0, went_to=None).text)
    monkeypatch.setattr(follow, "SETTLED", timedelta(seconds=0.05))
    assert told(iter(following(trace))) == [0]


def test_logs_that_are_gone_are_forgotten_but_for_what_they_were(tmp_path: Path) -> None:
    add(tmp_path / "a.log", made(0).text)
    follower = following(tmp_path)
    failures = iter(follower)
    assert told(failures) == [0]
    (tmp_path / "a.log").unlink()
    for number in range(1, 4):
        add(tmp_path / f"{number}.log", made(number).text)
        assert told(failures) == [number]
        (tmp_path / f"{number}.log").rename(tmp_path / f"{number}.gone")
    add(tmp_path / "b.log", made(9).text + made(10).text)
    assert told(failures, 2) == [9, 10]
    assert sum(file.failures for file in follower.files) == 6
    assert len(follower._followed) < 6


def test_what_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="standard input"):
        Follower(["-"])
    with pytest.raises(UsageError):
        Follower([str(tmp_path / "missing.log")])


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["json", "ticket"])
def test_other_formats_are_of_a_whole(tmp_path: Path, form: str) -> None:
    add(tmp_path / "Trace.log", made(0).text)
    assert "--follow" in refused(str(tmp_path), "--follow", "--format", form)


def test_a_mistake_empties_no_file(tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    said.write_text("what was said before", encoding="utf-8")
    for words in (["-"], [str(tmp_path / "missing.log")]):
        refused(*words, "--follow", "-o", str(said))
    assert said.read_text(encoding="utf-8") == "what was said before"


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_each_failure_at_once_and_the_summary_at_the_end(tmp_path: Path, form: str) -> None:
    trace = tmp_path / "Trace.log"
    add(trace, made(0).text)
    words = ("log", "--follow", "--format", form, "--redact", str(tmp_path))
    process = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), start_new_session=True
    )
    with process:
        out: IO[bytes] | None = process.stdout
        assert out is not None
        first = out.readline().decode()
        add(trace, made(1).text)
        second = out.readline().decode()
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    for line, hour in ((first, "09:00"), (second, "09:10")):
        if form == "table":
            assert hour in line
            assert "Fiddler" in line
        else:
            row = json.loads(line)
            assert (row["type"], row["verdict"]) == ("assessment", "intercepted")
            assert hour in row["observations"][0]["logged"]["time"]
    said = rest.decode()
    assert HERE[2] not in first + second + said
    if form == "table":
        assert "× 2" in said
        assert "Ended by an interrupt" in said
    else:
        rows = [json.loads(line) for line in said.splitlines()]
        assert [row["type"] for row in rows] == ["file", "group", "run"]
        assert (rows[-1]["failures"], rows[-1]["interrupted"]) == (2, True)


def test_what_is_begun_when_it_is_interrupted_is_not_lost(tmp_path: Path) -> None:
    """A last line without its end, a failure without its last line, and one that waits for a second try."""
    ended, unended, again = tmp_path / "a.log", tmp_path / "b.log", tmp_path / "c.log"
    add(ended, made(0).text)
    add(unended, made(1, went_to=None).text.removesuffix("\n"))
    add(again, made(2, kind=LogKind.AUTHORISATION, retry="direct (without proxy)").text)
    follower = following(tmp_path)
    failures = iter(follower)
    assert told(failures) == [0]
    add(ended, made(3).text)
    assert told(failures) == [3]  # everything was looked at
    assert sorted(map(round, told(follower.rest(), 9))) == [1, 2]
    assert sum(file.failures for file in follower.files) == 4
    assert sum(file.lines for file in follower.files) == sum(
        path.read_text(encoding="utf-8").rstrip("\n").count("\n") + 1 for path in (ended, unended, again)
    )


def test_a_log_that_goes_takes_its_last_line_along(tmp_path: Path) -> None:
    going, staying = tmp_path / "a.log", tmp_path / "b.log"
    add(going, made(0, went_to=None).text.removesuffix("\n"))
    add(staying, made(1).text)
    failures = iter(following(tmp_path))
    assert told(failures) == [1]
    going.unlink()
    assert told(failures) == [0]


def test_a_rotated_log_in_a_folder_is_read_once(tmp_path: Path) -> None:
    """Its new name is known before the old one is missed."""
    trace = tmp_path / "a.log"
    add(trace, "".join(made(n).text for n in range(5)))
    follower = following(tmp_path)
    failures = iter(follower)
    assert told(failures, 5) == [0, 1, 2, 3, 4]
    trace.rename(tmp_path / "a.log.1")
    add(trace, made(5).text)
    add(tmp_path / "b.log", made(6).text)
    assert sorted(told(failures, 2)) == [5, 6]
    add(tmp_path / "b.log", made(7).text)
    assert told(failures) == [7]
    assert sum(file.failures for file in follower.files) == 8
    assert len(follower.files) == 3


def test_a_log_that_is_copied_and_emptied_is_read_once(tmp_path: Path) -> None:
    trace, copy = tmp_path / "Trace.log", tmp_path / "Trace.log.1"
    add(trace, made(0).text + made(1).text)
    failures = iter(following(tmp_path))
    assert told(failures, 2) == [0, 1]
    copy.write_bytes(trace.read_bytes())
    trace.write_text(made(2).text, encoding="utf-8")
    add(tmp_path / "other.log", made(3).text)  # by when it is found, the copy is too
    assert sorted(told(failures, 2)) == [2, 3]
    add(copy, made(4).text)
    assert told(failures) == [4]
