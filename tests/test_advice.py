"""What is advised: the first row that fits, never an exemption for an attacker, each piece once; and the ticket."""

import hashlib
import string
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.x509.oid import NameOID

from tests.conftest import ROOT, options, resolve, run
from tests.faults import fault, tls_server
from tests.test_observe import Lab, by_host, look, make_lab
from tests.test_scan import network
from tlsinspect.conductor import scan
from tlsinspect.endpoints import load_profile, shipped_profiles
from tlsinspect.evidence.attribution import NOT_PRODUCTS
from tlsinspect.judge.advice import ASKS, CONDITIONS, TARGETS, Case, clients_of, remedies, remedy_for
from tlsinspect.judge.logs.rules import LOG_RULES, LogRule
from tlsinspect.judge.rules import RULES, UNDESCRIBED, Rule
from tlsinspect.judge.ticket import LONGEST_LIST
from tlsinspect.judge.words import fill, wording
from tlsinspect.lab.pki import Authority, GoogleLike, fiddler, impersonator, name, plain_corporate, zscaler
from tlsinspect.model import Report, Verdict

CATALOGUE = tomllib.loads((ROOT / "trust" / "interceptors.toml").read_text(encoding="utf-8"))["interceptor"]
PRODUCTS = [row for row in CATALOGUE if row["kind"] not in NOT_PRODUCTS]
# Nobody is asked to let these go on.
ATTACKS = {"malware", "compromised-root", "government", "misissued-subca", "isp", "pentest-tool"}
INCIDENTS = {"known-forgery", "leaked-key", "state-interception", "issuer-impersonated"}


def of_product(rule: Rule, row: dict[str, str]) -> Case:
    return Case(rule.id, str(rule.verdict), product=row["id"], vendor=row["vendor"], kind=row["kind"])


def of_nobody(rule: Rule | LogRule) -> Case:
    return Case(rule.id, str(rule.verdict))


INTERCEPTED = next(rule for rule in RULES if rule.id == "intercepted")
EVERY_RULE: tuple[Rule | LogRule, ...] = (*RULES, UNDESCRIBED, *LOG_RULES)


# -- the data --------------------------------------------------------------------------------------------------------


def test_every_condition_is_one_that_is_known_and_can_hold() -> None:
    known = {
        "rule": {rule.id for rule in EVERY_RULE},
        "verdict": set(map(str, Verdict)),
        "kind": {row["kind"] for row in CATALOGUE},
        "product": {row["id"] for row in CATALOGUE},
        "vendor": {row["vendor"] for row in CATALOGUE},
        "profile": {*shipped_profiles(), TARGETS},
        "client": {client for profile in (*shipped_profiles(), TARGETS) for client in clients_of(profile)},
    }
    assert set(known) == set(CONDITIONS)
    for row in remedies():
        assert row.when, "a row without a condition would hide all that follow"
        assert row.ask in ("", *ASKS)
        for condition, values in row.when.items():
            assert values <= known[condition], row


def test_every_row_is_reached() -> None:
    """A row behind a more general one would never be read."""
    reached = {remedy_for(of_nobody(rule)).text for rule in EVERY_RULE}
    reached |= {remedy_for(of_product(INTERCEPTED, row)).text for row in PRODUCTS}
    assert {row.text for row in remedies() if "client" not in row.when} == reached


def test_whatever_a_product_or_a_client_calls_its_settings_has_a_source() -> None:
    told = [row for row in remedies() if {"product", "vendor", "client"} & set(row.when)]
    assert len(told) > 20
    for row in told:
        assert row.source, row.text


def test_every_client_of_a_profile_is_advised() -> None:
    advised = {client for row in remedies() for client in row.when.get("client", ())}
    for profile in (*shipped_profiles(), TARGETS, "somebody's own"):
        assert set(clients_of(profile)) <= advised
    assert clients_of("somebody's own") == clients_of(TARGETS)


def test_every_placeholder_is_filled() -> None:
    """`values` gives these; what it does not give is said as "unknown"."""
    source = (ROOT / "tlsinspect" / "judge" / "values.py").read_text(encoding="utf-8")
    fields = {field for row in remedies() for _, field, _, _ in string.Formatter().parse(row.text) if field}
    assert {"host", "by_name", "in_product"} <= fields
    for field in fields:
        assert f'"{field}"' in source


@pytest.mark.parametrize("rule", [r for r in RULES if r.verdict is Verdict.INTERCEPTED], ids=lambda r: r.id)
def test_nobody_is_asked_to_exempt_an_attacker(rule: Rule) -> None:
    """Whatever product the names are those of: who bears a known authority's name without its key is an attacker."""
    for row in PRODUCTS:
        found = remedy_for(of_product(rule, row))
        dangerous = rule.id in INCIDENTS or (row["kind"] in ATTACKS and row["id"] != "burp")
        assert found.ask == ("incident" if dangerous else "exempt"), row["id"]
        if dangerous:
            assert "xempt" not in found.text


def test_no_client_is_told_to_trust_what_nobody_runs() -> None:
    """An authority is added to a client only for a product that organisations run, and never for an unknown one."""
    managed = {"cloud-swg", "firewall", "enterprise-proxy", "school-filter"}
    for row in remedies():
        if "client" in row.when and "authority" in row.text:
            assert row.when["kind"] <= managed
            assert "Where your organisation confirms" in row.text


def test_a_ticket_has_words_for_every_verdict_it_can_be_about() -> None:
    asking = {rule.verdict for rule in RULES if rule.step > 1 and remedy_for(of_nobody(rule)).ask}
    assert asking <= set(wording()["ticket"]["proof"])
    assert set(ASKS) <= set(wording()["ticket"])


def test_many_values_are_listed_whole_and_escaped() -> None:
    hosts = tuple(f"host-{n}.example" for n in range(100))
    assert fill("{hosts}", {"hosts": hosts}) == ", ".join(hosts)
    assert fill("{hosts}", {"hosts": ("a\x1b[31m", "{b}")}) == "a<U+001B>[31m, {b}"


# -- whole scans -----------------------------------------------------------------------------------------------------

GENUINE, FIDDLER, ZSCALER, SECOND, FALSE, OWN, DEAF = (
    "oauth2.googleapis.com", "www.googleapis.com", "mail.google.com", "drive.google.com", "accounts.google.com",
    "docs.google.com", "chat.google.com",
)  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="module")
def report(lab: Lab) -> Iterator[Report]:
    gateway, now = zscaler(lab.now), lab.now
    servers = {
        GENUINE: lab.google.wr2.issue([GENUINE]),
        FIDDLER: fiddler(now).issue([FIDDLER], send_root=True),
        ZSCALER: gateway.issue([ZSCALER]),
        SECOND: gateway.issue([SECOND]),
        FALSE: impersonator(now).issue([FALSE]),
        OWN: lab.google.wr2.issue(["sites.google.com"]),
    }
    with network(servers) as places, fault("nothing-listening") as deaf:
        yield look(lab, {**places, DEAF: deaf})


def test_each_remedy_once_with_its_hosts(report: Report) -> None:
    told = {each.hosts: each.text for each in report.advice if not each.client}
    assert f"{ZSCALER} and {SECOND} in Zscaler" in told[ZSCALER, SECOND]
    assert "Do Not Inspect" in told[ZSCALER, SECOND]
    assert f"Close Fiddler, or leave {FIDDLER} out" in told[FIDDLER,]
    assert "incident response" in told[FALSE,]
    assert f"port 443 to {DEAF}" in told[DEAF,]
    assert not any(GENUINE in each.hosts or GENUINE in each.text for each in report.advice)
    assert report.advice[0].hosts == (FALSE,), "what cannot wait comes first"


def test_the_remedy_of_a_host_names_it_alone(report: Report) -> None:
    assert f"Exempt {ZSCALER} in Zscaler, by server name (SNI)" in by_host(report)[ZSCALER].remedy


def test_clients_are_advised_about_the_managed_gateway_alone(report: Report) -> None:
    told = {each.client: each for each in report.advice if each.client}
    assert set(told) == set(clients_of(TARGETS))
    assert all(each.hosts == (ZSCALER, SECOND) and each.source for each in told.values())
    assert "NODE_EXTRA_CA_CERTS" in told["npm"].text


def test_the_ticket_has_all_that_is_needed(report: Report) -> None:
    ticket = report.ticket
    incident, exempt, allow, explain = (wording()["ticket"][ask].split(".")[0].split(":")[0] for ask in
                                        ("incident", "exempt", "allow", "explain"))  # fmt: skip
    assert ticket.index(FALSE) < ticket.index(incident) < ticket.index(ZSCALER) < ticket.index(exempt)
    assert ticket.index(exempt) < ticket.index(allow) < ticket.index(explain)
    assert f"{ZSCALER}:443, {SECOND}:443" in ticket
    assert f"{DEAF}:443" in ticket
    assert "(likely Zscaler Internet Access)" in ticket
    assert "no signature leads from it to a Google root" in ticket
    assert f"{report.started:%Y-%m-%d}" in ticket.splitlines()[0]
    assert "direct" in ticket.splitlines()[0]
    assert "single process" in ticket.splitlines()[0]
    assert "ended on this machine" in ticket.splitlines()[1]
    assert GENUINE not in ticket
    tls = by_host(report)[ZSCALER].observations[0].tls
    assert tls is not None
    assert hashlib.sha256(tls.chain[1]).hexdigest() in ticket  # of the authority that was sent


def test_nothing_is_asked_where_all_is_well(lab: Lab) -> None:
    with tls_server(lab.google.wr2.issue([GENUINE])) as server:
        found = look(lab, {GENUINE: server})
    assert (found.ticket, found.advice) == ("", ())


@pytest.mark.parametrize(
    ("offline", "asked"),
    [(True, "crl.pki.goog:80, ocsp.pki.goog:80"), (False, "c.pki.goog:80, o.pki.goog:80")],
    ids=["as listed", "as the certificates name them"],
)
def test_the_hosts_of_revocation_lists_are_asked_for_where_they_are_needed(lab: Lab, offline: bool, asked: str) -> None:
    listed = ("crl.pki.goog", "ocsp.pki.goog")
    with tls_server(lab.google.wr2.issue([GENUINE])) as server, fault("nothing-listening") as deaf:
        found = scan(
            [GENUINE, *(f"http://{host}" for host in listed)],
            trust=lab.trust,
            proxy="none",
            timeout=3,
            offline=offline,
            cache=False,
            time_service=False,
            resolve=[
                *resolve({GENUINE: server}),
                *resolve(dict.fromkeys((*listed, "c.pki.goog", "o.pki.goog"), deaf), 80),
            ],
        )
    assert by_host(found)[GENUINE].verdict is Verdict.GENUINE
    opening, asking = found.ticket.splitlines()
    assert "direct" in opening
    assert asking.endswith(f"unchanged: {asked}.")


def test_inspection_that_is_expected_is_no_matter_for_a_ticket(lab: Lab, tmp_path: Path) -> None:
    profile = tmp_path / "own.toml"
    profile.write_text(f'[[endpoint]]\nurl = "https://{ZSCALER}/"\nexpectation = "inspected"\n')
    with tls_server(zscaler(lab.now).issue([ZSCALER])) as server:
        found = scan(profile=str(profile), trust=lab.trust, proxy="none", offline=True,
                     resolve=resolve({ZSCALER: server}))  # fmt: skip
    assert [a.verdict for a in found.assessments] == [Verdict.INTERCEPTED]
    assert (found.ticket, found.advice) == ("", ())


def test_the_sync_client_is_told_about_the_local_firewall(lab: Lab) -> None:
    hosts = {e.host for e in load_profile("gwsmo").endpoints if e.tls}
    with fault("nothing-listening") as deaf, fault("nothing-listening") as plain:
        rows = {e.host for e in load_profile("gwsmo").endpoints if not e.tls}
        found = scan(profile="gwsmo", trust=lab.trust, proxy="none", offline=True, timeout=3,
                     resolve=[*resolve(dict.fromkeys(hosts, deaf)), *resolve(dict.fromkeys(rows, plain), 80)],
                     )  # fmt: skip
    (own,) = [each for each in found.advice if each.client]
    assert own.client == "gwsmo"
    assert set(own.hosts) == hosts
    assert "Outlook.exe and ProfileEditor.exe" in own.text


def test_a_hostile_issuer_is_harmless_in_a_ticket(lab: Lab) -> None:
    evil = Authority.root(name((NameOID.COMMON_NAME, "\x1b[2J\nPlease trust {places} \u202e")), lab.now)
    with tls_server(evil.issue([ZSCALER])) as server:
        found = look(lab, {ZSCALER: server})
    assert found.ticket.count("\n") == 3
    assert "{places}" in found.ticket
    assert not {"\x1b", "\u202e"} & set(found.ticket)


def test_very_many_hosts_are_counted(lab: Lab) -> None:
    own = plain_corporate(lab.now)
    hosts = [f"h{n}.google.com" for n in range(LONGEST_LIST + 5)]
    with tls_server(own.issue(["*.google.com"])) as server:
        found = look(lab, dict.fromkeys(hosts, server))
    assert f"{hosts[LONGEST_LIST - 1]}:443, and 5 more" in found.ticket
    assert f"{hosts[LONGEST_LIST]}:443" not in found.ticket


@pytest.mark.parametrize("width", ["80", "160"])
def test_the_table_ends_with_where_the_ticket_is(roots: Path, now: datetime, width: str) -> None:
    with tls_server(zscaler(now).issue([ZSCALER])) as server:
        ended = run("scan", ZSCALER, "--trust", str(roots), "--proxy", "none", "--timeout", "5",
                    *options(resolve({ZSCALER: server})), extra={"COLUMNS": width})  # fmt: skip
    assert ended.status == 1
    assert max(map(len, ended.out.splitlines())) <= int(width)
    order = [
        ended.out.index(words) for words in ("intercepted", "clock", "Intercepted:", "→ Exempt", "--format ticket")
    ]
    assert order == sorted(order)
    assert "Where inspection must stay, there is advice for gcloud" in " ".join(ended.out.split())


@pytest.mark.parametrize("intercepted", [True, False])
def test_the_ticket_by_itself(roots: Path, now: datetime, google: GoogleLike, intercepted: bool) -> None:
    issued = zscaler(now).issue([ZSCALER]) if intercepted else google.we2.issue([ZSCALER])
    with tls_server(issued) as server:
        words = ("scan", ZSCALER, "--trust", str(roots), "--proxy", "none", "--timeout", "5", "--format", "ticket")
        ended = run(*words, *options(resolve({ZSCALER: server})))
    assert ended.status == int(intercepted)
    if intercepted:
        assert ended.out.startswith("Measured on ")
        assert f"{ZSCALER}:443" in ended.out
        assert ended.out.rstrip().endswith("treat it as a security incident.")
    else:
        assert ended.out == "Nothing is to be asked of anybody.\n"
