"""How what a log says is put for people: when, how often, where, by which tools."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tlsinspect.judge.words import enumerated, fill, wording
from tlsinspect.logs.observed import UNKNOWN_HOST, PlaceFact, place_of
from tlsinspect.logs.products import products, title
from tlsinspect.logs.sources import STDIN
from tlsinspect.model import Assessment, LogFile, Logged, LogGroup
from tlsinspect.tallies import OTHERS
from tlsinspect.text import printable

MOST_NAMED = 6  # in one sentence


def word(key: str, values: Mapping[str, str] | None = None) -> str:
    """A phrase of the tables [log]."""
    return fill(wording()["log"][key], values or {})


def moment(time: datetime) -> str:
    """To the second where there are any. Years before 1000 have four digits too."""
    return time.isoformat(sep=" ")[:19].removesuffix(":00") + "Z"


def period(first: datetime | None, last: datetime | None) -> str:
    """From when to when; the day once where it is the same."""
    if first is None or last is None:
        return ""
    begin, end = moment(first), moment(last)
    if begin == end:
        return begin
    return f"{begin} to {end[11:] if begin[:10] == end[:10] else end}"


def ends(of: Iterable[LogFile | LogGroup]) -> tuple[datetime | None, datetime | None]:
    """The earliest and the latest time of all."""
    each = [time for one in of for time in (one.first, one.last) if time is not None]
    return min(each, default=None), max(each, default=None)


def in_period(first: datetime | None, last: datetime | None) -> str:
    """The same as the end of a clause, or nothing."""
    if first is None or last is None:
        return ""
    return word("at", {"time": moment(first)}) if first == last else word("between", {"period": period(first, last)})


def times(count: int) -> str:
    """How often, as a sentence begins."""
    return word("once") if count == 1 else word("many", {"n": f"{count:,}"})


def file_name(name: str) -> str:
    """A file as a sentence names it."""
    return word("stdin") if name == STDIN else name


def version(files: Iterable[LogFile]) -> str:
    """Version of the tool and of Windows, as far as all files that print one agree, as the end of a clause."""
    tool, system = ({found for each in files if (found := getattr(each, what))} for what in ("version", "system"))
    parts = [*tool] if len(tool) == 1 else []
    parts += [word("on-system", {"system": next(iter(system))})] if len(system) == 1 else []
    return "".join(f" {part}" for part in parts)


def reported(assessment: Assessment) -> str:
    """The flags of Windows, where the explanation does not name them; or nothing."""
    names = next((f.values["names"] for f in assessment.findings if f.code == "log-flags"), "")
    return word("reported", {"names": names}) if names and names not in assessment.explanation else ""


def tools(ids: Iterable[str]) -> str:
    """The sync tools by name; those that a log does not name are one."""
    return listed([title(each) or word("some-tool") for each in ids])


def short(product: str) -> str:
    """What people call a tool: its initials, where it has any."""
    row = products().get(product)
    if row is None:
        return word("unprinted")
    return next((name for name in row.former[:1] if name.isupper()), row.title)


def listed(names: Iterable[str]) -> str:
    """Each once, and how many more there are."""
    each = [printable(name) for name in dict.fromkeys(names)]
    return enumerated(each, MOST_NAMED) if each else ""


def place(host: str) -> str:
    """A host as a sentence names it."""
    return {UNKNOWN_HOST: word("some-host"), OTHERS: word("other-hosts")}.get(host, host)


def logged_of(assessment: Assessment) -> tuple[Logged, ...]:
    """What the log says, try by try."""
    return tuple(seen.logged for seen in assessment.observations if seen.logged is not None)


def ended(assessment: Assessment) -> Logged | None:
    """The try that says where its connection went: the one that decided, or else another."""
    tries = sorted(assessment.observations, key=lambda seen: seen.route != assessment.route)
    return next((seen.logged for seen in tries if seen.logged is not None and seen.logged.address is not None), None)


def went(assessment: Assessment) -> PlaceFact:
    """Where its connections went, seen from the machine; unknown where two tries went to two places."""
    said = logged_of(assessment)
    # Where a certificate was seen, if one was: the other try failed before.
    met = [each for each in said if each.issuer] or said
    places = {place_of(each.address) for each in met if each.address is not None}
    return places.pop() if len(places) == 1 else "unknown"


def issuer(assessment: Assessment) -> str:
    """Who issued the certificate, as the log prints it; empty where it prints none."""
    if assessment.issuer_title:
        return assessment.issuer_title
    return next((", ".join(each.issuer) for each in logged_of(assessment) if each.issuer), "")


def destinations(group: LogGroup) -> str:
    """Where they went, the most frequent first."""
    named = [where for where in group.destinations if where not in (OTHERS, word("unprinted"))]
    more = group.destinations.get(OTHERS)
    return listed(named) + (word("and-others") if named and more else "")
