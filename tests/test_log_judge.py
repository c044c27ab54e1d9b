"""What logs come to: Google's own two examples in three languages, and each rule by what the tools write."""

import io
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import ROOT, shared_seed
from tests.loggen import (
    FIDDLER,
    GOOGLE,
    GOOGLES_ADDRESS,
    NOBODY,
    Certificate,
    Incident,
    at,
    authorisation_line,
    log,
    messages,
    retried,
    trace_line,
)
from tlsinspect import Trust, read_log
from tlsinspect.judge.logs.words import went
from tlsinspect.logs.observed import PlaceFact, place_of
from tlsinspect.model import Assessment, Basis, Confidence, LogKind, Severity, Verdict

HERE = ("127.0.0.1", 8888, "PC-7")
NEARBY = ("10.20.30.40", 8080, "proxy7.corp.example")


def read(*incidents: Incident) -> list[Assessment]:
    return of_text(log(incidents, between=1).text)


def of_text(text: str) -> list[Assessment]:
    found = list(read_log(io.BytesIO(text.encode())))
    for assessment in found:
        assert assessment.basis is Basis.TEXT
        assert assessment.confidence in (Confidence.LIKELY, Confidence.WEAK)
        assert assessment.verdict is not Verdict.GENUINE
        assert assessment.explanation
        assert "unknown" not in assessment.explanation
        assert "{" not in "".join(
            [assessment.explanation, assessment.remedy, *(f.sentence for f in assessment.findings)]
        )
    return found


def only(*incidents: Incident) -> Assessment:
    (found,) = read(*incidents)
    return found


def codes(assessment: Assessment) -> set[str]:
    return {f.code for f in assessment.findings}


def sentence(assessment: Assessment, code: str) -> str:
    return next(f.sentence for f in assessment.findings if f.code == code)


# -- Google's own examples ------------------------------------------------------------------------------------------

SEEDS = ("000_06eef87c48abeaac.txt", "001_cb4c5d0bccc1f28e.txt", "002_7986321c2070fc55.txt")  # Italian, French, English


def excerpt(page: Path, begin: str, end: str) -> str:
    """The lines of the page from the first that begins so to the first after it that does."""
    lines = page.read_text(encoding="utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(begin))
    last = next(n for n in range(first, len(lines)) if end in lines[n])
    return "\n".join(lines[first : last + 1])


@pytest.mark.parametrize("name", SEEDS)
def test_the_authorisation_log_of_google_s_page(name: str) -> None:
    page = shared_seed(name)
    (found,) = of_text(excerpt(page, "[2022-09-21T", "1e100.net"))
    assert (found.verdict, found.confidence, found.rule) == (Verdict.CLOCK_SKEWED, Confidence.LIKELY, "log-clock")
    assert "about 1749 to 1834 days ahead" in found.explanation
    assert sentence(found, "clock-hypothesis") == "This would explain the clock: the year is 5 too high."
    assert "only a consequence" in sentence(found, "log-revocation-by-clock")
    assert {"log-clock-ahead", "log-clock-without-zone", "log-date-not-flagged", "log-reverse-name"} <= codes(found)
    assert found.attribution is None
    (seen,) = found.observations
    assert seen.logged is not None
    assert (seen.address, seen.logged.port, seen.logged.name) == ("216.58.194.170", 443, "sfo07s13-in-f170.1e100.net")
    assert seen.route.proxy is None
    assert found.endpoint.host == "*.googleapis.com"
    ahead = next(f for f in found.findings if f.code == "log-clock-ahead")
    assert 1749 <= int(ahead.values["least_seconds"]) / 86400 <= int(ahead.values["most_seconds"]) / 86400 <= 1834


@pytest.mark.parametrize("name", SEEDS)
def test_the_trace_log_of_google_s_page(name: str) -> None:
    page = shared_seed(name)
    (found,) = of_text(excerpt(page, "2017-09-21T04:10:04.356-03:00", "127.0.0.1"))
    assert (found.verdict, found.confidence, found.rule) == (Verdict.INTERCEPTED, Confidence.LIKELY, "log-interceptor")
    assert found.attribution is not None
    assert found.attribution.id == "fiddler-classic"
    assert "127.0.0.1:8888 on that machine itself" in found.explanation
    assert "only a consequence" in sentence(found, "log-revocation-by-interceptor")
    assert {"log-ends-here", "log-root-not-trusted", "local-port-hint", "log-long-life"} <= codes(found)
    assert sentence(found, "log-flags").startswith("Windows complained. CERT_REV_FAILED: ")
    assert found.observations[0].route.proxy == "http://127.0.0.1:8888"
    assert found.observations[0].logged is not None
    assert found.observations[0].logged.product == "gwmmo"
    assert found.remedy.startswith("Close Fiddler")


@pytest.mark.parametrize("name", SEEDS)
def test_the_whole_page_is_a_log_too(name: str) -> None:
    """Both forms in one file, and prose around them."""
    found = list(read_log(shared_seed(name)))
    assert sorted(a.verdict for a in found) == [Verdict.CLOCK_SKEWED, Verdict.INTERCEPTED]


# -- who issued it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LogKind)
@pytest.mark.parametrize("flags", [0x0, 0x1, 0x8, 0x9, 0x18, 0x21, 0x80000000])
def test_a_product_s_name_outranks_every_flag(kind: LogKind, flags: int) -> None:
    found = only(Incident(at(0), kind, flags=flags, certificate=FIDDLER))
    assert (found.rule, found.verdict) == ("log-interceptor", Verdict.INTERCEPTED)


def test_an_unknown_issuer_that_windows_does_not_trust() -> None:
    for went_to, rule in ((HERE, "log-local-interceptor"), (NEARBY, "log-local-interceptor"),
                          (GOOGLES_ADDRESS, "log-untrusted-issuer"), (None, "log-untrusted-issuer")):  # fmt: skip
        found = only(Incident(at(0), flags=0x9, certificate=NOBODY, went_to=went_to))
        assert (found.rule, found.verdict, found.confidence) == (rule, Verdict.INTERCEPTED, Confidence.LIKELY)
        assert "log-root-not-trusted" in codes(found)
        assert found.attribution is None


def test_an_unknown_issuer_that_windows_trusts_is_a_weak_hint() -> None:
    found = only(Incident(at(0), flags=0x1, certificate=NOBODY))
    assert (found.rule, found.verdict, found.confidence) == ("log-foreign-issuer", Verdict.INTERCEPTED, Confidence.WEAK)
    assert "log-root-trusted" in codes(found)


def test_an_honest_proxy_of_the_machine_is_no_interceptor() -> None:
    for went_to in (HERE, NEARBY):
        found = only(Incident(at(0), flags=0x1, certificate=GOOGLE, went_to=went_to))
        assert (found.rule, found.verdict) == ("log-revocation-unavailable", Verdict.INCONCLUSIVE)
        assert {"log-ends-here", "log-ends-nearby"} & codes(found)


@pytest.mark.parametrize("flags", [0x1, 0x8, 0x9])
def test_an_interceptor_s_own_host_is_not_intercepted(flags: int) -> None:
    """Its own certificate for its own web pages, say; with a complaint of the name it stands in for Google."""
    issuer = ("US", "California", "Sunnyvale", "Fortinet", "Certificate Authority", "FGT60F0000000000")
    own = replace(NOBODY, subject=("fw.corp.example",), issuer=issuer)
    found = only(Incident(at(0), flags=flags, certificate=own, went_to=NEARBY))
    assert (found.rule, found.verdict) == ("log-other-name", Verdict.INCONCLUSIVE)
    assert "xempt" not in found.remedy
    assert only(Incident(at(0), flags=flags | 0x10, certificate=own)).verdict is Verdict.INTERCEPTED
    assert only(Incident(at(0), flags=flags, certificate=replace(own, subject=("*.google.com",)))).attribution


def test_google_s_name_that_windows_does_not_trust_is_not_decided() -> None:
    found = only(Incident(at(0), flags=0x8, certificate=GOOGLE))
    assert (found.rule, found.verdict) == ("log-issuer-untrusted", Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("issuer", [("US", "DigiCert Inc", "www.digicert.com", "DigiCert High Assurance CA-3"),
                                    ("BE", "GlobalSign nv-sa", "GlobalSign Organization Validation CA")])  # fmt: skip
def test_a_public_authority_is_never_an_interceptor_by_its_name(issuer: tuple[str, ...]) -> None:
    certificate = replace(GOOGLE, issuer=issuer)
    assert only(Incident(at(0), flags=0x1, certificate=certificate)).rule == "log-unexpected-ca"
    assert only(Incident(at(0), flags=0x8, certificate=certificate)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("missing", range(3))
def test_a_certificate_of_which_lines_are_missing_accuses_nobody(missing: int) -> None:
    """Without the line `Google Trust Services` the issuer is nobody known, and would be an interceptor."""
    lines = list(log([Incident(at(0), flags=0x9, certificate=GOOGLE)]).lines)
    begin = lines.index("---Issuer----")
    cut = lines[: begin + 1 + missing] + lines[lines.index("-------------") + 1 :]
    (found,) = of_text("\n".join(cut))
    assert (found.rule, found.verdict) == ("log-block-damaged", Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("flags", [0x1, 0x9])
@pytest.mark.parametrize(
    "subject",
    [
        ("*.google.com", "---Issuer----", "US", "Google Trust Services", "WR2", "-------------"),
        ("*.google.com", "---Issuer----", "US", "Google Trust Services", "WR2"),
        ("*.google.com", "-------------"),
        ("*.google.com", "---Subject---", "x"),
    ],
)
def test_headings_in_a_name_hide_nobody(flags: int, subject: tuple[str, ...]) -> None:
    """A certificate may say anything in its names, the headings of the log too."""
    forged = replace(FIDDLER, subject=subject, not_before=at(-(10**8)), not_after=at(-9 * 10**7))
    found = only(Incident(at(0), flags=flags, certificate=forged))
    assert found.rule == "log-block-damaged"
    assert "Fiddler" in sentence(found, "log-name-in-damage")


@pytest.mark.parametrize("added", ["Google Inc", "Google Trust Services", "Amazon", "DigiCert Inc"])
@pytest.mark.parametrize("certificate", [FIDDLER, NOBODY])
def test_a_famous_value_among_others_makes_nobody_google(added: str, certificate: Certificate) -> None:
    for issuer in ((*certificate.issuer, added), (*certificate.issuer[:2], added, certificate.issuer[2])):
        found = only(Incident(at(0), flags=0x9, certificate=replace(certificate, issuer=issuer)))
        # It may be Google's with a line too many.
        unclear = certificate is NOBODY and "Google" in added
        assert found.rule == ("log-issuer-untrusted" if unclear else found.rule)
        assert (found.verdict is Verdict.INTERCEPTED) is not unclear


def test_a_line_that_is_missing_or_too_many_makes_no_interceptor_of_google() -> None:
    """Nothing tells that a line is missing where the others are in order."""
    for issuer in (GOOGLE.issuer[:2], GOOGLE.issuer[1:], (*GOOGLE.issuer, "mail.acme.example")):
        found = only(Incident(at(0), flags=0x1, certificate=replace(GOOGLE, issuer=issuer)))
        assert found.verdict is Verdict.INCONCLUSIVE
    lines = list(log([Incident(at(0), flags=0x9, certificate=GOOGLE)]).lines)
    other = "2026-03-02T09:00:00.000+00:00 2b2b A:Sync gsync32!Sync::Run @ 12 ()> Subject of message:"
    lines[lines.index("-------------") : lines.index("-------------")] = [other, "Zscaler Root CA"]
    (found,) = of_text("\n".join(lines))
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_portal_s_name_beside_google_s_hides_nobody() -> None:
    both = replace(NOBODY, subject=("securelogin.arubanetworks.com", "*.google.com"))
    assert only(Incident(at(0), flags=0x9, certificate=both)).verdict is Verdict.INTERCEPTED


@pytest.mark.parametrize(
    "issuer",
    [
        ("US", "Let's Encrypt", "R3"),
        ("AT", "ZeroSSL", "ZeroSSL RSA Domain Secure Site CA"),
        ("US", "Entrust, Inc.", "(c) 2012 Entrust, Inc.", "Entrust Certification Authority - L1K"),
        ("US", "Arizona", "Scottsdale", "GoDaddy.com, Inc.", "http://certs.godaddy.com/repository/", "Go Daddy G2"),
        ("GB", "Greater Manchester", "Salford", "Sectigo Limited", "Sectigo RSA Domain Validation Secure Server CA"),
        ("US", "CloudFlare, Inc.", "San Francisco", "CloudFlare Inc ECC CA-3"),
        ("ZA", "Thawte Consulting (Pty) Ltd.", "Thawte SGC CA"),
    ],
)
def test_authorities_that_are_no_root_today_are_public_too(issuer: tuple[str, ...]) -> None:
    for flags in (0x1, 0x8):
        found = only(Incident(at(0), flags=flags, certificate=replace(GOOGLE, issuer=issuer)))
        assert found.verdict in (Verdict.UNEXPECTED_CA, Verdict.INCONCLUSIVE)
        assert issuer[1] in found.explanation or len(issuer) > 3


def test_codes_that_say_why_need_no_update_of_the_tool() -> None:
    for code, rule in (
        (0x80092013 - 0x80070000, "log-revocation-code"),
        (0x800B0109 - 0x80070000, "log-issuer-unprinted"),
        (12045, "log-issuer-unprinted"),
    ):
        line = f"Error result 5, hr = 0x{0x80070000 + code:08x}. Setting event 0."
        trace = f"2026-03-02T09:00:00.000+00:00 1a20 E:Network gsync32!WinHttp::HandleCallback @ 2071 ()> {line}"
        (found,) = of_text(trace)
        assert found.rule == rule
        assert "pdate the sync tool" not in found.remedy
    assert of_text(trace.replace(f"{0x80070000 + 12045:08x}", "00000000")) == []


def test_what_another_thread_writes_between_is_a_weak_hint() -> None:
    lines = list(log([Incident(at(0), flags=0x9, certificate=FIDDLER)]).lines)
    other = "2026-03-02T09:00:00.000+00:00 2b2b A:Sync gsync32!Sync::Run @ 12 ()> Subject of message:"
    lines.insert(lines.index("---Issuer----") + 1, other)
    (found,) = of_text("\n".join(lines))
    assert (found.verdict, found.confidence) == (Verdict.INTERCEPTED, Confidence.WEAK)
    assert "log-mixed-lines" in codes(found)


@pytest.mark.parametrize("certificate", [FIDDLER, NOBODY])
def test_messages_between_those_of_a_failure_weaken_nothing(certificate: Certificate) -> None:
    """In a log without threads too: only within a certificate they make it doubtful whose lines are whose."""
    parts = messages(Incident(at(0), LogKind.AUTHORISATION, flags=0x9, certificate=certificate))
    between = authorisation_line(at(0), "Refreshing the token.", level="INFO")
    (found,) = of_text("\n".join(line for part in parts for line in (between, *part)))
    assert (found.verdict, found.confidence) == (Verdict.INTERCEPTED, Confidence.LIKELY)


def test_only_a_complaint_counts_and_no_quotation() -> None:
    lines = log([Incident(at(0), flags=0x9, certificate=FIDDLER)]).text
    for level in "AVID":
        assert of_text(lines.replace(" E:", f" {level}:")) == []


def test_a_destination_s_name_says_nothing_but_a_name() -> None:
    name = "Status: 0x00010000. Info 0x00000008"
    found = only(Incident(at(0), flags=0x1, certificate=GOOGLE, went_to=("142.250.74.10", 443, name)))
    assert found.rule == "log-revocation-unavailable"
    assert found.observations[0].logged is not None
    assert found.observations[0].logged.name == name


# -- for whom -------------------------------------------------------------------------------------------------------

PORTAL = Certificate(("login.hotel.example",), ("US", "Let's Encrypt", "R3"), GOOGLE.not_before, GOOGLE.not_after)


def test_another_host() -> None:
    found = only(Incident(at(0), flags=0x10, certificate=PORTAL))
    assert (found.verdict, found.confidence) == (Verdict.WRONG_HOST, Confidence.LIKELY)
    assert "login.hotel.example" in found.explanation
    assert only(Incident(at(0), flags=0x10)).confidence is Confidence.WEAK


def test_another_host_without_a_complaint_may_be_meant() -> None:
    for flags in (0x1, 0x8, 0x9):
        assert only(Incident(at(0), flags=flags, certificate=PORTAL)).rule == "log-other-name"


# -- when -----------------------------------------------------------------------------------------------------------


def with_clock(days: float, kind: LogKind = LogKind.TRACE) -> Assessment:
    """By a clock so many days after the end of Google's certificate, before its beginning where negative."""
    edge = GOOGLE.not_after if days >= 0 else GOOGLE.not_before
    return only(Incident(edge + timedelta(days=days), kind, flags=0x1, certificate=GOOGLE))


@pytest.mark.parametrize(
    ("days", "verdict"),
    [(29, Verdict.CLOCK_SKEWED), (-29, Verdict.CLOCK_SKEWED), (27, Verdict.INCONCLUSIVE), (-27, Verdict.INCONCLUSIVE)],
)
def test_more_than_28_days_is_the_clock(days: float, verdict: Verdict) -> None:
    found = with_clock(days)
    assert found.verdict is verdict
    assert ("ahead" if days > 0 else "behind") in "".join(f.sentence for f in found.findings)


def test_a_clock_without_a_zone_may_be_14_hours_off() -> None:
    assert with_clock(28.5, LogKind.TRACE).verdict is Verdict.CLOCK_SKEWED
    assert with_clock(28.5, LogKind.AUTHORISATION).rule == "log-expired-or-clock"
    assert with_clock(28.6, LogKind.AUTHORISATION).verdict is Verdict.CLOCK_SKEWED
    assert with_clock(0.5, LogKind.TRACE).rule == "log-expired-or-clock"
    assert with_clock(0.5, LogKind.AUTHORISATION).rule == "log-revocation-unavailable"


def test_dates_of_a_foreign_certificate_say_nothing_of_the_clock() -> None:
    old = replace(NOBODY, not_before=datetime(2015, 1, 1, tzinfo=UTC), not_after=datetime(2016, 1, 1, tzinfo=UTC))
    found = only(Incident(at(0), flags=0x29, certificate=old))
    assert found.verdict is Verdict.INTERCEPTED
    assert "certificate-expired" in codes(found)
    assert not {c for c in codes(found) if c.startswith("log-clock-a") or c.startswith("log-clock-b")}


# -- what else ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "rule", "verdict"),
    [
        (0x1, "log-revocation-unavailable", Verdict.INCONCLUSIVE),
        (0x2, "log-malformed", Verdict.INCONCLUSIVE),
        (0x4, "log-revoked", Verdict.REVOKED),
        (0x5, "log-revoked", Verdict.REVOKED),
        (0x20, "log-date-inside", Verdict.INCONCLUSIVE),
        (0x40, "log-malformed", Verdict.INCONCLUSIVE),
        (0x80000000, "log-channel", Verdict.UNREACHABLE),
        (0x0, "log-unexplained", Verdict.INCONCLUSIVE),
        (0x100, "log-unexplained", Verdict.INCONCLUSIVE),
    ],
)
def test_flags_of_google_s_certificate_in_time(flags: int, rule: str, verdict: Verdict) -> None:
    found = only(Incident(at(0), flags=flags, certificate=GOOGLE))
    assert (found.rule, found.verdict) == (rule, verdict)


def test_revocation_that_is_the_cause_is_a_finding_of_its_own() -> None:
    found = only(Incident(at(0), flags=0x1, certificate=GOOGLE))
    assert "port 80" in sentence(found, "revocation-unavailable")
    assert "port 80" in found.remedy


def test_revoked_is_grave_even_beside_something_else() -> None:
    found = only(Incident(at(0), flags=0x4, certificate=NOBODY))
    assert found.verdict is Verdict.INTERCEPTED
    assert next(f for f in found.findings if f.code == "log-revoked-certificate").severity is Severity.HIGH


@pytest.mark.parametrize("kind", LogKind)
@pytest.mark.parametrize(
    ("code", "verdict", "rule"),
    [
        (12002, Verdict.UNREACHABLE, "log-timeout"),
        (12007, Verdict.UNREACHABLE, "log-dns"),
        (12029, Verdict.UNREACHABLE, "log-tcp"),
        (12030, Verdict.UNREACHABLE, "log-reset"),
        (12152, Verdict.UNREACHABLE, "log-not-tls"),
        (12156, Verdict.CAPTIVE_PORTAL, "log-portal"),
        (12167, Verdict.UNREACHABLE, "log-proxy-script"),
        (12175, Verdict.INCONCLUSIVE, "log-without-details"),
        (12188, Verdict.UNREACHABLE, "log-proxy-tls"),
        (12044, Verdict.INCONCLUSIVE, "log-client-certificate"),
        (10061, Verdict.UNREACHABLE, "log-refused"),
        (9999, Verdict.INCONCLUSIVE, "log-unknown-code"),
    ],
)
def test_failures_of_the_network(kind: LogKind, code: int, verdict: Verdict, rule: str) -> None:
    for went_to in (None, GOOGLES_ADDRESS, HERE):
        found = only(Incident(at(0), kind, code=code, went_to=went_to))
        down = went_to is HERE and rule in ("log-timeout", "log-tcp", "log-refused")
        assert (found.verdict, found.rule) == (verdict, "log-proxy-down" if down else rule)
        assert found.remedy


def test_a_name_that_leads_to_the_machine_itself_is_no_blocked_port() -> None:
    for address in ("127.0.0.1", "0.0.0.0", "::1"):
        found = only(Incident(at(0), code=12029, went_to=(address, 443, "PC-7")))
        assert found.rule == "log-led-nearby"
        assert "hosts file" in found.remedy


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(407, Verdict.BLOCKED), (403, Verdict.BLOCKED), (502, Verdict.UNREACHABLE), (511, Verdict.CAPTIVE_PORTAL)],
)
def test_what_a_proxy_answers(status: int, verdict: Verdict) -> None:
    assert only(Incident(at(0), http_status=status, went_to=NEARBY)).verdict is verdict


def test_an_error_of_a_server_of_google_s_is_no_failure_of_the_network() -> None:
    line = "2026-03-02T09:00:00.000+00:00 1a20 E:Calendar gsync32!Sync::Run @ 12 ()> Request failed, HTTP status {}"
    assert of_text("\n".join(line.format(status) for status in (403, 404, 429, 500, 502, 503))) == []


def test_a_code_is_named_and_not_the_status_beside_it() -> None:
    line = "2026-03-02T09:00:00.000+00:00 1a20 E:Sync gsync32!Sync::Run @ 12 ()> HTTP status 200, hr = 0x80072efe"
    (found,) = of_text(line)
    assert sentence(found, "log-code").startswith("Windows reported ERROR_WINHTTP_CONNECTION_ERROR (0x80072efe): ")


@pytest.mark.parametrize(
    ("message", "rule", "host"),
    [
        ("InternetOpenUrl failed with error 12029", "log-tcp", "unknown"),
        ("Error 12007 from WinHttpSendRequest", "log-dns", "unknown"),
        ("Request to www.googleapis.com failed, error code: 12002", "log-timeout", "www.googleapis.com"),
        ("Request to mail.google.com: Proxy authentication required (407)", "log-proxy-auth", "mail.google.com"),
        ("Mail of x@mail.google.com was not sent, hr = 0x80072ee2", "log-timeout", "unknown"),
        ("Sending failed, hr = -2147012889", "log-dns", "unknown"),
        ("Sending failed with 0x80072ee7", "log-dns", "unknown"),
    ],
)
def test_numbers_and_hosts_in_other_forms(message: str, rule: str, host: str) -> None:
    (found,) = of_text(f"> {trace_line(at(0), message)}\n")
    assert (found.rule, found.endpoint.host) == (rule, host)


@pytest.mark.parametrize(
    "message",
    [
        "Cannot read \\\\fileserver\\pst\\zoe.pst, hr = 0x80070040",
        "Cannot read \\\\fileserver\\pst\\zoe.pst, hr = 0x80070079",
        "Signature of message 7 cannot be checked, hr = 0x800b010c",
        "Reading proxyAddresses of x@example.com, HTTP status 403",
    ],
)
def test_what_other_parts_of_a_tool_fail_at_is_nothing_of_the_network(message: str) -> None:
    assert of_text(f"{trace_line(at(0), message, category='Migration')}\n") == []
    if "hr" in message:  # what is of connections counts, whoever says it
        assert of_text(f"{trace_line(at(0), f'Connection lost: {message}', category='Migration')}\n")
        assert of_text(f"{trace_line(at(0), message)}\n")
    winhttp = message.replace("80070040", "80072ee2")
    assert len(of_text(f"{trace_line(at(0), winhttp, category='Migration')}\n")) == (winhttp != message)


@pytest.mark.parametrize(
    "message", ["Message (407) was refused", "Error 12 of 12007 items", "Code 12345", "error 1200"]
)
def test_numbers_that_are_of_something_else(message: str) -> None:
    assert of_text(f"{trace_line(at(0), message)}\n") == []


def test_a_refusal_and_the_tls_failure_after_it_are_two() -> None:
    refusal = "2026-03-02T09:00:00.000+00:00 1a20 E:Network gsync32!Http::Ask @ 7 ()> Proxy says HTTP status 407\n"
    found = of_text(refusal + log([Incident(at(1), flags=0x9, certificate=FIDDLER)]).text)
    assert [each.verdict for each in found] == [Verdict.BLOCKED, Verdict.INTERCEPTED]


def test_a_cancelled_request_is_no_failure() -> None:
    assert read(Incident(at(0), code=12017), Incident(at(60), code=12032)) == []


# -- told together ----------------------------------------------------------------------------------------------------


def proxy_then_direct(first: Incident, second: Incident | None) -> Sequence[Assessment]:
    first = replace(first, kind=LogKind.AUTHORISATION, retry="direct (without proxy)")
    again = [replace(second, kind=LogKind.AUTHORISATION, via="no proxy")] if second else []
    return read(first, *again)


def test_the_direct_try_after_the_proxy_is_the_same_story() -> None:
    fiddler = Incident(at(0), flags=0x9, certificate=FIDDLER, went_to=HERE)
    (found,) = proxy_then_direct(fiddler, Incident(at(1), code=12002))
    assert found.verdict is Verdict.INTERCEPTED  # the worse of the two
    assert len(found.observations) == 2
    told = sentence(found, "log-retried")
    assert "intercepted" in told
    assert "unreachable" in told


def test_a_direct_try_that_fails_no_more_is_said_to_be_untold() -> None:
    (found,) = proxy_then_direct(Incident(at(0), code=12029), None)
    assert "log-retry-untold" in codes(found)
    assert len(found.observations) == 1


def test_a_failure_long_after_is_another_story() -> None:
    assert len(proxy_then_direct(Incident(at(0), code=12029), Incident(at(600), code=12029))) == 2


def test_callers_repeat_a_code_and_it_counts_once() -> None:
    first = log([Incident(at(0), code=12007)]).text
    again = "2026-03-02T09:00:01.000+00:00 1a20 E:Sync gsync32!Sync::Send @ 9 ()> Sending failed, hr = 0x80072ee7\n"
    assert len(of_text(first + again * 3)) == 1
    assert len(of_text(again)) == 1  # an older version tells no more
    assert len(of_text(again * 3)) == 3
    of_another = again.replace("failed", "https://mail.google.com/ failed")
    assert len(of_text(first + of_another)) == 1  # the call named none
    of_one = again.replace("failed", "https://www.googleapis.com/ failed").replace("@ 9", "@ 8")
    assert len(of_text(first + of_one + of_another)) == 2


def test_a_stand_in_is_said_of_each() -> None:
    stand_in = Trust.load(ROOT / "testcerts" / "google-like-root.pem")
    text = log([Incident(at(0), flags=0x9, certificate=FIDDLER)]).text.encode()
    (found,) = read_log(io.BytesIO(text), trust=stand_in)
    assert "trust-stand-in" in codes(found)


# -- what is asked for ------------------------------------------------------------------------------------------------


def test_a_span_of_time() -> None:
    text = log([Incident(at(60 * n), code=12007) for n in range(10)]).text.encode()
    inside = list(read_log(io.BytesIO(text), since=at(120), until=at(300)))
    assert len(inside) == 4
    assert list(read_log(io.BytesIO(text), since=at(6000))) == []


def test_interceptors_of_one_s_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'schema_version = 1\n[[interceptor]]\nid = "ours"\nproduct = "Our proxy"\nvendor = "Us"\n'
        'kind = "enterprise-proxy"\ncertainty = "observed"\nsource = "us"\n'
        "[interceptor.issuer_patterns]\nO = 'Beispiel Straßenbau GmbH'\nCN = 'Beispiel Prüf-CA \\d'\n",
        encoding="utf-8",
    )
    text = log([Incident(at(0), flags=0x1, certificate=NOBODY)]).text.encode()
    (found,) = read_log(io.BytesIO(text), interceptors=own)
    assert found.attribution is not None
    assert found.attribution.id == "ours"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1", "here"), ("::1", "here"), ("::ffff:127.0.0.1", "here"), ("0.0.0.0", "here"),
        ("10.0.0.7", "private"), ("100.64.0.9", "private"), ("fe80::1", "private"), ("fd00::1", "private"),
        ("::ffff:192.168.1.1", "private"), ("64:ff9b::a00:7", "private"),
        ("142.250.74.10", "outside"), ("2a00:1450:4001:80b::200a", "outside"), ("::ffff:142.250.74.10", "outside"),
        ("64:ff9b::8efa:4a0a", "outside"), ("64:ff9b:1::8efa:4a0a", "outside"),  # through a translator
    ],
)  # fmt: skip
def test_where_an_address_is(address: str, place: PlaceFact) -> None:
    assert place_of(address) == place


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("The request failed: HTTP status 200, hr = 0x80072efe", "0x80072efe"),
        ("The request failed: HTTP status 407, hr = 0x80004005", "(407)"),
        ("The request failed at the proxy with HTTP status 407.", "(407)"),
    ],
)
def test_the_number_that_is_shown_is_the_one_that_is_told_of(message: str, number: str) -> None:
    (found,) = of_text(trace_line(at(0), message) + "\n")
    (code,) = (each for each in found.findings if each.code == "log-code")
    assert number in code.sentence
    assert "HTTP 200" not in found.explanation


def test_where_it_went_is_where_the_try_went_that_decided() -> None:
    pair = retried(
        Incident(at(0), code=12030, went_to=HERE),
        Incident(at(2), flags=0x8, certificate=NOBODY, went_to=GOOGLES_ADDRESS),
    )
    (found,) = of_text(log(pair).text)
    assert found.verdict is Verdict.INTERCEPTED
    assert went(found) == "outside"


@pytest.mark.parametrize(
    ("flags", "rule"),
    [(0x9, "log-issuer-unprinted"), (0x28, "log-issuer-unprinted"), (0x29, "log-issuer-unprinted"),
     (0x8, "log-issuer-unprinted"), (0x1, "log-revocation-code"), (0x20, "log-expired-or-clock")],
)  # fmt: skip
def test_a_complaint_of_the_issuer_outranks_others_where_no_certificate_is_printed(flags: int, rule: str) -> None:
    assert only(Incident(at(0), flags=flags)).rule == rule


@pytest.mark.parametrize("gone", range(3))
@pytest.mark.parametrize("flags", [0x1, 0x8, 0x9, 0x29])
def test_a_line_of_google_s_issuer_that_is_missing_accuses_nobody(gone: int, flags: int) -> None:
    issuer = (*GOOGLE.issuer[:gone], *GOOGLE.issuer[gone + 1 :])
    found = only(Incident(at(0), flags=flags, certificate=replace(GOOGLE, issuer=issuer)))
    assert found.verdict is Verdict.INCONCLUSIVE


def test_a_certificate_for_another_host_does_not_name_the_one_that_was_asked_for() -> None:
    found = only(Incident(at(0), flags=0x10, certificate=GOOGLE))
    assert (found.rule, found.endpoint.host) == ("log-wrong-host", "unknown")
    assert "*.googleapis.com" in found.explanation
    assert "*.googleapis.com" not in found.remedy


def test_a_code_that_refuses_a_certificate_is_named_with_what_it_means() -> None:
    (found,) = of_text(trace_line(at(0), "Error result 5, hr = 0x80096004") + "\n")
    assert "TRUST_E_CERT_SIGNATURE" in found.explanation
    assert "no flag" not in found.explanation


def test_good_without_a_zone_is_said_to_be_so() -> None:
    almost = Incident(GOOGLE.not_after + timedelta(hours=11), LogKind.AUTHORISATION, flags=0x1, certificate=GOOGLE)
    assert "as far as a clock without a zone tells" in only(almost).explanation
    assert "a clock without" not in only(replace(almost, time=at(0))).explanation


PROXY = ("10.1.2.3", 8080, "proxy")


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (Incident(at(0), code=12007, went_to=None), Incident(at(1), code=12029), ("12007", "12029")),
        (Incident(at(0), code=12029, went_to=PROXY), Incident(at(1), code=12029),
         ("proxy at 10.1.2.3:8080", "refused or")),
        (Incident(at(0), code=12029, went_to=PROXY), Incident(at(1), flags=0x1, certificate=GOOGLE),
         ("proxy at 10.1.2.3:8080", "is revoked")),
    ],
)  # fmt: skip
def test_what_became_of_both_tries_is_told(first: Incident, second: Incident, words: tuple[str, str]) -> None:
    (found,) = of_text(log(retried(first, second)).text)
    assert "First, with WinHTTP proxy:" in found.explanation
    assert "Then direct (without proxy):" in found.explanation
    number = {"12007": "00002ee7", "12029": "00002efd"}
    for word in words:
        assert number.get(word, word) in found.explanation
    # Where the proxy of a network does not answer, no other way need be open.
    assert ("port 443 to" in found.remedy) is (first.went_to != PROXY)


def test_a_failure_lies_in_a_time_where_one_of_its_tries_does() -> None:
    text = log(retried(Incident(at(0), code=12029), Incident(at(90), code=12029))).text
    for since, until, count in ((at(80), None, 1), (None, at(10), 1), (at(100), None, 0), (None, at(-1), 0)):
        assert len(list(read_log(io.BytesIO(text.encode()), since=since, until=until))) == count


@pytest.mark.parametrize(
    ("via", "went_to", "proxy"),
    [
        ("WinHTTP proxy", ("10.1.2.3", 80, "proxy.corp.example"), "http://10.1.2.3:80"),
        ("WinHTTP proxy", ("165.225.72.38", 9400, "fra4.sme.zscaler.net"), "http://165.225.72.38:9400"),
        ("WinHTTP proxy", GOOGLES_ADDRESS, None),  # which is also said where the settings name none
        ("no proxy", ("10.1.2.3", 80, "x"), None),  # a name that leads into the network
        ("direct connection", GOOGLES_ADDRESS, None),
        ("direct (without proxy)", ("10.1.2.3", 443, "x"), None),
    ],
)
def test_what_the_log_calls_a_proxy_is_one(via: str, went_to: tuple[str, int, str], proxy: str | None) -> None:
    found = only(Incident(at(0), LogKind.AUTHORISATION, code=12029, via=via, went_to=went_to))
    assert found.route.proxy == proxy
    assert found.rule == ("log-proxy-down" if proxy else "log-tcp" if went_to == GOOGLES_ADDRESS else "log-led-nearby")


def test_three_ways_are_one_story() -> None:
    tries = [
        Incident(at(0), LogKind.AUTHORISATION, code=12029, retry="IE proxy"),
        Incident(at(1), LogKind.AUTHORISATION, code=12007, via="IE proxy", retry="direct (without proxy)"),
        Incident(at(2), LogKind.AUTHORISATION, flags=0x9, certificate=FIDDLER, via="direct (without proxy)"),
    ]
    (found,) = read(*tries)
    assert (found.verdict, len(found.observations)) == (Verdict.INTERCEPTED, 3)
    said = [found.explanation.index(word) for word in ("First, with WinHTTP", "Then IE proxy:", "Then direct (")]
    assert said == sorted(said)
    told = [each for each in found.findings if each.code == "log-retried"]
    assert [each.values["second"] for each in told] == ["unreachable", "intercepted"]
    (untold,) = read(*tries[:2])
    assert {"log-retried", "log-retry-untold"} <= codes(untold)


SELF_SIGNED = ("US", "California", "Mountain View", "Google Inc", "*.google.com")


@pytest.mark.parametrize(
    ("subject", "issuer"),
    [
        (("accounts.google.com",), ("accounts.google.com",)),
        (SELF_SIGNED, SELF_SIGNED),
        (("*.google.com",), ("DE", "Acme", "Acme Google Inspection CA")),
        (("*.google.com",), ("Googleplex Ltd", "CA")),
    ],
)
def test_google_somewhere_in_an_issuer_s_name_hides_nobody(subject: tuple[str, ...], issuer: tuple[str, ...]) -> None:
    found = only(Incident(at(0), flags=0x9, certificate=replace(NOBODY, subject=subject, issuer=issuer)))
    assert (found.verdict, found.confidence) == (Verdict.INTERCEPTED, Confidence.LIKELY)


def test_a_vendor_s_own_certificate_whose_lines_are_mixed_accuses_nobody() -> None:
    vendor = replace(
        GOOGLE, subject=("US", "Fortinet", "update.fortinet.com"), issuer=("US", "DigiCert Inc", "DigiCert Global CA")
    )
    one, other = (
        [line for message in messages(Incident(at(0), flags=flags, certificate=c, thread=thread)) for line in message]
        for flags, c, thread in ((0x1, vendor, "b2"), (0x9, GOOGLE, "a1"))
    )
    begin, cut = one.index("DigiCert Inc"), other.index("WR2")
    for gone in (begin, begin - 1):  # the organisation alone, or the country too
        lines = [*one[:gone], *other[:cut], *one[gone : begin + 1], *other[cut:], *one[begin + 1 :]]
        assert all(each.verdict is not Verdict.INTERCEPTED for each in of_text("\n".join(lines)))


COMPANY = Certificate(
    ("DE", "Corp GmbH", "server.corp.example"), ("DE", "Corp GmbH", "Corp CA"), NOBODY.not_before, NOBODY.not_after
)


@pytest.mark.parametrize("seed", range(20))
def test_no_lines_of_innocent_failures_between_each_other_accuse_anybody(seed: int) -> None:
    """Google's certificate and a company's own, of two or three threads, torn apart anywhere."""
    chance = random.Random(seed)
    for _ in range(100):
        incidents = [innocent(number, chance) for number in range(chance.choice((2, 3)))]
        left = [[line for message in messages(each) for line in message] for each in incidents]
        lines: list[str] = []
        while any(left):
            turn = chance.choice([lines_left for lines_left in left if lines_left])
            for _ in range(chance.randrange(1, 9)):
                lines += [turn.pop(0)] if turn else []
        for found in of_text("\n".join(lines)):
            assert found.verdict is not Verdict.INTERCEPTED, lines


def innocent(number: int, chance: random.Random) -> Incident:
    """At nearly the same time: threads write between each other's lines within moments."""
    flags = chance.choice((None, 0x1, 0x8, 0x9, 0x10, 0x20, 0x4, 0x29))
    return Incident(
        at(number / 10),
        chance.choice(tuple(LogKind)),
        flags=flags,
        certificate=chance.choice((GOOGLE, COMPANY, None)) if flags is not None else None,
        code=12175 if flags is not None else 12007,
        went_to=chance.choice((GOOGLES_ADDRESS, HERE, None)),
        thread=f"{0x100 + number:x}",
    )
