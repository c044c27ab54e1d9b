"""The report as JSON (one document, `schema.json`) and as JSON Lines (one object a line, `type` first).

Everything outside ASCII is escaped, so hostile names reach no terminal as they are.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from tlsinspect.jsonform import to_json
from tlsinspect.model import SCHEMA_VERSION, Assessment, Classification, Diagnosis, LogReport, Report, TrustFacts
from tlsinspect.version import __version__


def document(noun: Report | Diagnosis | Classification | LogReport) -> str:
    return json.dumps(to_json(noun), indent=2) + "\n"


def classification(assessment: Assessment, trust: TrustFacts, *, redacted: bool = False) -> str:
    """One judged chain: `Classification` in the schema."""
    return document(Classification(SCHEMA_VERSION, f"tlsinspect {__version__}", trust, assessment, redacted))


# What stands in lines of its own, and the type of these.
_APART = {
    Report: (("assessment", "assessments"), ("reachability", "reachability")),
    LogReport: (("file", "files"), ("group", "groups")),
}


def lines(report: Report | LogReport) -> Iterator[str]:
    """An object for each assessment and each port-80 row, or for each file and group of a log; then one for the run
    without them."""
    whole = to_json(report)
    for kind, field in _APART[type(report)]:
        for row in whole.pop(field):
            yield _line(kind, row)
    yield json.dumps({"type": "run", **whole}) + "\n"


def line(assessment: Assessment) -> str:
    """One assessment by itself, before its run has ended."""
    return _line("assessment", to_json(assessment))


def _line(kind: str, row: dict[str, Any]) -> str:
    return json.dumps({"type": kind, "schema_version": SCHEMA_VERSION, **row}) + "\n"


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema (2020-12) of `document`."""
    loaded: dict[str, Any] = json.loads(files("tlsinspect.report").joinpath("schema.json").read_text("utf-8"))
    return loaded
