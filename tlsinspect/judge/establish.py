"""From an observation and the evidence to `Facts`: each closed answer the rule table asks for, established here."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tlsinspect.endpoints.target import is_address
from tlsinspect.evidence.attribution import listed
from tlsinspect.evidence.catalogue import Listed
from tlsinspect.evidence.clock import NOT_ASKED, Dates, DateVerdict, judge_dates
from tlsinspect.evidence.clockhints import Hints, likelier
from tlsinspect.evidence.crosshost import Shared
from tlsinspect.evidence.names import Claim, claims, cn_claims, has_names
from tlsinspect.evidence.path import Path, Signer
from tlsinspect.evidence.peer import Peer
from tlsinspect.evidence.portal import plain_http, portal_in
from tlsinspect.evidence.sighting import Known, Sighting
from tlsinspect.evidence.truststores import Stores
from tlsinspect.http1 import Head
from tlsinspect.judge.rules import AbsenceFact, Facts, PossessionFact
from tlsinspect.model import (
    Authority,
    Basis,
    Endpoint,
    Listener,
    Observation,
    Reason,
    ReverseName,
    Revocation,
    RevocationStatus,
    Stage,
    Timestamp,
)
from tlsinspect.trust import Trust

REFUSALS = (403, 451)  # statuses with which a filter says no


@dataclass(frozen=True)
class Context(Known):
    """What a run knows, and how it is to be judged."""

    vouched: bool = False  # the caller says that whoever sent the chain holds its key
    portal: str = ""  # how a captive portal showed itself on this network, or ""
    witness: bool = False  # ask OpenSSL and certvalidator for their opinion
    shared: Shared = field(default_factory=Shared)
    minted: Mapping[str, str] = field(default_factory=dict)  # keys behind certificates for names that probes made up
    hints: Hints = field(default_factory=Hints)
    stores: Stores | None = None  # this machine's trust stores, where they were read
    listeners: Mapping[Peer, Listener] = field(default_factory=dict)  # at the places that are this machine
    reverse_names: Mapping[str, ReverseName] = field(default_factory=dict)  # by address, where asked for


@dataclass(frozen=True)
class Established:
    """The facts of one observation and the evidence they were read from."""

    facts: Facts
    path: Path | None
    dates: DateVerdict
    listed: Listed | None
    answer: Head | None  # in plain HTTP, instead of TLS
    portal: str  # how a captive portal showed itself, to this observation or on this network, or ""
    revocation: tuple[RevocationStatus, ...] = ()
    timestamps: tuple[Timestamp, ...] = ()

    @property
    def readable_path(self) -> Path | None:
        """The path, where at least its leaf can be read."""
        return self.path if self.path is not None and self.path.certificates else None


def establish(sighting: Sighting, context: Context) -> Established:
    """The facts of one observation."""
    endpoint, path = sighting.endpoint, sighting.path
    answer = plain_http(sighting.seen.first_bytes)
    portal = portal_in(endpoint, sighting.seen, answer, context.trust) or context.portal
    if sighting.readable_path is not None:
        return _from_certificate(sighting, sighting.readable_path, context, answer, portal)
    facts = Facts(
        authority=endpoint.authority,
        basis=context.basis,
        absence=_absence(sighting.seen, answer, bool(portal)) if path is None else "",
        portal=bool(portal),
        signer="private" if path is None else "unreadable",
        stand_in=_stand_in(endpoint, context),
    )
    return Established(facts, path, NOT_ASKED, None, answer, portal)


def _from_certificate(
    sighting: Sighting, path: Path, context: Context, answer: Head | None, portal: str
) -> Established:
    endpoint, leaf, proven = sighting.endpoint, path.leaf, sighting.proven
    dates = _dates(path, context) if proven else NOT_ASKED
    found = listed(path.certificates, context.trust)
    revocation = tuple(learnt.at(context.bounds.best) for learnt in sighting.learnt)
    facts = Facts(
        authority=endpoint.authority,
        basis=context.basis,
        portal=bool(portal),
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
    return Established(facts, path, dates, found, answer, portal, revocation, sighting.timestamps)


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


def _absence(observation: Observation, answer: Head | None, portal: bool) -> AbsenceFact:
    failure = observation.failure
    if failure is None:
        return "tls"
    if failure.reason in _BY_REASON:
        return _BY_REASON[failure.reason]
    if portal and failure.stage is not Stage.PROXY:
        return "portal"
    if failure.reason is Reason.NOT_TLS:
        return "block-page" if answer is not None and answer.status in REFUSALS else "not-tls"
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
