"""Who counts as proven: whether whoever must have signed, signed."""

from tlsinspect.evidence.path import Signer
from tlsinspect.model import Authority, Basis

_ENOUGH = {
    Authority.GOOGLE: (Signer.GOOGLE, Signer.GOOGLE_INTERMEDIATE),
    Authority.PUBLIC: (Signer.PUBLIC,),
    Authority.FILE: (Signer.FILE,),
}


def is_proven(authority: Authority, signer: str, basis: Basis, scts: str) -> bool:
    """By who signed alone, or, for Google, together with what else is known: that transparency logs saw it, or that it
    was recorded while Google still signed so."""
    alternate = signer == Signer.GOOGLE_ALTERNATE and scts == "verified"
    historical = signer == Signer.GOOGLE_HISTORICAL and basis is Basis.RECORDED
    return signer in _ENOUGH[authority] or (authority is Authority.GOOGLE and (alternate or historical))
