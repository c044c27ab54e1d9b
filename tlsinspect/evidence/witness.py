"""Second opinions on a path: OpenSSL's and certvalidator's. Each agrees, disagrees or abstains; none has a vote.

OpenSSL judges with its strict flags, certvalidator the one path already found, capped, fetching nothing: its own path
building takes factorial time on hostile chains. certvalidator was last released in 2016; where its library of
primitives no longer recognises the OpenSSL of this machine, the five functions it uses are supplied from cryptography.
"""

import importlib
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key
from cryptography.x509.oid import NameOID

from tlsinspect.certificate import REFUSALS, Certificate, extension
from tlsinspect.trust import Trust

MAX_CERTIFICATES = 8
_WEAK = {"md2", "md5", "sha1"}  # certvalidator's own default lets SHA-1 pass


@dataclass(frozen=True)
class Opinion:
    """What a witness says of a path: `answer` is agrees, disagrees or abstains."""

    witness: str
    answer: str
    reason: str


class Abstention(Exception):  # noqa: N818 - nothing is wrong
    """This witness cannot judge this path; the text says why."""


def opinions(
    path: tuple[Certificate, ...], presented: tuple[Certificate, ...], at: datetime, accepted: bool, trust: Trust
) -> tuple[Opinion, ...]:
    """Ask both about a chain at the time `at`.

    path: leaf … anchor where one was found, else (). presented: the chain as sent. accepted: our own answer.
    """
    anchors = path[-1:] or trust.google.certificates
    return (
        _compare("OpenSSL", accepted, lambda: ask_openssl(presented, anchors, at)),
        _compare("certvalidator", accepted, lambda: ask_certvalidator(path, at)),
    )


def _compare(witness: str, accepted: bool, ask: Callable[[], str | None]) -> Opinion:
    try:
        refusal = ask()
    except Abstention as why:
        return Opinion(witness, "abstains", str(why))
    agrees = (refusal is None) == accepted
    return Opinion(witness, "agrees" if agrees else "disagrees", refusal or "accepts the path")


def ask_openssl(chain: tuple[Certificate, ...], anchors: tuple[Certificate, ...], at: datetime) -> str | None:
    """None where X509StoreContext accepts the chain, else its code, depth and text. Raises Abstention."""
    from OpenSSL import crypto

    if not chain or chain[0].handle is None:
        raise Abstention("it cannot read the leaf")
    try:
        roots, certificates = (
            [crypto.X509.from_cryptography(c.handle) for c in some if c.handle is not None]
            for some in (anchors, chain[:MAX_CERTIFICATES])
        )
    except crypto.Error:  # it reads what cryptography leaves for later
        raise Abstention("it cannot read one of the certificates") from None
    store = crypto.X509Store()
    for root in roots:
        store.add_cert(root)
    store.set_flags(crypto.X509StoreFlags.X509_STRICT | crypto.X509StoreFlags.PARTIAL_CHAIN)
    store.set_time(at.astimezone(UTC))  # it reads the wall clock of the datetime, whatever its zone
    try:
        crypto.X509StoreContext(store, certificates[0], certificates[1:]).verify_certificate()
    except crypto.X509StoreContextError as refusal:
        code, depth, text = refusal.errors
        return f"error {code} at depth {depth}: {text}"
    return None


def ask_certvalidator(path: tuple[Certificate, ...], at: datetime) -> str | None:
    """None where certvalidator accepts the path, else why not. Raises Abstention."""
    if not path:
        raise Abstention("there is no path to judge")
    if not 2 <= len(path) <= MAX_CERTIFICATES:
        raise Abstention(f"a path of {len(path)} certificates is not asked about")
    if any(_constrained(c) for c in path):
        raise Abstention("it does not know name constraints")
    if not _self_test():
        raise Abstention("it fails its self-test here")
    return _certvalidator(path, at)


def _constrained(certificate: Certificate) -> bool:
    if certificate.handle is None:
        return True
    try:
        return extension(certificate.handle, x509.NameConstraints) is not None
    except REFUSALS:
        return True


def _certvalidator(path: tuple[Certificate, ...], at: datetime) -> str | None:
    modules = _load()
    try:
        leaf, *issuers = [modules.parse(c.der) for c in path]
        given = modules.ValidationPath(leaf)
        for issuer in issuers:
            given.prepend(issuer)
        # soft-fail with no revocation data asks for none: revocation is judged elsewhere.
        context = modules.ValidationContext(
            trust_roots=issuers[-1:],
            other_certs=issuers[:-1],
            moment=at,
            allow_fetching=False,
            revocation_mode="soft-fail",
            weak_hash_algos=_WEAK,
        )
        modules.validate_path(context, given)
    except modules.PathValidationError as refusal:
        return " ".join(str(refusal).split())
    except Exception as surprise:  # noqa: BLE001 - asn1crypto and certvalidator document none of what they raise
        raise Abstention(f"{type(surprise).__name__}: {surprise}") from None
    return None


@cache
def _self_test() -> bool:
    """Whether it accepts a good path and refuses a tampered one."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    good = _small_path(now)
    leaf = bytearray(good[0].der)
    leaf[-1] ^= 1  # the last byte of the signature
    tampered = (Certificate(bytes(leaf)), *good[1:])
    try:
        return _certvalidator(good, now) is None and _certvalidator(tampered, now) is not None
    except Abstention:
        return False


def _small_path(now: datetime) -> tuple[Certificate, ...]:
    """A leaf and its root, made on the spot."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"self-test {i}")]) for i in range(2)]
    made = []
    for subject in (0, 1):
        builder = x509.CertificateBuilder(
            names[1], names[subject], keys[subject].public_key(), 1 + subject, now - timedelta(1), now + timedelta(1)
        )
        builder = builder.add_extension(x509.BasicConstraints(subject == 1, None), critical=True)
        made.append(Certificate(builder.sign(keys[1], hashes.SHA256()).public_bytes(Encoding.DER)))
    return tuple(made)


@cache
def _load() -> types.SimpleNamespace:
    """certvalidator, imported as it is or with its primitives supplied."""
    try:
        importlib.import_module("certvalidator")
    except Exception:  # noqa: BLE001 - oscrypto raises its own error, kept in a module that may not import either
        for name in [n for n in sys.modules if n.partition(".")[0] in ("certvalidator", "oscrypto")]:
            del sys.modules[name]
        _supply_primitives()
    asn1 = importlib.import_module("asn1crypto.x509")
    return types.SimpleNamespace(
        parse=asn1.Certificate.load,
        ValidationContext=importlib.import_module("certvalidator.context").ValidationContext,
        ValidationPath=importlib.import_module("certvalidator.path").ValidationPath,
        PathValidationError=importlib.import_module("certvalidator.errors").PathValidationError,
        validate_path=importlib.import_module("certvalidator.validate").validate_path,
    )


def _supply_primitives() -> None:
    """Stand in for oscrypto.asymmetric, whose detection of libcrypto knows no version like 3.0.19."""
    oscrypto = importlib.import_module("oscrypto")
    errors = importlib.import_module("oscrypto.errors")
    supplied: Any = types.ModuleType("oscrypto.asymmetric")

    def checked(verify: Any) -> Any:
        def call(key: Any, signature: bytes, data: bytes, hash_name: str) -> None:
            try:
                verify(key, signature, data, getattr(hashes, hash_name.upper())())
            except (InvalidSignature, UnsupportedAlgorithm, TypeError, AttributeError) as refusal:
                raise errors.SignatureError(str(refusal)) from None

        return call

    supplied.load_public_key = lambda key: load_der_public_key(key.dump())
    supplied.load_certificate = lambda certificate: load_der_public_key(certificate.public_key.dump())
    supplied.rsa_pkcs1v15_verify = checked(_verify_rsa)
    supplied.ecdsa_verify = checked(_verify_ecdsa)
    supplied.dsa_verify = checked(lambda key, signature, data, digest: key.verify(signature, data, digest))
    sys.modules["oscrypto.asymmetric"] = oscrypto.asymmetric = supplied  # type: ignore[attr-defined]


def _verify_rsa(key: rsa.RSAPublicKey, signature: bytes, data: bytes, digest: hashes.HashAlgorithm) -> None:
    key.verify(signature, data, PKCS1v15(), digest)


def _verify_ecdsa(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes, digest: hashes.HashAlgorithm) -> None:
    key.verify(signature, data, ec.ECDSA(digest))
