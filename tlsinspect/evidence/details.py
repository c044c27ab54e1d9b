"""What a certificate says, and what clients hold against it.

`describe` reads one certificate field by field. `linked` then says of each of several who signed it: another of them, a
root we know, or nobody to be found. Neither knows a date: whether a certificate is expired is for whoever shows it.

What makes clients refuse a certificate that is signed, named and dated well is in one table, `_RULES`. It is there for
the authorities of inspecting proxies and for what they issue: those are installed by hand and fail all the same, in
some clients and not in others.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tlsinspect.certificate import (
    FIRST_MOMENT,
    LAST_MOMENT,
    Certificate,
    Name,
    UnreadableError,
    folded,
    quietly,
    text_of,
    title_of,
)
from tlsinspect.evidence.path import Signer, find_path, signed
from tlsinspect.model import Authority
from tlsinspect.trust import Trust

T = TypeVar("T")

MAX_BYTES = 1024 * 1024  # of one certificate; the largest real ones hold a hundred thousand
MAX_LINKED = 16  # certificates that are put into a tree
MAX_SIGNATURES = 64  # verified for one tree
_MAX_EXTENSIONS = 256
_MAX_VALUES = 10_000  # of one extension


# -- the description ------------------------------------------------------------------------------------------------


class Grade(StrEnum):
    """How good a key or a signature is today."""

    GOOD = "good"
    UNUSUAL = "unusual"  # sound, but not what browsers take
    WEAK = "weak"
    BROKEN = "broken"  # forged in practice
    UNKNOWN = "unknown"


class Role(StrEnum):
    ROOT = "root"  # a CA that names itself as its issuer
    INTERMEDIATE = "intermediate"
    LEAF = "leaf"


class Edge(StrEnum):
    """What joins a certificate to its issuer."""

    SIGNED = "signed"
    SELF_SIGNED = "self-signed"
    NOT_SIGNED = "not-signed"  # the issuer it names is known, and its key did not make the signature
    UNCHECKED = "unchecked"  # the issuer is at hand, but the signature is of a kind, or in a form, nobody here verifies
    ISSUER_MISSING = "issuer-missing"


@dataclass(frozen=True, slots=True)
class Judgement:
    grade: Grade
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    kind: str  # RSA, EC, Ed25519 …; the OID where it has no name here
    bits: int | None
    curve: str | None
    judgement: Judgement

    @property
    def text(self) -> str:
        return f"{self.kind} {self.curve or self.bits or ''}".strip()


@dataclass(frozen=True, slots=True)
class Signature:
    algorithm: str
    oid: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Extension:
    name: str  # as RFC 5280 spells it; the OID where it has no name here
    oid: str
    critical: bool
    values: tuple[str, ...]
    readable: bool = True  # False: we know the kind, and the content is not of that form


@dataclass(frozen=True, slots=True)
class Defect:
    """Something clients refuse, or strict ones do. `refused_by` is empty where all of them let it pass so far."""

    code: str
    sentence: str
    refused_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """Who signed a certificate, as far as that can be told from what was given and from the roots we know."""

    edge: Edge
    issuer: str  # its short name
    index: int | None = None  # of the issuer among the certificates given; None: it was not given
    anchor: str = ""  # the set of roots the issuer is in: google, stand-in, alternate, historical, public
    not_after: datetime | None = None  # of an issuer that was not given


@dataclass(frozen=True, slots=True)
class Details:
    """One certificate. Texts are as the certificate has them: make them `printable` before they are shown."""

    source: str  # the file or host it came from
    position: int  # there, from 1
    title: str
    role: Role
    subject: str
    subject_parts: Name
    issuer: str
    issuer_parts: Name
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    other_names: dict[str, int]  # how many of each other kind
    not_before: datetime
    not_after: datetime
    serial: str  # hexadecimal
    version: int
    key: Key
    signature: Signature
    extensions: tuple[Extension, ...]
    timestamps: int | None  # SCTs inside, not verified; None: the extension is not there
    must_staple: bool
    precertificate: bool
    sha256: str
    sha1: str
    spki_sha256: str
    malformed: str | None  # what a strict reader refused, in its own words
    defects: tuple[Defect, ...] = ()
    anchor: str = ""  # the set of known roots this name and this key are in
    false_name: bool = False  # bears the name of a known root or of an intermediate of Google's, and another key
    link: Link | None = None

    @property
    def days(self) -> int:
        """How long it is valid, counted as the rules on lifetimes count: a day begun is a day."""
        return -int((self.not_before - self.not_after).total_seconds() // 86400)

    @property
    def is_ca(self) -> bool:
        return self.role is not Role.LEAF

    @property
    def self_issued(self) -> bool:
        return self.subject_parts == self.issuer_parts

    @property
    def names(self) -> tuple[str, ...]:
        return self.dns_names + self.ip_addresses

    @property
    def malformation(self) -> str:
        """`malformed` in fewer words, where the reader says the kind and the place."""
        words = self.malformed or ""
        kind, places = re.search(r"kind: (\w+)", words), re.findall(r'"([\w:]+)"', words)
        return f"{kind[1]} in {places[-1]}" if kind and places else words

    def extension(self, name: str) -> Extension | None:
        return next((e for e in self.extensions if e.name == name), None)

    def says(self, name: str, value: str) -> bool:
        """Whether the extension `name` is there and holds `value`."""
        found = self.extension(name)
        return found is not None and value in found.values


def describe(certificate: Certificate, *, source: str = "", position: int = 1) -> Details:
    """Everything about one certificate by itself. Raises UnreadableError where it is none, or larger than MAX_BYTES."""
    if len(certificate.der) > MAX_BYTES:
        raise UnreadableError(f"larger than {MAX_BYTES // 1024 // 1024} MB")
    raw = _Raw(certificate.der)
    if not raw.is_certificate:
        raise UnreadableError("of another kind than a certificate")
    extensions = tuple(raw.extensions())
    spki = _spki(certificate, raw)
    found = Details(
        source=source,
        position=position,
        title=certificate.title,
        role=_role(certificate),
        subject=text_of(certificate.subject),
        subject_parts=certificate.subject,
        issuer=text_of(certificate.issuer),
        issuer_parts=certificate.issuer,
        dns_names=certificate.dns_names,
        ip_addresses=certificate.ip_addresses,
        other_names=raw.other_names(),
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        serial=_hexadecimal(certificate.serial),
        version=raw.version,
        key=_key(spki, raw),
        signature=_signature(certificate, raw),
        extensions=extensions,
        timestamps=raw.timestamps(),
        must_staple=any(e.oid == _FEATURES and _STAPLE in e.values for e in extensions),
        precertificate=certificate.poisoned,
        sha256=certificate.sha256,
        sha1=certificate.sha1,
        spki_sha256=_sha256(spki),
        malformed=None,
    )
    found = replace(found, malformed=certificate.defect)  # known once every field has been read
    return replace(found, defects=tuple(_defects(found)))


def _role(certificate: Certificate) -> Role:
    if not certificate.is_ca:
        return Role.LEAF
    return Role.ROOT if certificate.self_issued else Role.INTERMEDIATE


def _hexadecimal(number: int) -> str:
    digits = f"{abs(number):x}"
    return ("-" if number < 0 else "") + "0" * (len(digits) % 2) + digits


def _sha256(data: bytes) -> str:
    from hashlib import sha256

    return sha256(data).hexdigest()


def _spki(certificate: Certificate, raw: "_Raw") -> bytes:
    """The key as it stands in the certificate: cryptography writes one for RSA-PSS alone as if it were for RSA."""
    return raw.tried(lambda: bytes(raw.key.dump())) or raw.tried(lambda: certificate.spki) or b""


# -- key and signature ----------------------------------------------------------------------------------------------

_SHORT_RSA = 2048  # CA/Browser Forum, Baseline Requirements §6.1.5
_FACTORED_RSA = 829  # RSA-250, https://eprint.iacr.org/2020/697
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp224r1": "P-224", "secp192r1": "P-192"}
_SHORT_CURVES = {"P-192", "P-224", "secp112r1", "secp128r1", "secp160k1", "secp160r1", "secp192k1"}
_GOOD_CURVES = {"P-256", "P-384", "P-521"}
_KINDS: tuple[tuple[type, str], ...] = (
    (rsa.RSAPublicKey, "RSA"),
    (ec.EllipticCurvePublicKey, "EC"),
    (dsa.DSAPublicKey, "DSA"),
    (ed25519.Ed25519PublicKey, "Ed25519"),
    (ed448.Ed448PublicKey, "Ed448"),
    (mldsa.MLDSA44PublicKey, "ML-DSA-44"),
    (mldsa.MLDSA65PublicKey, "ML-DSA-65"),
    (mldsa.MLDSA87PublicKey, "ML-DSA-87"),
)
_LENIENT_KINDS = {"rsa": "RSA", "rsassa_pss": "RSA", "ec": "EC", "dsa": "DSA", "ed25519": "Ed25519", "ed448": "Ed448"}
_STRANGE_KINDS = {
    "1.2.643.2.2.19": "GOST R 34.10-2001",
    "1.2.643.7.1.1.1.1": "GOST R 34.10-2012, 256 bits",
    "1.2.643.7.1.1.1.2": "GOST R 34.10-2012, 512 bits",
}
# Keys whose signatures are verified here.
_CHECKABLE = {"RSA", "EC", "Ed25519", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"}

_GOOD = Judgement(Grade.GOOD)
_NO_BROWSER = Judgement(Grade.UNUSUAL, "no browser takes it in a server's certificate")
_NO_NAME = Judgement(Grade.UNKNOWN, "not known here")
_SHA1 = Judgement(Grade.BROKEN, "SHA-1 collisions have been made since 2017")  # https://shattered.io
_MD5 = Judgement(Grade.BROKEN, "MD5 let somebody forge a CA in 2008")  # https://www.win.tue.nl/hashclash/rogue-ca/
_MD2 = Judgement(Grade.BROKEN, "MD2 has been withdrawn since 2011")  # RFC 6149
_SHA224 = Judgement(Grade.UNUSUAL, "browsers take SHA-256, SHA-384 and SHA-512")
_DSA = Judgement(Grade.WEAK, "no client of today takes DSA")
_YOUNG = Judgement(Grade.UNUSUAL, "younger than most clients")
_SIGNATURES: dict[str, tuple[str, Judgement]] = {
    "1.2.840.113549.1.1.2": ("RSA with MD2", _MD2),
    "1.2.840.113549.1.1.3": ("RSA with MD4", _MD5),
    "1.2.840.113549.1.1.4": ("RSA with MD5", _MD5),
    "1.2.840.113549.1.1.5": ("RSA with SHA-1", _SHA1),
    "1.3.14.3.2.29": ("RSA with SHA-1", _SHA1),  # as OIW numbered it
    "1.2.840.113549.1.1.14": ("RSA with SHA-224", _SHA224),
    "1.2.840.113549.1.1.11": ("RSA with SHA-256", _GOOD),
    "1.2.840.113549.1.1.12": ("RSA with SHA-384", _GOOD),
    "1.2.840.113549.1.1.13": ("RSA with SHA-512", _GOOD),
    "1.2.840.10045.4.1": ("ECDSA with SHA-1", _SHA1),
    "1.2.840.10045.4.3.1": ("ECDSA with SHA-224", _SHA224),
    "1.2.840.10045.4.3.2": ("ECDSA with SHA-256", _GOOD),
    "1.2.840.10045.4.3.3": ("ECDSA with SHA-384", _GOOD),
    "1.2.840.10045.4.3.4": ("ECDSA with SHA-512", _GOOD),
    "1.2.840.10040.4.3": ("DSA with SHA-1", _DSA),
    "2.16.840.1.101.3.4.3.1": ("DSA with SHA-224", _DSA),
    "2.16.840.1.101.3.4.3.2": ("DSA with SHA-256", _DSA),
    "1.3.101.112": ("Ed25519", _NO_BROWSER),
    "1.3.101.113": ("Ed448", _NO_BROWSER),
    "2.16.840.1.101.3.4.3.17": ("ML-DSA-44", _YOUNG),
    "2.16.840.1.101.3.4.3.18": ("ML-DSA-65", _YOUNG),
    "2.16.840.1.101.3.4.3.19": ("ML-DSA-87", _YOUNG),
    "1.2.643.2.2.3": ("GOST R 34.10-2001", _NO_BROWSER),
    "1.2.643.7.1.1.3.2": ("GOST R 34.10-2012, 256 bits", _NO_BROWSER),
    "1.2.643.7.1.1.3.3": ("GOST R 34.10-2012, 512 bits", _NO_BROWSER),
    "1.2.156.10197.1.501": ("SM2 with SM3", _NO_BROWSER),
}
_PSS = "1.2.840.113549.1.1.10"  # the hash stands in its parameters
_PSS_HASHES = {
    "sha1": ("SHA-1", _SHA1),
    "sha224": ("SHA-224", _SHA224),
    "sha256": ("SHA-256", _GOOD),
    "sha384": ("SHA-384", _GOOD),
    "sha512": ("SHA-512", _GOOD),
}


def _key(spki: bytes, raw: "_Raw") -> Key:
    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm):
        return _strange_key(raw)
    kind = next((name for kind, name in _KINDS if isinstance(key, kind)), "")
    if not kind:
        return _strange_key(raw)
    curve = _CURVES.get(key.curve.name, key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else None
    bits = key.key_size if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey) else None
    return Key(kind, bits, curve, _judged_key(kind, bits or 0, curve))


def _strange_key(raw: "_Raw") -> Key:
    """A key cryptography refuses, as asn1crypto reads it."""
    oid = raw.tried(raw.key_oid) or "unreadable"
    kind = _LENIENT_KINDS.get(raw.tried(lambda: str(raw.key.algorithm)) or "", _STRANGE_KINDS.get(oid, oid))
    bits = raw.tried(lambda: int(raw.key.bit_size))
    return Key(kind, bits or None, None, Judgement(Grade.UNKNOWN, "a key no strict reader takes"))


def _judged_key(kind: str, bits: int, curve: str | None) -> Judgement:
    if kind == "RSA":
        return _judged_rsa(bits)
    if kind == "EC":
        if curve in _GOOD_CURVES:
            return _GOOD
        return Judgement(Grade.WEAK, "too short") if curve in _SHORT_CURVES else _NO_BROWSER
    return {"DSA": _DSA, "Ed25519": _NO_BROWSER, "Ed448": _NO_BROWSER}.get(kind, _YOUNG)


def _judged_rsa(bits: int) -> Judgement:
    if bits <= _FACTORED_RSA:
        return Judgement(Grade.BROKEN, "keys of this length have been factored")
    if bits < _SHORT_RSA:
        return Judgement(Grade.WEAK, f"{_SHORT_RSA} bits is the least clients ask for")
    return _GOOD if bits <= 8192 else Judgement(Grade.UNUSUAL, "longer than many clients take")


def _signature(certificate: Certificate, raw: "_Raw") -> Signature:
    oid = raw.signature_oid
    if oid == _PSS:
        hash_name = raw.tried(lambda: _hash_of(certificate)) or raw.tried(raw.pss_hash) or ""
        name, judgement = _PSS_HASHES.get(hash_name.replace("-", ""), ("an unknown hash", _NO_NAME))
        return Signature(f"RSA-PSS with {name}", oid, judgement)
    name, judgement = _SIGNATURES.get(oid, (oid or "unreadable", _NO_NAME))
    return Signature(name, oid, judgement)


def _hash_of(certificate: Certificate) -> str:
    found = certificate.handle.signature_hash_algorithm if certificate.handle else None
    return found.name if found else ""


# -- extensions -----------------------------------------------------------------------------------------------------

_STAPLE = "must-staple"
_FEATURES = "1.3.6.1.5.5.7.1.24"
_SAN = "2.5.29.17"
_TIMESTAMPS = "1.3.6.1.4.1.11129.2.4.2"
_USAGES = (
    ("digital_signature", "digitalSignature"),
    ("non_repudiation", "contentCommitment"),
    ("key_encipherment", "keyEncipherment"),
    ("data_encipherment", "dataEncipherment"),
    ("key_agreement", "keyAgreement"),
    ("key_cert_sign", "keyCertSign"),
    ("crl_sign", "cRLSign"),
    ("encipher_only", "encipherOnly"),
    ("decipher_only", "decipherOnly"),
)
_PURPOSES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.5": "ipsecEndSystem",
    "1.3.6.1.5.5.7.3.6": "ipsecTunnel",
    "1.3.6.1.5.5.7.3.7": "ipsecUser",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "1.3.6.1.5.5.7.3.17": "ipsecIKE",
    "1.3.6.1.4.1.311.10.3.3": "Microsoft server gated crypto",
    "1.3.6.1.4.1.311.10.3.4": "Microsoft file encryption",
    "1.3.6.1.4.1.311.20.2.2": "smartcardLogon",
    "1.3.6.1.5.2.3.5": "Kerberos KDC",
    "1.3.6.1.4.1.11129.2.4.4": "precertificateSigning",
    "2.16.840.1.113730.4.1": "Netscape server gated crypto",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}
# CA/Browser Forum: https://cabforum.org/resources/object-registry/
_POLICIES = {
    "2.23.140.1.1": "extended validation",
    "2.23.140.1.2.1": "domain validated",
    "2.23.140.1.2.2": "organisation validated",
    "2.23.140.1.2.3": "individual validated",
    "2.23.140.1.3": "extended validation, code signing",
    "2.23.140.1.4.1": "code signing",
    "2.23.140.1.4.2": "time stamping",
    "2.23.140.1.31": "onion name",
    "2.5.29.32.0": "any policy",
    "1.3.6.1.4.1.11129.2.5.3": "Google Trust Services",
}
_METHODS = {"1.3.6.1.5.5.7.48.1": "OCSP", "1.3.6.1.5.5.7.48.2": "issuer"}
_NAME_KINDS = {
    "dns_name": "DNS",
    "rfc822_name": "email",
    "uniform_resource_identifier": "URI",
    "ip_address": "IP",
    "directory_name": "directory",
    "registered_id": "OID",
    "other_name": "other",
    "x400_address": "X.400",
    "edi_party_name": "EDI",
}


def _basic_constraints(value: Any) -> Iterator[str]:
    yield "CA" if value["ca"].native else "not a CA"
    length = value["path_len_constraint"].native
    if length is not None:
        yield f"path length {length}"


def _key_usage(value: Any) -> Iterator[str]:
    found = value.native
    yield from (shown for name, shown in _USAGES if name in found)


def _purposes(value: Any) -> Iterator[str]:
    for purpose in value:
        yield _PURPOSES.get(purpose.dotted, purpose.dotted)


def _octets(value: Any) -> Iterator[str]:
    yield bytes(value.native).hex()


def _authority_key(value: Any) -> Iterator[str]:
    digest = value["key_identifier"].native
    if digest is not None:
        yield bytes(digest).hex()
    serial = value["authority_cert_serial_number"].native
    if serial is not None:
        yield f"serial {_hexadecimal(serial)}"


def _access(value: Any) -> Iterator[str]:
    for entry in value:
        method = entry["access_method"].dotted
        yield f"{_METHODS.get(method, method)} {_general_name(entry['access_location'])}"


def _points(value: Any) -> Iterator[str]:
    for point in value:
        named = point["distribution_point"]
        if named.native is not None and named.name == "full_name":
            yield from (_general_name(n) for n in named.chosen)
        for issuer in point["crl_issuer"] if point["crl_issuer"].native is not None else ():
            yield f"CRL issuer {_general_name(issuer)}"


def _policies(value: Any) -> Iterator[str]:
    for policy in value:
        oid = policy["policy_identifier"].dotted
        yield f"{oid} ({_POLICIES[oid]})" if oid in _POLICIES else oid


def _timestamps(value: Any) -> Iterator[str]:
    yield f"{_count_timestamps(bytes(value.native))}, not verified"


def _constraints(value: Any) -> Iterator[str]:
    for side in ("permitted", "excluded"):
        trees = value[f"{side}_subtrees"]
        for tree in trees if trees.native is not None else ():
            yield f"{side} {_general_name(tree['base'])}"


def _policy_constraints(value: Any) -> Iterator[str]:
    for key, number in value.native.items():
        if number is not None:
            yield f"{key.replace('_', ' ')} {number}"


def _features(value: Any) -> Iterator[str]:
    for feature in value:
        number = int.from_bytes(feature.contents, "big")
        yield _STAPLE if number == 5 else f"TLS extension {number}"  # RFC 7633: 5 is status_request


def _poison(_value: Any) -> Iterator[str]:
    yield "precertificate: made for the logs, not for servers"


def _general_names(value: Any) -> Iterator[str]:
    return (_general_name(n) for n in value)


def _text(value: Any) -> Iterator[str]:
    yield str(value.native)


_KNOWN: dict[str, tuple[str, Callable[[Any], Iterable[str]]]] = {
    "2.5.29.19": ("basicConstraints", _basic_constraints),
    "2.5.29.15": ("keyUsage", _key_usage),
    "2.5.29.37": ("extKeyUsage", _purposes),
    "2.5.29.14": ("subjectKeyIdentifier", _octets),
    "2.5.29.35": ("authorityKeyIdentifier", _authority_key),
    "1.3.6.1.5.5.7.1.1": ("authorityInfoAccess", _access),
    "2.5.29.31": ("cRLDistributionPoints", _points),
    "2.5.29.32": ("certificatePolicies", _policies),
    "2.5.29.30": ("nameConstraints", _constraints),
    "2.5.29.36": ("policyConstraints", _policy_constraints),
    _SAN: ("subjectAltName", _general_names),
    "2.5.29.18": ("issuerAltName", _general_names),
    _TIMESTAMPS: ("signedCertificateTimestamps", _timestamps),
    "1.3.6.1.4.1.11129.2.4.3": ("precertificatePoison", _poison),
    _FEATURES: ("tlsFeature", _features),
    "2.16.840.1.113730.1.13": ("netscapeComment", _text),
}
_NAMED_ONLY = {
    "2.5.29.54": "inhibitAnyPolicy",
    "2.5.29.33": "policyMappings",
    "2.5.29.46": "freshestCRL",
    "2.5.29.9": "subjectDirectoryAttributes",
    "2.5.29.16": "privateKeyUsagePeriod",
    "1.3.6.1.5.5.7.1.3": "qcStatements",
    "1.3.6.1.5.5.7.1.11": "subjectInfoAccess",
    "1.3.6.1.5.5.7.1.12": "logotype",
    "1.3.6.1.5.5.7.48.1.5": "ocspNoCheck",
    "2.16.840.1.113730.1.1": "netscapeCertType",
    "1.2.840.113533.7.65.0": "entrustVersion",
    "1.3.6.1.4.1.311.20.2": "microsoftTemplateName",
    "1.3.6.1.4.1.311.21.7": "microsoftTemplate",
    "1.3.6.1.4.1.311.21.1": "microsoftCaVersion",
    "1.3.6.1.4.1.311.21.2": "microsoftPreviousCa",
    "1.3.6.1.4.1.311.21.10": "microsoftApplicationPolicies",
}
# What every client that validates chains understands; any other critical extension makes it stop (RFC 5280 §4.2).
_UNDERSTOOD = frozenset(
    (
        *("basicConstraints", "keyUsage", "extKeyUsage", "nameConstraints", "subjectAltName", "issuerAltName"),
        *("certificatePolicies", "policyConstraints", "inhibitAnyPolicy", "policyMappings", "netscapeCertType"),
        *("authorityKeyIdentifier", "subjectKeyIdentifier", "cRLDistributionPoints", "freshestCRL"),
        *("authorityInfoAccess", "precertificatePoison"),  # the poison has a rule of its own
    )
)


def _general_name(name: Any) -> str:
    """``DNS x``, ``URI x`` … as spelt: asn1crypto's own reading would decode IDNA and resolve what is not to be."""
    kind = _NAME_KINDS.get(name.name, name.name)
    if kind == "directory":
        return f"{kind} {_directory(name.chosen)}"
    content = bytes(name.chosen.contents or b"")
    if kind == "IP":
        return f"{kind} {_network(content)}"
    if kind == "OID":
        return f"{kind} {name.chosen.dotted}"
    if kind in ("DNS", "email", "URI"):
        return f"{kind} {content.decode('utf-8', 'backslashreplace')}"
    return f"{kind} name of {len(content)} bytes"


def _directory(name: Any) -> str:
    from tlsinspect.certificate import name_from

    return text_of(quietly(name_from, bytes(name.untag().dump())))


def _network(content: bytes) -> str:
    """An address, or in name constraints an address and its mask."""
    if len(content) in (4, 16):
        return str(ipaddress.ip_address(content))
    half = len(content) // 2
    if len(content) in (8, 32):
        bits = f"{int.from_bytes(content[half:], 'big'):b}".rstrip("0")
        if "0" not in bits:
            return f"{ipaddress.ip_address(content[:half])}/{len(bits)}"
    return content.hex()


def _count_timestamps(content: bytes) -> int:
    """How many a SignedCertificateTimestampList holds (RFC 6962 §3.3). Raises ValueError where it is none."""
    if int.from_bytes(content[:2], "big") != len(content) - 2:
        raise ValueError("not a list of timestamps")
    at, found = 2, 0
    while at < len(content):
        at += 2 + int.from_bytes(content[at : at + 2], "big")
        found += 1
    if at != len(content):
        raise ValueError("a timestamp is cut off")
    return found


class _Raw:
    """asn1crypto's reading, for what `Certificate` does not offer. One field that cannot be read leaves the rest."""

    # What asn1crypto raises on hostile input; it documents none of it, and local variables it forgot are among it.
    _REFUSALS = (
        *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError, NameError, RecursionError),
        UnsupportedAlgorithm,
    )

    def __init__(self, der: bytes) -> None:
        from asn1crypto import x509

        self._whole: Any = self.tried(lambda: x509.Certificate.load(der))

    def tried(self, read: Callable[[], T]) -> T | None:
        """What `read` returns, or None where it cannot."""
        try:
            return read()
        except self._REFUSALS:
            return None

    @cached_property
    def is_certificate(self) -> bool:
        """Whether the parts by which certificates differ from requests and revocation lists are where they belong."""
        parts = ("issuer", "validity", "subject", "subject_public_key_info")
        return self.tried(lambda: [self._whole["tbs_certificate"][p].dump() for p in parts]) is not None

    @property
    def _tbs(self) -> Any:
        return self._whole["tbs_certificate"]

    @property
    def key(self) -> Any:
        return self._tbs["subject_public_key_info"]

    def key_oid(self) -> str:
        """Read without regard to its parameters, which may be of a kind asn1crypto does not know."""
        from asn1crypto.core import Sequence as Untyped

        return str(Untyped.load(bytes(self.key.dump()))[0][0].dotted)

    @property
    def version(self) -> int:
        """1 to 3, or what else it says; 1 where it says nothing."""
        return 1 + (self.tried(lambda: int.from_bytes(self._tbs["version"].contents or b"", "big")) or 0)

    @property
    def signature_oid(self) -> str:
        return self.tried(lambda: str(self._whole["signature_algorithm"]["algorithm"].dotted)) or ""

    def pss_hash(self) -> str:
        return str(self._whole["signature_algorithm"].hash_algo)

    def _listed(self) -> list[Any]:
        return self.tried(lambda: list(islice(self._tbs["extensions"], _MAX_EXTENSIONS))) or []

    def extensions(self) -> Iterator[Extension]:
        for each in self._listed():
            read = self.tried(lambda each=each: self._extension(each))  # type: ignore[misc]
            if read is not None:
                yield read

    def _extension(self, each: Any) -> Extension:
        oid, critical, value = each["extn_id"].dotted, bool(each["critical"].native), each["extn_value"]
        if oid in _KNOWN:
            name, decode = _KNOWN[oid]
            values = self.tried(lambda: tuple(islice(decode(value.parsed), _MAX_VALUES)))
            return Extension(name, oid, critical, values or (), values is not None)
        return Extension(_NAMED_ONLY.get(oid, oid), oid, critical, (f"{len(value.contents or b'')} bytes",))

    def _value(self, oid: str) -> Any:
        return next((e["extn_value"].parsed for e in self._listed() if e["extn_id"].dotted == oid), None)

    def other_names(self) -> dict[str, int]:
        """How many alternative names are neither DNS names nor addresses, by kind."""
        found: dict[str, int] = {}
        for name in self.tried(lambda: list(islice(self._value(_SAN), _MAX_VALUES))) or ():
            kind = self.tried(lambda name=name: _NAME_KINDS[name.name]) or "unreadable"  # type: ignore[misc]
            if kind not in ("DNS", "IP"):
                found[kind] = found.get(kind, 0) + 1
        return found

    def timestamps(self) -> int | None:
        value = self.tried(lambda: self._value(_TIMESTAMPS))
        return None if value is None else self.tried(lambda: _count_timestamps(bytes(value.native))) or 0


# -- what clients refuse --------------------------------------------------------------------------------------------

_ALL = ("every client",)
_BROWSERS = ("browsers",)
# Since 3.13 ssl.create_default_context() sets VERIFY_X509_STRICT: https://docs.python.org/3/whatsnew/3.13.html#ssl.
# What that flag asks for: https://docs.openssl.org/3.0/man1/openssl-verification-options/, under -x509_strict.
_STRICT = ("Python 3.13 and later", "OpenSSL with -x509_strict")
# https://cryptography.io/en/latest/x509/verification/, and tried: tests/test_inspect.py asks it.
_PYCA = ("pyca/cryptography",)
# For every server's certificate, also below a root installed by hand: https://support.apple.com/en-us/103769.
_APPLE = ("Apple's systems",)
_APPLE_FROM = datetime(2019, 7, 1, tzinfo=UTC)
_APPLE_DAYS = 825
# Security level 2: https://docs.openssl.org/3.0/man3/SSL_CTX_set_security_level/; Python's default since 3.10:
# https://docs.python.org/3/whatsnew/3.10.html#ssl.
_LEVEL_2 = ("OpenSSL at security level 2", "Python 3.10 and later")
# The longest life of a server's certificate by the day it begins: Baseline Requirements §6.3.2 and ballot SC-081v3.
# Browsers hold only roots they ship to it.
_LONGEST = (
    (datetime(2029, 3, 15, tzinfo=UTC), 47),
    (datetime(2027, 3, 15, tzinfo=UTC), 100),
    (datetime(2026, 3, 15, tzinfo=UTC), 200),
    (datetime(2020, 9, 1, tzinfo=UTC), 398),
    (datetime(2018, 3, 1, tzinfo=UTC), 825),
)


@dataclass(frozen=True)
class _Rule:
    """`sentence` is filled with the certificate as ``{c}``."""

    code: str
    refused_by: tuple[str, ...]
    sentence: str
    holds: Callable[[Details], bool]


def _serves(c: Details) -> bool:
    """A leaf that is meant for servers, or does not say what it is meant for."""
    purposes = c.extension("extKeyUsage")
    return c.role is Role.LEAF and (
        purposes is None or bool({"serverAuth", "anyExtendedKeyUsage"} & set(purposes.values))
    )


def _lacks(c: Details, name: str) -> bool:
    return c.version == 3 and c.extension(name) is None


def _critical(c: Details, name: str) -> bool:
    found = c.extension(name)
    return found is not None and found.critical


def _ca_without(c: Details, name: str) -> bool:
    return c.is_ca and _lacks(c, name)


def _longest(c: Details) -> int:
    """The days public CAs may let a server's certificate live that begins when this one does."""
    return next((days for begin, days in _LONGEST if c.not_before >= begin), 100_000)


def _too_long_for_apple(c: Details) -> bool:
    return _serves(c) and c.not_before >= _APPLE_FROM and c.days > _APPLE_DAYS


def _unreadable_dates(c: Details) -> bool:
    return c.not_before == LAST_MOMENT or c.not_after == FIRST_MOMENT


def _signed_with(c: Details, *grades: Grade) -> bool:
    """Judged only where the signature counts: nobody verifies the one a root made on itself."""
    return not c.self_issued and c.signature.judgement.grade in grades


def _key_is(c: Details, *grades: Grade) -> bool:
    return c.key.judgement.grade in grades


def _is_leaf(c: Details) -> bool:
    return c.role is Role.LEAF


# fmt: off
_RULES = (
    # Anything. Serial numbers: RFC 5280 §4.1.2.2, https://go.dev/doc/go1.23#cryptox509pkgcryptox509; countryName: RFC
    # 5280 appendix A. SHA-1: browsers since 2017, Apple since iOS 13, Go since 1.18; OpenSSL 3 takes it at level 0.
    _Rule("malformed", _PYCA, "is not in the form the standards ask for: {c.malformation}",
          lambda c: bool(c.malformed)),
    _Rule("version", _PYCA, "is of version {c.version}, not 3",
          lambda c: c.version != 3),
    _Rule("dates-unreadable", _ALL, "has dates nobody can read",
          _unreadable_dates),
    _Rule("never-valid", _ALL, "ends before it begins: it is never valid",
          lambda c: c.not_after < c.not_before and not _unreadable_dates(c)),
    _Rule("serial-negative", (*_PYCA, "Go 1.23 and later"), "has a negative serial number",
          lambda c: c.serial.startswith("-")),
    _Rule("serial-zero", (), "has the serial number 0, which must be positive",
          lambda c: c.serial == "00"),
    _Rule("serial-long", _PYCA, "has a serial number of more than 20 bytes",
          lambda c: len(c.serial) > 42),
    _Rule("country", (), "has a countryName that is not of two letters",
          lambda c: any(label == "C" and len(value) != 2 for label, value in c.subject_parts + c.issuer_parts)),
    _Rule("issuer-empty", _STRICT + _PYCA, "names no issuer",
          lambda c: not c.issuer_parts),
    _Rule("critical-unknown", _ALL, "has a critical extension that clients do not know",
          lambda c: any(e.critical and e.name not in _UNDERSTOOD for e in c.extensions)),
    _Rule("precertificate", _ALL, "is a precertificate: made for logs, not for servers",
          lambda c: c.precertificate),
    _Rule("key-id-critical", _STRICT + _PYCA, "marks a key identifier critical",
          lambda c: _critical(c, "authorityKeyIdentifier") or _critical(c, "subjectKeyIdentifier")),
    _Rule("signature-broken", (*_BROWSERS, *_APPLE, "OpenSSL 3", *_PYCA, "Go 1.18 and later"),
          "is signed with {c.signature.algorithm}",
          lambda c: _signed_with(c, Grade.BROKEN)),
    _Rule("signature-unusual", _BROWSERS, "is signed with {c.signature.algorithm}",
          lambda c: _signed_with(c, Grade.UNUSUAL, Grade.WEAK)),
    _Rule("key-short", _APPLE + _LEVEL_2, "has a key of only {c.key.bits} bits",
          lambda c: c.key.kind == "RSA" and _key_is(c, Grade.WEAK, Grade.BROKEN)),
    _Rule("key-unusual", _BROWSERS, "has a key of a kind browsers do not take: {c.key.text}",
          lambda c: c.key.kind != "RSA" and _key_is(c, Grade.WEAK, Grade.UNUSUAL)),

    # Authorities.
    _Rule("ca-key", _PYCA, "is a CA with a key strict clients do not take: {c.key.text}",
          lambda c: c.is_ca and not _key_is(c, Grade.GOOD, Grade.UNKNOWN) and not c.key.kind.startswith("ML-DSA")),
    _Rule("ca-constraints-not-critical", _STRICT + _PYCA, "does not mark basicConstraints critical",
          lambda c: c.is_ca and not _critical(c, "basicConstraints")),
    _Rule("ca-no-key-usage", _STRICT + _PYCA, "has no keyUsage extension",
          lambda c: _ca_without(c, "keyUsage")),
    _Rule("ca-may-not-sign", _ALL, "is a CA whose keyUsage does not let it sign certificates",
          lambda c: c.is_ca and c.extension("keyUsage") is not None and not c.says("keyUsage", "keyCertSign")),
    _Rule("ca-no-key-id", _STRICT, "has no subjectKeyIdentifier",
          lambda c: _ca_without(c, "subjectKeyIdentifier")),
    _Rule("ca-no-authority-key-id", _STRICT, "has no authorityKeyIdentifier",
          lambda c: _ca_without(c, "authorityKeyIdentifier") and not c.self_issued),

    # Leaves. Names: Chrome 58, Firefox 101, iOS 13 and macOS 10.15, Go 1.15.
    _Rule("no-authority-key-id", _STRICT + _PYCA, "has no authorityKeyIdentifier",
          lambda c: _is_leaf(c) and not c.self_issued and _lacks(c, "authorityKeyIdentifier")),
    _Rule("not-a-ca-but-signs", _STRICT + _PYCA, "may sign by its keyUsage, and is no CA by its basicConstraints",
          lambda c: _is_leaf(c) and c.says("keyUsage", "keyCertSign")),
    _Rule("no-names", (*_BROWSERS, *_APPLE, "Go 1.15 and later", *_PYCA),
          "has no subjectAltName with a host's name: the common name counts for nothing",
          lambda c: _serves(c) and not c.names),
    _Rule("names-not-critical", _STRICT + _PYCA, "has no subject, and does not mark subjectAltName critical",
          lambda c: _serves(c) and not c.subject_parts and bool(c.names) and not _critical(c, "subjectAltName")),
    _Rule("names-critical", _PYCA, "marks subjectAltName critical beside a subject",
          lambda c: _serves(c) and bool(c.subject_parts) and _critical(c, "subjectAltName")),
    _Rule("purpose-critical", _PYCA, "marks extKeyUsage critical",
          lambda c: _is_leaf(c) and _critical(c, "extKeyUsage")),
    _Rule("no-purpose", _APPLE, "has no extKeyUsage with serverAuth",
          lambda c: _serves(c) and c.not_before >= _APPLE_FROM and c.extension("extKeyUsage") is None),
    _Rule("not-for-servers", ("every client, from a server",), "is not meant for servers by its extKeyUsage",
          lambda c: _is_leaf(c) and not _serves(c)),
    _Rule("life-too-long", _APPLE, "is valid for {c.days} days, more than 825",
          _too_long_for_apple),
    _Rule("life-too-long-public", ("Chrome and Safari, from a public CA",),
          "is valid for {c.days} days, longer than public CAs may issue",
          lambda c: _serves(c) and c.days > _longest(c) and not _too_long_for_apple(c)),
)
# fmt: on


def _defects(found: Details) -> Iterator[Defect]:
    for rule in _RULES:
        if rule.holds(found):
            yield Defect(rule.code, rule.sentence.format(c=found), rule.refused_by)


# -- who signed whom ------------------------------------------------------------------------------------------------


def linked(details: Sequence[Details], certificates: Sequence[Certificate], trust: Trust) -> list[Details]:
    """`details` with the link of each to whoever signed it, among `certificates` (of which they are, in order) and the
    roots we know. Beyond the first MAX_LINKED nothing is looked for.
    """
    tree = _Tree(details[:MAX_LINKED], certificates[:MAX_LINKED], trust)
    return [tree.linked(i) for i in range(len(tree.details))] + list(details[MAX_LINKED:])


class _Tree:
    """The certificates given, the roots we know, and a budget of signatures."""

    def __init__(self, details: Sequence[Details], certificates: Sequence[Certificate], trust: Trust) -> None:
        self.details = details
        self.certificates = certificates
        self.trust = trust
        self.known = (trust.google, trust.alternate, trust.historical, trust.public)
        self.subjects = [folded(d.subject_parts) for d in details]
        self.issuers = [folded(d.issuer_parts) for d in details]
        self.signatures_left = MAX_SIGNATURES

    def linked(self, index: int) -> Details:
        anchor = self._anchor(index)
        borrowed = not anchor and self._borrowed(index)
        return replace(self.details[index], link=self._link(index), anchor=anchor, false_name=borrowed)

    def _anchor(self, index: int) -> str:
        """The set a certificate's own name and key are in: a cross-sign of a root is that root by another signature."""
        for anchors in self.known:
            roots = anchors.by_name.get(self.subjects[index], ())
            if any(root.spki_sha256 == self.details[index].spki_sha256 for root in roots):
                return anchors.name
        return ""

    def _borrowed(self, index: int) -> bool:
        """Whether the name is a known root's or an intermediate's of Google, and the key none of theirs. In a
        laboratory, where others stand in for them, that says nothing."""
        if self.trust.stand_in:
            return False
        name = self.subjects[index]
        keys = {i.spki_sha256 for i in self.trust.intermediates if folded(i.subject) == name}
        if keys:
            return self.details[index].spki_sha256 not in keys
        return any(name in anchors.by_name for anchors in self.known)

    def _link(self, index: int) -> Link:
        given = list(self._given(index))
        for i in given:
            if self._signed(index, self.certificates[i]):
                return Link(Edge.SELF_SIGNED if i == index else Edge.SIGNED, self.details[i].title, i)
        return self._to_root(index) or self._to_intermediate(index) or self._failed(index, given)

    def _given(self, index: int) -> Iterator[int]:
        """Those whose subject is the issuer's name: itself first, then others in order."""
        order = sorted(range(len(self.details)), key=lambda i: i != index)
        return (i for i in order if self._bears_issuer_name(index, i))

    def _bears_issuer_name(self, child: int, parent: int) -> bool:
        issuer, subject = self.issuers[child], self.subjects[parent]
        if issuer and subject:
            return issuer == subject
        return self.certificates[child].issuer_der == self.certificates[parent].subject_der

    def _signed(self, index: int, parent: Certificate) -> bool:
        if self.signatures_left <= 0:
            return False
        self.signatures_left -= 1
        return quietly(signed, self.certificates[index], parent)

    def _to_root(self, index: int) -> Link | None:
        for anchors in self.known:
            for root in anchors.by_name.get(self.issuers[index], ()):
                if self._signed(index, root):
                    return Link(Edge.SIGNED, root.title, None, anchors.name, root.not_after)
        return None

    def _to_intermediate(self, index: int) -> Link | None:
        """A key Google signs with, of which we hold no certificate."""
        certificate = self.certificates[index]
        if not any(i.subject == certificate.issuer for i in self.trust.intermediates):
            return None
        host = next((n for n in certificate.dns_names if "*" not in n), "host.invalid")
        path = find_path((certificate.der,), host, Authority.GOOGLE, certificate.not_before, self.trust)
        if path.signer not in (Signer.GOOGLE_INTERMEDIATE, Signer.GOOGLE_HISTORICAL) or len(path.certificates) < 2:
            return None
        anchor = "google" if path.signer is Signer.GOOGLE_INTERMEDIATE else "historical"
        issuer = path.certificates[1]
        return Link(Edge.SIGNED, issuer.title, None, f"{anchor}-intermediate", issuer.not_after)

    def _failed(self, index: int, given: Sequence[int]) -> Link:
        """Nobody's signature fits: is there somebody whose it should have been?"""
        named = [i for i in given if i != index or _says_it_signed_itself(self.certificates[index])]
        if named:
            parent = self.details[named[-1]]
            return Link(self._misfit(index, parent.key.kind), parent.title, named[-1])
        for anchors in self.known:
            for root in anchors.by_name.get(self.issuers[index], ()):
                return Link(self._misfit(index, "RSA"), root.title, None, anchors.name, root.not_after)
        return Link(Edge.ISSUER_MISSING, title_of(self.details[index].issuer_parts))

    def _misfit(self, index: int, issuing_kind: str) -> Edge:
        """What a signature that did not fit means: nothing, where a good one would not have been found to fit."""
        checkable = self.signatures_left > 0 and issuing_kind in _CHECKABLE and _checkable(self.certificates[index])
        return Edge.NOT_SIGNED if checkable else Edge.UNCHECKED


def _says_it_signed_itself(certificate: Certificate) -> bool:
    """A CA that changes its key may sign the new one with the old: same name, another key."""
    own, issuer = certificate.key_id, certificate.authority_key_id
    return own is None or issuer is None or own == issuer


def _checkable(certificate: Certificate) -> bool:
    """Whether cryptography verifies signatures of the kind on `certificate`."""
    handle = certificate.handle
    if handle is None:
        return False
    try:
        parameters, _ = handle.signature_algorithm_parameters, handle.signature_hash_algorithm
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    is_rsa = handle.signature_algorithm_oid.dotted_string.startswith(("1.2.840.113549.1.1.", "1.3.14.3.2."))
    return parameters is not None or not is_rsa
