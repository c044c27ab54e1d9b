"""A redacted report of logs holds nothing that names a company, a user, a machine or a file, however it is written."""

import io
import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.logmade import MADE, SEED_2, TIME, TRUST, assessed, file, intercepted, logged, report, skewed, unreachable
from tlsinspect.evidence.catalogue import with_interceptors
from tlsinspect.jsonform import to_json
from tlsinspect.judge.logs.assess import assess_log
from tlsinspect.logredaction import MOST_NUMBERED, LogRedaction
from tlsinspect.logs.products import products
from tlsinspect.model import LogReport, Verdict
from tlsinspect.redaction import is_googles
from tlsinspect.report.as_json import document, line, lines
from tlsinspect.report.logtable import render
from tlsinspect.report.table import PlainConsole
from tlsinspect.trust import Trust

PATH = r"C:\Users\alice.tester\AppData\Local\Google\Google Apps Migration\Tracing\acme-laptop-7\Trace.log"
PRIVATE = {
    "file": PATH,
    "name": "ACME-LAPTOP-7",
    "via": "proxy proxy:acme-web",
    "retry": "the way of acme-second",
    "version": "4.0 acme-build",
    "system": "10.0 acme-image",
    "thread": "acme-thread",
    "api": "AcmeSend",
    "host": "sync.acme-corp.example",
    "message": "hr = 0x80072ee2 for alice.tester at https://sync.acme-corp.example/ in Straßenbau",
    "subject": ("DE", "NW", "ACME Straßenbau GmbH", "acme@acme-corp.example", "*.google.com"),
    "issuer": ("Acme\x1bRoot Authority", 'The "Acme" Inspection, CA 7', "Q7"),
    "address": "10.11.12.13",
    "port": 3128,
}
SECRETS = (
    "acme",
    "alice",
    "strassenbau",
    "stra\\u00dfenbau",
    "10.11.12.13",
    "203.0.113.77",
    "q7",
    "fd00:",
    "trace.log",
)


def everything(found: LogReport) -> str:
    """All that the command writes of it, in every format."""
    out = io.StringIO()
    for width in (80, 100, 160, 5000):
        console = PlainConsole(out)
        console.width = width
        render(found, console, verbose=True)
    return out.getvalue() + document(found) + "".join(lines(found)) + found.ticket


def given_away(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text.casefold()]


@pytest.fixture(scope="module")
def private() -> LogReport:
    from tests.logmade import logged
    from tlsinspect.judge.logs.assess import assess_log  # what the conductor makes of it

    made = [
        assess_log((logged(**{**SEED_2, **PRIVATE, "whole": True}),), TRUST),
        assess_log((logged(**{**PRIVATE, "flags": None, "subject": (), "issuer": (), "code": 12002}),), TRUST),
        assess_log(
            (
                logged(**{**PRIVATE, "code": 12029, "retry": "direct (without proxy)"}),
                logged(**{**PRIVATE, "code": 12029, "address": "203.0.113.77", "port": 443, "retry": ""}),
            ),
            TRUST,
        ),
        assess_log((logged(code=12007, address="fd00::7", port=8080, file="D:\\acme\\x.log"),), TRUST),
        skewed(),
        intercepted(name="ACME-LAPTOP-7"),
    ]
    files = (
        file(PATH, version="4.0 acme-build", system="10.0 acme-image"),
        file("/home/alice/acme.log", kinds=(), failures=0),
        file("b.log", problem=f"cannot be read ({PATH}: Permission denied)"),
    )
    return report(*made, files=files)


def test_what_is_private_is_there_before(private: LogReport) -> None:
    assert {*SECRETS} - {"strassenbau"} <= set(given_away(everything(private)))


def test_no_private_string_is_left_anywhere(private: LogReport) -> None:
    clean = LogRedaction(TRUST).report(private)
    assert given_away(everything(clean)) == []
    assert clean.redacted


def test_no_private_string_is_left_of_one_failure(private: LogReport) -> None:
    redaction = LogRedaction(TRUST)
    for group in private.groups:
        assert given_away(line(redaction.assessment(group.assessment))) == []


def test_what_helps_stays(private: LogReport) -> None:
    clean = LogRedaction(TRUST).report(private)
    assert (clean.verdicts, clean.hosts, clean.products) == (private.verdicts, private.hosts, private.products)
    assert set(clean.products) <= {"", *products()}
    assert [(g.count, g.first, g.timeline) for g in clean.groups] == [
        (g.count, g.first, g.timeline) for g in private.groups
    ]
    for before, after in zip(private.groups, clean.groups, strict=True):
        assert (after.assessment.rule, after.assessment.endpoint.host) == (
            before.assessment.rule,
            before.assessment.endpoint.host,
        )
        for one, other in zip(before.assessment.observations, after.assessment.observations, strict=True):
            assert one.logged is not None
            assert other.logged is not None
            assert (other.logged.time, other.logged.flags, other.logged.code) == (
                one.logged.time,
                one.logged.flags,
                one.logged.code,
            )
    text = document(clean)
    for kept in ("127.0.0.1:8888", "216.58.194.170:443", "DO_NOT_TRUST_FiddlerRoot", "Google Internet Authority G2",
                 "sfo07s13-in-f170.1e100.net", "*.googleapis.com", "WinHTTP proxy", "0x80072f8f"):  # fmt: skip
        assert kept in text, kept


def test_a_private_thing_has_one_stand_in(private: LogReport) -> None:
    clean = LogRedaction(TRUST).report(private)
    names = {seen.logged.name for g in clean.groups for seen in g.assessment.observations if seen.logged}
    assert len([name for name in names if name.startswith("<machine-")]) == 1
    (address,) = {where for where in clean.destinations if where.endswith(":3128")}
    assert re.fullmatch(r"<address-\d+>:3128", address)
    pasted = address.replace("<", "").replace(">", "").upper()  # brackets are redirections to a shell
    assert any(f"--proxy http://{pasted}" in command for command in clean.commands)
    assert sum(clean.destinations.values()) == private.failures
    assert clean.files[0].name in {
        seen.logged.file for g in clean.groups for seen in g.assessment.observations if seen.logged
    }
    assert all(re.fullmatch(r"<file-\d+>", each.name) for each in clean.files)


def test_stand_ins_are_the_same_from_one_to_the_next() -> None:
    redaction = LogRedaction(TRUST)
    one, other = (redaction.assessment(unreachable(name=name)) for name in ("PC-77", "PC-78"))
    again = redaction.report(report(unreachable(name="PC-78")))
    shown = [each.observations[0].logged for each in (one, other, again.groups[0].assessment)]
    assert [said and said.name for said in shown] == ["<machine-1>", "<machine-2>", "<machine-2>"]


def test_a_stranger_s_many_names_grow_no_table() -> None:
    redaction = LogRedaction(TRUST)
    for number in range(0, MOST_NUMBERED + 20, 10):
        issuer = tuple(f"Company {number + each}" for each in range(10))
        clean = redaction.assessment(assessed("log-foreign-issuer", Verdict.INTERCEPTED, {"issuer": issuer}))
        assert "Company" not in str(clean.observations)
    assert "<name>" in str(clean.observations)


def test_a_call_without_a_name_names_nobody() -> None:
    clean = LogRedaction(TRUST).assessment(unreachable(api="API 8"))
    assert clean.observations[0].logged is not None
    assert clean.observations[0].logged.api == "API 8"


def test_standard_input_and_localhost_name_nobody() -> None:
    clean = LogRedaction(TRUST).report(report(unreachable(file="-", name="localhost"), files=(file("-"),)))
    said = clean.groups[0].assessment.observations[0].logged
    assert said is not None
    assert (said.file, said.name, clean.files[0].name) == ("-", "localhost", "-")


def test_addresses_of_google_and_this_machine_stay_others_go() -> None:
    given = {"216.58.194.170": True, "127.0.0.1": True, "::1": True, "8.8.4.4": True, "203.0.113.7": False,
             "192.168.1.1": False, "fe80::1": False, "100.64.0.9": False, "52.1.2.3": False}  # fmt: skip
    for address, stays in given.items():
        clean = LogRedaction(TRUST).report(report(unreachable(address=address, port=443)))
        assert (address in document(clean)) is stays, address


def test_rows_of_one_s_own_file_name_their_file_and_company(tmp_path: Path) -> None:
    own = tmp_path / "acme.toml"
    own.write_text(
        '[[interceptor]]\nid = "ours"\nproduct = "Inspection"\nvendor = "x"\nkind = "firewall"\n'
        'certainty = "observed"\nsource = "x"\n[interceptor.issuer_patterns]\nCN = "Acme Root"\n',
        encoding="utf-8",
    )
    from tests.logmade import logged
    from tlsinspect.judge.logs.assess import assess_log

    trust = with_interceptors(TRUST, own)
    values = {**SEED_2, "issuer": ("Acme Root",), "subject": ("*.google.com",), "whole": True}
    found = report(assess_log((logged(**values),), trust))
    assert found.groups[0].assessment.attribution is not None
    clean = LogRedaction(trust).report(found)
    assert given_away(everything(clean)) == []


def test_a_stand_in_names_its_file_and_the_redacted_report_does_not(tmp_path: Path) -> None:
    from tests.logmade import logged
    from tlsinspect.judge.logs.assess import assess_log

    own = tmp_path / "acme-root.pem"
    own.write_bytes((ROOT / "testcerts" / "google-like-root.pem").read_bytes())
    trust = Trust.load(own)
    found = report(assess_log((logged(**SEED_2),), trust))
    assert "acme" in given_away(everything(found))
    assert given_away(everything(LogRedaction(trust).report(found))) == []


def test_a_name_that_is_a_word_of_ours_takes_no_verdict_and_no_command_apart() -> None:
    found = report(unreachable(name="scan"), unreachable(name="unreachable"), unreachable(name="log-dns"))
    clean = LogRedaction(TRUST).report(found)
    assert clean.commands == found.commands
    assert json.loads(document(clean))["verdicts"] == {"unreachable": 3}
    assert clean.groups[0].assessment.rule == "log-dns"
    assert to_json(clean)["groups"][0]["assessment"]["observations"][0]["logged"]["name"] == "<machine-1>"
    assert (clean.made, clean.groups[0].first) == (MADE, TIME)


DOMAINS = (
    *("appspot.com", "appspot.com.", "googleusercontent.com", "storage.googleapis.com"),
    *("commondatastorage.googleapis.com", "p.googleapis.com", "translate.goog"),
)


@pytest.mark.parametrize("domain", DOMAINS)
def test_what_a_customer_calls_himself_below_a_domain_of_google_s_goes(domain: str) -> None:
    said = logged(**{**SEED_2, "host": f"acme-corp.{domain}", "subject": (f"acme.{domain}",), "name": "acme.1e100.net"})
    text = everything(LogRedaction(TRUST).report(report(assess_log((said,), TRUST))))
    assert "acme" not in text.lower()
    assert f".{domain.rstrip('.')}" in text


@pytest.mark.parametrize(
    "name", ["*.googleapis.com", "www.googleapis.com", "lh3.googleusercontent.com", "arn09s19-in-f10.1e100.net"]
)
def test_what_google_calls_its_own_stays(name: str) -> None:
    assert is_googles(name, TRUST)


def test_what_is_called_like_a_function_is_none() -> None:
    said = logged(**{**SEED_2, "api": "WinHttpAcmeSecret"})
    assert "acme" not in everything(LogRedaction(TRUST).report(report(assess_log((said,), TRUST)))).lower()
