"""A redacted report holds nothing that names a company, a user or a machine, in any form in which it is written."""

import base64
import io
import json
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tlsinspect
from tests.conftest import run
from tlsinspect import Trust
from tlsinspect.certificate import Certificate, escaped, quietly
from tlsinspect.endpoints import load_profile
from tlsinspect.evidence.catalogue import with_interceptors
from tlsinspect.evidence.clock import Bounds
from tlsinspect.evidence.truststores import Store, Stores
from tlsinspect.jsonform import from_json, to_json
from tlsinspect.judge import Observed, judge_run
from tlsinspect.judge.advice import advice
from tlsinspect.judge.conclude import clock_of, conclusions
from tlsinspect.judge.establish import Context
from tlsinspect.judge.ticket import ticket
from tlsinspect.lab import pki
from tlsinspect.lab.pki import Authority, Issued, name
from tlsinspect.model import (
    SCHEMA_VERSION,
    Assessment,
    Connection,
    Endpoint,
    Failure,
    Fetch,
    FetchOutcome,
    HttpAnswer,
    Observation,
    PassedOver,
    ProxyAnswer,
    Reach,
    Reachability,
    Reason,
    Report,
    Route,
    Row,
    Stage,
    Tls,
    TrustStore,
)
from tlsinspect.model import Authority as Signs
from tlsinspect.redaction import anonymous, redacted, redacted_assessment
from tlsinspect.report.as_json import document, lines, schema
from tlsinspect.report.table import PlainConsole, render
from tlsinspect.scrub import Rule, replacing
from tlsinspect.text import printable

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOST = "www.google.com"
ROUTE = Route("http://proxy7.acme.example:3128", "HTTPS_PROXY")


Notes = Sequence[tuple[str, Mapping[str, str]]]


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


def report(*observations: Observation, trust: Trust | None = None, notes: Notes = (), place: str = "") -> Report:
    """Everything a scan says of them. notes: of where the proxies come from; place: of a store that cannot be read."""
    trust = trust or Trust.default()
    named = TrustStore("node", "NODE_EXTRA_CA_CERTS", place, "adds", system=False, problem="no such file")
    stores = Stores((Store(named),) if place else ())
    context = Context(trust, Bounds(NOW, trust.released), stores=stores)
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
        conclusions=conclusions(judged, (), notes),
        advice=advice(judged.assessments),
        ticket=ticket(judged, (), NOW),
        stores=stores.facts(),
        roots=judged.roots,
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
    "two letters": (
        tenant((ORGANISATION, "EY"), (COMMON, "EY Root CA"), names=(HOST, "*.ey.example")),
        None,
        ("o=ey", '"ey', "ey root", "ey.example"),
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


@pytest.mark.parametrize("short", ["EY", "A", "is", "é", "<>"])
def test_the_shortest_names_are_gone(short: str) -> None:
    """They stand in other words: what goes is the part of a name, and what is said of it in quotes."""
    issued = tenant((ORGANISATION, short), (COMMON, f"{short} Root CA"), (UNIT, "Zscaler"))
    unnamed = tenant((ORGANISATION, short))
    for chain in (issued.ders, issued.ders[:1], unnamed.ders):
        before = report(observation(chain))
        after = redacted(before, Trust.default())
        shapes = (f"O={short}", f'"{short}"', f'"{short}\\"', f"O={escaped(short)}", f"{short} Root")
        assert leaks(before, shapes), "the report has nothing to hide"
        assert leaks(after, shapes) == []
        assert [root.subject for root in after.roots] == [after.assessments[0].issuer]
        assert "O=<O-1>" in (after.assessments[0].issuer or "")
        assert HOST in after.assessments[0].explanation


def test_a_short_number_is_no_number_of_ours() -> None:
    after = redacted(report(observation(tenant((ORGANISATION, "1")).ders)), Trust.default())
    found = next(f for f in after.conclusions if f.code == "all-intercepted")
    assert (found.values["n"], found.values["of"]) == ("1", "1")
    assert 'issued by "<O-1>"' in after.assessments[0].explanation


def test_a_word_inside_the_products_name_is_not_the_products() -> None:
    parts = ((COMMON, "Zscaler Root CA"), (ORGANISATION, "Zscaler Inc."), (UNIT, "scaler"))
    after = redacted(report(observation(tenant(*parts).ders)), Trust.default())
    assert after.assessments[0].attribution is not None
    assert after.assessments[0].issuer == "OU=<OU-1>, O=Zscaler Inc., CN=<CN-1>"


def test_what_a_row_of_ones_own_spells_out_is_private(tmp_path: Path) -> None:
    """The shipped catalogue spells out names of products; one's own spells out the company's."""
    file = tmp_path / "acme-rows.toml"
    file.write_text(
        "[[interceptor]]\nid = 'own'\nproduct = 'Box'\nvendor = 'Somebody'\nkind = 'enterprise-proxy'\n"
        "certainty = 'observed'\nsource = 'us'\nissuer_patterns = { CN = 'Quux TLS', O = 'Quux GmbH' }\n"
    )
    trust = with_interceptors(Trust.default(), file)
    before = report(observation(tenant((ORGANISATION, "Quux GmbH"), (COMMON, "Quux TLS")).ders), trust=trust)
    after = redacted(before, trust)
    assert len({secret for _, secret in leaks(before, ("quux", "acme-rows"))}) == 2
    assert leaks(after, ("quux", "acme-rows")) == []
    assert after.assessments[0].attribution is not None
    assert (after.assessments[0].attribution.id, after.assessments[0].attribution.product) == ("own", "Box")


def test_a_host_that_was_asked_for_is_not_taken_apart() -> None:
    after = redacted(report(observation(tenant((ORGANISATION, "google"), (UNIT, "com")).ders)), Trust.default())
    assert HOST in after.assessments[0].explanation
    assert "O=<O-1>" in (after.assessments[0].issuer or "")


# -- what names the ways --------------------------------------------------------------------------------------------

SCRIPT = "http://wpad.quux.example/wpad.dat"
_PROXY_CHAIN = pki.self_signed("secretbox.quux.example", NOW)
MET: dict[str, dict[str, Any]] = {
    "an HTTPS proxy's chain": {"proxy": ProxyAnswer(200, chain=_PROXY_CHAIN.ders)},
    "a proxy that is not trusted": {
        "proxy": ProxyAnswer(407, ("Basic",), distrust="its certificate does not name other.quux.example")
    },
    "a proxy known by one label": {
        "proxy": ProxyAnswer(407, ("Basic",), distrust="its certificate does not name quux1")
    },
    "proxies passed over": {"passed_over": (PassedOver("http://box1.quux.example:3128", Reason.TIMEOUT),)},
    "a script that fails": {
        "stage": Stage.PROXY, "tls": None, "http": None, "first_bytes": None,
        "failure": Failure(Stage.PROXY, Reason.PROXY_SCRIPT, f'PAC {SCRIPT}: it answers "PROXY quux1:x"'),
    },
    "a script in a file": {
        "stage": Stage.PROXY, "tls": None, "http": None, "first_bytes": None,
        "failure": Failure(Stage.PROXY, Reason.PROXY_SCRIPT, "PAC /etc/quux/a (1).pac (WinINET): its process ended"),
        "route": Route(None, "PAC /etc/quux/a (1).pac (WinINET)"),
    },
    "a comment in Via": {"http": HttpAnswer(200, NOW, NOW, via="1.1 google (node7.quux.example, quuxbox/2)")},
    "a machine in Via": {"http": HttpAnswer(200, NOW, NOW, via="HTTP/1.1 quux7:3128 (squid/5.7), 1.0 quux (x(quux))")},
}  # fmt: skip


@pytest.mark.parametrize("case", MET)
def test_no_machine_on_the_way_is_named(case: str) -> None:
    seen = replace(observation(CASES["company"][0].ders, route=replace(ROUTE, origin="--proxy")), **MET[case])
    secrets = ("quux", base64.b64encode(_PROXY_CHAIN.ders[0])[:60].decode())
    before = report(seen)
    after = redacted(before, Trust.default())
    hidden = replace(after, assessments=tuple(_without_origin(a) for a in after.assessments))
    assert leaks(before, secrets), "the report has nothing to hide"
    assert leaks(hidden, secrets) == []
    assert redacted(hidden, Trust.default()) == hidden


@pytest.mark.parametrize("case", MET)
def test_nor_by_what_a_probe_met(case: str) -> None:
    seen = replace(observation(CASES["company"][0].ders, route=replace(ROUTE, origin="--proxy")), **MET[case])
    before = replace(report(observation(CASES["company"][0].ders)), probes=(replace(seen, slice="h2"),))
    after = redacted(before, Trust.default())
    (probe,) = after.probes
    hidden = replace(after, probes=(replace(probe, route=replace(probe.route, origin="")),))
    assert leaks(before, ("quux",)) or "chain" in case
    assert leaks(hidden, ("quux", base64.b64encode(_PROXY_CHAIN.ders[0])[:60].decode())) == []


def test_nor_by_plain_http() -> None:
    """The same troubles, at port 80 and where revocation lists were asked for."""
    trouble = f'PAC /etc/quux/a.pac: it answers "PROXY quux1:x", {SCRIPT}'
    http = Endpoint("c.pki.goog", 80, False, Signs.GOOGLE, (Row(url="http://c.pki.goog/"),))
    route = Route("http://box.quux.example:3128", "PAC /etc/quux/a.pac")
    row = Reachability(http, route, Reach.REFUSED, f"no way: {trouble}", address="9.9.9.9")
    fetch = Fetch("http://c.pki.goog/x.crl", "crl", FetchOutcome.PROXY, trouble, address="9.9.9.9", route=route)
    before = replace(report(observation(CASES["company"][0].ders)), reachability=(row,), fetches=(fetch,))
    after = redacted(before, Trust.default())
    assert len({secret for _, secret in leaks(before, ("quux", "9.9.9.9"))}) == 2
    hidden = replace(
        after,
        reachability=tuple(replace(r, route=replace(r.route, origin="")) for r in after.reachability),
        fetches=tuple(replace(f, route=replace(f.route, origin="")) for f in after.fetches),
    )
    assert leaks(hidden, ("quux", "9.9.9.9")) == []
    assert after.reachability[0].endpoint == http


def _without_origin(assessment: Assessment) -> Assessment:
    """Where a route was named is another test's."""
    seen = tuple(replace(o, route=replace(o.route, origin="")) for o in assessment.observations)
    return replace(assessment, route=replace(assessment.route, origin=""), observations=seen)


def test_a_proxy_called_proxy_changes_no_sentence() -> None:
    seen = observation(CASES["company"][0].ders, route=Route("http://proxy:3128", "HTTPS_PROXY"))
    after = redacted(report(seen, notes=[("proxy-autodetect", {"origin": "WinINET"})]), Trust.default())
    assert "to look for a proxy script" in next(f for f in after.conclusions if f.code == "proxy-autodetect").sentence
    assert after.assessments[0].route.proxy == "http://proxy:3128"


def test_products_in_via_stay() -> None:
    http = HttpAnswer(200, NOW, NOW, via="1.1 box-12.acme.example (squid/5.7), HTTP/1.0 google")
    after = redacted(report(replace(observation(CASES["company"][0].ders), http=http)), Trust.default())
    answer = after.assessments[0].observations[0].http
    assert answer is not None
    assert answer.via == "1.1 <proxy> (squid/5.7), HTTP/1.0 google"


def test_addresses_of_proxies_are_hidden_and_those_of_the_host_stay() -> None:
    by_proxy = replace(observation(CASES["company"][0].ders), addresses=("10.20.30.40", "8.8.4.4"))
    resolved_here = replace(by_proxy, address_source="dns", addresses=("142.250.74.36",))
    tried = (Connection("9.9.9.9", 3128, "timeout", 1.0), Connection("142.250.74.36", 443, "connected", 0.1))
    passed = (PassedOver("http://box:3128", Reason.TIMEOUT),)
    direct = replace(resolved_here, route=Route(), address="142.250.74.36", connections=tried, passed_over=passed)
    found = [redacted(report(each), Trust.default()) for each in (by_proxy, resolved_here, direct)]
    assert [each.assessments[0].observations[0].addresses for each in found] == [
        ("<proxy>", "<proxy>"),
        ("142.250.74.36",),
        ("142.250.74.36",),
    ]
    assert [c.address for c in found[2].assessments[0].observations[0].connections] == ["<proxy>", "142.250.74.36"]
    local = replace(by_proxy, addresses=(), address="127.0.0.1", route=Route("http://127.0.0.1:8888", "--proxy"))
    assert redacted(report(local), Trust.default()).assessments[0].observations[0].address == "127.0.0.1"


NOTES: dict[str, dict[str, str]] = {
    "proxy-settings-differ": {
        "used": "WinHTTP (http://a.quux.example:1)", "other": "WinINET",
        "settings": f"http://b.quux.example:80, http://quux7:81, the script {SCRIPT}",
    },
    "proxy-script-unavailable": {
        "origin": "WinINET", "why": "its certificate does not name pac.quux.example",
    },
    "proxy-setting-unusable": {"origin": "WinINET", "why": "WinINET: not the address of a proxy (quux.example)"},
}  # fmt: skip


@pytest.mark.parametrize("code", NOTES)
def test_settings_that_are_spoken_of_name_nobody(code: str) -> None:
    before = report(observation(CASES["company"][0].ders), notes=[(code, NOTES[code])])
    after = redacted(before, Trust.default())
    assert leaks(before, ("quux",)), "the report has nothing to hide"
    assert leaks(after, ("quux",)) == []
    assert code in {f.code for f in after.conclusions}


def test_the_place_of_a_store_is_hidden_where_it_is_said_too() -> None:
    before = report(observation(CASES["company"][0].ders), place="/opt/quux/ca.pem")
    assert leaks(before, ("quux",)), "the report has nothing to hide"
    after = redacted(before, Trust.default())
    assert leaks(after, ("quux",)) == []
    assert "NODE_EXTRA_CA_CERTS (<file>)" in next(f for f in after.conclusions if f.code == "store-unreadable").sentence


def test_a_stand_in_is_not_named(tmp_path: Path, google: pki.GoogleLike) -> None:
    file = tmp_path / "quux-roots.pem"
    file.write_bytes(google.roots_pem)
    trust = Trust.load(file)
    before = report(observation(CASES["company"][0].ders), trust=trust)
    after = redacted(before, trust)
    assert leaks(before, ("quux",)), "the report has nothing to hide"
    assert leaks(after, ("quux",)) == []
    assert after.trust.name == "stand-in <file>"


def test_names_that_nobody_speaks_of_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes certificates for many hosts, each with thousands of names, must not keep the report waiting."""
    sizes: list[int] = []

    def counted(secrets: Mapping[str, str], as_spelt: Mapping[str, str]) -> Rule:
        sizes.append(len(secrets) + len(as_spelt))
        return replacing(secrets, as_spelt)

    monkeypatch.setattr("tlsinspect.redaction.replacing", counted)
    authority = pki.plain_corporate(NOW)
    hosts = [f"w{n}.googleapis.com" for n in range(4)]
    many = [f"quux{n:04}.example" for n in range(2000)]
    seen = [observation(authority.issue([many[0], host, *many]).ders, host) for host in hosts]
    before = report(*seen)
    after = redacted(before, Trust.default())
    assert len(sizes) == 1, "made once a report"
    assert sizes[0] < 100
    assert leaks(after, ("quux",)) == []
    elsewhere = replace(seen[0], host="x.googleapis.com", address_source="hosts of quux1999.example and quux1998")
    assert leaks(redacted(report(elsewhere), Trust.default()), ("quux1999",)) == []


@pytest.mark.parametrize("filling", ["a", "a@", ":", "1", "1.", "<", ".", "a.", "@", "/", "a-", "…", "“", "é"])
def test_what_a_proxy_says_without_end_is_gone_through_soon(filling: str) -> None:
    said = filling * (60_000 // len(filling))
    seen = observation(CASES["company"][0].ders)
    http = HttpAnswer(302, NOW, NOW, location=f"https://{said}", server=said, via=said)
    proxy = ProxyAnswer(407, (said,), server=said, location=said, distrust=said)
    before = report(replace(seen, http=http, proxy=proxy, address_source=said))
    begun = time.process_time()
    redacted(before, Trust.default())
    assert time.process_time() - begun < 5, "going through it once for each of its characters takes half a minute"


def test_a_redacted_report_is_a_report() -> None:
    after = redacted(report(observation(CASES["company"][0].ders)), Trust.default())
    jsonschema.Draft202012Validator(schema()).validate(json.loads(document(after)))
    assert from_json(Report, to_json(after)) == after
    assert any(line.startswith("Redacted:") for line in written(after)["table False"].splitlines())
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


_LABEL = st.builds("qxzj{}{}".format, st.text("qxzj0123456789-", max_size=20), st.sampled_from("qxzj0123456789"))
_MACHINE = st.builds(lambda label, domain: f"{label}{domain}", _LABEL, st.sampled_from(["", ".corp.example", ".de"]))
_TWO = st.text("QXZJÜ漢9", min_size=1, max_size=2).filter(lambda short: not short.isdecimal())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_MACHINE, min_size=7, max_size=7), _TWO, _TWO)
def test_no_machine_and_no_short_name_survives(machines: list[str], one: str, other: str) -> None:
    """Wherever a scan meets a machine, and however little a company's name has of letters."""
    proxy, passed, wpad, untrusted, via, mirror, setting = machines
    script = f"http://{wpad}/{wpad}.dat"
    seen = replace(
        observation(
            tenant((ORGANISATION, one), (UNIT, other), (COMMON, one)).ders, route=Route(f"http://{proxy}:3128")
        ),
        passed_over=(PassedOver(f"https://{passed}:443", Reason.TIMEOUT),),
        proxy=ProxyAnswer(407, ("Basic",), distrust=f"its certificate does not name {untrusted}", location=script),
        failure=Failure(Stage.PROXY, Reason.PROXY_SCRIPT, f'PAC {script} (WinINET): it answers "PROXY {mirror}:x"'),
        http=HttpAnswer(302, NOW, NOW, via=f"1.1 {via}:80 (on {via})", location=f"https://{mirror}/?{mirror}"),
    )
    unfinished = replace(seen, host="oauth2.googleapis.com", tls=None, http=None, stage=Stage.PROXY)
    said = {"used": f"WinHTTP (http://{setting}:80)", "other": "WinINET", "settings": f"the script {script}"}
    before = report(seen, unfinished, notes=[("proxy-settings-differ", said)], place=f"/opt/{setting}/ca.pem")
    after = redacted(before, Trust.default())
    names = (f"O={one}", f"OU={other}", f'"{one}"')
    assert len({secret for _, secret in leaks(before, names)}) == len(set(names))
    assert leaks(after, ("qxzj", *names)) == []


def _core(value: str) -> list[str]:
    """The part of it that is found nowhere else."""
    begin = next(i for i, c in enumerate(value) if value[i : i + 1] == "Q" and len(value) > i + 6)
    return [value[begin : begin + 7]]


def _long(*parts: x509.ObjectIdentifier | str) -> x509.Name:
    """A name with values longer than X.520 allows."""
    pairs = zip(parts[::2], parts[1::2], strict=True)
    attributes = [(oid, str(value)) for oid, value in pairs if isinstance(oid, x509.ObjectIdentifier)]
    return quietly(lambda: x509.Name([x509.NameAttribute(oid, value, _validate=False) for oid, value in attributes]))


def test_no_name_of_a_product_moves_the_cursor() -> None:
    """The catalogue refuses such names; what is shown does not rest on that."""
    before = report(observation(CASES["zap"][0].ders))
    (assessment,) = before.assessments
    assert assessment.attribution is not None
    hostile = replace(assessment.attribution, product="Box\x1b[2J\u202e\nforged")
    shown = written(replace(before, assessments=(replace(assessment, attribution=hostile),)))["table False"]
    assert "Box<U+001B>[2J<U+202E><U+000A>forged (likely)" in shown
    assert not re.search("[\x1b\u202e]|\n *forged", shown)


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


OWN_PROFILE = """
name = "quux-net"
title = "Quux network"
source = "the network team of Quux"

[[endpoint]]
url = "https://127.0.0.1:{port}/"
purpose = "Quux gateway"
"""


@pytest.mark.parametrize("form", ["table", "json"])
def test_a_profile_of_ones_own_is_not_named(form: str, tmp_path: Path) -> None:
    file = tmp_path / "quux.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        file.write_text(OWN_PROFILE.format(port=taken.getsockname()[1]))
    asked = (
        "scan",
        "--profile",
        str(file),
        "--proxy",
        "none",
        "--offline",
        "--no-cache",
        "--format",
        form,
        "--verbose",
    )
    plain, hidden = run(*asked, extra=WIDE), run(*asked, "--redact", extra=WIDE)
    assert plain.status == hidden.status == 3
    assert "quux" in plain.out.casefold()
    assert "quux" not in hidden.out.casefold()
    if form == "json":
        found = json.loads(hidden.out)
        assert found["profile"] == found["assessments"][0]["endpoint"]["rows"][0]["profile"] == "<profile>"


def test_shipped_profiles_are_named_and_own_ones_that_are_called_so_are_not() -> None:
    shipped = load_profile("gwsmo")
    assert anonymous(shipped) == shipped
    assert anonymous(replace(shipped, title="Quux network")).title == shipped.title
    own = replace(endpoint().rows[0], profile="gwsmo", purpose="Quux gateway")
    seen = observation(CASES["company"][0].ders)
    before = report(seen)
    rows = (shipped.endpoints[0].rows[0], own)
    assessed = replace(before.assessments[0], endpoint=replace(endpoint(), rows=rows, authority_file="/quux/ca.pem"))
    after = redacted(replace(before, assessments=(assessed,)), Trust.default()).assessments[0].endpoint
    assert after.rows == (rows[0], replace(own, purpose=""))
    assert after.authority_file == "<file>"


def test_classify_does_not_name_the_stand_in(tmp_path: Path, google: pki.GoogleLike) -> None:
    chain, roots = tmp_path / "chain.pem", tmp_path / "quux-roots.pem"
    chain.write_bytes(CASES["company"][0].pem)
    roots.write_bytes(google.roots_pem)
    asked = ("classify", str(chain), "--host", HOST, "--at", NOW.isoformat(), "--format", "json", "--trust", str(roots))
    plain, hidden = run(*asked), run(*asked, "--redact")
    assert "quux-roots" in plain.out
    assert "quux" not in hidden.out
    assert json.loads(hidden.out)["trust"]["name"] == "stand-in <file>"
