"""The lab's port 80 judged without the command, by the openssl tool: so that its lies are the ones they are called."""

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from .network import CLIENT, METADATA, Network, Peculiar
from .pki import SUBJECT_CRL, SUBJECT_OCSP, Pki
from .programs import Port80
from .revocation_server import Rule, What

pytestmark = pytest.mark.lab

_ROOT_CRL = "c.pki.goog/r/r1.crl"
_GET = """
import sys, urllib.request
open(sys.argv[2], "wb").write(urllib.request.urlopen(sys.argv[1], timeout=10).read())
"""
_GET_OCSP = """
import base64, sys, urllib.parse, urllib.request
question = urllib.parse.quote(base64.b64encode(open(sys.argv[2], "rb").read()), safe="")
open(sys.argv[3], "wb").write(urllib.request.urlopen(sys.argv[1] + "/" + question, timeout=10).read())
"""
_GET_TIME = """
import sys, urllib.request
answer = urllib.request.urlopen(sys.argv[1], timeout=10)
open(sys.argv[2], "wb").write(answer.read())
print(answer.headers["x-cup-server-proof"])
"""


@pytest.fixture
def bench(tmp_path: Path, pki: Pki) -> Path:
    """A folder with the certificates as the openssl tool wants them."""
    for stem, host in (("leaf", Peculiar.CRL_ONLY), ("ocsp-leaf", Peculiar.OCSP_ONLY)):
        _write(tmp_path / f"{stem}.pem", [pki.leaf(host)])
    _write(tmp_path / "wr2.pem", [pki.intermediate])
    (tmp_path / "roots.pem").write_bytes(pki.google_roots.read_bytes())
    return tmp_path


def _write(path: Path, certificates: Iterable[x509.Certificate]) -> None:
    path.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates))


def _python(network: Network, script: str, *arguments: object) -> str:
    done = network.run("client", [sys.executable, "-c", script, *map(str, arguments)])
    assert done.returncode == 0, done.stderr
    return done.stdout


def verified(network: Network, bench: Path) -> str:
    """What `openssl verify` says with the revocation lists of both levels, as they are served now."""
    lists = []
    for number, url in enumerate((SUBJECT_CRL, _ROOT_CRL)):
        der, pem = bench / f"{number}.crl", bench / f"{number}.pem.crl"
        _python(network, _GET, f"http://{url}", der)
        made = network.run("client", ["openssl", "crl", "-inform", "DER", "-in", str(der), "-out", str(pem)])
        if made.returncode:
            return "unreadable"
        lists += ["-CRLfile", str(pem)]
    argv = ["openssl", "verify", "-crl_check_all", *lists, "-CAfile", str(bench / "roots.pem")]
    done = network.run("client", [*argv, "-untrusted", str(bench / "wr2.pem"), str(bench / "leaf.pem")])
    return done.stdout + done.stderr


def asked(network: Network, bench: Path, *options: str) -> str:
    """What `openssl ocsp` makes of the answer to a POST."""
    argv = ["openssl", "ocsp", "-issuer", str(bench / "wr2.pem"), "-cert", str(bench / "ocsp-leaf.pem"), "-no_nonce"]
    argv += ["-url", f"http://{SUBJECT_OCSP}", "-CAfile", str(bench / "roots.pem")]
    done = network.run("client", [*argv, "-verify_other", str(bench / "wr2.pem"), *options])
    return done.stdout + done.stderr


_LIES = [
    (What.GOOD, "leaf.pem: OK"),
    (What.REVOKED, "certificate revoked"),
    (What.STALE, "CRL has expired"),
    (What.FUTURE, "CRL is not yet valid"),
    (What.WRONG_SIGNER, "CRL signature failure"),
    (What.WRONG_ISSUER, "unable to get certificate CRL"),
    (What.TAMPERED, "CRL signature failure"),
    (What.TRUNCATED, "unreadable"),
    (What.OTHER_SHARD, "different CRL scope"),
]
# A root's list has one part.
_LIES_BY_LEVEL = [("leaf", *lie) for lie in _LIES] + [
    ("intermediate", *lie) for lie in _LIES if lie[0] is not What.OTHER_SHARD
]


@pytest.mark.parametrize(("level", "what", "said"), _LIES_BY_LEVEL)
def test_revocation_lists_lie_as_told(
    network: Network, port80: Port80, pki: Pki, bench: Path, what: What, said: str, level: str
) -> None:
    serials = (pki.leaf(Peculiar.CRL_ONLY).serial_number, pki.intermediate.serial_number)
    with port80.answering(Rule(SUBJECT_CRL if level == "leaf" else _ROOT_CRL, what, serials)):
        assert said in verified(network, bench)
    assert "leaf.pem: OK" in verified(network, bench)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (What.GOOD, "ocsp-leaf.pem: good"),
        (What.REVOKED, "ocsp-leaf.pem: revoked"),
        (What.UNKNOWN, "ocsp-leaf.pem: unknown"),
        (What.STALE, "Status times invalid"),
        (What.FUTURE, "Status times invalid"),
        (What.OTHER_CERTIFICATE, "No Status found"),
        (What.DELEGATED, "Response verify OK"),
        (What.DELEGATED_WITHOUT_EKU, "Response Verify Failure"),
        (What.DELEGATED_EXPIRED, "Response Verify Failure"),
        (What.DELEGATED_BY_ANOTHER, "Response Verify Failure"),
        (What.WRONG_SIGNER, "Response Verify Failure"),
        (What.WRONG_ISSUER, "Response Verify Failure"),
        (What.TAMPERED, "Response Verify Failure"),
        (What.TRUNCATED, "rror"),
        (What.TRY_LATER, "trylater"),
        (What.UNAUTHORIZED, "unauthorized"),
    ],
)
def test_ocsp_answers_lie_as_told(
    network: Network, port80: Port80, pki: Pki, bench: Path, what: What, said: str
) -> None:
    with port80.answering(Rule(SUBJECT_OCSP, what, (pki.leaf(Peculiar.OCSP_ONLY).serial_number,))):
        assert said in asked(network, bench)


def test_ocsp_is_answered_to_a_get_and_by_sha256_too(network: Network, port80: Port80, bench: Path) -> None:
    question, answer = bench / "question", bench / "answer"
    chosen = ["-sha256", "-issuer", str(bench / "wr2.pem"), "-cert", str(bench / "ocsp-leaf.pem")]
    network.run("client", ["openssl", "ocsp", "-no_nonce", *chosen, "-reqout", str(question)]).check_returncode()
    _python(network, _GET_OCSP, f"http://{SUBJECT_OCSP}", question, answer)
    read = ["openssl", "ocsp", *chosen, "-respin", str(answer), "-CAfile", str(bench / "roots.pem")]
    done = network.run("client", [*read, "-verify_other", str(bench / "wr2.pem")])
    assert "ocsp-leaf.pem: good" in done.stdout
    assert "Response verify OK" in done.stdout + done.stderr
    assert port80.requests("o.pki.goog")[0].method == "GET"


def test_a_nonce_comes_back(network: Network, port80: Port80, bench: Path) -> None:
    assert port80
    assert "WARNING: no nonce in response" not in asked(network, bench, "-nonce")


@pytest.mark.parametrize(("what", "status"), [(What.GOOD, 0), (What.WRONG_KEY, 1), (What.REPLAY, 1)])
def test_the_time_is_signed_over_the_question(
    network: Network, port80: Port80, pki: Pki, tmp_path: Path, what: What, status: int
) -> None:
    key, body, message, signature = (tmp_path / name for name in ("key", "body", "message", "signature"))
    key.write_text(_pem(pki.time.spki))
    with port80.answering(Rule("clients2.google.com/time", what)):
        query = "cup2key=8:4711&cup2hreq=" + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        proof = _python(network, _GET_TIME, f"http://clients2.google.com/time/1/current?{query}", body).strip()
    made, _, request = proof.partition(":")
    signature.write_bytes(bytes.fromhex(made))
    # SHA-256 is applied twice: here to what is signed, and once more by the tool.
    message.write_bytes(bytes.fromhex(request) + _sha256(network, body) + b"8:4711")
    message.write_bytes(_sha256(network, message))
    argv = ["openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature), str(message)]
    assert network.run("client", argv).returncode == status


def _pem(spki: bytes) -> str:
    public = serialization.load_der_public_key(spki)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()


def _sha256(network: Network, path: Path) -> bytes:
    made = network.run("client", ["openssl", "dgst", "-sha256", "-r", str(path)])
    return bytes.fromhex(made.stdout.split()[0])


def test_what_was_asked_is_kept_with_who_asked(network: Network, port80: Port80, tmp_path: Path) -> None:
    _python(network, _GET, "http://i.pki.goog/wr2.crt", tmp_path / "wr2.crt")
    (request,) = port80.requests()
    assert (request.method, request.host, request.target) == ("GET", "i.pki.goog", "/wr2.crt")
    assert request.peer in CLIENT


def test_the_address_of_a_clouds_secrets_is_there_to_be_asked(network: Network, port80: Port80) -> None:
    script = """if True:
        import socket, sys
        with socket.create_connection((sys.argv[1], 80), 10) as peer:
            peer.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
            peer.recv(1)  # requests are written down before they are answered
        """
    _python(network, script, METADATA)
    assert port80.requests("")


def test_an_answer_comes_drop_by_drop(network: Network, port80: Port80, tmp_path: Path) -> None:
    script = _GET.replace("timeout=10).read()", "timeout=10).read(2)")
    with port80.answering(Rule("i.pki.goog/", What.DRIP)):
        _python(network, script, "http://i.pki.goog/wr2.crt", tmp_path / "begun")
    assert len((tmp_path / "begun").read_bytes()) == 2
