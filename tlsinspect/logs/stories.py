"""Tries that belong together: one through a proxy, and what became of the next, which was announced with it."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from tlsinspect.logs.echoes import apart
from tlsinspect.logs.grammar import Clock, Line
from tlsinspect.model import Logged

RETRIED = timedelta(minutes=2)  # by when the next try has failed, if it does
TOGETHER = timedelta(seconds=10)  # within which threads without names may have failed beside each other
MOST_TRIES = 4  # that are told as one
MOST_WAITING = 64

Tries = tuple[Logged, ...]  # one try, or the one through a proxy and what became of the direct one after it
Key = tuple[Clock, str]  # and the thread


class Stories:
    """Fed with tries in their order, gives them together."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Key, Tries] = OrderedDict()  # for what becomes of the next

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Key, logged: Logged) -> Iterator[Tries]:
        """What was told of one try; one that is to be tried again waits for what becomes of that."""
        if not logged.api:
            yield (logged,)  # only a call is tried again
            return
        tries = self._waiting.pop(key, ())
        if tries and not _is_next(tries[-1], logged):
            yield tries
            if _are_two_at_once(tries[-1], logged):
                yield (logged,)
                return
            tries = ()
        tries = (*tries, logged)
        if not logged.retry or len(tries) == MOST_TRIES:
            yield tries
            return
        self._waiting[key] = tries
        while len(self._waiting) > MOST_WAITING:
            yield self._waiting.popitem(last=False)[1]

    def old(self, line: Line) -> Iterator[Tries]:
        """Those of which nothing was told for too long when this line comes."""
        for key, tries in list(self._waiting.items()):
            if key[0] == line.clock and apart(tries[-1].time, line.time) > RETRIED:
                yield self._waiting.pop(key)

    def flush(self) -> Iterator[Tries]:
        """Those that wait when nothing more comes."""
        yield from self._waiting.values()
        self._waiting.clear()


def _is_next(last: Logged, logged: Logged) -> bool:
    """Whether this is what became of the next try: by the way that was announced, or the last of all and by another way
    than the one before."""
    announced = logged.via != "" and logged.via == last.retry
    another_way = not logged.retry and (not logged.via or logged.via != last.via)
    return (announced or another_way) and apart(last.time, logged.time) <= RETRIED


def _are_two_at_once(one: Logged, other: Logged) -> bool:
    """Whether nobody knows which of the two the next try is of: both are to be tried again, and their threads have no
    names. Of two that failed alike it makes no difference."""
    alike = replace(one, line=other.line, time=other.time) == other
    return bool(other.retry) and not other.thread and not alike and apart(one.time, other.time) <= TOGETHER
