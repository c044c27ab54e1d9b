"""Who said first that something failed: whoever made the call that did repeats its code, for a minute, and may add for
which host."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tlsinspect.logs.codes import Means, error, http_status
from tlsinspect.logs.grammar import CallFailed, Clock, Line, Mentioned

ECHO = timedelta(minutes=1)  # how long callers go on to repeat a code
MOST_TOLD = 64  # failures that are remembered
_Failing = tuple[Clock, str, str | None]  # what failed by the name of its number, for which host; None for any


@dataclass(frozen=True, slots=True)
class _Heard:
    """Who said it, and when."""

    place: str
    time: datetime
    calls: int = 1  # that named no host, and of which nobody has told yet for which


class Echoes:
    """What was said to have failed, of late."""

    def __init__(self) -> None:
        self._told: OrderedDict[_Failing, _Heard] = OrderedDict()

    def __len__(self) -> int:
        return len(self._told)

    def add(self, line: Line, name: str | None, host: str) -> None:
        """`line` says it of `host`, where it names one. A failure without a name is not remembered."""
        if name is None:
            return
        unclaimed = self._recent(line, name, "") if not host else None
        self._remember((line.clock, name, host), _Heard(line.place, line.time, unclaimed.calls + 1 if unclaimed else 1))
        self._remember((line.clock, name, None), _Heard(line.place, line.time))

    def repeats(self, line: Line, name: str, host: str) -> bool:
        """Whether somebody else said it just before. What a call failed for that named no host is known by the first
        who repeats it with one, and is kept as that: whoever then names another tells of another failure."""
        for known in (host, "") if host else (None,):
            earlier = self._recent(line, name, known)
            if earlier is not None and earlier.place != line.place:
                if known == "":
                    self._claim((line.clock, name, ""), host)
                return True
        return False

    def _recent(self, line: Line, name: str, host: str | None) -> _Heard | None:
        earlier = self._told.get((line.clock, name, host))
        return earlier if earlier is not None and apart(earlier.time, line.time) <= ECHO else None

    def _claim(self, key: _Failing, host: str) -> None:
        """One of the calls that named no host was for this one."""
        earlier = self._told.pop(key)
        self._remember((*key[:2], host), replace(earlier, calls=1))
        if earlier.calls > 1:
            self._remember(key, replace(earlier, calls=earlier.calls - 1))

    def _remember(self, key: _Failing, heard: _Heard) -> None:
        self._told.pop(key, None)
        self._told[key] = heard
        while len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)


def name_of(told: CallFailed | Mentioned) -> str | None:
    """The failure that a message tells of by a number, whichever way that is written; None where it tells of none."""
    if isinstance(told, Mentioned) and told.http_status is not None:
        answer = http_status(told.http_status, proxy=told.proxy)
        if answer is not None:
            return answer.name
    known = error(told.code) if told.code is not None else None
    return known.name if known is not None and known.means is not Means.NONE else None


def apart(one: datetime, other: datetime) -> timedelta:
    return abs(other - one)
