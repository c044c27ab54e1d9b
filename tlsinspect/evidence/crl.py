"""What a CRL says of a certificate (RFC 5280 §5 and §6.3), however long it is.

A long list of revoked certificates is never read as a whole. The signature is verified over the bytes where they lie;
the fields around the list, which are few, are read from a slim copy without it; and a serial number is looked for by
its octets. Only where these are found, or something critical stands in an entry, are the entries counted out from the
first, so that octets inside another serial number are never taken for one.

Before the signature holds, nothing is read but what it takes to look at it. After that, an issuer that names a serial
number is believed, however odd the rest: see `_ODD`.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, cached_property
from heapq import merge
from itertools import chain

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
from tlsinspect.evidence.answer import BACKWARDS, UNKNOWN_WAY, Answer, outlived
from tlsinspect.evidence.signature import SignedDer, weak_from
from tlsinspect.model import RevocationReason

MAX_ANSWERS = 1024  # remembered by one CRL
MAX_AROUND = 64 * 1024  # octets of everything but the list; real ones have a thousand
LONG_SERIAL = 8  # octets; such as stand nowhere by chance
MAX_STRICT = 256 * 1024  # octets of a list of which every entry is read; in a longer one, those that matter


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
            unknown = fields.signed.algorithm is None
            return replace(said, problem=RevocationReason.BAD_SIGNATURE, detail=UNKNOWN_WAY if unknown else "")
        said = replace(said, verified=True, weak_from=weak_from(fields.signed.algorithm))
        for reason, words, fails in _UNUSABLE:
            if fails(fields, issuer):
                return replace(said, problem=reason, detail=words)
        try:
            return quietly(_listing, fields, certificate, said)
        except REFUSALS:
            return replace(said, problem=RevocationReason.MALFORMED, detail=_NO_LIST)


# -- the fields around the list --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fields:
    """Everything of a CRL but the list, and where that is."""

    body: Buffer
    signed: SignedDer
    before: bytes  # the fields before the list
    begin: int  # of the list's content
    end: int
    versioned: bool
    issuer: Name
    issuer_der: bytes
    this_update: datetime
    next_update: datetime | None
    extensions_der: bytes  # with their tag; empty where there are none

    @cached_property
    def extensions(self) -> tuple[der.Extension, ...]:
        """Raises MalformedError. They are not cryptography's, which refuses them all for one it dislikes."""
        if not self.extensions_der:
            return ()
        tagged = der.only(self.extensions_der, _EXTENSIONS)
        return der.extensions(self.extensions_der, der.only(self.extensions_der, der.SEQUENCE, tagged.begin))

    def extension(self, oid: x509.ObjectIdentifier) -> der.Extension | None:
        return next((e for e in self.extensions if e.oid == oid.dotted_string), None)

    @cached_property
    def distribution(self) -> x509.IssuingDistributionPoint | None:
        """As cryptography reads it in a CRL that has nothing else. Raises one of REFUSALS."""
        found = self.extension(ExtensionOID.ISSUING_DISTRIBUTION_POINT)
        if found is None:
            return None
        alone = der.encoded(der.SEQUENCE, _ISSUING_DISTRIBUTION_POINT, der.encoded(der.OCTET_STRING, found.value))
        read = _slim(self.signed, self.before, der.encoded(_EXTENSIONS, der.encoded(der.SEQUENCE, alone)))
        return quietly(lambda: read.extensions).get_extension_for_class(x509.IssuingDistributionPoint).value

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


# The tags of a TBSCertList: version, algorithm, issuer, one date or two, the list, the extensions (RFC 5280 §5.1).
_FORM = re.compile(rb"(\x02)?\x30\x30[\x17\x18]{1,2}(\x30)?\xa0?")


def _read(body: Buffer) -> _Fields:
    """Raises one of REFUSALS."""
    signed = SignedDer(body)
    fields = list(der.elements(body, signed.tbs.begin, signed.tbs.end, most=7))
    form = _FORM.fullmatch(bytes(f.tag for f in fields))
    if signed.rest or form is None:
        raise MalformedError("not a CRL")
    versioned = form[1] is not None
    inner = fields[1 if versioned else 0]
    if body[inner.start : inner.end] != signed.algorithm_der:
        raise MalformedError("it names one algorithm and is signed with another")  # RFC 5280 §5.1.2.2
    lists = [fields[form.start(2)]] if form[2] else []  # revokedCertificates
    begin, end = (lists[0].begin, lists[0].end) if lists else (0, 0)
    if len(body) - (end - begin) > MAX_AROUND:
        raise MalformedError("more around the list than anybody needs")
    around = [f for f in fields if f not in lists]
    before = b"".join(body[f.start : f.end] for f in around if f.tag != _EXTENSIONS)
    slim = _slim(signed, before)
    return _Fields(
        body,
        signed,
        before,
        begin,
        end,
        versioned,
        name_from(slim.issuer.public_bytes()),
        slim.issuer.public_bytes(),
        slim.last_update_utc,
        slim.next_update_utc,
        b"".join(body[f.start : f.end] for f in around if f.tag == _EXTENSIONS),
    )


_EXTENSIONS = 0xA0
_ISSUING_DISTRIBUTION_POINT = b"\x06\x03\x55\x1d\x1c"  # the OID


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


def _is_hidden(fields: _Fields, _: Certificate) -> bool:
    try:
        fields.extensions, fields.distribution  # noqa: B018 - raise here rather than later
    except REFUSALS:
        return True
    return False


_EXPIRED_ON_CRL = x509.ObjectIdentifier("2.5.29.60")  # ExpiredCertsOnCRL
_KNOWN = {
    oid.dotted_string
    for oid in (
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.DELTA_CRL_INDICATOR,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
        ExtensionOID.FRESHEST_CRL,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        _EXPIRED_ON_CRL,
    )
}


def _is_strange(fields: _Fields, _: Certificate) -> bool:
    """RFC 5280 §5.2: what is critical and not understood makes the whole CRL useless."""
    return any(e.critical and e.oid not in _KNOWN for e in fields.extensions)


def _is_garbled(fields: _Fields, _: Certificate) -> bool:
    """Whether a list that is not long is not DER in every entry. What else it names, nobody could say."""
    if fields.end - fields.begin > MAX_STRICT:
        return False
    try:
        quietly(x509.load_der_x509_crl, bytes(fields.body))
    except REFUSALS:
        return True
    return False


_NO_LIST = "lists what cannot be read"
# Why it cannot be used although the issuer signed it, with words where the reason alone would not tell.
_UNUSABLE: tuple[tuple[RevocationReason, str, Callable[[_Fields, Certificate], bool]], ...] = (
    (RevocationReason.NOT_AUTHORISED, "", _may_not_sign),
    (RevocationReason.MALFORMED, "has extensions that cannot be read", _is_hidden),
    (RevocationReason.UNKNOWN_EXTENSION, "", _is_strange),
    (RevocationReason.MALFORMED, _NO_LIST, _is_garbled),
)


def _is_critical_number(fields: _Fields) -> bool:
    number = fields.extension(ExtensionOID.CRL_NUMBER)
    return number is not None and number.critical


def _is_no_number(fields: _Fields) -> bool:
    """Not an INTEGER from zero on, as DER has it."""
    number = fields.extension(ExtensionOID.CRL_NUMBER)
    return number is not None and number.value != der.integer(abs(int.from_bytes(number.value[2:], signed=True)))


# What RFC 5280 forbids and does not matter to whom the list names: that stays revoked. Of all others such a list says
# nothing. §5.2.3: a number, and that not critical. And no list is replaced before it is made.
_ODD: tuple[tuple[str, Callable[[_Fields], bool]], ...] = (
    ("is of version 1, which knows no numbers", lambda fields: not fields.versioned),
    ("has no number", lambda fields: fields.extension(ExtensionOID.CRL_NUMBER) is None),
    ("has a critical number", _is_critical_number),
    ("has a number that is none", _is_no_number),
    (BACKWARDS, lambda fields: bool(fields.next_update and fields.next_update < fields.this_update)),
)


# -- the list --------------------------------------------------------------------------------------------------------

_REASON, _CERTIFICATE_ISSUER = CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.CERTIFICATE_ISSUER
_KNOWN_IN_ENTRY = {
    _REASON.dotted_string,
    _CERTIFICATE_ISSUER.dotted_string,
    CRLEntryExtensionOID.INVALIDITY_DATE.dotted_string,
    "2.5.29.23",  # holdInstructionCode, of RFC 3280
}
_CERTIFICATE_ISSUER_DER = b"\x06\x03\x55\x1d\x1d"  # which may stand in an entry without being critical
# By their DER, an ENUMERATED (RFC 5280 §5.3.1). What else stands there revokes too, for no cause that has a name.
_CAUSES = {
    der.encoded(der.ENUMERATED, bytes([number])): cause
    for number, cause in (
        (0, "unspecified"),
        (1, "keyCompromise"),
        (2, "cACompromise"),
        (3, "affiliationChanged"),
        (4, "superseded"),
        (5, "cessationOfOperation"),
        (6, "certificateHold"),
        (8, "removeFromCRL"),
        (9, "privilegeWithdrawn"),
        (10, "aACompromise"),
    )
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One revoked certificate, and what is said beside it."""

    parsed: x509.RevokedCertificate
    extensions: tuple[der.Extension, ...]

    def value(self, oid: x509.ObjectIdentifier) -> bytes | None:
        return next((e.value for e in self.extensions if e.oid == oid.dotted_string), None)

    @property
    def cause(self) -> str:
        return _CAUSES.get(self.value(_REASON) or b"", "")


def _listing(fields: _Fields, certificate: Certificate, said: Answer) -> Answer:
    """Raises one of REFUSALS."""
    entries = _entries(fields, certificate.serial)
    if any(e.critical and e.oid not in _KNOWN_IN_ENTRY for entry in entries for e in entry.extensions):
        return replace(said, problem=RevocationReason.UNKNOWN_EXTENSION)
    whose = list(_with_owners(entries, fields, certificate))
    named = [entry for entry, ours in whose if ours and entry.parsed.serial_number == certificate.serial]
    revoked = [(e.parsed.revocation_date_utc, e.cause) for e in named if e.cause != "removeFromCRL"]
    # A list that names others' certificates is indirect, whether or not it says so.
    whole = all(ours for _, ours in whose) and fields.extension(ExtensionOID.DELTA_CRL_INDICATOR) is None
    said = _limited(fields, certificate, said, whole)
    if not revoked or crlscope.is_of_attributes(fields.distribution):
        return said
    # An issuer gives each serial number once: where a CRL names it, it does so even for a scope it should not be in.
    date, cause = min(revoked)
    return replace(said, revoked_at=date, cause=cause)


def _limited(fields: _Fields, certificate: Certificate, said: Answer, whole: bool) -> Answer:
    """Why the list says nothing of what it does not name, if so."""
    odd = next((words for words, is_so in _ODD if is_so(fields)), None)
    if odd:
        return replace(said, problem=RevocationReason.MALFORMED, detail=odd)
    if not whole or not crlscope.covers(fields.distribution, fields.issuer, certificate):
        return replace(said, problem=RevocationReason.WRONG_SCOPE)
    kept = fields.extension(_EXPIRED_ON_CRL)
    return replace(said, outlived=outlived(fields.this_update, certificate, kept.value if kept else None))


def _entries(fields: _Fields, serial: int) -> list[_Entry]:
    """The entries that may bear on this serial number, in their order. The first always is among them."""
    if fields.begin == fields.end:
        return []
    marks = [fields.occurrences(_octets(serial)), iter(fields.critical)]
    if fields.distribution and fields.distribution.indirect_crl:
        marks.append(fields.occurrences(_CERTIFICATE_ISSUER_DER))
    found = list(_around(fields, chain([fields.begin], merge(*marks))))
    read = cache(_extensions)  # the entries of a list have few between them
    parsed = _slim(fields.signed, fields.before, der.encoded(der.SEQUENCE, *found))
    return [_Entry(one, read(_behind_date(body))) for one, body in zip(parsed, found, strict=True)]


def _octets(serial: int) -> bytes:
    """What to look for: the content alone, so that a number which is not written as DER has it is found too, and the
    list refused. Of a short one the content stands everywhere; there, the whole element."""
    whole = der.integer(serial)
    content = whole[der.element(whole, 0, len(whole)).begin :]
    return content if len(content) >= LONG_SERIAL else whole


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


def _behind_date(entry: bytes) -> bytes:
    """The extensions of an entry, DER; empty where there are none. Raises MalformedError."""
    whole = der.only(entry, der.SEQUENCE)
    _, date, *_ = der.elements(entry, whole.begin, whole.end, most=3)
    return entry[date.end :]


def _extensions(octets: bytes) -> tuple[der.Extension, ...]:
    """Raises MalformedError."""
    return der.extensions(octets, der.only(octets, der.SEQUENCE)) if octets else ()


def _with_owners(entries: Iterable[_Entry], fields: _Fields, certificate: Certificate) -> Iterator[tuple[_Entry, bool]]:
    """Each entry, and whether it is about the issuer of `certificate`: whoever was last named as the issuer in it or
    before it, else that of the list (RFC 5280 §5.3.3). Raises one of REFUSALS."""
    ours = same_name(fields.issuer, certificate.issuer)
    for entry in entries:
        named = entry.value(_CERTIFICATE_ISSUER)
        if named is not None:
            ours = same_name(_directory_name(named), certificate.issuer)
        yield entry, ours


_TAGGED_DIRECTORY = 0xA4


def _directory_name(names: bytes) -> Name:
    """The first that is one of these GeneralNames, DER. Raises one of REFUSALS."""
    whole = der.only(names, der.SEQUENCE)
    found = (n for n in der.elements(names, whole.begin, whole.end) if n.tag == _TAGGED_DIRECTORY)
    return next((name_from(names[n.begin : n.end]) for n in found), ())
