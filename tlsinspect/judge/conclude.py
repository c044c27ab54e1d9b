"""What a run says as a whole: findings that belong to no single endpoint, and the time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tlsinspect.evidence.clockhints import hints
from tlsinspect.evidence.peer import peer_of
from tlsinspect.judge import Judged
from tlsinspect.judge.establish import Context
from tlsinspect.judge.findings import old_data, skew_findings, store_problems
from tlsinspect.judge.interception import interception
from tlsinspect.judge.values import local_values
from tlsinspect.judge.words import day, enumerated, finding
from tlsinspect.model import (
    Assessment,
    Authority,
    ClockEstimate,
    Finding,
    InterceptingRoot,
    Reach,
    Reachability,
    Verdict,
)

_SYNC_CLIENT = "gwsmo"  # the profile of the client that takes part in no authentication with proxies
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


def conclusions(
    judged: Judged, reached: Sequence[Reachability], notes: Iterable[tuple[str, Mapping[str, str]]] = ()
) -> tuple[Finding, ...]:
    """Run-level findings: how many hosts are intercepted, the clock, the proxies, port 80, the age of the data.

    notes: codes and values of what is to be said about where the proxies come from."""
    context = judged.context
    found = [
        *_asked_time(context),
        *interception(judged.assessments),
        *on_this_machine(judged),
        *judged.probed,
        *_noticed(judged.roots),
        *_stores(judged),
        *skew_findings(context),
        *authenticated_proxy(judged.assessments),
        *(finding(code, values) for code, values in notes),
    ]
    if context.portal:
        # Nothing else on this network is as it will be once somebody has signed in.
        return (*found, finding("portal-on-network", {"portal": context.portal}))
    return (*found, *_port_80(judged, reached), *old_data(context.trust, context.bounds.best), *_defects(context))


def _asked_time(context: Context) -> Iterator[Finding]:
    if context.bounds.exact:
        yield finding("judged-at", {"at": day(context.bounds.local)})


def _noticed(roots: Sequence[InterceptingRoot]) -> Iterator[Finding]:
    """Which programs notice the interception, and which do not: authorities that fare alike in one sentence."""
    silent, breaking = [(r.trusting, r.title) for r in roots], [(r.failing, r.title) for r in roots]
    for code, found in (("silent-interception", silent), ("breaking-interception", breaking)):
        alike: dict[tuple[str, ...], list[str]] = {}
        for clients, title in found:
            alike.setdefault(clients, []).append(title)
        for clients, titles in alike.items():
            if clients:
                values = {"authorities": enumerated([f'"{t}"' for t in titles], 3), "clients": enumerated(clients, 20)}
                yield finding(code, values)


def _stores(judged: Judged) -> Iterator[Finding]:
    """Stores that are not read, where that leaves something open, and stores that cannot be."""
    stores = judged.context.stores
    if stores is None:
        return
    if judged.roots and stores.unread:
        unread = [f"{client} ({what})" if what else client for client, what in stores.unread.items()]
        yield finding("stores-not-read", {"clients": enumerated(unread, 20)})
    yield from store_problems(stores)


def authenticated_proxy(assessments: Sequence[Assessment]) -> Iterator[Finding]:
    """Google's sync client has no credentials for a proxy: what this scan reached with them it does not reach."""
    for_the_client = [a for a in assessments if any(row.profile == _SYNC_CLIENT for row in a.endpoint.rows)]
    hosts = [
        a.endpoint.host
        for a in for_the_client
        if a.verdict is Verdict.GENUINE
        and a.endpoint.authority is Authority.GOOGLE
        and any(f.code == "proxy-authenticated" for f in a.findings)
    ]
    if hosts:
        yield finding("authenticated-proxy", {"hosts": ", ".join(hosts), "n": str(len(hosts))})


def on_this_machine(judged: Judged) -> Iterator[Finding]:
    """That every intercepted connection ended on this machine. Where one did not, this says nothing."""
    seen = [s for a in judged.assessments if a.verdict is Verdict.INTERCEPTED for s in a.observations]
    ends = [judged.context.listeners.get(peer) for s in seen if (peer := peer_of(s.connections)) is not None]
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
