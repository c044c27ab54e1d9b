"""`inspect`: what it reads, what it says, and what that looks like.

Measured against openssl, field by field, and against the verifiers it says refuse a certificate.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from rich.cells import cell_len

from tests.conftest import ROOT, options, resolve, run, shared_data
from tests.faults import tls_server
from tests.test_cli import COLOUR, on_a_terminal
from tlsinspect.certificate import Certificate, UnreadableError, quietly
from tlsinspect.cli import main
from tlsinspect.evidence.described import Details, Edge, Grade
from tlsinspect.evidence.details import MAX_BYTES, describe
from tlsinspect.evidence.tree import linked
from tlsinspect.jsonform import from_json
from tlsinspect.lab import pki
from tlsinspect.trust import Trust, certificates_in

CERTIFICATES = ROOT / "testcerts"
VECTORS = Path(cryptography_vectors.__file__).parent
FOLDERS = (
    "google_chains",
    "google_presented",
    "interception",
    "intermediates",
    "misissued",
    "misissued_blocklist",
    "roots",
    "rootstores",
)
OPENSSL = shutil.which("openssl") or ""
needs_openssl = pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")

Inspected = Callable[..., tuple[int, str, str]]


@pytest.fixture
def inspected(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inspected:
    """The command in this process, where a library's warning would be an error: status, output, complaints."""
    monkeypatch.setenv("COLUMNS", "250")

    def call(*words: str | Path) -> tuple[int, str, str]:
        status = main(["inspect", *map(str, words)])
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


def as_details(text: str) -> list[Details]:
    return [from_json(Details, each) for each in json.loads(text)]


def held(path: Path) -> list[bytes]:
    """The certificates of a file, read independently of the command."""
    raw = path.read_bytes()
    try:
        return list(certificates_in(raw)) or ([raw] if raw[:1] == b"\x30" else [])
    except ValueError:
        return []


# -- every certificate there is -------------------------------------------------------------------------------------


def useful(inspected: Inspected, path: Path) -> None:
    """Each certificate of a file that any reader takes is shown in both forms and in JSON, with what it holds."""
    status, out, err = inspected(path, "--long")
    assert (status, err) == (0, ""), path
    status, text, err = inspected(path, "--json")
    assert (status, err) == (0, ""), path
    found = as_details(text)
    assert {d.sha256 for d in found} == {hashlib.sha256(der).hexdigest() for der in held(path)}, path
    assert all(d.sha256 in out for d in found)
    for one in found:
        assert re.fullmatch(r"[0-9a-f]{64}", one.spki_sha256)
        assert one.title
        assert one.key.kind
        assert one.signature.algorithm
        assert one.signature.oid
        assert one.link is not None or one.position > 16
    status, out, err = inspected(path)
    assert (status, err) == (0, ""), path
    assert len(out.splitlines()) > len(found)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_recorded_certificate_gives_something_useful(folder: str, inspected: Inspected) -> None:
    paths = sorted(shared_data(folder).rglob("*.pem"))
    assert paths
    for path in paths:
        useful(inspected, path)


@cache
def vectors() -> dict[Path, bool]:
    """Every file of the vectors that may hold certificates, and whether a reader takes one out of it."""
    found = {}
    for path in sorted((VECTORS / "x509").rglob("*")):
        if path.suffix in (".pem", ".der", ".crt", ".cer"):
            found[path] = any(map(is_certificate, held(path)))
    return found


def is_certificate(der: bytes) -> bool:
    try:
        describe(Certificate(der))
    except UnreadableError:
        return False
    return True


@pytest.mark.slow
def test_every_certificate_of_the_vectors_gives_something_useful(inspected: Inspected) -> None:
    paths = [path for path, readable in vectors().items() if readable]
    assert len(paths) > 500
    for path in paths:
        useful(inspected, path)


def test_nothing_cryptography_reads_is_called_unreadable() -> None:
    for path, readable in vectors().items():
        for der in held(path):
            try:
                quietly(x509.load_der_x509_certificate, der)
            except (ValueError, x509.InvalidVersion):
                continue
            assert readable, path


def test_whatever_else_the_vectors_hold_is_answered_in_words(inspected: Inspected) -> None:
    """Revocation lists, requests, keys, responses: no certificate, and no traceback."""
    others = [p for p in sorted(VECTORS.rglob("*")) if p.is_file() and p.stat().st_size < 200_000]
    others = [p for p in others if not vectors().get(p) and "__pycache__" not in p.parts]
    assert len(others) > 1000
    shown = 0
    for path in others:
        status, out, err = inspected(path)
        assert err == "", path
        assert status in (0, 3), path
        assert ("no certificate anybody can read" in out) == (status == 3), path
        shown += status == 0
    assert shown  # PKCS#7, and armour that `held` does not look for


def test_damaged_certificates_are_described_or_refused_and_nothing_else(inspected: Inspected, tmp_path: Path) -> None:
    random = Random(20261101)
    ders = [der for path in sorted(shared_data("misissued_blocklist").glob("*.pem"))[:20] for der in held(path)]
    ders.append(pkcs7.serialize_certificates([x509.load_der_x509_certificate(der) for der in ders[:2]], Encoding.DER))
    for _ in range(200):
        damaged = bytearray(random.choice(ders))
        for _ in range(random.choice((1, 2, 8))):
            damaged[random.randrange(len(damaged))] = random.choice((0, 0x1F, 0x30, 0x80, 0xFF, random.randrange(256)))
        (tmp_path / "x").write_bytes(damaged[: random.choice((None, None, random.randrange(len(damaged))))])
        status, _, err = inspected(tmp_path / "x", "--long")
        assert status in (0, 3)
        assert err == ""


# -- openssl says the same ------------------------------------------------------------------------------------------


def sample() -> list[bytes]:
    """Sixty certificates spread over everything there is."""
    folders = [shared_data(folder) for folder in FOLDERS]
    ders = {der for folder in folders for path in folder.rglob("*.pem") for der in held(path)}
    ders |= {der for path, readable in vectors().items() if readable for der in held(path)}
    spread = sorted(ders, key=lambda der: hashlib.sha256(der).digest())
    return spread[:: len(spread) // 60]


def openssl(der: bytes, *words: str) -> str | None:
    """What `openssl x509` prints; None where it refuses."""
    ended = subprocess.run(
        [OPENSSL, "x509", "-inform", "der", "-noout", *words], input=der, capture_output=True, check=False
    )
    return ended.stdout.decode(errors="replace") if ended.returncode == 0 else None


def values(shown: str, field: str) -> list[str]:
    """The attribute values of a name, one a line."""
    lines = shown.split(f"{field}=\n", 1)[1].splitlines()
    return [line.split("=", 1)[1] for line in lines if line.startswith("    ") and line.strip()]


@needs_openssl
@pytest.mark.slow
def test_the_fields_are_those_openssl_reads() -> None:
    compared = 0
    for der in sample():
        one = describe(Certificate(der))
        for field, parts in (("subject", one.subject_parts), ("issuer", one.issuer_parts)):
            name = openssl(der, f"-{field}", "-nameopt", "utf8,sep_multiline,sname")
            if name is not None and "\x00" not in name:
                assert values(name, field) == [value for _, value in parts]
        shown = openssl(der, "-serial", "-dates", "-dateopt", "iso_8601")
        if shown is None:
            continue
        fields = dict(line.split("=", 1) for line in shown.splitlines())
        assert int(fields["serial"], 16) == int(one.serial, 16)
        if "Bad time" not in shown:
            assert datetime.fromisoformat(fields["notBefore"]) == one.not_before
            assert datetime.fromisoformat(fields["notAfter"]) == one.not_after
        compared += 1
        compare_key(der, one)
        compare_text(der, one)
    assert compared > 50


def compare_key(der: bytes, one: Details) -> None:
    key = openssl(der, "-pubkey")
    if key is not None and one.key.judgement.grade is not Grade.UNKNOWN:  # openssl mends what it can
        spki = base64.b64decode("".join(key.splitlines()[1:-1]))
        assert hashlib.sha256(spki).hexdigest() == one.spki_sha256


def compare_text(der: bytes, one: Details) -> None:
    text = openssl(der, "-text")
    if text is None:
        return
    bits = re.search(r"Public-Key: \((\d+) bit\)", text)
    if bits and one.key.bits and one.key.kind in ("RSA", "EC", "DSA"):
        assert int(bits[1]) == one.key.bits
    version = re.search(r"Version: (\d+) ", text)
    assert version is None or int(version[1]) == one.version
    algorithm = re.search(r"Signature Algorithm: (sha\d+|md5|md2)?", text)
    if algorithm and algorithm[1] and one.signature.judgement.grade is not Grade.UNKNOWN:
        assert algorithm[1].upper().replace("SHA", "SHA-") in one.signature.algorithm
    assert ("CA:TRUE" in text) == one.is_ca or "X509v3 extensions" not in text
    names = openssl(der, "-ext", "subjectAltName") or ""
    assert re.findall(r"DNS:([^,\n]*)", names) == list(one.dns_names)
    for name, heading in (("keyUsage", "X509v3 Key Usage: critical"), ("extKeyUsage", "Extended Key Usage: critical")):
        found = one.extension(name)
        assert (heading in text) == (found is not None and found.critical)


# -- what clients refuse --------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOST = "www.example.com"


class Made:
    """A root, an intermediate and a leaf, each field of which a test may spoil."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {role: ec.generate_private_key(ec.SECP256R1()) for role in ("root", "ca", "leaf")}
        self.subjects = {"root": pki.name((NameOID.COMMON_NAME, "Root")), "ca": pki.name((NameOID.COMMON_NAME, "CA"))}
        self.subjects["leaf"] = pki.name((NameOID.COMMON_NAME, HOST))
        self.life = {"root": 3000, "ca": 2000, "leaf": 90}
        self.serial = {"root": 1001, "ca": 1002, "leaf": 1003}
        self.add: dict[str, list[tuple[x509.ExtensionType, bool]]] = {"root": [], "ca": [], "leaf": []}
        self.drop: dict[str, set[type]] = {"root": set(), "ca": set(), "leaf": set()}
        self.digest: hashes.SHA256 | hashes.SHA224 = hashes.SHA256()

    def certificate(self, role: str) -> x509.Certificate:
        issuer = {"root": "root", "ca": "root", "leaf": "ca"}[role]
        builder = x509.CertificateBuilder(
            issuer_name=self.subjects[issuer],
            subject_name=self.subjects[role],
            public_key=self.keys[role].public_key(),
            serial_number=self.serial[role],
            not_valid_before=NOW - timedelta(days=10),
            not_valid_after=NOW - timedelta(days=10) + timedelta(days=self.life[role]),
        )
        for value, critical in self.extensions(role, issuer):
            builder = builder.add_extension(value, critical)
        digest = None if isinstance(self.keys[issuer], ed25519.Ed25519PrivateKey) else self.digest
        return builder.sign(self.keys[issuer], digest)

    def extensions(self, role: str, issuer: str) -> Iterator[tuple[x509.ExtensionType, bool]]:
        ca = role != "leaf"
        usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
        own, above = self.keys[role].public_key(), self.keys[issuer].public_key()
        usual: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca, 0 if role == "ca" else None), True),
            (usage, True),
            (x509.SubjectKeyIdentifier.from_public_key(own), False),
        ]
        if role != "root":
            usual.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(above), False))
        if not ca:
            usual.append((x509.SubjectAlternativeName([x509.DNSName(HOST)]), False))
            usual.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False))
        added = {type(value) for value, _ in self.add[role]}
        yield from ((v, c) for v, c in usual if type(v) not in self.drop[role] | added)
        yield from self.add[role]

    def without(self, role: str, kind: type) -> None:
        self.drop[role].add(kind)

    def with_(self, role: str, value: x509.ExtensionType, *, critical: bool) -> None:
        self.add[role].append((value, critical))


def pyca_refuses(chain: Sequence[x509.Certificate]) -> bool:
    leaf, ca, root = chain
    try:
        PolicyBuilder().store(Store([root])).time(NOW).build_server_verifier(x509.DNSName(HOST)).verify(leaf, [ca])
    except VerificationError:
        return True
    return False


def openssl_refuses(chain: Sequence[x509.Certificate], folder: Path, *words: str) -> bool:
    for name, certificate in zip(("leaf", "ca", "root"), chain, strict=True):
        (folder / name).write_bytes(certificate.public_bytes(Encoding.PEM))
    at = ["-attime", str(int(NOW.timestamp())), "-purpose", "sslserver"]
    files = ["-CAfile", str(folder / "root"), "-untrusted", str(folder / "ca"), str(folder / "leaf")]
    ended = subprocess.run([OPENSSL, "verify", *at, *words, *files], capture_output=True, check=False)
    return ended.returncode != 0


def key_usage(made: Made, role: str, *, sign: bool) -> None:
    made.with_(role, x509.KeyUsage(True, False, False, False, False, sign, False, False, False), critical=True)


def purposes(made: Made, purpose: x509.ObjectIdentifier, *, critical: bool = False) -> None:
    made.with_("leaf", x509.ExtendedKeyUsage([purpose]), critical=critical)


def no_subject(made: Made) -> None:
    made.subjects["leaf"] = x509.Name([])


def no_authority(made: Made) -> None:
    made.subjects["root"] = x509.Name([])


def names(made: Made, *, critical: bool) -> None:
    made.with_("leaf", x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=critical)


def long_life(made: Made, days: int) -> None:
    made.life["leaf"] = days


def key(made: Made, role: str, new: Any) -> None:
    made.keys[role] = new


def foreign_country(made: Made) -> None:
    country = quietly(x509.NameAttribute, NameOID.COUNTRY_NAME, "Internet", _validate=False)
    made.subjects["ca"] = x509.Name([country, *made.subjects["ca"]])


def digest(made: Made) -> None:
    made.digest = hashes.SHA224()


POISON = x509.PrecertPoison()
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
CONSTRAINTS = x509.BasicConstraints(True, None)

# How a chain is spoilt, and the defects that must be named for it.
SPOILT: dict[str, tuple[Callable[[Made], None], set[str]]] = {
    "nothing": (lambda _: None, set()),
    "root-no-usage": (lambda m: m.without("root", x509.KeyUsage), {"ca-no-key-usage"}),
    "ca-no-usage": (lambda m: m.without("ca", x509.KeyUsage), {"ca-no-key-usage"}),
    "root-not-critical": (lambda m: m.with_("root", CONSTRAINTS, critical=False), {"ca-constraints-not-critical"}),
    "ca-not-critical": (lambda m: m.with_("ca", CONSTRAINTS, critical=False), {"ca-constraints-not-critical"}),
    "root-no-key-id": (lambda m: m.without("root", x509.SubjectKeyIdentifier), {"ca-no-key-id"}),
    "ca-no-key-id": (lambda m: m.without("ca", x509.SubjectKeyIdentifier), {"ca-no-key-id"}),
    "ca-no-authority": (lambda m: m.without("ca", x509.AuthorityKeyIdentifier), {"ca-no-authority-key-id"}),
    "ca-may-not-sign": (lambda m: key_usage(m, "ca", sign=False), {"ca-may-not-sign"}),
    "leaf-no-authority": (lambda m: m.without("leaf", x509.AuthorityKeyIdentifier), {"no-authority-key-id"}),
    "leaf-signs": (lambda m: key_usage(m, "leaf", sign=True), {"not-a-ca-but-signs"}),
    "leaf-no-names": (lambda m: m.without("leaf", x509.SubjectAlternativeName), {"no-names"}),
    "leaf-no-subject": (no_subject, {"names-not-critical"}),
    "leaf-names-critical": (lambda m: names(m, critical=True), {"names-critical"}),
    "leaf-purpose-critical": (
        lambda m: purposes(m, ExtendedKeyUsageOID.SERVER_AUTH, critical=True),
        {"purpose-critical"},
    ),
    "leaf-for-clients": (lambda m: purposes(m, ExtendedKeyUsageOID.CLIENT_AUTH), {"not-for-servers"}),
    "leaf-no-purpose": (lambda m: m.without("leaf", x509.ExtendedKeyUsage), {"no-purpose"}),
    "leaf-long": (lambda m: long_life(m, 900), {"life-too-long"}),
    "leaf-longer-than-public": (lambda m: long_life(m, 390), {"life-too-long-public"}),
    "leaf-short-key": (lambda m: key(m, "leaf", rsa.generate_private_key(65537, 1024)), {"key-short"}),
    "ca-short-key": (lambda m: key(m, "ca", rsa.generate_private_key(65537, 1024)), {"key-short", "ca-key"}),
    "ca-odd-curve": (lambda m: key(m, "ca", ec.generate_private_key(ec.SECP256K1())), {"key-unusual", "ca-key"}),
    "ca-ed25519": (
        lambda m: key(m, "ca", ed25519.Ed25519PrivateKey.generate()),
        {"key-unusual", "ca-key", "signature-unusual"},
    ),
    "poison": (lambda m: m.with_("leaf", POISON, critical=True), {"precertificate"}),
    "critical": (lambda m: m.with_("leaf", UNKNOWN, critical=True), {"critical-unknown"}),
    "no-issuer": (no_authority, {"issuer-empty"}),
    "country": (foreign_country, {"country"}),
    "sha-224": (digest, {"signature-unusual"}),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_defect_is_named_with_exactly_the_verifiers_that_refuse_it(case: str, tmp_path: Path) -> None:
    spoil, expected = SPOILT[case]
    made = Made()
    spoil(made)
    chain = [quietly(made.certificate, role) for role in ("leaf", "ca", "root")]
    described = [describe(Certificate(c.public_bytes(Encoding.DER))) for c in chain]
    defects = [defect for one in described for defect in one.defects]
    assert {d.code for d in defects} == expected
    refusers = {who for d in defects for who in d.refused_by}
    by_all = any(who.startswith("every client") for who in refusers)
    # SHA-224 is refused by cryptography too; the rule names browsers only, whose list is the shorter one.
    if case != "sha-224":
        assert pyca_refuses(chain) == (by_all or "pyca/cryptography" in refusers)
    if OPENSSL:
        strict = openssl_refuses(chain, tmp_path, "-x509_strict")
        assert strict == (by_all or "OpenSSL with -x509_strict" in refusers)
        assert openssl_refuses(chain, tmp_path) == by_all
        if "key-short" in expected:
            assert openssl_refuses(chain, tmp_path, "-auth_level", "2")


def test_the_defects_of_real_interceptors_are_named() -> None:
    """A chain as many proxies make it: no keyUsage, basicConstraints not critical, no key identifiers."""
    made = Made()
    for kind in (x509.KeyUsage, x509.SubjectKeyIdentifier):
        made.without("root", kind)
    made.with_("root", CONSTRAINTS, critical=False)
    root = describe(Certificate(made.certificate("root").public_bytes(Encoding.DER)))
    assert [d.code for d in root.defects] == ["ca-constraints-not-critical", "ca-no-key-usage", "ca-no-key-id"]
    assert all("Python 3.13 and later" in d.refused_by for d in root.defects)


# -- who signed whom ------------------------------------------------------------------------------------------------


def links(ders: Sequence[bytes], trust: Trust | None = None) -> list[Details]:
    certificates = [Certificate(der) for der in ders]
    return linked([describe(c) for c in certificates], certificates, trust or Trust.default())


def edges(found: Sequence[Details]) -> list[Edge]:
    return [one.link.edge for one in found if one.link]


def test_each_hangs_below_the_one_that_signed_it_whatever_the_order(google: pki.GoogleLike) -> None:
    leaf, *above = google.we2.issue([HOST], send_root=True).ders
    found = links([above[1], leaf, above[0]])
    assert edges(found) == [Edge.SELF_SIGNED, Edge.SIGNED, Edge.SIGNED]
    assert [one.link.index for one in found if one.link] == [0, 2, 0]


def test_a_name_without_the_signature_is_not_a_link(google: pki.GoogleLike, now: datetime) -> None:
    """An impostor's leaf beside the certificate it pretends to be signed by."""
    leaf = pki.impersonator(now).issue([HOST], issuer_name=google.we2.certificate.subject).ders[0]
    authority = google.we2.certificate.public_bytes(Encoding.DER)
    found = links([leaf, authority])
    assert found[0].link is not None
    assert (found[0].link.edge, found[0].link.index) == (Edge.NOT_SIGNED, 1)


def test_the_roots_we_know_are_named(inspected: Inspected) -> None:
    path = next(shared_data("google_presented").glob("*.pem"))
    for status, out, _ in (inspected(path), inspected(path, "--long")):
        assert status == 0
        assert "root" in out


def test_a_leaf_without_its_intermediate_is_known_by_the_key(tmp_path: Path, inspected: Inspected) -> None:
    newest = max(shared_data("google_chains").glob("*.pem"))
    leaf = next(certificates_in(newest.read_bytes()))
    (tmp_path / "leaf.der").write_bytes(leaf)
    status, out, _ = inspected(tmp_path / "leaf.der")
    assert status == 0
    assert "Google's key, known here" in out


def test_a_known_name_with_another_key_is_said(now: datetime, tmp_path: Path, inspected: Inspected) -> None:
    (tmp_path / "x.pem").write_bytes(pki.impersonator(now).issue([HOST], send_root=True).pem)
    out = inspected(tmp_path / "x.pem")[1]
    assert "the name of a known authority, with a key not known here" in " ".join(out.split())


def test_the_work_is_bounded(now: datetime, inspected: Inspected, tmp_path: Path) -> None:
    """Forty authorities with one name and forty keys: everybody could have signed everybody."""
    name = pki.name((NameOID.COMMON_NAME, "x"))
    many = [pki.Authority.root(name, now).certificate.public_bytes(Encoding.DER) for _ in range(40)]
    found = links(many)
    assert [one.link is None for one in found] == [False] * 16 + [True] * 24
    with pytest.raises(UnreadableError, match="larger"):
        describe(Certificate(many[0] + bytes(MAX_BYTES)))
    (tmp_path / "begun.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n" * 100_000)
    assert inspected(tmp_path / "begun.pem")[0] == 3


# -- forms of input -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain(google: pki.GoogleLike) -> pki.Issued:
    return google.we2.issue([HOST], send_root=True)


def fingerprints(ders: Sequence[bytes]) -> list[str]:
    return [hashlib.sha256(der).hexdigest() for der in ders]


def packed(chain: pki.Issued, form: str) -> bytes:
    leaf, *_ = chain.ders
    pem = chain.pem
    forms: dict[str, Callable[[], bytes]] = {
        "pem": lambda: pem,
        "crlf": lambda: pem.replace(b"\n", b"\r\n"),
        "with text": lambda: (
            b"Bag Attributes\n\xff: 1\n" + pem.replace(b"-----END", b"-----END", 1) + b"\nthe end \x00"
        ),
        "one line": lambda: pem.replace(b"\n", b"").replace(b"-----B", b"\n-----B"),
        "utf-16": lambda: pem.decode().encode("utf-16"),
        "old label": lambda: pem.replace(b" CERTIFICATE", b" X509 CERTIFICATE"),
        "headers": lambda: pem.replace(b"CERTIFICATE-----\nM", b"CERTIFICATE-----\nProc-Type: 4,CLEAR\n\nM"),
        "with its key": lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" + pem,
        "pkcs7 der": lambda: pkcs7.serialize_certificates(list(chain.chain), Encoding.DER),
        "pkcs7 pem": lambda: pkcs7.serialize_certificates(list(chain.chain), Encoding.PEM),
        "der": lambda: leaf,
        "base64": lambda: base64.encodebytes(leaf),
        "trusted": lambda: armoured(leaf + b"\x30\x00", "TRUSTED CERTIFICATE"),
    }
    return forms[form]()


def armoured(der: bytes, label: str) -> bytes:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n".encode()


@pytest.mark.parametrize(
    "form",
    [
        "pem",
        "crlf",
        "with text",
        "one line",
        "utf-16",
        "old label",
        "headers",
        "with its key",
        "pkcs7 der",
        "pkcs7 pem",
    ],
)
def test_every_form_of_a_chain_is_read(form: str, chain: pki.Issued, tmp_path: Path, inspected: Inspected) -> None:
    (tmp_path / "chain.pem").write_bytes(packed(chain, form))
    status, out, err = inspected(tmp_path / "chain.pem", "--json")
    assert (status, err) == (0, "")
    assert sorted(d.sha256 for d in as_details(out)) == sorted(fingerprints(chain.ders))


@pytest.mark.parametrize("form", ["der", "base64", "trusted"])
def test_every_form_of_one_certificate_is_read(
    form: str, chain: pki.Issued, tmp_path: Path, inspected: Inspected
) -> None:
    (tmp_path / "one").write_bytes(packed(chain, form))
    status, out, _ = inspected(tmp_path / "one", "--json")
    assert status == 0
    assert [d.sha256 for d in as_details(out)] == fingerprints(chain.ders[:1])


def test_pkcs7_with_a_certificate_cryptography_refuses(tmp_path: Path, inspected: Inspected) -> None:
    """The other reader takes over: DigiNotar's, with its asterisk in a PrintableString, in PKCS#7."""
    from asn1crypto import cms
    from asn1crypto import x509 as lenient

    path = next(shared_data("misissued").glob("diginotar*"))
    ders = list(certificates_in(path.read_bytes()))
    content = {
        "version": "v1",
        "digest_algorithms": [],
        "encap_content_info": {"content_type": "data"},
        "certificates": [cms.CertificateChoices("certificate", lenient.Certificate.load(der)) for der in ders],
        "signer_infos": [],
    }
    whole = cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(content)})
    (tmp_path / "x.p7b").write_bytes(whole.dump())
    status, out, _ = inspected(tmp_path / "x.p7b", "--json")
    assert status == 0
    found = as_details(out)
    assert [d.sha256 for d in found] == fingerprints(ders)
    assert found[0].defects[0].code == "malformed"


def test_pkcs7_with_a_version_nobody_knows(chain: pki.Issued, tmp_path: Path, inspected: Inspected) -> None:
    packed_chain = packed(chain, "pkcs7 der")
    version = packed_chain.index(bytes.fromhex("a003020102")) + 4
    (tmp_path / "x.p7b").write_bytes(packed_chain[:version] + b"\x2d" + packed_chain[version + 1 :])
    status, out, _ = inspected(tmp_path / "x.p7b", "--json")
    assert status == 0
    assert 46 in {one.version for one in as_details(out)}


def test_standard_input_and_several_files_keep_their_order(chain: pki.Issued, tmp_path: Path) -> None:
    for name, der in zip(("leaf", "ca", "root"), chain.ders, strict=True):
        (tmp_path / f"{name}.der").write_bytes(der)
    ended = run("inspect", "root.der", "-", "ca.der", given=chain.ders[0], cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    at = [ended.out.index(word) for word in ("root.der", "standard input", "ca.der")]
    assert at == sorted(at)
    # The tree of the leaf leads through the other two files.
    tree = ended.out[at[1] : at[2]]
    assert [line.strip(" └─✔") for line in tree.splitlines() if "✔" in line][1].startswith("WE2")


def test_what_cannot_be_read_does_not_hide_what_can(chain: pki.Issued, tmp_path: Path, inspected: Inspected) -> None:
    (tmp_path / "good.pem").write_bytes(chain.pem)
    broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
    (tmp_path / "mixed.pem").write_bytes(broken + armoured(b"\x30\x03\x02\x01\x01", "CERTIFICATE") + chain.pem * 2)
    status, out, err = inspected(tmp_path / "missing.pem", tmp_path / "good.pem")
    assert (status, "missing.pem" in err, len(err.splitlines())) == (0, True, 1)
    assert HOST in out
    status, out, err = inspected(tmp_path / "mixed.pem")
    assert (status, err) == (0, "")
    assert "skipped: broken PEM" in out
    assert "certificate 1 cannot be read" in out
    assert "certificate 5 is certificate 2 once more" in out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no certificate"),
        (b"hello\n", "no certificate"),
        (b"\x30", "no certificate"),
        (b"\x30\x82\xff\xff", "no certificate"),
        (bytes(range(256)) * 50, "no certificate"),
        (b"\xff\xfe\x00", "no certificate"),
        (armoured(b"\x30\x00", "CERTIFICATE REQUEST"), "skipped: CERTIFICATE REQUEST"),
        (armoured(b"\x30\x00", "PKCS7"), "no certificate"),
    ],
)
def test_garbage_is_answered_with_status_3(content: bytes, said: str, tmp_path: Path, inspected: Inspected) -> None:
    (tmp_path / "x").write_bytes(content)
    status, out, err = inspected(tmp_path / "x")
    assert (status, err) == (3, "")
    assert said in out
    assert inspected(tmp_path / "x", "--json")[:2] == (3, "[]\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.pem"], "missing.pem"),
        (["no/such/file"], "no/such/file"),
        (["."], "cannot be read"),
        (["a b"], "not a host name"),
        (["http://a.test"], "plain HTTP"),
        (["a.test", "--timeout", "0"], "--timeout"),
        (["a.test", "--trust", "missing.pem"], "missing.pem"),
        (["x.pem", "--at", "noon"], "--at"),
        ([], "FILE"),
    ],
)
def test_mistakes_are_one_line_and_status_2(words: list[str], said: str) -> None:
    ended = run("inspect", *words)
    assert (ended.status, ended.out) == (2, ""), ended.err
    assert len(ended.err.splitlines()) == 1
    assert said in ended.err


# -- hosts ----------------------------------------------------------------------------------------------------------


def test_a_host_shows_what_it_presents_and_the_verdict(google: pki.GoogleLike, roots: Path, now: datetime) -> None:
    good, bad = "mail.google.com", "www.googleapis.com"
    with tls_server(google.we2.issue([good])) as one, tls_server(pki.zscaler(now).issue([bad])) as other:
        reached = options(resolve({good: (one.host, one.port), bad: (other.host, other.port)}))
        words = ["inspect", good, f"https://{bad}/path", "--proxy", "none", "--trust", str(roots), *reached]
        ended, as_json = run(*words), run(*words, "--json")
    assert (ended.status, ended.err) == (0, "")
    text = " ".join(ended.out.split())
    assert f"{good} genuine" in text
    assert f"{bad} intercepted" in text
    assert "a stand-in for Google's roots" in text
    assert "not at hand, and no root known here" in text
    assert [(d.source, d.position) for d in as_details(as_json.out)] == [
        (f"{good}:443", 1),
        (f"{good}:443", 2),
        (f"{bad}:443", 1),
        (f"{bad}:443", 2),
    ]


def test_a_host_nobody_answers_for_is_status_3() -> None:
    ended = run("inspect", "a.test", "--proxy", "none", *options(resolve({"a.test": ("127.0.0.1", 9)})))
    assert (ended.status, ended.err) == (3, "")
    assert "unreachable" in ended.out


def test_a_file_named_like_a_host_is_the_file(chain: pki.Issued, tmp_path: Path) -> None:
    (tmp_path / "www.google.com").write_bytes(chain.pem)
    ended = run("inspect", "www.google.com", cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert HOST in ended.out


# -- what it looks like ---------------------------------------------------------------------------------------------

EXAMPLES = [str(CERTIFICATES / "case-a-fiddler.pem"), str(CERTIFICATES / "case-e-forged-issuer-name.pem")]


def widest(shown: str) -> int:
    return max(cell_len(line.rstrip()) for line in shown.splitlines())


def test_the_short_form_is_read_in_two_seconds(now: datetime, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_bytes(pki.fiddler(now).issue([HOST], send_root=True).pem)
    ended = run("inspect", "x.pem", cwd=tmp_path, extra={"COLUMNS": "80"})
    lines = [line.strip() for line in ended.out.splitlines() if line.strip()]
    assert len(lines) < 20
    labels = [line.split()[0] for line in lines]
    for label in ("names", "issuer", "valid", "key", "signature", "SHA-256"):
        assert label in labels
    assert "days left" in ended.out or "years left" in ended.out
    assert "✔ signed by itself: DO_NOT_TRUST_FiddlerRoot" in ended.out
    assert f"└── ✔ {HOST}" in ended.out


@pytest.mark.parametrize("columns", [60, 80, 160])
@pytest.mark.parametrize("words", [[], ["--long"]])
def test_no_line_is_wider_than_the_terminal(columns: int, words: list[str], odd: Path) -> None:
    for path in (*EXAMPLES, str(odd), str(ROOT / "trust" / "public_roots.pem")):
        ended = run("inspect", path, *words, extra={"COLUMNS": str(columns)})
        assert (ended.status, ended.err) == (0, ""), path
        assert widest(ended.out) <= columns, path


def test_a_terminal_gets_colours_a_pipe_none() -> None:
    words = ["inspect", *EXAMPLES]
    status, shown = on_a_terminal(*words, extra={"TERM": "xterm-256color"})
    assert status == 0
    assert COLOUR.search(shown)
    status, shown = on_a_terminal(*words, extra={"TERM": "xterm-256color", "NO_COLOR": "1"})
    assert status == 0
    assert not COLOUR.search(shown)
    assert "\x1b" not in run(*words).out


def test_a_terminal_without_unicode_gets_plain_signs(odd: Path) -> None:
    ended = run("inspect", str(odd), extra={"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "COLUMNS": "80"})
    assert ended.status == 0
    assert ended.out.isascii()
    assert "+ signed by itself" in ended.out
    assert "<U+2714>" not in ended.out


LONG = [f"host-{i:03}.{'a-label-that-goes-on-' * 2}{i}.{'sub.' * 20}example.com" for i in range(300)]
HEBREW, CHINESE, ATTACK = "שלום", "邮件安全网关", "\x1b[31mred\u202egpj.exe\r\n[bold]x[/bold]\x07"


@pytest.fixture(scope="module")
def odd(now: datetime, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 long names under an authority and a subject in several scripts, with escapes."""
    authority = pki.Authority.root(pki.name((NameOID.ORGANIZATION_NAME, CHINESE), (NameOID.COMMON_NAME, HEBREW)), now)
    subject = pki.name((NameOID.COMMON_NAME, f"{HEBREW} {CHINESE}"), (NameOID.ORGANIZATION_NAME, ATTACK))
    path = tmp_path_factory.mktemp("odd") / "odd.pem"
    path.write_bytes(authority.issue(LONG, subject=subject, send_root=True).pem)
    return path


def test_names_of_every_script_are_shown_and_escapes_made_harmless(odd: Path) -> None:
    for words in ([], ["--long"]):
        shown = run("inspect", str(odd), *words, extra={"COLUMNS": "160"}).out
        assert HEBREW in shown
        assert CHINESE in shown
        assert not set(shown) & set("\x1b\u202e\r\x07")
        assert "<U+001B>[31mred<U+202E>gpj.exe<U+000D><U+000A>[bold]x[/bold]<U+0007>" in " ".join(shown.split())


def test_300_names_are_abbreviated_in_the_short_form_only(odd: Path) -> None:
    short, long = (run("inspect", str(odd), *w, extra={"COLUMNS": "80"}).out for w in ([], ["--long"]))
    assert "299 more, 300 in all" in " ".join(short.split())
    assert len(short.splitlines()) < 40
    assert "more" not in long
    joined = re.sub(r"\s+", "", long)
    assert all(name in joined for name in LONG)
    found = as_details(run("inspect", str(odd), "--json").out)
    assert found[0].dns_names == tuple(LONG)


def test_dates_are_compared_with_the_time_named(chain: pki.Issued, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_bytes(chain.pem)
    ends = chain.certificate.not_valid_after_utc
    said = {
        ends + timedelta(days=3, hours=1): "expired 3 days ago",
        ends - timedelta(days=3, hours=1): "3 days left",
        ends - timedelta(minutes=5): "less than an hour left",
        chain.certificate.not_valid_before_utc - timedelta(hours=30): "not yet valid, begins in 1 day",
    }
    for at, words in said.items():
        assert words in run("inspect", "x.pem", "--at", at.isoformat(), cwd=tmp_path).out


def test_the_json_is_a_list_that_can_be_read_back(chain: pki.Issued, tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_bytes(chain.pem)
    short, long = (
        run("inspect", "x.pem", "--json", cwd=tmp_path),
        run("inspect", "x.pem", "--format", "json", cwd=tmp_path),
    )
    assert short == long
    leaf = json.loads(short.out)[0]
    assert leaf["dns_names"] == [HOST]
    assert leaf["key"] == {"kind": "EC", "bits": 256, "curve": "P-256", "judgement": {"grade": "good", "reason": ""}}
    assert leaf["link"]["edge"] == "signed"
    assert as_details(short.out)[0].defects == ()
