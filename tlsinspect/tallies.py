"""Counting what a log says, in a bounded space whatever that is: words, and moments.

Logs are long, and whoever writes into them has a say in what there is to count.
"""

from datetime import UTC, datetime, timedelta

from tlsinspect.model import Timeline

OTHERS = "others"  # what stands for the words that are too many
MOST_STEPS = 60
DAY = 86400
_STEPS = (1, 2, 10, 30, 60, 120, 600, 1800, 3600, 7200, 21600, 43200, DAY)  # seconds; each divides the next
_YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)


class Tally:
    """How often each word came: of at most `most` words, and of all that came after these together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, int] = {}

    def add(self, word: str) -> None:
        known = self._counts
        key = word if word in known or len(known) < self._most else OTHERS
        known[key] = known.get(key, 0) + 1

    def counts(self) -> dict[str, int]:
        """The most frequent first, what is counted together last."""
        return dict(sorted(self._counts.items(), key=lambda item: (item[0] == OTHERS, -item[1])))


class Times:
    """How often something came, in at most MOST_STEPS equal steps of time. The steps grow as the moments, in whatever
    order they come, lie further apart: from a second to as many days as it takes."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None
        self._level = 0
        self._counts: dict[int, int] = {}  # by the number of the step since the year 1

    @property
    def step(self) -> int:
        return _step(self._level)

    def add(self, *times: datetime) -> None:
        """Something that came once, at the first of these moments, and went on until the last."""
        if not times:
            return
        first, last = min(filter(None, (self.first, *times))), max(filter(None, (self.last, *times)))
        before = self.step
        while _number(last, self.step) - _number(first, self.step) >= MOST_STEPS:
            self._level += 1
        if self.step != before:
            self._counts = _in_steps(self._counts, before, self.step)
        self.first, self.last = first, last
        number = _number(times[0], self.step)
        self._counts[number] = self._counts.get(number, 0) + 1

    def timeline(self, whole: "Times | None" = None) -> Timeline | None:
        """In the steps of `whole`, which has counted these moments too; without it, in their own."""
        whole = whole or self
        if self.first is None or whole.first is None or whole.last is None:
            return None
        begin, end = _number(whole.first, whole.step), _number(whole.last, whole.step)
        counts = _in_steps(self._counts, self.step, whole.step)
        start = _YEAR_1 + timedelta(seconds=begin * whole.step)
        return Timeline(start, whole.step, tuple(counts.get(number, 0) for number in range(begin, end + 1)))


def _step(level: int) -> int:
    return _STEPS[level] if level < len(_STEPS) else DAY * 2 ** (level - len(_STEPS) + 1)


def _number(time: datetime, step: int) -> int:
    return (time - _YEAR_1) // timedelta(seconds=step)


def _in_steps(counts: dict[int, int], step: int, wider: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for number, count in counts.items():
        inside = number * step // wider
        found[inside] = found.get(inside, 0) + count
    return found
