"""Revocation by the unmodified command: lists, responders and issuers that answer, lie, dawdle or say nothing.

Two subjects are asked about: one whose leaf names a revocation list alone, one that names a responder alone. Beside
them a bystander is scanned, with another root, another intermediate and other addresses, and must not notice.
"""

import concurrent.futures
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from .command import Command, Result
from .network import FORGER_HOST, INTERNET, METADATA, TLS_HOSTS, Network, Peculiar
from .pki import SUBJECT_CRL, SUBJECT_OCSP, Pki
from .programs import CREDENTIALS, Port80, Proxy
from .revocation_server import METADATA_URL, Rule, What

pytestmark = pytest.mark.lab

ROOT_CRL = "c.pki.goog/r/r1.crl"
BYSTANDER_CRL = "c.pki.goog/we2/lab.crl"
MISSING_CRT = "i.pki.goog/wr9.crt"
SUBJECTS = (Peculiar.CRL_ONLY, Peculiar.OCSP_ONLY)
GOOD = "good"
TIMEOUT = 3
# What the whole command may take beyond the timeout of one attempt.
BOUND = TIMEOUT + 20
# The gateway on its other side: who asks when a proxy there does.
UPSTREAM = {"198.51.100.1", "2001:db8:2::1"}

# The finding that tells people; every other reason is `revocation-unavailable`.
FINDINGS = {
    "stale": "revocation-stale",
    "block-page": "revocation-block-page",
    "offline": "revocation-not-checked",
}


@pytest.fixture
def ask(scan: Command, port80: Port80) -> "Ask":
    return Ask(scan, port80)


@dataclass(frozen=True)
class Ask:
    """A scan of some hosts while port 80 answers by rules."""

    scan: Command
    port80: Port80
    options: tuple[str, ...] = ("--timeout", str(TIMEOUT))
    cache: Path | None = None

    def __call__(self, *hosts: str, rules: Iterable[Rule] = (), more: Iterable[str] = ()) -> Result:
        with self.port80.answering(*rules):
            result = self.scan(*hosts, *self.options, *more, cache=self.cache)
        assert result.seconds < BOUND
        return result


def check(result: Result, host: str, states: list[str]) -> None:
    """`states` is what is known of leaf and intermediate: only a proven `revoked` moves the verdict, and whatever is
    not known is said."""
    assert result.revocation(host) == states
    revoked = any(state.startswith("revoked") for state in states)
    assert result.verdicts[host] == ("revoked" if revoked else "genuine")
    for state, _, reason in (state.partition(" ") for state in states):
        if state == "unknown":
            assert FINDINGS.get(reason, "revocation-unavailable") in result.codes(host)


def check_bystander(result: Result) -> None:
    check(result, Peculiar.BYSTANDER, [GOOD, GOOD])


# -- answers that lie, dawdle or are none ------------------------------------------------------------------------------

EITHER = "unknown unreachable", "unknown malformed"
"""A connection that ends too early brought nothing, or half of something."""


@dataclass(frozen=True)
class Row:
    """What is done about every address, and what is then known: by the list, and by the responder."""

    what: What
    by_crl: tuple[str, ...] = ()
    by_ocsp: tuple[str, ...] = ()
    to: str = ""
    name: str = ""

    def __str__(self) -> str:
        return self.name or str(self.what)


ROWS = [
    Row(What.GOOD, (GOOD,), (GOOD,)),
    Row(What.REVOKED, ("revoked",), ("revoked",)),
    Row(What.STALE, ("unknown stale",), ("unknown stale",)),
    Row(What.STALE_REVOKED, ("revoked stale",), ("revoked stale",)),
    Row(What.FUTURE, ("unknown not-yet-valid",), ("unknown not-yet-valid",)),
    Row(What.WRONG_SIGNER, ("unknown bad-signature",), ("unknown bad-signature",)),
    Row(What.WRONG_ISSUER, ("unknown wrong-issuer",), ("unknown not-authorised", "unknown wrong-issuer")),
    Row(What.TAMPERED, ("unknown bad-signature",), ("unknown bad-signature",)),
    Row(What.TRUNCATED, ("unknown malformed",), ("unknown malformed",)),
    Row(What.OTHER_SHARD, ("unknown wrong-scope",)),
    Row(What.DELTA, ("unknown wrong-scope",)),
    Row(What.DELEGATED, (), (GOOD,)),
    Row(What.DELEGATED_WITHOUT_EKU, (), ("unknown not-authorised",)),
    Row(What.DELEGATED_EXPIRED, (), ("unknown not-authorised",)),
    Row(What.DELEGATED_BY_ANOTHER, (), ("unknown not-authorised", "unknown bad-signature")),
    Row(What.OTHER_CERTIFICATE, (), ("unknown other-certificate",)),
    Row(What.UNKNOWN, (), ("unknown unknown-certificate",)),
    Row(What.TRY_LATER, (), ("unknown refused",)),
    Row(What.UNAUTHORIZED, (), ("unknown refused",)),
    Row(What.PAGE, ("unknown block-page",), ("unknown block-page",)),
    Row(What.FORBIDDEN_PAGE, ("unknown block-page",), ("unknown block-page",)),
    Row(What.ERROR, ("unknown refused",), ("unknown refused",)),
    Row(What.MISSING, ("unknown refused",), ("unknown refused",)),
    Row(What.ZEROS, ("unknown too-large",), ("unknown too-large",)),
    # Zeros begin no object: nobody has to read the last of them to know that.
    Row(What.ENDLESS, ("unknown too-large", "unknown malformed"), ("unknown too-large", "unknown malformed")),
    Row(What.BLOATED, ("unknown too-large",), ("unknown too-large",)),
    Row(What.DRIP, ("unknown unreachable",), ("unknown unreachable",)),
    Row(What.SILENT, ("unknown unreachable",), ("unknown unreachable",)),
    Row(What.CUT_OFF, EITHER, EITHER),
    Row(What.REDIRECT, ("unknown forbidden",), ("unknown forbidden",), METADATA_URL, "redirect-to-metadata"),
    Row(What.REDIRECT, ("unknown forbidden",), ("unknown forbidden",), "file:///etc/passwd", "redirect-to-file"),
    Row(What.REDIRECT, ("unknown forbidden",), ("unknown forbidden",), f"http://{FORGER_HOST}/", "redirect-elsewhere"),
]


def expected(choices: tuple[str, ...], found: list[str], level: int) -> list[str]:
    """Where one level has several acceptable answers: the one that was given, if it is among them."""
    states = [GOOD, GOOD]
    states[level] = found[level] if found[level] in choices else choices[0]
    return states


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_is_answered_about_a_leaf(ask: Ask, port80: Port80, pki: Pki, row: Row) -> None:
    serials = tuple(pki.leaf(host).serial_number for host in SUBJECTS)
    rules = []
    if row.by_crl:
        rules.append(Rule(SUBJECT_CRL, row.what, serials, row.to))
    if row.by_ocsp:
        rules.append(Rule(SUBJECT_OCSP, row.what, serials, row.to))
    result = ask(*SUBJECTS, Peculiar.BYSTANDER, rules=rules)
    for host, choices in zip(SUBJECTS, (row.by_crl or (GOOD,), row.by_ocsp or (GOOD,)), strict=True):
        check(result, host, expected(choices, result.revocation(host), 0))
    check_bystander(result)
    assert not port80.requests(METADATA)
    assert not port80.requests(FORGER_HOST)
    assert "root:" not in result.stdout


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.by_crl and row.what not in (What.OTHER_SHARD, What.SILENT)], ids=str
)
def test_what_is_answered_about_an_intermediate(ask: Ask, port80: Port80, pki: Pki, row: Row) -> None:
    rule = Rule(ROOT_CRL, row.what, (pki.intermediate.serial_number,), row.to)
    result = ask(*SUBJECTS, Peculiar.BYSTANDER, rules=[rule])
    for host in SUBJECTS:
        check(result, host, expected(row.by_crl, result.revocation(host), 1))
    check_bystander(result)
    assert not port80.requests(METADATA)


def test_a_serial_on_somebody_elses_list_is_nobodys(ask: Ask, pki: Pki) -> None:
    """Serials are an authority's own: the same number on a list of another one's says nothing."""
    serials = (pki.leaf(Peculiar.CRL_ONLY).serial_number, pki.intermediate.serial_number)
    result = ask(Peculiar.CRL_ONLY, Peculiar.BYSTANDER, rules=[Rule(BYSTANDER_CRL, What.REVOKED, serials)])
    check(result, Peculiar.CRL_ONLY, [GOOD, GOOD])
    check_bystander(result)


@pytest.mark.parametrize(
    ("host", "at", "moved_to"),
    [
        (Peculiar.CRL_ONLY, SUBJECT_CRL, "crl.pki.goog/wr2/subject.crl"),
        (Peculiar.CRL_ONLY, ROOT_CRL, "crls.pki.goog/r/r1.crl"),
        (Peculiar.OCSP_ONLY, SUBJECT_OCSP, "ocsp.pki.goog/s/wr2/subject"),
        (Peculiar.ALONE, MISSING_CRT, "pki.goog/wr9.crt"),
    ],
)
def test_a_redirect_to_another_host_of_the_list_is_followed(
    ask: Ask, port80: Port80, host: str, at: str, moved_to: str
) -> None:
    check(ask(host, rules=[Rule(at, What.REDIRECT, to=f"http://{moved_to}*")]), host, [GOOD, GOOD])
    assert any(request.url.startswith(moved_to) for request in port80.requests())


def test_redirects_that_never_end_are_given_up(ask: Ask, port80: Port80) -> None:
    rule = Rule(SUBJECT_CRL, What.REDIRECT, to=f"http://{SUBJECT_CRL}")
    result = ask(Peculiar.CRL_ONLY, rules=[rule])
    assert result.verdicts == {Peculiar.CRL_ONLY: "genuine"}
    assert result.revocation(Peculiar.CRL_ONLY)[0].startswith("unknown")
    assert len([r for r in port80.requests() if r.url == SUBJECT_CRL]) < 20


def test_a_responder_answers_where_the_list_does_not(ask: Ask, pki: Pki) -> None:
    host = "www.google.com"
    lists = Rule("c.pki.goog/wr2/lab.crl", What.PAGE)
    check(ask(host, rules=[lists]), host, [GOOD, GOOD])
    responder = Rule("o.pki.goog/wr2", What.REVOKED, (pki.leaf(host).serial_number,))
    check(ask(host, rules=[lists, responder]), host, ["revoked", GOOD])


@pytest.mark.parametrize("address", [INTERNET.ipv4, INTERNET.ipv6, METADATA, "127.0.0.1", "::ffff:198.51.100.2"])
def test_a_name_that_leads_into_a_private_network_is_not_followed(
    ask: Ask, network: Network, port80: Port80, address: str
) -> None:
    with network.resolving({"c.pki.goog": address, "o.pki.goog": address}):
        result = ask(*SUBJECTS)
    for host in SUBJECTS:
        check(result, host, ["unknown forbidden"] * 2)
    assert not [request for request in port80.requests() if request.host in ("c.pki.goog", "o.pki.goog")]
    assert result.reachability["c.pki.goog"] in ("not-pki", "refused")


def test_a_laboratory_may_be_a_private_network(ask: Ask, network: Network) -> None:
    with network.resolving({"c.pki.goog": INTERNET.ipv4, "o.pki.goog": INTERNET.ipv4}):
        result = ask(*SUBJECTS, more=["--allow-private-fetch"])
    for host in SUBJECTS:
        check(result, host, [GOOD, GOOD])


@pytest.mark.parametrize("way", ["refused", "swallowed"])
def test_a_closed_port_80(scan: Command, network: Network, way: str) -> None:
    close = network.refuse if way == "refused" else network.swallow
    with close(hosts=["c.pki.goog", "o.pki.goog", "i.pki.goog"], port=80):
        result = scan(*SUBJECTS, "--timeout", str(TIMEOUT))
    assert result.seconds < BOUND
    for host in SUBJECTS:
        check(result, host, ["unknown unreachable"] * 2)
    reached = {"refused": "refused", "swallowed": "timeout"}[way]
    assert {host: result.reachability[host] for host in ("c.pki.goog", "o.pki.goog")} == dict.fromkeys(
        ("c.pki.goog", "o.pki.goog"), reached
    )
    assert "port-80-blocked" in result.conclusions


# -- answers that come with the handshake ------------------------------------------------------------------------------


def test_a_stapled_answer_is_enough(ask: Ask, port80: Port80) -> None:
    result = ask(Peculiar.STAPLED)
    check(result, Peculiar.STAPLED, [GOOD, GOOD])
    assert [row["source"] for row in result.assessments[Peculiar.STAPLED]["revocation"]] == ["staple", "crl"]
    assert {request.target for request in port80.requests("o.pki.goog")} <= {"/"}


def test_a_stapled_revocation_wins_whatever_else_says(ask: Ask) -> None:
    check(ask(Peculiar.STAPLED_REVOKED), Peculiar.STAPLED_REVOKED, ["revoked", GOOD])


def test_a_stapled_answer_of_somebody_else_is_none(ask: Ask) -> None:
    result = ask(Peculiar.STAPLED_FORGED)
    assert result.verdicts == {Peculiar.STAPLED_FORGED: "genuine"}
    assert result.revocation(Peculiar.STAPLED_FORGED) == ["unknown bad-signature", GOOD]
    assert "revocation-unavailable" in result.codes(Peculiar.STAPLED_FORGED)


# -- the cache ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def keeping(ask: Ask, tmp_path: Path) -> Ask:
    """Scans that share a cache."""
    return replace(ask, cache=tmp_path / "cache")


def asked_for_crls(port80: Port80) -> list[str]:
    return [request.url for request in port80.requests() if request.path.endswith(".crl")]


def test_a_second_run_asks_for_no_list_again(keeping: Ask, port80: Port80) -> None:
    check(keeping(Peculiar.CRL_ONLY), Peculiar.CRL_ONLY, [GOOD, GOOD])
    assert {SUBJECT_CRL, ROOT_CRL} <= set(asked_for_crls(port80))
    port80.forget()
    result = keeping(Peculiar.CRL_ONLY)
    check(result, Peculiar.CRL_ONLY, [GOOD, GOOD])
    fetches = [fetch for fetch in result.report["fetches"] if fetch["purpose"] == "crl"]
    assert {fetch["outcome"] for fetch in fetches} == {"cached"}
    assert {SUBJECT_CRL, ROOT_CRL} <= {fetch["url"].removeprefix("http://") for fetch in fetches}
    assert not asked_for_crls(port80)


def test_without_the_cache_everything_is_asked_again(keeping: Ask, port80: Port80) -> None:
    keeping(Peculiar.CRL_ONLY)
    port80.forget()
    check(keeping(Peculiar.CRL_ONLY, more=["--no-cache"]), Peculiar.CRL_ONLY, [GOOD, GOOD])
    assert {SUBJECT_CRL, ROOT_CRL} <= set(asked_for_crls(port80))


def test_without_the_cache_nothing_is_kept(keeping: Ask, port80: Port80) -> None:
    keeping(Peculiar.CRL_ONLY, more=["--no-cache"])
    port80.forget()
    keeping(Peculiar.CRL_ONLY)
    assert {SUBJECT_CRL, ROOT_CRL} <= set(asked_for_crls(port80))


def test_offline_knows_what_was_kept_and_asks_nobody(keeping: Ask, port80: Port80) -> None:
    keeping(*SUBJECTS)
    port80.forget()
    result = keeping(*SUBJECTS, more=["--offline"])
    for host in SUBJECTS:
        check(result, host, [GOOD, GOOD])
    assert not port80.requests()


def test_offline_without_a_cache_knows_nothing_and_says_so(keeping: Ask, port80: Port80) -> None:
    result = keeping(*SUBJECTS, more=["--offline"])
    for host in SUBJECTS:
        check(result, host, ["unknown offline"] * 2)
    assert not port80.requests()


def test_a_list_that_lies_is_never_kept(keeping: Ask) -> None:
    keeping(Peculiar.CRL_ONLY, rules=[Rule(SUBJECT_CRL, What.WRONG_SIGNER)])
    result = keeping(Peculiar.CRL_ONLY, more=["--offline"])
    check(result, Peculiar.CRL_ONLY, ["unknown offline", GOOD])


def test_a_revocation_that_was_kept_outlives_a_list_that_went_silent(keeping: Ask, pki: Pki) -> None:
    rule = Rule(SUBJECT_CRL, What.REVOKED, (pki.leaf(Peculiar.CRL_ONLY).serial_number,))
    check(keeping(Peculiar.CRL_ONLY, rules=[rule]), Peculiar.CRL_ONLY, ["revoked", GOOD])
    result = keeping(Peculiar.CRL_ONLY, rules=[Rule(SUBJECT_CRL, What.ERROR)])
    check(result, Peculiar.CRL_ONLY, ["revoked", GOOD])


def test_two_commands_at_once_share_a_cache(keeping: Ask, scan: Command) -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as both:
        running = [both.submit(scan, *SUBJECTS, cache=keeping.cache) for _ in range(2)]
        results = [each.result() for each in running]
    results.append(keeping(*SUBJECTS, more=["--offline"]))
    for result in results:
        for host in SUBJECTS:
            check(result, host, [GOOD, GOOD])


def test_the_cache_is_shown_and_cleared(keeping: Ask, scan: Command) -> None:
    assert keeping.cache is not None
    keeping(Peculiar.CRL_ONLY)
    shown, _ = scan.run("cache", "show", cache=keeping.cache)
    assert shown.returncode == 0
    assert SUBJECT_CRL in shown.stdout
    assert all(path.stat().st_mode & 0o077 == 0 for path in keeping.cache.rglob("*") if path.is_file())
    cleared, _ = scan.run("cache", "clear", cache=keeping.cache)
    assert cleared.returncode == 0
    shown, _ = scan.run("cache", "show", cache=keeping.cache)
    assert SUBJECT_CRL not in shown.stdout
    check(keeping(Peculiar.CRL_ONLY, more=["--offline"]), Peculiar.CRL_ONLY, ["unknown offline"] * 2)


def test_a_cache_full_of_rubbish_costs_a_fetch(keeping: Ask) -> None:
    assert keeping.cache is not None
    keeping(Peculiar.CRL_ONLY)
    spoilt = [path for path in keeping.cache.rglob("*") if path.is_file()]
    assert spoilt
    for path in spoilt:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes((content[-1] ^ 1,)) if content else b"rubbish")
    check(keeping(Peculiar.CRL_ONLY), Peculiar.CRL_ONLY, [GOOD, GOOD])


def test_a_list_altered_in_the_cache_is_not_believed(keeping: Ask, pki: Pki) -> None:
    """Whoever can write there cannot make a revoked certificate good: signatures are verified again on reading."""
    assert keeping.cache is not None
    serial = pki.leaf(Peculiar.CRL_ONLY).serial_number
    rule = Rule(SUBJECT_CRL, What.REVOKED, (serial,))
    check(keeping(Peculiar.CRL_ONLY, rules=[rule]), Peculiar.CRL_ONLY, ["revoked", GOOD])
    named, other = (number.to_bytes(16, "big") for number in (serial, serial ^ 1))
    altered = [path for path in keeping.cache.rglob("*") if path.is_file() and named in path.read_bytes()]
    assert altered
    for path in altered:
        path.write_bytes(path.read_bytes().replace(named, other))
    result = keeping(Peculiar.CRL_ONLY, more=["--offline"])
    assert result.revocation(Peculiar.CRL_ONLY)[0].startswith("unknown")


def test_a_cache_nobody_can_write_costs_nothing_but_itself(ask: Ask, tmp_path: Path) -> None:
    occupied = tmp_path / "a file"
    occupied.write_text("in the way")
    check(replace(ask, cache=occupied)(Peculiar.CRL_ONLY), Peculiar.CRL_ONLY, [GOOD, GOOD])


# -- an intermediate that was not sent ---------------------------------------------------------------------------------


def test_a_missing_intermediate_is_fetched_and_said(ask: Ask, port80: Port80) -> None:
    result = ask(Peculiar.ALONE)
    check(result, Peculiar.ALONE, [GOOD, GOOD])
    assert "chain-incomplete" in result.codes(Peculiar.ALONE)
    assert MISSING_CRT in [request.url for request in port80.requests()]


def test_a_missing_intermediate_comes_out_of_the_cache(keeping: Ask, port80: Port80) -> None:
    keeping(Peculiar.ALONE)
    port80.forget()
    result = keeping(Peculiar.ALONE, rules=[Rule(MISSING_CRT, What.ERROR)])
    check(result, Peculiar.ALONE, [GOOD, GOOD])
    assert "chain-incomplete" in result.codes(Peculiar.ALONE)
    assert MISSING_CRT not in [request.url for request in port80.requests()]


@pytest.mark.parametrize(
    "rule",
    [
        *(
            Rule(MISSING_CRT, what)
            for what in (
                What.WRONG_SIGNER,
                What.TAMPERED,
                What.TRUNCATED,
                What.PAGE,
                What.FORBIDDEN_PAGE,
                What.ERROR,
                What.ZEROS,
                What.BLOATED,
                What.DRIP,
                What.CUT_OFF,
            )
        ),
        Rule(MISSING_CRT, What.REDIRECT, to=METADATA_URL),
        Rule(MISSING_CRT, What.REDIRECT, to="file:///etc/passwd"),
    ],
    ids=lambda rule: f"{rule.what} {rule.to}".strip(),
)
def test_without_its_intermediate_a_leaf_is_not_proven_either_way(ask: Ask, port80: Port80, rule: Rule) -> None:
    result = ask(Peculiar.ALONE, Peculiar.BYSTANDER, rules=[rule])
    check_unproven(result)
    check_bystander(result)
    assert not port80.requests(METADATA)


@pytest.mark.parametrize("way", ["refused", "swallowed"])
def test_without_the_issuers_host_a_leaf_is_not_proven_either_way(scan: Command, network: Network, way: str) -> None:
    close = network.refuse if way == "refused" else network.swallow
    with close(hosts=["i.pki.goog"], port=80):
        result = scan(Peculiar.ALONE, Peculiar.BYSTANDER, "--timeout", str(TIMEOUT))
    assert result.seconds < BOUND
    check_unproven(result)
    check_bystander(result)


def check_unproven(result: Result) -> None:
    """Neither Google nor an interceptor is proven, and the missing link is named."""
    assert result.verdicts[Peculiar.ALONE] == "inconclusive"
    assert "chain-incomplete" in result.codes(Peculiar.ALONE)


# -- what unproven certificates name -----------------------------------------------------------------------------------


@contextmanager
def intercepted(network: Network, front: int, hosts: Iterable[str] = TLS_HOSTS) -> Iterator[None]:
    with network.redirect(front, hosts=hosts):
        yield


def test_the_addresses_of_a_forged_leaf_are_never_asked(
    scan: Command, network: Network, port80: Port80, front: int
) -> None:
    """Traps T7 and T17: addresses in a forged leaf are no reason to go there, nor to believe it."""
    with intercepted(network, front):
        result = scan()
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "intercepted")
    assert not port80.requests(FORGER_HOST)
    assert FORGER_HOST not in {fetch["url"].split("/")[2] for fetch in result.report["fetches"]}
    assert FORGER_HOST not in result.reachability


def test_the_addresses_of_a_forged_leaf_are_not_asked_though_the_system_trusts_it(
    scan: Command, network: Network, port80: Port80, pki: Pki, front: int
) -> None:
    with network.os_trusts(pki.corporate_root), intercepted(network, front, ["www.google.com"]):
        result = scan("www.google.com", Peculiar.BYSTANDER)
    assert result.verdicts["www.google.com"] == "intercepted"
    check_bystander(result)
    assert not port80.requests(FORGER_HOST)


def test_a_leaf_that_names_no_responder_is_as_genuine_as_any(ask: Ask) -> None:
    """Trap T16."""
    result = ask(Peculiar.CRL_ONLY)
    check(result, Peculiar.CRL_ONLY, [GOOD, GOOD])
    sources = [row["source"] for row in result.assessments[Peculiar.CRL_ONLY]["revocation"]]
    assert sources == ["crl", "crl"]
    assert result.status == 0


# -- the route ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["option", "environment"])
def test_revocation_goes_the_way_of_the_scan(scan: Command, port80: Port80, tinyproxy: Proxy, named: str) -> None:
    """Trap T15."""
    options = ["--proxy", tinyproxy.url] if named == "option" else []
    env = {} if named == "option" else {"http_proxy": tinyproxy.url, "https_proxy": tinyproxy.url}
    result = scan(*SUBJECTS, *options, env=env)
    for host in SUBJECTS:
        check(result, host, [GOOD, GOOD])
    fetches = [fetch for fetch in result.report["fetches"] if fetch["purpose"] in ("crl", "ocsp")]
    assert fetches
    assert {fetch["route"]["proxy"] for fetch in fetches} == {tinyproxy.url}
    assert {request.peer for request in port80.requests()} <= UPSTREAM


def test_revocation_goes_through_a_proxy_that_asks_for_credentials(
    scan: Command, port80: Port80, tinyproxy_asking: Proxy
) -> None:
    user, password = CREDENTIALS
    result = scan(*SUBJECTS, "--proxy", tinyproxy_asking.url.replace("http://", f"http://{user}:{password}@"))
    for host in SUBJECTS:
        check(result, host, [GOOD, GOOD])
    assert {request.peer for request in port80.requests()} <= UPSTREAM
    assert password not in result.stdout + result.stderr


def test_a_proxy_that_refuses_revocation_is_not_gone_around(
    scan: Command, network: Network, port80: Port80, tinyproxy: Proxy
) -> None:
    with ExitStack() as stack:
        # Only the client's own connections are refused: what goes through the proxy starts on the gateway.
        stack.enter_context(network.refuse(hosts=["c.pki.goog", "o.pki.goog"], port=80))
        result = scan(*SUBJECTS, "--proxy", tinyproxy.url)
        for host in SUBJECTS:
            check(result, host, [GOOD, GOOD])
        with port80.answering(Rule("c.pki.goog", What.FORBIDDEN_PAGE), Rule("o.pki.goog", What.FORBIDDEN_PAGE)):
            result = scan(*SUBJECTS, "--proxy", tinyproxy.url)
    for host in SUBJECTS:
        # Nobody can tell whose page it is: the proxy's own, or one that came through it.
        check(result, host, [f"unknown {'block-page' if 'block-page' in str(result.report) else 'unreachable'}"] * 2)
    assert {request.peer for request in port80.requests()} <= UPSTREAM


# -- port 80 -----------------------------------------------------------------------------------------------------------


def test_hosts_that_certificates_name_have_reachability_and_the_page_misses_them(scan: Command) -> None:
    result = scan()
    assert {"crl.pki.goog", "crls.pki.goog", "ocsp.pki.goog", "c.pki.goog", "o.pki.goog"} <= set(result.reachability)
    assert result.reachability["c.pki.goog"] == "signed-object"
    missed = result.conclusions["allow-list-misses"]
    assert "c.pki.goog" in json.dumps(missed)
    assert result.status == 0


def test_a_host_nobody_needed_is_said_to_be_closed_all_the_same(scan: Command, network: Network) -> None:
    """With the list at hand nobody asks the responder: whether it could be reached is said nevertheless."""
    with network.refuse(hosts=["o.pki.goog"], port=80):
        result = scan("www.google.com")
    check(result, "www.google.com", [GOOD, GOOD])
    assert result.reachability["o.pki.goog"] == "refused"
    assert "o.pki.goog" in json.dumps(result.conclusions["port-80-blocked"])


# -- transparency ------------------------------------------------------------------------------------------------------


def test_timestamps_of_known_logs_are_verified(scan_as_google: Command) -> None:
    result = scan_as_google("www.google.com", Peculiar.UNLOGGED)
    assert result.verdicts == {"www.google.com": "genuine", Peculiar.UNLOGGED: "genuine"}
    valid = result.finding("www.google.com", "sct-valid")
    assert valid
    assert "Lab" in valid["sentence"]
    assert "Another" in valid["sentence"]
    stamps = result.assessments["www.google.com"]["timestamps"]
    assert [(stamp["result"], stamp["via"]) for stamp in stamps] == [("valid", "embedded")] * 2
    assert result.finding(Peculiar.UNLOGGED, "sct-absent")


def test_timestamps_of_unknown_logs_move_nothing(scan: Command) -> None:
    result = scan("www.google.com")
    assert result.verdicts == {"www.google.com": "genuine"}
    assert result.finding("www.google.com", "sct-unknown-log")
    assert not result.finding("www.google.com", "sct-valid")


def test_timestamps_copied_into_a_forged_leaf_prove_nothing(
    scan_as_google: Command, network: Network, front: int
) -> None:
    """Trap T11: they are over another certificate."""
    with intercepted(network, front):
        result = scan_as_google()
    assert result.verdicts == dict.fromkeys(TLS_HOSTS, "intercepted")
    for host in TLS_HOSTS:
        assert "sct-valid" not in result.codes(host)
        assert "valid" not in {stamp["result"] for stamp in result.assessments[host]["timestamps"]}
