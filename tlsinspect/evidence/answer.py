"""What one signed object, a CRL or an OCSP response, says of one certificate, and what that means at a moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tlsinspect import der
from tlsinspect.certificate import FIRST_MOMENT, LAST_MOMENT, Certificate, Name
from tlsinspect.model import Revocation, RevocationReason

SLACK = timedelta(minutes=5)  # what the signer's clock may be off
LIFE = timedelta(days=8)  # of an object that does not say until when it is good

# What is wrong with an object, where the reason alone would not tell. The sentence begins "the CRL of X …".
BACKWARDS = "ends before it begins"
UNKNOWN_WAY = "is signed in a way not known here"
_OUTLIVED = "was made after the certificate had ended, and lists such no more"

Meaning = tuple[Revocation, RevocationReason | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one signed object says of one certificate, whenever that is asked.

    Where `revoked_at` is set, the object names the certificate as revoked from then on, even where there is a
    `problem`. Otherwise `problem` says why it says nothing; with neither, it says that the certificate is not revoked.
    """

    source: str  # staple, crl or ocsp; empty where nothing came
    problem: RevocationReason | None = None
    verified: bool = False  # the signature is the issuer's, or that of whom it authorised
    weak_from: datetime = LAST_MOMENT  # from when such a signature proves nothing
    issuer: Name = ()  # for whom it speaks
    this_update: datetime | None = None
    next_update: datetime | None = None
    produced_at: datetime | None = None
    revoked_at: datetime | None = None
    cause: str = ""  # CRLReason
    detail: str = ""  # of the problem, in words; of a refusal, the error an OCSP responder answered with
    outlived: bool = False  # made after the certificate had ended; not to be named means nothing then
    delegate: Certificate | None = None  # who signed, where that was not the issuer
    of_delegate: tuple["Answer", ...] = ()  # what the issuer's CRLs and own answers say of the delegate
    signer_from: datetime = FIRST_MOMENT  # the window in which the delegate may speak
    signer_until: datetime = LAST_MOMENT

    @property
    def authentic(self) -> bool:
        """Whether it proves that its dates have passed, which what is weakly signed never does: an object made today
        may bear any date."""
        return self.verified and self.weak_from == LAST_MOMENT

    def at(self, moment: datetime) -> Meaning:
        """What it means at a moment."""
        early, late = self._is_early(moment), self._is_late(moment)
        if self.weak_from != LAST_MOMENT and moment >= self.weak_from:
            return Revocation.UNKNOWN, RevocationReason.WEAK_SIGNATURE
        if any(said.at(moment)[0] is Revocation.REVOKED for said in self.of_delegate):
            return Revocation.UNKNOWN, RevocationReason.NOT_AUTHORISED
        if self._revokes(moment):
            return Revocation.REVOKED, RevocationReason.STALE if late else None
        if self.problem is not None:
            return Revocation.UNKNOWN, self.problem
        if early or late:
            return Revocation.UNKNOWN, RevocationReason.NOT_YET_VALID if early else RevocationReason.STALE
        if self.outlived:
            return Revocation.UNKNOWN, RevocationReason.WRONG_SCOPE
        if not self._may_speak(moment):
            return Revocation.UNKNOWN, RevocationReason.NOT_AUTHORISED
        return Revocation.GOOD, None

    def fault(self, reason: RevocationReason) -> str:
        """Why it means that it is not known, where the reason alone would not tell."""
        if self.problem is None:
            return _OUTLIVED if self.outlived and reason is RevocationReason.WRONG_SCOPE else ""
        return self.detail if reason is self.problem and reason is not RevocationReason.REFUSED else ""

    def _revokes(self, moment: datetime) -> bool:
        """What a delegate said of a revocation while it was valid stays true when it is not any more."""
        named = self.revoked_at is not None and self.revoked_at <= moment
        return named and any(self._may_speak(time) for time in (moment, self.produced_at) if time)

    def _is_early(self, moment: datetime) -> bool:
        return self.this_update is not None and self.this_update - moment > SLACK

    def _is_late(self, moment: datetime) -> bool:
        if self.next_update is not None:
            return moment - self.next_update > SLACK
        return self.this_update is not None and moment - self.this_update > LIFE + SLACK

    def _may_speak(self, moment: datetime) -> bool:
        if self.delegate is None:
            return True
        return self.signer_from - moment <= SLACK and moment - self.signer_until <= SLACK


def outlived(this_update: datetime, certificate: Certificate, kept_from: bytes | None) -> bool:
    """Whether an object that does not name `certificate` was made when it need not have done so any more: a CA may take
    what has ended off its lists (RFC 5280 §3.3), and `good` is said of certificates in their validity (RFC 6960 §2.2).

    kept_from: a GeneralizedTime, DER. What ended then or later is still spoken of: by X.509's
    ExpiredCertsOnCRL, or by the archive cut-off of RFC 6960 §4.4.4.
    """
    end = certificate.not_after
    if end == FIRST_MOMENT or this_update <= end:  # the former where nobody could read it
        return False
    try:
        return kept_from is None or der.generalized_time(kept_from) > end
    except ValueError:
        return True
