"""CRLs and OCSP responses of every kind, written octet by octet: cryptography's builders make none that are wrong.

One small authority, in time to NOW, with a leaf of it in hand. What is not said is as it should be.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from tlsinspect.der import dotted, encoded, integer

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

SEQUENCE, SET, OCTETS, BITS, TRUE = 0x30, 0x31, 0x04, 0x03, b"\x01\x01\xff"
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")
ECDSA_SHA1 = bytes.fromhex("300906072a8648ce3d0401")
RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
RSA_SHA1 = bytes.fromhex("300d06092a864886f70d0101050500")
RSA_MD5 = bytes.fromhex("300d06092a864886f70d0101040500")
ED25519 = bytes.fromhex("300506032b6570")
PSS_SHA256 = bytes.fromhex(
    "304106092a864886f70d01010a3034a00f300d06096086480165030402010500"
    "a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
)
UNKNOWN_OID = bytes.fromhex("06032a0304")  # 1.2.3.4


def oid(text: str) -> bytes:
    return encoded(6, _arcs(text))


def _arcs(text: str) -> bytes:
    first, second, *others = map(int, text.split("."))
    octets = b""
    for arc in (first * 40 + second, *others):
        groups = [arc >> 7 * i & 0x7F for i in range((max(arc.bit_length(), 1) + 6) // 7)][::-1]
        octets += bytes([g | 0x80 for g in groups[:-1]] + groups[-1:])
    assert dotted(octets) == text
    return octets


def utc(time: datetime) -> bytes:
    return encoded(0x17, f"{time:%y%m%d%H%M%SZ}".encode())


def general(time: datetime) -> bytes:
    return encoded(0x18, f"{time:%Y%m%d%H%M%SZ}".encode())


def extension(kind: str, value: bytes, critical: bool = False) -> bytes:
    return encoded(SEQUENCE, oid(kind), TRUE if critical else b"", encoded(OCTETS, value))


def of(value: x509.ExtensionType, critical: bool = False) -> bytes:
    return extension(value.oid.dotted_string, value.public_bytes(), critical)


STRANGE = extension("1.2.3.4", b"\x05\x00", critical=True)


# -- an authority ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Party:
    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def name(self) -> x509.Name:
        return self.certificate.subject


def named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def usage(**given: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: given.get(name, False) for name in names})


CA_USAGE = usage(digital_signature=True, key_cert_sign=True, crl_sign=True)


def party(
    subject: x509.Name,
    by: Party | None = None,
    *extensions: x509.ExtensionType,
    key: Key | None = None,
    serial: int | None = None,
    issuer: x509.Name | None = None,
    begin: datetime = NOW - 30 * DAY,
    end: datetime = NOW + 30 * DAY,
    critical: bool = False,
) -> Party:
    own = key or ec.generate_private_key(ec.SECP256R1())
    signer = by.key if by else own
    builder = x509.CertificateBuilder(
        issuer or (by.name if by else subject),
        subject,
        own.public_key(),
        serial or x509.random_serial_number(),
        begin,
        end,
    )
    for value in extensions:
        builder = builder.add_extension(value, critical or isinstance(value, x509.BasicConstraints))
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Party(builder.sign(signer, digest), own)


AUTHORITY = x509.BasicConstraints(ca=True, path_length=None)
SERIAL = 0x4A5B6C7D8E9FA0B1C2D3E4F5061728
CDP = "http://c.example/one.crl"


def at(*urls: str) -> x509.CRLDistributionPoints:
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
    )


@dataclass(frozen=True)
class Place:
    """A root, an authority under it, a stranger, and the leaf in question."""

    root: Party
    ca: Party
    stranger: Party
    namesake: Party  # the authority's name with another key
    leaf: Party


@cache
def place() -> Place:
    root = party(named("Root"), None, AUTHORITY, CA_USAGE)
    ca = party(named("Issuing CA"), root, AUTHORITY, CA_USAGE)
    return Place(
        root,
        ca,
        party(named("Stranger"), None, AUTHORITY, CA_USAGE),
        party(named("Issuing CA"), root, AUTHORITY, CA_USAGE),
        party(named("www.example"), ca, at(CDP), serial=SERIAL),
    )


def signature(key: Key, algorithm: bytes, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    digests: dict[bytes, hashes.HashAlgorithm] = {
        RSA_SHA1: hashes.SHA1(),
        ECDSA_SHA1: hashes.SHA1(),
        RSA_MD5: hashes.MD5(),
        ECDSA_SHA384: hashes.SHA384(),
    }
    digest = digests.get(algorithm, hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(digest))
    used = padding.PSS(padding.MGF1(digest), 32) if algorithm == PSS_SHA256 else padding.PKCS1v15()
    return key.sign(data, used, digest)


def algorithm_of(key: Key) -> bytes:
    kinds = ((ec.EllipticCurvePrivateKey, ECDSA_SHA256), (rsa.RSAPrivateKey, RSA_SHA256))
    return next((algorithm for kind, algorithm in kinds if isinstance(key, kind)), ED25519)


def signed(tbs: bytes, key: Key, algorithm: bytes, *rest: bytes) -> bytes:
    bits = encoded(BITS, b"\0", signature(key, algorithm, tbs))
    return encoded(SEQUENCE, tbs, algorithm, bits, *rest)


# -- CRLs ------------------------------------------------------------------------------------------------------------

NUMBER = of(x509.CRLNumber(7))


def entry(serial: int = SERIAL, date: bytes | datetime = NOW - 2 * DAY, *extensions: bytes) -> bytes:
    when = utc(date) if isinstance(date, datetime) else date
    return encoded(SEQUENCE, integer(serial), when, encoded(SEQUENCE, *extensions) if extensions else b"")


def because(reason: x509.ReasonFlags) -> bytes:
    return of(x509.CRLReason(reason))


def others(count: int = 5) -> list[bytes]:
    """Entries of other certificates."""
    return [entry(SERIAL + 1000 + i) for i in range(count)]


def crl(  # noqa: PLR0913 - one for each field
    *entries: bytes,
    by: Party | None = None,
    name: x509.Name | None = None,
    version: bytes = b"\x02\x01\x01",
    this: datetime | bytes = NOW - HOUR,
    until: datetime | bytes | None = NOW + 9 * DAY,
    extensions: Sequence[bytes] | None = None,
    also: Sequence[bytes] = (),
    algorithm: bytes | None = None,
    inner: bytes | None = None,
    listed: bytes | None = None,
    after: bytes = b"",
) -> bytes:
    signer = by or place().ca
    outer = algorithm or algorithm_of(signer.key)
    found = [NUMBER, *also] if extensions is None else list(extensions)
    tbs = encoded(
        SEQUENCE,
        version,
        inner or outer,
        (name or signer.name).public_bytes(),
        this if isinstance(this, bytes) else utc(this),
        b"" if until is None else until if isinstance(until, bytes) else utc(until),
        listed if listed is not None else encoded(SEQUENCE, *entries) if entries else b"",
        encoded(0xA0, encoded(SEQUENCE, *found)) if found else b"",
    )
    return signed(tbs, signer.key, outer) + after


def crl_of(*fields: bytes) -> bytes:
    """One of just these fields, after the version and the algorithm."""
    return signed(encoded(SEQUENCE, integer(1), ECDSA_SHA256, *fields), place().ca.key, ECDSA_SHA256)


def long_list() -> list[bytes]:
    """Entries of other certificates: more than are read one by one."""
    return [entry(1 << 158 | i) for i in range(8000)]


def printable(common_name: str) -> bytes:
    """A name whose text is a PrintableString; cryptography writes UTF8String."""
    attribute = encoded(SEQUENCE, oid("2.5.4.3"), encoded(0x13, common_name.encode()))
    return encoded(SEQUENCE, encoded(SET, attribute))


def kept_from(date: bytes | datetime, critical: bool = False) -> bytes:
    """ExpiredCertsOnCRL."""
    return extension("2.5.29.60", general(date) if isinstance(date, datetime) else date, critical)


def scope(
    full: Sequence[x509.GeneralName] | None = None,
    relative: x509.RelativeDistinguishedName | None = None,
    *,
    users: bool = False,
    cas: bool = False,
    reasons: frozenset[x509.ReasonFlags] | None = None,
    indirect: bool = False,
    attributes: bool = False,
    critical: bool = True,
) -> bytes:
    return of(x509.IssuingDistributionPoint(full, relative, users, cas, reasons, indirect, attributes), critical)


def url(text: str = CDP) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(text)]


def of_issuer(party_: Party) -> bytes:
    return of(x509.CertificateIssuer([x509.DirectoryName(party_.name)]), critical=True)


# -- OCSP ------------------------------------------------------------------------------------------------------------

_DIGESTS = {
    "sha1": "1.3.14.3.2.26",
    "sha224": "2.16.840.1.101.3.4.2.4",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "md5": "1.2.840.113549.2.5",
}
GOOD, UNKNOWN = b"\x80\x00", b"\x82\x00"
BASIC = "1.3.6.1.5.5.7.48.1.1"


def revoked(date: datetime = NOW - 2 * DAY, reason: int | None = None) -> bytes:
    return encoded(0xA1, general(date), b"" if reason is None else encoded(0xA0, encoded(0x0A, bytes([reason]))))


def key_octets(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert isinstance(key, ed25519.Ed25519PublicKey)
    return key.public_bytes_raw()


def cert_id(
    serial: int = SERIAL, issuer: Party | None = None, digest: str = "sha1", name: bytes | None = None, key: bytes = b""
) -> bytes:
    of_whom = issuer or place().ca
    null = b"\x05\x00"
    parts = (name or of_whom.name.public_bytes(), key or key_octets(of_whom.certificate))
    hashed = (encoded(OCTETS, hashlib.new(digest, part).digest()) for part in parts)
    return encoded(SEQUENCE, encoded(SEQUENCE, oid(_DIGESTS[digest]), null), *hashed, integer(serial))


def single(
    status: bytes = GOOD,
    *,
    id: bytes | None = None,
    this: datetime | bytes = NOW - HOUR,
    until: datetime | None = NOW + 6 * DAY,
    extensions: Sequence[bytes] = (),
) -> bytes:
    return encoded(
        SEQUENCE,
        id or cert_id(),
        status,
        this if isinstance(this, bytes) else general(this),
        encoded(0xA0, general(until)) if until else b"",
        encoded(0xA1, encoded(SEQUENCE, *extensions)) if extensions else b"",
    )


def by_key(party_: Party) -> bytes:
    return encoded(0xA2, encoded(OCTETS, hashlib.sha1(key_octets(party_.certificate)).digest()))


def by_name(party_: Party) -> bytes:
    return encoded(0xA1, party_.name.public_bytes())


def cutoff(date: bytes | datetime) -> bytes:
    """The archive cut-off of a single answer."""
    return extension("1.3.6.1.5.5.7.48.1.6", general(date) if isinstance(date, datetime) else date)


def answer(
    *singles: bytes,
    by: Party | None = None,
    responder: bytes | Callable[[Party], bytes] = by_key,
    produced: datetime = NOW - HOUR,
    extensions: Sequence[bytes] = (),
    certificates: Sequence[Party | bytes] = (),
    algorithm: bytes | None = None,
    version: bytes = b"",
    kind: str = BASIC,
    after: bytes = b"",
) -> bytes:
    signer = by or place().ca
    data = encoded(
        SEQUENCE,
        version,
        responder if isinstance(responder, bytes) else responder(signer),
        general(produced),
        encoded(SEQUENCE, *(singles or (single(),))),
        encoded(0xA1, encoded(SEQUENCE, *extensions)) if extensions else b"",
    )
    sent = (
        encoded(0xA0, encoded(SEQUENCE, *(c if isinstance(c, bytes) else c.der for c in certificates)))
        if certificates
        else b""
    )
    return successful(signed(data, signer.key, algorithm or algorithm_of(signer.key), sent), kind) + after


def successful(basic: bytes, kind: str = BASIC) -> bytes:
    body = encoded(SEQUENCE, oid(kind), encoded(OCTETS, basic))
    return encoded(SEQUENCE, encoded(0x0A, b"\0"), encoded(0xA0, body))


def refusal(status: int) -> bytes:
    return encoded(SEQUENCE, encoded(0x0A, bytes([status])))


def delegate(by: Party | None = None, *extensions: x509.ExtensionType, eku: bool = True, **options: object) -> Party:
    purposes = [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])] if eku else []
    return party(named("Responder"), by or place().ca, *purposes, *extensions, **options)  # type: ignore[arg-type]
