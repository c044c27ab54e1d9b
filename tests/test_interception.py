"""What several ways of asking, several routes and active probes say together about an interceptor."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.x509.oid import NameOID

from tests.conftest import ROOT
from tests.faults import HOST, Running, fault, honest_proxy, server_name, tls_server
from tests.test_observe import GENUINE, OTHER, Address, Lab, _no_names_are_looked_up, by_host, codes, look, make_lab
from tlsinspect.conductor import prepare
from tlsinspect.errors import UsageError
from tlsinspect.judge.interception import interception
from tlsinspect.lab.pki import (
    Authority,
    Issued,
    fiddler,
    impersonator,
    name,
    plain_corporate,
    poisoned,
    self_signed,
    zscaler,
)
from tlsinspect.model import Finding, Reason, Report, Timestamp
from tlsinspect.observe.probes import COSTS
from tlsinspect.observe.slices import SLICES
from tlsinspect.report import exit_status

__all__ = ["_no_names_are_looked_up"]  # a fixture for every test here too

ELSEWHERE = "www.example.com"
TLS_1_3 = bytes.fromhex("0304")  # in supported_versions


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="module")
def acme(lab: Lab) -> Authority:
    return plain_corporate(lab.now)


def conclusions(report: Report) -> dict[str, Finding]:
    return {found.code: found for found in report.conclusions}


def offers_1_3(hello: bytes) -> bool:
    """Whether supported_versions (RFC 8446 §4.2.1) is there and has TLS 1.3 in it."""
    at = hello.find(b"\x00\x2b\x00")  # the extension's type, and the first octet of its length
    return at >= 0 and TLS_1_3 in hello[at + 5 : at + 5 + hello[at + 4]]


def minting(authority: Authority, *spared: str) -> Callable[[bytes], Issued | None]:
    """An interceptor that makes a certificate for every name it is asked for, but for some."""
    made: dict[str, Issued] = {}

    def choose(hello: bytes) -> Issued | None:
        name = server_name(hello) or "default.test"
        if name in spared:
            return None
        return made.setdefault(name, authority.issue([name], send_root=True))

    return choose


# -- slices -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old_alone", "where"), [(True, "intercepted only with TLSv1.2"), (False, "intercepted only with TLSv1.3")]
)
def test_one_version_of_tls_is_intercepted(lab: Lab, acme: Authority, old_alone: bool, where: str) -> None:
    forged = acme.issue([GENUINE])
    choose = lambda hello: forged if offers_1_3(hello) is not old_alone else None  # noqa: E731
    with tls_server(lab.google.wr2.issue([GENUINE]), choosing=choose) as server:
        found = by_host(look(lab, {GENUINE: server}, slices=["protocols"]))[GENUINE]
    assert found.verdict == "intercepted"
    mixed = next(f for f in found.findings if f.code == "mixed")
    assert mixed.values["where"] == where
    assert [seen.slice for seen in found.observations] == ["", "tls1.2", "tls1.3"]


def test_one_address_is_intercepted(lab: Lab, acme: Authority) -> None:
    with contextlib.ExitStack() as stack:
        good = stack.enter_context(tls_server(lab.google.wr2.issue([GENUINE])))
        bad = stack.enter_context(tls_server(acme.issue([GENUINE]), at=("127.0.0.2", good.port)))
        resolve = [f"{GENUINE}:443:{HOST},{bad.host}:{good.port}"]
        report = _scan(lab, [GENUINE], resolve=resolve, slices=["addresses"])
    found = by_host(report)[GENUINE]
    assert found.verdict == "intercepted"
    assert next(f for f in found.findings if f.code == "mixed").values["where"] == f"intercepted only at {bad.host}"


def test_every_slice_of_an_untouched_host_is_genuine(lab: Lab) -> None:
    with tls_server(lab.google.we2.issue([GENUINE])) as server:
        found = by_host(look(lab, {GENUINE: server}, slices=["all"]))[GENUINE]
    assert found.verdict == "genuine"
    assert "mixed" not in codes(found)
    # A server with one kind of key only says nothing against itself.
    assert next(f for f in found.findings if f.code == "slice-failed").values["slice"] == "rsa"
    assert {seen.slice for seen in found.observations} == {"", "tls1.2", "tls1.3", "rsa", "ecdsa", "no-sni", "h2"}
    assert next(seen for seen in found.observations if seen.slice == "no-sni").server_name is None


def test_what_answers_without_a_name_is_said_and_decides_nothing(lab: Lab) -> None:
    fallback = self_signed("invalid2.invalid", lab.now)
    with tls_server(fallback, sni_certs={GENUINE: lab.google.we2.issue([GENUINE])}) as server:
        found = by_host(look(lab, {GENUINE: server}, slices=["sni"]))[GENUINE]
    assert found.verdict == "genuine"
    assert "no-sni-answer" in codes(found)


def test_an_interceptor_that_spares_the_named_is_seen_without_a_name(lab: Lab, acme: Authority) -> None:
    with tls_server(acme.issue([HOST]), sni_certs={GENUINE: lab.google.we2.issue([GENUINE])}) as server:
        found = by_host(look(lab, {GENUINE: server}, slices=["sni"]))[GENUINE]
    assert found.verdict == "intercepted"
    assert "mixed" in codes(found)


def test_the_kinds_of_slices_are_known(lab: Lab) -> None:
    with pytest.raises(UsageError, match="there are addresses, protocols, keys, sni, alpn, and all"):
        prepare([GENUINE], trust=lab.trust, slices=["everything"])


# -- probes -----------------------------------------------------------------------------------------------------------


def _scan(lab: Lab, hosts: list[str], **options: object) -> Report:
    from tests.test_observe import sound
    from tlsinspect.conductor import scan

    return sound(scan(hosts, trust=lab.trust, offline=True, **{"proxy": "none", "timeout": 5, **options}))  # type: ignore[arg-type]


def test_a_made_up_name_is_minted(lab: Lab) -> None:
    maker = zscaler(lab.now)
    with tls_server(maker.issue([GENUINE]), choosing=minting(maker)) as server:
        report = look(lab, {GENUINE: server, OTHER: server}, probe=True)
    said = conclusions(report)
    assert said["minted-for-random-name"].values["name"].endswith(".invalid")
    assert said["minted-for-random-name"].kind == "proof"
    for host in (GENUINE, OTHER):
        assert by_host(report)[host].verdict == "intercepted"
        assert "same-key-minted-random-name" in codes(by_host(report)[host])
    assert {seen.slice for seen in report.probes} == set(COSTS) - {"no-such-host"}
    assert int(said["probed"].values["n"]) == len(report.probes)


def test_an_interceptor_that_exempts_google_is_found_all_the_same(lab: Lab, acme: Authority) -> None:
    """The exemption works, and inspection is on: more than all hosts being genuine says."""
    choose = minting(acme, GENUINE)
    with tls_server(lab.google.wr2.issue([GENUINE]), choosing=choose) as server:
        report = look(lab, {GENUINE: server}, probe=True)
    assert by_host(report)[GENUINE].verdict == "genuine"
    assert "minted-for-random-name" in conclusions(report)
    assert not codes(by_host(report)[GENUINE]) & {"same-key-minted-random-name"}


@pytest.mark.parametrize("kind", ["genuine", "static"])
def test_a_server_with_one_certificate_mints_nothing(lab: Lab, acme: Authority, kind: str) -> None:
    issued = lab.google.wr2.issue([GENUINE]) if kind == "genuine" else acme.issue([GENUINE])
    with tls_server(issued) as server:
        report = look(lab, {GENUINE: server}, probe=True)
    assert "minted-for-random-name" not in conclusions(report)
    assert "probed" in conclusions(report)


def test_a_wildcard_over_everything_is_no_minting(lab: Lab, acme: Authority) -> None:
    with tls_server(acme.issue([GENUINE, "*.invalid"])) as server:
        report = look(lab, {GENUINE: server}, probe=True)
    assert "minted-for-random-name" not in conclusions(report)


def test_an_interceptor_that_calls_itself_a_google_authority_nobody_knows_is_found(lab: Lab) -> None:
    """Its leaves come without their issuer, so that no signature says that Google did not make them. A name of the
    scan's own making does."""
    named = Authority.root(
        name(
            (NameOID.COUNTRY_NAME, "US"),
            (NameOID.ORGANIZATION_NAME, "Google Trust Services"),
            (NameOID.COMMON_NAME, "WR77"),
        ),
        lab.now,
    )

    def choose(hello: bytes) -> Issued:
        return named.issue([server_name(hello) or "default.test"], key=key).alone()

    key = named.issue([GENUINE]).key
    with tls_server(named.issue([GENUINE], key=key).alone(), choosing=choose) as server:
        report = look(lab, {GENUINE: server}, probe=True)
    found = by_host(report)[GENUINE]
    assert found.verdict == "inconclusive"
    assert "same-key-minted-random-name" in codes(found)
    assert "minted-for-random-name" in conclusions(report)


def test_an_issuer_that_is_not_sent_is_shared_by_name(lab: Lab, acme: Authority) -> None:
    with tls_server(acme.issue([GENUINE]).alone()) as one, tls_server(acme.issue([ELSEWHERE]).alone()) as two:
        resolve = [f"{GENUINE}:443:{HOST}:{one.port}", f"{ELSEWHERE}:443:{HOST}:{two.port}"]
        found = by_host(_scan(lab, [GENUINE], resolve=resolve, control=[ELSEWHERE]))
    assert "same-issuer-many-hosts" in codes(found[GENUINE])
    assert found[GENUINE].verdict == "intercepted"
    assert found[ELSEWHERE].verdict == "inconclusive", "a hint makes no proof across hosts"


def test_a_proxy_mints_for_a_host_that_cannot_exist(lab: Lab) -> None:
    maker = fiddler(lab.now)
    with tls_server(maker.issue([GENUINE]), choosing=minting(maker)) as server, _leading_to(server) as proxy:
        report = _scan(lab, [GENUINE], proxy=f"http://{HOST}:{proxy.port}", probe=True)
    said = conclusions(report)
    assert said["minted-for-nonexistent-host"].values["where"] == f"through http://{HOST}:{proxy.port}"
    assert "minted-for-random-name" in said


@contextlib.contextmanager
def _leading_to(server: Address) -> Iterator[Running]:
    """A proxy that leads every connection to one place, as an interceptor does."""

    class Everything(dict[tuple[str, int], Address]):
        def __missing__(self, _key: tuple[str, int]) -> Address:
            return (server[0], server[1])

        def get(self, key: tuple[str, int], _default: object = None) -> Address:
            return self[key]

    with honest_proxy(Everything()) as proxy:
        yield proxy


def test_an_honest_proxy_makes_nothing(lab: Lab) -> None:
    with tls_server(lab.google.wr2.issue([GENUINE])) as server, honest_proxy({(GENUINE, 443): server}) as proxy:
        report = _scan(lab, [GENUINE], proxy=f"http://{HOST}:{proxy.port}", probe=True)
    assert by_host(report)[GENUINE].verdict == "genuine"
    assert not {code for code in conclusions(report) if code.startswith("minted")}
    assert any(seen.slice == "no-such-host" for seen in report.probes)


def test_a_device_that_fails_on_large_hellos(lab: Lab, acme: Authority) -> None:
    forged = acme.issue([GENUINE])
    choose = lambda hello: forged if len(hello) < 600 else None  # noqa: E731
    with tls_server(lab.google.wr2.issue([GENUINE]), choosing=choose) as server:
        report = look(lab, {GENUINE: server}, probe=True)
    assert conclusions(report)["hello-changes-answer"].values["hosts"] == GENUINE


def test_nothing_is_probed_unasked(lab: Lab, acme: Authority) -> None:
    with tls_server(acme.issue([GENUINE])) as server:
        report = look(lab, {GENUINE: server})
        assert server.connections == 1
    assert report.probes == ()
    assert "probed" not in conclusions(report)


def test_a_host_that_shows_nothing_is_not_probed(lab: Lab) -> None:
    with fault("silent") as peer:
        report = look(lab, {GENUINE: peer}, probe=True, timeout=2)
    assert report.probes == ()


# -- controls ---------------------------------------------------------------------------------------------------------


def test_a_known_inspected_host_that_is_not_inspected(lab: Lab) -> None:
    with (
        tls_server(lab.google.wr2.issue([GENUINE])) as google,
        tls_server(lab.public.issue([ELSEWHERE])) as elsewhere,
    ):
        resolve = [f"{GENUINE}:443:{HOST}:{google.port}", f"{ELSEWHERE}:443:{HOST}:{elsewhere.port}"]
        report = _scan(lab, [GENUINE], resolve=resolve, inspected=[ELSEWHERE])
    assert conclusions(report)["inspection-not-seen"].values["host"] == ELSEWHERE
    assert not by_host(report)[ELSEWHERE].endpoint.required


def test_a_known_inspected_host_that_is_inspected(lab: Lab, acme: Authority) -> None:
    with tls_server(lab.google.wr2.issue([GENUINE])) as google, tls_server(acme.issue([ELSEWHERE])) as elsewhere:
        resolve = [f"{GENUINE}:443:{HOST}:{google.port}", f"{ELSEWHERE}:443:{HOST}:{elsewhere.port}"]
        report = _scan(lab, [GENUINE], resolve=resolve, inspected=[ELSEWHERE])
    said = conclusions(report)
    assert said["inspection-seen"].values["host"] == ELSEWHERE
    assert "selective-interception" not in said


def test_a_control_host_makes_the_proof_across_hosts(lab: Lab, acme: Authority) -> None:
    with (
        tls_server(acme.issue([GENUINE], send_root=True)) as one,
        tls_server(acme.issue([ELSEWHERE], send_root=True)) as two,
    ):
        resolve = [f"{GENUINE}:443:{HOST}:{one.port}", f"{ELSEWHERE}:443:{HOST}:{two.port}"]
        report = _scan(lab, [GENUINE], resolve=resolve, control=[ELSEWHERE])
    assert {host: a.verdict for host, a in by_host(report).items()} == {
        GENUINE: "intercepted",
        ELSEWHERE: "intercepted",
    }
    assert "same-issuing-key-many-hosts" in codes(by_host(report)[GENUINE])


def test_a_host_cannot_be_scanned_and_known_to_be_inspected(lab: Lab) -> None:
    with pytest.raises(UsageError, match="at once"):
        prepare([GENUINE], trust=lab.trust, inspected=[GENUINE])


@pytest.mark.parametrize(
    ("issued", "said"),
    [("google", "inspection-not-seen"), ("private", "inspection-seen"), ("silent", "inspection-unknown")],
)
def test_what_a_known_inspected_host_shows(lab: Lab, acme: Authority, issued: str, said: str) -> None:
    with contextlib.ExitStack() as stack:
        google = stack.enter_context(tls_server(lab.google.wr2.issue([GENUINE])))
        shown = (lab.public if issued == "google" else acme).issue([ELSEWHERE])
        other = stack.enter_context(fault("silent") if issued == "silent" else tls_server(shown))
        resolve = [f"{GENUINE}:443:{HOST}:{google.port}", f"{ELSEWHERE}:443:{HOST}:{other.port}"]
        report = _scan(lab, [GENUINE], resolve=resolve, inspected=[ELSEWHERE], timeout=2)
    found = conclusions(report)
    assert {code for code in found if code.startswith("inspection-")} == {said}
    if said == "inspection-seen":
        assert found[said].kind == "hint", "a host may have an authority of its own"
    assert report.ticket == "", "of a host to compare with nothing is asked"


@pytest.mark.parametrize("control", ["http://x.test/", "https://www.example.com/"])
def test_hosts_to_compare_with_that_make_no_sense(lab: Lab, control: str) -> None:
    with pytest.raises(UsageError):
        prepare([GENUINE], trust=lab.trust, control=[control], inspected=["https://www.example.com/"])


# -- what frames nobody -----------------------------------------------------------------------------------------------


def test_a_host_that_others_are_led_to_is_not_accused(lab: Lab, acme: Authority) -> None:
    """Somebody leads Google's name to an innocent box with an authority of its own."""
    with tls_server(acme.issue([ELSEWHERE], send_root=True)) as box:
        resolve = [f"{host}:443:{HOST}:{box.port}" for host in (GENUINE, ELSEWHERE)]
        found = by_host(_scan(lab, [GENUINE, ELSEWHERE], resolve=resolve))
    assert found[GENUINE].verdict == "wrong-host"
    assert (found[ELSEWHERE].verdict, found[ELSEWHERE].rule) == ("inconclusive", "authority-unknown")


def test_a_chain_that_others_replay_accuses_nobody(lab: Lab, acme: Authority) -> None:
    issued = acme.issue([ELSEWHERE, GENUINE], send_root=True)
    with tls_server(issued) as box, fault("reset-after-certificate", issued=issued) as replay:
        resolve = [f"{GENUINE}:443:{HOST}:{replay.port}", f"{ELSEWHERE}:443:{HOST}:{box.port}"]
        found = by_host(_scan(lab, [GENUINE, ELSEWHERE], resolve=resolve))
    assert found[ELSEWHERE].verdict == "inconclusive"
    assert not codes(found[ELSEWHERE]) & {"same-issuing-key-many-hosts", "same-leaf-key-many-hosts"}


def test_a_host_by_its_name_and_by_its_address_is_one(lab: Lab, acme: Authority) -> None:
    with tls_server(acme.issue([ELSEWHERE, HOST], send_root=True)) as box:
        report = _scan(lab, [ELSEWHERE, f"{HOST}:{box.port}"], resolve=[f"{ELSEWHERE}:443:{HOST}:{box.port}"])
    assert {a.verdict for a in report.assessments} == {"inconclusive"}


def test_who_may_not_sign_is_no_authority(lab: Lab, acme: Authority) -> None:
    """An ordinary certificate of an innocent authority's customer, used as if it could sign others."""
    customer = acme.issue(["customer.example"])
    forged = replace(acme, certificate=customer.certificate, key=customer.key).issue([GENUINE])
    chain = forged.followed_by(customer.certificate, acme.certificate)
    with tls_server(chain) as server:
        report = look(lab, {GENUINE: server})
    (found,) = report.assessments
    assert found.verdict == "intercepted"
    assert found.signing_keys == ()
    assert not any(root.presented for root in report.roots)


def test_a_poisoned_certificate_that_is_served_is_an_interceptors(lab: Lab, acme: Authority) -> None:
    """Clients take it where the poison is not critical; it hides nothing."""
    with tls_server(poisoned(acme, GENUINE)) as server:
        found = by_host(look(lab, {GENUINE: server}))[GENUINE]
    assert (found.verdict, found.rule) == ("intercepted", "intercepted")


def test_a_server_that_makes_certificates_for_itself_is_no_interceptor(lab: Lab, acme: Authority) -> None:
    with tls_server(acme.issue([ELSEWHERE]), choosing=minting(acme)) as server:
        report = _scan(lab, [ELSEWHERE], resolve=[f"{ELSEWHERE}:443:{HOST}:{server.port}"], probe=True)
    assert conclusions(report)["minted-for-random-name"].kind == "hint"
    assert "same-key-minted-random-name" not in codes(by_host(report)[ELSEWHERE])


def test_an_expected_inspection_excuses_no_impersonation(lab: Lab, tmp_path: Path) -> None:
    profile = tmp_path / "own.toml"
    profile.write_text(f'[[endpoint]]\nurl = "https://{GENUINE}/"\nexpectation = "inspected"\n')
    with tls_server(impersonator(lab.now).issue([GENUINE])) as server:
        report = _scan(lab, None, profile=str(profile), resolve=[f"{GENUINE}:443:{HOST}:{server.port}"])  # type: ignore[arg-type]
    assert report.assessments[0].rule == "issuer-impersonated"
    assert exit_status(report) == 1
    assert "security incident" in report.ticket


def test_an_address_without_a_way_to_it_is_no_trouble(lab: Lab) -> None:
    """As every host of Google's has one, on a machine without IPv6. No machine connects to everybody at once."""
    nowhere = "255.255.255.255"
    with tls_server(lab.google.wr2.issue([GENUINE])) as server:
        resolve = [f"{GENUINE}:443:{HOST},{nowhere}:{server.port}"]
        found = by_host(_scan(lab, [GENUINE], resolve=resolve, slices=["addresses"]))[GENUINE]
    failure = found.observations[-1].failure
    assert failure is not None
    assert failure.reason is Reason.NO_ROUTE
    assert found.verdict == "genuine"
    assert next(f for f in found.findings if f.code == "slice-failed").values["slice"] == f"address {nowhere}"


# -- routes -----------------------------------------------------------------------------------------------------------


def _compared(lab: Lab, direct: Issued, proxied: Issued) -> Report:
    with tls_server(direct) as here, tls_server(proxied) as there, honest_proxy({(GENUINE, 443): there}) as proxy:
        resolve = [f"{GENUINE}:443:{HOST}:{here.port}"]
        return _scan(lab, [GENUINE], resolve=resolve, proxy=f"http://{HOST}:{proxy.port}", compare_routes=True)


def test_only_the_proxy_intercepts(lab: Lab, acme: Authority) -> None:
    report = _compared(lab, lab.google.wr2.issue([GENUINE]), acme.issue([GENUINE]))
    assert [(a.route.proxy is None, a.verdict) for a in report.assessments] == [
        (True, "genuine"),
        (False, "intercepted"),
    ]
    said = conclusions(report)
    assert "intercepted-at-proxy" in said
    assert said["routes-differ"].values["answers"].startswith("genuine directly, intercepted through http://")
    assert said["all-intercepted"].sentence.startswith("Intercepted through http://")


def test_only_the_direct_way_is_intercepted(lab: Lab, acme: Authority) -> None:
    said = conclusions(_compared(lab, acme.issue([GENUINE]), lab.google.wr2.issue([GENUINE])))
    assert "intercepted-beside-proxy" in said
    assert "intercepted-at-proxy" not in said


def test_one_interceptor_on_both_ways(lab: Lab, acme: Authority) -> None:
    one, two = acme.issue([GENUINE], send_root=True), acme.issue([GENUINE], send_root=True)
    said = conclusions(_compared(lab, one, two))
    assert "intercepted-on-both-routes" in said
    assert not {"several-interceptors", "routes-differ"} & set(said)


def test_a_proxy_is_not_blamed_where_the_direct_way_is_not_clean(lab: Lab, acme: Authority) -> None:
    """One host is genuine directly, the other is somebody else's."""
    with contextlib.ExitStack() as stack:
        one, two = (
            stack.enter_context(tls_server(lab.google.wr2.issue([GENUINE]))),
            stack.enter_context(tls_server(lab.google.wr2.issue(["docs.google.com"]))),
        )
        there = stack.enter_context(tls_server(acme.issue([GENUINE, OTHER])))
        proxy = stack.enter_context(honest_proxy({(GENUINE, 443): there, (OTHER, 443): there}))
        resolve = [f"{GENUINE}:443:{HOST}:{one.port}", f"{OTHER}:443:{HOST}:{two.port}"]
        report = _scan(lab, [GENUINE, OTHER], resolve=resolve, proxy=f"http://{HOST}:{proxy.port}", compare_routes=True)
    assert not {"intercepted-at-proxy", "intercepted-beside-proxy"} & set(conclusions(report))
    assert "routes-differ" in conclusions(report)
    assert f"asked for through http://{HOST}:{proxy.port}" in report.ticket


def test_two_authorities_of_one_name_are_told_apart_by_their_keys(lab: Lab) -> None:
    one, two = (plain_corporate(lab.now).issue([GENUINE], send_root=True) for _ in range(2))
    makers = conclusions(_compared(lab, one, two))["several-interceptors"].values["makers"]
    assert makers.count("(key ") == 2


def test_one_root_with_two_intermediates_is_one_interceptor(lab: Lab) -> None:
    root = plain_corporate(lab.now)
    below = [root.subordinate(name((NameOID.COMMON_NAME, f"Acme Issuing {n}"))) for n in (1, 2)]
    with contextlib.ExitStack() as stack:
        hosts = dict(zip((GENUINE, "fonts.gstatic.com"), below, strict=True))
        places = {h: stack.enter_context(tls_server(ca.issue([h], send_root=True))) for h, ca in hosts.items()}
        report = look(lab, places)
    assert "several-interceptors" not in conclusions(report)
    assert all("same-issuing-key-many-hosts" in codes(a) for a in report.assessments)


def test_two_interceptors_on_two_ways(lab: Lab) -> None:
    one, two = fiddler(lab.now).issue([GENUINE], send_root=True), zscaler(lab.now).issue([GENUINE], send_root=True)
    said = conclusions(_compared(lab, one, two))
    makers = said["several-interceptors"].values["makers"]
    assert "Fiddler" in makers
    assert "Zscaler" in makers
    assert "intercepted-on-both-routes" not in said


def test_two_untouched_ways(lab: Lab) -> None:
    report = _compared(lab, lab.google.wr2.issue([GENUINE]), lab.google.we2.issue([GENUINE]))
    assert [a.verdict for a in report.assessments] == ["genuine", "genuine"]
    assert not [f for f in report.conclusions if f.severity != "info" and f.code not in ("trust-data-old",)]


def test_there_is_no_proxy_to_compare_with(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no proxy to compare"):
        prepare([GENUINE], trust=lab.trust, proxy="none", compare_routes=True)


# -- trust data that Google has outgrown ------------------------------------------------------------------------------


def test_all_of_google_under_one_other_public_root_is_old_data(lab: Lab) -> None:
    with tls_server(lab.public.issue([GENUINE])) as one, tls_server(lab.public.issue([OTHER])) as two:
        found = look(lab, {GENUINE: one, OTHER: two}).assessments
    assert [a.verdict for a in found] == ["unexpected-ca", "unexpected-ca"]
    assert not [f for f in interception(found) if f.code == "pins-outdated"], "nobody logged these in public"
    logged = [replace(a, timestamps=(Timestamp("valid", "00"),)) for a in found]
    (said,) = interception(logged)
    assert (said.code, said.values["root"]) == ("pins-outdated", "Lab Public Root")
    assert not list(interception(logged[:1])), "one host may be anybody's mistake"


# -- the documentation ------------------------------------------------------------------------------------------------


def test_every_probe_has_its_cost_told() -> None:
    page = (ROOT / "docs" / "interception.md").read_text(encoding="utf-8")
    for asked, cost in COSTS.items():
        assert f"| `{asked}` | {cost} |" in page
    for kind in SLICES:
        assert f"| `{kind}` |" in page
