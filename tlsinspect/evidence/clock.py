"""What time it really is, and what that says about a certificate.

Only proof makes bounds. A signed object cannot exist before its signer made it: `notBefore` of a proven chain, a CRL,
an OCSP answer, a transparency timestamp and the day the trust data was put together are lower bounds, and no more than
that, for all of them can be replayed later. Two things bound time from both sides: an answer of Google's signed time
service to a nonce of ours, and a `Date` header inside a session whose leaf Google signed, for whoever holds that leaf's
key; a cache in between (`Age`) spoils it. Dates in a certificate nobody proved bound nothing: interceptors copy and
shift them. What merely suggests the time is in `clockhints`, and decides nothing.

Every bound is kept as an offset from the local clock, so that bounds taken seconds apart can be put together.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from tlsinspect.certificate import FIRST_MOMENT
from tlsinspect.model import ClockEstimate, Confidence, HttpAnswer

SLACK = timedelta(minutes=5)  # what a clock may be off before it is said; Chromium's allowance too
ABSURD = timedelta(days=365 * 100)  # no server's clock is that wrong, and dates end at the year 9999
RESOLUTION = timedelta(seconds=1)  # of the Date header, which is truncated
SERVICE_SKEW = timedelta(seconds=10)  # what Chromium allows the time service's own clock
TIME_SERVICE = "Google's signed time service"


@dataclass(frozen=True)
class Witness:
    """A proven session that told the time: the offset of true time from the local clock lies in [lo, hi]."""

    host: str
    leaf_key: str  # SPKI SHA-256: two hosts with one key are one witness
    lo: timedelta
    hi: timedelta
    google: bool = True  # signed by Google: anybody else's clock counts for nobody but themselves


def witness(host: str, leaf_key: str, http: HttpAnswer | None, google: bool) -> Witness | None:
    """What an HTTP answer inside a proven session says of the time, or None."""
    if http is None or http.date is None or http.age is not None:
        return None
    if abs(http.date - http.received) > ABSURD:
        return None
    return Witness(host, leaf_key, lo=http.date - http.received, hi=http.date + RESOLUTION - http.sent, google=google)


def service_witness(told: datetime, sent: datetime, received: datetime) -> Witness:
    """What the signed time service says: `told` was true at some moment between the local times around the exchange."""
    return Witness(TIME_SERVICE, "", lo=told - received - SERVICE_SKEW, hi=told - sent + SERVICE_SKEW)


@dataclass(frozen=True)
class Since:
    """A moment that has passed, for something was signed at it."""

    time: datetime
    source: str
    leaf_key: str = ""  # SPKI SHA-256 of the leaf whose own certificate says so; "" where it does not depend on one


@dataclass(frozen=True)
class Camp:
    """Leaves whose sessions tell the same time: its offset from the local clock lies in [lo, hi]."""

    keys: frozenset[str]
    lo: timedelta
    hi: timedelta


@dataclass(frozen=True)
class Interval:
    """True time lies in [lo, hi]; `sure` when more than one party says so, `contested` when another contradicts."""

    lo: datetime
    hi: datetime
    sure: bool
    contested: bool = False
    alone: bool = False  # nobody but the leaf that is judged says so


@dataclass(frozen=True)
class Bounds:
    """What a run proves of true time at the local time `local`."""

    local: datetime
    released: datetime  # the day the trust data was put together
    witnesses: tuple[Witness, ...] = ()
    since: tuple[Since, ...] = ()
    service: Witness | None = None  # of the signed time service
    exact: bool = False  # the caller chose the time: it is the true one and the local one

    def lower(self, without: str = "") -> datetime:
        """A time that has certainly passed; `without` leaves out what the leaf with this key says."""
        return self.local if self.exact else self.newest(without).time

    def newest(self, without: str = "") -> Since:
        """The lower bound and what makes it."""
        data = Since(self.released, "the day the trust data was put together")
        return max((data, *(s for s in self._latest if s.leaf_key != without or not without)), key=lambda s: s.time)

    @cached_property
    def _latest_possible(self) -> datetime | None:
        """What was signed after this was post-dated by its signer: the time service says so, or at least two leaves
        and this machine's clock together. A stolen expired key or two could not arrange that."""
        steady = (c for c in _camps(w for w in self.witnesses if w.google) if len(c.keys) > 1 and self._agrees(c))
        by = self.service or next(steady, None)
        return self.local + by.hi + SLACK if by is not None else None

    @cached_property
    def dropped(self) -> tuple[Witness, ...]:
        """Witnesses whose time has certainly passed, or is not the time service's: a replay, or a wrong clock."""
        return tuple(w for w in self.witnesses if self._is_wrong(w))

    def _is_wrong(self, w: Witness) -> bool:
        told = self.service
        if told is not None and (w.hi < told.lo - SLACK or w.lo > told.hi + SLACK):
            return True
        return self.local + w.hi < self.lower(without=w.leaf_key) - SLACK

    def interval(self, leaf_key: str = "") -> Interval | None:
        """As `_interval`, remembered."""
        if leaf_key not in self._intervals:
            self._intervals[leaf_key] = self._interval(leaf_key)
        return self._intervals[leaf_key]

    @cached_property
    def _intervals(self) -> dict[str, Interval | None]:
        return {}

    def _interval(self, leaf_key: str) -> Interval | None:
        """True time, for judging the leaf with this key; None where nothing bounds it from above.

        The time service answers a nonce of ours: nobody else can say it. Without it, a leaf is judged by others'
        clocks: whoever stole an expired key would send a Date that fits it. Where the others disagree the most of them
        are believed, the local clock counting as one more. A single one is not believed against the local clock and
        the leaf's own word: then only what all imply is decided.
        """
        if self.exact:
            return Interval(self.local, self.local, sure=True)
        if self.service is not None:
            return Interval(self.local + self.service.lo, self.local + self.service.hi, sure=True)
        camps = [camp for camp in self._camps if camp.keys - {leaf_key}]
        own = self._own(leaf_key)
        if not camps:
            return replace(self._at([own], sure=False), alone=True) if own else None
        votes = sorted(((len(c.keys - {leaf_key}) + self._agrees(c), c) for c in camps), key=lambda vote: -vote[0])
        contested = len(camps) > 1
        if contested and votes[0][0] == votes[1][0]:
            return self._at(camps, sure=False, contested=True)
        strength, camp = votes[0]
        if strength > 1 or (own is not None and leaf_key in camp.keys):
            return self._at([camp], sure=True, contested=contested)
        return self._at([camp, own] if own else [camp], sure=False, contested=contested)

    def _own(self, leaf_key: str) -> Camp | None:
        """What this leaf's own sessions say; where they differ, what the local clock agrees with, if anything."""
        own = [Camp(frozenset({leaf_key}), w.lo, w.hi) for w in self._by_key.get(leaf_key, ())]
        agreed = [camp for camp in own if self._agrees(camp)] or own
        if not agreed:
            return None
        return Camp(frozenset({leaf_key}), min(c.lo for c in agreed), max(c.hi for c in agreed))

    def _agrees(self, camp: Camp) -> bool:
        """Whether the local clock is of this camp's opinion."""
        return camp.lo - SLACK <= timedelta(0) <= camp.hi + SLACK

    def _at(self, camps: list[Camp], sure: bool, contested: bool = False) -> Interval:
        lo, hi = min(c.lo for c in camps), max(c.hi for c in camps)
        return Interval(self.local + lo, self.local + hi, sure, contested)

    @cached_property
    def _by_key(self) -> dict[str, list[Witness]]:
        found: dict[str, list[Witness]] = {}
        for w in self._kept:
            found.setdefault(w.leaf_key, []).append(w)
        return found

    @cached_property
    def _latest(self) -> list[Since]:
        """Of the lower bounds the latest two that do not rest on the same leaf: whichever is left out, one of them
        answers.

        A leaf whose own session says that its notBefore has not come yet proves no bound; nor does what was post-dated.
        """
        end = self._latest_possible
        told: dict[str, datetime] = {}
        for w in self.witnesses:
            told[w.leaf_key] = max(told.get(w.leaf_key, FIRST_MOMENT), self.local + w.hi + SLACK)
        believed = [
            s
            for s in self.since
            if (s.leaf_key not in told or told[s.leaf_key] >= s.time) and (end is None or s.time <= end)
        ]
        found: dict[str, Since] = {}
        for each in sorted(believed, key=lambda s: s.time, reverse=True):
            found.setdefault(each.leaf_key, each)
            if len(found) == 2 or not each.leaf_key:
                break
        return list(found.values())

    @cached_property
    def _kept(self) -> list[Witness]:
        dropped = set(self.dropped)
        return [w for w in self.witnesses if w not in dropped]

    @cached_property
    def _camps(self) -> list[Camp]:
        return _camps(w for w in self._kept if w.google)

    @property
    def sure(self) -> bool:
        """Whether what is said of the time is more than one party's word; signed lower bounds always are."""
        interval = self.interval()
        return interval is None or interval.sure

    @cached_property
    def best(self) -> datetime:
        """One moment to reckon ages by: true time as far as it is proven, else the local clock, unless that shows a
        time that has passed."""
        interval = self.interval()
        return interval.lo if interval else max(self.local, self.lower())

    def estimate(self) -> ClockEstimate:
        """The interval a report prints."""
        interval = self.interval()
        if interval is None:
            newest = self.newest()
            return ClockEstimate(self.local, lo=newest.time, hi=None, sources=(newest.source,))
        if self.exact:
            return ClockEstimate(self.local, lo=interval.lo, hi=interval.hi, sources=("chosen by the caller",))
        hosts = sorted({w.host for w in self._kept if w.google})
        service = (TIME_SERVICE,) if self.service else ()
        sources = (*service, *(f"Date of {host}" for host in hosts))
        return ClockEstimate(self.local, lo=interval.lo, hi=interval.hi, sources=sources, sure=interval.sure)


def _camps(witnesses: Iterable[Witness]) -> list[Camp]:
    """Witnesses put together as far as they agree within SLACK."""
    camps: list[Camp] = []
    for w in sorted(witnesses, key=lambda witness: witness.lo):
        if camps and w.lo <= camps[-1].hi + SLACK:
            last = camps.pop()
            camps.append(Camp(last.keys | {w.leaf_key}, last.lo, max(last.hi, w.hi)))
        else:
            camps.append(Camp(frozenset({w.leaf_key}), w.lo, w.hi))
    return camps


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
    contested: bool = False  # proven sessions contradict each other about the time
    likelier: str = ""  # for UNDECIDED: expired or clock, as `clockhints` has it


# Of a certificate that nobody proved: its dates are not looked at.
NOT_ASKED = DateVerdict(Dates.VALID, Confidence.CERTAIN, proven=True)


def judge_dates(not_before: datetime, not_after: datetime, bounds: Bounds, leaf_key: str) -> DateVerdict:
    """Compare the validity of a *proven* path with the time."""
    here = _side(bounds.local, bounds.local, not_before, not_after)
    interval = bounds.interval(leaf_key)
    if interval is None:
        return _without_witness(here, not_before, not_after, bounds, leaf_key)
    truth = _side(interval.lo, interval.hi, not_before, not_after)
    contested = interval.contested
    if truth is None:
        return replace(_UNDECIDED, contested=contested)
    if truth is Dates.VALID and here is truth and interval.alone:
        # The leaf's own word and this machine's clock: whoever stole an expired key would have both agree.
        return DateVerdict(truth, Confidence.STRONG, proven=False, contested=contested)
    if truth is Dates.VALID and here is not Dates.VALID:
        sure = Confidence.CERTAIN if interval.sure else Confidence.LIKELY
        return DateVerdict(Dates.SKEWED, sure, proven=True, contested=contested)
    # Without another witness, the local clock is the second one wherever it says the same.
    sure = Confidence.CERTAIN if interval.sure or here is truth else Confidence.LIKELY
    return DateVerdict(truth, sure, proven=True, contested=contested)


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
    return _UNDECIDED


def _side(lo: datetime, hi: datetime, not_before: datetime, not_after: datetime) -> Dates | None:
    """Where [lo, hi] lies against the validity; None where it straddles an edge."""
    if lo > not_after:
        return Dates.EXPIRED
    if hi < not_before:
        return Dates.NOT_YET_VALID
    return Dates.VALID if not_before <= lo and hi <= not_after else None


_UNDECIDED = DateVerdict(Dates.UNDECIDED, Confidence.CERTAIN, proven=False)


def skew(bounds: Bounds) -> tuple[timedelta, timedelta | None] | None:
    """How far the local clock is off, as (least, most) of local minus true time where that is proven to exceed SLACK;
    positive is ahead. None where it is not proven."""
    if bounds.exact:
        return None
    interval = bounds.interval()
    if interval is not None:
        ahead, behind = bounds.local - interval.hi, bounds.local - interval.lo
        return (ahead, behind) if ahead > SLACK or behind < -SLACK else None
    behind = bounds.local - bounds.lower()
    return (behind, None) if behind < -SLACK else None
