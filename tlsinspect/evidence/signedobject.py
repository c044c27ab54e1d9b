"""Whether bytes from a revocation host are a certificate or CRL that a known Google key signed."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tlsinspect.certificate import Certificate, UnreadableError
from tlsinspect.evidence.path import signed
from tlsinspect.trust import Trust


def is_signed_object(body: bytes, trust: Trust) -> bool:
    """A certificate of, or a CRL by, a key of Google's roots or known intermediates, signed by a root we know."""
    return _is_known_certificate(body, trust) or _is_signed_crl(body, trust)


def _is_known_certificate(body: bytes, trust: Trust) -> bool:
    try:
        certificate = Certificate(body)
    except UnreadableError:
        return False
    known = {i.spki_sha256 for i in trust.intermediates} | trust.google.keys | trust.alternate.keys
    sets = (trust.google, trust.alternate, trust.public)
    authorities = [c for anchors in sets for c in anchors.by_subject.get(certificate.issuer_der, ())]
    return certificate.spki_sha256 in known and any(signed(certificate, authority) for authority in authorities)


def _is_signed_crl(body: bytes, trust: Trust) -> bool:
    try:
        crl = x509.load_der_x509_crl(body)
        issuer = crl.issuer.public_bytes()
        keys = [c.spki for a in (trust.google, trust.alternate) for c in a.by_subject.get(issuer, ())]
        keys += [i.spki for i in trust.intermediates if i.subject_der == issuer]
        return any(crl.is_signature_valid(load_der_public_key(key)) for key in keys)  # type: ignore[arg-type]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
