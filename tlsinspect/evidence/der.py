"""DER without decoding it: where each element begins and ends, and who signed what.

Nothing is copied, so that a list of fifty megabytes can be read from a mapped file. Only what DER allows is read: one
length for each content, never indefinite, and nothing that reaches beyond what holds it (X.690 §10.1).
"""

from collections.abc import Iterator
from functools import lru_cache
from mmap import mmap
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import SignatureAlgorithmOID

from tlsinspect.certificate import REFUSALS, quietly

Buffer = bytes | mmap

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, ENUMERATED = 0x01, 0x02, 0x03, 0x04, 0x06, 0x0A
UTC_TIME, GENERALIZED_TIME, SEQUENCE = 0x17, 0x18, 0x30
MAX_ELEMENTS = 100_000  # of one sequence


class MalformedError(ValueError):
    """These bytes are not DER, or not of the form they should have."""


class Element(NamedTuple):
    """One element: `start` … `end` is the whole, `begin` … `end` the content."""

    tag: int
    start: int
    begin: int
    end: int


def element(data: Buffer, at: int, limit: int) -> Element:
    """The element at `at`, which ends at `limit` or before. Raises MalformedError."""
    if at + 2 > limit:
        raise MalformedError("an element is cut off")
    tag, length, begin = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise MalformedError("a tag number above 30 stands in nothing we read")
    if length >= 0x80:
        octets = length - 0x80
        length = int.from_bytes(data[begin : begin + octets]) if 1 <= octets <= 4 else 0
        begin += octets
        if length < 0x80 or length >> 8 * (octets - 1) == 0:
            raise MalformedError("a length that DER forbids")
    if begin + length > limit:
        raise MalformedError("an element is longer than what holds it")
    return Element(tag, at, begin, begin + length)


def elements(data: Buffer, begin: int, end: int, most: int = MAX_ELEMENTS) -> Iterator[Element]:
    """The elements that fill `begin` … `end` exactly. Raises MalformedError, also where there are more than `most`."""
    count = 0
    while begin < end:
        if count == most:
            raise MalformedError("too many elements")
        found = element(data, begin, end)
        yield found
        begin, count = found.end, count + 1


def only(data: Buffer, tag: int, begin: int = 0, end: int | None = None) -> Element:
    """The one element, of this tag, that fills `begin` … `end` exactly. Raises MalformedError."""
    limit = len(data) if end is None else end
    found = element(data, begin, limit)
    if found.tag != tag or found.end != limit:
        raise MalformedError("something else stands here, or something more")
    return found


def encoded(tag: int, *contents: bytes) -> bytes:
    """An element with these contents."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 + octets)) + length.to_bytes(octets) + content


def integer(value: int) -> bytes:
    """An INTEGER: DER has one form of each."""
    return encoded(INTEGER, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, signed=True))


class Extension(NamedTuple):
    oid: str  # dotted
    critical: bool
    value: bytes


def extensions(data: bytes, at: Element) -> tuple[Extension, ...]:
    """An Extensions (RFC 5280 §4.1), each kind at most once. Raises MalformedError."""
    found: dict[str, Extension] = {}
    for each in elements(data, at.begin, at.end):
        parts = list(elements(data, each.begin, each.end, most=3))
        critical = len(parts) == 3
        tags = [OID, BOOLEAN, OCTET_STRING] if critical else [OID, OCTET_STRING]
        # FALSE is the default, which DER leaves out.
        if [p.tag for p in parts] != tags or (critical and data[parts[1].begin : parts[1].end] != b"\xff"):
            raise MalformedError("not an extension")
        oid = dotted(data[parts[0].begin : parts[0].end])
        if oid in found:
            raise MalformedError("an extension stands twice")
        found[oid] = Extension(oid, critical, data[parts[-1].begin : parts[-1].end])
    return tuple(found.values())


def dotted(content: bytes) -> str:
    """The content of an OBJECT IDENTIFIER as people write it (X.690 §8.19). Raises MalformedError."""
    if not 0 < len(content) <= 64 or content[-1] >= 0x80:
        raise MalformedError("not an object identifier")
    arcs, arc = [], 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


# -- SIGNED{} --------------------------------------------------------------------------------------------------------

WEAK = ("sha1", "md5")
# Signatures without a hash of their own, by the key that makes them.
_WHOLE: dict[str, Any] = {
    SignatureAlgorithmOID.ED25519.dotted_string: ed25519.Ed25519PublicKey,
    SignatureAlgorithmOID.ED448.dotted_string: ed448.Ed448PublicKey,
    "2.16.840.1.101.3.4.3.17": mldsa.MLDSA44PublicKey,
    "2.16.840.1.101.3.4.3.18": mldsa.MLDSA65PublicKey,
    "2.16.840.1.101.3.4.3.19": mldsa.MLDSA87PublicKey,
}


class Algorithm(NamedTuple):
    oid: str
    digest: hashes.HashAlgorithm | None
    parameters: object  # a padding, an ec.ECDSA, or None

    @property
    def weak(self) -> bool:
        """Whether somebody could make two things with one signature: SHA-1, MD5."""
        return self.digest is not None and self.digest.name in WEAK


@lru_cache(maxsize=64)
def algorithm(der: bytes) -> Algorithm | None:
    """An AlgorithmIdentifier as cryptography reads it in the smallest CRL there is; None where it does not know it."""
    date = encoded(UTC_TIME, b"000101000000Z")
    tbs = encoded(SEQUENCE, integer(1), der, encoded(SEQUENCE), date)
    try:
        read = quietly(x509.load_der_x509_crl, encoded(SEQUENCE, tbs, der, encoded(BIT_STRING, b"\0")))
        oid = read.signature_algorithm_oid.dotted_string
        return Algorithm(oid, read.signature_hash_algorithm, read.signature_algorithm_parameters)
    except REFUSALS:
        return None


class Signed:
    """X.509's SIGNED{}: something, the algorithm, and the signature on it. Raises MalformedError.

    `rest` is what follows these three, which only an OCSP response may have.
    """

    def __init__(self, data: Buffer, begin: int = 0, end: int | None = None) -> None:
        whole = only(data, SEQUENCE, begin, end)
        parts = list(elements(data, whole.begin, whole.end, most=4))
        if [p.tag for p in parts[:3]] != [SEQUENCE, SEQUENCE, BIT_STRING]:
            raise MalformedError("not something signed")
        self.data, (self.tbs, *self._parts) = data, parts[:3]
        self.rest = parts[3:]
        if data[self._parts[1].begin : self._parts[1].begin + 1] != b"\0":
            raise MalformedError("a signature is made of whole octets")

    @property
    def algorithm_der(self) -> bytes:
        part = self._parts[0]
        return self.data[part.start : part.end]

    @property
    def signature_der(self) -> bytes:
        part = self._parts[1]
        return self.data[part.start : part.end]

    @property
    def algorithm(self) -> Algorithm | None:
        return algorithm(self.algorithm_der)

    def held_by(self, spki: bytes) -> bool:
        """Whether the key in this SubjectPublicKeyInfo made the signature. SHA-1 counts: see `Algorithm.weak`."""
        used = self.algorithm
        if used is None:
            return False
        part = self._parts[1]
        signature = self.data[part.begin + 1 : part.end]  # behind the number of unused bits
        try:
            with memoryview(self.data) as view, view[self.tbs.start : self.tbs.end] as tbs:
                return _verified(load_der_public_key(spki), signature, tbs, used)
        except (InvalidSignature, *REFUSALS):
            return False


def _verified(key: Any, signature: bytes, signed: Any, used: Algorithm) -> bool:
    """Raises InvalidSignature; False where the key is not of the algorithm's kind. `signed` is a view, which
    cryptography takes, whatever its types say."""
    digest, parameters = used.digest, used.parameters
    if isinstance(key, rsa.RSAPublicKey) and digest is not None:
        # cryptography names no parameters for RSA with MD5, nor for ECDSA with SHA-1.
        if not isinstance(parameters, padding.PKCS1v15 | padding.PSS | None):
            return False
        key.verify(signature, signed, parameters or padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey) and digest is not None:
        if not isinstance(parameters, ec.ECDSA | None):
            return False
        key.verify(signature, signed, ec.ECDSA(digest))
    elif isinstance(key, _WHOLE.get(used.oid, ())):
        key.verify(signature, signed)
    else:
        return False
    return True
