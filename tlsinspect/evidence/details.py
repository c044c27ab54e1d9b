"""What a certificate says, and what clients hold against it: `describe` reads one certificate field by field."""

from dataclasses import replace

from tlsinspect.certificate import (
    Certificate,
    UnreadableError,
    text_of,
)
from tlsinspect.evidence.described import Details, Role
from tlsinspect.evidence.extensions import FEATURES, STAPLE, Raw
from tlsinspect.evidence.keys import read_key, read_signature
from tlsinspect.evidence.refusals import defects_of
from tlsinspect.text import hexadecimal

MAX_BYTES = 1024 * 1024  # of one certificate; the largest real ones hold a hundred thousand


def describe(certificate: Certificate, *, source: str = "", position: int = 1) -> Details:
    """Everything about one certificate by itself. Raises UnreadableError where it is none, or larger than MAX_BYTES."""
    if len(certificate.der) > MAX_BYTES:
        raise UnreadableError(f"larger than {MAX_BYTES // 1024 // 1024} MB")
    raw = Raw(certificate.der)
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
        serial=hexadecimal(certificate.serial),
        version=raw.version,
        key=read_key(spki, raw),
        signature=read_signature(certificate, raw),
        extensions=extensions,
        timestamps=raw.timestamps(),
        must_staple=any(e.oid == FEATURES and STAPLE in e.values for e in extensions),
        precertificate=certificate.poisoned,
        sha256=certificate.sha256,
        sha1=certificate.sha1,
        spki_sha256=_sha256(spki),
        malformed=None,
    )
    found = replace(found, malformed=certificate.defect)  # known once every field has been read
    return replace(found, defects=tuple(defects_of(found)))


def _role(certificate: Certificate) -> Role:
    if not certificate.is_ca:
        return Role.LEAF
    return Role.ROOT if certificate.self_issued else Role.INTERMEDIATE


def _sha256(data: bytes) -> str:
    from hashlib import sha256

    return sha256(data).hexdigest()


def _spki(certificate: Certificate, raw: Raw) -> bytes:
    """The key as it stands in the certificate: cryptography writes one for RSA-PSS alone as if it were for RSA."""
    return raw.tried(lambda: bytes(raw.key.dump())) or raw.tried(lambda: certificate.spki) or b""
