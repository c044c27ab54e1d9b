"""Whole scans against hosts that are what they are: who signed, for which name, what time it is, how often."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtensionOID, NameOID

from tests.faults import HOST, Running, fault, tls_server
from tests.test_observe import (
    GENUINE,
    OTHER,
    Address,
    Lab,
    _no_names_are_looked_up,
    by_host,
    codes,
    how,
    look,
    look_once,
    make_lab,
    plan,
    resolve,
    seen_of,
    sound,
)
from tlsinspect.conductor import execute, scan, scan_async
from tlsinspect.evidence.truststores import Stores
from tlsinspect.gather.port80 import OPEN
from tlsinspect.http1 import Head
from tlsinspect.lab.pki import (
    Authority,
    Issued,
    fiddler,
    google_like,
    impersonator,
    name,
    nameless,
    plain_corporate,
    poisoned,
    self_signed,
    weak,
    zscaler,
)
from tlsinspect.model import Assessment, Report
from tlsinspect.observe.plain import PlainAnswer
from tlsinspect.reachability import closed_sign

__all__ = ["_no_names_are_looked_up"]  # a fixture for every test here too

DAY = timedelta(days=1)
THIRD = "accounts.google.com"
FAR = "fonts.gstatic.com"  # unrelated to the others by name


@pytest.fixture(autouse=True)
def _no_stores_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in its trust stores must not change what these tests see; `test_stores` looks at them."""
    monkeypatch.setattr("tlsinspect.conductor.read_stores", Stores)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("trust"))


@contextlib.contextmanager
def network(servers: Mapping[str, Issued], **options: object) -> Iterator[dict[str, Running]]:
    """A server for each host; `options` are those of `tls_server`."""
    with contextlib.ExitStack() as stack:
        yield {
            host: stack.enter_context(tls_server(issued, **options))  # type: ignore[arg-type]
            for host, issued in servers.items()
        }


def at(lab: Lab, places: Mapping[str, Address], ahead: timedelta) -> Report:
    """A scan by a machine whose clock is off."""
    run = plan(lab, places)
    run.settings = replace(run.settings, clock=lambda: datetime.now(UTC) + ahead)
    return sound(execute(run))


def one(lab: Lab, issued: Issued, host: str = GENUINE) -> Assessment:
    """A single host that shows `issued`."""
    with tls_server(issued) as server:
        return look_once(lab, {host: server})


def told(report: Report) -> list[str]:
    """The conclusions, without which programs of this machine would notice: that is not for these tests to say."""
    return [c.code for c in report.conclusions if c.code not in ("breaking-interception", "silent-interception")]


def verdicts(report: Report) -> dict[str, str]:
    return {host: str(assessment.verdict) for host, assessment in by_host(report).items()}


# --- who signed -----------------------------------------------------------------------------------------------------


def test_a_genuine_host(lab: Lab) -> None:
    with network({GENUINE: lab.google.wr2.issue([GENUINE]), OTHER: lab.google.we2.issue([OTHER])}) as places:
        found = by_host(look(lab, places))[GENUINE]
    assert (found.verdict, found.confidence, found.rule, found.basis) == ("genuine", "certain", "genuine", "live")
    assert found.path == ("WR2", "GTS Root R1")
    assert found.attribution is None
    assert found.remedy == ""
    assert not codes(found) & {"not-google", "trust-stand-in", "clock-unproven", "mixed"}


def test_a_single_host_tells_the_time_by_itself(lab: Lab) -> None:
    """Its own Date and this machine's clock: whoever stole an expired key would have both agree."""
    found = one(lab, lab.google.wr2.issue([GENUINE]))
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert "clock-unproven" in codes(found)


def test_a_stand_in_for_google_is_never_certain(lab: Lab, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(lab.google.roots_pem)
    with tls_server(lab.google.we2.issue([GENUINE])) as server:
        where = resolve({GENUINE: server})
        (found,) = scan([GENUINE], trust=roots, proxy="none", resolve=where, timeout=2, offline=True).assessments
    assert (found.verdict, found.confidence) == ("genuine", "strong")
    assert "trust-stand-in" in codes(found)


def test_a_laboratory_that_only_looks_like_google_is_an_interceptor(lab: Lab) -> None:
    """Names are not keys: the same shapes with other keys are nobody's."""
    found = one(lab, google_like(lab.now).wr2.issue([GENUINE]))
    assert (found.verdict, found.confidence) == ("intercepted", "certain")


INTERCEPTORS = {
    "fiddler": lambda lab: fiddler(lab.now).issue([GENUINE], send_root=True),
    "zscaler": lambda lab: zscaler(lab.now).issue([GENUINE]),
    "zscaler, leaf alone": lambda lab: zscaler(lab.now).issue([GENUINE]).alone(),
    "company": lambda lab: plain_corporate(lab.now).issue([GENUINE]),
    "self-signed": lambda lab: self_signed(GENUINE, lab.now),
    "impersonator": lambda lab: impersonator(lab.now).issue([GENUINE]),
    "impersonator with the true key id": lambda lab: impersonator(lab.now, key_id=lab.google.wr2.key_id).issue(
        [GENUINE]
    ),
    "genuine intermediate behind a foreign leaf": lambda lab: (
        plain_corporate(lab.now).issue([GENUINE]).followed_by(*lab.google.wr2.path(root=True))
    ),
    "genuine chain behind a foreign leaf": lambda lab: (
        plain_corporate(lab.now).issue([GENUINE]).followed_by(*lab.google.wr2.issue([GENUINE]).chain)
    ),
    "genuine chain behind a leaf that names its issuer": lambda lab: (
        plain_corporate(lab.now)
        .issue([GENUINE], issuer_name=lab.google.wr2.certificate.subject, issuer_key_id=lab.google.wr2.key_id)
        .followed_by(*lab.google.wr2.path(root=True))
    ),
    "expired long ago": lambda lab: plain_corporate(lab.now).issue(
        [GENUINE], not_before=lab.now - 900 * DAY, not_after=lab.now - 500 * DAY
    ),
    "not yet valid": lambda lab: plain_corporate(lab.now).issue([GENUINE], not_before=lab.now + 100 * DAY),
    "the name in the common name alone": lambda lab: plain_corporate(lab.now).issue(
        [GENUINE], drop=[ExtensionOID.SUBJECT_ALTERNATIVE_NAME]
    ),
    "the address instead of the name": lambda lab: plain_corporate(lab.now).issue([HOST]),
    "weak key": lambda lab: plain_corporate(lab.now).issue([GENUINE], key="rsa1024"),
    "sha-1": lambda lab: plain_corporate(lab.now).issue([GENUINE], sha1=True),
    "wildcard": lambda lab: plain_corporate(lab.now).issue(["*.googleapis.com"]),
}


@pytest.mark.parametrize("kind", INTERCEPTORS)
def test_an_interceptor_is_one_whatever_it_shows(lab: Lab, kind: str) -> None:
    issued: Issued = INTERCEPTORS[kind](lab)
    with tls_server(issued) as server, tls_server(lab.google.we2.issue([OTHER])) as genuine:
        report = look(lab, {GENUINE: server, OTHER: genuine})
    found = by_host(report)
    assert (found[GENUINE].verdict, found[GENUINE].confidence) == ("intercepted", "certain")
    assert found[OTHER].verdict == "genuine"
    seen = seen_of(found[GENUINE]).tls
    assert seen is not None
    assert seen.chain == issued.ders
    assert told(report) == ["selective-interception", "intercepted-on-this-machine"]


def test_what_else_is_said_of_interceptors(lab: Lab) -> None:
    assert "self-signed" in codes(one(lab, self_signed(GENUINE, lab.now)))
    assert one(lab, impersonator(lab.now).issue([GENUINE])).rule == "issuer-impersonated"
    named = one(lab, zscaler(lab.now).issue([GENUINE]))
    assert named.attribution is not None
    assert named.attribution.vendor == "Zscaler"
    assert "interceptor-match" in codes(named)
    old = one(lab, INTERCEPTORS["expired long ago"](lab))
    assert "certificate-expired" in codes(old)


def test_another_public_authority(lab: Lab) -> None:
    found = one(lab, lab.public.issue([GENUINE]))
    assert (found.verdict, found.confidence) == ("unexpected-ca", "certain")


def test_a_precertificate_proves_no_endpoint(lab: Lab) -> None:
    found = one(lab, poisoned(lab.google.wr2, GENUINE))
    assert (found.verdict, found.rule) == ("inconclusive", "precertificate")


def test_a_weak_key_proves_nothing(lab: Lab) -> None:
    found = one(lab, weak(lab.google.wr2, GENUINE))
    assert (found.verdict, found.rule) == ("inconclusive", "leaf-key-weak")


@pytest.mark.parametrize("intermediate", ["wr2", "we2"], ids=["rsa", "ecdsa"])
def test_sha1_is_no_proof_of_today_and_no_forgery_either(lab: Lab, intermediate: str) -> None:
    """The right key signed, with a hash that nobody should use any more."""
    authority: Authority = getattr(lab.google, intermediate)
    found = one(lab, authority.issue([GENUINE], sha1=True))
    assert (found.verdict, found.rule) == ("inconclusive", "strict-profile-defect")


# --- which name -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed", ["www.googleapis.com", "WWW.GoogleAPIs.COM", "www.googleapis.com.", "https://www.googleapis.com/a/b?c"]
)
def test_the_ways_to_write_a_host(lab: Lab, typed: str) -> None:
    with tls_server(lab.google.we2.issue([GENUINE])) as server:
        found = look_once(lab, {typed: server})
    assert (found.verdict, found.endpoint.host) == ("genuine", GENUINE)
    assert server.server_names == [GENUINE]
    (request,) = server.requests
    assert request.header("Host") == GENUINE


def test_a_name_in_another_script(lab: Lab) -> None:
    ascii_name = "xn--bcher-kva.example"
    with tls_server(lab.public.issue([ascii_name])) as server:
        found = look_once(lab, {"Bücher.example": server})
    assert (found.verdict, found.endpoint.host) == ("genuine", ascii_name)
    assert server.server_names == [ascii_name]


def test_an_address_as_target(lab: Lab) -> None:
    with tls_server(lab.public.issue([HOST])) as server:
        found = look_once(lab, {f"{HOST}:{server.port}": server})
    assert (found.verdict, found.confidence, found.endpoint.authority) == ("genuine", "strong", "public")
    assert "public-pki" in codes(found)
    assert server.server_names == [None]  # RFC 6066 §3: literal addresses are not permitted
    assert server.requests[0].header("Host") == f"{HOST}:{server.port}"


def test_an_address_is_not_claimed_by_a_name(lab: Lab) -> None:
    with tls_server(lab.public.issue([f"a{HOST}.example", "other.example"])) as server:
        found = look_once(lab, {f"{HOST}:{server.port}": server})
    assert found.verdict == "wrong-host"


@pytest.mark.parametrize(
    ("san", "host", "verdict"),
    [
        ("*.googleapis.com", "www.googleapis.com", "genuine"),
        ("*.GoogleAPIs.com", "www.googleapis.com", "genuine"),
        ("*.googleapis.com", "a.b.googleapis.com", "wrong-host"),
        ("*.googleapis.com", "googleapis.com", "wrong-host"),
        ("www.googleapis.com", "ww.googleapis.com", "wrong-host"),
    ],
)
def test_wildcards_cover_one_label(lab: Lab, san: str, host: str, verdict: str) -> None:
    found = one(lab, lab.google.we2.issue([san]), host)
    assert found.verdict == verdict
    assert ("other-google-name" in codes(found)) is (verdict == "wrong-host")


def test_google_signed_it_for_another_of_its_names(lab: Lab) -> None:
    found = one(lab, lab.google.wr2.issue(["docs.google.com", "sites.google.com"]))
    assert (found.verdict, found.confidence) == ("wrong-host", "certain")
    assert "other-google-name" in codes(found)
    assert "not-google" not in codes(found)


def test_google_signed_it_for_a_customer(lab: Lab) -> None:
    """Google Trust Services is a public authority: its root alone proves nothing."""
    found = one(lab, lab.google.wr2.issue(["shop.test"]))
    assert (found.verdict, found.confidence) == ("wrong-host", "certain")
    assert not codes(found) & {"other-google-name", "not-google"}


@pytest.mark.parametrize("kind", ["another name", "no name", "public, another name"])
def test_a_stranger_for_another_name(lab: Lab, kind: str) -> None:
    issued = {
        "another name": plain_corporate(lab.now).issue(["gateway.acme.example"]),
        "no name": nameless(plain_corporate(lab.now)),
        "public, another name": lab.public.issue(["gateway.acme.example"]),
    }[kind]
    found = one(lab, issued)
    assert (found.verdict, found.confidence) == ("wrong-host", "certain")
    assert "not-google" in codes(found)


def test_the_name_in_the_common_name_alone_of_a_proven_leaf(lab: Lab) -> None:
    found = one(lab, lab.google.we2.issue([GENUINE], drop=[ExtensionOID.SUBJECT_ALTERNATIVE_NAME]))
    assert (found.verdict, found.rule) == ("inconclusive", "strict-profile-defect")


def test_google_without_a_server_name(lab: Lab) -> None:
    """What Google's servers send to who sends no name is no interception: the classic false alarm."""
    unit = (NameOID.ORGANIZATIONAL_UNIT_NAME, "No SNI provided; please fix your client.")
    subject = name(unit, (NameOID.COMMON_NAME, "invalid2.invalid"))
    issued = Authority.root(subject, lab.now).issue(["invalid2.invalid"], subject=subject)
    found = one(lab, issued.alone())
    assert found.verdict == "wrong-host"
    assert "no-sni-certificate" in codes(found)
    assert found.attribution is None


# --- several hosts together -----------------------------------------------------------------------------------------


def test_one_foreign_leaf_for_several_hosts(lab: Lab) -> None:
    issued = plain_corporate(lab.now).issue(["gateway.acme.example"])
    with tls_server(issued) as server:
        report = look(lab, {GENUINE: server, OTHER: server, FAR: server})
    assert set(verdicts(report).values()) == {"wrong-host"}
    assert all("diverted" in codes(each) for each in report.assessments)


def test_one_foreign_leaf_that_claims_several_hosts(lab: Lab) -> None:
    issued = plain_corporate(lab.now).issue([GENUINE, OTHER])
    with tls_server(issued) as server:
        report = look(lab, {GENUINE: server, OTHER: server})
    assert set(verdicts(report).values()) == {"intercepted"}
    assert all("same-leaf-key-many-hosts" in codes(each) for each in report.assessments)
    assert not any("diverted" in codes(each) for each in report.assessments)
    assert told(report) == ["all-intercepted", "intercepted-on-this-machine"]


def test_one_interceptor_in_front_of_several_hosts(lab: Lab) -> None:
    company = plain_corporate(lab.now)
    with network({host: company.issue([host], send_root=True) for host in (GENUINE, FAR)}) as servers:
        report = look(lab, servers)
    assert set(verdicts(report).values()) == {"intercepted"}
    assert all("same-issuing-key-many-hosts" in codes(each) for each in report.assessments)


def test_public_hosts_behind_one_foreign_authority(lab: Lab) -> None:
    """Who should have signed is not known; that one and the same stranger signed for both is telling all the same."""
    company = plain_corporate(lab.now)
    issued = {host: company.issue([host], send_root=True) for host in ("www.shop.example", "www.bank.test")}
    with network(issued) as servers:
        both = look(lab, servers)
        alone = look(lab, {"www.bank.test": servers["www.bank.test"]})
    assert set(verdicts(both).values()) == {"intercepted"}
    assert {each.confidence for each in both.assessments} == {"strong"}
    assert all("same-issuing-key-many-hosts" in codes(each) for each in both.assessments)
    (single,) = alone.assessments
    assert (single.verdict, single.rule) == ("inconclusive", "authority-unknown")


def test_related_public_hosts_may_share_an_authority_of_their_own(lab: Lab) -> None:
    company = plain_corporate(lab.now)
    issued = {host: company.issue([host], send_root=True) for host in ("www.acme.example", "mail.acme.example")}
    with network(issued) as servers:
        report = look(lab, servers)
    assert set(verdicts(report).values()) == {"inconclusive"}


def test_public_hosts_of_public_authorities_share_nothing(lab: Lab) -> None:
    with network({host: lab.public.issue([host]) for host in ("www.shop.example", "www.bank.test")}) as servers:
        report = look(lab, servers)
    assert set(verdicts(report).values()) == {"genuine"}
    assert {each.confidence for each in report.assessments} == {"strong"}


def test_every_second_connection_is_intercepted(lab: Lab) -> None:
    forged = plain_corporate(lab.now).issue([GENUINE])
    with (
        tls_server(lab.google.we2.issue([GENUINE]), intercept_every=(2, forged)) as server,
        tls_server(lab.google.we2.issue([OTHER])) as steady,
    ):
        found = by_host(look(lab, {GENUINE: server, OTHER: steady}, repeat=4))
    assert (found[GENUINE].verdict, found[GENUINE].confidence) == ("intercepted", "certain")
    mixed = next(finding for finding in found[GENUINE].findings if finding.code == "mixed")
    assert [part.split()[0] for part in mixed.values["slices"].split(", ")] == ["genuine", "intercepted"] * 2
    assert [seen.attempt for seen in found[GENUINE].observations] == [1, 2, 3, 4]
    assert server.connections == 4
    assert (found[OTHER].verdict, "mixed" in codes(found[OTHER])) == ("genuine", False)


def test_repeats_that_agree_are_not_mixed(lab: Lab) -> None:
    with tls_server(plain_corporate(lab.now).issue([GENUINE])) as server:
        (found,) = look(lab, {GENUINE: server}, repeat=3).assessments
    assert len(found.observations) == 3
    assert found.verdict == "intercepted"
    assert "mixed" not in codes(found)


# --- what time it is ------------------------------------------------------------------------------------------------


def good(lab: Lab, *hosts: str) -> dict[str, Issued]:
    """Genuine leaves, each with a key of its own: good from ten days ago for another 74."""
    return {host: lab.google.we2.issue([host]) for host in hosts}


def test_a_clock_far_ahead_and_two_hosts_that_say_so(lab: Lab) -> None:
    with network(good(lab, GENUINE, OTHER)) as servers:
        report = at(lab, servers, 90 * DAY)
    for found in report.assessments:
        assert (found.verdict, found.confidence) == ("clock-skewed", "certain")
        assert "clock-ahead" in codes(found)
        assert "90 days" in found.explanation or "89 days" in found.explanation
    assert "clock-ahead" in [c.code for c in report.conclusions]
    assert report.clock.hi is not None
    assert report.clock.lo - timedelta(minutes=1) < datetime.now(UTC) < report.clock.hi + timedelta(minutes=1)


def test_a_clock_far_ahead_and_one_host_that_says_so(lab: Lab) -> None:
    """A stolen key whose certificate has expired could say the same."""
    with network(good(lab, GENUINE)) as servers:
        (found,) = at(lab, servers, 90 * DAY).assessments
    assert (found.verdict, found.confidence) == ("clock-skewed", "likely")


def test_two_hosts_with_one_key_are_one_witness(lab: Lab) -> None:
    with tls_server(lab.google.we2.issue([GENUINE, OTHER])) as server:
        report = at(lab, {GENUINE: server, OTHER: server}, 90 * DAY)
    assert {(each.verdict, each.confidence) for each in report.assessments} == {("clock-skewed", "likely")}


def test_a_clock_far_ahead_and_nobody_who_says_so(lab: Lab) -> None:
    with network(good(lab, GENUINE, OTHER), date=None) as servers:
        report = at(lab, servers, 90 * DAY)
    for found in report.assessments:
        assert (found.verdict, found.rule) == ("inconclusive", "expired-or-clock")
    assert report.clock.hi is None


@pytest.mark.parametrize("ahead", [75 * DAY, 90 * DAY, 3650 * DAY])
def test_which_is_likelier_is_a_hint(lab: Lab, ahead: timedelta) -> None:
    with network(good(lab, GENUINE), close_after_handshake=True) as servers:
        (found,) = at(lab, servers, ahead).assessments
    assert found.verdict == "inconclusive"
    likelier = "wrong clock" if ahead > 74 * DAY + 28 * DAY else "not renewed"
    assert likelier in found.explanation


def test_a_clock_of_another_decade_needs_no_witness(lab: Lab) -> None:
    """What is signed exists: the certificate's first day, and the day of our own data, have passed."""
    behind = datetime(2010, 1, 1, tzinfo=UTC) - datetime.now(UTC)
    with network(good(lab, GENUINE), close_after_handshake=True) as servers:
        report = at(lab, servers, behind)
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("clock-skewed", "certain")
    assert "clock-behind" in codes(found)
    assert "clock-behind" in [c.code for c in report.conclusions]


def test_a_clock_of_another_decade_and_hosts_that_say_so(lab: Lab) -> None:
    behind = datetime(2010, 1, 1, tzinfo=UTC) - datetime.now(UTC)
    with network(good(lab, GENUINE, OTHER)) as servers:
        report = at(lab, servers, behind)
    assert {(each.verdict, each.confidence) for each in report.assessments} == {("clock-skewed", "certain")}


@pytest.mark.parametrize(("ahead", "finding"), [(3 * DAY, "clock-ahead"), (-3 * DAY, "clock-behind")])
def test_a_wrong_clock_by_which_the_certificate_is_valid_too(lab: Lab, ahead: timedelta, finding: str) -> None:
    with network(good(lab, GENUINE, OTHER)) as servers:
        report = at(lab, servers, ahead)
    for found in report.assessments:
        assert (found.verdict, found.confidence) == ("genuine", "certain")
        assert codes(found) & {"clock-ahead", "clock-behind"} == {finding}
    assert finding in [c.code for c in report.conclusions]


@pytest.mark.parametrize("ahead", [timedelta(seconds=200), timedelta(seconds=-200)])
def test_a_clock_a_little_off_is_not_worth_a_word(lab: Lab, ahead: timedelta) -> None:
    with network(good(lab, GENUINE)) as servers:
        report = at(lab, servers, ahead)
    (found,) = report.assessments
    assert found.verdict == "genuine"
    assert not codes(found) & {"clock-ahead", "clock-behind"}
    assert report.conclusions == ()


def expired(lab: Lab, host: str, ago: timedelta) -> Issued:
    return lab.google.we2.issue([host], not_before=lab.now - ago - 84 * DAY, not_after=lab.now - ago)


def test_a_certificate_that_has_expired(lab: Lab) -> None:
    found = one(lab, expired(lab, GENUINE, 5 * DAY))
    assert (found.verdict, found.confidence) == ("expired", "certain")
    assert not codes(found) & {"clock-ahead", "clock-behind"}


def test_a_certificate_that_has_expired_beside_one_that_has_not(lab: Lab) -> None:
    with network({GENUINE: expired(lab, GENUINE, 5 * DAY), **good(lab, OTHER)}) as servers:
        assert verdicts(look(lab, servers)) == {GENUINE: "expired", OTHER: "genuine"}


def test_a_certificate_that_has_expired_and_a_clock_that_hides_it(lab: Lab) -> None:
    """Valid by the local clock, expired in truth: a clock that is behind saves nobody."""
    with network({GENUINE: expired(lab, GENUINE, 5 * DAY), **good(lab, OTHER)}) as servers:
        found = by_host(at(lab, servers, -8 * DAY))
    assert (found[GENUINE].verdict, found[GENUINE].confidence) == ("expired", "certain")
    assert "clock-behind" in codes(found[GENUINE])
    assert found[OTHER].verdict == "genuine"


@pytest.mark.parametrize("ahead", [timedelta(0), 90 * DAY, -7 * DAY], ids=["right", "ahead", "behind"])
def test_a_stolen_key_that_tells_a_time_that_suits_it(lab: Lab, ahead: timedelta) -> None:
    """The thief's Date lies inside the stolen certificate's validity; another host tells the true one."""
    with (
        tls_server(expired(lab, GENUINE, 3 * DAY), date=lab.now - 4 * DAY) as thief,
        tls_server(lab.google.we2.issue([OTHER])) as honest,
        tls_server(lab.google.wr2.issue([THIRD])) as witness,
    ):
        found = by_host(at(lab, {GENUINE: thief, OTHER: honest, THIRD: witness}, ahead))
    assert (found[GENUINE].verdict, found[GENUINE].confidence) == ("expired", "certain")


@pytest.mark.parametrize("ahead", [timedelta(0), -7 * DAY], ids=["right", "behind"])
def test_a_stolen_key_alone_is_never_certain(lab: Lab, ahead: timedelta) -> None:
    with tls_server(expired(lab, GENUINE, 3 * DAY), date=lab.now - 4 * DAY) as thief:
        (found,) = at(lab, {GENUINE: thief}, ahead).assessments
    if ahead:  # the local clock agrees with the thief: nothing here could know better
        assert found.verdict == "genuine"
    else:
        assert found.verdict != "genuine"
        assert found.confidence != "certain"


def test_a_date_that_has_certainly_passed_is_not_believed(lab: Lab) -> None:
    with (
        tls_server(lab.google.we2.issue([GENUINE]), date=lab.now - 30 * DAY) as replay,
        tls_server(lab.google.we2.issue([OTHER])) as honest,
    ):
        report = look(lab, {GENUINE: replay, OTHER: honest})
    assert verdicts(report) == {GENUINE: "genuine", OTHER: "genuine"}
    assert all("clock-witness-dropped" in codes(each) for each in report.assessments)
    assert report.clock.sources == (f"Date of {OTHER}",)


def test_one_wrong_server_does_not_age_the_others(lab: Lab) -> None:
    """A host that tells a time to come: its neighbour's own word and the local clock are against it."""
    with (
        tls_server(lab.google.we2.issue([GENUINE]), date=lab.now + 200 * DAY) as wrong,
        tls_server(lab.google.we2.issue([OTHER])) as honest,
    ):
        found = by_host(look(lab, {GENUINE: wrong, OTHER: honest}))
    assert (found[OTHER].verdict, found[OTHER].confidence) != ("expired", "certain")
    assert found[GENUINE].verdict == "genuine"


def test_a_certificate_of_tomorrow(lab: Lab) -> None:
    issued = lab.google.we2.issue([GENUINE], not_before=lab.now + 5 * DAY, not_after=lab.now + 80 * DAY)
    found = one(lab, issued)
    assert (found.verdict, found.confidence) == ("not-yet-valid", "certain")


def test_a_certificate_of_tomorrow_beside_one_of_today(lab: Lab) -> None:
    issued = lab.google.we2.issue([GENUINE], not_before=lab.now + 5 * DAY, not_after=lab.now + 80 * DAY)
    with network({GENUINE: issued, **good(lab, OTHER, THIRD)}) as servers:
        assert verdicts(look(lab, servers)) == {GENUINE: "not-yet-valid", OTHER: "genuine", THIRD: "genuine"}


@pytest.mark.parametrize("ahead", [90 * DAY, -4000 * DAY])
def test_an_interceptor_is_one_whatever_the_clock_says(lab: Lab, ahead: timedelta) -> None:
    forged = {GENUINE: plain_corporate(lab.now).issue([GENUINE])}
    with network({**forged, **good(lab, OTHER, THIRD)}) as servers:
        found = by_host(at(lab, servers, ahead))
        alone = at(lab, {GENUINE: servers[GENUINE]}, ahead).assessments[0]
    assert found[GENUINE].verdict == alone.verdict == "intercepted"
    assert (found[OTHER].verdict, found[OTHER].confidence) == ("clock-skewed", "certain")


def test_an_interceptors_clock_is_nobodys(lab: Lab) -> None:
    """Inside a session that is not proven a Date is only text."""
    forged = plain_corporate(lab.now).issue([GENUINE])
    with tls_server(forged, date=lab.now + 500 * DAY) as server, network(good(lab, OTHER)) as servers:
        report = look(lab, {GENUINE: server, **servers})
    assert verdicts(report) == {GENUINE: "intercepted", OTHER: "genuine"}
    assert report.clock.sources == (f"Date of {OTHER}",)
    assert told(report) == ["selective-interception", "intercepted-on-this-machine"]


# --- the run as a whole ---------------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_the_questions(lab: Lab) -> None:
    hosts = [f"h{n}.googleapis.com" for n in range(12)]
    issued = lab.google.we2.issue(["*.googleapis.com"])
    with tls_server(issued) as server, fault("silent") as silent:
        places: dict[str, Address] = dict.fromkeys(hosts, server)
        places[hosts[0]] = silent  # the first is the last to end
        report = look(lab, places, concurrency=3)
    assert [each.endpoint.host for each in report.assessments] == hosts
    assert verdicts(report) == {host: "unreachable" if host == hosts[0] else "genuine" for host in hosts}


def test_hosts_named_twice_are_asked_once(lab: Lab) -> None:
    with tls_server(lab.google.we2.issue([GENUINE])) as server:
        places = {GENUINE: server}
        report = scan(
            [GENUINE, f"https://{GENUINE}/one", f"https://{GENUINE}/two"],
            trust=lab.trust,
            proxy="none",
            resolve=resolve(places),
            timeout=2,
            offline=True,
        )
    (found,) = sound(report).assessments
    assert server.connections == 1
    assert len(found.endpoint.rows) == 3


async def _collected(lab: Lab, places: Mapping[str, Address]) -> list[Assessment]:
    options = {"trust": lab.trust, "proxy": "none", "resolve": resolve(places), "timeout": 2.0, "offline": True}
    return [each async for each in scan_async(list(places), **options)]  # type: ignore[arg-type]


def test_the_asynchronous_scan_gives_the_same(lab: Lab) -> None:
    servers = {GENUINE: lab.google.we2.issue([GENUINE]), OTHER: plain_corporate(lab.now).issue([OTHER])}
    with network(servers) as places:
        found = asyncio.run(_collected(lab, places))
    assert [(each.endpoint.host, each.verdict) for each in found] == [(GENUINE, "genuine"), (OTHER, "intercepted")]


def test_progress_is_told_from_none_to_all(lab: Lab) -> None:
    told: list[tuple[int, int]] = []
    with network(good(lab, GENUINE, OTHER)) as servers:
        look(lab, servers, progress=lambda done, of: told.append((done, of)))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_a_host_that_is_in_order_beside_one_that_is_not(lab: Lab) -> None:
    with fault("reset-on-hello") as peer, network(good(lab, GENUINE)) as servers:
        found = by_host(look(lab, {OTHER: peer, **servers}))
    assert how(found[OTHER]) == ("unreachable", "tls", "reset")
    assert how(found[GENUINE]) == ("genuine", None, None)


# -- whether a network is open ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "location", "body", "sign"),
    [
        (204, "", b"", ""),
        (200, "", b"", ""),
        (200, "", b"\n", ""),
        (200, "", b"<html>sign in", "an answer with status 200 where 204 is due"),
        (511, "", b"", "an answer with status 511 (RFC 6585)"),
        (302, "http://login.hotel.test/?mac=1", b"", "a redirect to login.hotel.test"),
        (302, "https://www.gstatic.com/generate_204", b"", ""),
        (403, "", b"blocked", ""),
        (503, "", b"later", ""),
    ],
)
def test_how_a_portal_shows_itself_where_204_is_due(
    lab: Lab, status: int, location: str, body: bytes, sign: str
) -> None:
    head = Head(status, (("location", location),) if location else ())
    assert closed_sign(OPEN, PlainAnswer(head, body), lab.trust) == sign


def test_who_does_not_answer_is_no_portal(lab: Lab) -> None:
    assert closed_sign(OPEN, PlainAnswer(), lab.trust) == ""
