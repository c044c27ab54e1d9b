"""Whether bytes from a revocation host are a certificate or CRL that a known Google key signed."""

from tlsinspect.certificate import Certificate, UnreadableError
from tlsinspect.evidence.crl import Crl
from tlsinspect.evidence.path import anchor_of
from tlsinspect.evidence.signature import signed
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
    crl = Crl(body)
    name = crl.issuer_der or b""
    signers = [c for anchors in (trust.google, trust.alternate) for c in anchors.by_subject.get(name, ())]
    signers += [anchor_of(fact) for fact in trust.intermediates if fact.subject_der == name]
    return any(crl.signed_by(signer) for signer in signers)
