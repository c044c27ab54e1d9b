"""What was learnt outside the handshakes, as the judge takes it: objects and how asking for them ended.

Nothing here is believed because it was fetched: every object is verified against the proven path it is about.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tlsinspect.certificate import Certificate
from tlsinspect.evidence.answer import Answer
from tlsinspect.evidence.clock import Since, Witness
from tlsinspect.evidence.clockhints import Told
from tlsinspect.evidence.crl import Crl
from tlsinspect.evidence.ocsp import ocsp_url
from tlsinspect.evidence.revocation import answers, sources, status
from tlsinspect.model import Fetch, FetchOutcome, Observation, RevocationReason, RevocationStatus
from tlsinspect.text import printable
from tlsinspect.trust import Trust


@dataclass(frozen=True)
class Evidence:
    """Objects by the URL they were asked for at, and those the caller gave."""

    crls: Mapping[str, Sequence[Crl]] = field(default_factory=dict)
    ocsp: Mapping[str, Sequence[bytes]] = field(default_factory=dict)  # by the URL of the request
    issuers: tuple[bytes, ...] = ()  # certificates of authorities that were not presented
    fetches: Mapping[str, Fetch] = field(default_factory=dict)  # by URL
    staples: Mapping[bytes, Sequence[bytes]] = field(default_factory=dict)  # by the leaf they came with, DER
    given_crls: tuple[Crl, ...] = ()
    given_ocsp: tuple[bytes, ...] = ()
    service: Witness | None = None
    told: tuple[Told, ...] = ()
    synchronised: bool | None = None
    defects: tuple[str, ...] = ()  # of tlsinspect itself, while it asked


@dataclass(frozen=True)
class Learnt:
    """What the evidence says of one certificate, at no particular time."""

    certificate: Certificate
    answers: tuple[Answer, ...]

    def at(self, moment: datetime) -> RevocationStatus:
        return status(self.certificate, self.answers, moment)


def staples_of(observations: Iterable[Observation]) -> dict[bytes, tuple[bytes, ...]]:
    """The stapled answers of a run by the leaf they came with: it may be met again where nobody staples."""
    found: dict[bytes, dict[bytes, None]] = {}
    for seen in observations:
        if seen.tls is not None and seen.tls.staple and seen.tls.chain:
            found.setdefault(seen.tls.chain[0], {})[seen.tls.staple] = None
    return {leaf: tuple(staples) for leaf, staples in found.items()}


def learn(certificate: Certificate, issuer: Certificate, evidence: Evidence) -> Learnt:
    """Everything known of the revocation of `certificate`."""
    named = sources(certificate)
    requests = [ocsp_url(base, certificate, issuer) for base in named.ocsp]
    crls = [*(crl for url in named.crl for crl in evidence.crls.get(url, ())), *evidence.given_crls]
    ocsp = [*(body for url in requests for body in evidence.ocsp.get(url, ())), *evidence.given_ocsp]
    said = answers(certificate, issuer, crls, ocsp, evidence.staples.get(certificate.der, ()))
    given = bool(evidence.given_crls or evidence.given_ocsp)
    if given:
        said = tuple(answer for answer in said if answer.problem not in _ABOUT_OTHERS)
    if not said:
        fetches = [evidence.fetches[url] for url in (*named.crl, *requests) if url in evidence.fetches]
        said = (_nothing(fetches, named=bool(named.crl or named.ocsp), given=given),)
    return Learnt(certificate, said)


# Of objects that were given for a whole chain, each speaks of one certificate.
_ABOUT_OTHERS = (RevocationReason.OTHER_CERTIFICATE, RevocationReason.WRONG_ISSUER)


def _nothing(fetches: Sequence[Fetch], *, named: bool, given: bool) -> Answer:
    """Why there is no answer."""
    failed = [fetch for fetch in fetches if fetch.outcome in _REASONS]
    if failed:
        telling = min(failed, key=lambda fetch: list(_REASONS).index(fetch.outcome))
        reason = _REASONS[telling.outcome]
        return Answer("", reason, detail=_sentence(telling, reason))
    if given:
        return Answer("", RevocationReason.NO_SOURCE, detail="nothing that was given speaks of it")
    if named:
        return Answer("", RevocationReason.OFFLINE, detail="nobody was asked")
    return Answer("", RevocationReason.NO_SOURCE, detail="the certificate names nowhere to ask")


def anchored_since(evidence: Evidence, trust: Trust) -> tuple[Since, ...]:
    """Lower bounds of true time that need no proven host: CRLs that one of Google's roots signed."""
    found = []
    for crl in (crl for kept in evidence.crls.values() for crl in kept):
        signers = trust.google.by_subject.get(crl.issuer_der or b"", ())
        signer = next((root for root in signers if crl.signed_by(root)), None)
        if signer is not None and crl.this_update is not None:
            found.append(Since(crl.this_update, f"CRL of {printable(signer.title)}"))
    return tuple(found)


# Why an object that was asked for did not come, the most telling first.
_REASONS: dict[FetchOutcome, RevocationReason] = {
    FetchOutcome.BLOCK_PAGE: RevocationReason.BLOCK_PAGE,
    FetchOutcome.FORBIDDEN_ADDRESS: RevocationReason.FORBIDDEN,
    FetchOutcome.FORBIDDEN_REDIRECT: RevocationReason.FORBIDDEN,
    FetchOutcome.FORBIDDEN_HOST: RevocationReason.FORBIDDEN,
    FetchOutcome.FORBIDDEN_SCHEME: RevocationReason.FORBIDDEN,
    FetchOutcome.TOO_LARGE: RevocationReason.TOO_LARGE,
    FetchOutcome.ENCODED: RevocationReason.MALFORMED,
    FetchOutcome.STATUS: RevocationReason.REFUSED,
    FetchOutcome.NOT_HTTP: RevocationReason.UNREACHABLE,
    FetchOutcome.PROXY: RevocationReason.UNREACHABLE,
    FetchOutcome.UNREACHABLE: RevocationReason.UNREACHABLE,
    FetchOutcome.TIMEOUT: RevocationReason.UNREACHABLE,
    FetchOutcome.NO_TIME: RevocationReason.UNREACHABLE,
    FetchOutcome.INTERNAL: RevocationReason.UNREACHABLE,
    FetchOutcome.OFFLINE: RevocationReason.OFFLINE,
}


def _sentence(fetch: Fetch, reason: RevocationReason) -> str:
    said = f": {printable(fetch.detail)}" if fetch.detail else ""
    return f"{printable(fetch.url, 100)} gave nothing to go by ({reason}{said})"
