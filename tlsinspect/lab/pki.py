"""Authorities that look like Google's, authorities that look like interceptors', and what they issue.

Four layers, each usable alone:

* :func:`new_key` and :class:`Authority` issue anything, well made or not; every deviation is an argument of
  :meth:`Authority.issue`.
* :class:`LeafStyle` holds the habits of one issuer: extensions, lifetime, kind of key, subject.
* :class:`Log` and :class:`TimeService` sign what Google's counterparts sign: timestamps of certificates, and the time.
* :func:`google_like`, :func:`fiddler`, :func:`zscaler`, :func:`plain_corporate`, :func:`impersonator` and
  :func:`cases` put them together into the shapes that a client of Google meets.

The time is an argument (``now``), never read.  Keys stay in memory unless :meth:`Issued.write` is called.  The
Google-like authorities are limited to a list of names and to loopback addresses, and live for days: a copy of one that
ends up in somebody's trust store does little harm, and not for long.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, ExtensionOID, NameOID

__all__ = [
    "GOOGLE_STYLE",
    "ORDINARY_STYLE",
    "PERMITTED",
    "Authority",
    "Extensions",
    "GoogleLike",
    "Issued",
    "KeyKind",
    "LeafStyle",
    "Log",
    "PrivateKey",
    "TimeService",
    "Wish",
    "cases",
    "fiddler",
    "forged",
    "google_like",
    "impersonator",
    "name",
    "nameless",
    "new_key",
    "plain_corporate",
    "poisoned",
    "resigned",
    "sct_list",
    "self_signed",
    "weak",
    "zscaler",
]

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
KeyKind: TypeAlias = Literal["p256", "p384", "rsa1024", "rsa2048"]
Extensions: TypeAlias = Sequence[tuple[x509.ExtensionType, bool]]
"""Extensions in the order in which they are written, each with its critical bit."""

PERMITTED: tuple[str, ...] = (
    "google.com",
    "googleapis.com",
    "googleusercontent.com",
    "googlemail.com",
    "gmail.com",
    "gstatic.com",
    "gvt1.com",
    "youtube.com",
    "google",
    "goog",
    "pki.goog",
    "test",
)
"""DNS names (with everything below them) that a Google-like authority may sign for; ``test`` is reserved, RFC 6761."""

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_YEAR = timedelta(days=365)

_SHA1_WITH_RSA = bytes.fromhex("300d06092a864886f70d0101050500")
_SHA1_WITH_ECDSA = bytes.fromhex("300906072a8648ce3d0401")
_SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
_SHA256_WITH_ECDSA = bytes.fromhex("300a06082a8648ce3d040302")


# --- keys and names -------------------------------------------------------------------------------------------------


def new_key(kind: KeyKind = "p256") -> PrivateKey:
    """A fresh private key.  ``rsa1024`` is meant to be refused."""
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "p384":
        return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=1024 if kind == "rsa1024" else 2048)


@cache
def _standing_key(role: str) -> PrivateKey:  # noqa: ARG001 - the key of the cache
    """One RSA-2048 key for each role and run: an RSA key costs far more than a P-256 key.

    Only for interceptors, where calling twice means meeting the same installation twice.
    """
    return new_key("rsa2048")


def name(*parts: tuple[x509.ObjectIdentifier, str], bmp: Collection[x509.ObjectIdentifier] = ()) -> x509.Name:
    """A distinguished name in the given order; attributes in *bmp* are written as BMPString instead of UTF8String."""
    # cryptography chooses the string type itself and offers no public way to ask for another one.
    types = dict.fromkeys(bmp, _ASN1Type.BMPString)
    return x509.Name([x509.NameAttribute(oid, value, _type=types.get(oid)) for oid, value in parts])


def _google_name(common_name: str) -> x509.Name:
    return name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Google Trust Services"),
        (NameOID.COMMON_NAME, common_name),
    )


def _common_name(of: x509.Name) -> str:
    found = of.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _key_id(key: PrivateKey) -> bytes:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest


# --- signing --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Request:
    """Everything a certificate says, before it is signed."""

    subject: x509.Name
    issuer: x509.Name
    key: PrivateKey
    not_before: datetime
    not_after: datetime
    extensions: Extensions
    serial: int | None = None


def _signed(request: _Request, signer: PrivateKey, *, sha1: bool = False) -> x509.Certificate:
    serial = _random_serial() if request.serial is None else request.serial
    builder = x509.CertificateBuilder(
        issuer_name=request.issuer,
        subject_name=request.subject,
        public_key=request.key.public_key(),
        serial_number=serial,
        not_valid_before=request.not_before.replace(microsecond=0),
        not_valid_after=request.not_after.replace(microsecond=0),
    )
    for value, critical in request.extensions:
        builder = builder.add_extension(value, critical)
    certificate = builder.sign(signer, _hash_for(signer))
    return resigned(certificate, signer, sha1=True) if sha1 else certificate


def _random_serial() -> int:
    """Sixteen octets like Google's; the first one is never zero and never makes the number negative."""
    return secrets.randbits(126) | 1 << 126


def _hash_for(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    strong = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size == 384
    return hashes.SHA384() if strong else hashes.SHA256()


def resigned(
    certificate: x509.Certificate,
    signer: PrivateKey,
    *,
    replacing: tuple[bytes, bytes] | None = None,
    sha1: bool = False,
) -> x509.Certificate:
    """The certificate signed again, with SHA-1 or with some of its signed bytes replaced.

    cryptography's builder makes neither weak nor malformed certificates.  *replacing* is a pair of byte strings of the
    same length, so that no length octet has to change; the old one must occur exactly once.  A change after which
    cryptography cannot load the certificate any more raises ``ValueError``.
    """
    signed = certificate.tbs_certificate_bytes
    if replacing is not None:
        signed = _replaced(signed, *replacing)
    if not sha1:
        algorithm = _elements(certificate.public_bytes(serialization.Encoding.DER))[1]
        return _assembled(signed, algorithm, _signature(signer, signed, _hash_for(signer)))
    algorithm = _SHA1_WITH_RSA if isinstance(signer, rsa.RSAPrivateKey) else _SHA1_WITH_ECDSA
    parts = _elements(signed)
    parts[2] = algorithm  # version, serial number, signature algorithm, …
    signed = _der(0x30, b"".join(parts))
    return _assembled(signed, algorithm, _signature(signer, signed, hashes.SHA1()))


def forged(genuine: x509.Certificate, key: PrivateKey, signer: PrivateKey) -> x509.Certificate:
    """Everything a certificate says, octet by octet, said of another key and signed by another one: its names, serial
    number and dates, and extensions that only its issuer or a log can have made."""
    parts = _elements(genuine.tbs_certificate_bytes)
    algorithm = _SHA256_WITH_RSA if isinstance(signer, rsa.RSAPrivateKey) else _SHA256_WITH_ECDSA
    # Version, serial number, signature algorithm, issuer, validity, subject, key, …
    parts[2], parts[6] = algorithm, _spki(key)
    signed = _der(0x30, b"".join(parts))
    return _assembled(signed, algorithm, _signature(signer, signed, hashes.SHA256()))


def _replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    if len(old) != len(new) or data.count(old) != 1:
        raise ValueError("the bytes to replace must occur once and keep their length")
    return data.replace(old, new)


def _signature(signer: PrivateKey, data: bytes, digest: hashes.HashAlgorithm) -> bytes:
    if isinstance(signer, rsa.RSAPrivateKey):
        return signer.sign(data, padding.PKCS1v15(), digest)
    return signer.sign(data, ec.ECDSA(digest))


def _assembled(signed: bytes, algorithm: bytes, signature: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(_der(0x30, signed + algorithm + _der(0x03, b"\x00" + signature)))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _elements(sequence: bytes) -> list[bytes]:
    """The elements of a DER sequence made by ourselves, each with its own tag and length."""
    start, end = _content(sequence, 0)
    found = []
    while start < end:
        after = _content(sequence, start)[1]
        found.append(sequence[start:after])
        start = after
    return found


def _content(data: bytes, at: int) -> tuple[int, int]:
    first = data[at + 1]
    if first < 0x80:
        return at + 2, at + 2 + first
    begin = at + 2 + (first & 0x7F)
    return begin, begin + int.from_bytes(data[at + 2 : begin], "big")


# --- what is issued -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Issued:
    """A leaf, its key, and the certificates a server would present with it."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...]
    """As presented: leaf first, the root last if it is sent at all (by default it is not)."""

    @property
    def ders(self) -> tuple[bytes, ...]:
        """The presented chain, DER, leaf first."""
        return tuple(certificate.public_bytes(serialization.Encoding.DER) for certificate in self.chain)

    @property
    def pem(self) -> bytes:
        """The presented chain, PEM, leaf first."""
        return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in self.chain)

    def alone(self) -> Issued:
        """The same leaf presented without any other certificate."""
        return replace(self, chain=(self.certificate,))

    def followed_by(self, *others: x509.Certificate) -> Issued:
        """The same leaf with other certificates behind it, whoever they belong to."""
        return replace(self, chain=(self.certificate, *others))

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Write ``stem.pem`` (the chain) and ``stem.key`` (PKCS 8, not encrypted), both readable by the owner only.

        *folder* should be a temporary one: this is the only place where a key leaves memory.
        """
        secret = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain_file, key_file = folder / f"{stem}.pem", folder / f"{stem}.key"
        _write_private(chain_file, self.pem)
        _write_private(key_file, secret)
        return chain_file, key_file


def _write_private(path: Path, data: bytes) -> None:
    # Removed first: the mode given to open() counts for a new file only.
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


@dataclass(frozen=True)
class Wish:
    """What a style needs to know to choose the extensions of a leaf."""

    names: tuple[str, ...]
    subject: x509.Name
    key: PrivateKey
    issuer: x509.Name
    issuer_key_id: bytes


@dataclass(frozen=True)
class LeafStyle:
    """The habits of one issuer; each of them can be overruled leaf by leaf."""

    extensions: Callable[[Wish], Extensions]
    subject: Callable[[str], x509.Name]
    """From the first name of the leaf."""
    key: KeyKind
    backdated: timedelta
    """How long before ``now`` a leaf starts to be valid."""
    lifetime: timedelta
    shared_key: str | None = None
    """Role of the one RSA key under all leaves (39 of 52 interceptors measured do that); ``None``: a key a leaf."""


def _subject_is_cn(host: str) -> x509.Name:
    return name((NameOID.COMMON_NAME, host))


def _key_usage(*uses: str) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{use: use in uses for use in every})


def _alternative_names(wish: Wish) -> list[tuple[x509.ExtensionType, bool]]:
    if not wish.names:
        return []
    # RFC 5280, 4.2.1.6: critical where the subject is empty.
    return [(x509.SubjectAlternativeName(map(_general_name, wish.names)), not list(wish.subject))]


def _authority_key_id(digest: bytes) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier(digest, None, None)


_SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
_DOMAIN_VALIDATED = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)])


def _google_extensions(wish: Wish) -> Extensions:
    """Content and order of Google's current leaves, without the SCT list, which :meth:`Authority.issue` adds last."""
    shard = _common_name(wish.issuer).lower()
    return [
        (_key_usage("digital_signature"), True),
        (_SERVER, False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectKeyIdentifier(_key_id(wish.key)), False),
        (_authority_key_id(wish.issuer_key_id), False),
        (_access(ocsp_at=f"http://o.pki.goog/{shard}", issuer_at=f"http://i.pki.goog/{shard}.crt"), False),
        *_alternative_names(wish),
        (_DOMAIN_VALIDATED, False),
        (_crl_at(f"http://c.pki.goog/{shard}/lab.crl"), False),
    ]


def _access(*, ocsp_at: str | None = None, issuer_at: str) -> x509.AuthorityInformationAccess:
    methods = [(AuthorityInformationAccessOID.OCSP, ocsp_at), (AuthorityInformationAccessOID.CA_ISSUERS, issuer_at)]
    return x509.AuthorityInformationAccess(
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for method, url in methods if url
    )


def _crl_at(url: str) -> x509.CRLDistributionPoints:
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return x509.CRLDistributionPoints([point])


def _fiddler_extensions(wish: Wish) -> Extensions:
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_SERVER, False),
        *_alternative_names(wish),
        (_authority_key_id(wish.issuer_key_id), False),
        (x509.SubjectKeyIdentifier(_key_id(wish.key)), False),
    ]


def _ordinary_extensions(wish: Wish) -> Extensions:
    return [
        (_key_usage("digital_signature", "key_encipherment"), True),
        (_SERVER, False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectKeyIdentifier(_key_id(wish.key)), False),
        (_authority_key_id(wish.issuer_key_id), False),
        *_alternative_names(wish),
    ]


GOOGLE_STYLE = LeafStyle(_google_extensions, _subject_is_cn, "p256", timedelta(days=10), timedelta(days=84))
ORDINARY_STYLE = LeafStyle(_ordinary_extensions, _subject_is_cn, "p256", timedelta(days=1), timedelta(days=365))


# --- logs and the time ----------------------------------------------------------------------------------------------


def _p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _spki(holder: PrivateKey | x509.Certificate) -> bytes:
    public = holder.public_key()
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _milliseconds(time: datetime) -> int:
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@dataclass(frozen=True, eq=False)
class Log:
    """A Certificate Transparency log with a key of its own: it signs, and keeps nothing."""

    description: str
    operator: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=_p256, repr=False)

    @property
    def spki(self) -> bytes:
        """The public key, DER."""
        return _spki(self.key)

    @property
    def id(self) -> bytes:
        """What stands for the log in a timestamp: the SHA-256 of its key."""
        return hashlib.sha256(self.spki).digest()

    def sct(
        self, certificate: bytes, issuer: x509.Certificate | None, time: datetime, *, extensions: bytes = b""
    ) -> bytes:
        """A SignedCertificateTimestamp (RFC 6962, 3.2), as it stands in a list.

        With an *issuer* it is one to embed, and *certificate* is the TBSCertificate that does not carry it yet.  With
        ``None``, *certificate* is the leaf itself, and the timestamp is for an OCSP answer.  Logs with the Static CT
        API write *extensions*.
        """
        length = len(certificate).to_bytes(3, "big")
        entry = b"\0\0" if issuer is None else b"\0\1" + hashlib.sha256(_spki(issuer)).digest()
        moment, more = _milliseconds(time).to_bytes(8, "big"), _vector(extensions)
        signed = b"\0\0" + moment + entry + length + certificate + more
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return b"\0" + self.id + moment + more + b"\4\3" + _vector(signature)


def sct_list(scts: Iterable[bytes]) -> bytes:
    """A SignedCertificateTimestampList (RFC 6962, 3.3)."""
    return _vector(b"".join(map(_vector, scts)))


def _vector(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


@dataclass(frozen=True, eq=False)
class TimeService:
    """Google's signed time service with a key of nobody's: see :mod:`tlsinspect.evidence.timeservice`."""

    version: int = 8
    key: ec.EllipticCurvePrivateKey = field(default_factory=_p256, repr=False)

    @property
    def spki(self) -> bytes:
        """The public key, DER."""
        return _spki(self.key)

    def answer(self, query: str, now: datetime) -> tuple[bytes, str]:
        """The body of the answer to a query string, and its header ``x-cup-server-proof``.

        Raises ``ValueError`` for what is no question to this key.
        """
        fields = parse_qs(query, strict_parsing=True)
        (asked,), (request,) = fields.get("cup2key", [""]), fields.get("cup2hreq", [""])
        if not asked.startswith(f"{self.version}:") or request != hashlib.sha256(b"").hexdigest():
            raise ValueError(f"not a question to key {self.version}")
        said = {"current_time_millis": _milliseconds(now), "server_nonce": secrets.randbits(64) / 7}
        body = b")]}'\n" + json.dumps(said, separators=(",", ":")).encode()
        signed = bytes.fromhex(request) + hashlib.sha256(body).digest() + asked.encode()
        signature = self.key.sign(hashlib.sha256(signed).digest(), ec.ECDSA(hashes.SHA256()))
        return body, f"{signature.hex()}:{request}"


# --- authorities ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Authority:
    """A certificate authority with its key; make one with :meth:`root`, or :meth:`subordinate` below another."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    issuer: Authority | None
    now: datetime
    style: LeafStyle = field(repr=False)
    key_id: bytes = field(repr=False)
    """What it says its key identifier is; may be a lie."""

    @classmethod
    def root(
        cls,
        subject: x509.Name,
        now: datetime,
        *,
        key: KeyKind | PrivateKey = "p256",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        style: LeafStyle = ORDINARY_STYLE,
        permitted: Collection[str] = (),
        key_id: bytes | None = None,
        sha1: bool = False,
    ) -> Authority:
        """A self-signed authority, by default valid from a year before *now* to nine years after it."""
        own = _as_key(key)
        digest = key_id or _key_id(own)
        extensions = _authority_extensions(digest, None, permitted, None)
        begin, end = not_before or now - _YEAR, not_after or now + 9 * _YEAR
        certificate = _signed(_Request(subject, subject, own, begin, end, extensions), own, sha1=sha1)
        return cls(certificate, own, None, now, style, digest)

    def subordinate(
        self,
        subject: x509.Name,
        *,
        key: KeyKind | PrivateKey = "p256",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        style: LeafStyle | None = None,
        permitted: Collection[str] = (),
        path_length: int | None = 0,
        add: Extensions = (),
        key_id: bytes | None = None,
        sha1: bool = False,
    ) -> Authority:
        """An authority signed by this one, by default with the same validity and habits."""
        own = _as_key(key)
        digest = key_id or _key_id(own)
        extensions = [*_authority_extensions(digest, self.key_id, permitted, path_length), *add]
        request = _Request(
            subject,
            self.certificate.subject,
            own,
            not_before or self.certificate.not_valid_before_utc,
            not_after or self.certificate.not_valid_after_utc,
            extensions,
        )
        certificate = _signed(request, self.key, sha1=sha1)
        return Authority(certificate, own, self, self.now, style or self.style, digest)

    @property
    def anchor(self) -> Authority:
        """The root above this authority, or itself."""
        return self if self.issuer is None else self.issuer.anchor

    @property
    def pem(self) -> bytes:
        """This authority's certificate, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def path(self, *, root: bool = False) -> tuple[x509.Certificate, ...]:
        """The certificates a server sends behind a leaf of this authority, upwards; with its *root* only if asked."""
        if self.issuer is None:
            return (self.certificate,) if root else ()
        return (self.certificate, *self.issuer.path(root=root))

    def issue(  # noqa: PLR0913 - each argument is one way to deviate
        self,
        names: Sequence[str],
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        key: KeyKind | PrivateKey | None = None,
        subject: x509.Name | None = None,
        extensions: Extensions | None = None,
        drop: Collection[x509.ObjectIdentifier] = (),
        add: Extensions = (),
        serial: int | None = None,
        send_root: bool = False,
        issuer_name: x509.Name | None = None,
        issuer_key_id: bytes | None = None,
        sha1: bool = False,
        logs: Sequence[Log] = (),
        sct_time: datetime | None = None,
    ) -> Issued:
        """A leaf for *names* (DNS names and addresses, told apart by their look).

        Without *names* it has neither a subject nor alternative names.  *not_before* and *not_after* default to the
        style's habit; given one of them, the other keeps the style's lifetime.  *extensions* replaces the style's
        list, *drop* takes away by OID, *add* appends; the three apply in this order.  *issuer_name* and
        *issuer_key_id* let the leaf lie about who signed it: the signature is still this authority's.  It carries a
        timestamp of each of the *logs*, made at *sct_time* or when it starts to be valid.
        """
        own = self._leaf_key() if key is None else _as_key(key)
        named = subject if subject is not None else self.style.subject(names[0]) if names else x509.Name([])
        issuer = issuer_name or self.certificate.subject
        wish = Wish(tuple(names), named, own, issuer, issuer_key_id or self.key_id)
        chosen = self.style.extensions(wish) if extensions is None else extensions
        kept = [(value, critical) for value, critical in chosen if value.oid not in drop]
        begin, end = self._validity(not_before, not_after)
        request = _Request(named, issuer, own, begin, end, [*kept, *add], serial)
        if logs:
            request = self._logged(request, logs, sct_time or begin, sha1=sha1)
        certificate = _signed(request, self.key, sha1=sha1)
        return Issued(certificate, own, (certificate, *self.path(root=send_root)))

    def _logged(self, request: _Request, logs: Iterable[Log], time: datetime, *, sha1: bool) -> _Request:
        """The same certificate with timestamps, which are made over what it says without them (RFC 6962, 3.3)."""
        fixed = replace(request, serial=_random_serial() if request.serial is None else request.serial)
        bare = _signed(fixed, self.key, sha1=sha1).tbs_certificate_bytes
        listed = sct_list(log.sct(bare, self.certificate, time) for log in logs)
        extension = x509.UnrecognizedExtension(ExtensionOID.PRECERT_SIGNED_CERTIFICATE_TIMESTAMPS, _der(0x04, listed))
        return replace(fixed, extensions=[*fixed.extensions, (extension, False)])

    def _leaf_key(self) -> PrivateKey:
        return new_key(self.style.key) if self.style.shared_key is None else _standing_key(self.style.shared_key)

    def _validity(self, begin: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
        if begin is None:
            begin = self.now - self.style.backdated if end is None else end - self.style.lifetime
        return begin, end or begin + self.style.lifetime

    def crl(
        self,
        revoked: Mapping[int, datetime] | Iterable[int] = (),
        *,
        this_update: datetime | None = None,
        next_update: datetime | None = None,
        number: int = 1,
    ) -> bytes:
        """A DER certificate revocation list of serial numbers, with the dates of revocation where they are given.

        By default issued an hour before ``now`` and good for ten days, like Google's.
        """
        issued = this_update or self.now - timedelta(hours=1)
        dates = revoked if isinstance(revoked, Mapping) else dict.fromkeys(revoked, issued)
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.certificate.subject,
            last_update=issued.replace(microsecond=0),
            next_update=(next_update or issued + timedelta(days=10)).replace(microsecond=0),
        )
        builder = builder.add_extension(_authority_key_id(self.key_id), False)
        builder = builder.add_extension(x509.CRLNumber(number), False)
        for serial, date in dates.items():
            entry = x509.RevokedCertificateBuilder(serial, date.replace(microsecond=0))
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, _hash_for(self.key)).public_bytes(serialization.Encoding.DER)

    def ocsp_answer(
        self,
        certificate: x509.Certificate,
        status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
        *,
        this_update: datetime | None = None,
        next_update: datetime | None = None,
        revoked_at: datetime | None = None,
    ) -> bytes:
        """A DER OCSP response about one certificate, signed by this authority itself.

        ``producedAt`` is the real time at which it is made: cryptography offers no way to choose it.
        """
        issued = this_update or self.now - timedelta(hours=1)
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=certificate,
            issuer=self.certificate,
            algorithm=hashes.SHA1(),  # of the certificate identifier, as RFC 5019 has it; not of the signature
            cert_status=status,
            this_update=issued.replace(microsecond=0),
            next_update=(next_update or issued + timedelta(days=7)).replace(microsecond=0),
            revocation_time=(revoked_at or issued).replace(microsecond=0) if revoked else None,
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.certificate)
        return builder.sign(self.key, _hash_for(self.key)).public_bytes(serialization.Encoding.DER)


def _as_key(key: KeyKind | PrivateKey) -> PrivateKey:
    return new_key(key) if isinstance(key, str) else key


def _authority_extensions(
    own_id: bytes, issuer_id: bytes | None, permitted: Collection[str], path_length: int | None
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = [
        (_key_usage("digital_signature", "key_cert_sign", "crl_sign"), True),
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (x509.SubjectKeyIdentifier(own_id), False),
    ]
    if issuer_id is not None:
        found.append((_authority_key_id(issuer_id), False))
    if permitted:
        found.append((_constraints(permitted), True))
    return found


def _constraints(permitted: Collection[str]) -> x509.NameConstraints:
    # Without the address ranges every address would be permitted: a constraint binds only names of its own type.
    allowed = [*(x509.DNSName(domain) for domain in permitted), *(x509.IPAddress(net) for net in _LOOPBACK)]
    return x509.NameConstraints(permitted_subtrees=allowed, excluded_subtrees=None)


# --- shaped like Google ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GoogleLike:
    """Two roots and an intermediate under each, with Google's names and keys of nobody's."""

    r1: Authority
    """``GTS Root R1``, RSA."""
    r4: Authority
    """``GTS Root R4``, P-384."""
    wr2: Authority
    """RSA-2048, under R1."""
    we2: Authority
    """P-256, under R4."""

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        """Both roots: the content of a store under which everything here verifies."""
        return self.r1.certificate, self.r4.certificate

    @property
    def roots_pem(self) -> bytes:
        """Both roots as a PEM bundle, to stand in for Google's roots."""
        return self.r1.pem + self.r4.pem


def google_like(
    now: datetime,
    *,
    permitted: Collection[str] = PERMITTED,
    days: int = 14,
    backdated: timedelta = timedelta(days=30),
) -> GoogleLike:
    """Authorities like Google's, with fresh keys, valid from *backdated* before *now* to *days* after it.

    Leaves start ten days before *now* and last 84 days; they may outlive the authorities, whose end is what counts.
    For a leaf that expired long ago give a *backdated* that reaches before its time.
    """
    begin, end = now - backdated, now + timedelta(days=days)

    def root(common_name: str, key: KeyKind) -> Authority:
        return Authority.root(
            _google_name(common_name),
            now,
            key=key,
            not_before=begin,
            not_after=end,
            style=GOOGLE_STYLE,
            permitted=permitted,
        )

    def below(issuer: Authority, common_name: str, key: KeyKind, shard: str) -> Authority:
        add: Extensions = [
            (_SERVER, False),
            (_access(issuer_at=f"http://i.pki.goog/{shard}.crt"), False),
            (_crl_at(f"http://c.pki.goog/r/{shard}.crl"), False),
            (_DOMAIN_VALIDATED, False),
        ]
        return issuer.subordinate(_google_name(common_name), key=key, permitted=permitted, add=add)

    r1, r4 = root("GTS Root R1", "rsa2048"), root("GTS Root R4", "p384")
    return GoogleLike(r1, r4, below(r1, "WR2", "rsa2048", "r1"), below(r4, "WE2", "p256", "r4"))


# --- shaped like interceptors ---------------------------------------------------------------------------------------


def _fiddler_name(common_name: str) -> x509.Name:
    # The underscore is no PrintableString character; Fiddler's encoder then takes BMPString for the organisation.
    return name(
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Created by http://www.fiddler2.com"),
        (NameOID.ORGANIZATION_NAME, "DO_NOT_TRUST"),
        (NameOID.COMMON_NAME, common_name),
        bmp=(NameOID.ORGANIZATION_NAME,),
    )


def fiddler(now: datetime) -> Authority:
    """Fiddler Classic as it was on *now*: root and leaves begin a year earlier, last six years and use RSA-2048."""
    style = LeafStyle(_fiddler_extensions, _fiddler_name, "rsa2048", _YEAR, 6 * _YEAR, shared_key="fiddler leaf")
    return Authority.root(
        _fiddler_name("DO_NOT_TRUST_FiddlerRoot"),
        now,
        key=_standing_key("fiddler root"),
        not_before=now - _YEAR,
        not_after=now + 5 * _YEAR,
        style=style,
    )


def _zscaler_name(common_name: str) -> x509.Name:
    return name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.STATE_OR_PROVINCE_NAME, "California"),
        (NameOID.ORGANIZATION_NAME, "Zscaler Inc."),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Zscaler Inc."),
        (NameOID.COMMON_NAME, common_name),
    )


def _zscaler_leaf_name(host: str) -> x509.Name:
    return name(
        (NameOID.COMMON_NAME, host),
        (NameOID.ORGANIZATION_NAME, "Zscaler Inc."),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Zscaler Inc."),
    )


def zscaler(now: datetime) -> Authority:
    """Zscaler's intermediate of one cloud, below its root; leaves last fourteen days and name Zscaler as owner."""
    one_day, two_weeks = timedelta(days=1), timedelta(days=14)
    style = LeafStyle(
        _ordinary_extensions, _zscaler_leaf_name, "rsa2048", one_day, two_weeks, shared_key="zscaler leaf"
    )
    root = Authority.root(_zscaler_name("Zscaler Root CA"), now, key=_standing_key("zscaler root"), style=style)
    cloud = _zscaler_name("Zscaler Intermediate Root CA (zscalertwo.net)")
    return root.subordinate(cloud, key=_standing_key("zscaler intermediate"))


def plain_corporate(now: datetime) -> Authority:
    """A company's own inspection authority, of no known product: one P-256 key a leaf, a year's validity."""
    subject = name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Acme Corp"),
        (NameOID.COMMON_NAME, "Acme Corp TLS Inspection CA"),
    )
    return Authority.root(subject, now)


def impersonator(now: datetime, *, key_id: bytes | None = None) -> Authority:
    """A self-signed authority with the name of Google's WR2, a fresh key, and leaves like Google's.

    With *key_id* it also claims the key identifier of somebody else.
    """
    return Authority.root(_google_name("WR2"), now, key="rsa2048", style=GOOGLE_STYLE, key_id=key_id)


def cases(now: datetime, host: str) -> dict[str, Issued]:
    """The five chains on which inspection tools are compared, all for *host*.

    ===  ====================================================================================
    A    Fiddler: leaf and root
    B    Zscaler: leaf and intermediate
    C    Zscaler: leaf only
    D    Fiddler: leaf and root, both expired 100 days before *now*
    E    leaf only, its issuer named like Google's WR2, signed by somebody else
    ===  ====================================================================================
    """
    inspected = zscaler(now).issue([host])
    long_ago = now - 5 * _YEAR - timedelta(days=100)
    return {
        "A": fiddler(now).issue([host], send_root=True),
        "B": inspected,
        "C": inspected.alone(),
        "D": fiddler(long_ago).issue([host], send_root=True),
        "E": impersonator(now).issue([host]),
    }


# --- single oddities ------------------------------------------------------------------------------------------------


def self_signed(host: str, now: datetime, *, key: KeyKind | PrivateKey = "p256") -> Issued:
    """A leaf that signed itself, as an appliance has it before anybody gives it a better one."""
    own = _as_key(key)
    subject = _subject_is_cn(host)
    wish = Wish((host,), subject, own, subject, _key_id(own))
    begin = now - ORDINARY_STYLE.backdated
    end = begin + ORDINARY_STYLE.lifetime
    certificate = _signed(_Request(subject, subject, own, begin, end, _ordinary_extensions(wish)), own)
    return Issued(certificate, own, (certificate,))


def poisoned(authority: Authority, host: str) -> Issued:
    """A precertificate (RFC 6962, 3.1): properly signed, and made so that no client may accept it."""
    return authority.issue([host], add=[(x509.PrecertPoison(), True)])


def nameless(authority: Authority) -> Issued:
    """A leaf with an empty subject and without alternative names."""
    return authority.issue([])


def weak(authority: Authority, host: str) -> Issued:
    """A leaf with an RSA key of 1024 bits."""
    return authority.issue([host], key="rsa1024")
