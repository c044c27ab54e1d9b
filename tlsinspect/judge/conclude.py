"""What a run says as a whole: findings that belong to no single endpoint, and the time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tlsinspect.evidence.clockhints import hints
from tlsinspect.evidence.peer import peer_of
from tlsinspect.judge import Judged
from tlsinspect.judge.establish import Context
from tlsinspect.judge.findings import skew_findings
from tlsinspect.judge.values import local_values
from tlsinspect.judge.words import day, finding
from tlsinspect.model import Assessment, ClockEstimate, Finding, Reach, Reachability, Verdict

BLOCKED = (Reach.REFUSED, Reach.TIMEOUT, Reach.NOT_PKI)


def clock_of(judged: Judged) -> ClockEstimate:
    """What is proven of the time, and beside it what is only assumed or suggested."""
    context = judged.context
    estimate = context.bounds.estimate()
    until = context.hints.assumed(context.bounds) if estimate.hi is None else None
    return replace(estimate, assumed_hi=until, hints=tuple(f.sentence for f in _hints(context)))


def _hints(context: Context) -> Iterator[Finding]:
    for hint in hints(context.hints, context.bounds):
        yield finding(hint.code, hint.values)


def conclusions(judged: Judged, reached: Sequence[Reachability]) -> tuple[Finding, ...]:
    """Run-level findings: how many hosts are intercepted, the clock, port 80, the age of the data."""
    context = judged.context
    found = [
        *_asked_time(context),
        *_intercepted(judged.assessments),
        *on_this_machine(judged),
        *skew_findings(context),
    ]
    portal = next((r for r in reached if r.portal and r.listed), None)
    if portal is not None:
        # Nothing else on this network is as it will be once somebody has signed in.
        return (*found, finding("portal-on-network", {"portal": f"{portal.endpoint.host}: {portal.sentence}"}))
    return (*found, *_port_80(judged, reached), *_data(context), *_defects(context))


def _asked_time(context: Context) -> Iterator[Finding]:
    if context.bounds.exact:
        yield finding("judged-at", {"at": day(context.bounds.local)})


def _intercepted(assessments: Sequence[Assessment]) -> Iterator[Finding]:
    found = [a for a in assessments if a.verdict is Verdict.INTERCEPTED]
    hosts = [a.endpoint.host for a in found]
    if hosts:
        always = not any(f.code == "mixed" for a in found for f in a.findings)
        code = "all-intercepted" if len(found) == len(assessments) and always else "selective-interception"
        yield finding(code, {"hosts": ", ".join(hosts), "n": str(len(hosts)), "of": str(len(assessments))})


def on_this_machine(judged: Judged) -> Iterator[Finding]:
    """That every intercepted connection ended on this machine. Where one did not, this says nothing."""
    seen = [s for a in judged.assessments if a.verdict is Verdict.INTERCEPTED for s in a.observations]
    ends = [judged.context.listeners.get(peer) for s in seen if (peer := peer_of(s)) is not None]
    here = [local_values(end)["program"] for end in ends if end is not None]
    if here and len(here) == len(ends):
        yield finding("intercepted-on-this-machine", {"programs": ", ".join(dict.fromkeys(here))})


def _port_80(judged: Judged, reached: Sequence[Reachability]) -> Iterator[Finding]:
    blocked = [r.endpoint.host for r in reached if r.result in BLOCKED]
    if blocked:
        yield finding("port-80-blocked", {"hosts": ", ".join(blocked)})
    rows = {row.host: row for row in judged.context.trust.revocation_hosts}
    named = [r.endpoint.host for r in reached if r.named]
    missed = [host for host in named if host not in rows or not rows[host].on_help_page]
    if missed and any(r.listed for r in reached):
        yield finding("allow-list-misses", {"hosts": ", ".join(missed)})


def _defects(context: Context) -> Iterator[Finding]:
    for defect in context.evidence.defects[:1]:
        yield finding("asking-failed", {"defect": defect})


def _data(context: Context) -> Iterator[Finding]:
    now = context.bounds.best
    if context.trust.is_old(now):
        age = {"data_date": context.trust.facts.date, "data_age": str(context.trust.age_days(now))}
        yield finding("trust-data-old", age)
