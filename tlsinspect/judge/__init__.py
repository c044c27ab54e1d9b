"""From observations to assessments. Pure: the same observations, trust data and time give the same bytes.

`rules` decides, `establish` reads the facts it decides on, `words` says it. This file puts them together: first what
all observations of a run prove together (the time, shared keys), then each endpoint by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tlsinspect.certificate import Certificate, text_of, title_of
from tlsinspect.evidence.attribution import attribute, interceptor
from tlsinspect.evidence.crosshost import Foreign, issuer_of, shared_keys
from tlsinspect.evidence.fingerprints import Shape, attribute_shape
from tlsinspect.evidence.gathered import staples_of
from tlsinspect.evidence.moment import bounds_of, hints_of
from tlsinspect.evidence.names import Claim
from tlsinspect.evidence.path import readable
from tlsinspect.evidence.sighting import Observed, Sighting, informed, sight
from tlsinspect.evidence.truststores import intercepting_roots
from tlsinspect.judge.advice import case_of, remedy
from tlsinspect.judge.establish import Context, Established, claim, establish
from tlsinspect.judge.findings import Suspects, findings
from tlsinspect.judge.probes import minted, probe_findings
from tlsinspect.judge.rules import decide
from tlsinspect.judge.together import merged
from tlsinspect.judge.values import values
from tlsinspect.judge.words import explanation
from tlsinspect.model import (
    Assessment,
    Attribution,
    Confidence,
    Endpoint,
    Failure,
    Finding,
    InterceptingRoot,
    Observation,
    Reason,
    Tls,
    Verdict,
)
from tlsinspect.text import one_line
from tlsinspect.trust import Trust


@dataclass(frozen=True)
class Judged:
    """A run, judged."""

    assessments: tuple[Assessment, ...]  # one an endpoint and route, in order
    context: Context  # what the run as a whole knows: the time above all
    roots: tuple[InterceptingRoot, ...] = ()
    probed: tuple[Finding, ...] = ()  # what active probes showed


def judge_run(
    observed: Sequence[Observed],
    context: Context,
    aside: Sequence[Observed] = (),
    probed: Sequence[Observed] = (),
) -> Judged:
    """Judge a run: one assessment an endpoint and route, in order, and what the run proves about the time.

    `context` is what is known beside the observations, with nothing but the local clock in its bounds; what the
    observations prove together is added here. `aside` was observed only for the time it tells, `probed` only to
    corroborate.
    """
    seen_at_all = [seen for o in (*observed, *aside) for seen in o.observations]
    context = replace(context, evidence=replace(context.evidence, staples=staples_of(seen_at_all)))
    sightings = [[_sight(o.endpoint, seen, context) for seen in o.observations] for o in observed]
    everything = [s for each in sightings for s in each]
    telling = [*everything, *(_sight(o.endpoint, seen, context) for o in aside for seen in o.observations)]
    probes = [_sight(o.endpoint, seen, context) for o in probed for seen in o.observations]
    context = replace(
        context,
        bounds=bounds_of(telling, context),
        hints=hints_of(telling, context),
        shared=shared_keys(_foreign(everything, context.trust)),
        minted=minted(probes),
    )
    assessments = tuple(merged([_assess_safely(s, context) for s in each]) for each in sightings)
    roots = _roots(assessments, sightings, context)
    return Judged(assessments, context, roots, tuple(probe_findings(probes)))


def _roots(
    assessments: Sequence[Assessment], sightings: Sequence[Sequence[Sighting]], context: Context
) -> tuple[InterceptingRoot, ...]:
    """Who stands behind the hosts that are intercepted."""
    found = [
        (s.endpoint.host, path, a.attribution.id if a.attribution else None)
        for a, each in zip(assessments, sightings, strict=True)
        if a.verdict is Verdict.INTERCEPTED
        for s in each
        if (path := s.foreign_path) is not None
    ]
    foreign = [path for each in sightings for s in each if (path := s.foreign_path) is not None]
    return intercepting_roots(found, context.stores, foreign)


def _sight(endpoint: Endpoint, seen: Observation, context: Context) -> Sighting:
    """`sight`; what makes it fail costs this observation alone."""
    try:
        return informed(sight(endpoint, seen, context), context.evidence)
    except Exception as defect:  # noqa: BLE001 - a certificate that finds a defect of ours must not cost the others
        return _failed(endpoint, seen, defect, context)


def _failed(endpoint: Endpoint, seen: Observation, defect: Exception, context: Context) -> Sighting:
    failure = Failure(seen.stage, Reason.INTERNAL, f"{type(defect).__name__}: {one_line(defect)}")
    return Sighting(endpoint, replace(seen, failure=failure), None, context.basis)


def _foreign(sightings: Sequence[Sighting], trust: Trust) -> list[Foreign]:
    return [
        Foreign(
            s.endpoint.host,
            path.signing_keys,
            path.leaf.spki_sha256,
            issuer_of(path.leaf),
            complete=path.complete,
            claimed=claim(s, path, trust) in (Claim.CLAIMED, Claim.CN_ONLY),
            held=s.seen.tls is not None and s.seen.tls.completed,
        )
        for s in sightings
        if (path := s.foreign_path) is not None
    ]


def _assess_safely(sighting: Sighting, context: Context) -> Assessment:
    try:
        return _assess_one(sighting, context)
    except Exception as defect:  # noqa: BLE001 - as in `_sight`
        return _assess_one(_failed(sighting.endpoint, sighting.seen, defect, context), context)


def _assess_one(sighting: Sighting, context: Context) -> Assessment:
    endpoint, seen, path = sighting.endpoint, sighting.seen, sighting.readable_path
    leaf = path.leaf if path is not None else None
    established = establish(sighting, context)
    decision = decide(established.facts)
    named, shaped = _attributions(established, seen, context)
    product = named or shaped
    shown = interceptor(product)
    words = values(endpoint, seen, established, product, context)
    return Assessment(
        endpoint=endpoint,
        route=seen.route,
        verdict=decision.verdict,
        confidence=decision.confidence,
        basis=context.basis,
        rule=decision.rule.id,
        explanation=explanation(decision.rule.id, words),
        remedy=remedy(case_of(endpoint, decision.rule.id, decision.verdict, shown), words),
        findings=findings(decision, seen, established, Suspects(named, shaped), context, words),
        attribution=shown,
        issuer=text_of(leaf.issuer) if leaf is not None else None,
        issuer_title=title_of(leaf.issuer) if leaf is not None else None,
        signing_keys=path.signing_keys if path is not None else (),
        path=_titles(established),
        revocation=established.revocation,
        timestamps=established.timestamps,
        not_after=leaf.not_after if leaf is not None else None,
        observations=(seen,),
    )


def _attributions(
    established: Established, seen: Observation, context: Context
) -> tuple[Attribution | None, Attribution | None]:
    """Which product the names of a foreign chain are of, and which its looks. What somebody known signed is not looked
    at."""
    path = established.readable_path
    if path is None or established.facts.proven or established.facts.public or not seen.tls:
        return None, None
    chain = readable(seen.tls.chain)
    named = attribute(chain, context.trust, path)
    if not established.facts.foreign:
        return named, None
    shaped = attribute_shape(Shape(_as_sent(chain, seen.tls), seen), context.trust)
    if named is not None and shaped is not None and named.id != shaped.id:
        named = replace(named, confidence=Confidence.WEAK)  # somebody gave his proxy another's name
    return named, shaped


def _as_sent(chain: Sequence[Certificate], tls: Tls) -> tuple[Certificate, ...]:
    """With what was sent twice."""
    by_der = {certificate.der: certificate for certificate in chain}
    return tuple(by_der[der] for der in tls.chain if der in by_der)


def _titles(established: Established) -> tuple[str, ...]:
    """The path from the leaf's issuer to its anchor, where there is an anchor."""
    path, facts = established.path, established.facts
    if path is None or not (facts.proven or facts.public):
        return ()
    return tuple(c.title for c in path.certificates[1:])


__all__ = ["Judged", "Observed", "judge_run"]
