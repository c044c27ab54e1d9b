"""From an observation and the evidence to `Facts`: each closed answer the rule table asks for, established here."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from urllib.parse import urlsplit

from tlsinspect.certificate import Certificate
from tlsinspect.endpoints.target import is_address
from tlsinspect.evidence.attribution import Listed, listed
from tlsinspect.evidence.clock import NOT_ASKED, Bounds, Dates, DateVerdict, judge_dates
from tlsinspect.evidence.clockhints import Hints, likelier
from tlsinspect.evidence.crosshost import Shared
from tlsinspect.evidence.gathered import Evidence, Learnt, learn
from tlsinspect.evidence.names import Claim, claims, cn_claims, has_names
from tlsinspect.evidence.path import Path, Signer, find_path
from tlsinspect.evidence.transparency import sct_lists_in, summary, timestamps
from tlsinspect.http1 import HeadReader, NotHttpError, TooLongError
from tlsinspect.judge.rules import AbsenceFact, Facts, PossessionFact, SctFact
from tlsinspect.model import (
    Authority,
    Basis,
    Endpoint,
    Observation,
    Reason,
    Revocation,
    RevocationStatus,
    Stage,
    Timestamp,
)
from tlsinspect.trust import Anchors, Trust

REFUSALS = (403, 451)  # statuses with which a filter says no


@dataclass(frozen=True)
class Context:
    """What one run knows beyond the single observation."""

    trust: Trust
    bounds: Bounds
    basis: Basis = Basis.LIVE
    vouched: bool = False  # the caller says that whoever sent the chain holds its key
    portal: str = ""  # how a captive portal showed itself on this network, or ""
    files: Mapping[str, Anchors] = field(default_factory=dict)  # authority files, by path
    witness: bool = False  # ask OpenSSL and certvalidator for their opinion
    shared: Shared = field(default_factory=Shared)
    evidence: Evidence = field(default_factory=Evidence)
    hints: Hints = field(default_factory=Hints)


@dataclass(frozen=True)
class Established:
    """The facts of one observation and the evidence they were read from."""

    facts: Facts
    path: Path | None
    dates: DateVerdict
    listed: Listed | None
    revocation: tuple[RevocationStatus, ...] = ()
    timestamps: tuple[Timestamp, ...] = ()


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
    def pairs(self) -> list[tuple[Certificate, Certificate]]:
        """Each certificate of a proven path below its anchor, and its issuer."""
        return list(pairwise(self.path.certificates)) if self.path is not None and self.proven else []

    @cached_property
    def proven(self) -> bool:
        """Whether who must have signed did: the same answer as `Facts.proven`, before there are facts."""
        if self.path is None:
            return False
        return Facts(
            authority=self.endpoint.authority, signer=self.path.signer.value, basis=self.basis, scts=self.scts
        ).proven

    @property
    def google(self) -> bool:
        """Whether one of Google's own keys stands behind it."""
        ours = (Signer.GOOGLE, Signer.GOOGLE_INTERMEDIATE)
        return self.path is not None and self.path.signer in ours and self.proven

    @property
    def scts(self) -> SctFact:
        return summary(self.timestamps) if self.path is not None and len(self.path.certificates) > 1 else "unchecked"


def sight(endpoint: Endpoint, seen: Observation, context: Context) -> Sighting:
    if seen.tls is None or not seen.tls.chain:
        unreadable = seen.failure is not None and seen.failure.reason is Reason.CERTIFICATE_UNREADABLE
        return Sighting(endpoint, seen, Path(Signer.UNREADABLE) if unreadable else None, context.basis)
    anchors = context.files.get(endpoint.authority_file or "")
    at = context.bounds.local
    path = find_path(
        seen.tls.chain, endpoint.host, endpoint.authority, at, context.trust, anchors, context.evidence.issuers
    )
    return _stamped(Sighting(endpoint, seen, path, context.basis), path, context)


_ANCHORED = {Signer.GOOGLE, Signer.GOOGLE_INTERMEDIATE, Signer.GOOGLE_ALTERNATE, Signer.GOOGLE_HISTORICAL,
             Signer.FILE, Signer.PUBLIC}  # fmt: skip


def _stamped(sighting: Sighting, path: Path, context: Context) -> Sighting:
    """With what transparency logs say of the leaf of a path to an anchor."""
    if path.signer not in _ANCHORED or len(path.certificates) < 2:
        return sighting
    staple = sighting.seen.tls.staple if sighting.seen.tls else None
    lists = sct_lists_in(staple, path.leaf.serial) if staple else ()
    return replace(sighting, timestamps=timestamps(path.leaf, path.certificates[1], lists, context.trust))


def informed(sighting: Sighting, evidence: Evidence) -> Sighting:
    """With what is known of the revocation of its certificates, at no particular time."""
    return replace(sighting, learnt=tuple(learn(*pair, evidence) for pair in sighting.pairs))


def establish(sighting: Sighting, context: Context) -> Established:
    """The facts of one observation."""
    endpoint, path = sighting.endpoint, sighting.path
    portal = bool(portal_in(sighting.endpoint, sighting.seen, context.trust) or context.portal)
    if path is not None and path.certificates:
        return _from_certificate(sighting, path, context, portal)
    facts = Facts(
        authority=endpoint.authority,
        basis=context.basis,
        absence=_absence(sighting.seen, portal) if path is None else "",
        portal=portal,
        signer="private" if path is None else "unreadable",
        stand_in=_stand_in(endpoint, context),
    )
    return Established(facts, path, NOT_ASKED, None)


def _from_certificate(sighting: Sighting, path: Path, context: Context, portal: bool) -> Established:
    endpoint, leaf, proven = sighting.endpoint, path.leaf, sighting.proven
    dates = _dates(path, context) if proven else NOT_ASKED
    found = listed(path.certificates, context.trust)
    revocation = tuple(learnt.at(context.bounds.best) for learnt in sighting.learnt)
    facts = Facts(
        authority=endpoint.authority,
        basis=context.basis,
        portal=portal,
        listed=found.code if found else "",
        poisoned=leaf.poisoned,
        signer=path.signer.value,
        name=claim(sighting, path, context.trust).value,
        shared_key=_shared(path, context.shared),
        outdated=context.trust.is_outdated(context.bounds.best),
        possession=_possession(sighting.seen, context),
        revoked=any(status.state is Revocation.REVOKED for status in revocation),
        scts=sighting.scts,
        dates=dates.dates.value,
        dates_confidence=dates.confidence,
        defect=path.defect is not None or leaf.flaw is not None,
        weak_key=leaf.weak_key is not None,
        time_proven=dates.proven,
        time_contested=dates.contested,
        stand_in=_stand_in(endpoint, context),
    )
    return Established(facts, path, dates, found, revocation, sighting.timestamps)


def _dates(path: Path, context: Context) -> DateVerdict:
    judged = judge_dates(path.not_before, path.not_after, context.bounds, path.leaf.spki_sha256)
    if judged.dates is not Dates.UNDECIDED:
        return judged
    return replace(judged, likelier=likelier(context.hints, context.bounds.local, path.not_after))


def _stand_in(endpoint: Endpoint, context: Context) -> bool:
    return context.trust.stand_in is not None and endpoint.authority is Authority.GOOGLE


def claim(sighting: Sighting, path: Path, trust: Trust) -> Claim:
    """Whether the leaf claims the requested name. For a leaf that is not proven the address connected to counts too:
    some interceptors write that instead of the name."""
    leaf, host, proven = path.leaf, sighting.endpoint.host, sighting.proven
    address = sighting.seen.address if sighting.seen.route.proxy is None else None
    if claims(leaf, host) or (not proven and address and claims(leaf, address)):
        return Claim.CLAIMED
    if cn_claims(leaf, host):
        # Where there is a subjectAltName, a common name beside it was never meant to be looked at.
        return Claim.OTHER if proven and leaf.dns_names else Claim.CN_ONLY
    if not has_names(leaf):
        return Claim.NONE
    google = path.signer is Signer.GOOGLE and any(trust.is_google_name(name) for name in leaf.dns_names)
    return Claim.OTHER_GOOGLE if google else Claim.OTHER


def _shared(path: Path, shared: Shared) -> bool:
    return path.issuing_key in shared.proven or path.leaf.spki_sha256 in shared.proven


def _possession(observation: Observation, context: Context) -> PossessionFact:
    if context.basis is not Basis.LIVE:
        return "proven" if context.vouched else "unproven"
    return "proven" if observation.tls is not None and observation.tls.completed else "failed"


# -- no certificate -------------------------------------------------------------------------------------------------

_BY_REASON: dict[Reason, AbsenceFact] = {
    Reason.PROXY_AUTH_REQUIRED: "proxy-auth",
    Reason.PROXY_DENIED: "proxy-denied",
    Reason.PROXY_REDIRECT: "proxy-denied",
    Reason.PROXY_PORTAL: "portal",
    Reason.CANCELLED: "cancelled",
    Reason.INTERNAL: "internal",
}
_BY_STAGE: dict[Stage, AbsenceFact] = {
    Stage.DNS: "dns",
    Stage.TCP: "tcp",
    Stage.PROXY: "proxy",
    Stage.TLS: "tls",
    Stage.HTTP: "tls",
}


def _absence(observation: Observation, portal: bool) -> AbsenceFact:
    failure = observation.failure
    if failure is None:
        return "tls"
    if failure.reason in _BY_REASON:
        return _BY_REASON[failure.reason]
    if portal and failure.stage is not Stage.PROXY:
        return "portal"
    if failure.reason is Reason.NOT_TLS:
        answer = plain_http(observation.first_bytes)
        return "block-page" if answer is not None and answer[0] in REFUSALS else "not-tls"
    if observation.control and failure.stage is Stage.TLS:
        return "filtered"
    if _sinkholed(observation):
        return "sinkhole"
    if failure.stage is Stage.DNS and observation.address_source == "proxy":
        return "proxy"  # its own name does not resolve
    return _BY_STAGE[failure.stage]


def _sinkholed(observation: Observation) -> bool:
    """Resolved to addresses that lead nowhere, as hosts files and DNS filters have it."""
    nowhere = [ipaddress.ip_address(a) for a in observation.addresses]
    return (
        observation.address_source == "dns"
        and not is_address(observation.host)
        and not observation.host.endswith("localhost")
        and bool(nowhere)
        and all(a.is_unspecified or a.is_loopback for a in nowhere)
    )


def portal_in(endpoint: Endpoint, observation: Observation, trust: Trust) -> str:
    """How this observation itself shows a captive portal, or ""."""
    if observation.proxy is not None and observation.proxy.status == 511:
        return "the proxy answers with status 511 (RFC 6585)"
    answer = plain_http(observation.first_bytes)
    if answer is None:
        return ""
    status, location = answer
    return portal_sign(endpoint, status, location, trust)


def portal_sign(endpoint: Endpoint, status: int, location: str | None, trust: Trust) -> str:
    """Whether a plain-HTTP answer is a captive portal's: 511 (RFC 6585 §6), or, for a Google host, a redirect away from
    Google. Where other hosts may send their visitors is not known."""
    if status == 511:
        return "an answer with status 511 (RFC 6585)"
    target = host_of(location)
    google = endpoint.authority is Authority.GOOGLE
    if google and 300 <= status < 400 and target and not trust.is_google_name(target):
        return f"a redirect to {target}"
    return ""


def host_of(location: str | None) -> str | None:
    try:
        return urlsplit(location or "").hostname
    except ValueError:
        return None


def plain_http(first_bytes: bytes | None) -> tuple[int, str | None] | None:
    """Status and Location where what came instead of TLS is an HTTP answer."""
    try:
        # What was cut off is ended here: the status line is what matters.
        head = HeadReader().feed((first_bytes or b"") + b"\r\n\r\n")
    except (NotHttpError, TooLongError):
        return None
    return (head.status, head.get("location")) if head else None
