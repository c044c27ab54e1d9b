"""``tlsinspect log``: what it takes, what it writes, and how it ends."""

import gzip
import io
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.conftest import ROOT, Outcome, environment, run
from tests.conftest import command as command_line
from tests.loggen import FIDDLER, GOOGLE, Incident, at, log
from tests.test_log_summary import harmless
from tlsinspect import read_log
from tlsinspect.cli import log as command
from tlsinspect.errors import UsageError
from tlsinspect.model import LogKind
from tlsinspect.report.as_json import schema

HERE = ("127.0.0.1", 8888, "ACME-LAPTOP-7")
INTERCEPTED = Incident(at(10), flags=0x9, certificate=FIDDLER, went_to=HERE)
LATER = Incident(at(7200), flags=0x9, certificate=FIDDLER, went_to=HERE)
TIMEOUT = Incident(at(30), code=12002)
CLOCK = Incident(
    at(5 * 365 * 86400), kind=LogKind.AUTHORISATION, flags=0x1, certificate=GOOGLE, retry="direct (without proxy)"
)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return written(tmp_path / "Trace-2026.log", INTERCEPTED, TIMEOUT, LATER)


def written(path: Path, *incidents: Incident, product: str = "gwmmo") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(log(incidents, product=product, between=3).text, encoding="utf-8")
    return path


def refused(*words: str) -> str:
    """The one line with which the command refuses."""
    ended = run("log", *words)
    assert (ended.status, ended.out) == (2, ""), ended.out
    assert len(ended.err.splitlines()) == 1
    return ended.err


def validate(data: Any, noun: str) -> None:
    jsonschema.Draft202012Validator({"$defs": schema()["$defs"], "$ref": f"#/$defs/{noun}"}).validate(data)


# -- formats ---------------------------------------------------------------------------------------------------------


def test_the_table(trace: Path) -> None:
    ended = run("log", str(trace))
    assert (ended.status, ended.err) == (1, "")
    for words in ("GWMMO", "3 failures", "intercepted", "Fiddler Classic", "× 2", "127.0.0.1:8888", "unreachable"):
        assert words in ended.out
    assert "\x1b" not in ended.out


def test_json_is_what_the_schema_says(trace: Path) -> None:
    ended = run("log", str(trace), "--format", "json")
    found = json.loads(ended.out)
    validate(found, "LogReport")
    assert (ended.status, found["failures"], found["verdicts"]) == (1, 3, {"intercepted": 2, "unreachable": 1})
    assert found["products"] == {"gwmmo": 3}
    assert [group["count"] for group in found["groups"]] == [2, 1]
    assert found["files"][0]["name"] == str(trace)
    for line in found["commands"]:
        harmless(line)


def test_json_lines_are_files_groups_and_the_run(trace: Path) -> None:
    ended = run("log", str(trace), "--format", "jsonl")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [row["type"] for row in rows] == ["file", "group", "group", "run"]
    for row, noun in zip(rows, ("LogFile", "LogGroup", "LogGroup"), strict=False):
        assert (row.pop("type"), row.pop("schema_version")) in {("file", 1), ("group", 1)}
        validate(row, noun)
    assert {"files", "groups"}.isdisjoint(rows[-1])
    assert rows[-1]["failures"] == 3


def test_the_ticket(trace: Path, tmp_path: Path) -> None:
    ended = run("log", str(trace), "--format", "ticket")
    assert ended.status == 1
    for words in ("no proof", "2 times from", "DO_NOT_TRUST_FiddlerRoot", "--proxy http://127.0.0.1:8888"):
        assert words in ended.out
    clock = written(tmp_path / "auth.log", CLOCK, product="")
    assert "To be done on that machine: Set date" in run("log", str(clock), "--format", "ticket").out


def test_a_log_that_begins_within_a_certificate_is_not_taken_for_an_old_one(tmp_path: Path) -> None:
    lines = log([Incident(at(0), flags=9, certificate=FIDDLER)]).lines
    for begin in ("---Validity--", "Valid from: 2025-09-20T04:08:45.000Z", "*.google.com"):
        path = tmp_path / "cut.log"
        path.write_text("\n".join(lines[lines.index(begin) :]), encoding="utf-8")
        found = json.loads(run("log", str(path), "--format", "json").out)
        assert found["files"][0]["begins_within"]
        codes = {each["code"] for each in found["conclusions"]}
        assert "log-begins-within" in codes
        assert "log-details-missing" not in codes
    whole = tmp_path / "whole.log"
    whole.write_text("\n".join(lines), encoding="utf-8")
    assert not json.loads(run("log", str(whole), "--format", "json").out)["files"][0]["begins_within"]


def test_verbose_has_every_finding(trace: Path) -> None:
    assert "log-flags hint:" in run("log", str(trace), "-v").out
    assert "log-flags" not in run("log", str(trace)).out


@pytest.mark.parametrize("form", ["table", "json", "jsonl", "ticket"])
def test_redacted_in_every_format(trace: Path, form: str) -> None:
    plain = run("log", str(trace), "--format", form, "-v")
    if form != "ticket":
        assert "ACME-LAPTOP-7" in plain.out
    ended = run("log", str(trace), "--format", form, "--redact", "-v")
    assert ended.status == 1
    assert "Fiddler" in ended.out
    for secret in ("ACME", trace.name, str(trace.parent)):
        assert secret not in ended.out


def test_output_goes_to_the_file_and_nowhere_else(trace: Path, tmp_path: Path) -> None:
    target = tmp_path / "said.json"
    ended = run("log", str(trace), "--format", "json", "-o", str(target))
    assert (ended.status, ended.out, ended.err) == (1, "", "")
    validate(json.loads(target.read_text("utf-8")), "LogReport")


def test_own_interceptors_are_named(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[[interceptor]]\nid = "ours"\nproduct = "Our gateway"\nvendor = "us"\nkind = "firewall"\n'
        'certainty = "observed"\nsource = "x"\n[interceptor.issuer_patterns]\nCN = "DO_NOT_TRUST_FiddlerRoot"\n',
        encoding="utf-8",
    )
    trace = written(tmp_path / "a.log", INTERCEPTED)
    assert "Our gateway" in run("log", str(trace), "--interceptors", str(own)).out


# -- time ------------------------------------------------------------------------------------------------------------


def failures(ended: Outcome) -> int:
    found: int = json.loads(ended.out)["failures"]
    return found


@pytest.mark.parametrize(
    ("words", "count", "status"),
    [
        (["--since", "2026-03-02T09:00:20Z"], 2, 1),
        (["--since", "2026-03-02T09:00:20"], 2, 1),  # without a zone it is UTC
        (["--since", "2026-03-02T06:00:20-03:00"], 2, 1),
        (["--until", "2026-03-02T09:00:20Z"], 1, 1),
        (["--since", "2026-03-02"], 3, 1),
        (["--until", "2026-03-02"], 0, 3),  # its midnight, of which the log does not tell
        (["--since", "2026-03-02T09:00:20Z", "--until", "2026-03-02T10:00Z"], 1, 3),
        (["--since", "2026-03-02T09:30Z", "--until", "2026-03-02T09:40Z"], 0, 0),
    ],
)
def test_only_the_time_that_was_asked_for(trace: Path, words: list[str], count: int, status: int) -> None:
    ended = run("log", str(trace), "--format", "json", *words)
    assert failures(ended) == count
    assert ended.status == status
    assert json.loads(ended.out)["files"][0]["failures"] == 3


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "9999-12-31T23:59:59-14:00", "1", "x\x1b[2J"])
def test_what_is_no_time(trace: Path, option: str, text: str) -> None:
    said = refused(str(trace), option, text)
    assert option in said
    assert "\x1b" not in said


def test_a_period_that_ends_before_it_begins(trace: Path) -> None:
    assert "--since is later" in refused(str(trace), "--since", "2026-03-03", "--until", "2026-03-02")


def test_help_says_how_times_are_read() -> None:
    assert "Without a zone they are UTC" in run("log", "--help").out


# -- how it ends -----------------------------------------------------------------------------------------------------


def test_exit_status(tmp_path: Path) -> None:
    quiet = tmp_path / "quiet.log"
    quiet.write_text(log([], product="gwmmo").text + log([CLOCK], between=40).lines[0] + "\n", encoding="utf-8")
    assert run("log", str(quiet)).status == 0
    assert run("log", str(written(tmp_path / "t.log", TIMEOUT))).status == 3
    assert run("log", str(written(tmp_path / "c.log", CLOCK, product=""))).status == 1
    notes = tmp_path / "notes.txt"
    notes.write_text("nothing of a log\n", encoding="utf-8")
    ended = run("log", str(notes))
    assert ended.status == 3
    assert "No line of a sync tool" in ended.out


def test_no_log_is_written_over(trace: Path) -> None:
    before = trace.read_bytes()
    assert "written over" in refused(str(trace), "-o", str(trace))
    link = trace.parent / "link.log"
    os.link(trace, link)
    assert "written over" in refused(str(trace), "-o", str(link))
    assert trace.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "."], "cannot be written"),
        (["--format", "xml"], "xml"),
        (["--trust", "missing.pem"], "missing.pem"),
        (["--interceptors", "missing.toml"], "missing.toml"),
        (["--colour"], "--colour"),
    ],
)
def test_bad_input_is_refused_in_one_line(trace: Path, words: list[str], said: str) -> None:
    assert said in refused(str(trace), *words)


# -- files, folders, patterns, standard input ------------------------------------------------------------------------


def test_folders_patterns_and_standard_input(trace: Path, tmp_path: Path) -> None:
    written(tmp_path / "Identity" / "auth.log", CLOCK, product="")
    for words, count in (
        ([str(tmp_path)], 4),
        ([str(tmp_path / "Trace-*.log")], 3),
        ([str(trace), str(trace)], 3),  # each file once
        ([str(trace), str(tmp_path / "Identity")], 4),
    ):
        assert failures(run("log", *words, "--format", "json")) == count
    ended = run("log", "-", "--format", "json", given=trace.read_bytes())
    assert failures(ended) == 3
    assert json.loads(ended.out)["files"][0]["name"] == "-"


def test_what_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    for name in ("missing.log", "*.log", "x" * 5000, "a\x1b[2J.log", "-x-"):
        assert "\x1b" not in refused(str(tmp_path / name))


def test_one_file_that_cannot_be_read_costs_no_other(trace: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.log.gz"
    broken.write_bytes(gzip.compress(trace.read_bytes())[:-20])
    ended = run("log", str(broken), str(trace))
    assert ended.status == 1
    folded = "".join(ended.out.split())  # where a table folds a name is its own business
    assert "broken.log.gzendstooearly(gzip)" in folded
    assert "1 of 2 files could not be read" in " ".join(ended.out.split())


@pytest.mark.skipif(os.name == "nt", reason="needs a pipe with a name")
@pytest.mark.parametrize("form", ["table", "json", "jsonl", "ticket"])
def test_an_interrupt_keeps_what_was_found(tmp_path: Path, form: str) -> None:
    pipe = tmp_path / "Trace.log"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        command_line("log", str(pipe), "--format", form),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    text = log([INTERCEPTED], product="gwmmo").text + log([CLOCK], between=8000).text
    with process, pipe.open("wb") as writer:
        writer.write(text.encode() * 2)  # a pipe holds 64 kB: once all is written, most of it was read
        writer.flush()
        time.sleep(0.5)  # for it to wait for more: a signal between two reads is seen by Python only after the second
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    assert b"Fiddler" in out
    if form == "json":
        found = json.loads(out)
        validate(found, "LogReport")
        assert found["interrupted"]


# -- without a name --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has these folders")
def test_elsewhere_it_is_said_where_the_logs_lie() -> None:
    said = refused()
    assert "name the logs" in said
    assert r"Google\Google Apps Sync\Tracing" in said
    assert r"Google\Identity" in said


def test_on_windows_the_tools_own_folders_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As far as another system can show it: the folders that are there are taken."""
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setattr(command, "folders", lambda _environment: (str(there), str(tmp_path / "missing")))
    assert command._own_folders() == [str(there)]
    there.rmdir()
    with pytest.raises(UsageError, match="no logs of a sync tool are here"):
        command._own_folders()


def test_nothing_that_is_read_is_written_over(trace: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("schema_version = 1\n", encoding="utf-8")
    roots = ROOT / "testcerts" / "google-like-root.pem"
    before = trace.read_bytes()
    with trace.open("rb") as given:
        ended = subprocess.run(
            command_line("log", "-", "-o", str(trace)), stdin=given, capture_output=True, env=environment(), check=False
        )
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert trace.read_bytes() == before
    for option, path in (("--interceptors", own), ("--trust", roots)):
        content = path.read_bytes()
        assert "would be written over" in refused(str(trace), option, str(path), "-o", str(path))
        assert path.read_bytes() == content


@pytest.mark.parametrize("columns", ["0", "1"])
def test_a_terminal_that_does_not_know_its_width_gets_the_answer(tmp_path: Path, columns: str) -> None:
    path = tmp_path / "Trace.log"
    path.write_text(log([Incident(at(0), flags=0x9, certificate=FIDDLER)]).text, encoding="utf-8")
    argv = [*command_line(), "log", str(path)]
    ran = subprocess.run(argv, capture_output=True, text=True, env={**environment(), "COLUMNS": columns}, check=False)
    assert "Fiddler" in ran.stdout


@pytest.mark.parametrize("source", [io.StringIO("x"), b"x", ["x"], None, 7])
def test_what_is_no_log_is_said(source: Any) -> None:
    with pytest.raises(UsageError, match="open binary file"):
        read_log(source)


def test_a_window_that_is_none_is_said() -> None:
    with pytest.raises(UsageError, match="after until"):
        read_log(io.BytesIO(), since=at(1), until=at(0))
