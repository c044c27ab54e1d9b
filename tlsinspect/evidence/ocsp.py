"""What an OCSP response says of a certificate (RFC 6960), stapled or fetched; and how to ask for one.

cryptography reads the fields and checks nothing. From the frame around them, which `ocspframe` walks, come the
signature, who may have made it, and what is critical.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import quote

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from tlsinspect import der
from tlsinspect.certificate import REFUSALS, Certificate, UnreadableError, extension, name_from, quietly, same_name
from tlsinspect.der import Element, MalformedError
from tlsinspect.evidence.answer import BACKWARDS, UNKNOWN_WAY, Answer, outlived
from tlsinspect.evidence.ocspframe import BY_KEY, BY_NAME, Single, frame
from tlsinspect.evidence.signature import SignedDer, algorithm_on, signed, weak_from
from tlsinspect.model import RevocationReason

MAX_RESPONSE = 1 << 20  # octets
MAX_CERTIFICATES = 8  # embedded in one response
MAX_NAMING = 16 * 1024  # octets of an embedded certificate or a responder's name: reading them comes before any proof
MAX_REMEMBERED = 64 * 1024  # octets of a response whose answers are remembered

_DIGESTS = ("sha1", "sha256", "sha384", "sha512")  # of a CertID
_NONCE = "1.3.6.1.5.5.7.48.1.2"
_ARCHIVE_CUTOFF = "1.3.6.1.5.5.7.48.1.6"
_KNOWN = {
    _NONCE,
    "1.3.6.1.5.5.7.48.1.3",  # CRL reference
    "1.3.6.1.5.5.7.48.1.4",  # acceptable responses
    "1.3.6.1.5.5.7.48.1.5",  # no check
    _ARCHIVE_CUTOFF,
    "1.3.6.1.5.5.7.48.1.7",  # service locator
    "1.3.6.1.5.5.7.48.1.8",  # preferred signature algorithms
    "1.3.6.1.5.5.7.48.1.9",  # extended definition of revoked
    "1.3.6.1.4.1.11129.2.4.5",  # signed certificate timestamps, RFC 6962 §3.3
    ExtensionOID.CRL_NUMBER.dotted_string,
    "2.5.29.21",  # CRLReason: entry extensions may stand in a single response, RFC 6960 §4.4.5
    "2.5.29.24",  # invalidityDate
}
_ERRORS = {
    ocsp.OCSPResponseStatus.MALFORMED_REQUEST: "malformedRequest",
    ocsp.OCSPResponseStatus.INTERNAL_ERROR: "internalError",
    ocsp.OCSPResponseStatus.TRY_LATER: "tryLater",
    ocsp.OCSPResponseStatus.SIG_REQUIRED: "sigRequired",
    ocsp.OCSPResponseStatus.UNAUTHORIZED: "unauthorized",
}


def ocsp_answers(
    body: bytes, certificate: Certificate, issuer: Certificate, *, source: str = "ocsp", nonce: bytes | None = None
) -> tuple[Answer, ...]:
    """What a response says of `certificate`, which `issuer` signed: an answer for each time it speaks of it, else one
    that says why it does not. Never raises."""
    read = _remembered if len(body) <= MAX_REMEMBERED else _read
    return read(body, certificate.der, issuer.der, source, nonce)


def _read(body: bytes, certificate: bytes, issuer: bytes, source: str, nonce: bytes | None) -> tuple[Answer, ...]:
    # By their DER, so that certificates read anew find what was answered before.
    asked, authority = Certificate(certificate), Certificate(issuer)
    said = Answer(source, issuer=authority.subject)
    if len(body) > MAX_RESPONSE:
        return (replace(said, problem=RevocationReason.MALFORMED, detail="is too large to be read"),)
    try:
        return tuple(_answers(body, asked, authority, said, nonce))
    except REFUSALS:
        return (replace(said, problem=RevocationReason.MALFORMED),)


_remembered = lru_cache(maxsize=512)(_read)


def _answers(
    body: bytes, certificate: Certificate, issuer: Certificate, said: Answer, nonce: bytes | None
) -> Iterable[Answer]:
    """Raises one of REFUSALS."""
    parsed = quietly(ocsp.load_der_ocsp_response, body)
    if parsed.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return [replace(said, problem=RevocationReason.REFUSED, detail=_ERRORS[parsed.response_status])]
    response = _response(body, parsed)
    mine = [single for single in response.singles if _is_about(single.parsed, certificate, issuer)]
    if not mine:
        return [replace(said, problem=RevocationReason.OTHER_CERTIFICATE)]
    said = _spoken(replace(said, produced_at=parsed.produced_at_utc), response, issuer)
    problem = said.problem or _wrong(response, nonce)
    return [_answer(single, certificate, replace(said, problem=problem)) for single in mine]


def _answer(single: "_Single", certificate: Certificate, said: Answer) -> Answer:
    one = single.parsed
    said = replace(said, this_update=one.this_update_utc, next_update=one.next_update_utc)
    problem = said.problem or (RevocationReason.UNKNOWN_EXTENSION if _has_strange(single.place.extensions) else None)
    if problem is not None:
        return replace(said, problem=problem)
    if one.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        said = replace(said, problem=RevocationReason.UNKNOWN_CERTIFICATE)
    if one.certificate_status is ocsp.OCSPCertStatus.REVOKED:  # which is so, however odd the dates
        said = replace(said, revoked_at=one.revocation_time_utc, cause=_cause(one))
    if one.next_update_utc is not None and one.next_update_utc < one.this_update_utc:
        said = replace(said, problem=RevocationReason.MALFORMED, detail=BACKWARDS)
    return replace(said, outlived=outlived(one.this_update_utc, certificate, _kept_from(single)))


def _kept_from(single: "_Single") -> bytes | None:
    return next((e.value for e in single.place.extensions if e.oid == _ARCHIVE_CUTOFF), None)


def _cause(single: ocsp.OCSPSingleResponse) -> str:
    """The reason, if it is one. Revoked is revoked without it, and for removeFromCRL too, which makes no sense here."""
    try:
        return single.revocation_reason.value if single.revocation_reason else ""
    except ValueError:
        return ""


# -- what was read ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Single:
    parsed: ocsp.OCSPSingleResponse
    place: Single


@dataclass(frozen=True)
class _Response:
    signed: SignedDer
    responder: bytes  # DER of the ResponderID
    singles: tuple[_Single, ...]
    extensions: tuple[der.Extension, ...]
    certificates: tuple[Certificate, ...]


def _response(body: bytes, parsed: ocsp.OCSPResponse) -> _Response:
    """Raises one of REFUSALS."""
    read = frame(body)
    if read.versioned:
        raise MalformedError("of another version than 1, which DER leaves out")
    singles = zip(quietly(lambda: list(parsed.responses)), read.singles, strict=True)
    return _Response(
        read.signed,
        body[read.responder.start : read.responder.end],
        tuple(_Single(one, place) for one, place in singles),
        read.extensions,
        _certificates(body, read.signed.rest),
    )


def _certificates(body: bytes, parts: list[Element]) -> tuple[Certificate, ...]:
    """The first certificates that came with the signature, as far as they can be read."""
    found = []
    for part in parts:
        listed = der.only(body, der.SEQUENCE, part.begin, part.end)
        for each in list(der.elements(body, listed.begin, listed.end))[:MAX_CERTIFICATES]:
            try:
                if each.end - each.start <= MAX_NAMING:
                    found.append(Certificate(body[each.start : each.end]))
            except UnreadableError:
                continue
    return tuple(found)


# -- whose certificate it speaks of ----------------------------------------------------------------------------------


def _is_about(single: ocsp.OCSPSingleResponse, certificate: Certificate, issuer: Certificate) -> bool:
    """Whether the CertID is that of `certificate` (RFC 6960 §4.1.1): serial number, and hashes of the issuer's name and
    key. One whose hash is not known here is somebody else's."""
    if single.serial_number != certificate.serial:
        return False
    try:
        digest = single.hash_algorithm.name
    except UnsupportedAlgorithm:
        return False
    ids = (single.issuer_name_hash, single.issuer_key_hash)
    return digest in _DIGESTS and ids == _issuer_hashes(certificate.issuer_der, issuer.spki, digest)


@lru_cache(maxsize=256)  # for a response that gives one serial number four thousand times
def _issuer_hashes(name: bytes, spki: bytes, digest: str) -> tuple[bytes, bytes]:
    """Raises MalformedError."""
    of_name, of_key = (hashlib.new(digest, each, usedforsecurity=False).digest() for each in (name, _key_octets(spki)))
    return of_name, of_key


def _key_octets(spki: bytes) -> bytes:
    """The subjectPublicKey without tag, length and number of unused bits. Raises MalformedError."""
    whole = der.only(spki, der.SEQUENCE)
    _, key = der.elements(spki, whole.begin, whole.end, most=2)
    return spki[key.begin + 1 : key.end]


# -- who signed it ---------------------------------------------------------------------------------------------------


def _spoken(said: Answer, response: _Response, issuer: Certificate) -> Answer:
    """What is said, with who says it and for how long that counts."""
    signer = _signer(response, issuer)
    if isinstance(signer, RevocationReason):
        unknown = signer is RevocationReason.BAD_SIGNATURE and response.signed.algorithm is None
        return replace(said, problem=signer, detail=UNKNOWN_WAY if unknown else "")
    weak = weak_from(response.signed.algorithm)
    if signer is issuer:
        return replace(said, verified=True, weak_from=weak)
    return replace(
        said,
        verified=True,
        weak_from=min(weak, weak_from(algorithm_on(signer))),  # its certificate is half of what is believed
        delegate=signer,
        signer_from=signer.not_before,
        signer_until=signer.not_after,
    )


def _signer(response: _Response, issuer: Certificate) -> Certificate | RevocationReason:
    """Who made the signature and may have made it (RFC 6960 §4.2.2.2), or why nobody is known to."""
    is_named = _by_key if response.responder[0] == BY_KEY else _by_name
    named = [c for c in (issuer, *response.certificates) if is_named(response.responder, c)]
    made = [c for c in named if response.signed.made_by(c.spki)]
    if issuer in made:
        return issuer
    lacks = [(_lacks_authority(c, issuer), c) for c in made]
    # One key may have several certificates; the one that has longest to go is the one in use.
    authorised = sorted((c for lack, c in lacks if lack is None), key=lambda c: c.not_after)
    if authorised:
        return authorised[-1]
    lacking = [lack for lack, _ in lacks if lack is not None]
    return lacking[-1] if lacking else RevocationReason.BAD_SIGNATURE if named else RevocationReason.NOT_AUTHORISED


def _by_key(responder: bytes, certificate: Certificate) -> bool:
    """Whether this is the SHA-1 of the certificate's key."""
    key = hashlib.sha1(_key_octets(certificate.spki), usedforsecurity=False).digest()
    return responder == der.encoded(BY_KEY, der.encoded(der.OCTET_STRING, key))


def _by_name(responder: bytes, certificate: Certificate) -> bool:
    """Whether this is the certificate's subject, by RFC 5280 §7.1. Raises one of REFUSALS."""
    if responder == der.encoded(BY_NAME, certificate.subject_der):
        return True
    name = der.only(responder, BY_NAME)
    return len(responder) <= MAX_NAMING and same_name(name_from(responder[name.begin :]), certificate.subject)


def _lacks_authority(delegate: Certificate, issuer: Certificate) -> RevocationReason | None:
    """Why `delegate` may not answer for `issuer`, whose own signature must have said that it may; or None."""
    try:
        return next((reason for reason, fails in _UNAUTHORISED if fails(delegate, issuer)), None)
    except REFUSALS:
        return RevocationReason.NOT_AUTHORISED


def _is_not_issued(delegate: Certificate, issuer: Certificate) -> bool:
    return not same_name(delegate.issuer, issuer.subject) or not signed(delegate, issuer)


def _is_not_purposed(delegate: Certificate, _: Certificate) -> bool:
    """For this, a purpose that includes every purpose does not count."""
    purposes = extension(_handle(delegate), x509.ExtendedKeyUsage)
    usage = extension(_handle(delegate), x509.KeyUsage)
    named = purposes is not None and ExtendedKeyUsageOID.OCSP_SIGNING in purposes
    return not named or (usage is not None and not usage.digital_signature)


def _is_strange(delegate: Certificate, _: Certificate) -> bool:
    extensions = quietly(lambda: _handle(delegate).extensions)
    return any(e.critical and e.oid not in _KNOWN_IN_DELEGATE for e in extensions)


def _handle(certificate: Certificate) -> x509.Certificate:
    if certificate.handle is None:
        raise MalformedError("cryptography does not take it")
    return certificate.handle


_KNOWN_IN_DELEGATE = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    ExtensionOID.OCSP_NO_CHECK,
}
_UNAUTHORISED: tuple[tuple[RevocationReason, Callable[[Certificate, Certificate], bool]], ...] = (
    (RevocationReason.NOT_AUTHORISED, _is_not_issued),
    (RevocationReason.NOT_AUTHORISED, _is_not_purposed),
    (RevocationReason.UNKNOWN_EXTENSION, _is_strange),
)


# -- may it be used? -------------------------------------------------------------------------------------------------


def _wrong(response: _Response, nonce: bytes | None) -> RevocationReason | None:
    """What is wrong with the response as a whole."""
    if _has_strange(response.extensions):
        return RevocationReason.UNKNOWN_EXTENSION
    if nonce is None:
        return None
    echoed = next((e.value for e in response.extensions if e.oid == _NONCE), None)
    return None if echoed == der.encoded(der.OCTET_STRING, nonce) else RevocationReason.WRONG_NONCE


def _has_strange(extensions: Iterable[der.Extension]) -> bool:
    return any(e.critical and e.oid not in _KNOWN for e in extensions)


# -- asking ----------------------------------------------------------------------------------------------------------


def ocsp_request(certificate: Certificate, issuer: Certificate) -> bytes:
    """The request for `certificate`, DER, as RFC 5019 §2.1 has it: a CertID by SHA-1, and no nonce, so that the answer
    may come from a cache."""
    hashes = _issuer_hashes(certificate.issuer_der, issuer.spki, "sha1")
    hashed = (der.encoded(der.OCTET_STRING, part) for part in hashes)
    asked = der.encoded(der.SEQUENCE, _SHA1, *hashed, der.integer(certificate.serial))
    for _ in ("Request", "requestList", "TBSRequest", "OCSPRequest"):
        asked = der.encoded(der.SEQUENCE, asked)
    return asked


_SHA1 = bytes.fromhex("300906052b0e03021a0500")  # AlgorithmIdentifier


@lru_cache(maxsize=4096)
def ocsp_url(base: str, certificate: Certificate, issuer: Certificate) -> str:
    """The address at which GET answers for `certificate` (RFC 6960 §A.1)."""
    request = base64.b64encode(ocsp_request(certificate, issuer)).decode("ascii")
    return f"{base.rstrip('/')}/{quote(request, safe='')}"
