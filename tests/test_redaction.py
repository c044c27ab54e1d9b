"""A redacted report holds nothing that names a company, a user or a machine, in any form in which it is written."""

import io
import json
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tlsinspect
from tests.conftest import run
from tlsinspect import Trust
from tlsinspect.certificate import Certificate, quietly
from tlsinspect.evidence.clock import Bounds
from tlsinspect.jsonform import from_json, to_json
from tlsinspect.judge import Observed, judge_run
from tlsinspect.judge.conclude import clock_of, conclusions
from tlsinspect.judge.establish import Context
from tlsinspect.lab import pki
from tlsinspect.lab.pki import Authority, Issued, name
from tlsinspect.model import (
    SCHEMA_VERSION,
    Connection,
    Endpoint,
    Failure,
    Fetch,
    FetchOutcome,
    HttpAnswer,
    Observation,
    ProxyAnswer,
    Reach,
    Reachability,
    Reason,
    Report,
    Route,
    Row,
    Stage,
    Tls,
)
from tlsinspect.model import Authority as Signs
from tlsinspect.redaction import redacted, redacted_assessment
from tlsinspect.report.as_json import document, lines, schema
from tlsinspect.report.table import PlainConsole, render
from tlsinspect.text import printable

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOST = "www.google.com"
ROUTE = Route("http://proxy7.acme.example:3128", "HTTPS_PROXY")


def endpoint(host: str = HOST) -> Endpoint:
    return Endpoint(host, 443, True, Signs.GOOGLE, (Row(url=f"https://{host}/"),))


def observation(chain: tuple[bytes, ...], host: str = HOST, route: Route = ROUTE) -> Observation:
    """What a scan sees behind a company's proxy that says more of itself than it should."""
    return Observation(
        host=host,
        port=443,
        route=route,
        started=NOW,
        stage=Stage.HTTP,
        connections=(Connection("10.20.30.40", 3128, "connected", 0.01),),
        address="10.20.30.40",
        address_source="proxy",
        proxy=ProxyAnswer(200, server="Squid at box-12.acme.example", location="http://box-12.acme.example/x?u=jdoe"),
        tls=Tls("large", True, chain, staple=b"Acme", protocol="TLSv1.3"),
        first_bytes=b"jdoe at Acme",
        http=HttpAnswer(
            302, NOW, NOW, location="https://login.acme.example/?user=jdoe", via="1.1 box-12.acme.example (squid/5.7)"
        ),
    )


def report(*observations: Observation) -> Report:
    trust = Trust.default()
    context = Context(trust, Bounds(NOW, trust.released))
    judged = judge_run([Observed(endpoint(seen.host), (seen,)) for seen in observations], context)
    return Report(
        schema_version=SCHEMA_VERSION,
        tool="tlsinspect test",
        profile="gwsmo",
        started=NOW,
        finished=NOW,
        trust=trust.facts,
        clock=clock_of(judged),
        assessments=judged.assessments,
        conclusions=conclusions(judged, ()),
    )


def written(found: Report) -> dict[str, str]:
    """Every form in which a report leaves; the table so wide that no name is folded."""
    forms = {"json": document(found), "jsonl": "".join(lines(found))}
    for form in ("json", "jsonl"):  # what is escaped there is still there
        forms[f"{form} read"] = "\n".join(
            json.dumps(json.loads(line), ensure_ascii=False)
            for line in (forms[form].splitlines() if form == "jsonl" else [forms[form]])
        )
    for verbose in (False, True):
        out = io.StringIO()
        console = PlainConsole(out)
        console.width = 10_000
        render(found, "gwsmo", console, verbose=verbose)
        forms[f"table {verbose}"] = out.getvalue()
    return forms


def leaks(found: Report, secrets: tuple[str, ...]) -> list[tuple[str, str]]:
    return [
        (form, secret)
        for form, text in written(found).items()
        for secret in secrets
        for shape in {secret, printable(secret), json.dumps(secret)[1:-1]}
        if shape.casefold() in text.casefold()
    ]


def tenant(*parts: tuple[x509.ObjectIdentifier, str], names: tuple[str, ...] = (HOST,)) -> Issued:
    return Authority.root(name(*parts), NOW).issue(list(names), send_root=True)


COMMON, ORGANISATION, UNIT, PLACE = (
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.LOCALITY_NAME,
)
CASES = {
    "fortigate": (
        tenant((ORGANISATION, "Fortinet"), (UNIT, "Certificate Authority"), (COMMON, "FG6H0FTB22903890")),
        "fortigate",
        ("FG6H0FTB22903890",),
    ),
    "netskope": (
        tenant((ORGANISATION, "Coupa Software"), (COMMON, "ca.coupa-ts.goskope.com")),
        "netskope-tenant",
        ("coupa",),
    ),
    "charles": (
        tenant(
            (ORGANISATION, "XK72 Ltd"),
            (UNIT, "https://charlesproxy.com/ssl"),
            (COMMON, "Charles Proxy CA (26 May 2023, jdoe-laptop)"),
        ),
        "charles",
        ("jdoe-laptop", "26 May 2023"),
    ),
    "zap": (
        tenant(
            (ORGANISATION, "OWASP Root CA"),
            (UNIT, "OWASP ZAP Root CA"),
            (COMMON, "OWASP Zed Attack Proxy Root CA"),
            (PLACE, "87b77fe834b0a301"),
        ),
        "zap",
        ("87b77fe834b0a301",),
    ),
    "company": (
        tenant(
            (ORGANISATION, "Acme, Inc."),
            (COMMON, "Acme TLS Inspection CA"),
            names=(HOST, "intranet.acme.example", "10.9.8.7"),
        ),
        None,
        ("acme", "10.9.8.7"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_names_the_customer_is_gone_and_the_product_stays(case: str) -> None:
    issued, product, secrets = CASES[case]
    before = report(observation(issued.ders))
    assert leaks(before, secrets), "the report has nothing to hide"
    after = redacted(before, Trust.default())
    common = ("acme", "jdoe", "box-12", "proxy7", "10.20.30.40")
    assert leaks(after, (*secrets, *common)) == []
    assert after.redacted
    assessment = after.assessments[0]
    assert (assessment.verdict, assessment.endpoint.host) == ("intercepted", HOST)
    assert (assessment.attribution.id if assessment.attribution else None) == product
    assert (assessment.attribution and assessment.attribution.product) == (
        before.assessments[0].attribution and before.assessments[0].attribution.product
    )
    assert [f.code for f in assessment.findings] == [f.code for f in before.assessments[0].findings]


def test_a_redacted_report_is_a_report() -> None:
    after = redacted(report(observation(CASES["company"][0].ders)), Trust.default())
    jsonschema.Draft202012Validator(schema()).validate(json.loads(document(after)))
    assert from_json(Report, to_json(after)) == after
    assert written(after)["table False"].rstrip().splitlines()[-1].startswith("Redacted:")
    assert redacted(after, Trust.default()) == after


def test_the_route_keeps_its_scheme_and_port() -> None:
    after = redacted(report(observation(CASES["company"][0].ders)), Trust.default())
    assert after.assessments[0].route == Route("http://<proxy>:3128", "HTTPS_PROXY")
    local = replace(ROUTE, proxy="http://127.0.0.1:8888")
    after = redacted(report(observation(CASES["company"][0].ders, route=local)), Trust.default())
    assert after.assessments[0].route == local


def test_octets_of_foreign_certificates_are_gone_and_key_hashes_stay() -> None:
    authority = pki.plain_corporate(NOW)
    seen = [observation(authority.issue([host], send_root=True).ders, host) for host in (HOST, "oauth2.googleapis.com")]
    after = redacted(report(*seen), Trust.default())
    for assessment in after.assessments:
        tls = assessment.observations[0].tls
        assert tls is not None
        assert (tls.chain, tls.staple) == ((), None)
        assert assessment.observations[0].first_bytes is None
        shared = next(f for f in assessment.findings if f.code == "same-issuing-key-many-hosts")
        key = Certificate(seen[0].tls.chain[1]).spki_sha256 if seen[0].tls else ""
        assert shared.values == {"spki_sha256": key}


@pytest.mark.parametrize("chain", [(b"Acme",), (b"0\x82\x01\x00Acme", b"\x30\x03Acme")])
def test_octets_that_nobody_can_read_are_gone_too(chain: tuple[bytes, ...]) -> None:
    after = redacted(report(observation(chain)), Trust.default())
    tls = after.assessments[0].observations[0].tls
    assert tls is not None
    assert tls.chain == ()


def test_a_genuine_chain_keeps_its_names(google: pki.GoogleLike, roots: Path, now: datetime) -> None:
    trust = Trust.load(roots)
    issued = google.wr2.issue([HOST])
    assessment = tlsinspect.classify(issued.ders, HOST, at=now + timedelta(minutes=1), trust=trust)
    after = redacted_assessment(assessment, trust)
    assert after.verdict == "genuine"
    assert after.observations[0].tls == assessment.observations[0].tls
    assert (after.path, after.issuer, after.explanation) == (assessment.path, assessment.issuer, assessment.explanation)


def test_this_machine_and_its_user_are_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "jdoe42")
    monkeypatch.setattr(socket, "gethostname", lambda: "jdoe-laptop.corp.example")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/jdoe42"))
    seen = replace(observation(CASES["company"][0].ders), address_source="/home/jdoe42/hosts of jdoe-laptop")
    after = redacted(report(seen), Trust.default())
    assert leaks(after, ("jdoe42", "jdoe-laptop", "corp.example")) == []


def test_a_user_called_like_a_word_of_ours_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    after = redacted(report(observation(CASES["company"][0].ders)), Trust.default())
    assert "a Google root" in after.assessments[0].explanation


PORTAL = b"HTTP/1.1 302 Found\r\nServer: acme-gateway\r\nLocation: http://login.acme.example/?user=jdoe\r\n\r\n"


def test_a_portal_that_answers_instead_is_not_named() -> None:
    seen = observation(())
    seen = replace(seen, stage=Stage.TLS, tls=None, http=None, first_bytes=PORTAL, proxy=None)
    before = report(replace(seen, failure=Failure(Stage.TLS, Reason.NOT_TLS)))
    assert before.assessments[0].verdict == "captive-portal"
    assert "login.acme.example" in before.assessments[0].explanation
    after = redacted(before, Trust.default())
    assert leaks(after, ("acme", "jdoe")) == []
    assert "a redirect to <elsewhere>" in after.assessments[0].explanation


@pytest.mark.parametrize(
    ("server", "shown"),
    [("acme-proxy", "<server>"), ("squid/5.7", "squid/5.7"), ("ESF", "ESF"), ("proxy", "proxy")],
)
def test_software_keeps_its_name_in_server(server: str, shown: str) -> None:
    seen = observation(CASES["company"][0].ders)
    assert seen.http is not None
    assert seen.proxy is not None
    seen = replace(seen, http=replace(seen.http, server=server), proxy=replace(seen.proxy, server=server))
    (after,) = redacted(report(seen), Trust.default()).assessments[0].observations
    assert after.http is not None
    assert after.proxy is not None
    assert (after.http.server, after.proxy.server) == (shown, shown)


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        ("PAC acme (jdoe).pac", "PAC <script>"),
        ("PAC http://wpad.acme.example/x.pac (WinINET)", "PAC <script> (WinINET)"),
        ("WPAD http://wpad.acme.example/wpad.dat", "WPAD <script>"),
        ("HTTPS_PROXY", "HTTPS_PROXY"),
    ],
)
def test_where_a_script_lies_is_not_told(origin: str, shown: str) -> None:
    route = replace(ROUTE, origin=origin)
    before = report(observation(CASES["company"][0].ders, route=route))
    asked = Fetch("http://c.pki.goog/x", "crl", FetchOutcome.TIMEOUT, route=route)
    (assessment,) = before.assessments
    row = Reachability(assessment.endpoint, route, Reach.TIMEOUT, "no answer")
    after = redacted(replace(before, fetches=(asked,), reachability=(row,)), Trust.default())
    routes = [after.assessments[0].route, after.assessments[0].observations[0].route]
    routes += [after.fetches[0].route, after.reachability[0].route]
    assert [each.origin for each in routes] == [shown] * 4
    assert leaks(after, ("acme", "jdoe")) == []


def test_two_authorities_are_told_apart() -> None:
    seen = [
        observation(tenant((ORGANISATION, who), (COMMON, f"{who} CA"), names=(host,)).ders, host)
        for who, host in (("Acme", HOST), ("Bcme", "oauth2.googleapis.com"), ("acme", "mail.google.com"))
    ]
    after = redacted(report(*seen), Trust.default())
    titles = [a.issuer_title for a in after.assessments]
    assert titles[0] == titles[2] != titles[1]
    assert [a.issuer for a in after.assessments[:2]] == ["CN=<CN-1>, O=<O-1>", "CN=<CN-2>, O=<O-2>"]
    for assessment in after.assessments[:2]:
        assert str(assessment.issuer_title) in assessment.explanation


# Values that also stand in a report for other reasons hide nothing; these cannot. Anything else may be around them.
_ODD = st.text(st.characters(exclude_categories=("Cs", "Cn", "Cc")), max_size=6)
_SECRET = st.builds(
    lambda before, core, after: f"{before}Q{core}{after}",
    _ODD,
    st.text("QXZJ0123456789", min_size=6, max_size=30),
    st.one_of(_ODD, st.just("x" * 300), st.just(', O="Acme"; <b>')),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_SECRET, min_size=3, max_size=3, unique=True), st.sampled_from((ORGANISATION, UNIT, PLACE)))
def test_no_private_value_survives(values: list[str], second: x509.ObjectIdentifier) -> None:
    own, leaf = _long(COMMON, values[0], second, values[1]), _long(COMMON, HOST, UNIT, values[2])
    names = [HOST, "qxzj.internal"]
    issued = quietly(lambda: Authority.root(own, NOW).issue(names, subject=leaf, send_root=True))
    after = redacted(report(observation(issued.ders)), Trust.default())
    cores = tuple(core for value in values for core in _core(value))
    assert leaks(after, (*values, *cores, "qxzj.internal")) == []


def _core(value: str) -> list[str]:
    """The part of it that is found nowhere else."""
    begin = next(i for i, c in enumerate(value) if value[i : i + 1] == "Q" and len(value) > i + 6)
    return [value[begin : begin + 7]]


def _long(*parts: x509.ObjectIdentifier | str) -> x509.Name:
    """A name with values longer than X.520 allows."""
    pairs = zip(parts[::2], parts[1::2], strict=True)
    attributes = [(oid, str(value)) for oid, value in pairs if isinstance(oid, x509.ObjectIdentifier)]
    return quietly(lambda: x509.Name([x509.NameAttribute(oid, value, _validate=False) for oid, value in attributes]))


WIDE = {"COLUMNS": "1000"}


# -- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["table", "json"])
def test_classify_redacts(form: str, tmp_path: Path) -> None:
    file = tmp_path / "chain.pem"
    file.write_bytes(CASES["company"][0].pem)
    plain = run("classify", str(file), "--host", HOST, "--at", NOW.isoformat(), "--format", form, extra=WIDE)
    hidden = run(
        "classify", str(file), "--host", HOST, "--at", NOW.isoformat(), "--format", form, "--redact", extra=WIDE
    )
    assert plain.status == hidden.status == 1
    assert "Acme" in plain.out
    assert "acme" not in hidden.out.casefold()
    if form == "json":
        assert json.loads(hidden.out)["redacted"] is True
        parts = {"$defs": schema()["$defs"], "$ref": "#/$defs/Classification"}
        jsonschema.Draft202012Validator(parts).validate(json.loads(hidden.out))
    else:
        assert hidden.out.rstrip().splitlines()[-1].startswith("Redacted:")
