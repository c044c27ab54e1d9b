"""What suggests the time without proving it: printed beside the estimate, and deciding nothing.

The rules are numbered as in the literature this project keeps: U1 and U2 are assumptions (Google serves no expired
leaf; a list fetched just now is a current one), H1 and H2 are words anybody on the way, or this machine itself, may
have made up, T4 to T7 and T9 weigh what is left when nothing bounds the time from above.
"""

import calendar
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tlsinspect.evidence.clock import SLACK, Bounds
from tlsinspect.evidence.hint import Hint
from tlsinspect.text import counted

RECENTLY = timedelta(days=28)  # what Chromium calls a recently expired certificate
YEAR = timedelta(days=365)
_MOST_YEARS = 30


@dataclass(frozen=True)
class Told:
    """The time as somebody unproven tells it: plain HTTP, a proxy, a session of somebody else's."""

    source: str
    time: datetime
    at: datetime  # by the local clock


@dataclass(frozen=True)
class Hints:
    """Everything a run came across that may tell the time."""

    leaves: tuple[datetime, ...] = ()  # notAfter of each genuine leaf, one a key
    lists: tuple[datetime, ...] = ()  # nextUpdate of what was fetched in this run
    told: tuple[Told, ...] = ()
    synchronised: bool | None = None  # what the operating system says of its own clock

    def assumed(self, bounds: Bounds) -> datetime | None:
        """U1, and U2 beside it: the earliest end among genuine leaves and fresh lists; None where that is already past.

        A list alone is no assumption worth making: an old one can be replayed as long as it is signed.
        """
        if not self.leaves:
            return None
        first = min((*self.leaves, *self.lists))
        return first if first > bounds.lower() else None


def hints(found: Hints, bounds: Bounds) -> Iterator[Hint]:
    """What to say of the time beside what is proven. Nothing where the caller chose it."""
    if bounds.exact:
        return
    interval, local = bounds.interval(), bounds.local
    if interval is None:
        yield from _unbounded(found, bounds)
        yield from _told(found)
    if found.synchronised is not None and (interval is None or _is_off(local, interval.lo, interval.hi)):
        yield Hint("clock-system-says", {"state": "is" if found.synchronised else "is not"})
    until = found.assumed(bounds)
    lo, hi = (interval.lo, interval.hi) if interval else (bounds.lower(), until)
    if hi is not None and _is_off(local, lo, hi):
        for words in hypotheses(local, lo, hi):
            yield Hint("clock-hypothesis", {"hypothesis": words})


def _is_off(local: datetime, lo: datetime, hi: datetime) -> bool:
    return local < lo - SLACK or local > hi + SLACK


def _unbounded(found: Hints, bounds: Bounds) -> Iterator[Hint]:
    """T4 to T7 and T9: nothing proves how late it can be at most."""
    local = bounds.local
    past = [until for until in found.leaves if until < local]
    current = len(past) < len(found.leaves) or any(until >= local for until in found.lists)
    if past and current:
        yield Hint("clock-probably-right")  # T4: of several signed things, the clock fits some
    elif len(past) > 1:
        least = local - min(past)
        yield Hint("clock-probably-ahead", {"leaves": str(len(past)), "least_days": str(least.days)})  # T5
    elif past and local - past[0] > RECENTLY:
        yield Hint("clock-perhaps-ahead", {"days": str((local - past[0]).days)})  # T6; T7 says nothing
    if not found.leaves and local > bounds.released + YEAR:
        yield Hint("clock-or-data-old", {"released": f"{bounds.released:%Y-%m-%d}"})  # T9


def likelier(found: Hints, local: datetime, not_after: datetime) -> str:
    """Of a proven leaf that is past its end by the local clock alone: ``clock`` or ``expired`` (T4 to T7)."""
    others = [until for until in (*found.leaves, *found.lists) if until != not_after]
    if any(until >= local for until in others):
        return "expired"
    if any(until < local for until in found.leaves if until != not_after):
        return "clock"
    return "clock" if local - not_after > RECENTLY else "expired"


def _told(found: Hints) -> Iterator[Hint]:
    """H1: those whose word agrees, together."""
    camps: list[tuple[Told, list[str]]] = []
    for told in found.told:
        off = told.time - told.at
        camp = next((sources for first, sources in camps if abs(first.time - first.at - off) <= SLACK), None)
        if camp is None:
            camps.append((told, [told.source]))
        else:
            camp.append(told.source)
    for first, sources in camps[:3]:
        yield Hint(
            "clock-told", {"source": " and ".join(dict.fromkeys(sources[:3])), "time": f"{first.time:%Y-%m-%d %H:%MZ}"}
        )


# -- human error ----------------------------------------------------------------------------------------------------


def hypotheses(local: datetime, lo: datetime, hi: datetime) -> Sequence[str]:
    """The slips that would bring the local clock into [lo, hi]: a whole year, a whole month, twelve hours, a time zone.

    Each is tried only where the interval is narrow enough for a fit to mean something.
    """
    width = hi - lo
    if width < YEAR:
        for years in range(1, _MOST_YEARS + 1):
            for sign in (1, -1):
                if _fits(_moved(local, -12 * years * sign), lo, hi):
                    return (f"the year is {years} too {'high' if sign > 0 else 'low'}",)
    if width < timedelta(days=28):
        for months in range(1, 12):
            for sign in (1, -1):
                if _fits(_moved(local, -months * sign), lo, hi):
                    n = counted(months, "month")
                    return (f"the date is {n} too {'late' if sign > 0 else 'early'}",)
    return _of_hours(local, lo, hi) if width < timedelta(minutes=30) else ()


def _of_hours(local: datetime, lo: datetime, hi: datetime) -> Sequence[str]:
    def fits(quarters: int) -> bool:
        off = timedelta(minutes=15 * quarters)  # from differences: a date of its own may be beyond what one can hold
        return lo - local + off <= SLACK and local - hi - off <= SLACK

    found = next((q for q in range(-14 * 4, 14 * 4 + 1) if abs(q) > 1 and fits(q)), None)
    if found is None:
        return ()
    hours, minutes = divmod(abs(found) * 15, 60)
    zone = f"the time zone is off by {'+' if found > 0 else '-'}{hours:02}:{minutes:02}"
    return ("morning and evening are mixed up (12 hours)", zone) if abs(found) == 48 else (zone,)


def _fits(moment: datetime | None, lo: datetime, hi: datetime) -> bool:
    return moment is not None and lo - moment <= SLACK and moment - hi <= SLACK


def _moved(moment: datetime, months: int) -> datetime | None:
    """The same day of another month, or its last; None beyond what a date can hold."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        return None
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))
