"""A paragraph for whoever runs the network, from what logs say: how often, from when to when, and what is asked for.

It is pasted into a ticket, so it stands by itself, and says first that all of it is text.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tlsinspect.judge.advice import ASKS, asked
from tlsinspect.judge.logs.commands import profile_hosts, revocation_hosts
from tlsinspect.judge.logs.words import (
    destinations,
    ends,
    in_period,
    moment,
    reported,
    short,
    times,
    tools,
    version,
    went,
    word,
)
from tlsinspect.judge.words import Value, fill, wording
from tlsinspect.logs.observed import HTTPS, UNKNOWN_HOST
from tlsinspect.model import Assessment, LogGroup, LogReport
from tlsinspect.tallies import OTHERS
from tlsinspect.text import counted

MOST_TOLD = 20  # groups; the report has them all
BESIDE = {
    "clock-hypothesis",
    "log-revocation-by-clock",
    "log-revocation-by-interceptor",
    "log-retry-untold",
}  # findings
THERE = "there"  # where nobody else can do anything


def ticket(report: LogReport) -> str:
    """What failed, what is asked for, and what is to be done on that machine; or why the logs tell of nothing."""
    said = [each.sentence for each in report.conclusions]
    if report.interrupted:
        said.append(word("interrupted"))
    if not report.failures:
        return "\n".join(said)
    asks: dict[str, list[LogGroup]] = {}
    for group in _joined(group for group in report.groups if group.assessment.endpoint.host != OTHERS):
        asks.setdefault(_ask(group), []).append(group)
    asked_for = [s for ask in ASKS if ask in asks for s in _section(ask, asks[ask], report)]
    done = _done_there(asks.get(THERE, [])[:MOST_TOLD], report)
    left = report.failures - sum(group.count for groups in asks.values() for group in groups[:MOST_TOLD])
    more = [fill(wording()["ticket"]["log"]["more"], {"more": counted(left, "failure")})] if left else []
    return "\n".join([_opening(report), *said, *asked_for, *done, *more])


def _ask(group: LogGroup) -> str:
    """What is asked for: one of ASKS, or THERE."""
    ask = asked(group.assessment)
    local = went(group.assessment) == "here" and ask in ("exempt", "reach")
    return THERE if local or not ask else ask  # a program of that machine is nobody else's to mend


def _joined(groups: Iterable[LogGroup]) -> Iterator[LogGroup]:
    """Groups that differ by the tool alone are one."""
    alike: dict[tuple[str, str], list[LogGroup]] = {}
    for group in groups:
        alike.setdefault((group.assessment.explanation, group.assessment.remedy), []).append(group)
    for each in alike.values():
        first, last = ends(each)
        yield replace(
            each[0],
            count=sum(group.count for group in each),
            first=first,
            last=last,
            products=_added(group.products for group in each),
            destinations=_added(group.destinations for group in each),
        )


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return dict(sum(map(Counter, counts), Counter()).most_common())


def _opening(report: LogReport) -> str:
    values: dict[str, Value] = {
        "tools": tools(report.products),
        "failures": counted(report.failures, "failure"),
        "version": version(report.files),
        "period": in_period(*ends(report.groups)),
        "made": moment(report.made),
        "commands": report.commands,
    }
    return fill(wording()["ticket"]["log"]["opening"], values)


def _section(ask: str, groups: Sequence[LogGroup], report: LogReport) -> Iterator[str]:
    """What is said, then what is asked for."""
    yield from (_said(group, report) for group in groups[:MOST_TOLD])
    yield fill(wording()["ticket"][ask], {"places": _places(ask, groups)})


def _done_there(groups: Sequence[LogGroup], report: LogReport) -> Iterator[str]:
    """What is said, then what is to be done about it, once for all that it helps."""
    for remedy in dict.fromkeys(group.assessment.remedy for group in groups):
        yield from (_said(group, report) for group in groups if group.assessment.remedy == remedy)
        yield fill(wording()["ticket"]["log"]["here"], {"remedy": remedy})


def _said(group: LogGroup, report: LogReport) -> str:
    a, words = group.assessment, wording()["ticket"]["log"]
    named, reached = [short(each) for each in group.products if len(report.products) > 1], destinations(group)
    places = [", ".join(named), fill(words["to"], {"destinations": reached}) if reached else ""]
    told = "; ".join(filter(None, places))
    values = {
        "count": times(group.count),
        "period": in_period(group.first, group.last),
        "explanation": a.explanation,
        "where": fill(words["where"], {"places": told}) if told else "",
    }
    return " ".join((fill(words["said"], values), *_beside(a)))


def _beside(a: Assessment) -> Iterator[str]:
    flags = reported(a)
    if flags:
        yield f"{flags}."
    yield from (found.sentence for found in a.findings if found.code in BESIDE)


def _places(ask: str, groups: Sequence[LogGroup]) -> tuple[str, ...]:
    """Where a log names no host, all that the tools need are meant; for revocation those that the lists come from."""
    if ask == "plain":
        return tuple(f"{host}:80" for host in revocation_hosts())
    hosts = [group.assessment.endpoint.host for group in groups]
    named = profile_hosts() if UNKNOWN_HOST in hosts else ()
    return tuple(dict.fromkeys(f"{host}:{HTTPS}" for host in (*hosts, *named) if host != UNKNOWN_HOST))
