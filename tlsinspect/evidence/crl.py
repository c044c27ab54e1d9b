"""What a CRL says of a certificate (RFC 5280 §5 and §6.3), however long it is.

The list of revoked certificates is never read as a whole. The signature is verified over the bytes where they lie; the
fields around the list are read from a slim copy without it; and a serial number is looked for as the octets DER makes
of it, of which there is one form. Only where these are found, or something critical stands in an entry, are the entries
counted out from the first, so that octets inside another serial number are never taken for one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from heapq import merge
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import CRLEntryExtensionOID, ExtensionOID

from tlsinspect.certificate import (
    FIRST_MOMENT,
    LAST_MOMENT,
    REFUSALS,
    Certificate,
    Name,
    extension,
    folded,
    name_from,
    quietly,
)
from tlsinspect.evidence import der
from tlsinspect.evidence.der import Buffer, MalformedError, Signed
from tlsinspect.model import RevocationReason

MAX_ANSWERS = 1024  # remembered by one CRL


@dataclass(frozen=True, slots=True)
class Answer:
    """What one signed object says of one certificate, whenever that is asked.

    Where `revoked_at` is set, the object names the certificate as revoked from then on, even where there is a
    `problem`. Otherwise `problem` says why it says nothing; with neither, it says that the certificate is not revoked.
    """

    source: str  # staple, crl or ocsp
    problem: RevocationReason | None = None
    authentic: bool = False  # signed by the issuer or by whom it authorised, and not weakly
    issuer: Name = ()  # for whom it speaks
    this_update: datetime | None = None
    next_update: datetime | None = None
    produced_at: datetime | None = None
    revoked_at: datetime | None = None
    cause: str = ""  # CRLReason
    detail: str = ""  # the error an OCSP responder answered with
    delegate: Certificate | None = None  # who signed, where that was not the issuer
    of_delegate: tuple["Answer", ...] = ()  # what CRLs say of the delegate
    signer_from: datetime = FIRST_MOMENT  # the window in which whoever signed may speak
    signer_until: datetime = LAST_MOMENT


class Crl:
    """One CRL, from its DER or a file mapped into memory, which must not change. Nothing is read before it is needed,
    nothing is done twice, and nothing raises, whatever the bytes are."""

    def __init__(self, body: Buffer | bytearray | memoryview) -> None:
        self.body: Buffer = body if isinstance(body, Buffer) else bytes(body)
        self._held: dict[bytes, bool] = {}  # by SubjectPublicKeyInfo
        self._answers: dict[tuple[bytes, bytes], Answer] = {}  # by certificate and issuer, DER

    @cached_property
    def _fields(self) -> "_Fields | None":
        try:
            return _read(self.body)
        except REFUSALS:
            return None

    @property
    def issuer_der(self) -> bytes | None:
        """None where the CRL cannot be read, like the three below."""
        return self._fields.issuer_der if self._fields else None

    @property
    def this_update(self) -> datetime | None:
        return self._fields.this_update if self._fields else None

    @property
    def next_update(self) -> datetime | None:
        return self._fields.next_update if self._fields else None

    @property
    def number(self) -> int | None:
        found = self._fields.extension(x509.CRLNumber) if self._fields else None
        return found.crl_number if found else None

    def signed_by(self, issuer: Certificate) -> bool:
        """Whether `issuer` signed it, by name and by key, and not weakly. Whether it may is asked by `answer`."""
        fields = self._fields
        return fields is not None and not any(fails(fields, issuer) for _, fails in _FORGED) and self._holds(issuer)

    def _holds(self, issuer: Certificate) -> bool:
        assert self._fields is not None
        if issuer.spki not in self._held:
            self._held[issuer.spki] = self._fields.signed.held_by(issuer.spki)
        return self._held[issuer.spki]

    def answer(self, certificate: Certificate, issuer: Certificate) -> Answer:
        """What it says of `certificate`, which `issuer` signed."""
        key = (certificate.der, issuer.der)
        found = self._answers.get(key)
        if found is None:
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            found = self._answers[key] = self._answer(certificate, issuer)
        return found

    def _answer(self, certificate: Certificate, issuer: Certificate) -> Answer:
        fields = self._fields
        if fields is None:
            return Answer("crl", RevocationReason.MALFORMED, issuer=issuer.subject)
        said = Answer(
            "crl",
            authentic=self.signed_by(issuer),
            issuer=issuer.subject,
            this_update=fields.this_update,
            next_update=fields.next_update,
        )
        problem = next((reason for reason, fails in _FORGED if fails(fields, issuer)), None)
        if problem is None and not said.authentic:
            problem = RevocationReason.BAD_SIGNATURE
        problem = problem or next((reason for reason, fails in _UNUSABLE if fails(fields, issuer)), None)
        if problem is not None:
            return replace(said, problem=problem)
        try:
            return _listing(fields, certificate, said)
        except REFUSALS:
            return replace(said, problem=RevocationReason.MALFORMED)


# -- the fields around the list --------------------------------------------------------------------------------------

X = TypeVar("X", bound=x509.ExtensionType)


@dataclass(frozen=True)
class _Fields:
    """Everything of a CRL but the list, and where that is."""

    body: Buffer
    signed: Signed
    before: bytes  # the fields before the list
    begin: int  # of the list's content
    end: int
    issuer: Name
    issuer_der: bytes
    this_update: datetime
    next_update: datetime | None
    extensions: x509.Extensions

    def extension(self, kind: type[X]) -> X | None:
        return next((e.value for e in self.extensions if isinstance(e.value, kind)), None)

    @cached_property
    def distribution(self) -> x509.IssuingDistributionPoint | None:
        return self.extension(x509.IssuingDistributionPoint)

    @cached_property
    def critical(self) -> list[int]:
        """Where something critical may stand in an entry: TRUE, followed by an OCTET STRING."""
        return list(self.occurrences(b"\x01\x01\xff\x04"))

    def occurrences(self, octets: bytes) -> Iterator[int]:
        """Where these octets stand within the list."""
        at = self.body.find(octets, self.begin, self.end)
        while at >= 0:
            yield at
            at = self.body.find(octets, at + 1, self.end)


_DATES = (der.UTC_TIME, der.GENERALIZED_TIME)


def _read(body: Buffer) -> _Fields:
    """Raises one of REFUSALS."""
    signed = Signed(body)
    fields = list(der.elements(body, signed.tbs.begin, signed.tbs.end, most=7))
    dated = next(i for i, f in enumerate((*fields, None)) if f is None or f.tag in _DATES)
    lists = [f for f in fields[dated:] if f.tag == der.SEQUENCE]  # revokedCertificates
    if signed.rest or len(lists) > 1 or len(fields) < 2 or fields[0].tag != der.INTEGER:
        raise MalformedError("not a CRL, or of version 1, which knows no extensions")
    if body[fields[1].start : fields[1].end] != signed.algorithm_der:
        raise MalformedError("it names one algorithm and is signed with another")  # RFC 5280 §5.1.2.2
    around = [f for f in fields if f not in lists]
    slim = _slim(signed, *(body[f.start : f.end] for f in around))
    return _Fields(
        body,
        signed,
        b"".join(body[f.start : f.end] for f in around if f.tag != _EXTENSIONS),
        lists[0].begin if lists else 0,
        lists[0].end if lists else 0,
        name_from(slim.issuer.public_bytes()),
        slim.issuer.public_bytes(),
        slim.last_update_utc,
        slim.next_update_utc,
        quietly(lambda: slim.extensions),
    )


_EXTENSIONS = 0xA0


def _slim(signed: Signed, *fields: bytes) -> x509.CertificateRevocationList:
    """cryptography's reading of a CRL of just these fields."""
    tbs = der.encoded(der.SEQUENCE, *fields)
    return quietly(x509.load_der_x509_crl, der.encoded(der.SEQUENCE, tbs, signed.algorithm_der, signed.signature_der))


# -- may it be used? -------------------------------------------------------------------------------------------------


def same_name(one: Name, other: Name) -> bool:
    """RFC 5280 §7.1. A name that nobody could read is nobody's."""
    return bool(one) and folded(one) == folded(other)


def _is_weak(fields: _Fields, _: Certificate) -> bool:
    used = fields.signed.algorithm
    return used is not None and used.weak


def _may_not_sign(_: _Fields, issuer: Certificate) -> bool:
    """RFC 5280 §6.3.3 (f): a key usage that is there must hold cRLSign."""
    try:
        usage = extension(issuer.handle, x509.KeyUsage) if issuer.handle else None
    except REFUSALS:
        return True
    return usage is not None and not usage.crl_sign


def _breaks_profile(fields: _Fields, _: Certificate) -> bool:
    """RFC 5280 §5.2.3: a number, and that not critical. And no list is replaced before it is made."""
    numbers = [e for e in fields.extensions if isinstance(e.value, x509.CRLNumber)]
    backwards = fields.next_update is not None and fields.next_update < fields.this_update
    return backwards or len(numbers) != 1 or numbers[0].critical or numbers[0].value.crl_number < 0


_KNOWN = {
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.ISSUER_ALTERNATIVE_NAME,
    ExtensionOID.CRL_NUMBER,
    ExtensionOID.DELTA_CRL_INDICATOR,
    ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    ExtensionOID.FRESHEST_CRL,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
}


def _is_strange(fields: _Fields, _: Certificate) -> bool:
    """RFC 5280 §5.2: what is critical and not understood makes the whole CRL useless."""
    return any(e.critical and e.oid not in _KNOWN for e in fields.extensions)


Check = tuple[RevocationReason, Callable[[_Fields, Certificate], bool]]
# In this order: why it cannot be the issuer's; and, once the signature was verified, why it cannot be used.
_FORGED: tuple[Check, ...] = (
    (RevocationReason.WRONG_ISSUER, lambda fields, issuer: not same_name(fields.issuer, issuer.subject)),
    (RevocationReason.WEAK_SIGNATURE, _is_weak),
)
_UNUSABLE: tuple[Check, ...] = (
    (RevocationReason.NOT_AUTHORISED, _may_not_sign),
    (RevocationReason.MALFORMED, _breaks_profile),
    (RevocationReason.UNKNOWN_EXTENSION, _is_strange),
)


# -- the list --------------------------------------------------------------------------------------------------------

_CERTIFICATE_ISSUER = b"\x06\x03\x55\x1d\x1d"  # the OID, which may stand in an entry without being critical
_KNOWN_IN_ENTRY = {
    CRLEntryExtensionOID.CRL_REASON,
    CRLEntryExtensionOID.INVALIDITY_DATE,
    CRLEntryExtensionOID.CERTIFICATE_ISSUER,
    x509.ObjectIdentifier("2.5.29.23"),  # holdInstructionCode, of RFC 3280
}


def _listing(fields: _Fields, certificate: Certificate, said: Answer) -> Answer:
    """Raises one of REFUSALS."""
    entries = list(_entries(fields, certificate.serial))
    if any(e.critical and e.oid not in _KNOWN_IN_ENTRY for entry in entries for e in quietly(_extensions, entry)):
        return replace(said, problem=RevocationReason.UNKNOWN_EXTENSION)
    whose = [(entry, same_name(issuer, certificate.issuer)) for entry, issuer in _with_issuers(entries, fields.issuer)]
    named = [entry for entry, ours in whose if ours and entry.serial_number == certificate.serial]
    revoked = sorted((e.revocation_date_utc, _cause(e)) for e in named if _cause(e) != "removeFromCRL")
    # A list that names others' certificates is indirect, whether or not it says so.
    covers = all(ours for _, ours in whose) and _covers(fields, certificate)
    problem = None if covers else RevocationReason.WRONG_SCOPE
    if not revoked or _is_of_attributes(fields):
        return replace(said, problem=problem)
    # An issuer gives each serial number once: where a CRL names it, it does so even for a scope it should not be in.
    return replace(said, problem=problem, revoked_at=revoked[0][0], cause=revoked[0][1])


def _entries(fields: _Fields, serial: int) -> Iterable[x509.RevokedCertificate]:
    """The entries that may bear on this serial number, in their order."""
    marks = [fields.occurrences(der.integer(serial)), iter(fields.critical)]
    if fields.distribution and fields.distribution.indirect_crl:
        marks.append(fields.occurrences(_CERTIFICATE_ISSUER))
    found = list(_around(fields, merge(*marks)))
    return _slim(fields.signed, fields.before, der.encoded(der.SEQUENCE, *found)) if found else ()


def _around(fields: _Fields, positions: Iterable[int]) -> Iterator[bytes]:
    """The entries in which these positions lie, which ascend. Raises MalformedError."""
    body, start, end = fields.body, fields.begin, fields.begin
    for position in positions:
        if position < end:
            continue
        while end <= position:
            start, length = end, body[end + 1]
            # A short length is by far the most frequent, and there may be a million entries.
            end += 2 + length if length < 0x80 else der.element(body, end, fields.end).end - end
        if end > fields.end:
            raise MalformedError("an entry is longer than the list")
        yield body[start:end]


def _extensions(entry: x509.RevokedCertificate) -> x509.Extensions:
    return entry.extensions


def _entry_extension(entry: x509.RevokedCertificate, kind: type[X]) -> X | None:
    return next((e.value for e in quietly(_extensions, entry) if isinstance(e.value, kind)), None)


def _cause(entry: x509.RevokedCertificate) -> str:
    reason = _entry_extension(entry, x509.CRLReason)
    return reason.reason.value if reason else ""


def _with_issuers(
    entries: Iterable[x509.RevokedCertificate], issuer: Name
) -> Iterator[tuple[x509.RevokedCertificate, Name]]:
    """Each entry with the issuer of the certificate it names: the one last named before it (RFC 5280 §5.3.3)."""
    for entry in entries:
        named = _entry_extension(entry, x509.CertificateIssuer)
        if named is not None:
            issuer = next((name_from(n.value.public_bytes()) for n in named if isinstance(n, x509.DirectoryName)), ())
        yield entry, issuer


# -- the scope -------------------------------------------------------------------------------------------------------

Point = tuple[type[x509.GeneralName], object]  # one name of a distribution point, made comparable


def _is_of_attributes(fields: _Fields) -> bool:
    """Attribute certificates have serial numbers of their own (RFC 5755 §4.2.5)."""
    return fields.distribution is not None and fields.distribution.only_contains_attribute_certs


def _covers(fields: _Fields, certificate: Certificate) -> bool:
    """Whether every revocation of `certificate` would stand in this CRL (RFC 5280 §6.3.3 (b) to (e))."""
    if fields.extension(x509.DeltaCRLIndicator) is not None:
        return False
    scope = fields.distribution
    if scope is None:
        return True
    partial = scope.indirect_crl or scope.only_some_reasons is not None or scope.only_contains_attribute_certs
    other_kind = scope.only_contains_user_certs if certificate.is_ca else scope.only_contains_ca_certs
    if partial or other_kind:
        return False
    if scope.full_name is None and scope.relative_name is None:
        return True
    return bool(_points(scope, fields.issuer) & _points_of(certificate))


def _points_of(certificate: Certificate) -> set[Point]:
    """The names of the distribution points where all of a certificate's revocations are to be found. One of them always
    is the issuer itself: RFC 5280 §6.3.3, at its end."""
    found: set[Point] = {(x509.DirectoryName, folded(certificate.issuer))}
    try:
        points = extension(certificate.handle, x509.CRLDistributionPoints) if certificate.handle else None
    except REFUSALS:
        return found
    return found.union(*(_points(p, certificate.issuer) for p in points or () if _is_whole(p, certificate.issuer)))


def _is_whole(point: x509.DistributionPoint, issuer: Name) -> bool:
    """Not where some reasons only are published, nor where the CRLs of somebody else lie."""
    own = (x509.DirectoryName, folded(issuer))
    return point.reasons is None and (not point.crl_issuer or own in _comparable(point.crl_issuer))


def _points(named: x509.DistributionPoint | x509.IssuingDistributionPoint, issuer: Name) -> set[Point]:
    """Its full names, or the one name that is relative to the issuer's."""
    if named.relative_name is not None:
        relative = name_from(x509.Name([named.relative_name]).public_bytes())
        return {(x509.DirectoryName, folded(issuer + relative))}
    return _comparable(named.full_name)


def _comparable(names: Iterable[x509.GeneralName] | None) -> set[Point]:
    return {
        (type(n), folded(name_from(n.value.public_bytes())) if isinstance(n, x509.DirectoryName) else n.value)
        for n in names or ()
    }
