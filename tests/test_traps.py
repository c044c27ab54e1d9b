"""Traps in which other tools of this kind are caught, one test each; and certificates that no strict reader takes.

The numbers are those of our comparison of peers; each docstring names the trap and a tool that is caught in it.
"""

import json
import socket
import ssl
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.ocsp import OCSPCertStatus
from cryptography.x509.oid import ExtensionOID, NameOID

import tlsinspect
from tests.conftest import NOWHERE, options, run, shared_data
from tests.faults import ENDPOINT_FAULTS, NOTHING_LISTENING, PROXY_FAULTS, Running, fault, honest_proxy, tls_server
from tests.faults import HOST as LOOPBACK
from tests.test_gather import R1_CRL, WR2_CRL, WR2_OCSP, World, access, crl_at, lab, timestamps_of, world
from tests.test_judge import codes, own_name, recorded
from tests.test_observe import _no_names_are_looked_up
from tlsinspect import Trust
from tlsinspect.certificate import Certificate
from tlsinspect.cli import main
from tlsinspect.lab.pki import (
    ORDINARY_STYLE,
    Authority,
    Extensions,
    GoogleLike,
    Issued,
    PrivateKey,
    cases,
    fiddler,
    google_like,
    impersonator,
    name,
    new_key,
    plain_corporate,
    self_signed,
    zscaler,
)
from tlsinspect.model import Assessment, Confidence, Revocation, RevocationReason, Verdict
from tlsinspect.trust import certificates_in

__all__ = ["_no_names_are_looked_up", "lab", "world"]  # fixtures, the first for every test here too

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOST = "www.googleapis.com"
DAY = timedelta(days=1)


def judged(chain: Sequence[bytes], host: str = HOST, *, at: datetime = NOW, **settings: object) -> Assessment:
    return tlsinspect.classify(chain, host, at=at, **settings)  # type: ignore[arg-type]


@cache
def google() -> GoogleLike:
    return google_like(NOW)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    path = tmp_path_factory.mktemp("trust") / "roots.pem"
    path.write_bytes(google().roots_pem)
    return Trust.load(path)


@pytest.fixture(scope="module")
def today() -> datetime:
    return datetime.now(UTC)


def names_of(path: Path) -> str:
    return own_name(Certificate(next(certificates_in(path.read_bytes()))))


def scan(places: dict[str, tuple[str, int]], **settings: object) -> tlsinspect.Report:
    where = [f"{host}:443:{address}:{port}" for host, (address, port) in places.items()]
    given = {"proxy": "none", "timeout": 2.0, "offline": True, **settings}
    return tlsinspect.scan(list(places), resolve=where, **given)  # type: ignore[arg-type]


def scan_words(places: dict[str, tuple[str, int]], *more: str) -> list[str]:
    where = [f"{host}:443:{address}:{port}" for host, (address, port) in places.items()]
    return ["scan", *places, "--proxy", "none", "--timeout", "2", *options(where), *more]


# --- the traps ------------------------------------------------------------------------------------------------------


def test_an_interceptor_that_presents_no_self_signed_authority() -> None:
    """T1, tlsx: untrusted only where a self-signed authority is presented. Leaf alone and leaf with intermediate, as
    cloud gateways send them, have none."""
    for issued in (zscaler(NOW).issue([HOST]), zscaler(NOW).issue([HOST]).alone()):
        assert all(c.subject != c.issuer for c in issued.chain)
        found = judged(issued.ders)
        assert (found.verdict, found.confidence) == (Verdict.INTERCEPTED, Confidence.CERTAIN)
        assert found.attribution is not None
        assert found.attribution.id == "zscaler"
    # The other half of it: a root that is presented, self-signed and of the right name is still nobody's.
    copied = Authority.root(google().r4.certificate.subject, NOW, key="p384").subordinate(
        google().we2.certificate.subject
    )
    assert judged(copied.issue([HOST], send_root=True).ders).verdict is Verdict.INTERCEPTED


def test_a_foreign_leaf_among_authorities_that_are_all_googles(stand_in: Trust) -> None:
    """T2, midcert and CypherHawk: only the authorities presented are looked at, never the leaf."""
    foreign = plain_corporate(NOW).issue([HOST])
    for authority in (google().wr2, google().we2):
        genuine = authority.issue([HOST])
        assert judged(genuine.ders, trust=stand_in).verdict is Verdict.GENUINE
        named = plain_corporate(NOW).issue(
            [HOST], issuer_name=authority.certificate.subject, issuer_key_id=authority.key_id
        )
        for leaf in (foreign, named):
            behind = leaf.followed_by(*authority.path(root=True))
            assert judged(behind.ders, trust=stand_in).verdict is Verdict.INTERCEPTED
            assert judged(leaf.followed_by(*genuine.chain).ders, trust=stand_in).verdict is Verdict.INTERCEPTED


def test_a_name_of_google_s_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T3, JET, Test-AzStackHciSSLInspection and check_ssl_cert: the issuer's name is taken for its proof."""
    real = next(i for i in Trust.default().intermediates if i.cn == "WR2")
    forged = (
        cases(NOW, HOST)["E"],
        impersonator(NOW).issue([HOST], send_root=True),
        impersonator(NOW, key_id=bytes.fromhex(real.key_id)).issue([HOST]).alone(),
    )
    for issued in forged:
        found = judged(issued.ders, possession_proven=True)
        assert "CN=WR2" in (found.issuer or "")
        assert (found.verdict, found.confidence) == (Verdict.INTERCEPTED, Confidence.CERTAIN)
        assert found.attribution is None
        assert "issuer-impersonated" in {found.rule} | codes(found)
    file = tmp_path / "forged.pem"
    file.write_bytes(forged[0].pem)
    assert main(["classify", str(file), "--host", HOST, "--at", NOW.isoformat()]) == 1
    assert "genuine" not in capsys.readouterr().out


def test_no_error_of_the_network_is_an_interceptor() -> None:
    """T4, SUSE's susecloud-repocheck: any TLS error is a proxy in the middle."""
    unseen = {Verdict.UNREACHABLE, Verdict.BLOCKED, Verdict.CAPTIVE_PORTAL, Verdict.INCONCLUSIVE}
    with ExitStack() as stack:
        # The two that get as far as a certificate show a chain of their own, and are another trap: see T14.
        kinds = [kind for kind in ENDPOINT_FAULTS if kind not in ("bad-key-exchange", "reset-after-certificate")]
        places = {f"{kind}.google.com": kind for kind in kinds}
        peers = {host: stack.enter_context(fault(kind, names=[host], interval=0.05)) for host, kind in places.items()}
        direct = scan({host: (peer.host, peer.port) for host, peer in peers.items()})
        proxied = [
            tlsinspect.scan(
                [HOST],
                proxy=f"http://{LOOPBACK}:{stack.enter_context(fault(kind, interval=0.05)).port}",
                timeout=1.0,
                offline=True,
            )
            for kind in PROXY_FAULTS
            if kind not in ("proxy-lf-only", "proxy-204", "proxy-1xx")  # through these there is a host to be seen
        ]
    found = [a for report in (direct, *proxied) for a in report.assessments]
    assert len(found) == len(kinds) + len(PROXY_FAULTS) - 3
    for assessment in found:
        assert assessment.verdict in unseen, assessment.endpoint.host
        assert assessment.attribution is None
        assert not codes(assessment) & {"interceptor-match", "not-google", "self-signed"}
        assert "intercepted" not in assessment.explanation
    assert not {"all-intercepted", "selective-interception"} & {c.code for c in direct.conclusions}


def test_a_root_that_the_machine_trusts_is_still_not_google_s(tmp_path: Path, today: datetime) -> None:
    """T5, osquery, blackbox_exporter, GAM with cacerts_pem: with the company's root installed everything is well."""
    authority = zscaler(today)
    bundle = tmp_path / "corporate.pem"
    bundle.write_bytes(authority.anchor.pem)
    everywhere = dict.fromkeys(
        ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), str(bundle)
    )
    with tls_server(authority.issue([HOST])) as server:
        # That this machine would take it is what makes the test one.
        context = ssl.create_default_context(cafile=str(bundle))
        with (
            socket.create_connection((server.host, server.port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as trusted,
        ):
            assert trusted.version() is not None
        ended = run(*scan_words({HOST: server}, "--format", "json"), extra=everywhere)
    (found,) = json.loads(ended.out)["assessments"]
    assert (ended.status, found["verdict"], found["confidence"]) == (1, "intercepted", "certain")
    assert found["attribution"]["id"] == "zscaler"


@pytest.mark.parametrize(
    "content", [None, b"", b" \n", b"no certificate here\n", b"-----BEGIN CERTIFICATE-----\nMIIB\n"], ids=repr
)
def test_roots_that_cannot_be_loaded_end_the_run(
    tmp_path: Path, today: datetime, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """T8, step certificate verify: the error is dropped, and the roots of the system are taken instead."""
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(tlsinspect.TrustDataError) as refusal:
        Trust.load(path)
    assert str(path) in str(refusal.value)
    with tls_server(plain_corporate(today).issue([HOST])) as server:
        assert main(scan_words({HOST: server}, "--trust", str(path))) == 2
        assert server.connections == 0, "nothing is asked of anybody before there is something to judge by"
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    with pytest.raises(tlsinspect.TrustDataError):
        tlsinspect.scan([HOST], trust=path, proxy=NOWHERE)


def test_a_folder_of_roots_without_its_manifest_ends_the_run(tmp_path: Path) -> None:
    """T8 again, for a folder: half of the data is not data."""
    (tmp_path / "google_roots.pem").write_bytes(google().roots_pem)
    with pytest.raises(tlsinspect.TrustDataError):
        Trust.load(tmp_path)


def authority_with(extensions: Extensions) -> Authority:
    """A self-signed authority with these extensions and no others."""
    key = new_key()
    subject = name((NameOID.ORGANIZATION_NAME, "Acme Corp"), (NameOID.COMMON_NAME, "Acme Corp TLS Inspection CA"))
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), x509.random_serial_number(), NOW - 400 * DAY, NOW + 4000 * DAY
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    digest = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    return Authority(builder.sign(key, hashes.SHA256()), key, None, NOW, ORDINARY_STYLE, digest)


_CA = x509.BasicConstraints(ca=True, path_length=None)
_SIGNS = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
OLD_FASHIONED: dict[str, Extensions] = {
    "no keyUsage": [(_CA, True)],
    "basicConstraints not critical": [(_CA, False), (_SIGNS, True)],
    "neither": [(_CA, False)],
    "keyUsage not critical": [(_CA, True), (_SIGNS, False)],
}


@pytest.mark.parametrize("kind", OLD_FASHIONED)
def test_a_defect_of_the_proxy_s_authority_hides_nobody(tmp_path: Path, kind: str) -> None:
    """T9, sslyze: "invalid extension 2.5.29.15 missing" is all that is said of a proxy, even with its root supplied."""
    authority = authority_with(OLD_FASHIONED[kind])
    for send_root in (False, True):
        issued = authority.issue([HOST], send_root=send_root)
        found = judged(issued.ders)
        assert (found.verdict, found.rule, found.confidence) == ("intercepted", "intercepted", "certain")
        # With its root among the public ones, the answer is whose it is, not what is wrong with it.
        public = Trust.default().with_public_roots(authority.pem)
        assert judged(issued.ders, trust=public).verdict is Verdict.UNEXPECTED_CA
    # And with its root standing in for Google's it did sign: then, and only then, its make is what is left to say.
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority.pem)
    found = judged(authority.issue([HOST]).ders, trust=Trust.load(roots), possession_proven=True)
    assert found.rule in ("strict-profile-defect", "genuine")
    assert (found.rule == "genuine") is (kind == "keyUsage not critical")


def test_a_proxy_s_chain_without_its_root_is_not_incomplete() -> None:
    """T10, testssl.sh: "chain incomplete" for leaf alone, leaf with intermediate, and a forged issuer's name."""
    for case in ("B", "C", "E"):
        found = judged(cases(NOW, HOST)[case].ders)
        assert found.verdict is Verdict.INTERCEPTED
        assert "chain-incomplete" not in codes(found)
        assert "incomplete" not in found.explanation


@pytest.mark.parametrize("alone", [False, True])
def test_google_s_own_chain_without_its_intermediate_is(alone: bool) -> None:
    """T10, the other side: here the word is right, for the key that signed is known."""
    path = next(p for p in recorded("google_chains") if p.name.startswith("2024-02-05_www.google.com_GTS_CA_1C3_EC"))
    chain = list(certificates_in(path.read_bytes()))
    leaf = Certificate(chain[0])
    found = judged(chain[:1] if alone else chain, names_of(path), at=leaf.not_before + DAY)
    assert found.verdict is Verdict.GENUINE
    assert ("chain-incomplete" in codes(found)) is alone


def test_a_chain_of_google_trust_services_is_no_interceptor() -> None:
    """T13, midcert: its own demonstration takes a genuine chain for a forged one, for its list of roots is old."""
    now_and_then = [p for p in recorded("google_chains") if "_GTS_" in p.name]
    assert len(now_and_then) > 30
    for path in now_and_then:
        chain = list(certificates_in(path.read_bytes()))
        leaf = Certificate(chain[0])
        if leaf.poisoned:
            continue
        found = judged(chain, names_of(path), at=leaf.not_after - DAY, possession_proven=True)
        assert found.verdict is Verdict.GENUINE, path.name
        assert found.confidence is Confidence.CERTAIN or "root-historical" in codes(found), path.name


def test_old_data_excludes_nobody(tmp_path: Path) -> None:
    """T13: a public root younger than our list may be one that Google has moved to since."""
    authority = plain_corporate(NOW)
    chain = authority.issue([HOST], not_after=NOW + 3000 * DAY).ders
    trust = Trust.default().with_public_roots(authority.pem)
    young = datetime.fromisoformat(trust.facts.date).replace(tzinfo=UTC) + DAY
    old = next(young + n * DAY for n in range(3650) if trust.is_outdated(young + n * DAY))
    assert judged(chain, at=young, trust=trust).verdict is Verdict.UNEXPECTED_CA
    found = judged(chain, at=old, trust=trust)
    assert (found.verdict, found.rule) == (Verdict.INCONCLUSIVE, "trust-data-outdated")
    # Who is signed by nobody public at all stays one; and who is Google's stays Google's.
    assert judged(chain, at=old).verdict is Verdict.INTERCEPTED
    roots = tmp_path / "roots.pem"
    later = google_like(old)
    roots.write_bytes(later.roots_pem)
    genuine = judged(later.we2.issue([HOST]).ders, at=old, trust=Trust.load(roots))
    assert genuine.verdict is Verdict.GENUINE
    assert "trust-data-old" in codes(genuine)


def test_what_was_presented_is_kept_whatever_is_wrong_with_it(today: datetime) -> None:
    """T14, blackbox_exporter: when verification fails the certificate is gone."""
    wrong: dict[str, Issued] = {
        "www.google.com": self_signed("www.google.com", today),
        "mail.google.com": plain_corporate(today).issue(["elsewhere.test"]),
        "docs.google.com": plain_corporate(today).issue(["docs.google.com"], not_after=today - 30 * DAY),
        "drive.google.com": fiddler(today).issue(["drive.google.com"], send_root=True),
    }
    with ExitStack() as stack:
        places = {host: stack.enter_context(tls_server(issued)) for host, issued in wrong.items()}
        broken = plain_corporate(today).issue([HOST])
        wrong[HOST] = broken
        places[HOST] = stack.enter_context(fault("reset-after-certificate", issued=broken))
        report = scan({host: (peer.host, peer.port) for host, peer in places.items()})
    for assessment in report.assessments:
        issued = wrong[assessment.endpoint.host]
        (seen,) = assessment.observations
        assert seen.tls is not None
        assert seen.tls.chain == issued.ders
        assert assessment.not_after == issued.certificate.not_valid_after_utc
        assert assessment.issuer
        assert assessment.verdict in (Verdict.INTERCEPTED, Verdict.WRONG_HOST)


def test_the_exit_status_tells_the_verdicts_apart(
    tmp_path: Path, today: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    """T18, sslyze and testssl.sh: zero, whoever is on the other end, and zero where nobody is."""
    lab = google_like(today)
    roots = tmp_path / "roots.pem"
    roots.write_bytes(lab.roots_pem)
    trusting = ("--trust", str(roots))
    statuses = {}
    with (
        tls_server(lab.we2.issue([HOST])) as genuine,
        tls_server(plain_corporate(today).issue([HOST])) as foreign,
        tls_server(lab.we2.issue([HOST], not_after=today - DAY)) as expired,
        tls_server(lab.we2.issue(["mail.google.com"])) as elsewhere,
        fault(NOTHING_LISTENING) as nobody,
        fault("http-403") as refusing,
    ):
        for what, peer in {
            "genuine": genuine,
            "intercepted": foreign,
            "expired": expired,
            "wrong-host": elsewhere,
            "unreachable": nobody,
            "blocked": refusing,
        }.items():
            statuses[what] = main(scan_words({HOST: peer}, *trusting))
            assert what in capsys.readouterr().out
        statuses["both"] = main(scan_words({HOST: genuine, "www.google.com": foreign}, *trusting))
        statuses["neither"] = main(scan_words({HOST: genuine, "www.google.com": nobody}, *trusting))
        statuses["usage"] = main(scan_words({HOST: genuine}, "--trust", str(tmp_path / "missing.pem")))
    assert statuses == {
        "genuine": 0,
        "intercepted": 1,
        "expired": 1,
        "wrong-host": 1,
        "unreachable": 3,
        "blocked": 1,
        "both": 1,
        "neither": 3,
        "usage": 2,
    }


def netskope() -> Authority:
    """As a tenant's authority writes itself: the organisation is the customer, the vendor stands in the address."""
    subject = name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.STATE_OR_PROVINCE_NAME, "CA"),
        (NameOID.ORGANIZATION_NAME, "Umbrella Widgets"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "9f2c4e"),
        (NameOID.COMMON_NAME, "ca.umbrella-widgets.goskope.com"),
        (NameOID.EMAIL_ADDRESS, "certadmin@netskope.com"),
    )
    root = name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "netSkope Inc"),
        (NameOID.COMMON_NAME, "certadmin"),
        (NameOID.EMAIL_ADDRESS, "certadmin@netskope.com"),
    )
    return Authority.root(root, NOW).subordinate(subject)


def test_an_address_in_a_name_is_read_and_written_like_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T21, tools in Go: emailAddress comes out as an OID and hex; the vendor, named nowhere else, is lost."""
    for issued in (netskope().issue([HOST]), netskope().issue([HOST]).alone()):
        found = judged(issued.ders)
        assert found.verdict is Verdict.INTERCEPTED
        assert found.attribution is not None
        assert found.attribution.vendor == "Netskope"
        assert "email=certadmin@netskope.com" in (found.issuer or "")
        assert "email=certadmin@netskope.com" in found.attribution.matched
        file = tmp_path / "chain.pem"
        file.write_bytes(issued.pem)
        assert main(["classify", str(file), "--host", HOST, "--at", NOW.isoformat()]) == 1
        shown = " ".join(capsys.readouterr().out.split())
        assert "certadmin@netskope.com" in shown
        assert "1.2.840.113549.1.9.1" not in shown
        assert "#" not in shown


# --- traps of revocation, transparency and the ways to ask ----------------------------------------------------------


@pytest.mark.parametrize("dates", [(-100 * DAY, -5 * DAY), (5 * DAY, 80 * DAY)], ids=["expired", "not yet valid"])
def test_trap_t06_a_date_is_no_revocation(stand_in: Trust, dates: tuple[timedelta, timedelta]) -> None:
    """T6, cfssl revoke, used by tlsx: expired or not yet valid comes out as revoked. Whatever lists and answers there
    are, and none at all."""
    wr2, (begin, end) = google().wr2, dates
    issued = wr2.issue([HOST], not_before=NOW + begin, not_after=NOW + end)
    verdict = Verdict.EXPIRED if end < timedelta(0) else Verdict.NOT_YET_VALID
    for crls, ocsp in (
        ([], []),
        ([wr2.crl()], []),
        ([wr2.crl([issued.certificate.serial_number + 1])], [wr2.ocsp_answer(issued.certificate)]),
        ([wr2.crl(this_update=NOW - 30 * DAY, next_update=NOW - 20 * DAY)], []),
    ):
        found = judged(issued.ders, trust=stand_in, crls=crls, ocsp=ocsp)
        assert found.verdict is verdict
        assert Revocation.REVOKED not in {status.state for status in found.revocation}
        assert "revoked" not in codes(found)
    # And a revocation is one on either side of the dates.
    revoked = wr2.crl({issued.certificate.serial_number: NOW - 20 * DAY})
    both = judged(issued.ders, trust=stand_in, crls=[revoked])
    assert (both.verdict, verdict in codes(both)) == (Verdict.REVOKED, True)


def test_trap_t06_a_responder_that_does_not_know_is_no_revocation(stand_in: Trust) -> None:
    """T6: an OCSP answer `unknown` comes out as revoked. It is no good answer either."""
    wr2 = google().wr2
    issued = wr2.issue([HOST])
    unknown = wr2.ocsp_answer(issued.certificate, OCSPCertStatus.UNKNOWN)
    found = judged(issued.ders, trust=stand_in, ocsp=[unknown], possession_proven=True)
    assert found.verdict is Verdict.GENUINE
    assert found.revocation[0].state is Revocation.UNKNOWN
    assert found.revocation[0].reason is RevocationReason.UNKNOWN_CERTIFICATE
    assert "revocation-unavailable" in codes(found)
    learnt = judged(issued.ders, trust=stand_in, ocsp=[unknown], crls=[wr2.crl()])
    assert learnt.revocation[0].state is Revocation.GOOD


@pytest.mark.parametrize("signer", ["nobody", "another of Google's", "a stranger", "a stranger of that name"])
def test_trap_t06_a_list_nobody_signed_counts_for_nothing(stand_in: Trust, signer: str) -> None:
    """T6: where the issuer's certificate cannot be had, the signature on the list is not looked at. Neither what it
    revokes nor what it does not."""
    issued = google().wr2.issue([HOST])
    serials = [issued.certificate.serial_number, google().wr2.certificate.serial_number]
    stranger = Authority.root(google().wr2.certificate.subject, NOW, key_id=google().wr2.key_id)

    def listing(revoked: Sequence[int]) -> bytes:
        if signer == "nobody":
            signed = google().wr2.crl(revoked)
            return signed[:-32] + bytes(32)
        return {
            "another of Google's": google().r1,
            "a stranger": plain_corporate(NOW),
            "a stranger of that name": stranger,
        }[signer].crl(revoked)

    # Of the intermediate r1 may speak.
    given: tuple[list[int], ...] = (serials[:1] if signer == "another of Google's" else serials, [])
    for revoked in given:
        for chain in (issued.ders, issued.alone().followed_by(*issued.chain[1:], stranger.certificate).ders):
            found = judged(chain, trust=stand_in, crls=[listing(revoked)], possession_proven=True)
            assert found.verdict is Verdict.GENUINE
            assert found.revocation[0].state is Revocation.UNKNOWN
            direct = tlsinspect.check_revocation(
                chain[0], google().wr2.certificate.public_bytes(Encoding.DER), at=NOW, crls=[listing(revoked)]
            )
            assert direct.state is Revocation.UNKNOWN


ADDRESSES = (ExtensionOID.CRL_DISTRIBUTION_POINTS, ExtensionOID.AUTHORITY_INFORMATION_ACCESS)
FORGER = "pki.forger.example"
TRAPS = {
    "a host of his own": f"http://{FORGER}/",
    "this machine": "http://127.0.0.1:{port}/",
    "this machine by name": "http://localhost:{port}/",
    "the cloud's metadata": "http://169.254.169.254/latest/meta-data/",
    "a file": "file:///etc/passwd#",
    "an unusual scheme": f"gopher://{FORGER}/",
    "the directory": f"ldap://{FORGER}/cn=",
}


def leading(authority: Authority, base: str, *, host: str = HOST) -> Issued:
    """A leaf and its authority, both of which name addresses below `base` for everything there is."""
    named: Extensions = [(crl_at(f"{base}a.crl"), False), (access(ocsp=f"{base}ocsp", issuer=f"{base}ca.crt"), False)]
    middle = authority.subordinate(name((NameOID.COMMON_NAME, "Forger Intermediate")), add=named)
    return middle.issue([host], drop=ADDRESSES, add=named)


def with_root(issued: Issued, root: Authority) -> Issued:
    return issued.followed_by(*issued.chain[1:], root.certificate)


@pytest.mark.parametrize("kind", TRAPS)
def test_trap_t07_what_nobody_proved_sends_nobody_anywhere(world: World, kind: str) -> None:
    """T7, tlsx and cfssl: the addresses in an untrusted certificate are fetched, whatever they are, without a bound.

    Leaf alone, with its intermediate, with its root, for an endpoint of Google's and a public one, and where it takes
    the name of Google's own authority."""
    world.names += [FORGER, "127.0.0.1", "169.254.169.254"]
    world.port80.replies = {"*": world.lab.google.wr2.crl()}
    base = TRAPS[kind].format(port=world.port80.server.port)
    forger = plain_corporate(world.lab.now)
    shapes = {
        HOST: leading(forger, base),
        "mail.google.com": leading(forger, base, host="mail.google.com").alone(),
        "drive.google.com": with_root(leading(forger, base, host="drive.google.com"), forger),
        "www.google.com": leading(impersonator(world.lab.now), base, host="www.google.com"),
        "www.shop.example": leading(forger, base, host="www.shop.example"),
    }
    for host, issued in shapes.items():
        world.serve(host, issued)
    report = world.look(allow_private_fetch=True)  # not even where private addresses may be gone to
    allowed = {"c.pki.goog", "o.pki.goog", "crl.pki.goog", "clients2.google.com"}
    assert {place.split("/")[0] for place in world.port80.asked} <= allowed
    assert not [fetch for fetch in report.fetches if base in fetch.url]
    found = {a.endpoint.host: a for a in report.assessments}
    assert {a.verdict for host, a in found.items() if "google" in host} == {Verdict.INTERCEPTED}
    assert found["www.shop.example"].verdict in (Verdict.INCONCLUSIVE, Verdict.INTERCEPTED)
    assert all(a.revocation == () for a in found.values())


def test_trap_t07_a_genuine_chain_behind_a_foreign_leaf_sends_nobody_anywhere(world: World) -> None:
    """T7 with T2: only the first certificate is the leaf, and what stands behind it was not presented for it."""
    world.names.append(FORGER)
    genuine = world.lab.google.wr2.issue([HOST])
    forged = leading(plain_corporate(world.lab.now), f"http://{FORGER}/")
    world.serve(HOST, forged.followed_by(*genuine.chain))
    assert world.one().verdict is Verdict.INTERCEPTED
    assert not [place for place in world.port80.asked if FORGER in place]
    assert world.port80.of("o.pki.goog") == []


def test_trap_t11_timestamps_copied_into_a_forged_leaf(world: World) -> None:
    """T11, CypherHawk: the extension is there, so all is well with transparency. Its bytes can be copied."""
    lab = world.lab
    genuine = lab.google.wr2.issue([HOST], logs=lab.logs)
    for authority in (plain_corporate(lab.now), impersonator(lab.now), lab.public):
        forged = authority.issue([HOST], add=[(timestamps_of(genuine), False)])
        world.serve(HOST, forged)
        found = world.one()
        assert found.verdict is (Verdict.UNEXPECTED_CA if authority is lab.public else Verdict.INTERCEPTED)
        assert not codes(found) & {"sct-valid", "sct-unknown-log"}
        assert not [stamp for stamp in found.timestamps if stamp.result == "valid"]
    # Nor are they a time: they were signed for somebody else.
    assert all("timestamp" not in source for source in world.look(time_service=False).clock.sources)


@pytest.mark.parametrize(
    "content", [b"", b"\x04\x00", b"\x04\x02\x00\x00", b"\x04\x08\x00\x06\x00\x04abcd", b"not DER"]
)
def test_trap_t11_the_extension_alone_is_no_transparency(world: World, content: bytes) -> None:
    """T11: that something stands under the arc 1.3.6.1.4.1.11129 says nothing; nor do Google's other extensions."""
    other = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.5.1")
    empty = x509.UnrecognizedExtension(ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS, content)
    leaf = world.lab.google.wr2.issue(
        [HOST], add=[(empty, False), (x509.UnrecognizedExtension(other, b"\x05\x00"), False)]
    )
    world.serve(HOST, leaf)
    found = world.one()
    assert found.verdict in (Verdict.GENUINE, Verdict.INCONCLUSIVE)
    assert "sct-valid" not in codes(found)
    assert not [stamp for stamp in found.timestamps if stamp.result == "valid"]
    if not found.timestamps:
        assert "sct-absent" in codes(found)
    forged = plain_corporate(world.lab.now).issue([HOST], add=[(empty, False)])
    world.serve(HOST, forged)
    assert world.one().verdict is Verdict.INTERCEPTED


def through(world: World, proxy: Running, **options: object) -> tlsinspect.Report:
    """A scan whose hosts only the proxy can find."""
    given = {"trust": world.lab.trust, "proxy": f"http://{proxy.host}:{proxy.port}", "timeout": 3.0, **options}
    return tlsinspect.scan(list(world.places), **given)  # type: ignore[arg-type]


def known_to(world: World) -> dict[tuple[str, int], tuple[str, int]]:
    port80 = world.port80.server
    plain = ("c.pki.goog", "o.pki.goog", "i.pki.goog", "clients2.google.com", *world.names)
    return {
        **{(host, 80): (port80.host, port80.port) for host in plain},
        **{(host, 443): place for host, place in world.places.items()},
    }


def test_trap_t15_what_is_fetched_goes_the_way_of_the_scan(world: World) -> None:
    """T15, testssl.sh and curl: revocation is asked for directly, past the proxy, where there is no other way. And the
    report says which way it was."""
    wr2 = world.lab.google.wr2
    issued = wr2.issue([HOST])
    world.serve(HOST, issued)
    world.port80.replies |= {WR2_CRL: b"\x30\x00", WR2_OCSP: wr2.ocsp_answer(issued.certificate)}
    proxy = world.stack.enter_context(honest_proxy(known_to(world)))
    report = through(world, proxy)
    (found,) = report.assessments
    assert (found.verdict, found.confidence) == ("genuine", "certain")
    assert [(status.state, status.source) for status in found.revocation] == [("good", "ocsp"), ("good", "crl")]
    address = f"http://{proxy.host}:{proxy.port}"
    assert found.route.proxy == address
    assert {fetch.purpose for fetch in report.fetches} == {"crl", "ocsp", "time"}
    assert {fetch.route.proxy for fetch in report.fetches} == {address}
    assert {reached.route.proxy for reached in report.reachability} == {address}
    lines = [request.line for request in proxy.requests]
    assert f"GET http://{WR2_CRL} HTTP/1.1" in lines
    assert f"GET http://{R1_CRL} HTTP/1.1" in lines
    assert f"CONNECT {HOST}:443 HTTP/1.1" in lines
    assert len(world.port80.server.requests) == len([line for line in lines if line.startswith("GET ")])


def test_trap_t15_through_a_proxy_a_revocation_is_learnt_and_nothing_off_the_list_is_asked(world: World) -> None:
    """T15 with T7: where the proxy goes cannot be seen, so even a proven certificate leads to the list alone."""
    world.names.append("crl.shop.example")
    lab, shop = world.lab, "www.shop.example"
    issued = lab.google.wr2.issue([HOST])
    world.serve(HOST, issued)
    world.serve(shop, lab.public.issue([shop], add=[(crl_at("http://crl.shop.example/a.crl"), False)]))
    world.port80.replies |= {
        WR2_CRL: lab.google.wr2.crl([issued.certificate.serial_number]),
        "crl.shop.example/a.crl": lab.public.crl(),
    }
    proxy = world.stack.enter_context(honest_proxy(known_to(world)))
    found = {a.endpoint.host: a for a in through(world, proxy).assessments}
    assert found[HOST].verdict is Verdict.REVOKED
    assert found[shop].verdict is Verdict.GENUINE
    assert found[shop].revocation[0].reason is RevocationReason.FORBIDDEN
    assert not [request for request in proxy.requests if "crl.shop.example" in request.line]


def test_trap_t15_a_proxy_that_refuses_is_not_gone_around(world: World) -> None:
    """T15: what the proxy does not let through is not known; that there would be a way past it is nobody's business."""
    world.serve(HOST, world.lab.google.wr2.issue([HOST]))
    hosts = {place: real for place, real in known_to(world).items() if place[1] == 443}
    proxy = world.stack.enter_context(honest_proxy(hosts))
    report = through(world, proxy, resolve=world.resolve())
    (found,) = report.assessments
    assert found.verdict is Verdict.GENUINE
    assert {status.state for status in found.revocation} == {Revocation.UNKNOWN}
    assert world.port80.asked == []


def test_trap_t16_no_ocsp_url_is_nothing_to_suspect(world: World) -> None:
    """T16, several: a leaf that names no responder is suspicious. Google's own name none any more."""
    wr2 = world.lab.google.wr2
    certificates = {
        "www.google.com": wr2.issue(["www.google.com"], logs=world.lab.logs),
        "mail.google.com": wr2.issue(
            ["mail.google.com"],
            drop=[ExtensionOID.AUTHORITY_INFORMATION_ACCESS],
            add=[(access(issuer="http://i.pki.goog/wr2.crt"), False)],
            logs=world.lab.logs,
        ),
        "drive.google.com": wr2.issue(
            ["drive.google.com"], drop=[ExtensionOID.AUTHORITY_INFORMATION_ACCESS], logs=world.lab.logs
        ),
    }
    for host, issued in certificates.items():
        world.serve(host, issued)
    first, *others = world.look().assessments
    assert (first.verdict, first.confidence) == (Verdict.GENUINE, Confidence.CERTAIN)
    for other in others:
        assert (other.verdict, other.confidence, other.rule) == (first.verdict, first.confidence, first.rule)
        assert codes(other) == codes(first)
        assert [status.state for status in other.revocation] == [status.state for status in first.revocation]


def test_trap_t16_no_address_at_all_is_not_known_and_nothing_else(world: World) -> None:
    """T16, all the way: nowhere to ask is a finding."""
    world.serve(HOST, world.lab.google.wr2.issue([HOST], drop=ADDRESSES))
    found = world.one()
    assert (found.verdict, found.confidence) == (Verdict.GENUINE, Confidence.CERTAIN)
    assert found.revocation[0].reason is RevocationReason.NO_SOURCE
    assert "revocation-unavailable" in codes(found)


@pytest.mark.parametrize("kind", ["corporate", "impersonator", "impersonator with the key id"])
def test_trap_t17_addresses_of_google_s_own_hosts_prove_nothing(world: World, kind: str) -> None:
    """T17, the folk rule that interceptors name no list: mitmproxy does. That they are Google's own hosts, and that a
    good list of Google's is there, is nothing to a leaf that Google did not sign."""
    lab = world.lab
    authority = {
        "corporate": replace(plain_corporate(lab.now), style=lab.google.wr2.style),
        "impersonator": impersonator(lab.now),
        "impersonator with the key id": impersonator(lab.now, key_id=lab.google.wr2.key_id),
    }[kind]
    named: Extensions = [
        (crl_at(f"http://{WR2_CRL}"), False),
        (access(ocsp="http://o.pki.goog/wr2", issuer="http://i.pki.goog/wr2.crt"), False),
    ]
    forged = authority.issue([HOST], drop=ADDRESSES, add=named)
    world.port80.replies |= {
        "i.pki.goog/wr2.crt": lab.google.wr2.certificate.public_bytes(Encoding.DER),
        WR2_OCSP: lab.google.wr2.ocsp_answer(forged.certificate),
    }
    for issued in (forged.alone(), forged, forged.followed_by(*lab.google.wr2.path(root=True))):
        world.serve(HOST, issued)
        found = world.one()
        assert (found.verdict, found.confidence) == (Verdict.INTERCEPTED, Confidence.CERTAIN)
        assert found.revocation == ()
        assert not codes(found) & {"not-revoked", "chain-incomplete", "revocation-unavailable"}
    assert world.port80.of("o.pki.goog") == []
    assert WR2_CRL not in world.port80.asked


# --- DER, by hand ---------------------------------------------------------------------------------------------------

PRINTABLE, UTF8, NUMERIC, T61, IA5, VISIBLE, UNIVERSAL, BMP = 0x13, 0x0C, 0x12, 0x14, 0x16, 0x1A, 0x1C, 0x1E
_INTEGER, _BITS, _OCTETS, _SEQUENCE, _SET = 0x02, 0x03, 0x04, 0x30, 0x31
_UTC, _GENERALIZED = 0x17, 0x18
_COUNTRY, _ORGANISATION, _UNIT, _CN = "0603550406", "060355040a", "060355040b", "0603550403"
_SAN = bytes.fromhex("0603551d11")
Fields = list[bytes]
"""The parts of a TBSCertificate: version, serial, algorithm, issuer, validity, subject, key, extensions."""


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, size] if size < 0x80 else [tag, 0x80 | len(octets), *octets]) + content


def elements(data: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each element of `data`, which is well-made DER."""
    found, at = [], 0
    while at < len(data):
        size, begin = data[at + 1], at + 2
        if size & 0x80:
            begin += size & 0x7F
            size = int.from_bytes(data[at + 2 : begin], "big")
        found.append((data[at], data[begin : begin + size]))
        at = begin + size
    return found


def remade(issued: Issued, signer: PrivateKey, change: Callable[[Fields], Fields]) -> bytes:
    """The leaf with other parts, signed again: what is wrong with it is its form, not its signature."""
    ((_, whole),) = elements(issued.ders[0])
    (_, signed), algorithm, _ = elements(whole)
    body = tlv(_SEQUENCE, b"".join(change([tlv(*part) for part in elements(signed)])))
    if isinstance(signer, rsa.RSAPrivateKey):
        signature = signer.sign(body, PKCS1v15(), hashes.SHA256())
    else:
        signature = signer.sign(body, ec.ECDSA(hashes.SHA256()))
    return tlv(_SEQUENCE, body + tlv(*algorithm) + tlv(_BITS, b"\0" + signature))


def put(place: int, content: bytes) -> Callable[[Fields], Fields]:
    """Another part at `place`."""
    return lambda fields: [*fields[:place], content, *fields[place + 1 :]]


def attribute(oid: str, tag: int, value: bytes) -> bytes:
    return tlv(_SET, tlv(_SEQUENCE, bytes.fromhex(oid) + tlv(tag, value)))


def distinguished(*attributes: bytes) -> bytes:
    return tlv(_SEQUENCE, b"".join(attributes))


def issuer(*attributes: bytes) -> Callable[[Fields], Fields]:
    return put(3, distinguished(*attributes))


def subject(*attributes: bytes) -> Callable[[Fields], Fields]:
    return put(5, distinguished(*attributes))


def validity(begin: bytes, end: bytes) -> Callable[[Fields], Fields]:
    return put(4, tlv(_SEQUENCE, begin + end))


def extensions(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Fields], Fields]:
    def changed(fields: Fields) -> Fields:
        ((_, explicit),) = elements(fields[7])
        ((_, inside),) = elements(explicit)
        listed = change([tlv(*each) for each in elements(inside)])
        return [*fields[:7], tlv(0xA3, tlv(_SEQUENCE, b"".join(listed)))]

    return changed


def names_as(value: bytes) -> Callable[[Fields], Fields]:
    """Another subjectAltName, well made or not."""
    made = tlv(_SEQUENCE, _SAN + tlv(_OCTETS, value))
    return extensions(lambda each: [made if _SAN in e else e for e in each])


def names(*general: bytes) -> Callable[[Fields], Fields]:
    """A subjectAltName of these names."""
    return names_as(tlv(_SEQUENCE, b"".join(general)))


def key_of(algorithm: str, value: bytes) -> Callable[[Fields], Fields]:
    """Another public key; its algorithm in hex, with parameters."""
    return put(6, tlv(_SEQUENCE, tlv(_SEQUENCE, bytes.fromhex(algorithm)) + tlv(_BITS, b"\0" + value)))


def value_not_minimal(extension: bytes) -> bytes:
    """The same extension; the length of its value takes an octet more than DER allows."""
    ((_, inside),) = elements(extension)
    *front, (tag, value) = elements(inside)
    longer = value[:1] + b"\x81" + value[1:]
    return tlv(_SEQUENCE, b"".join(tlv(*each) for each in front) + tlv(tag, longer))


_THIS_HOST = tlv(0x82, HOST.encode())
_FROM_2026, _TO_2030 = tlv(_UTC, b"260101000000Z"), tlv(_UTC, b"300101000000Z")


@dataclass(frozen=True)
class Malformed:
    """One way to break the rules of form."""

    change: Callable[[Fields], Fields]
    said: str  # within what the finding names as the defect; "" where cryptography reads it all


MALFORMED: dict[str, Malformed] = {
    "a star in a PrintableString of the subject": Malformed(
        subject(attribute(_CN, PRINTABLE, b"*.google.com")), "PrintableString"
    ),
    "a star in a PrintableString of the issuer": Malformed(
        issuer(attribute(_CN, PRINTABLE, b"*.proxy.test")), "PrintableString"
    ),
    "version 4": Malformed(put(0, tlv(0xA0, tlv(_INTEGER, b"\x03"))), "version"),
    "version 1 with extensions": Malformed(lambda fields: fields[1:], ""),
    "a negative serial": Malformed(put(1, tlv(_INTEGER, b"\x80\x01")), ""),
    "a serial of zero": Malformed(put(1, tlv(_INTEGER, b"\0")), ""),
    "a serial of forty octets": Malformed(put(1, tlv(_INTEGER, b"\x01" * 40)), ""),
    "no serial at all": Malformed(put(1, tlv(_INTEGER, b"")), "serial"),
    "C=Internet": Malformed(issuer(attribute(_COUNTRY, PRINTABLE, b"Internet"), attribute(_CN, UTF8, b"x")), ""),
    "an empty country": Malformed(issuer(attribute(_COUNTRY, PRINTABLE, b""), attribute(_CN, UTF8, b"x")), ""),
    "a length that is not minimal, in the key usage": Malformed(
        extensions(lambda each: [value_not_minimal(each[0]), *each[1:]]), "InvalidLength"
    ),
    "a length that is not minimal, in the names": Malformed(
        extensions(lambda each: [value_not_minimal(e) if _SAN in e else e for e in each]), "subject_alternative_name"
    ),
    "a length that is not minimal, of an extension": Malformed(
        extensions(lambda each: [each[0][:1] + b"\x81" + each[0][1:], *each[1:]]), "raw_extensions"
    ),
    "the names twice": Malformed(extensions(lambda each: [*each, *(e for e in each if _SAN in e)]), "2.5.29.17"),
    "the key usage twice": Malformed(extensions(lambda each: [*each, each[0]]), "2.5.29.15"),
    "year 0000": Malformed(
        validity(tlv(_GENERALIZED, b"00000101000000Z"), tlv(_GENERALIZED, b"99991231235959Z")), "year 0"
    ),
    "year 9999": Malformed(validity(tlv(_GENERALIZED, b"99991231235959Z"), tlv(_GENERALIZED, b"99991231235959Z")), ""),
    "an end before the beginning": Malformed(validity(_TO_2030, _FROM_2026), ""),
    "a thirteenth month": Malformed(validity(tlv(_UTC, b"261301000000Z"), _TO_2030), "validity"),
    "no dates": Malformed(validity(tlv(_UTC, b"soon"), tlv(_UTC, b"")), "validity"),
    "dates with an offset": Malformed(
        validity(tlv(_GENERALIZED, b"00010101000000+1400"), tlv(_GENERALIZED, b"99991231235959-1200")), "validity"
    ),
    "empty names": Malformed(lambda fields: subject()(issuer()(fields)), ""),
    "an empty common name": Malformed(issuer(attribute(_CN, UTF8, b"")), ""),
    "a name with an empty part": Malformed(subject(tlv(_SET, b"")), "relative distinguished name"),
    "a common name that is no UTF-8": Malformed(subject(attribute(_CN, UTF8, b"\xff\xfe")), "subject"),
    "a BMPString of three octets": Malformed(issuer(attribute(_CN, BMP, b"abc")), "BmpString"),
    "half a surrogate": Malformed(issuer(attribute(_CN, BMP, b"\xd8\0")), "BmpString"),
    "beyond Unicode": Malformed(issuer(attribute(_CN, UNIVERSAL, b"\xff" * 4)), "UniversalString"),
    "an octet string as a name": Malformed(issuer(attribute(_CN, _OCTETS, b"proxy")), "issuer"),
    "a number as a name": Malformed(issuer(attribute(_CN, _INTEGER, b"\x05")), "issuer"),
    "a bit string as a name": Malformed(issuer(attribute(_CN, _BITS, b"\0proxy")), ""),
    "an issuer that is no name": Malformed(put(3, tlv(_UTC, b"260101000000Z")), "issuer"),
    "a subject that is no name": Malformed(put(5, tlv(_OCTETS, b"")), "subject"),
    "names that end too soon": Malformed(names_as(b"\x30\x05\x82\x10abc"), "subject_alternative_name"),
    "no names in the names": Malformed(names(), ""),
    "a host name that is not ASCII": Malformed(names(tlv(0x82, b"w\xff.google.com"), _THIS_HOST), "DNSName"),
    "an address of five octets": Malformed(names(tlv(0x87, b"12345"), _THIS_HOST), "address"),
    "an address with a mask": Malformed(names(tlv(0x87, b"\x7f\0\0\1\xff\xff\xff\0"), _THIS_HOST), ""),
    "an ediPartyName": Malformed(names(tlv(0xA5, tlv(0xA1, tlv(UTF8, b"x"))), _THIS_HOST), "EDIPartyName"),
    "a directory name with C=Internet": Malformed(
        names(tlv(0xA4, distinguished(attribute(_COUNTRY, PRINTABLE, b"Internet"))), _THIS_HOST), ""
    ),
    "another name cut short": Malformed(names(tlv(0xA0, b"\x06\x01"), _THIS_HOST), "subject_alternative_name"),
    "a key of an unknown kind": Malformed(key_of("06032a0304", b"abc"), "1.2.3.4"),
    "a key on a curve nobody knows": Malformed(
        key_of("06072a8648ce3d0201" + "06052b8104007f", b"\4" + b"a" * 64), "1.3.132.0.127"
    ),
    "a point on no curve": Malformed(lambda fields: [*fields[:6], fields[6][:-64] + b"\1" * 64, *fields[7:]], "key"),
    "a flag that is neither true nor false": Malformed(
        extensions(lambda each: [e.replace(b"\x01\x01\xff", b"\x01\x01\x01") for e in each]), "critical"
    ),
    "something after the extensions": Malformed(lambda fields: [*fields, b"\5\0"], "ExtraData"),
}


def refuses(der: bytes) -> bool:
    """Whether cryptography refuses any part of it that judging may ask for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read = x509.load_der_x509_certificate(der)
            _ = (read.subject, read.issuer, read.serial_number, read.extensions, read.public_key())
            _ = (read.not_valid_before_utc, read.not_valid_after_utc, list(read.subject), list(read.issuer))
        except Exception:  # noqa: BLE001 - it documents few of them
            return True
    return False


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_leaf_is_judged_as_foreign(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cryptography refuses is read leniently, and what was refused is named. Any warning is an error to pytest."""
    authority = plain_corporate(NOW)
    der = remade(authority.issue([HOST]), authority.key, MALFORMED[kind].change)
    root = authority.certificate.public_bytes(Encoding.DER)
    for chain in ([der], [der, root]):
        found = judged(chain)
        assert found.verdict in (Verdict.INTERCEPTED, Verdict.WRONG_HOST)
        if kind not in ("no names in the names", "names that end too soon", "a subject that is no name"):
            assert found.verdict is Verdict.INTERCEPTED
        defects = [f.values["defect"] for f in found.findings if f.code == "malformed-certificate"]
        assert bool(defects) is refuses(der)
        assert all(MALFORMED[kind].said in defect for defect in defects)
        assert judged(chain) == found, "the same again"
    file = tmp_path / "leaf.der"
    file.write_bytes(der)
    assert main(["classify", str(file), "--host", HOST, "--at", NOW.isoformat()]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert ("breaks the rules of its form" in " ".join(out.split())) is refuses(der)


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_cryptography_refuses_in_any_part_is_never_genuine(kind: str, stand_in: Trust) -> None:
    """Though signed with the right key: Google makes none of these. And asked twice, the answer is the same."""
    issued = google().we2.issue([HOST])
    der = remade(issued, google().we2.key, MALFORMED[kind].change)
    chain = [der, *issued.ders[1:]]
    first, second = (judged(chain, trust=stand_in, possession_proven=True) for _ in range(2))
    assert first == second
    if refuses(der):
        assert first.verdict is not Verdict.GENUINE


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_authority_hides_nobody(kind: str) -> None:
    """Between the leaf and its root it is nothing to stumble over either; and it vouches for nothing it must not."""
    root = plain_corporate(NOW)
    between = root.subordinate(name((NameOID.COMMON_NAME, "Acme Corp Gateway")))
    leaf = between.issue([HOST])
    own = Issued(between.certificate, between.key, (between.certificate,))
    broken = remade(own, root.key, MALFORMED[kind].change)
    chain = [leaf.ders[0], broken, root.certificate.public_bytes(Encoding.DER)]
    assert judged(chain).verdict is Verdict.INTERCEPTED
    found = judged(chain, "intranet.test", authority="public", trust=Trust.default().with_public_roots(root.pem))
    assert found.verdict in (Verdict.WRONG_HOST, Verdict.INCONCLUSIVE)


def test_constraints_that_are_no_networks_hide_nobody() -> None:
    """An authority whose constraint on addresses is no network: cryptography cannot even say what it holds."""
    bad = tlv(_SEQUENCE, tlv(0xA0, tlv(_SEQUENCE, tlv(0x87, b"\x7f\0\0\1\xff\0\xff\0"))))
    constrained = authority_with(
        [(_CA, True), (_SIGNS, True), (x509.UnrecognizedExtension(ExtensionOID.NAME_CONSTRAINTS, bad), True)]
    )
    for host in (HOST, "127.0.0.1"):
        issued = constrained.issue([host], send_root=True)
        assert judged(issued.ders, host, authority="google").verdict is Verdict.INTERCEPTED
        root = Trust.default().with_public_roots(constrained.pem)
        found = judged(issued.ders, host, authority="public", trust=root)
        assert found.verdict is not Verdict.GENUINE or host == HOST  # of names the constraint says nothing


def test_many_authorities_of_one_name_cost_no_more_than_one() -> None:
    """Each of them signed the leaf and all the others, and each constrains hundreds of names to hundreds of domains:
    what is bounded for one pair must be bounded for the whole search."""
    count = 480
    constraints = x509.NameConstraints(None, [x509.DNSName(f"domain{n}.test") for n in range(count)])
    everything: Extensions = [(_CA, True), (_SIGNS, True), (constraints, True)]
    authority = authority_with(everything)
    own = authority.certificate
    others = []
    for serial in range(1, 9):
        builder = x509.CertificateBuilder(
            own.subject, own.subject, own.public_key(), serial, own.not_valid_before_utc, own.not_valid_after_utc
        )
        for value, critical in everything:
            builder = builder.add_extension(value, critical)
        others.append(builder.sign(authority.key, hashes.SHA256()))
    leaf = authority.issue([HOST, *(f"host{n}.example" for n in range(count))])
    chain = leaf.followed_by(*others).ders
    assert sum(map(len, chain)) < 100_000, "as much as a TLS client takes from any server"
    begun = time.process_time()
    assert judged(chain).verdict is Verdict.INTERCEPTED
    assert time.process_time() - begun < 1


def test_a_malformed_leaf_s_true_signer_is_not_denied() -> None:
    """A public authority that writes `*` as DigiNotar did has signed all the same: nothing may say it has not."""
    authority = plain_corporate(NOW)
    der = remade(authority.issue([HOST]), authority.key, subject(attribute(_CN, PRINTABLE, b"*.googleapis.com")))
    trust = Trust.default().with_public_roots(authority.pem)
    found = judged([der], trust=trust)
    assert found.verdict is not Verdict.GENUINE
    assert "malformed-certificate" in codes(found)
    assert "did not sign" not in found.explanation


def test_one_broken_attribute_does_not_hide_the_others() -> None:
    """A vendor's name beside an attribute nobody can read is still that name."""
    authority = plain_corporate(NOW)
    made = issuer(attribute(_ORGANISATION, UTF8, b"Zscaler Inc."), attribute(_CN, _INTEGER, b"\5"))
    found = judged([remade(authority.issue([HOST]), authority.key, made)])
    assert found.verdict is Verdict.INTERCEPTED
    assert "O=Zscaler Inc." in (found.issuer or "")
    assert found.attribution is not None
    assert found.attribution.id == "zscaler"


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"0",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        tlv(_SEQUENCE, b""),
        tlv(_SEQUENCE, tlv(_SEQUENCE, b"") * 2 + tlv(_BITS, b"\0")),
        b"\x30\x80" * 5000,
        bytes(range(256)) * 10,
    ],
    ids=lambda each: each[:6].hex() or "empty",
)
def test_what_no_reader_takes_is_inconclusive(garbage: bytes) -> None:
    for host, authority in ((HOST, "google"), ("www.example.com", "public")):
        found = judged([garbage], host, authority=authority)
        assert (found.verdict, found.rule) == (Verdict.INCONCLUSIVE, "certificate-unreadable")
        # Nor does what stands behind it make it readable, or it hide what stands before it.
        behind = google().we2.issue([host]).ders
        assert judged([garbage, *behind], host, authority=authority).rule == "certificate-unreadable"
    assert judged([plain_corporate(NOW).issue([HOST]).ders[0], garbage]).verdict is Verdict.INTERCEPTED


def test_every_cut_of_a_certificate_is_answered() -> None:
    """A transfer that broke off, at every place where it could have."""
    der = plain_corporate(NOW).issue([HOST]).ders[0]
    for length in range(len(der)):
        assert judged([der[:length]]).verdict in (Verdict.INCONCLUSIVE, Verdict.INTERCEPTED, Verdict.WRONG_HOST)


# --- strings, by tag ------------------------------------------------------------------------------------------------

ENCODINGS: dict[str, tuple[int, str]] = {
    "UTF8String": (UTF8, "utf-8"),
    "BMPString": (BMP, "utf-16-be"),
    "UniversalString": (UNIVERSAL, "utf-32-be"),
    "T61String": (T61, "latin-1"),
    "IA5String": (IA5, "ascii"),
    "VisibleString": (VISIBLE, "ascii"),
}


@pytest.mark.parametrize("kind", ENCODINGS)
def test_a_string_is_decoded_by_its_tag(kind: str) -> None:
    """T22, naive decoders: Fiddler's `DO_NOT_TRUST` may be a BMPString, and then has a NUL before each letter."""
    tag, codec = ENCODINGS[kind]
    authority = fiddler(NOW)
    written = issuer(
        attribute(_UNIT, tag, "Created by http://www.fiddler2.com".encode(codec)),
        attribute(_ORGANISATION, tag, "DO_NOT_TRUST".encode(codec)),
        attribute(_CN, tag, "DO_NOT_TRUST_FiddlerRoot".encode(codec)),
    )
    found = judged([remade(authority.issue([HOST], subject=name((NameOID.COMMON_NAME, HOST))), authority.key, written)])
    assert found.issuer == "CN=DO_NOT_TRUST_FiddlerRoot, O=DO_NOT_TRUST, OU=Created by http://www.fiddler2.com"
    assert found.attribution is not None
    assert found.attribution.id == "fiddler-classic"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("UTF8String", "Prüfstelle Žižkov 中文 🔒"),
        ("BMPString", "Prüfstelle Žižkov 中文"),
        ("UniversalString", "Prüfstelle Žižkov 中文 🔒"),
        ("T61String", "Prüfstelle é"),  # as everybody has written it for thirty years, whatever T.61 says
    ],
)
def test_letters_beyond_ascii_come_out_as_they_were_meant(kind: str, text: str) -> None:
    """T22 with letters: each tag has its own way to write them."""
    tag, codec = ENCODINGS[kind]
    authority = plain_corporate(NOW)
    der = remade(authority.issue([HOST]), authority.key, issuer(attribute(_CN, tag, text.encode(codec))))
    assert judged([der]).issuer == f"CN={text}"


def test_repeated_attributes_are_all_read() -> None:
    """The vendor's name may stand in the second of two organisations."""
    authority = plain_corporate(NOW)
    twice = [attribute(_ORGANISATION, UTF8, text) for text in (b"Umbrella Widgets", b"Zscaler Inc.")]
    together = tlv(_SET, b"".join(elements(each)[0][1] for each in twice))
    for made in (issuer(*twice), issuer(together)):
        found = judged([remade(authority.issue([HOST]), authority.key, made)])
        assert found.issuer == "O=Zscaler Inc., O=Umbrella Widgets"
        assert found.attribution is not None
        assert found.attribution.id == "zscaler"


# --- the chain a real interceptor presented -------------------------------------------------------------------------


def test_a_recorded_corporate_chain_is_foreign_and_whole() -> None:
    """T1 and T10 with a chain as it came: leaf, issuing authority, and none of the roots everybody has."""
    (path,) = sorted(shared_data("interception/chains").glob("*.pem"))
    chain = list(certificates_in(path.read_bytes()))
    found = judged(chain, names_of(path), at=Certificate(chain[0]).not_before + DAY, authority="google")
    assert found.verdict is Verdict.INTERCEPTED
    assert "chain-incomplete" not in codes(found)
