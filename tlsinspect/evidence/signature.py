"""Whether a key made a signature, by which algorithm, and from when such a signature proves nothing any more.

One place for certificates, which cryptography has read, for CRLs and OCSP responses, which are verified where they lie:
a list of fifty megabytes is not copied; and for whatever else was signed in a way that its format fixes.
"""

from datetime import UTC, datetime
from functools import lru_cache
from types import NoneType
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import SignatureAlgorithmOID

from tlsinspect import der
from tlsinspect.certificate import FIRST_MOMENT, LAST_MOMENT, REFUSALS, Certificate, quietly
from tlsinspect.der import Buffer, MalformedError

# Signatures without a hash of their own, by the key that makes them.
_WHOLE: dict[x509.ObjectIdentifier, Any] = {
    SignatureAlgorithmOID.ED25519: ed25519.Ed25519PublicKey,
    SignatureAlgorithmOID.ED448: ed448.Ed448PublicKey,
    x509.ObjectIdentifier("2.16.840.1.101.3.4.3.17"): mldsa.MLDSA44PublicKey,
    x509.ObjectIdentifier("2.16.840.1.101.3.4.3.18"): mldsa.MLDSA65PublicKey,
    x509.ObjectIdentifier("2.16.840.1.101.3.4.3.19"): mldsa.MLDSA87PublicKey,
}
VERIFIABLE: tuple[type, ...] = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, *_WHOLE.values())
# cryptography names no parameters for RSA with MD5, nor for ECDSA with SHA-1.
_PADDINGS, _ECDSA = (padding.PKCS1v15, padding.PSS, NoneType), (ec.ECDSA, NoneType)
# With these digests somebody can make two things that bear one signature.
_WEAK_FROM = {
    "md5": FIRST_MOMENT,
    # The CA/Browser Forum's Ballot 118 ended it for OCSP then; the first collision shown in public came in February:
    # https://shattered.io
    "sha1": datetime(2017, 1, 1, tzinfo=UTC),
}


class Algorithm(NamedTuple):
    oid: x509.ObjectIdentifier
    digest: hashes.HashAlgorithm | None
    parameters: object  # a padding, an ec.ECDSA, or None


RSA_SHA256 = Algorithm(SignatureAlgorithmOID.RSA_WITH_SHA256, hashes.SHA256(), padding.PKCS1v15())
ECDSA_SHA256 = Algorithm(SignatureAlgorithmOID.ECDSA_WITH_SHA256, hashes.SHA256(), ec.ECDSA(hashes.SHA256()))


def weak_from(used: Algorithm | None) -> datetime:
    """From when a signature by this algorithm proves nothing; one that nobody here can verify never did."""
    if used is None:
        return FIRST_MOMENT
    return _WEAK_FROM.get(used.digest.name, LAST_MOMENT) if used.digest else LAST_MOMENT


def algorithm_on(certificate: Certificate) -> Algorithm | None:
    """By what a certificate is signed; None where cryptography does not know it."""
    try:
        return _algorithm(certificate.handle) if certificate.handle else None
    except REFUSALS:
        return None


@lru_cache(maxsize=64)
def _algorithm_from(identifier: bytes) -> Algorithm | None:
    """An AlgorithmIdentifier as cryptography reads it in the smallest CRL there is; None where it does not know it."""
    date = der.encoded(der.UTC_TIME, b"000101000000Z")
    tbs = der.encoded(der.SEQUENCE, der.integer(1), identifier, der.encoded(der.SEQUENCE), date)
    smallest = der.encoded(der.SEQUENCE, tbs, identifier, der.encoded(der.BIT_STRING, b"\0"))
    try:
        return _algorithm(quietly(x509.load_der_x509_crl, smallest))
    except REFUSALS:
        return None


def _algorithm(read: x509.Certificate | x509.CertificateRevocationList) -> Algorithm:
    """Raises one of REFUSALS."""
    return Algorithm(read.signature_algorithm_oid, read.signature_hash_algorithm, read.signature_algorithm_parameters)


def signed(child: Certificate, parent: Certificate) -> bool:
    """Whether the key of `parent` made the signature on `child`. SHA-1 counts: the question is who, not how well."""
    used, below, above = algorithm_on(child), child.handle, parent.handle
    if used is None or below is None or above is None:
        return False
    try:
        _verify(above.public_key(), below.signature, below.tbs_certificate_bytes, used)
    except (InvalidSignature, *REFUSALS):
        return False
    return True


class SignedDer:
    """X.509's SIGNED{}: something, the algorithm, and the signature on it. Raises MalformedError.

    `rest` is what follows these three, which only an OCSP response may have.
    """

    def __init__(self, data: Buffer, begin: int = 0, end: int | None = None) -> None:
        whole = der.only(data, der.SEQUENCE, begin, end)
        parts = list(der.elements(data, whole.begin, whole.end, most=4))
        if [p.tag for p in parts[:3]] != [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING]:
            raise MalformedError("not something signed")
        self.data, (self.tbs, self._identifier, self._signature) = data, parts[:3]
        self.rest = parts[3:]
        if data[self._signature.begin : self._signature.begin + 1] != b"\0":
            raise MalformedError("a signature is made of whole octets")

    @property
    def algorithm_der(self) -> bytes:
        return self.data[self._identifier.start : self._identifier.end]

    @property
    def signature_der(self) -> bytes:
        return self.data[self._signature.start : self._signature.end]

    @property
    def algorithm(self) -> Algorithm | None:
        return _algorithm_from(self.algorithm_der)

    def made_by(self, spki: bytes) -> bool:
        """Whether the key in this SubjectPublicKeyInfo made the signature, however weak that is."""
        used = self.algorithm
        if used is None:
            return False
        signature = self.data[self._signature.begin + 1 : self._signature.end]  # behind the number of unused bits
        with memoryview(self.data) as view, view[self.tbs.start : self.tbs.end] as tbs:
            return made_by(spki, signature, tbs, used)


def made_by(spki: bytes, signature: bytes, over: bytes | memoryview, used: Algorithm) -> bool:
    """Whether the key in this SubjectPublicKeyInfo made the signature. A key that cannot be read made none."""
    try:
        _verify(_key(spki), signature, over, used)
    except (InvalidSignature, *REFUSALS):
        return False
    return True


@lru_cache(maxsize=512)
def _key(spki: bytes) -> object:
    """Raises one of REFUSALS."""
    return load_der_public_key(spki)


def _verify(key: Any, signature: bytes, over: Any, used: Algorithm) -> None:
    """Raises InvalidSignature, also where the key is not of the algorithm's kind, or one of REFUSALS. `over` may be a
    view, which cryptography takes, whatever its types say."""
    digest, parameters = used.digest, used.parameters
    match key:
        case rsa.RSAPublicKey() if digest and isinstance(parameters, _PADDINGS):
            key.verify(signature, over, parameters or padding.PKCS1v15(), digest)
        case ec.EllipticCurvePublicKey() if digest and isinstance(parameters, _ECDSA):
            key.verify(signature, over, ec.ECDSA(digest))
        case _ if isinstance(key, _WHOLE.get(used.oid, ())):
            key.verify(signature, over)
        case _:
            raise InvalidSignature
