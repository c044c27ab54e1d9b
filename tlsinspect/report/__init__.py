"""How a report leaves: one file a format. Nothing is decided here; `exit_status` says it in a number."""

from collections.abc import Iterable

from tlsinspect.judge.rules import INCIDENTS
from tlsinspect.model import Assessment, LogReport, Reach, Report, Verdict

_NOTHING_WORSE = {Verdict.UNREACHABLE, Verdict.INCONCLUSIVE}
_REACHED = {Reach.ANSWERS, Reach.SIGNED_OBJECT}


def exit_status(report: Report) -> int:
    """0 all required endpoints as expected, 3 nothing worse than unreachable or inconclusive, 1 anything else.

    Port-80 rows count only where there is nothing else: then one that is required and not reached gives 3. An
    interrupted run is 130.
    """
    if report.interrupted:
        return 130
    if not report.assessments:
        return 0 if all(r.result in _REACHED for r in report.reachability if r.endpoint.required) else 3
    return assessment_status(report.assessments)


def log_status(report: LogReport) -> int:
    """0 no failure in what was read, 3 nothing worse than unreachable or inconclusive, 1 anything else. That nothing
    failed is not said of logs that were not read to their end or are of another time, nor of what is no log. An
    interrupted run is 130."""
    if report.interrupted:
        return 130
    if not report.failures:
        known = any(file.kinds for file in report.files) and not any(file.problem for file in report.files)
        return 0 if known and all(each.code != "log-outside" for each in report.conclusions) else 3
    return 3 if set(report.verdicts) <= _NOTHING_WORSE else 1


def assessment_status(assessments: Iterable[Assessment]) -> int:
    """`exit_status` for assessments alone."""
    unexpected = {a.verdict for a in assessments if a.endpoint.required and not _as_expected(a)}
    if not unexpected:
        return 0
    return 3 if unexpected <= _NOTHING_WORSE else 1


def _as_expected(assessment: Assessment) -> bool:
    expected = {
        "exempt": {Verdict.GENUINE},
        "inspected": {Verdict.INTERCEPTED},
        "any": {Verdict.GENUINE, Verdict.INTERCEPTED},
    }
    return assessment.verdict in expected[assessment.endpoint.expectation] and assessment.rule not in INCIDENTS
