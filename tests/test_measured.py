"""Every report says that it was measured as this process; what was not measured says that it was recorded."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.conftest import Outcome, options, resolve, run
from tests.faults import Running, tls_server
from tlsinspect.lab.pki import GoogleLike, plain_corporate
from tlsinspect.model import NOTE

HOST, SILENT = "www.googleapis.com", "mail.google.com"


@pytest.fixture(scope="module")
def interceptor(now: datetime) -> Iterator[Running]:
    with tls_server(plain_corporate(now).issue([HOST])) as server:
        yield server


def look(server: Running, command: str, *more: str) -> Outcome:
    """The command about a host behind `server`. The table is wide enough for a sentence on one line."""
    where = options(resolve({HOST: server}))
    return run(command, HOST, "--proxy", "none", *where, *more, extra={"COLUMNS": "200"})


def test_the_sentence_is_about_this_process() -> None:
    assert "as this process" in NOTE
    assert "other programs" in NOTE


@pytest.mark.parametrize("verbose", [(), ("-v",)])
def test_a_table_holds_it(interceptor: Running, verbose: tuple[str, ...]) -> None:
    outcome = look(interceptor, "scan", *verbose)
    assert outcome.status == 1
    assert f"\n{NOTE}\n" in outcome.out


def test_a_report_in_json_holds_it(interceptor: Running) -> None:
    assert json.loads(look(interceptor, "scan", "--format", "json").out)["note"] == NOTE


def test_the_line_about_the_run_holds_it(interceptor: Running) -> None:
    lines = [json.loads(line) for line in look(interceptor, "scan", "--format", "jsonl").out.splitlines()]
    assert [line["type"] for line in lines] == ["assessment", "run"]
    assert lines[-1]["note"] == NOTE


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_run_that_reached_nobody_says_so_too(form: str) -> None:
    outcome = run("scan", SILENT, "--format", form, extra={"COLUMNS": "200"})
    assert outcome.status == 3
    assert NOTE in outcome.out


@pytest.mark.parametrize("long", [(), ("--long",)])
def test_a_host_inspected_was_measured(interceptor: Running, long: tuple[str, ...]) -> None:
    assert look(interceptor, "inspect", *long).out.rstrip().endswith(NOTE)


@pytest.fixture
def chain(google: GoogleLike, tmp_path: Path) -> Path:
    path = tmp_path / "chain.pem"
    path.write_bytes(google.wr2.issue([HOST]).pem)
    return path


def test_a_file_inspected_was_not(chain: Path) -> None:
    assert NOTE not in run("inspect", str(chain)).out


def test_a_chain_classified_was_recorded(chain: Path, roots: Path) -> None:
    """And so it shows no possession, which is the finding beside it."""
    table = run("classify", str(chain), "--host", HOST, "--trust", str(roots))
    assert table.status == 0
    assert "recorded, judged at" in table.out
    assert "possession-unproven" in table.out
    assert NOTE not in table.out
    made = json.loads(run("classify", str(chain), "--host", HOST, "--trust", str(roots), "--format", "json").out)
    assert made["assessment"]["basis"] == "recorded"
    assert "possession-unproven" in {finding["code"] for finding in made["assessment"]["findings"]}
