"""One observation and who signed what it saw: what is known of it before anything is judged."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal

from tlsinspect.certificate import Certificate
from tlsinspect.evidence.clock import Bounds
from tlsinspect.evidence.gathered import Evidence, Learnt, learn
from tlsinspect.evidence.path import Path, Signer, find_path
from tlsinspect.evidence.proven import is_proven
from tlsinspect.evidence.transparency import SctFact, sct_lists_in, summary, timestamps
from tlsinspect.model import Basis, Endpoint, Observation, Reason, Timestamp
from tlsinspect.trust import Anchors, Trust


@dataclass(frozen=True)
class Observed:
    """An endpoint and every observation made of it in a run."""

    endpoint: Endpoint
    observations: tuple[Observation, ...]


@dataclass(frozen=True)
class Known:
    """What a run knows beyond the single observation."""

    trust: Trust
    bounds: Bounds
    basis: Basis = Basis.LIVE
    files: Mapping[str, Anchors] = field(default_factory=dict)  # authority files, by path
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True)
class Sighting:
    """One observation and who signed what it saw."""

    endpoint: Endpoint
    seen: Observation
    path: Path | None  # None where no certificate was seen
    basis: Basis
    timestamps: tuple[Timestamp, ...] = ()
    learnt: tuple[Learnt, ...] = ()  # of each certificate below the anchor, leaf first, where proven

    @property
    def readable_path(self) -> Path | None:
        """The path, where at least its leaf can be read."""
        return self.path if self.path is not None and self.path.certificates else None

    @property
    def foreign_path(self) -> Path | None:
        """The path, where nobody public signed."""
        return self.path if self.path is not None and self.path.foreign else None

    @property
    def pairs(self) -> list[tuple[Certificate, Certificate]]:
        """Each certificate of a proven path below its anchor, and its issuer."""
        return list(pairwise(self.path.certificates)) if self.path is not None and self.proven else []

    @cached_property
    def proven(self) -> bool:
        """Whether who must have signed did."""
        return self.path is not None and is_proven(self.endpoint.authority, self.path.signer, self.basis, self.scts)

    @property
    def google(self) -> bool:
        """Whether one of Google's own keys stands behind it."""
        ours = (Signer.GOOGLE, Signer.GOOGLE_INTERMEDIATE)
        return self.path is not None and self.path.signer in ours and self.proven

    @property
    def scts(self) -> SctFact | Literal["unchecked"]:
        return summary(self.timestamps) if self.path is not None and len(self.path.certificates) > 1 else "unchecked"


def sight(endpoint: Endpoint, seen: Observation, known: Known) -> Sighting:
    if seen.tls is None or not seen.tls.chain:
        unreadable = seen.failure is not None and seen.failure.reason is Reason.CERTIFICATE_UNREADABLE
        return Sighting(endpoint, seen, Path(Signer.UNREADABLE) if unreadable else None, known.basis)
    anchors = known.files.get(endpoint.authority_file or "")
    at, trust, issuers = known.bounds.local, known.trust, known.evidence.issuers
    path = find_path(seen.tls.chain, endpoint.host, endpoint.authority, at, trust, anchors, issuers)
    return _stamped(Sighting(endpoint, seen, path, known.basis), path, trust)


def _stamped(sighting: Sighting, path: Path, trust: Trust) -> Sighting:
    """With what transparency logs say of the leaf of a path to an anchor."""
    if not path.anchored or len(path.certificates) < 2:
        return sighting
    staple = sighting.seen.tls.staple if sighting.seen.tls else None
    lists = sct_lists_in(staple, path.leaf.serial) if staple else ()
    return replace(sighting, timestamps=timestamps(path.leaf, path.certificates[1], lists, trust))


def informed(sighting: Sighting, evidence: Evidence) -> Sighting:
    """With what is known of the revocation of its certificates, at no particular time."""
    return replace(sighting, learnt=tuple(learn(*pair, evidence) for pair in sighting.pairs))
