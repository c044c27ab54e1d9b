"""A certificate as read by whichever reader can.

cryptography reads first, field by field; where it refuses, asn1crypto reads (`lenientname` the names), and `defect`
says what was refused. A certificate that cryptography refuses in any part was not made by Google and is never accepted,
but it is still judged: real interceptors present names, versions and serials that a strict reader throws away.
"""

import hashlib
import ipaddress
import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID

from tlsinspect.der import SEQUENCE, element, elements, only
from tlsinspect.lenientname import parts

T = TypeVar("T")
P = ParamSpec("P")
Name = tuple[tuple[str, str], ...]  # (attribute, value) in DER order; one RDN after the other

FIRST_MOMENT = datetime(1, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC)
POISON = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.3")  # RFC 6962 §3.1: a precertificate
_LABELS = {
    NameOID.COMMON_NAME.dotted_string: "CN",
    NameOID.ORGANIZATION_NAME.dotted_string: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME.dotted_string: "OU",
    NameOID.COUNTRY_NAME.dotted_string: "C",
    NameOID.STATE_OR_PROVINCE_NAME.dotted_string: "ST",
    NameOID.LOCALITY_NAME.dotted_string: "L",
    NameOID.DOMAIN_COMPONENT.dotted_string: "DC",
    NameOID.EMAIL_ADDRESS.dotted_string: "email",
    NameOID.SERIAL_NUMBER.dotted_string: "serialNumber",
    NameOID.STREET_ADDRESS.dotted_string: "street",
    NameOID.USER_ID.dotted_string: "UID",
}
# What the two readers raise on hostile input; asn1crypto documents none of it.
REFUSALS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


_PARTS = ("subject", "issuer", "serial", "not_before", "not_after", "spki", "dns_names", "is_ca", "key_id",
          "authority_key_id", "poisoned", "weak_key")  # fmt: skip


class UnreadableError(ValueError):
    """No reader takes these bytes as a certificate."""


class Certificate:
    """One certificate. Every property is read on first use; none raises once the object exists.

    Raises UnreadableError when neither reader finds a certificate in `der`.
    """

    def __init__(self, der: bytes) -> None:
        self.der = der
        self.defect: str | None = None  # what cryptography refused, in its own words
        self.handle: x509.Certificate | None = None  # None where cryptography refuses the whole
        try:
            self.handle = quietly(x509.load_der_x509_certificate, der)
        except REFUSALS as refusal:
            self.defect = _words(refusal)
            self._lenient.spki  # noqa: B018 - raises UnreadableError here rather than later

    def _read(self, strict: Callable[[x509.Certificate], T], lenient: Callable[["_Lenient"], T]) -> T:
        if self.handle is not None:
            try:
                return quietly(strict, self.handle)
            except REFUSALS as refusal:
                self.defect = self.defect or _words(refusal)
        return lenient(self._lenient)

    @cached_property
    def _lenient(self) -> "_Lenient":
        return _Lenient(self.der)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.der).hexdigest()

    @cached_property
    def sha1(self) -> str:
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest()

    @cached_property
    def subject(self) -> Name:
        return self._read(lambda c: _name(c.subject), lambda c: c.name("subject"))

    @cached_property
    def issuer(self) -> Name:
        return self._read(lambda c: _name(c.issuer), lambda c: c.name("issuer"))

    @cached_property
    def subject_der(self) -> bytes:
        return self._read(lambda c: c.subject.public_bytes(), lambda c: c.name_der("subject"))

    @cached_property
    def issuer_der(self) -> bytes:
        return self._read(lambda c: c.issuer.public_bytes(), lambda c: c.name_der("issuer"))

    @cached_property
    def serial(self) -> int:
        return self._read(lambda c: c.serial_number, lambda c: c.serial())

    @cached_property
    def not_before(self) -> datetime:
        return self._read(lambda c: c.not_valid_before_utc, lambda c: c.time("not_before"))

    @cached_property
    def not_after(self) -> datetime:
        return self._read(lambda c: c.not_valid_after_utc, lambda c: c.time("not_after"))

    @cached_property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo, DER."""
        # As it stands: writing the parsed key again would change what some encoders wrote, and with it the hash.
        return self._read(lambda _: _key(self.der), lambda c: c.spki)

    @cached_property
    def spki_sha256(self) -> str:
        return hashlib.sha256(self.spki).hexdigest()

    @cached_property
    def dns_names(self) -> tuple[str, ...]:
        """dNSName entries of the subjectAltName, as spelt."""
        return self._read(lambda c: _san(c, x509.DNSName), lambda c: c.san("dns_name"))

    @cached_property
    def ip_addresses(self) -> tuple[str, ...]:
        return self._read(lambda c: _san(c, x509.IPAddress), lambda c: c.san("ip_address"))

    @cached_property
    def is_ca(self) -> bool:
        return self._read(_ca, lambda c: c.is_ca())

    @cached_property
    def key_id(self) -> bytes | None:
        return self._read(_key_id, lambda c: c.key_id())

    @cached_property
    def authority_key_id(self) -> bytes | None:
        return self._read(_authority_key_id, lambda _: None)

    @cached_property
    def poisoned(self) -> bool:
        """A precertificate (RFC 6962 §3.1): it proves no endpoint."""
        return self._read(lambda c: _has(c, POISON), lambda c: c.has(POISON.dotted_string))

    @cached_property
    def weak_key(self) -> str | None:
        """Why the key is too weak for a server of 2018 or later, or None."""
        return self._read(_weakness, lambda _: None)

    @cached_property
    def flaw(self) -> str | None:
        """`defect`, once every part has been read."""
        for part in _PARTS:
            getattr(self, part)
        return self.defect

    @property
    def self_issued(self) -> bool:
        return self.subject_der == self.issuer_der

    @property
    def title(self) -> str:
        """A short name for people: see `title_of`."""
        return title_of(self.subject)


def title_of(name: Name) -> str:
    """The common name, else the organisation's unit or name, else the whole."""
    for label in ("CN", "OU", "O"):
        for attribute, value in name:
            if attribute == label and value.strip():
                return value
    return text_of(name) or "(no name)"


def text_of(name: Name) -> str:
    """The name on one line: ``CN=x, O=y``; last attribute first and commas escaped, as RFC 4514 has it."""
    return ", ".join(f"{label}={escaped(value)}" for label, value in reversed(name))


def escaped(value: str) -> str:
    """A value as it stands in `text_of`."""
    return _ESCAPED.sub(_escape, value)


_ESCAPED = re.compile(r'[,+"\\<>;]')


def _escape(found: re.Match[str]) -> str:
    return "\\" + found.group()


def quietly(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Call without the warnings cryptography gives on what it will refuse one day (serial zero, a long country)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(*arguments, **named)


def name_from(der: bytes) -> Name:
    """A distinguished name from its DER. Raises ValueError."""
    return _name(x509.Name.from_bytes(der))


def folded(name: Name) -> Name:
    """The name as RFC 5280 §7.1 compares names: without regard to case, string type and repeated spaces."""
    return tuple((label, " ".join(value.casefold().split())) for label, value in name)


def same_name(one: Name, other: Name) -> bool:
    """Whether both are the same by RFC 5280 §7.1. A name that nobody could read is nobody's."""
    return bool(one) and folded(one) == folded(other)


def _key(der: bytes) -> bytes:
    """The subjectPublicKeyInfo of a certificate: the seventh field of its first part, or the sixth where there is no
    version (RFC 5280 §4.1). Raises IndexError or MalformedError where there is none."""
    whole = only(der, SEQUENCE)
    tbs = element(der, whole.begin, whole.end)
    fields = list(islice(elements(der, tbs.begin, tbs.end), 7))
    key = fields[6 if fields[0].tag == _VERSION else 5]
    return der[key.start : key.end]


_VERSION = 0xA0


def _words(refusal: Exception) -> str:
    return " ".join(str(refusal).split())[:200] or type(refusal).__name__


def _name(name: x509.Name) -> Name:
    return tuple((_LABELS.get(a.oid.dotted_string, a.oid.dotted_string), _string(a.value)) for a in name)


def _string(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _has(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bool:
    return any(e.oid == oid for e in certificate.extensions)


Extension = TypeVar("Extension", bound=x509.ExtensionType)


def extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    """The extension of this kind, or None. Raises one of REFUSALS where the extensions cannot be read."""
    try:
        return quietly(lambda: certificate.extensions).get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _san(certificate: x509.Certificate, kind: type[x509.DNSName] | type[x509.IPAddress]) -> tuple[str, ...]:
    names = extension(certificate, x509.SubjectAlternativeName)
    return tuple(str(n.value) for n in names if isinstance(n, kind)) if names else ()


def _ca(certificate: x509.Certificate) -> bool:
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def _key_id(certificate: x509.Certificate) -> bytes | None:
    found = extension(certificate, x509.SubjectKeyIdentifier)
    return found.digest if found else None


def _authority_key_id(certificate: x509.Certificate) -> bytes | None:
    found = extension(certificate, x509.AuthorityKeyIdentifier)
    return found.key_identifier if found else None


def _weakness(certificate: x509.Certificate) -> str | None:
    """The CA/Browser Forum's Baseline Requirements §6.1.5 for the leaf's own key, which cryptography does not judge."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA key of {key.key_size} bits" if key.key_size < 2048 else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        known = isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1 | ec.SECP521R1)
        return None if known else f"EC key on {key.curve.name}"
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA key"
    return None if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey) else "key of an unknown kind"


class _Lenient:
    """asn1crypto's reading, with its own failures made harmless. Built only where the strict reader refused."""

    def __init__(self, der: bytes) -> None:
        from asn1crypto import x509 as lenient

        try:
            self._tbs: Any = lenient.Certificate.load(der)["tbs_certificate"]
            self.spki: bytes = self._tbs["subject_public_key_info"].dump()
        except REFUSALS as refusal:
            raise UnreadableError(_words(refusal)) from None

    def name_der(self, field: str) -> bytes:
        """The name as it stands; where it cannot even be cut out, bytes that equal no other name's."""
        try:
            return bytes(self._tbs[field].dump())
        except REFUSALS:
            return f"unreadable {field} {id(self)}".encode()

    def name(self, field: str) -> Name:
        return tuple((_LABELS.get(oid, oid), value) for oid, value in parts(self.name_der(field)))

    def serial(self) -> int:
        try:
            return int(self._tbs["serial_number"].native)
        except REFUSALS:
            return 0

    def time(self, field: str) -> datetime:
        """The date; where it cannot be read, the one that makes the certificate valid at no time."""
        try:
            return datetime.fromisoformat(self._tbs["validity"][field].native.isoformat()).astimezone(UTC)
        except REFUSALS:
            return LAST_MOMENT if field == "not_before" else FIRST_MOMENT

    def _extensions(self) -> dict[str, Any]:
        try:
            return {e["extn_id"].dotted: e["extn_value"] for e in self._tbs["extensions"]}
        except REFUSALS:
            return {}

    def has(self, oid: str) -> bool:
        return oid in self._extensions()

    def san(self, kind: str) -> tuple[str, ...]:
        try:
            names = self._extensions()["2.5.29.17"].parsed
            return tuple(_general_name(n) for n in names if n.name == kind)
        except REFUSALS:
            return ()

    def is_ca(self) -> bool:
        try:
            return bool(self._extensions()["2.5.29.19"].parsed["ca"].native)
        except REFUSALS:
            return False

    def key_id(self) -> bytes | None:
        try:
            return bytes(self._extensions()["2.5.29.14"].parsed.native)
        except REFUSALS:
            return None


def _general_name(name: Any) -> str:
    """The name as it stands: asn1crypto's own text would show an A-label in Unicode, which matches nothing."""
    if name.name == "ip_address":
        return str(ipaddress.ip_address(name.chosen.contents))
    return bytes(name.chosen.contents).decode("latin-1")
