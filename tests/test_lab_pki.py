"""The certificates and the loopback peers on which the other tests stand."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import stat
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtensionOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from testcerts import generate
from tests.faults import ENDPOINT_FAULTS, ESTABLISHED, PROXY_FAULTS, Running, fault, honest_proxy, tls_server
from tlsinspect.evidence import timeservice
from tlsinspect.lab import pki

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOST = "www.googleapis.com"


@pytest.fixture(scope="module")
def lab() -> pki.GoogleLike:
    return pki.google_like(NOW)


@pytest.fixture(scope="module")
def five() -> dict[str, pki.Issued]:
    return pki.cases(NOW, HOST)


def verified(issued: pki.Issued, roots: tuple[x509.Certificate, ...], name: str = HOST, at: datetime = NOW) -> int:
    """The length of the path that cryptography's default profile finds."""
    subject: x509.DNSName | x509.IPAddress = x509.DNSName(name)
    if name[0].isdigit():
        subject = x509.IPAddress(ipaddress.ip_address(name))
    verifier = PolicyBuilder().store(Store(list(roots))).time(at).build_server_verifier(subject)
    return len(verifier.verify(issued.certificate, list(issued.chain[1:])))


def value(certificate: x509.Certificate, oid: x509.ObjectIdentifier, *, issuer: bool = False) -> str:
    name = certificate.issuer if issuer else certificate.subject
    return str(name.get_attributes_for_oid(oid)[0].value)


# --- shaped like Google ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intermediate", ["wr2", "we2"])
def test_google_like_leaves_pass_the_web_profile(lab: pki.GoogleLike, intermediate: str) -> None:
    authority: pki.Authority = getattr(lab, intermediate)
    issued = authority.issue([HOST, "*.googleapis.com"])
    assert verified(issued, lab.roots) == 3
    assert verified(issued, (authority.anchor.certificate,), "oauth2.googleapis.com") == 3
    assert value(issued.certificate, NameOID.COMMON_NAME, issuer=True) == intermediate.upper()
    assert issued.certificate.not_valid_after_utc - issued.certificate.not_valid_before_utc == timedelta(days=84)


def test_a_google_like_leaf_has_the_extensions_of_google_in_their_order(lab: pki.GoogleLike) -> None:
    extensions = lab.we2.issue([HOST]).certificate.extensions
    assert [(each.oid, each.critical) for each in extensions] == [
        (ExtensionOID.KEY_USAGE, True),
        (ExtensionOID.EXTENDED_KEY_USAGE, False),
        (ExtensionOID.BASIC_CONSTRAINTS, True),
        (ExtensionOID.SUBJECT_KEY_IDENTIFIER, False),
        (ExtensionOID.AUTHORITY_KEY_IDENTIFIER, False),
        (ExtensionOID.AUTHORITY_INFORMATION_ACCESS, False),
        (ExtensionOID.SUBJECT_ALTERNATIVE_NAME, False),
        (ExtensionOID.CERTIFICATE_POLICIES, False),
        (ExtensionOID.CRL_DISTRIBUTION_POINTS, False),
    ]


def test_a_google_like_leaf_may_be_logged(lab: pki.GoogleLike) -> None:
    """The timestamps stand last, as Google's do, and cryptography reads them."""
    logs = [pki.Log("Lab 'One'", "Lab"), pki.Log("Lab 'Two'", "Lab")]
    issued = lab.we2.issue([HOST], logs=logs, sct_time=NOW)
    last = list(issued.certificate.extensions)[-1].value
    assert isinstance(last, x509.PrecertificateSignedCertificateTimestamps)
    assert [each.log_id for each in last] == [log.id for log in logs]
    assert {each.timestamp.replace(tzinfo=UTC) for each in last} == {NOW}
    assert verified(issued, lab.roots) == 3
    unlogged = lab.we2.issue([HOST], serial=issued.certificate.serial_number, key=issued.key)
    assert issued.certificate.tbs_precertificate_bytes == unlogged.certificate.tbs_certificate_bytes


def test_the_time_service_answers_questions_to_its_own_key_only() -> None:
    service = pki.TimeService(3)
    body, proof = service.answer(timeservice.query(3, "abc"), NOW)
    assert timeservice.signed_time(body, proof, 3, "abc", {3: service.spki}) == NOW
    for question in (timeservice.query(4, "abc"), "cup2key=3:abc&cup2hreq=00", "cup2key=3:abc", "x=y"):
        with pytest.raises(ValueError, match="not a question"):
            service.answer(question, NOW)


def test_another_lab_with_the_same_names_is_not_this_lab(lab: pki.GoogleLike) -> None:
    stranger = pki.google_like(NOW)
    with pytest.raises(VerificationError):
        verified(stranger.we2.issue([HOST]), lab.roots)


@pytest.mark.parametrize("name", ["bank.example", "notgoogle.com", "192.0.2.1"])
def test_a_google_like_authority_cannot_speak_for_others(lab: pki.GoogleLike, name: str) -> None:
    with pytest.raises(VerificationError, match="name constraints"):
        verified(lab.we2.issue([name]), lab.roots, name)


def test_a_google_like_authority_may_speak_for_loopback(lab: pki.GoogleLike) -> None:
    assert verified(lab.we2.issue(["127.0.0.1"]), lab.roots, "127.0.0.1") == 3


def test_a_google_like_authority_is_short_lived_and_may_be_backdated() -> None:
    lab = pki.google_like(NOW, days=3, backdated=timedelta(days=400))
    assert lab.r4.certificate.not_valid_after_utc == NOW + timedelta(days=3)
    expired = lab.we2.issue([HOST], not_after=NOW - timedelta(days=100))
    assert verified(expired, lab.roots, at=NOW - timedelta(days=120)) == 3
    with pytest.raises(VerificationError):
        verified(expired, lab.roots)


# --- shaped like interceptors ---------------------------------------------------------------------------------------


def test_the_organisation_of_fiddler_is_a_bmpstring() -> None:
    authority = pki.fiddler(NOW)
    text = "DO_NOT_TRUST".encode("utf-16-be")
    written = bytes.fromhex("060355040a") + bytes((0x1E, len(text))) + text
    leaf = authority.issue([HOST]).certificate
    for name in (authority.certificate.subject, leaf.subject, leaf.issuer):
        assert written in name.public_bytes()
        assert name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "DO_NOT_TRUST"


@pytest.mark.parametrize("case", "ABCDE")
def test_no_case_verifies_under_google_like_roots(lab: pki.GoogleLike, five: dict[str, pki.Issued], case: str) -> None:
    with pytest.raises(VerificationError):
        verified(five[case], lab.roots)


def test_the_five_cases_present_what_they_should(five: dict[str, pki.Issued]) -> None:
    assert {case: len(issued.chain) for case, issued in five.items()} == {"A": 2, "B": 2, "C": 1, "D": 2, "E": 1}
    assert five["B"].certificate == five["C"].certificate
    for case in "AD":
        leaf, root = five[case].chain
        leaf.verify_directly_issued_by(root)
        root.verify_directly_issued_by(root)
        assert value(root, NameOID.COMMON_NAME) == "DO_NOT_TRUST_FiddlerRoot"
        assert isinstance(leaf.public_key(), rsa.RSAPublicKey)
    assert all(each.not_valid_after_utc == NOW - timedelta(days=100) for each in five["D"].chain)
    leaf, intermediate = five["B"].chain
    leaf.verify_directly_issued_by(intermediate)
    assert value(leaf, NameOID.ORGANIZATION_NAME) == "Zscaler Inc."
    assert value(intermediate, NameOID.COMMON_NAME, issuer=True) == "Zscaler Root CA"


def test_case_e_borrows_only_the_name(lab: pki.GoogleLike, five: dict[str, pki.Issued]) -> None:
    leaf = five["E"].certificate
    assert leaf.issuer == lab.wr2.certificate.subject
    with pytest.raises(InvalidSignature):
        leaf.verify_directly_issued_by(lab.wr2.certificate)


def test_an_impersonator_may_copy_the_key_identifier_too(lab: pki.GoogleLike) -> None:
    leaf = pki.impersonator(NOW, key_id=lab.wr2.key_id).issue([HOST]).certificate
    claimed = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert claimed.key_identifier == lab.wr2.key_id


# --- deviations -----------------------------------------------------------------------------------------------------


def test_an_authority_can_lie_drop_and_add(lab: pki.GoogleLike) -> None:
    issued = pki.plain_corporate(NOW).issue(
        [HOST],
        issuer_name=lab.we2.certificate.subject,
        issuer_key_id=lab.we2.key_id,
        drop=[ExtensionOID.KEY_USAGE],
        add=[(x509.OCSPNoCheck(), False)],
        serial=7,
        send_root=True,
    )
    leaf = issued.certificate
    assert (leaf.issuer, leaf.serial_number, len(issued.chain)) == (lab.we2.certificate.subject, 7, 2)
    oids = [each.oid for each in leaf.extensions]
    assert ExtensionOID.KEY_USAGE not in oids
    assert oids[-1] == ExtensionOID.OCSP_NO_CHECK


@pytest.mark.parametrize(("intermediate", "oid"), [("wr2", "1.2.840.113549.1.1.5"), ("we2", "1.2.840.10045.4.1")])
def test_sha1_is_real(lab: pki.GoogleLike, intermediate: str, oid: str) -> None:
    authority: pki.Authority = getattr(lab, intermediate)
    issued = authority.issue([HOST], sha1=True)
    assert issued.certificate.signature_algorithm_oid.dotted_string == oid
    with pytest.raises(VerificationError):
        verified(issued, lab.roots)


def test_a_certificate_can_be_bent_and_signed_again(lab: pki.GoogleLike) -> None:
    issued = lab.we2.issue(["mail.google.com"])
    bent = pki.resigned(
        issued.certificate, lab.we2.key, replacing=(b"\x82\x0fmail.google.com", b"\x82\x0fm\0il.google.com")
    )
    bent.verify_directly_issued_by(lab.we2.certificate)
    with pytest.raises(ValueError, match="length"):
        pki.resigned(bent, lab.we2.key, replacing=(b"absent", b"ABSENT"))


def test_oddities(lab: pki.GoogleLike) -> None:
    nameless = pki.nameless(lab.we2).certificate
    assert not list(nameless.subject)
    assert ExtensionOID.SUBJECT_ALTERNATIVE_NAME not in [each.oid for each in nameless.extensions]
    poison = pki.poisoned(lab.we2, HOST).certificate.extensions.get_extension_for_class(x509.PrecertPoison)
    assert poison.critical
    weak = pki.weak(lab.we2, HOST).certificate.public_key()
    assert isinstance(weak, rsa.RSAPublicKey)
    assert weak.key_size == 1024
    alone = pki.self_signed(HOST, NOW)
    alone.certificate.verify_directly_issued_by(alone.certificate)
    assert isinstance(alone.key, ec.EllipticCurvePrivateKey)


def test_revocation_data_is_signed_by_its_authority(lab: pki.GoogleLike) -> None:
    leaf = lab.we2.issue([HOST]).certificate
    crl = x509.load_der_x509_crl(lab.we2.crl([leaf.serial_number]))
    public = lab.we2.key.public_key()
    assert crl.is_signature_valid(public)
    assert crl.get_revoked_certificate_by_serial_number(leaf.serial_number) is not None
    answer = ocsp.load_der_ocsp_response(lab.we2.ocsp_answer(leaf, ocsp.OCSPCertStatus.REVOKED, revoked_at=NOW))
    assert answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert answer.revocation_time_utc == NOW


def test_files_are_for_their_owner_only(lab: pki.GoogleLike, tmp_path: Path) -> None:
    for path in lab.we2.issue([HOST]).write(tmp_path, "server"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_keys_are_not_in_a_repr(lab: pki.GoogleLike) -> None:
    assert "PrivateKey" not in repr(lab.we2) + repr(lab.we2.issue([HOST]))


# --- the fixtures on disk -------------------------------------------------------------------------------------------


def test_the_fixtures_are_those_of_the_generator_and_hold_no_key() -> None:
    now = datetime.strptime(generate.DEFAULT_DATE, "%Y-%m-%d").replace(tzinfo=UTC)
    made = {stem: certificates for stem, _, certificates in generate.fixtures(now)}
    kept = {path.stem: path.read_bytes() for path in generate.HERE.glob("*.pem")}
    assert made.keys() == kept.keys()
    for stem, pem in kept.items():
        assert b"PRIVATE KEY" not in pem
        assert shapes(x509.load_pem_x509_certificates(pem)) == shapes(made[stem])


def shapes(certificates: list[x509.Certificate] | tuple[x509.Certificate, ...]) -> list[tuple[object, ...]]:
    return [(each.subject, each.issuer, each.not_valid_before_utc, each.not_valid_after_utc) for each in certificates]


def test_the_google_like_fixture_verifies_under_its_root() -> None:
    leaf, *others = x509.load_pem_x509_certificates((generate.HERE / "google-like.pem").read_bytes())
    roots = x509.load_pem_x509_certificates((generate.HERE / "google-like-root.pem").read_bytes())
    verifier = PolicyBuilder().store(Store(roots)).time(NOW).build_server_verifier(x509.DNSName(HOST))
    assert len(verifier.verify(leaf, others)) == 3


# --- the loopback peers ---------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> object:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class _ClosesItself(ssl.SSLSocket):
    """Where the peer has reset the connection before the session begins, CPython raises and forgets the socket."""

    def __del__(self) -> None:
        self.close()


def handshake(
    address: tuple[str, int], name: str = HOST, *, tunnel_after: bytes = b"", timeout: float = 10
) -> tuple[bytes, bytes]:
    """The leaf that was presented, DER, and the answer to a request; through a proxy if its last words are given."""
    context = ssl.create_default_context()
    context.sslsocket_class = _ClosesItself
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python 3.11.2 has it set: an end without a word was orderly
    with socket.create_connection(address, timeout=timeout) as plain:
        if tunnel_after:
            read(plain, CONNECT, tunnel_after)
        with context.wrap_socket(plain, server_hostname=name) as secure:
            leaf = secure.getpeercert(binary_form=True) or b""
            return leaf, read(secure, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


CONNECT = b"CONNECT www.googleapis.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"


def read(connection: socket.socket, request: bytes, last: bytes | None = None, size: int = 4_000_000) -> bytes:
    """What comes back until *last*, the end, a timeout or *size* bytes."""
    connection.sendall(request)
    answer = b""
    with contextlib.suppress(ConnectionResetError, TimeoutError):
        while len(answer) < size and not (last and answer.endswith(last)) and (data := connection.recv(65536)):
            answer += data
    return answer


# What Python's own ssl says, as a measure that each fault is the one it is named after.
EXPECTED: Mapping[str, str] = {
    "nothing-listening": "ConnectionRefusedError",
    "silent": "TimeoutError",
    "reset-on-hello": "ConnectionResetError",
    "reset-on-accept": "ConnectionResetError",
    "fin-on-hello": "UNEXPECTED_EOF_WHILE_READING",
    "plain-http": "WRONG_VERSION_NUMBER",
    "http-redirect": "WRONG_VERSION_NUMBER",
    "http-511": "WRONG_VERSION_NUMBER",
    "http-403": "WRONG_VERSION_NUMBER",
    "ssh-banner": "WRONG_VERSION_NUMBER",
    "random-garbage": "WRONG_VERSION_NUMBER",
    "byte-a-second": "TimeoutError",
    "endless-handshake": "EXCESSIVE_MESSAGE_SIZE",
    "endless-hello-requests": "UNEXPECTED_EOF_WHILE_READING",
    "alert-112": "UNRECOGNIZED_NAME",
    "alert-40": "HANDSHAKE_FAILURE",
    "close-after-server-hello": "UNEXPECTED_EOF_WHILE_READING",
    "reset-on-sni": "ConnectionResetError",
    "echo": "UNEXPECTED_MESSAGE",
    "bad-key-exchange": "BAD_SIGNATURE",
    "reset-after-certificate": "ConnectionResetError",
}


@pytest.mark.parametrize("kind", ENDPOINT_FAULTS)
def test_an_endpoint_fault_is_what_its_name_says(kind: str) -> None:
    with fault(kind, names=[HOST]) as (host, port), pytest.raises(OSError) as failure:  # noqa: PT011
        handshake((host, port), timeout=0.3 if EXPECTED[kind] == "TimeoutError" else 10)
    said = f"{type(failure.value).__name__} {failure.value}".replace(" ", "_").upper()
    assert EXPECTED[kind].replace(" ", "_").upper() in said


REFUSALS: Mapping[str, bytes] = {
    "proxy-407-one-header": b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate, NTLM, ",
    "proxy-407-many-headers": b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n",
    "proxy-407-basic": b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic",
    "proxy-401": b"HTTP/1.1 401 ",
    "proxy-403": b"HTTP/1.1 403 ",
    "proxy-502": b"HTTP/1.1 502 ",
    "proxy-503": b"HTTP/1.1 503 ",
    "proxy-302": b"HTTP/1.1 302 Found\r\nLocation: http://portal.hotel.test/",
    "proxy-511": b"HTTP/1.1 511 ",
    "proxy-not-http": b"\x05\xff",
    "proxy-html-after-200": ESTABLISHED,
    "proxy-endless-headers": b"HTTP/1.1 200 Connection established\r\nX-Filler: aaa",
    "proxy-never-answers": b"",
    "proxy-byte-a-second": b"H",
    "proxy-reset-on-connect": b"",
    "proxy-reset-after-connect": ESTABLISHED,
    "proxy-reset-after-tunnel-hello": ESTABLISHED,
}
TUNNELS: Mapping[str, bytes] = {
    "proxy-2mb-header": b"aaa\r\n\r\n",
    "proxy-lf-only": b"\n\n",
    "proxy-204": b"No Content\r\n\r\n",
    "proxy-1xx": ESTABLISHED,
}
"""Where the answer ends of those proxies that are odd and honest."""


def test_every_proxy_fault_is_tested() -> None:
    assert sorted(PROXY_FAULTS) == sorted([*REFUSALS, *TUNNELS])


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_proxy_fault_answers_as_its_name_says(kind: str) -> None:
    with fault(kind) as proxy:
        with socket.create_connection(proxy, timeout=0.3 if kind == "proxy-never-answers" else 10) as client:
            answer = read(client, CONNECT, size=len(REFUSALS[kind]) or 1)
        assert answer.startswith(REFUSALS[kind])
        assert bool(answer) == bool(REFUSALS[kind])
        assert proxy.requests[0].method == "CONNECT"


@pytest.mark.parametrize("kind", ["proxy-html-after-200", "proxy-reset-after-tunnel-hello"])
def test_a_proxy_fault_may_come_after_the_hello(kind: str) -> None:
    said = "WRONG_VERSION_NUMBER" if kind == "proxy-html-after-200" else "reset"
    with fault(kind) as proxy, pytest.raises(OSError, match=said):
        handshake(proxy, tunnel_after=ESTABLISHED)


@pytest.mark.parametrize("kind", TUNNELS)
def test_an_odd_proxy_may_be_honest(lab: pki.GoogleLike, kind: str) -> None:
    issued = lab.we2.issue([HOST])
    with tls_server(issued) as upstream, fault(kind, resolve={(HOST, 443): upstream}) as proxy:
        assert handshake(proxy, tunnel_after=TUNNELS[kind])[0] == issued.ders[0]


def test_an_honest_proxy_records_and_carries(lab: pki.GoogleLike) -> None:
    issued = lab.we2.issue([HOST])
    with tls_server(issued) as upstream, honest_proxy({(HOST, 443): upstream}) as proxy:
        assert handshake(proxy, tunnel_after=ESTABLISHED)[0] == issued.ders[0]
        assert [(each.target, each.header("HOST")) for each in proxy.requests] == [("www.googleapis.com:443", "x")]
        assert upstream.server_names == [HOST]


def test_an_honest_proxy_fetches_plain_http_too() -> None:
    with fault("plain-http") as upstream, honest_proxy({("c.pki.goog", 80): upstream}) as proxy:
        with socket.create_connection(proxy, timeout=5) as client:
            answer = read(client, b"GET http://c.pki.goog/r/r1.crl HTTP/1.1\r\nHost: c.pki.goog\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK")


def test_basic_credentials_open_the_tunnel(lab: pki.GoogleLike) -> None:
    with (
        tls_server(lab.we2.issue([HOST])) as upstream,
        fault("proxy-407-basic", resolve={(HOST, 443): upstream}) as proxy,
        socket.create_connection(proxy, timeout=5) as client,
    ):
        client.sendall(b"CONNECT www.googleapis.com:443 HTTP/1.1\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 407")
        credentials = b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n"
        client.sendall(b"CONNECT www.googleapis.com:443 HTTP/1.1\r\n" + credentials)
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_tls_server_answers_as_it_is_told(lab: pki.GoogleLike) -> None:
    extra = [("Server", "lab")]
    with tls_server(lab.we2.issue([HOST]), http_status=404, date=NOW, age=5, headers=extra, body=b"no") as server:
        for _ in range(2):
            answer = handshake(server)[1]
            assert answer.startswith(b"HTTP/1.1 404 Not Found\r\nServer: lab\r\n")
            assert b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\nAge: 5\r\n" in answer
            assert answer.endswith(b"\r\n\r\nno")
        assert server.connections == 2


def test_a_tls_server_can_intercept_every_second_time(lab: pki.GoogleLike, five: dict[str, pki.Issued]) -> None:
    genuine = lab.we2.issue([HOST])
    with tls_server(genuine, intercept_every=(2, five["A"])) as server:
        seen = [handshake(server)[0] for _ in range(4)]
    assert seen == [genuine.ders[0], five["A"].ders[0]] * 2


def test_a_tls_server_can_choose_by_name_and_show_weak_keys(lab: pki.GoogleLike) -> None:
    weak, other = pki.weak(lab.we2, "weak.test"), lab.we2.issue([HOST])
    with tls_server(other, sni_certs={"weak.test": weak}, date=None) as server:
        assert handshake(server, "weak.test")[0] == weak.ders[0]
        leaf, answer = handshake(server, "other.test")
    assert (leaf, b"Date:" in answer) == (other.ders[0], False)
    assert server.server_names == ["weak.test", "other.test"]


def test_a_running_server_is_a_pair() -> None:
    assert Running("127.0.0.1", 1) == ("127.0.0.1", 1)
