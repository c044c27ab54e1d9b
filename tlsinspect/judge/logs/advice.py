"""What to do about what logs say: the same remedies as for a scan, each once."""

from collections.abc import Sequence
from dataclasses import replace

from tlsinspect.judge.advice import advice
from tlsinspect.judge.logs.words import place
from tlsinspect.logs.observed import UNKNOWN_HOST
from tlsinspect.model import Advice, Assessment, LogGroup
from tlsinspect.tallies import OTHERS


def advised(groups: Sequence[LogGroup]) -> tuple[Advice, ...]:
    return advice(_named(group.assessment) for group in groups if group.assessment.endpoint.host != OTHERS)


def _named(a: Assessment) -> Assessment:
    """A host that the log does not name is one of Google's all the same, and remedies call it so."""
    if a.endpoint.host != UNKNOWN_HOST:
        return a
    return replace(a, endpoint=replace(a.endpoint, host=place(UNKNOWN_HOST)))
