"""What a run says as a whole: findings that belong to no single endpoint."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from tlsinspect.evidence.clock import Bounds, skew
from tlsinspect.judge.words import finding, skew_sentence
from tlsinspect.model import Assessment, Finding, Reach, Reachability, Verdict
from tlsinspect.trust import Trust


def conclusions(
    assessments: Sequence[Assessment], reached: Sequence[Reachability], bounds: Bounds, trust: Trust
) -> tuple[Finding, ...]:
    """Run-level findings: how many hosts are intercepted, the clock, port 80, the age of the data."""
    return tuple(_conclusions(assessments, reached, bounds, trust))


def _conclusions(
    assessments: Sequence[Assessment], reached: Sequence[Reachability], bounds: Bounds, trust: Trust
) -> Iterator[Finding]:
    found = [a for a in assessments if a.verdict is Verdict.INTERCEPTED]
    intercepted = [a.endpoint.host for a in found]
    if intercepted:
        always = not any(f.code == "mixed" for a in found for f in a.findings)
        code = "all-intercepted" if len(found) == len(assessments) and always else "selective-interception"
        yield finding(code, {"hosts": ", ".join(intercepted), "n": str(len(intercepted)), "of": str(len(assessments))})
    off = skew(bounds)
    if off is not None:
        yield finding("clock-ahead" if off[0] > timedelta(0) else "clock-behind", {"skew": skew_sentence(off)})
    portal = next((r for r in reached if r.portal), None)
    if portal is not None:
        yield finding("portal-on-network", {"portal": f"{portal.endpoint.host}: {portal.sentence}"})
        return  # nothing else on this network is as it will be once somebody has signed in
    silent = [r.endpoint.host for r in reached if r.result in (Reach.REFUSED, Reach.TIMEOUT, Reach.NOT_PKI)]
    if silent:
        yield finding("port-80-blocked", {"hosts": ", ".join(silent)})
    if trust.is_old(bounds.best()):
        age = {"data_date": trust.facts.date, "data_age": str(trust.age_days(bounds.best()))}
        yield finding("trust-data-old", age)
