"""Who said first that something failed: whoever made the call that did repeats its code, for a minute, and may add for
which host."""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta

from tlsinspect.logs.codes import Means, error, http_status
from tlsinspect.logs.grammar import CallFailed, Clock, Line, Mentioned

ECHO = timedelta(minutes=1)  # how long callers go on to repeat a code
MOST_TOLD = 64  # failures that are remembered
_Failing = tuple[Clock, str, str | None]  # what failed by the name of its number, for which host; None for any


@dataclass(frozen=True, slots=True)
class _Telling:
    """Who said it, and when."""

    place: str
    time: datetime


class Echoes:
    """What was said to have failed, of late."""

    def __init__(self) -> None:
        self._told: OrderedDict[_Failing, _Telling] = OrderedDict()

    def __len__(self) -> int:
        return len(self._told)

    def add(self, line: Line, name: str | None, host: str) -> None:
        """`line` says it of `host`, where it names one. A failure without a name is not remembered."""
        if name is None:
            return
        for each in (host, None):
            key = (line.clock, name, each)
            self._told.pop(key, None)
            self._told[key] = _Telling(line.place, line.time)
        while len(self._told) > MOST_TOLD:
            self._told.popitem(last=False)

    def repeats(self, line: Line, name: str, host: str) -> bool:
        """Whether somebody else said it just before. What a call failed for that named no host is known by the first
        who repeats it with one, and is kept as that: whoever then names another tells of another failure."""
        for known in (host, "") if host else (None,):
            earlier = self._told.get((line.clock, name, known))
            if earlier is not None and earlier.place != line.place and apart(earlier.time, line.time) <= ECHO:
                if known == "":
                    self._told[line.clock, name, host] = self._told.pop((line.clock, name, ""))
                return True
        return False


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
