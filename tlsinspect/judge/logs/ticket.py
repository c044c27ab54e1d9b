"""A paragraph for whoever runs the network, from what logs say: how often, from when to when, and what is asked for.

It is pasted into a ticket, so it stands by itself, and says first that all of it is text.
"""

from collections.abc import Iterator, Sequence

from tlsinspect.judge.advice import ASKS, asked
from tlsinspect.judge.logs.commands import profile_hosts, revocation_hosts
from tlsinspect.judge.logs.words import destinations, in_period, issuer, moment, place, tools, went
from tlsinspect.judge.words import Value, fill, wording
from tlsinspect.logs.observed import HTTPS, UNKNOWN_HOST
from tlsinspect.model import LogGroup, LogReport
from tlsinspect.tallies import OTHERS
from tlsinspect.text import counted

MOST_TOLD = 20  # groups; the report has them all
PRESENTED = ("incident", "exempt")
HERE = "here"  # where a program of that machine intercepts nobody else can exempt anything


def ticket(report: LogReport) -> str:
    """The paragraph, or nothing where nothing is to be asked of anybody."""
    asks: dict[str, list[LogGroup]] = {}
    for group in report.groups:
        ask = _ask(group)
        if ask and group.assessment.endpoint.host != OTHERS:
            asks.setdefault(ask, []).append(group)
    sentences = [s for ask in ASKS if ask in asks for s in _section(ask, asks[ask])]
    sentences += [s for group in asks.get(HERE, [])[:MOST_TOLD] for s in _done_there(group)]
    local = [each.sentence for each in report.conclusions if each.code == "log-intercepted-here"]
    if not sentences:
        return ""
    told = sum(group.count for groups in asks.values() for group in groups[:MOST_TOLD])
    if told < report.failures:
        more = counted(report.failures - told, "failure")
        sentences.append(fill(wording()["ticket"]["log"]["more"], {"more": more}))
    return "\n".join([_opening(report), *local, *sentences])


def _ask(group: LogGroup) -> str:
    """What is asked for: one of ASKS, nothing, or HERE."""
    ask = asked(group.assessment)
    if went(group.assessment) != "here":
        return ask
    return {"exempt": HERE, "reach": ""}.get(ask, ask)  # a program of that machine is nobody else's to mend


def _opening(report: LogReport) -> str:
    first = min((g.first for g in report.groups if g.first is not None), default=None)
    last = max((g.last for g in report.groups if g.last is not None), default=None)
    values: dict[str, Value] = {
        "tools": tools(report.products),
        "failures": counted(report.failures, "failure"),
        "period": in_period(first, last),
        "made": moment(report.made),
        "commands": report.commands,
    }
    return fill(wording()["ticket"]["log"]["opening"], values)


def _section(ask: str, groups: Sequence[LogGroup]) -> Iterator[str]:
    """What is said, then what is asked for."""
    yield from map(_said, groups[:MOST_TOLD])
    yield fill(wording()["ticket"][ask], {"places": _places(ask, groups)})


def _done_there(group: LogGroup) -> Iterator[str]:
    yield _said(group)
    yield fill(wording()["ticket"]["log"]["here"], {"remedy": group.assessment.remedy})


def _said(group: LogGroup) -> str:
    a, words = group.assessment, wording()["ticket"]["log"]
    ends = destinations(group)
    values = {
        "count": counted(group.count, "time"),
        "period": in_period(group.first, group.last),
        "issuer": issuer(a),
        "product": f" ({a.attribution.confidence} {a.attribution.name})" if a.attribution else "",
        "host": place(a.endpoint.host),
        "explanation": a.explanation,
        "where": fill(words["where"], {"destinations": ends}) if ends else "",
    }
    # Who intercepts is told by whose certificate it is; what else is wrong with one, in the words of the answer.
    return fill(words["presented" if values["issuer"] and asked(a) in PRESENTED else "said"], values)


def _places(ask: str, groups: Sequence[LogGroup]) -> tuple[str, ...]:
    """Where a log names no host, all that the tools need are meant; for revocation those that the lists come from."""
    if ask == "plain":
        return tuple(f"{host}:80" for host in revocation_hosts())
    hosts = [group.assessment.endpoint.host for group in groups]
    named = profile_hosts() if UNKNOWN_HOST in hosts else ()
    return tuple(dict.fromkeys(f"{host}:{HTTPS}" for host in (*hosts, *named) if host != UNKNOWN_HOST))
