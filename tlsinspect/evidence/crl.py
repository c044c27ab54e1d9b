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

from tlsinspect import der
from tlsinspect.certificate import (
    LAST_MOMENT,
    REFUSALS,
    Certificate,
    Name,
    extension,
    name_from,
    quietly,
    same_name,
)
from tlsinspect.der import Buffer, MalformedError
from tlsinspect.evidence import crlscope
from tlsinspect.evidence.answer import Answer
from tlsinspect.evidence.signature import SignedDer, weak_from
from tlsinspect.model import RevocationReason

MAX_ANSWERS = 1024  # remembered by one CRL


class Crl:
    """One CRL, from its DER or a file mapped into memory, which must not change. Nothing is read before it is needed,
    nothing is done twice, and nothing raises, whatever the bytes are."""

    def __init__(self, body: Buffer | bytearray | memoryview) -> None:
        self.body: Buffer = body if isinstance(body, Buffer) else bytes(body)
        self._made: dict[bytes, bool] = {}  # whether that key signed it, by SubjectPublicKeyInfo
        self._answers: dict[tuple[bytes, bytes], Answer] = {}  # by certificate and issuer, DER

    @cached_property
    def _fields(self) -> "_Fields | None":
        try:
            return quietly(_read, self.body)
        except REFUSALS:
            return None

    @property
    def issuer_der(self) -> bytes | None:
        """None where the CRL cannot be read, like the two below."""
        return self._fields.issuer_der if self._fields else None

    @property
    def this_update(self) -> datetime | None:
        return self._fields.this_update if self._fields else None

    @property
    def next_update(self) -> datetime | None:
        return self._fields.next_update if self._fields else None

    def signed_by(self, issuer: Certificate) -> bool:
        """Whether `issuer` signed it, by name and by key, and never weakly. Whether it may is asked by `answer`."""
        fields = self._fields
        strong = fields is not None and weak_from(fields.signed.algorithm) == LAST_MOMENT
        return strong and self._bears_name_of(issuer) and self._made_by(issuer)

    def _bears_name_of(self, issuer: Certificate) -> bool:
        return self._fields is not None and same_name(self._fields.issuer, issuer.subject)

    def _made_by(self, issuer: Certificate) -> bool:
        assert self._fields is not None
        if issuer.spki not in self._made:
            self._made[issuer.spki] = self._fields.signed.made_by(issuer.spki)
        return self._made[issuer.spki]

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
        said = Answer("crl", issuer=issuer.subject, this_update=fields.this_update, next_update=fields.next_update)
        if not self._bears_name_of(issuer):
            return replace(said, problem=RevocationReason.WRONG_ISSUER)
        if not self._made_by(issuer):
            return replace(said, problem=RevocationReason.BAD_SIGNATURE)
        said = replace(said, verified=True, weak_from=weak_from(fields.signed.algorithm))
        problem = next((reason for reason, fails in _UNUSABLE if fails(fields, issuer)), None)
        if problem is not None:
            return replace(said, problem=problem)
        try:
            return quietly(_listing, fields, certificate, said)
        except REFUSALS:
            return replace(said, problem=RevocationReason.MALFORMED)


# -- the fields around the list --------------------------------------------------------------------------------------

X = TypeVar("X", bound=x509.ExtensionType)


@dataclass(frozen=True)
class _Fields:
    """Everything of a CRL but the list, and where that is."""

    body: Buffer
    signed: SignedDer
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
    signed = SignedDer(body)
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
        slim.extensions,
    )


_EXTENSIONS = 0xA0


def _slim(signed: SignedDer, *fields: bytes) -> x509.CertificateRevocationList:
    """cryptography's reading of a CRL of just these fields."""
    tbs = der.encoded(der.SEQUENCE, *fields)
    return x509.load_der_x509_crl(der.encoded(der.SEQUENCE, tbs, signed.algorithm_der, signed.signature_der))


# -- may it be used? -------------------------------------------------------------------------------------------------


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
# Why it cannot be used although the issuer signed it; the first is told.
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
    whole = all(ours for _, ours in whose) and fields.extension(x509.DeltaCRLIndicator) is None
    covers = whole and crlscope.covers(fields.distribution, fields.issuer, certificate)
    problem = None if covers else RevocationReason.WRONG_SCOPE
    if not revoked or crlscope.is_of_attributes(fields.distribution):
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
