"""Proof in time: the worked examples of the literature this project keeps, by their numbers, and two properties.

The examples carry the numbers of `classification.md` §10, with verdicts as our own table folds them; 1 and 2 are about
logs. The properties are what all of it comes to: what nobody proved moves nothing, whatever dates it bears, and a
revocation is nobody's to give but the issuer's.
"""

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.ocsp import OCSPCertStatus, load_der_ocsp_response
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import trust_folder
from tests.faults import Peer, Request
from tests.test_gather import (
    HOST,
    OTHER,
    SERVICE,
    THIRD,
    Lab,
    World,
    by_host,
    codes,
    failing,
    lab,
    rewrite,
    said,
    send,
    world,
)
from tests.test_observe import _no_names_are_looked_up
from tests.test_timeservice import EMPTY, NONCE, RECORDED, VERSION
from tests.test_traps import remade, tlv, validity
from tlsinspect.evidence.clock import Bounds, service_witness
from tlsinspect.evidence.crl import Crl
from tlsinspect.evidence.gathered import Evidence
from tlsinspect.evidence.timeservice import NotSignedError, signed_time
from tlsinspect.judge import Judged, Observed, judge_run
from tlsinspect.judge.conclude import clock_of
from tlsinspect.judge.establish import Context
from tlsinspect.lab.pki import Authority, Issued, PrivateKey, impersonator, name, plain_corporate, self_signed, zscaler
from tlsinspect.model import Authority as Signed
from tlsinspect.model import (
    ClockEstimate,
    Confidence,
    Endpoint,
    HttpAnswer,
    Kind,
    Observation,
    Report,
    Route,
    Row,
    Severity,
    Stage,
    Tls,
    Verdict,
)
from tlsinspect.trust import Trust

__all__ = ["_no_names_are_looked_up", "lab", "world"]  # fixtures

DAY = timedelta(days=1)
SHOP = "www.shop.example"


def verdicts(report: Report) -> dict[str, str]:
    return {host: str(found.verdict) for host, found in by_host(report).items()}


# --- the worked examples --------------------------------------------------------------------------------------------


def test_example_3_a_dead_battery(world: World) -> None:
    """The clock says 2010, the hosts are genuine, and nobody tells the time: the certificates exist, so they have
    begun, and the clock is behind."""
    google, now = world.lab.google, world.lab.now
    world.serve(HOST, google.wr2.issue([HOST], not_before=now - timedelta(hours=1)), date=None)
    world.serve(OTHER, google.we2.issue([OTHER]), date=None)
    dead = datetime(2010, 1, 1, tzinfo=UTC)
    report = world.look(offline=True, clock=lambda: dead)
    for found in report.assessments:
        assert (found.verdict, found.confidence) == ("clock-skewed", "certain")
        assert said(found, "clock-behind").kind is Kind.PROOF
    behind = said(report, "clock-behind")
    assert behind.kind is Kind.PROOF
    assert int(behind.values["least_seconds"]) < -16 * 365 * 86400
    assert "most_seconds" not in behind.values
    assert report.clock.hi is None
    assert report.clock.lo >= (now - timedelta(hours=1)).replace(microsecond=0)
    assert report.clock.sources == ("notBefore of a proven certificate",)


def test_example_4_zscaler_everywhere_and_the_clock_ahead(world: World) -> None:
    """Two faults, and both are said: who signed does not depend on the time, and the time not on who signed."""
    authority = zscaler(world.lab.now)
    for host in (HOST, OTHER, THIRD):
        world.serve(host, authority.issue([host]))
    report = world.look(clock=lambda: datetime.now(UTC) + 40 * DAY)
    for found in report.assessments:
        assert (found.verdict, found.confidence) == ("intercepted", "certain")
        assert found.attribution is not None
        assert found.attribution.vendor == "Zscaler"
        assert "same-issuing-key-many-hosts" in codes(found)
        # Fourteen days are over by this clock, and not by the true one.
        assert not codes(found) & {"certificate-expired", "expired", "clock-skewed"}
    ahead = said(report, "clock-ahead")
    assert ahead.kind is Kind.PROOF
    assert int(ahead.values["least_seconds"]) <= 40 * 86400 <= int(ahead.values["most_seconds"])
    assert report.clock.sources == (SERVICE,)
    assert {"all-intercepted", "clock-ahead"} <= {c.code for c in report.conclusions}


def test_example_4_without_the_time_service_the_clock_is_not_known(world: World) -> None:
    """Ahead is never proven by what can be replayed, and never by an interceptor's own word."""
    world.serve(HOST, zscaler(world.lab.now).issue([HOST]), date=world.lab.now)
    report = world.look(time_service=False, clock=lambda: datetime.now(UTC) + 40 * DAY)
    assert verdicts(report) == {HOST: "intercepted"}
    assert report.clock.hi is None
    assert not {"clock-ahead", "clock-behind"} & {c.code for c in report.conclusions}


@pytest.fixture(scope="module")
def isca(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Trust]:
    """An authority like Kazakhstan's of 2020, and trust data in whose list its key is."""
    subject = name(
        (NameOID.COUNTRY_NAME, "KZ"),
        (NameOID.ORGANIZATION_NAME, "ISCA"),
        (NameOID.COMMON_NAME, "Information Security Certification Authority"),
    )
    ended = lab.now - 20 * DAY
    root = Authority.root(name((NameOID.COUNTRY_NAME, "KZ"), (NameOID.COMMON_NAME, "State Root")), lab.now)
    state = root.subordinate(subject, not_before=ended - 75 * DAY, not_after=ended)
    folder = trust_folder.make(tmp_path_factory.mktemp("state") / "trust", google_roots=lab.google.roots)
    path = folder / "interceptors.toml"
    text = path.read_text(encoding="utf-8")
    row = next(r for r in tomllib.loads(text)["state_key"] if r["interceptor"] == "kz-isca")
    own = hashlib.sha256(_spki(state.certificate)).hexdigest()
    assert text.count(row["spki_sha256"]) == 1
    rewrite(path, text.replace(row["spki_sha256"], own))
    return state, Trust.load(folder)


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_example_5_a_state_intercepts_with_an_authority_that_has_expired(
    world: World, isca: tuple[Authority, Trust]
) -> None:
    """Seen in the wild from 2020 on: expired must never come before the question who signed."""
    authority, trust = isca
    world.serve(HOST, authority.issue([HOST]))
    report = world.look(trust=trust)
    (found,) = report.assessments
    assert (found.verdict, found.confidence, found.rule) == ("intercepted", "certain", "state-interception")
    assert said(found, "state-interception").severity is Severity.CRITICAL
    assert said(found, "state-interception").kind is Kind.PROOF
    assert "expired" not in codes(found)
    assert found.revocation == ()
    # The key decides; its name alone would only name it.
    renamed = world.one()
    assert (renamed.verdict, renamed.rule) == ("intercepted", "intercepted")


def _go_daddy(common_name: str) -> x509.Name:
    return name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Arizona"),
        (NameOID.LOCALITY_NAME, "Scottsdale"),
        (NameOID.ORGANIZATION_NAME, "GoDaddy.com, Inc."),
        (NameOID.COMMON_NAME, common_name),
    )


def test_example_6_bettercap_bears_the_name_of_a_real_authority(world: World) -> None:
    """Its default authority is named like an intermediate of Go Daddy's, whose key did not sign."""
    forger = Authority.root(_go_daddy("Go Daddy Secure Certificate Authority - G2"), world.lab.now, key="rsa2048")
    for issued in (forger.issue([HOST]), forger.issue([HOST], send_root=True)):
        world.serve(HOST, issued)
        found = world.one()
        assert (found.verdict, found.confidence) == ("intercepted", "certain")
        assert found.attribution is not None
        assert found.attribution.id == "bettercap-proxy"
        assert found.attribution.confidence in (Confidence.LIKELY, Confidence.WEAK)


def test_example_6_the_name_of_a_root_is_impersonated_too(world: World) -> None:
    """Of a root that browsers trust we have the key, and can say that it did not sign."""
    root = _go_daddy("Go Daddy Root Certificate Authority - G2")
    forger = Authority.root(root, world.lab.now, key="rsa2048")
    world.serve(HOST, forger.issue([HOST]))
    found = world.one(trust=Trust.default())
    assert (found.verdict, found.confidence, found.rule) == ("intercepted", "certain", "issuer-impersonated")
    assert said(found, "issuer-impersonated").severity is Severity.CRITICAL


def test_example_7_a_portal_with_a_certificate_of_its_own(world: World) -> None:
    """A valid certificate of a public authority for the portal's own name: no misissuance, for it claims no name that
    was asked for. That it is a portal takes more than that."""
    world.serve(HOST, world.lab.public.issue(["portal.hotel.example"]))

    def redirect(peer: Peer, _: Request) -> None:
        send(peer, b"", "Location: https://portal.hotel.example/login", status="302 Found")

    world.port80.replies = {"*": redirect}
    report = world.look("http://c.pki.goog/")
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("captive-portal", "strong")
    assert "portal-on-network" in {c.code for c in report.conclusions}
    assert not codes(found) & {"unexpected-ca"}
    # The same certificate without the redirect.
    world.port80.replies = {"*": failing("404 Not Found")}
    alone = world.one()
    assert (alone.verdict, alone.confidence) == ("wrong-host", "certain")
    assert "not-google" in codes(alone)


def test_example_8_google_s_authority_signs_for_its_customers(world: World) -> None:
    """A valid certificate of Google Trust Services for evil.test in front of mail.google.com: to pin the root alone
    would pass it."""
    world.serve(OTHER, world.lab.google.wr2.issue(["evil.test"], logs=world.lab.logs))
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    found = by_host(world.look())
    assert (found[OTHER].verdict, found[OTHER].confidence) == ("wrong-host", "certain")
    assert not codes(found[OTHER]) & {"not-google", "other-google-name"}
    assert found[HOST].verdict == "genuine"


def test_example_9_an_antivirus_says_that_the_upstream_was_bad(world: World) -> None:
    """On one host only: two faults, one behind the other."""
    subject = name(
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "generated by Avast Antivirus for untrusted server certificates"),
        (NameOID.ORGANIZATION_NAME, "Avast Web/Mail Shield"),
        (NameOID.COMMON_NAME, "Avast Web/Mail Shield Untrusted Root"),
    )
    world.serve(HOST, Authority.root(subject, world.lab.now).issue([HOST]))
    world.serve(OTHER, world.lab.google.wr2.issue([OTHER]))
    report = world.look()
    found = by_host(report)
    assert (found[HOST].verdict, found[HOST].confidence) == ("intercepted", "certain")
    assert found[HOST].attribution is not None
    assert "upstream-untrusted" in codes(found[HOST])
    assert said(found[HOST], "interceptor-match").kind is Kind.HINT
    assert found[OTHER].verdict == "genuine"
    assert said(report, "selective-interception").values["hosts"] == HOST


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_example_10_the_recorded_answers_of_the_time_service() -> None:
    """Three of three are taken; none with a bit changed anywhere, none for another nonce. (That hashing once is not
    enough is a test beside the reader.)"""
    keys = Trust.default().time_keys
    for body, signature, milliseconds in RECORDED:
        proof = f"{signature}:{EMPTY}"
        told = signed_time(body, proof, VERSION, NONCE, keys)
        assert told == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
        raw = bytes.fromhex(signature)
        wrong = [(_flipped(body, bit), proof, NONCE) for bit in range(8 * len(body))]
        wrong += [(body, f"{_flipped(raw, bit).hex()}:{EMPTY}", NONCE) for bit in range(8 * len(raw))]
        wrong += [(body, proof, "123123124"), (body, proof, ""), (body, f"{signature}:{'0' * 64}", NONCE)]
        for changed, proven, nonce in wrong:
            with pytest.raises(NotSignedError):
                signed_time(changed, proven, VERSION, nonce, keys)


# --- a run, taken apart ---------------------------------------------------------------------------------------------

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
WITNESSES = ("both", "one", "service", "none", "none, and all is inside")
OUTSIDE = ("accounts.google.com", "sites.google.com")  # expired, and not yet valid
OFFSETS = (timedelta(0), -6000 * DAY, -400 * DAY, 40 * DAY, 400 * DAY)
NOTHING = Evidence()
CRL_URL = "http://c.pki.goog/wr2/lab.crl"


@dataclass(frozen=True, repr=False)
class Play:
    """What a run saw, and the pieces of it that nobody proved: a name, a certificate and the key that signed it."""

    proven: Mapping[str, Issued]
    unproven: Mapping[str, tuple[str, ...]]
    """Hosts, and the names of the pieces they present."""
    pieces: Mapping[str, tuple[Issued, PrivateKey]]
    lab: Lab


@cache
def made(authorities: Lab) -> Play:
    """Everything a run can meet. The laboratory's own time plays no part; its certificates are valid around NOW."""
    google = replace(authorities.google, wr2=replace(authorities.google.wr2, now=NOW))
    wr2, we2 = google.wr2, replace(google.we2, now=NOW)
    corporate, forger = plain_corporate(NOW), impersonator(NOW)
    own = self_signed("calendar.google.com", NOW)
    elsewhere = corporate.issue(["gateway.acme.example"])

    def of(authority: Authority) -> tuple[Issued, PrivateKey]:
        return Issued(authority.certificate, authority.key, (authority.certificate,)), authority.key

    return Play(
        {
            HOST: wr2.issue([HOST]),
            OTHER: we2.issue([OTHER]),
            "accounts.google.com": wr2.issue(["accounts.google.com"], not_after=NOW - 5 * DAY),
            "sites.google.com": wr2.issue(["sites.google.com"], not_before=NOW + 5 * DAY),
            "docs.google.com": wr2.issue(["evil.test"]),
        },
        {
            "www.google.com": ("company leaf", "company"),
            "drive.google.com": ("company leaf", "company"),
            "contacts.google.com": ("company leaf",),
            "people.google.com": ("forged leaf", "forger"),
            "calendar.google.com": ("self-signed",),
            "maps.google.com": ("elsewhere", "company"),
            SHOP: ("shop leaf", "company"),
            "www.bank.example": ("elsewhere", "company"),
        },
        {
            "company": of(corporate),
            "forger": of(forger),
            "company leaf": (
                corporate.issue(["www.google.com", "drive.google.com", "contacts.google.com"]),
                corporate.key,
            ),
            "forged leaf": (forger.issue(["people.google.com"]), forger.key),
            "self-signed": (own, own.key),
            "elsewhere": (elsewhere, corporate.key),
            "shop leaf": (corporate.issue([SHOP]), corporate.key),
        },
        authorities,
    )


def observed(stage: Play, pieces: Mapping[str, bytes], witnesses: str, off: timedelta) -> list[Observed]:
    """The run in which these are the pieces. Whoever is genuine tells the time or does not; interceptors always do."""
    local = NOW + off
    # A leaf that has not begun proves the clock wrong, unless its own session says otherwise.
    telling = {"both": (HOST, OTHER, "sites.google.com"), "one": (HOST,)}.get(witnesses, ())
    inside = witnesses == "none, and all is inside"  # what is assumed of the time rests on leaves that have not ended
    chains = {host: issued.ders for host, issued in stage.proven.items() if not (inside and host in OUTSIDE)}
    chains |= {host: tuple(pieces[piece] for piece in names) for host, names in stage.unproven.items()}
    found = []
    for host, chain in chains.items():
        date = NOW if host in telling or host in stage.unproven else None
        public = host.endswith(".example")
        endpoint = Endpoint(host, 443, True, Signed.PUBLIC if public else Signed.GOOGLE, (Row(url=f"https://{host}/"),))
        seen = Observation(
            host=host,
            port=443,
            route=Route(),
            started=local,
            stage=Stage.HTTP,
            address="192.0.2.1",
            tls=Tls("large", completed=True, chain=chain, protocol="TLSv1.3", alpn="h2"),
            http=HttpAnswer(200, sent=local, received=local, date=date),
        )
        found.append(Observed(endpoint, (seen,)))
    return found


def judged(
    stage: Play, pieces: Mapping[str, bytes], witnesses: str, off: timedelta, evidence: Evidence = NOTHING
) -> Judged:
    local = NOW + off
    if witnesses == "service":
        evidence = replace(evidence, service=service_witness(NOW, local, local))
    trust = stage.lab.trust
    context = Context(trust, Bounds(local, trust.released), evidence=evidence)
    return judge_run(observed(stage, pieces, witnesses, off), context)


def as_made(stage: Play) -> dict[str, bytes]:
    return {piece: issued.ders[0] for piece, (issued, _) in stage.pieces.items()}


def answers(run: Judged) -> dict[str, tuple[str, str, str]]:
    return {a.endpoint.host: (str(a.verdict), str(a.confidence), a.rule) for a in run.assessments}


_known: dict[tuple[str, timedelta], tuple[dict[str, tuple[str, str, str]], ClockEstimate]] = {}


def baseline(stage: Play, witnesses: str, off: timedelta) -> tuple[dict[str, tuple[str, str, str]], ClockEstimate]:
    if (witnesses, off) not in _known:
        run = judged(stage, as_made(stage), witnesses, off)
        _known[witnesses, off] = answers(run), clock_of(run)
    return _known[witnesses, off]


def test_the_run_holds_what_the_properties_are_about(lab: Lab) -> None:
    """They would hold of a judge that finds everything inconclusive; this would not."""
    found, clock = baseline(made(lab), "both", timedelta(0))
    assert {host: verdict for host, (verdict, _, _) in found.items()} == {
        HOST: "genuine",
        OTHER: "genuine",
        "accounts.google.com": "expired",
        "sites.google.com": "not-yet-valid",
        "docs.google.com": "wrong-host",
        "www.google.com": "intercepted",
        "drive.google.com": "intercepted",
        "contacts.google.com": "intercepted",
        "people.google.com": "intercepted",
        "calendar.google.com": "intercepted",
        "maps.google.com": "wrong-host",
        SHOP: "intercepted",
        "www.bank.example": "wrong-host",
    }
    assert clock.hi is not None
    ahead, _ = baseline(made(lab), "both", 400 * DAY)
    assert {ahead[HOST][0], ahead[OTHER][0]} == {"clock-skewed"}
    blind, unknown = baseline(made(lab), "none", 400 * DAY)
    assert (blind[HOST][2], unknown.hi) == ("expired-or-clock", None)
    _, assumed = baseline(made(lab), "none, and all is inside", timedelta(0))
    assert (assumed.hi, assumed.assumed_hi) == (None, made(lab).proven[HOST].certificate.not_valid_after_utc)


# --- dates of what nobody proved ------------------------------------------------------------------------------------


def _time(moment: datetime) -> bytes:
    """A Time of RFC 5280 §4.1.2.5, as far as years go."""
    digits = f"{moment.year:04}{moment:%m%d%H%M%S}Z"
    return tlv(0x17, digits[2:].encode()) if 1950 <= moment.year < 2050 else tlv(0x18, digits.encode())


def _near(days: st.SearchStrategy[int]) -> st.SearchStrategy[datetime]:
    return days.map(lambda n: NOW + n * DAY)


MOMENTS = st.one_of(
    _near(st.integers(-60, 60)),
    _near(st.integers(-9000, 9000)),
    st.sampled_from([NOW, NOW - 400 * DAY, NOW + 400 * DAY, NOW - timedelta(hours=6)]),
    st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1950),
)
ABSURD = st.datetimes(timezones=st.just(UTC))  # from the year 1 to the year 9999
PIECES = ("company", "forger", "company leaf", "forged leaf", "self-signed", "elsewhere", "shop leaf")


def redated(stage: Play, dates: Mapping[str, tuple[datetime, datetime]]) -> dict[str, bytes]:
    """The pieces, some with other dates, signed again by whoever signed them."""
    changed = as_made(stage)
    for piece, (begin, end) in dates.items():
        issued, signer = stage.pieces[piece]
        changed[piece] = remade(issued, signer, validity(_time(begin), _time(end)))
    return changed


@settings(max_examples=150, deadline=None)
@given(
    dates=st.dictionaries(st.sampled_from(PIECES), st.tuples(MOMENTS, MOMENTS), min_size=1),
    witnesses=st.sampled_from(WITNESSES),
    off=st.sampled_from(OFFSETS),
)
def test_no_dates_of_unproven_certificates_change_anything(
    lab: Lab, dates: dict[str, tuple[datetime, datetime]], witnesses: str, off: timedelta
) -> None:
    """Expired, to come, the wrong way round, copied, shifted: no verdict, no confidence and no bound moves, of
    nobody."""
    stage = made(lab)
    run = judged(stage, redated(stage, dates), witnesses, off)
    found, clock = baseline(stage, witnesses, off)
    assert answers(run) == found
    assert clock_of(run) == clock


@settings(max_examples=60, deadline=None)
@given(
    dates=st.dictionaries(st.sampled_from(PIECES), st.tuples(ABSURD, ABSURD), min_size=1),
    witnesses=st.sampled_from(WITNESSES),
)
def test_no_absurd_dates_of_unproven_certificates_change_anything(
    lab: Lab, dates: dict[str, tuple[datetime, datetime]], witnesses: str
) -> None:
    """From the year 1 on: some readers take no certificate with such dates. What that costs may be said; nobody becomes
    genuine by it, nobody who is proven is any the worse, and the time is what it was."""
    stage = made(lab)
    run = judged(stage, redated(stage, dates), witnesses, timedelta(0))
    found, clock = baseline(stage, witnesses, timedelta(0))
    assert answers(run) == found
    assert clock_of(run) == clock


# --- revocation is the issuer's to give -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Objects:
    """Lists and answers that revoke nobody of the run, and some that would if a bit of what is signed had not been
    changed."""

    crls: tuple[bytes, ...]
    ocsp: tuple[bytes, ...]
    signed_crls: tuple[bytes, ...]
    signed_ocsp: tuple[bytes, ...]


@cache
def objects(authorities: Lab) -> Objects:
    stage = made(authorities)
    wr2, r1 = replace(authorities.google.wr2, now=NOW), replace(authorities.google.r1, now=NOW)
    namesake = Authority.root(wr2.certificate.subject, NOW, key_id=wr2.key_id)
    company = plain_corporate(NOW)
    leaves = [issued.certificate for issued in stage.proven.values()]
    serials = [leaf.serial_number for leaf in leaves]
    foreign = [issued.certificate.serial_number for issued, _ in stage.pieces.values()]
    issuer = replace(company, key=stage.pieces["company"][1])  # the company's own word on what it signed
    stranger = wr2.issue(["evil.test"]).certificate
    revoked = OCSPCertStatus.REVOKED
    return Objects(
        crls=(
            wr2.crl(),
            wr2.crl([stranger.serial_number]),
            wr2.crl(dict.fromkeys(serials, NOW + 3 * DAY)),
            r1.crl(serials),
            namesake.crl([*serials, *foreign]),
            company.crl([*serials, *foreign]),
            issuer.crl([*serials, *foreign]),
        ),
        ocsp=(
            wr2.ocsp_answer(leaves[0]),
            wr2.ocsp_answer(leaves[0], OCSPCertStatus.UNKNOWN),
            wr2.ocsp_answer(stranger, revoked),
            namesake.ocsp_answer(leaves[0], revoked),
            company.ocsp_answer(stage.pieces["company leaf"][0].certificate, revoked),
        ),
        signed_crls=(wr2.crl(serials), r1.crl([wr2.certificate.serial_number])),
        signed_ocsp=(wr2.ocsp_answer(leaves[0], revoked), wr2.ocsp_answer(leaves[2], revoked)),
    )


def _mutated(data: st.DataObject, seeds: Sequence[bytes]) -> bytes:
    raw = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= data.draw(st.integers(1, 255))
    return bytes(raw[: data.draw(st.integers(len(raw) - 3, len(raw)))]) if data.draw(st.booleans()) else bytes(raw)


def _spoilt(data: st.DataObject, seeds: Sequence[bytes], inside: Callable[[bytes], bytes]) -> bytes:
    """What the issuer did sign, with something of it changed, anywhere its signature covers."""
    whole = data.draw(st.sampled_from(seeds))
    signed = inside(whole)
    at = whole.index(signed) + data.draw(st.integers(0, len(signed) - 1))
    return whole[:at] + bytes((whole[at] ^ data.draw(st.integers(1, 255)),)) + whole[at + 1 :]


def _object(
    data: st.DataObject, held: Sequence[bytes], signed: Sequence[bytes], inside: Callable[[bytes], bytes]
) -> bytes:
    how = data.draw(st.sampled_from(["as made", "mutated", "spoilt", "bytes"]))
    if how == "as made":
        return data.draw(st.sampled_from(held))
    if how == "mutated":
        return _mutated(data, held)
    if how == "spoilt":
        return _spoilt(data, signed, inside)
    return data.draw(st.binary(max_size=200))


def _objects(data: st.DataObject, held: Objects) -> tuple[list[bytes], list[bytes]]:
    def crl() -> bytes:
        return _object(data, held.crls, held.signed_crls, lambda raw: x509.load_der_x509_crl(raw).tbs_certlist_bytes)

    def answer() -> bytes:
        return _object(data, held.ocsp, held.signed_ocsp, lambda raw: load_der_ocsp_response(raw).tbs_response_bytes)

    return (
        [crl() for _ in range(data.draw(st.integers(0, 3)))],
        [answer() for _ in range(data.draw(st.integers(0, 2)))],
    )


def test_what_the_issuer_signs_does_revoke(lab: Lab) -> None:
    """Without which the property below would say nothing."""
    stage, held = made(lab), objects(lab)
    by_list = judged(stage, as_made(stage), "both", timedelta(0), Evidence(given_crls=(Crl(held.signed_crls[0]),)))
    assert {host for host, (verdict, _, _) in answers(by_list).items() if verdict == "revoked"} == {
        HOST,
        "accounts.google.com",
        "sites.google.com",
    }
    above = judged(stage, as_made(stage), "both", timedelta(0), Evidence(given_crls=(Crl(held.signed_crls[1]),)))
    assert answers(above)[HOST][0] == "revoked"
    by_answer = judged(stage, as_made(stage), "both", timedelta(0), Evidence(given_ocsp=held.signed_ocsp[:1]))
    assert answers(by_answer)[HOST][0] == "revoked"


@settings(max_examples=200, deadline=None)
@given(data=st.data(), off=st.sampled_from((timedelta(0), -400 * DAY, 40 * DAY)))
def test_nobody_else_revokes_and_nobody_becomes_genuine_by_a_list(
    lab: Lab, data: st.DataObject, off: timedelta
) -> None:
    """Whatever lists and answers are given, by whom and however mutilated: a verdict other than revoked never becomes
    revoked, one other than genuine never genuine, and those of unproven certificates stay what they are."""
    stage = made(lab)
    crls, ocsp = _objects(data, objects(lab))
    lists = tuple(map(Crl, crls))
    evidence = Evidence(given_crls=lists, given_ocsp=tuple(ocsp), crls={CRL_URL: lists})
    run = answers(judged(stage, as_made(stage), "both", off, evidence))
    found, _ = baseline(stage, "both", off)
    for host, (verdict, confidence, rule) in run.items():
        assert verdict != Verdict.REVOKED, host
        assert verdict != Verdict.GENUINE or found[host][0] == Verdict.GENUINE, host
        if host in stage.unproven:
            assert (verdict, confidence, rule) == found[host], host


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_revocation_is_not_talked_away(lab: Lab, data: st.DataObject) -> None:
    """The other way round: what the issuer revoked stays so, whatever else is given beside it."""
    stage, held = made(lab), objects(lab)
    crls, ocsp = _objects(data, held)
    lists = (*map(Crl, crls), Crl(held.signed_crls[0]))
    run = answers(
        judged(stage, as_made(stage), "both", timedelta(0), Evidence(given_crls=lists, given_ocsp=tuple(ocsp)))
    )
    assert run[HOST][0] == run["accounts.google.com"][0] == Verdict.REVOKED
