"""What many failures come to: those that are alike told once, however many, and counted from every side.

Alike are failures with the same verdict for the same reason, of the same tool, about the same host and issuer, with the
same codes, through the same proxies, on the same side of the machine's own network; of clocks, with the same printed
dates on the same side of them. The address of a host is not asked for: Google has hundreds. Nothing grows without a
bound, and nothing is lost from the sums: what is too much to be told apart is told together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from tlsinspect.endpoints.target import bracketed
from tlsinspect.judge.logs.advice import advised
from tlsinspect.judge.logs.commands import commands
from tlsinspect.judge.logs.conclude import conclusions
from tlsinspect.judge.logs.rules import OF_TIME
from tlsinspect.judge.logs.ticket import ticket
from tlsinspect.judge.logs.words import ended, logged_of, word
from tlsinspect.judge.rules import WORST_FIRST
from tlsinspect.logs.codes import error
from tlsinspect.logs.observed import place_of
from tlsinspect.model import SCHEMA_VERSION, Assessment, LogFile, Logged, LogGroup, LogReport, Route, Verdict
from tlsinspect.tallies import OTHERS, Tally, Times
from tlsinspect.trust import Trust
from tlsinspect.version import __version__

MOST_GROUPS = 300
MOST_COUNTED = 200  # destinations, or hosts, of all failures
MOST_IN_GROUP = 40  # destinations of one group
Alike: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _Group:
    assessment: Assessment
    count: int = 0
    times: Times = field(default_factory=Times)
    products: Tally = field(default_factory=lambda: Tally(MOST_IN_GROUP))
    destinations: Tally = field(default_factory=lambda: Tally(MOST_IN_GROUP))
    files: Tally = field(default_factory=lambda: Tally(MOST_IN_GROUP))

    def summed(self, whole: Times) -> LogGroup:
        return LogGroup(
            assessment=self.assessment,
            count=self.count,
            first=self.times.first,
            last=self.times.last,
            products=self.products.counts(),
            destinations=self.destinations.counts(),
            files=self.files.counts(),
            timeline=self.times.timeline(whole),
        )


class Summing:
    """The failures that came so far."""

    def __init__(self) -> None:
        self._groups: dict[Alike, _Group] = {}
        self._beyond: dict[tuple[Verdict, str], _Group] = {}  # those that are too many, by verdict and rule
        self._failures = 0
        self._times = Times()
        self._verdicts, self._products = Tally(len(Verdict)), Tally(MOST_COUNTED)
        self._destinations, self._hosts = Tally(MOST_COUNTED), Tally(MOST_COUNTED)

    def add(self, assessment: Assessment) -> None:
        said = logged_of(assessment)
        product, times = next((each.product for each in said if each.product), ""), [each.time for each in said]
        where = destination(assessment)
        self._failures += 1
        self._verdicts.add(str(assessment.verdict))
        self._products.add(product)
        self._destinations.add(where)
        self._hosts.add(assessment.endpoint.host)
        group = self._group(assessment, said, product)
        group.count += 1
        group.products.add(product)
        group.destinations.add(where)
        group.files.add(next((each.file for each in said), ""))
        for each in (group.times, self._times):
            each.add(*times)

    def _group(self, assessment: Assessment, said: Sequence[Logged], product: str) -> _Group:
        key = _alike(assessment, said, product)
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            kind = (assessment.verdict, assessment.rule)
            return self._beyond.setdefault(kind, _Group(_standing_for_many(assessment)))
        return self._groups.setdefault(key, _Group(assessment))

    def report(
        self,
        files: Sequence[LogFile],
        trust: Trust,
        *,
        made: datetime,
        since: datetime | None = None,
        until: datetime | None = None,
        interrupted: bool = False,
    ) -> LogReport:
        """What they come to, with what follows from it."""
        counted = LogReport(
            schema_version=SCHEMA_VERSION,
            tool=f"tlsinspect {__version__}",
            made=made,
            trust=trust.facts,
            files=tuple(files),
            failures=self._failures,
            groups=tuple(self._summed()),
            verdicts=self._verdicts.counts(),
            products=self._products.counts(),
            destinations=self._destinations.counts(),
            hosts=self._hosts.counts(),
            timeline=self._times.timeline(),
            since=since,
            until=until,
            interrupted=interrupted,
        )
        told = replace(
            counted,
            conclusions=tuple(conclusions(counted)),
            advice=advised(counted.groups),
            commands=commands(counted.groups),
        )
        return replace(told, ticket=ticket(told))

    def _summed(self) -> list[LogGroup]:
        found = [group.summed(self._times) for group in (*self._groups.values(), *self._beyond.values())]
        return sorted(found, key=lambda group: (WORST_FIRST.index(group.assessment.verdict), -group.count))


def destination(a: Assessment) -> str:
    """Where it went, address and port."""
    found = ended(a)
    if found is None or found.address is None:
        return word("unprinted")
    return bracketed(found.address) + (f":{found.port}" if found.port is not None else "")


def _alike(a: Assessment, said: Sequence[Logged], product: str) -> Alike:
    told = tuple((each.flags, _number(each), each.http_status, each.issuer, place_of(each.address)) for each in said)
    ways = tuple(seen.route.proxy for seen in a.observations)
    dated = a.rule in OF_TIME  # the sentence tells the dates and how far the clock is off
    dates = tuple(
        (each.not_before, each.not_after, each.time > (each.not_after or each.time)) for each in said if dated
    )
    name = a.attribution and a.attribution.id
    return (a.verdict, a.rule, product, a.endpoint.host, a.issuer, name, told, ways, dates)


def _number(said: Logged) -> int | None:
    """A code, the same whichever way it is written."""
    known = error(said.code) if said.code is not None else None
    return known.value if known is not None else said.code


def _standing_for_many(a: Assessment) -> Assessment:
    """For failures of one kind that are too many to be told apart: what only the first of them says is left out."""
    route, row = Route(origin="log"), replace(a.endpoint.rows[0], url=f"https://{OTHERS}/", source="")
    seen = replace(a.observations[0], host=OTHERS, route=route, address=None, logged=None)
    return replace(
        a,
        endpoint=replace(a.endpoint, host=OTHERS, rows=(row,)),
        route=route,
        observations=(seen,),
        explanation=word("others"),
        findings=(),
        attribution=None,
        remedy="",
        issuer=None,
        issuer_title=None,
        not_after=None,
    )
