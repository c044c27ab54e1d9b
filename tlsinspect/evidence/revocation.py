"""Whether a certificate is revoked: what each signed object says of it, and what all of them mean at a moment.

The first does not depend on time and is remembered (`answers`); the second is cheap (`status`), so that it can be asked
again once the true time is known. GOOD is never the answer to no data, and whoever says REVOKED is believed against
anybody who does not: a revocation does not end, but what was said before it can be shown again.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from mmap import mmap

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from tlsinspect import der
from tlsinspect.certificate import REFUSALS, Certificate, UnreadableError, extension, same_name, title_of
from tlsinspect.der import Buffer
from tlsinspect.errors import UsageError
from tlsinspect.evidence.answer import Answer
from tlsinspect.evidence.crl import Crl
from tlsinspect.evidence.ocsp import ocsp_answers
from tlsinspect.evidence.signature import signed
from tlsinspect.model import Revocation, RevocationReason, RevocationStatus
from tlsinspect.text import hexadecimal, printable

Octets = Buffer | bytearray | memoryview
MAX_CERTIFICATE = 1 << 20  # octets


def check_revocation(
    certificate: Octets,
    issuer: Octets,
    *,
    at: datetime,
    crls: Iterable[Octets] = (),
    ocsp: Iterable[Octets] = (),
    nonce: Octets | None = None,
) -> RevocationStatus:
    """Whether `certificate`, which `issuer` signed (both DER), is revoked at the time `at`, by RFC 5280 and RFC 6960.

    crls: DER, or files mapped into memory. ocsp: responses, DER. nonce: what was sent with the requests, which every
    response must then repeat. Raises UsageError where something is not of its type, was closed, or `at` has no time
    zone, and nothing else: bytes that prove nothing give `unknown`, and the reason.
    """
    _require_moment(at)
    asked, signer = _octets(certificate, "certificate"), _octets(issuer, "issuer")
    sent = None if nonce is None else _octets(nonce, "nonce")
    lists, responses = _buffers(crls, "crls"), [bytes(body) for body in _buffers(ocsp, "ocsp")]
    try:
        if max(len(asked), len(signer)) > MAX_CERTIFICATE:
            raise UnreadableError("no certificate is that long")
        subject, authority = Certificate(asked), Certificate(signer)
    except UnreadableError:
        return _unknown(RevocationStatus(Revocation.UNKNOWN, RevocationReason.MALFORMED), Answer(""))
    problem = _unrelated(subject, authority)
    if problem is not None:
        return status(subject, [Answer("", problem, issuer=authority.subject)], at)
    found = answers(subject, authority, [Crl(body) for body in lists], responses, nonce=sent)
    return status(subject, found, at)


def _require_moment(at: object) -> None:
    if not isinstance(at, datetime):
        raise UsageError(f"a time to judge at is a datetime with a time zone, not {_kind(at)}")
    if at.utcoffset() is None:
        raise UsageError("a time to judge at needs a time zone, as in 2026-11-23T12:00:00+00:00")


def _buffers(given: object, what: str) -> list[Buffer]:
    if isinstance(given, str | Octets) or not isinstance(given, Iterable):
        raise UsageError(f"{what} is a list of bytes, one for each object, not {_kind(given)}")
    return [_buffer(each, f"each of {what}") for each in given]


def _octets(given: object, what: str) -> bytes:
    return bytes(_buffer(given, what))


def _buffer(given: object, what: str) -> Buffer:
    """As it is where it cannot change, or is mapped into memory. Raises UsageError."""
    try:
        if isinstance(given, mmap):
            len(given)  # raises where it was closed
            return given
        if isinstance(given, bytes | bytearray | memoryview):
            return bytes(given)
    except ValueError:
        raise UsageError(f"{what} was closed or released before it could be read") from None
    raise UsageError(f"{what} is bytes, DER, not {_kind(given)}")


def _kind(given: object) -> str:
    return "None" if given is None else f"a value of type {type(given).__name__}"


def _unrelated(certificate: Certificate, issuer: Certificate) -> RevocationReason | None:
    if certificate.handle is None or issuer.handle is None:
        return RevocationReason.MALFORMED
    if not same_name(certificate.issuer, issuer.subject) or not signed(certificate, issuer):
        return RevocationReason.WRONG_ISSUER
    return None


# -- what is said, whenever ------------------------------------------------------------------------------------------


def answers(
    certificate: Certificate,
    issuer: Certificate,
    crls: Iterable[Crl] = (),
    ocsp: Iterable[bytes] = (),
    staples: Iterable[bytes] = (),
    *,
    nonce: bytes | None = None,
) -> tuple[Answer, ...]:
    """What each object says of `certificate`. That `issuer` signed it is for the caller to know. Where something could
    not be had, add `Answer("", reason, detail=words)`: `status` tells that where nothing better is known."""
    lists, stapled, fetched = tuple(crls), [staple for staple in staples if staple], tuple(ocsp)
    found = [said for body in stapled for said in ocsp_answers(body, certificate, issuer, source="staple")]
    found += [crl.answer(certificate, issuer) for crl in lists]
    for body in fetched:
        found += ocsp_answers(body, certificate, issuer, nonce=nonce)
    delegates = {answer.delegate.der: answer.delegate for answer in found if answer.delegate}
    of = {each: _of_delegate(one, issuer, lists, (*stapled, *fetched)) for each, one in delegates.items()}
    return tuple(replace(each, of_delegate=of[each.delegate.der]) if each.delegate else each for each in found)


def _of_delegate(
    delegate: Certificate, issuer: Certificate, crls: Iterable[Crl], responses: Iterable[bytes]
) -> tuple[Answer, ...]:
    """What the issuer's CRLs and OCSP answers say of a delegate, those that the issuer signed itself: who has lost its
    key must not vouch for itself, nor for another."""
    said = [crl.answer(delegate, issuer) for crl in crls]
    number = der.integer(delegate.serial)
    for body in responses:
        if number in body:  # most speak of something else
            said += [one for one in ocsp_answers(body, delegate, issuer) if one.delegate is None]
    return tuple(said)


# -- what it means at a moment ---------------------------------------------------------------------------------------

# Which of several reasons is told. First what an authority said or failed to say in time; then what should not happen,
# and may be somebody's doing; then what is of no use here, and happens; last that nothing came.
TELLING = (
    RevocationReason.UNKNOWN_CERTIFICATE,
    RevocationReason.STALE,
    RevocationReason.NOT_YET_VALID,
    RevocationReason.UNKNOWN_EXTENSION,
    RevocationReason.WRONG_NONCE,
    RevocationReason.NOT_AUTHORISED,
    RevocationReason.WEAK_SIGNATURE,
    RevocationReason.BAD_SIGNATURE,
    RevocationReason.WRONG_SCOPE,
    RevocationReason.REFUSED,
    RevocationReason.OTHER_CERTIFICATE,
    RevocationReason.WRONG_ISSUER,
    RevocationReason.MALFORMED,
    RevocationReason.BLOCK_PAGE,
    RevocationReason.TOO_LARGE,
    RevocationReason.FORBIDDEN,
    RevocationReason.UNREACHABLE,
    RevocationReason.OFFLINE,
    RevocationReason.NO_SOURCE,
)
_SOURCES = ("staple", "crl", "ocsp", "")  # of two that say the same, which is quoted


def status(certificate: Certificate, given: Iterable[Answer], at: datetime) -> RevocationStatus:
    """What the answers about `certificate` mean at the time `at`: revoked if any says so, else good if any does."""
    whole = RevocationStatus(
        Revocation.UNKNOWN, subject=printable(certificate.title), serial=hexadecimal(certificate.serial)
    )
    heard = [(*answer.at(at), answer) for answer in given]
    if not heard:
        nothing = Answer("", RevocationReason.NO_SOURCE, detail="there was nothing to learn it from")
        heard = [(Revocation.UNKNOWN, RevocationReason.NO_SOURCE, nothing)]
    state, reason, answer = min(heard, key=_rank)
    return _SAID[state](replace(whole, state=state, reason=reason), answer)


Heard = tuple[Revocation, RevocationReason | None, Answer]


def _rank(heard: Heard) -> tuple[int, int, int, float]:
    state, reason, answer = heard
    order = (Revocation.REVOKED, Revocation.GOOD, Revocation.UNKNOWN)
    telling = -1 if reason is None else TELLING.index(reason)
    age = answer.this_update.timestamp() if answer.this_update else 0.0
    return order.index(state), telling, _SOURCES.index(answer.source), -age


# -- sentences -------------------------------------------------------------------------------------------------------

_OBJECTS = {"staple": "stapled OCSP answer", "crl": "CRL", "ocsp": "OCSP answer"}
_NOTHING_CAME = {  # of an answer without a source
    RevocationReason.MALFORMED: "the certificate, or that of its issuer, cannot be read",
    RevocationReason.WRONG_ISSUER: "the certificate was not signed by {issuer}",
}
_WHY = {
    RevocationReason.MALFORMED: "the {object} for {issuer} cannot be read",
    RevocationReason.STALE: "the {object} of {issuer} of {since} ran out {until}",
    RevocationReason.NOT_YET_VALID: "the {object} of {issuer} is good from {since} only",
    RevocationReason.BAD_SIGNATURE: "the signature on the {object} is not that of {issuer}",
    RevocationReason.WEAK_SIGNATURE: "the {object} of {issuer} rests on SHA-1 or MD5, which proves nothing",
    RevocationReason.WRONG_ISSUER: "the {object} is not of the issuer, {issuer}",
    RevocationReason.NOT_AUTHORISED: "whoever signed the {object} may not do so for {issuer}",
    RevocationReason.WRONG_SCOPE: "the {object} of {issuer} does not cover this certificate",
    RevocationReason.UNKNOWN_EXTENSION: "the {object} of {issuer} has a critical extension that is not known here",
    RevocationReason.OTHER_CERTIFICATE: "the {object} for {issuer} is about another certificate",
    RevocationReason.UNKNOWN_CERTIFICATE: "the {object} of {issuer} says that the certificate is not known there",
    RevocationReason.WRONG_NONCE: "the {object} of {issuer} does not repeat what was asked",
    RevocationReason.REFUSED: "the responder of {issuer} refused: {detail}",
}


def _object(answer: Answer) -> str:
    return f"{_OBJECTS[answer.source]} of {_issuer(answer)}"


def _issuer(answer: Answer) -> str:
    return f'"{printable(title_of(answer.issuer))}"' if answer.issuer else "nobody known"


def _moment(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%MZ}" if time else ""


def _until(answer: Answer) -> str:
    return _moment(answer.next_update) or "8 days later"


def _good(whole: RevocationStatus, answer: Answer) -> RevocationStatus:
    until = f"good until {_moment(answer.next_update)}" if answer.next_update else "taken for good for 8 days"
    sentence = f"not revoked: {_object(answer)} of {_moment(answer.this_update)}, {until}"
    return _quoting(whole, answer, sentence)


def _revoked(whole: RevocationStatus, answer: Answer) -> RevocationStatus:
    cause = f" ({answer.cause})" if answer.cause else ""
    sentence = f"revoked on {answer.revoked_at:%Y-%m-%d}{cause} by the {_object(answer)}"
    if whole.reason is RevocationReason.STALE:
        sentence += f" of {_moment(answer.this_update)}, which ran out {_until(answer)}"
    return replace(_quoting(whole, answer, sentence), revoked_at=answer.revoked_at, cause=answer.cause)


def _unknown(whole: RevocationStatus, answer: Answer) -> RevocationStatus:
    reason = whole.reason or RevocationReason.NO_SOURCE
    fault = answer.fault(reason)
    template = _WHY[reason] if answer.source else _NOTHING_CAME.get(reason, "{detail}")
    if answer.source and fault:
        template = "the {object} of {issuer} {fault}"
    why = template.format(
        object=_OBJECTS.get(answer.source),
        issuer=_issuer(answer),
        since=_moment(answer.this_update),
        until=_until(answer),
        detail=answer.detail,
        fault=fault,
    )
    return _quoting(whole, answer, f"not known whether it is revoked: {why}")


def _quoting(whole: RevocationStatus, answer: Answer, sentence: str) -> RevocationStatus:
    return replace(
        whole,
        sentence=sentence,
        source=answer.source,
        this_update=answer.this_update,
        next_update=answer.next_update,
    )


_SAID: dict[Revocation, Callable[[RevocationStatus, Answer], RevocationStatus]] = {
    Revocation.GOOD: _good,
    Revocation.REVOKED: _revoked,
    Revocation.UNKNOWN: _unknown,
}


# -- where to ask ----------------------------------------------------------------------------------------------------

MAX_URLS = 4  # of each kind
_URL = re.compile(r"https?://[!-~]+", re.IGNORECASE)  # ASCII that can be seen, and no space
MAX_URL = 2_000  # characters


@dataclass(frozen=True, slots=True)
class Sources:
    """The addresses a certificate names, in its order. Whether to follow them is for the caller to know."""

    crl: tuple[str, ...] = ()
    ocsp: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def sources(certificate: Certificate) -> Sources:
    """Where a certificate says that its revocation and its issuer are to be had. Never raises."""
    return Sources(
        _urls(certificate, _crl_names),
        _urls(certificate, lambda handle: _access(handle, AuthorityInformationAccessOID.OCSP)),
        _urls(certificate, lambda handle: _access(handle, AuthorityInformationAccessOID.CA_ISSUERS)),
    )


def _urls(certificate: Certificate, names: Callable[[x509.Certificate], Iterable[x509.GeneralName]]) -> tuple[str, ...]:
    try:
        found = list(names(certificate.handle)) if certificate.handle else []
    except REFUSALS:
        return ()
    urls = dict.fromkeys(n.value for n in found if isinstance(n, x509.UniformResourceIdentifier))
    return tuple(url for url in urls if len(url) <= MAX_URL and _URL.fullmatch(url))[:MAX_URLS]


def _crl_names(handle: x509.Certificate) -> Iterable[x509.GeneralName]:
    points = extension(handle, x509.CRLDistributionPoints)
    return [name for point in points or () for name in point.full_name or ()]


def _access(handle: x509.Certificate, method: x509.ObjectIdentifier) -> Iterable[x509.GeneralName]:
    access = extension(handle, x509.AuthorityInformationAccess)
    return [d.access_location for d in access or () if d.access_method == method]
