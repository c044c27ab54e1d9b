"""What fresh eyes broke once: each was a defect, and must not come back."""

import base64
import hashlib
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.faults import Peer, fault, serving, tls_server
from tests.test_observe import Lab, by_host, codes, look, look_once, make_lab
from tlsinspect.certificate import Certificate
from tlsinspect.evidence.signedobject import is_signed_object
from tlsinspect.jsonform import to_json
from tlsinspect.lab.pki import Authority, name, new_key, plain_corporate, resigned
from tlsinspect.trust import Trust, certificates_in

DAY = timedelta(days=1)
HOST, OTHER, THIRD = "www.googleapis.com", "mail.google.com", "oauth2.googleapis.com"
FIRM, SHOP = "www.firm.example", "www.shop.test"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="module")
def stranger(lab: Lab) -> Authority:
    """A public authority: a root that browsers trust, but not Google's."""
    return lab.public


# -- one bad certificate, one bad header ----------------------------------------------------------------------------


def test_a_date_at_the_end_of_time_costs_nobody_anything(lab: Lab) -> None:
    far = datetime(9999, 12, 31, 23, 59, 30, tzinfo=UTC)
    with (
        tls_server(lab.google.we2.issue([HOST]), date=far) as odd,
        tls_server(lab.google.we2.issue([OTHER])) as good,
    ):
        found = by_host(look(lab, {HOST: odd, OTHER: good}))
    assert {host: a.verdict for host, a in found.items()} == {HOST: "genuine", OTHER: "genuine"}


def test_a_key_of_an_unknown_kind_costs_nobody_anything(lab: Lab) -> None:
    """The leaf's public key is on a curve nobody knows; the host beside it keeps its answer."""
    foreign = plain_corporate(lab.now)
    leaf = foreign.issue([HOST])
    p256, unheard_of = bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d03017f")
    strange = resigned(leaf.certificate, foreign.key, replacing=(p256, unheard_of))
    from tlsinspect import classify

    assessment = classify([strange.public_bytes(Encoding.DER)], HOST, at=lab.now, trust=lab.trust)
    assert assessment.verdict in ("intercepted", "inconclusive")
    assert assessment.rule != "internal"


def test_a_kernel_without_ipv6_still_has_ipv4(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without_ipv6(family: int = -1, *rest: int, **named: object) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *rest, **named)  # type: ignore[arg-type]

    from tlsinspect import scan

    with tls_server(lab.google.we2.issue([HOST])) as server, monkeypatch.context() as kernel:
        kernel.setattr(socket, "socket", without_ipv6)
        where = [f"{HOST}:443:[::1],{server.host}:{server.port}"]
        report = scan([HOST], trust=lab.trust, resolve=where, proxy="none", timeout=5, offline=True)
    assert report.assessments[0].verdict == "genuine"


# -- whose clock counts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("off", [100 * DAY, -9 * DAY])
def test_strangers_clocks_decide_nothing_about_google(lab: Lab, stranger: Authority, off: timedelta) -> None:
    with (
        tls_server(lab.google.we2.issue([HOST])) as google,
        tls_server(stranger.issue([FIRM]), date=lab.now + off) as firm,
        tls_server(stranger.issue([SHOP]), date=lab.now + off) as shop,
    ):
        found = by_host(look(lab, {HOST: google, FIRM: firm, SHOP: shop}))
    assert (found[HOST].verdict, found[HOST].confidence) == ("genuine", "strong")  # by its own clock and this one


def test_one_key_and_one_odd_date(lab: Lab) -> None:
    """Two hosts share a certificate, and one of them has a clock of its own."""
    shared = lab.google.we2.issue([HOST, OTHER], not_before=lab.now - 3 * DAY, not_after=lab.now + 60 * DAY)
    with tls_server(shared) as right, tls_server(shared, date=lab.now - 6 * DAY) as odd:
        there = by_host(look(lab, {HOST: right, OTHER: odd}))
        back = by_host(look(lab, {OTHER: odd, HOST: right}))
    assert there[HOST].verdict == back[HOST].verdict == "genuine"
    assert {h: a.verdict for h, a in there.items()} == {h: a.verdict for h, a in back.items()}


def test_proven_hosts_that_contradict_each_other_are_said(lab: Lab) -> None:
    with (
        tls_server(lab.google.we2.issue([HOST])) as first,
        tls_server(lab.google.we2.issue([OTHER])) as second,
        tls_server(lab.google.we2.issue([THIRD]), date=lab.now + 5 * DAY) as odd,
    ):
        found = by_host(look(lab, {HOST: first, OTHER: second, THIRD: odd}))
    assert found[HOST].verdict == "genuine"
    assert "clock-witnesses-disagree" in codes(found[HOST])
    assert found[HOST].confidence == "likely"


# -- who signed -----------------------------------------------------------------------------------------------------


def test_public_hosts_that_forget_an_intermediate_are_not_intercepted(lab: Lab, stranger: Authority) -> None:
    """Of an incomplete chain a public authority may be the missing end."""
    issuing = stranger.subordinate(name((x509.NameOID.COMMON_NAME, "Lab Issuing CA")))
    both = issuing.issue([FIRM, SHOP]).alone()
    with tls_server(both) as firm, tls_server(both) as shop:
        found = by_host(look(lab, {FIRM: firm, SHOP: shop}))
    assert {a.verdict for a in found.values()} == {"inconclusive"}


def test_a_critical_extension_nobody_knows_does_not_change_who_signed(lab: Lab) -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    with tls_server(lab.google.we2.issue([HOST], add=[(unknown, True)])) as server:
        found = look_once(lab, {HOST: server})
    assert (found.verdict, found.rule) == ("inconclusive", "strict-profile-defect")


def test_a_certificate_that_only_holds_googles_key_is_no_signed_object() -> None:
    trust = Trust.default()
    genuine = trust.google.certificates[0]
    assert is_signed_object(genuine.der, trust)
    assert genuine.handle is not None
    forged = resigned(genuine.handle, new_key("rsa2048"))
    assert Certificate(forged.public_bytes(Encoding.DER)).spki_sha256 == genuine.spki_sha256
    assert not is_signed_object(forged.public_bytes(Encoding.DER), trust)


# -- what a proxy writes back ---------------------------------------------------------------------------------------

USER, PASSWORD = "jane.doe", "hunter2-Zq9"


def _echo(peer: Peer) -> None:
    """A proxy that asks for credentials, and shows them to everybody when it has them."""
    request = peer.receive_head()
    given = request.header("Proxy-Authorization")
    if given is None:
        peer.send(b"HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")
        return
    plain = base64.b64decode(given.partition(" ")[2])
    head = f"HTTP/1.1 403 no\r\nServer: debug {given}\r\nLocation: http://x/?{given.partition(' ')[2]}\r\n\r\n"
    peer.send(head.encode() + plain)


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    with serving(_echo) as proxy:
        yield proxy


def test_credentials_that_a_proxy_echoes_stay_hidden(lab: Lab, echo: tuple[str, int]) -> None:
    proxy = f"http://{USER}:{PASSWORD}@{echo[0]}:{echo[1]}"
    from tlsinspect import scan

    report = scan([HOST, "http://c.pki.goog"], trust=lab.trust, proxy=proxy, timeout=5, offline=True)
    text = json.dumps(to_json(report))
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert report.assessments[0].verdict == "blocked"
    assert PASSWORD not in text
    assert secret not in text


def test_a_list_is_not_a_word(lab: Lab) -> None:
    from tlsinspect import UsageError, scan

    with fault("silent"), pytest.raises(UsageError, match="list"):
        scan(HOST, trust=lab.trust)


@pytest.mark.parametrize("vector", ["ec_no_named_curve.pem", "rsa_pss_cert.pem"])
def test_a_key_is_hashed_as_it_was_written(vector: str) -> None:
    """Written again by a library, these keys would come out as other bytes."""
    (file,) = (Path(cryptography_vectors.__file__).parent / "x509").rglob(vector)
    (der,) = certificates_in(file.read_bytes())
    certificate = Certificate(der)
    assert certificate.spki in der
    assert certificate.spki_sha256 == hashlib.sha256(certificate.spki).hexdigest()
    assert certificate.handle is not None
    again = certificate.handle.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert again != certificate.spki
