"""What logs say as a whole: hints that belong to no single failure."""

from collections.abc import Iterator
from datetime import timedelta

from tlsinspect.judge.logs.rules import OF_TIME
from tlsinspect.judge.logs.words import ends, file_name, issuer, listed, logged_of, moment, period, tools, went, word
from tlsinspect.judge.words import finding
from tlsinspect.logs.products import products
from tlsinspect.model import Assessment, Finding, LogGroup, LogKind, LogReport, Verdict
from tlsinspect.tallies import OTHERS
from tlsinspect.text import counted

LONG_SINCE = timedelta(hours=1)  # without a failure, before it is said that there was none
_WITHOUT_DETAILS = "log-without-details"


def conclusions(report: LogReport) -> Iterator[Finding]:
    """The most telling first."""
    yield from _nothing(report)
    yield from _interception(report)
    yield from _in_several_tools(report)
    yield from _begins_within(report)
    yield from _old_versions(report)
    yield from _ended(report)
    yield from _without_zone(report)
    yield from _uncounted(report)
    yield from _unread(report)


def _nothing(report: LogReport) -> Iterator[Finding]:
    """That nothing failed is said of lines of a sync tool alone, and of times of which they tell."""
    lines = sum(file.lines for file in report.files if file.kinds)
    if _is_outside(report):
        yield finding("log-outside", {"period": period(*ends(report.files))})
    elif lines and not report.failures:
        asked = report.since is not None or report.until is not None
        values = {"lines": counted(lines, "line"), "when": word("in-that-time") if asked else ""}
        yield finding("log-no-failures", values)


def _is_outside(report: LogReport) -> bool:
    """Whether nothing that was read is of the time that was asked for."""
    first, last = ends(report.files)
    if report.failures or first is None or last is None:
        return False
    return (report.since is not None and last < report.since) or (report.until is not None and first > report.until)


def _begins_within(report: LogReport) -> Iterator[Finding]:
    """The first failure of a log that lacks its beginning may lack everything that tells why."""
    found = [file_name(file.name) for file in report.files if file.begins_within]
    if found and report.failures:
        yield finding("log-begins-within", {"files": listed(found)})


def _interception(report: LogReport) -> Iterator[Finding]:
    found = [group for group in report.groups if group.assessment.verdict is Verdict.INTERCEPTED]
    if found and all(went(group.assessment) == "here" for group in found):
        where = listed(where for group in found for where in group.destinations)
        yield finding("log-intercepted-here", {"destinations": where})
    makers = dict.fromkeys(_maker(group.assessment) for group in found if issuer(group.assessment))
    if len(makers) > 1:
        yield finding("log-several-interceptors", {"n": str(len(makers)), "makers": listed(makers)})
    if found and any(group.assessment.rule in OF_TIME for group in report.groups):
        yield finding("log-interception-and-clock")


def _maker(assessment: Assessment) -> str:
    product = assessment.attribution
    return (f"{product.name} " if product else "") + f'"{issuer(assessment)}"'


def _in_several_tools(report: LogReport) -> Iterator[Finding]:
    """The same trouble in more than one of them."""
    alike: dict[tuple[Verdict, str, str], list[LogGroup]] = {}
    for group in report.groups:
        a = group.assessment
        if a.endpoint.host != OTHERS and a.rule != _WITHOUT_DETAILS:
            alike.setdefault((a.verdict, a.rule, issuer(a)), []).append(group)
    for (verdict, _, _), groups in alike.items():
        named = dict.fromkeys(product for group in groups for product in group.products if product)
        if len(named) > 1:
            yield finding("log-in-several-tools", {"tools": tools(named), "verdict": str(verdict)})


def _old_versions(report: LogReport) -> Iterator[Finding]:
    """Failures of TLS without the lines that tell why: by product, with the version that wrote them."""
    found: dict[str, tuple[int, set[str]]] = {}
    within = {file.name for file in report.files if file.begins_within}
    for group in report.groups:
        first_of_all = group.count == 1 and within.issuperset(group.files)  # its details are cut off
        if group.assessment.rule == _WITHOUT_DETAILS and not first_of_all:
            for product, count in group.products.items():
                before, versions = found.get(product, (0, set()))
                found[product] = before + count, versions | _versions(group.assessment)
    for product, (count, versions) in found.items():
        row = products().get(product)
        page = word("update-page", {"page": row.update}) if row is not None else ""
        named = listed(sorted(versions))
        values = {"failures": counted(count, "TLS failure"), "tool": tools([product]), "page": page}
        yield finding("log-details-missing", values | {"version": f" {named}" if named else ""})


def _versions(assessment: Assessment) -> set[str]:
    return {each.version for each in logged_of(assessment) if each.version}


def _ended(report: LogReport) -> Iterator[Finding]:
    """That it was over before the logs were, as far as their clocks go."""
    last = max((group.last for group in report.groups if group.last is not None), default=None)
    until = max((file.last for file in report.files if file.last is not None), default=None)
    whole = report.until is None and not report.interrupted and not any(file.problem for file in report.files)
    if whole and last is not None and until is not None and until - last >= LONG_SINCE:
        yield finding("log-ended", {"last": moment(last), "until": moment(until)})


def _without_zone(report: LogReport) -> Iterator[Finding]:
    """The clock of an authorisation log was read as UTC."""
    if any(LogKind.AUTHORISATION in file.kinds for file in report.files) and report.failures:
        yield finding("log-clock-without-zone")


def _uncounted(report: LogReport) -> Iterator[Finding]:
    many = sum(group.count for group in report.groups if group.assessment.endpoint.host == OTHERS)
    if many:
        yield finding("log-many-kinds", {"failures": counted(many, "failure")})


def _unread(report: LogReport) -> Iterator[Finding]:
    """What was not read, and what is no log of a sync tool: neither says that nothing failed."""
    empty = [file_name(file.name) for file in report.files if not file.octets and not file.problem]
    if empty:
        yield finding("log-empty", {"files": listed(empty)})
    strange = [file_name(file.name) for file in report.files if file.lines and not file.kinds and not file.problem]
    if strange:
        yield finding("log-not-recognised", {"files": listed(strange), "n": str(len(strange))})
    broken = [file for file in report.files if file.problem]
    if broken:
        of_all = f"{len(broken)} of " if len(report.files) > 1 else ""
        yield finding("log-unread", {"files": of_all + counted(len(report.files), "file")})
