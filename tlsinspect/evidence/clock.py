"""What time it really is, and what that says about a certificate.

Only proof makes bounds. A signed object cannot exist before its signer made it: `notBefore` of a proven chain, and the
day the trust data was put together, are lower bounds. A `Date` header that came inside a session whose leaf Google
signed bounds time from both sides, for whoever holds that leaf's key; a cache in between (`Age`) spoils it. Dates in a
certificate nobody proved bound nothing: interceptors copy and shift them.

Every bound is kept as an offset from the local clock, so that bounds taken seconds apart can be put together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from tlsinspect.model import ClockEstimate, Confidence, HttpAnswer

SLACK = timedelta(minutes=5)  # what a clock may be off before it is said; Chromium's allowance too
RESOLUTION = timedelta(seconds=1)  # of the Date header, which is truncated


@dataclass(frozen=True)
class Witness:
    """A proven session that told the time: the offset of true time from the local clock lies in [lo, hi]."""

    host: str
    leaf_key: str  # SPKI SHA-256: two hosts with one key are one witness
    lo: timedelta
    hi: timedelta


def witness(host: str, leaf_key: str, http: HttpAnswer | None) -> Witness | None:
    """What an HTTP answer inside a proven session says of the time, or None."""
    if http is None or http.date is None or http.age is not None:
        return None
    return Witness(host, leaf_key, lo=http.date - http.received, hi=http.date + RESOLUTION - http.sent)


@dataclass(frozen=True)
class Bounds:
    """What a run proves of true time at the local time `local`."""

    local: datetime
    released: datetime  # the day the trust data was put together
    witnesses: tuple[Witness, ...] = ()
    proven_since: tuple[tuple[str, datetime], ...] = ()  # (leaf key, notBefore) of each proven chain
    exact: bool = False  # the caller chose the time: it is the true one and the local one

    def lower(self, without: str = "") -> datetime:
        """A time that has certainly passed; `without` leaves out what the leaf with this key says."""
        if self.exact:
            return self.local
        newest = next((since for key, since in self._latest if key != without), self.released)
        return max(newest, self.released)

    @cached_property
    def dropped(self) -> tuple[Witness, ...]:
        """Witnesses whose time has certainly passed: a replay, or a server with a wrong clock."""
        return tuple(w for w in self.witnesses if self.local + w.hi < self.lower(without=w.leaf_key) - SLACK)

    def interval(self, leaf_key: str = "") -> tuple[datetime, datetime, bool] | None:
        """True time as (lo, hi, whether it is more than this leaf's own word), or None where nothing bounds it from
        above. A leaf is judged by others' clocks first: whoever stole an expired key would send a fitting Date."""
        if self.exact:
            return self.local, self.local, True
        lows, highs = self._edges
        if not lows:
            return None
        # Where they disagree the widest interval holds: then only what all of them imply is decided.
        others = [next((edge for key, edge in edges if key != leaf_key), None) for edges in (lows, highs)]
        lo, hi = others
        if lo is None or hi is None:
            return self.local + lows[0][1], self.local + highs[0][1], False
        return self.local + lo, self.local + hi, True

    # A run has as many witnesses as hosts, and every host asks without itself: of each bound the best two of different
    # leaves are enough to answer all of them.

    @cached_property
    def _latest(self) -> list[tuple[str, datetime]]:
        return _two_keys(sorted(self.proven_since, key=lambda since: since[1], reverse=True))

    @cached_property
    def _edges(self) -> tuple[list[tuple[str, timedelta]], list[tuple[str, timedelta]]]:
        dropped = set(self.dropped)
        kept = [w for w in self.witnesses if w not in dropped]
        lows = sorted(((w.leaf_key, w.lo) for w in kept), key=lambda edge: edge[1])
        highs = sorted(((w.leaf_key, w.hi) for w in kept), key=lambda edge: edge[1], reverse=True)
        return _two_keys(lows), _two_keys(highs)

    def best(self) -> datetime:
        """One moment to reckon ages by: true time as far as it is proven, else the local clock."""
        interval = self.interval()
        return interval[0] if interval else self.local

    def estimate(self) -> ClockEstimate:
        """The interval a report prints."""
        interval = self.interval()
        if interval is None:
            newest = max((since for _, since in self.proven_since), default=self.released)
            source = "notBefore of a proven certificate" if newest > self.released else "date of the trust data"
            return ClockEstimate(self.local, lo=max(newest, self.released), hi=None, sources=(source,))
        dropped = set(self.dropped)
        hosts = sorted({w.host for w in self.witnesses if w not in dropped})
        sources = ("chosen by the caller",) if self.exact else tuple(f"Date of {host}" for host in hosts)
        return ClockEstimate(self.local, lo=interval[0], hi=interval[1], sources=sources)


T = TypeVar("T")


def _two_keys(ordered: Iterable[tuple[str, T]]) -> list[tuple[str, T]]:
    """The first pair, and the first of another key."""
    found: dict[str, T] = {}
    for key, value in ordered:
        found.setdefault(key, value)
        if len(found) == 2:
            break
    return list(found.items())


class Dates(StrEnum):
    """A proven certificate's validity against true time and the local clock."""

    VALID = "valid"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    SKEWED = "skewed"  # valid in truth, not by the local clock
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class DateVerdict:
    dates: Dates
    confidence: Confidence
    proven: bool  # true time is bounded from both sides
    own_word: bool = False  # only the leaf's own session says so
    likelier: str = ""  # for UNDECIDED: expired or clock


def judge_dates(not_before: datetime, not_after: datetime, bounds: Bounds, leaf_key: str) -> DateVerdict:
    """Compare the validity of a *proven* path with the time."""
    here = _side(bounds.local, bounds.local, not_before, not_after)
    interval = bounds.interval(leaf_key)
    if interval is None:
        return _without_witness(here, not_before, not_after, bounds, leaf_key)
    lo, hi, others = interval
    truth = _side(lo, hi, not_before, not_after)
    if truth is None:
        return _undecided(bounds.local, not_after)
    if truth is Dates.VALID and here is not Dates.VALID:
        sure = Confidence.CERTAIN if others else Confidence.LIKELY
        return DateVerdict(Dates.SKEWED, sure, proven=True, own_word=not others)
    # Without another witness, the local clock is the second one wherever it says the same.
    return DateVerdict(truth, Confidence.CERTAIN if others or here is truth else Confidence.LIKELY, proven=True)


def _without_witness(
    here: Dates | None, not_before: datetime, not_after: datetime, bounds: Bounds, leaf_key: str
) -> DateVerdict:
    """Only lower bounds: a clock that is behind can be proven, one that is ahead cannot."""
    lower = max(bounds.lower(without=leaf_key), not_before)
    if lower > not_after:
        return DateVerdict(Dates.EXPIRED, Confidence.CERTAIN, proven=True)
    if here is Dates.VALID:
        return DateVerdict(Dates.VALID, Confidence.STRONG, proven=False)
    if bounds.local < not_before - SLACK:
        # The certificate exists, so its notBefore has passed: the clock is behind (RFC 5280 §4.1.2.5 has no other
        # reading for a certificate in use).
        return DateVerdict(Dates.SKEWED, Confidence.CERTAIN, proven=True)
    return _undecided(bounds.local, not_after)


def _side(lo: datetime, hi: datetime, not_before: datetime, not_after: datetime) -> Dates | None:
    """Where [lo, hi] lies against the validity; None where it straddles an edge."""
    if lo > not_after:
        return Dates.EXPIRED
    if hi < not_before:
        return Dates.NOT_YET_VALID
    return Dates.VALID if not_before <= lo and hi <= not_after else None


def _undecided(local: datetime, not_after: datetime) -> DateVerdict:
    """Chromium calls a certificate recently expired for 28 days; past that, a wrong clock is the likelier cause."""
    likelier = "clock" if local - not_after > timedelta(days=28) else "expired"
    return DateVerdict(Dates.UNDECIDED, Confidence.CERTAIN, proven=False, likelier=likelier)


def skew(bounds: Bounds) -> tuple[timedelta, timedelta | None] | None:
    """How far the local clock is off, as (least, most) of local minus true time where that is proven to exceed SLACK;
    positive is ahead. None where it is not proven."""
    if bounds.exact:
        return None
    interval = bounds.interval()
    if interval is not None:
        ahead, behind = bounds.local - interval[1], bounds.local - interval[0]
        return (ahead, behind) if ahead > SLACK or behind < -SLACK else None
    behind = bounds.local - bounds.lower()
    return (behind, None) if behind < -SLACK else None
