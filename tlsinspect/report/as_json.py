"""The report as JSON (one document, `schema.json`) and as JSON Lines (one object a line, `type` first).

Everything outside ASCII is escaped, so hostile names reach no terminal as they are.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from tlsinspect.jsonform import to_json
from tlsinspect.model import SCHEMA_VERSION, Assessment, Classification, Diagnosis, Report, TrustFacts
from tlsinspect.version import __version__


def document(noun: Report | Diagnosis | Classification) -> str:
    return json.dumps(to_json(noun), indent=2) + "\n"


def classification(assessment: Assessment, trust: TrustFacts, *, redacted: bool = False) -> str:
    """One judged chain: `Classification` in the schema."""
    return document(Classification(SCHEMA_VERSION, f"tlsinspect {__version__}", trust, assessment, redacted))


def lines(report: Report) -> Iterator[str]:
    """An object for each assessment and each port-80 row, then one for the run without them."""
    whole = to_json(report)
    version = {"schema_version": whole["schema_version"]}
    for kind, rows in (("assessment", whole.pop("assessments")), ("reachability", whole.pop("reachability"))):
        for row in rows:
            yield json.dumps({"type": kind, **version, **row}) + "\n"
    yield json.dumps({"type": "run", **whole}) + "\n"


@cache
def schema() -> dict[str, Any]:
    """The published JSON Schema (2020-12) of `document`."""
    loaded: dict[str, Any] = json.loads(files("tlsinspect.report").joinpath("schema.json").read_text("utf-8"))
    return loaded
