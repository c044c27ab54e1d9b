"""The command as people and scripts meet it: in a process of its own, with its streams and its exit status."""

import base64
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from rich.cells import cell_len

from tests.conftest import ROOT, Outcome, command, environment, options, resolve, run
from tests.faults import Running, fault, tls_server
from tlsinspect.jsonform import from_json
from tlsinspect.lab import pki
from tlsinspect.model import Report
from tlsinspect.report.as_json import schema
from tlsinspect.trust import certificates_in

CERTIFICATES = ROOT / "testcerts"
AT = "2026-11-23T12:00:00Z"
HOST = "www.googleapis.com"
GOOD, BAD, DEAD = "mail.google.com", "www.googleapis.com", "www.google.com"


# -- --help and --version -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["--help"], ["scan", "--help"], ["classify", "-h"], ["trust", "--help"], ["demo", "-h"]]
)
def test_help(words: list[str]) -> None:
    ended = run(*words)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("usage: tlsinspect")
    if words[0] in ("trust", "demo"):  # these judge no hosts of yours
        assert "exit status:" not in ended.out
        return
    assert "exit status:" in ended.out
    for status in ("0", "1", "2", "3", "130"):
        assert re.search(rf"^  {status} +\S", ended.out, re.MULTILINE)


def test_every_command_can_be_started() -> None:
    """What --help lists must be there."""
    from importlib.util import find_spec

    commands = re.findall(r"^    (\w+) ", run("--help").out, re.MULTILINE)
    assert {"scan", "classify", "trust"} <= set(commands)
    assert [name for name in commands if find_spec(f"tlsinspect.cli.{name}") is None] == []


def test_version() -> None:
    from tlsinspect import __version__

    assert run("--version") == Outcome(0, f"tlsinspect {__version__}\n", "")


LOADED = """
import sys
{start}
heavy = {{"cryptography", "OpenSSL", "rich", "asyncio", "ssl"}}
print(sorted(heavy & {{name.partition(".")[0] for name in sys.modules}}))
"""
START = "from tlsinspect.cli import main\ntry:\n    main({words!r})\nexcept SystemExit:\n    pass"


@pytest.mark.parametrize(
    "start",
    [
        "import tlsinspect",
        START.format(words=["--version"]),
        START.format(words=["--help"]),
        START.format(words=["scan", "-h"]),
    ],
)
def test_starting_loads_nothing_heavy(start: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LOADED.format(start=start)],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout.decode().splitlines()[-1] == "[]"


def test_the_probe_for_heavy_modules_works() -> None:
    start = "import tlsinspect\ntlsinspect.Trust"
    ended = subprocess.run(
        [sys.executable, "-c", LOADED.format(start=start)],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"cryptography" in ended.stdout


# -- bad input ------------------------------------------------------------------------------------------------------


def refused(*words: str, given: bytes = b"", cwd: Path | None = None) -> str:
    """The one line on standard error, and nothing else, with which the command refuses."""
    ended = run(*words, given=given, cwd=cwd)
    assert (ended.status, ended.out) == (2, ""), ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) == 1, ended.err
    assert ended.err.endswith("\n")
    assert ended.err.startswith("tlsinspect")
    assert "\x1b" not in ended.err
    return ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["scan", "a.test:65536"], "65536"),
        (["scan", "a.test:0"], "a.test:0: the port"),
        (["scan", "a.test:0000065537"], "port"),
        (["scan", "https://user:secret@a.test/"], "password"),
        (["scan", "*.google.com"], "pattern"),
        (["scan", "a\x1b[31m\n.test"], "<U+001B>"),
        (["scan", "-"], "nothing to scan"),
        (["scan", "@missing.txt"], "missing.txt"),
        (["scan", "missing.txt"], "missing.txt"),
        (["scan", "@."], "cannot be read"),
        (["scan", "a.test", "--profile", "gwsmo"], "not both"),
        (["scan", "--profile", "nosuch"], "nosuch"),
        (["scan", "--profile", "missing.toml"], "missing.toml"),
        (["scan", "--profile", ""], ""),  # an empty variable of a script, not the default
        (["scan", "--profile", "x" * 5000], "profile"),
        (["scan", "a.test", "--timeout", "0"], "--timeout"),
        (["scan", "a.test", "--timeout", "-1"], "--timeout"),
        (["scan", "a.test", "--timeout", "nan"], "--timeout"),
        (["scan", "a.test", "--timeout", "inf"], "--timeout"),
        (["scan", "a.test", "--timeout", "soon"], "--timeout"),
        (["scan", "a.test", "--concurrency", "0"], "--concurrency"),
        (["scan", "a.test", "--concurrency", "many"], "--concurrency"),
        (["scan", "a.test", "--repeat", "0"], "--repeat"),
        (["scan", "a.test", "--resolve", "a.test:443:nowhere"], "--resolve"),
        (["scan", "a.test", "--resolve", "a.test"], "--resolve"),
        (["scan", "a.test", "--proxy", "socks4://127.0.0.1:1"], "socks4"),
        (["scan", "a.test", "--proxy", ""], "--proxy"),
        (["scan", "a.test", "--trust", "missing.pem"], "missing.pem"),
        (["scan", "a.test", "--trust", "x" * 5000], "xxx"),
        (["scan", "a.test", "--trust", "."], "MANIFEST.toml"),
        (["scan", "a.test", "-o", "missing/report.json"], "missing/report.json"),
        (["scan", "a.test", "-o", "."], "cannot be written"),
        (["scan", "a.test", "--format", "xml"], "xml"),
        (["scan", "a.test", "--colour"], "--colour"),
        (["trust", "list", "--trust", "missing.pem"], "missing.pem"),
        (["trust", "burn"], "burn"),
        (["classify", "missing.pem", "--host", "a.test"], "missing.pem"),
        (["classify", ".", "--host", "a.test"], "cannot be read"),
        (["classify", "-", "--host", "a.test"], "no certificate"),
        (["classify", str(CERTIFICATES / "README.md"), "--host", "a.test"], "no certificate"),
        (["classify", str(CERTIFICATES / "case-a-fiddler.pem")], "--host"),
        (["classify", str(CERTIFICATES / "case-a-fiddler.pem"), "--host", "a..test"], "a..test"),
        (["classify", str(CERTIFICATES / "case-a-fiddler.pem"), "--host", "a.test", "--trust", "missing"], "missing"),
        ([], "COMMAND"),
        (["burn"], "burn"),
    ],
)
def test_bad_input_is_refused_in_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    assert said in refused(*words, cwd=tmp_path)


def test_lists_that_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("# nothing yet\n\n", encoding="utf-8")
    assert "nothing to scan" in refused("scan", "hosts.txt", cwd=tmp_path)
    assert "nothing to scan" in refused("scan", "@hosts.txt", cwd=tmp_path)
    assert "nothing to scan" in refused("scan", "-", given=b"# nothing\n")


def test_lists_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused("scan", "@hosts.txt", cwd=tmp_path)
    assert "UTF-8" in refused("scan", "-", given=b"\xff\xfe\x00")


def test_a_bad_line_in_a_list(tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text("a.test\nb..test\n", encoding="utf-8")
    assert "b..test" in refused("scan", "@hosts.txt", cwd=tmp_path)
    assert "b..test" in refused("scan", "-", given=b"a.test\r\nb..test\r\n")


def test_a_target_of_broken_utf8() -> None:
    ended = subprocess.run(
        [*command("scan"), b"\xff\xfe.test"], env=environment(), capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, b"")
    assert len(ended.stderr.splitlines()) == 1


def test_an_unreadable_list(tmp_path: Path) -> None:
    path = tmp_path / "hosts.txt"
    path.write_text("a.test\n", encoding="utf-8")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "cannot be read" in refused("scan", "@hosts.txt", cwd=tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('colour = "red"\n[[endpoint]]\nurl = "https://a.test/"\n', "colour"),
        ('[[endpoint]]\nurl = "https://a.test/"\ncolour = "red"\n', "colour"),
        ('[[endpoint]]\nurl = "https://a.test/"\nauthority = "file"\nauthority_file = "missing.pem"\n', "missing.pem"),
        ('[[endpoint]]\nurl = "https://a.test/"\nauthority = "file"\nauthority_file = "a\\u0000b"\n', "<U+0000>"),
        ("", "endpoint"),
    ],
)
def test_bad_profiles(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    assert said in refused("scan", "--profile", "mine.toml", cwd=tmp_path)


def test_nothing_is_sent_before_everything_is_read(tmp_path: Path, google: pki.GoogleLike) -> None:
    with tls_server(google.we2.issue([GOOD])) as server:
        where = options(resolve({GOOD: server}))
        refused("scan", GOOD, "--proxy", "none", "-o", "missing/report.json", *where, cwd=tmp_path)
        refused("scan", GOOD, "b..test", "--proxy", "none", *where, cwd=tmp_path)
        refused("scan", GOOD, "--proxy", "none", "--trust", "missing.pem", *where, cwd=tmp_path)
        assert server.connections == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", [["trust", "list"], ["trust", "list", "--format", "json"], ["trust", "verify"]])
@pytest.mark.parametrize("way", ["-o", "stdout"])
def test_a_full_disk_is_said_in_one_line(words: list[str], way: str) -> None:
    if way == "-o":
        ended = run(*words, "-o", "/dev/full")
        status, err = ended.status, ended.err
    else:
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                command(*words), stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=60, check=False
            )
        status, err = done.returncode, done.stderr.decode()
    assert "Traceback" not in err
    assert len(err.splitlines()) == 1
    assert "No space left on device" in err
    assert status == 2  # 1 would say that somebody intercepts


# -- classify -------------------------------------------------------------------------------------------------------

CASES = {
    "case-a-fiddler": "fiddler",
    "case-b-zscaler": "zscaler",
    "case-c-zscaler-leaf-only": "zscaler",
    "case-d-fiddler-expired": "fiddler",
    "case-e-forged-issuer-name": None,
    "google-like": None,
}


def classified(*words: str, given: bytes = b"", status: int = 1) -> dict[str, Any]:
    ended = run("classify", *words, "--host", HOST, "--format", "json", "--at", AT, given=given)
    assert (ended.status, ended.err) == (status, "")
    found: dict[str, Any] = json.loads(ended.out)
    jsonschema.Draft202012Validator({**schema()["$defs"]["Classification"], "$defs": schema()["$defs"]}).validate(found)
    assessment: dict[str, Any] = found["assessment"]
    return assessment


@pytest.mark.parametrize("name", CASES)
def test_classify_reads_files_streams_and_der_alike(name: str, tmp_path: Path) -> None:
    path = CERTIFICATES / f"{name}.pem"
    found = classified(str(path))
    assert (found["verdict"], found["basis"]) == ("intercepted", "recorded")
    product = (found["attribution"] or {}).get("id", "")
    assert (CASES[name] or "") in product
    assert classified("-", given=path.read_bytes()) == found
    assert classified("-", given=path.read_bytes().replace(b"\n", b"\r\n")) == found
    leaf = next(certificates_in(path.read_bytes()))
    (tmp_path / "leaf.der").write_bytes(leaf)
    alone = classified(str(tmp_path / "leaf.der"))
    assert alone["observations"][0]["tls"]["chain"] == [base64.b64encode(leaf).decode()]
    assert (alone["verdict"], alone["issuer"]) == (found["verdict"], found["issuer"])
    assert classified("-", given=leaf) == alone


def test_classify_with_a_stand_in_is_genuine_and_says_so() -> None:
    words = [str(CERTIFICATES / "google-like.pem"), "--trust", str(CERTIFICATES / "google-like-root.pem")]
    found = classified(*words, status=0)
    assert (found["verdict"], found["confidence"]) == ("genuine", "strong")
    assert {"trust-stand-in", "possession-unproven"} <= {f["code"] for f in found["findings"]}


def test_the_order_of_the_file_is_the_order_presented() -> None:
    blocks = re.findall(
        rb"-----BEGIN.+?END CERTIFICATE-----\n", (CERTIFICATES / "case-a-fiddler.pem").read_bytes(), re.S
    )
    root_first = b"".join(reversed(blocks))
    assert classified("-", given=root_first)["verdict"] == "wrong-host"


@pytest.mark.parametrize(
    "broken",
    [
        b"-----BEGIN CERTIFICATE-----\nM*\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n",
        b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
        b"",
        b"\n\n",
        b"\x00" * 100,
    ],
)
def test_classify_refuses_what_holds_no_certificate(broken: bytes) -> None:
    refused("classify", "-", "--host", HOST, given=broken)


@pytest.mark.parametrize("broken", [b"\x30\x03\x02\x01\x00", b"\x30\x84\xff\xff\xff\xff", b"\x30"])
def test_classify_of_an_unreadable_certificate_is_an_answer(broken: bytes) -> None:
    found = classified("-", given=broken, status=3)
    assert (found["verdict"], found["rule"]) == ("inconclusive", "certificate-unreadable")


# -- classify with what says whether it is revoked --------------------------------------------------------------------


@pytest.fixture
def recorded(google: pki.GoogleLike, roots: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Classifies a fresh leaf of WR2 with the given files, and answers its assessment."""
    issued = google.wr2.issue([GOOD])
    chain = tmp_path / "chain.pem"
    chain.write_bytes(issued.pem)

    def classify(*words: str, revoked: bool = False, status: int = 0) -> dict[str, Any]:
        serials = [issued.certificate.serial_number] if revoked else []
        lists = [x509.load_der_x509_crl(der) for der in (google.r1.crl(), google.wr2.crl(serials))]
        (tmp_path / "lists.pem").write_bytes(b"".join(crl.public_bytes(Encoding.PEM) for crl in lists))
        (tmp_path / "wr2.crl").write_bytes(google.wr2.crl(serials))
        (tmp_path / "leaf.ocsp").write_bytes(google.wr2.ocsp_answer(issued.certificate))
        ended = run("classify", str(chain), "--host", GOOD, "--trust", str(roots), "--format", "json", *words)
        assert (ended.status, ended.err) == (status, "")
        assessment: dict[str, Any] = json.loads(ended.out)["assessment"]
        return assessment

    return classify


def states(assessment: dict[str, Any]) -> list[str]:
    return [status["state"] for status in assessment["revocation"]]


def test_every_list_of_a_pem_file_counts(recorded: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    assert states(recorded("--crl", str(tmp_path / "lists.pem"))) == ["good", "good"]
    assert recorded("--crl", str(tmp_path / "lists.pem"), revoked=True, status=1)["verdict"] == "revoked"


def test_der_lists_and_answers_are_read(recorded: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    assert states(recorded("--crl", str(tmp_path / "wr2.crl"))) == ["good", "unknown"]
    assert states(recorded("--ocsp", str(tmp_path / "leaf.ocsp"))) == ["good", "unknown"]
    both = recorded("--ocsp", str(tmp_path / "leaf.ocsp"), "--crl", str(tmp_path / "wr2.crl"), revoked=True, status=1)
    assert both["verdict"] == "revoked"


def test_what_was_not_given_is_not_known(recorded: Callable[..., dict[str, Any]]) -> None:
    assert [status["reason"] for status in recorded()["revocation"]] == ["offline", "offline"]


@pytest.mark.parametrize("option", ["--crl", "--ocsp"])
def test_a_page_for_a_list_makes_no_sense(option: str, tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"<html>blocked</html>")
    assert "page: holds no" in refused("classify", str(CERTIFICATES / "google-like.pem"), "--host", HOST,
                                       option, str(tmp_path / "page"))  # fmt: skip


def at(time: str) -> Outcome:
    words = [str(CERTIFICATES / "google-like.pem"), "--trust", str(CERTIFICATES / "google-like-root.pem")]
    return run("classify", *words, "--host", HOST, "--format", "json", "--at", time)


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23T12:00:00+00:00",
        "2026-11-23T14:00:00+02:00",
        "2026-11-23T06:30:00-0530",
        "2026-11-23 12:00Z",
        "20261123T120000Z",
        "2026-11-23T12:00:00.000Z",
    ],
)
def test_forms_of_a_time(time: str) -> None:
    ended = at(time)
    assert (ended.status, ended.err) == (0, "")
    found = json.loads(ended.out)["assessment"]
    assert found["verdict"] == "genuine"
    assert found["observations"][0]["started"] == AT


@pytest.mark.parametrize(
    ("time", "verdict"), [("2020-01-01T00:00Z", "not-yet-valid"), ("2030-01-01T00:00Z", "expired")]
)
def test_the_time_decides(time: str, verdict: str) -> None:
    ended = at(time)
    assert ended.status == 1
    assert json.loads(ended.out)["assessment"]["verdict"] == verdict


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "1949-12-31T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_edges_of_time(time: str) -> None:
    ended = at(time)
    assert (ended.status, ended.err) == (1, "")
    assert json.loads(ended.out)["assessment"]["verdict"] in ("expired", "not-yet-valid")


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-23",
        "2026-11-23T12:00:00",
        "noon",
        "now",
        "1700000000",
        "2026-13-01T00:00:00Z",
        "2026-11-23T12:00:00+25:00",
        "9999-12-31T23:59:59-14:00",  # in UTC this is year 10000
        "0001-01-01T00:00:00+14:00",
        "\x1b[31m",
        "",
    ],
)
def test_what_is_no_time(time: str) -> None:
    assert "--at" in refused("classify", str(CERTIFICATES / "google-like.pem"), "--host", HOST, "--at", time)


def test_classify_needs_no_clock_and_no_network() -> None:
    """Twice the same bytes, and under a proxy where nobody listens (see `conftest`)."""
    words = ["classify", str(CERTIFICATES / "case-b-zscaler.pem"), "--host", HOST, "--at", AT]
    for form in ("table", "json"):
        assert run(*words, "--format", form) == run(*words, "--format", form)


# -- scan -----------------------------------------------------------------------------------------------------------


@contextmanager
def servers(google: pki.GoogleLike, now: datetime) -> Iterator[dict[str, Running]]:
    """A good host, an intercepted one and one where nobody listens."""
    with ExitStack() as stack:
        yield {
            GOOD: stack.enter_context(tls_server(google.we2.issue([GOOD]))),
            BAD: stack.enter_context(tls_server(pki.zscaler(now).issue([BAD]))),
            DEAD: stack.enter_context(fault("nothing-listening")),
        }


Scan = Callable[..., Outcome]


@pytest.fixture(scope="module")
def places(google: pki.GoogleLike, now: datetime) -> Iterator[dict[str, Running]]:
    with servers(google, now) as running:
        yield running


@pytest.fixture
def always(places: dict[str, Running], roots: Path) -> list[str]:
    """The options that lead to these servers and nowhere else."""
    return ["--trust", str(roots), "--proxy", "none", "--timeout", "10", *options(resolve(places))]


@pytest.fixture
def scan(always: list[str]) -> Scan:
    def scan(
        *words: str, given: bytes = b"", extra: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Outcome:
        return run("scan", *words, *always, given=given, extra=extra, cwd=cwd)

    return scan


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ([GOOD], 0),
        ([GOOD, BAD], 1),
        ([GOOD, DEAD], 3),
        ([DEAD], 3),
        ([GOOD, BAD, DEAD], 1),
    ],
)
@pytest.mark.parametrize("form", ["table", "json", "jsonl"])
def test_exit_status(scan: Scan, hosts: list[str], status: int, form: str) -> None:
    ended = scan(*hosts, "--format", form)
    assert (ended.status, ended.err) == (status, "")
    for host in hosts:
        assert host in ended.out


@pytest.mark.parametrize(
    ("expectation", "required", "host", "status"),
    [
        ("inspected", "true", BAD, 0),
        ("inspected", "true", GOOD, 1),
        ("any", "true", BAD, 0),
        ("any", "true", GOOD, 0),
        ("any", "true", DEAD, 3),
        ("exempt", "false", BAD, 0),
        ("exempt", "true", BAD, 1),
    ],
)
def test_exit_status_follows_the_profile(
    scan: Scan, tmp_path: Path, expectation: str, required: str, host: str, status: int
) -> None:
    row = f'[[endpoint]]\nurl = "https://{host}/"\nexpectation = "{expectation}"\nrequired = {required}\n'
    (tmp_path / "mine.toml").write_text(row, encoding="utf-8")
    assert scan("--profile", "mine.toml", cwd=tmp_path).status == status


@pytest.mark.parametrize(("kind", "status"), [("plain-http", 0), ("nothing-listening", 3), ("http-403", 3)])
def test_exit_status_of_plain_http_alone(kind: str, status: int, roots: Path) -> None:
    with fault(kind) as server:
        where = options(resolve({"c.pki.goog": server}, 80))
        words = ["scan", "http://c.pki.goog", "--trust", str(roots), "--proxy", "none", "--format", "json", *where]
        ended = run(*words)
    assert (ended.status, ended.err) == (status, "")
    assert json.loads(ended.out)["assessments"] == []


def test_targets_come_from_the_line_a_file_and_standard_input(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "hosts.txt").write_text(f"# ours\n{BAD}  # this one\n", encoding="utf-8-sig")
    ended = scan(GOOD, "@hosts.txt", "-", "--format", "json", given=f"{DEAD}\r\n".encode(), cwd=tmp_path)
    hosts = [a["endpoint"]["host"] for a in json.loads(ended.out)["assessments"]]
    assert hosts == [GOOD, BAD, DEAD]
    assert scan("hosts.txt", "--format", "json", cwd=tmp_path).status == 1


def test_output_goes_to_the_file_and_nowhere_else(scan: Scan, tmp_path: Path) -> None:
    ended = scan(GOOD, "--format", "json", "-o", "report.json", cwd=tmp_path)
    assert ended == Outcome(0, "", "")
    written = (tmp_path / "report.json").read_bytes()
    assert b"\r" not in written
    report = from_json(Report, json.loads(written))
    assert report.assessments[0].endpoint.host == GOOD
    assert json.loads(scan(GOOD, "--format", "json", "-o", "-").out)["schema_version"] == 1


def test_json_lines_are_lines(scan: Scan) -> None:
    rows = [json.loads(line) for line in scan(GOOD, BAD, "--format", "jsonl").out.splitlines()]
    assert [row["type"] for row in rows] == ["assessment", "assessment", "run"]


def test_repeat_makes_as_many_observations(scan: Scan) -> None:
    found = json.loads(scan(GOOD, "--repeat", "3", "--format", "json").out)
    assert [o["attempt"] for o in found["assessments"][0]["observations"]] == [1, 2, 3]


# -- terminals, pipes, interrupts -----------------------------------------------------------------------------------

ESCAPE = "\x1b"


def test_a_pipe_gets_no_escape_codes(scan: Scan) -> None:
    for extra in ({}, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}, {"NO_COLOR": "1"}):
        ended = scan(GOOD, BAD, DEAD, "-v", extra=extra)
        assert ESCAPE not in ended.out + ended.err
    for words in (
        ["trust", "list"],
        ["classify", str(CERTIFICATES / "case-a-fiddler.pem"), "--host", HOST, "--at", AT],
    ):
        assert ESCAPE not in run(*words, extra={"TERM": "xterm-256color"}).out


def on_a_terminal(*words: str, extra: Mapping[str, str]) -> tuple[int, str]:
    """The exit status, and what a terminal on standard output was sent."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*words), stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE, env=environment(extra)
    )
    os.close(theirs)
    shown = b""
    with process:
        while select.select([ours], [], [], 60)[0]:
            try:
                data = os.read(ours, 65536)
            except OSError:  # how Linux says that nobody holds the other end any more
                break
            if not data:
                break
            shown += data
        os.close(ours)
        assert process.stderr is not None
        assert process.stderr.read() == b""
    return process.returncode, shown.decode()


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")
CLASSIFY = ["classify", str(CERTIFICATES / "case-a-fiddler.pem"), "--host", HOST, "--at", AT]


def test_a_terminal_gets_colours_unless_told_not_to() -> None:
    status, shown = on_a_terminal(*CLASSIFY, extra={"TERM": "xterm-256color"})
    assert status == 1
    assert COLOUR.search(shown)
    status, shown = on_a_terminal(*CLASSIFY, extra={"TERM": "xterm-256color", "NO_COLOR": "1"})
    assert status == 1
    assert "intercepted" in shown
    assert not COLOUR.search(shown)
    status, shown = on_a_terminal(*CLASSIFY, extra={"TERM": "dumb"})
    assert status == 1
    assert ESCAPE not in shown


@pytest.mark.parametrize("columns", [40, 80, 100, 160])
def test_no_line_is_wider_than_the_terminal(scan: Scan, columns: int) -> None:
    ended = scan(GOOD, BAD, DEAD, "-v", extra={"COLUMNS": str(columns)})
    widths = [cell_len(line) for line in ended.out.splitlines()]
    assert max(widths) <= columns
    assert len(widths) > 8
    for words in (["trust", "list"], CLASSIFY):
        assert max(cell_len(line) for line in run(*words, extra={"COLUMNS": str(columns)}).out.splitlines()) <= columns


@pytest.mark.parametrize("columns", [80, 160])
def test_long_and_wide_names_are_folded(columns: int, roots: Path, now: datetime) -> None:
    from cryptography.x509.oid import NameOID

    host = ".".join(["x" * 60] * 3) + ".google.com"
    wide = pki.Authority.root(pki.name((NameOID.COMMON_NAME, "検査" * 10), (NameOID.ORGANIZATION_NAME, "y" * 60)), now)
    with tls_server(wide.issue([host], subject=pki.name((NameOID.COMMON_NAME, "x")))) as server:
        words = ["scan", host, "--trust", str(roots), "--proxy", "none", "-v", *options(resolve({host: server}))]
        ended = run(*words, extra={"COLUMNS": str(columns)})
    assert ended.status == 1
    assert "検査" in ended.out
    assert max(cell_len(line) for line in ended.out.splitlines()) <= columns


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "utf-8"])
def test_every_encoding_gets_the_table(always: list[str], encoding: str) -> None:
    """A pipe on Windows, or a console there, has an encoding that lacks most of the signs."""
    for words in (CLASSIFY, ["scan", GOOD, BAD, DEAD, "-v", *always], ["trust", "list"], ["scan", "--help"]):
        extra = {"PYTHONIOENCODING": encoding}
        ended = subprocess.run(command(*words), capture_output=True, env=environment(extra), timeout=60, check=False)
        assert ended.stderr == b""
        assert ended.returncode == (1 if BAD in words else 0)
        assert ended.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["trust", "list"],
        ["trust", "list", "--format", "json"],
        ["trust", "verify"],
        CLASSIFY,
        [*CLASSIFY, "--format", "json"],
    ],
)
def test_a_broken_pipe_is_quiet(words: list[str]) -> None:
    """The reader is gone before the first byte: no race, and no buffer large enough to hide it."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            command(*words), stdout=writing, stderr=subprocess.PIPE, env=environment(), timeout=60, check=False
        )
    finally:
        os.close(writing)
    assert ended.stderr == b""
    assert ended.returncode == 141  # as a shell says SIGPIPE; no status of ours, for nothing was answered


def test_head_cuts_quietly(always: list[str]) -> None:
    words = ["scan", GOOD, BAD, "--format", "json", *always]
    with subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        ended = subprocess.run(["head", "-c", "10"], stdin=process.stdout, capture_output=True, timeout=60, check=True)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert ended.stdout == b'{\n  "schem'


@pytest.mark.parametrize("form", ["json", "jsonl", "table"])
def test_an_interrupt_keeps_what_was_finished(form: str, google: pki.GoogleLike, roots: Path) -> None:
    silent = ["www.google.com", "drive.google.com"]
    with ExitStack() as stack:
        good = stack.enter_context(tls_server(google.we2.issue([GOOD])))
        quiet = {host: stack.enter_context(fault("silent")) for host in silent}
        plain = stack.enter_context(fault("silent"))
        where = options([*resolve({GOOD: good, **quiet}), *resolve({"c.pki.goog": plain}, 80)])
        words = ["scan", GOOD, *silent, "http://c.pki.goog", "--trust", str(roots), "--proxy", "none"]
        process = subprocess.Popen(
            command(*words, "--timeout", "600", "--format", form, *where),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
        with process:
            wait_for(lambda: bool(good.requests) and all(s.connections for s in (*quiet.values(), plain)))
            time.sleep(0.5)  # for the answer, which is on its way, to be read
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert err == b""
    assert process.returncode == 130
    if form == "table":
        assert GOOD in out.decode()
        assert "Interrupted" in out.decode()
        return
    if form == "jsonl":
        *rows, whole = (json.loads(line) for line in out.splitlines())
        assert whole["interrupted"]
        # The port-80 row was not finished: saying anything of it would be a guess.
        assert [row["type"] for row in rows] == ["assessment"] * 3
        return
    data = json.loads(out)
    jsonschema.Draft202012Validator(schema()).validate(data)
    assert data["interrupted"]
    verdicts = {a["endpoint"]["host"]: a["verdict"] for a in data["assessments"]}
    assert verdicts[GOOD] == "genuine"
    for assessment in data["assessments"]:
        if assessment["endpoint"]["host"] in silent:
            assert assessment["verdict"] == "unreachable"
            assert assessment["observations"][0]["failure"]["reason"] == "cancelled"


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.02)


# -- trust ----------------------------------------------------------------------------------------------------------


def test_a_scan_judged_at_another_time_says_so(scan: Scan) -> None:
    ended = scan(GOOD, "--at", "2031-01-01T00:00:00+01:00", "--format", "json")
    report = json.loads(ended.out)
    assert (ended.status, report["judged_at"]) == (1, "2030-12-31T23:00:00Z")
    assert report["assessments"][0]["verdict"] == "expired"
    assert "judged-at" in {conclusion["code"] for conclusion in report["conclusions"]}
    assert "as you chose" in scan(GOOD, "--at", "2031-01-01T00:00:00Z").out


def test_trust_verify() -> None:
    ended = run("trust", "verify")
    assert (ended.status, ended.err) == (0, "")
    assert re.search(r"^ +5  Google roots$", ended.out, re.MULTILINE)
    assert re.search(r"^ +14  other roots of pki.goog$", ended.out, re.MULTILINE)


def test_trust_list_as_json() -> None:
    found = json.loads(run("trust", "list", "--format", "json").out)
    assert len(found["anchors"]) == found["trust"]["anchors"] == 19
    assert {row["set"] for row in found["anchors"]} == {"google", "alternate"}


def test_trust_damaged(tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(ROOT / "trust", tmp_path / "trust")
    (folder / "google_roots.pem").write_bytes(b"")
    for words in (["trust", "verify"], ["trust", "list"], ["scan", "a.test"], CLASSIFY):
        assert "google_roots.pem" in refused(*words, "--trust", str(folder))
