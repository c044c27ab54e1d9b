"""A paragraph for whoever runs the network: what was presented instead, the proof, and what is asked for.

It is pasted into a ticket, so it stands by itself: when, from where, which names and ports, which authority. What is
asked for goes by the row of `remedies.toml` that fits, so that nobody is asked to exempt an attacker.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from tlsinspect.certificate import Certificate, text_of
from tlsinspect.endpoints.target import bracketed
from tlsinspect.evidence.path import readable
from tlsinspect.judge import Judged
from tlsinspect.judge.advice import ASKS, asked, is_well
from tlsinspect.judge.conclude import BLOCKED, authenticated_proxy, on_this_machine
from tlsinspect.judge.establish import Context
from tlsinspect.judge.values import expected
from tlsinspect.judge.words import day, fill, routes_taken, way, wording
from tlsinspect.model import Assessment, Endpoint, Reachability, Route, Verdict

LONGEST_LIST = 200  # names in one sentence; the report has them all
EXPLAINED = 20  # hosts without a certificate of which it is said what came instead


def ticket(judged: Judged, reached: Sequence[Reachability], started: datetime) -> str:
    """The paragraph, or nothing where nothing is to be asked of anybody."""
    asks: dict[str, list[Assessment]] = {ask: [] for ask in ASKS}
    for assessment in judged.assessments:
        if not is_well(assessment) and (ask := asked(assessment)):
            asks[ask].append(assessment)
    sentences = [s for ask, found in asks.items() if found for s in _section(ask, found, judged.context)]
    sentences += [finding.sentence for finding in authenticated_proxy(judged.assessments)]
    sentences += _port_80(reached)
    if not sentences:
        return ""
    local = [finding.sentence for finding in on_this_machine(judged)]
    return "\n".join([_opening(judged, reached, started), *local, *sentences])


def _opening(judged: Judged, reached: Sequence[Reachability], started: datetime) -> str:
    """The time is the true one, as far as it is proven: logs are searched by it."""
    bounds = judged.context.bounds
    if not bounds.exact:
        started += bounds.best - bounds.local
    routes = routes_taken([*(a.route for a in judged.assessments), *(r.route for r in reached)])
    return fill(wording()["ticket"]["opening"], {"when": day(started), "route": routes})


def _section(ask: str, found: Sequence[Assessment], context: Context) -> Iterator[str]:
    """The evidence, then what is asked for."""
    same: dict[tuple[str, str, Verdict, tuple[str, ...], Route], list[Assessment]] = {}
    for a in found:
        if a.issuer is not None:
            same.setdefault((a.issuer, _product(a), a.verdict, a.signing_keys, a.route), []).append(a)
    yield from [a.explanation for a in found if a.issuer is None][:EXPLAINED]
    for alike in same.values():
        yield _presented(alike, context)
    yield fill(wording()["ticket"][ask], {"places": _places([a.endpoint for a in found])})


def _port_80(reached: Sequence[Reachability]) -> Iterator[str]:
    """The hosts on plain HTTP that are needed and do not answer: those the certificates name, where any does."""
    needed = [r for r in reached if r.named] or [r for r in reached if r.listed]
    blocked = [r for r in needed if r.result in BLOCKED and not r.portal]
    if blocked:
        yield fill(wording()["ticket"]["plain"], {"places": _places([r.endpoint for r in blocked])})


def _presented(alike: Sequence[Assessment], context: Context) -> str:
    first = alike[0]
    words = wording()["ticket"]
    proof = fill(words["proof"][first.verdict], {"expected": expected(first.endpoint, context)})
    what, sha256 = _fingerprint(first)
    values = {"issuer": first.issuer or "", "product": _product(first), "proof": proof, "what": what, "sha256": sha256}
    places = _places([a.endpoint for a in alike])
    return fill(words["presented"], {**values, "where": way(first.route), "places": places})


def _product(a: Assessment) -> str:
    return f" ({a.attribution.confidence} {a.attribution.name})" if a.attribution else ""


def _fingerprint(a: Assessment) -> tuple[str, str]:
    """What identifies the device best: its authority's certificate where it sent that, else the one it made."""
    chain = _chain(a)
    authority = next((c for c in chain[1:] if c.subject_der == chain[0].issuer_der), None)
    if authority is not None:
        return "its issuer's certificate", authority.sha256
    return f"the certificate for {a.endpoint.host}", chain[0].sha256


def _chain(a: Assessment) -> tuple[Certificate, ...]:
    """What was presented when the assessment's verdict was reached."""
    chains = (tuple(readable(seen.tls.chain)) for seen in a.observations if seen.tls is not None)
    return next((c for c in chains if c and text_of(c[0].issuer) == a.issuer), ())


def _places(endpoints: Sequence[Endpoint]) -> tuple[str, ...]:
    # On several routes a host is there several times.
    places = list(dict.fromkeys(f"{bracketed(each.host)}:{each.port}" for each in endpoints))
    more = len(places) - LONGEST_LIST
    return (*places[:LONGEST_LIST], f"and {more} more") if more > 0 else tuple(places)
