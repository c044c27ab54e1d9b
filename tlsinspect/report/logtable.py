"""What a person sees of logs: what fails, how often, why, when and where; then what to do, and what would prove it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tlsinspect.judge.logs.words import (
    destinations,
    ends,
    file_name,
    logged_of,
    moment,
    period,
    place,
    reported,
    short,
    version,
    word,
)
from tlsinspect.judge.words import enumerated, fill
from tlsinspect.model import Assessment, LogFile, LogGroup, LogReport, Severity, Timeline, Verdict
from tlsinspect.report.table import (
    LOOK,
    advice_lines,
    all_findings,
    closing,
    interceptor,
    is_ascii,
    labelled,
)
from tlsinspect.tallies import OTHERS
from tlsinspect.text import counted, printable

MOST_ROWS = 30  # groups; with --verbose all of them
MOST_COUNTED = 6  # names in one line of the facts
MOST_NAMED = 3  # files in which failures stand
MOST_FILES = 10  # that could not be read
WIDEST = 30  # signs of a timeline
_BARS, _ASCII_BARS = "▁▂▃▄▅▆▇█", "-=+*#"
# Findings worth a place beside the cause, and how they are said there.
_BESIDE = {
    "clock-hypothesis": "perhaps {hypothesis}",
    "log-root-not-trusted": "Windows does not trust it there",
    "log-root-trusted": "Windows does not complain of its issuer",
    "log-ends-here": "on that machine itself",
    "log-ends-nearby": "inside its own network",
    "log-revocation-by-clock": "the failed revocation check comes of it",
    "log-revocation-by-interceptor": "the failed revocation check comes of it",
    "log-retried": "through a proxy, then directly",
    "upstream-untrusted": "a second problem hides behind it",
}


def render(report: LogReport, console: Console, *, verbose: bool = False) -> None:
    """Print the report. `verbose` adds every finding, every group and every destination."""
    ascii_only = is_ascii(console)
    parts: list[RenderableType] = [_headline(report), Text()]
    if report.groups:
        parts += [_rows(report, console.width, ascii_only, verbose), *_more(report, verbose), Text()]
    facts = [*_facts(report, ascii_only, verbose), *_unread(report)]
    parts += [*facts, *([Text()] if facts else []), *_conclusions(report), *advice_lines(report.advice, verbose)]
    console.print(Group(*parts), soft_wrap=False)
    if report.commands:
        console.print(Text("What to do next, on that machine, for proof:", style="bold"))
    for command in report.commands:
        console.print(Text(f"  {command}"), soft_wrap=True)  # in one piece: it is to be copied
    console.print(Group(*closing(report, verbose)), soft_wrap=False)


def failure_line(assessment: Assessment, console: Console) -> None:
    """One failure by itself, as it is read, and where."""
    sign, plain_sign, colour = LOOK[assessment.verdict]
    said = logged_of(assessment)[:1]
    when = "".join(f"{moment(each.time)}  " for each in said)
    head = f"{plain_sign if is_ascii(console) else sign} {when}{place(assessment.endpoint.host)}  "
    where = "".join(f"  ({printable(each.file)}:{each.line})" for each in said)
    line = ((head, colour), (f"{assessment.verdict}  ", colour), _cause(assessment), (where, "dim"))
    console.print(Text.assemble(*line), soft_wrap=True)


def _headline(report: LogReport) -> Text:
    products = dict.fromkeys(short(file.product) for file in report.files if file.product)
    named = (", ".join(products) or "Logs") + (version(report.files) if len(products) == 1 else "")
    lines = sum(file.lines for file in report.files)
    read = f"{counted(len(report.files), 'file')}, {counted(lines, 'line')}"
    when = period(*ends((*report.files, *report.groups)))  # a log need not be in order
    parts = [named, read, when, counted(report.failures, "failure"), *_asked(report)]
    return Text(" · ".join(filter(None, parts)), style="bold")


def _asked(report: LogReport) -> Iterator[str]:
    if report.since is not None:
        yield f"since {moment(report.since)}"
    if report.until is not None:
        yield f"until {moment(report.until)}"


def _rows(report: LogReport, width: int, ascii_only: bool, verbose: bool) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True, width=1)
    table.add_column(overflow="fold", max_width=max(20, width // 4))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for group in report.groups if verbose else report.groups[:MOST_ROWS]:
        assessment = group.assessment
        sign, plain_sign, colour = LOOK[assessment.verdict]
        table.add_row(
            Text(plain_sign if ascii_only else sign, style=f"bold {colour}"),
            Group(Text(place(assessment.endpoint.host)), *_tool(group, report)),
            Group(Text(assessment.verdict, style=colour), Text(f"× {group.count:,}", style="dim")),
            Group(
                Text(_cause(assessment)),
                *(Text(line, style="dim") for line in _beside(group, ascii_only, verbose)),
                *(Text(line, style="dim") for line in _in_files(group, report, verbose)),
                *all_findings(assessment, verbose),
            ),
        )
    return table


def _more(report: LogReport, verbose: bool) -> Iterator[Text]:
    left = report.groups[MOST_ROWS:]
    if left and not verbose:
        many = sum(group.count for group in left)
        yield Text(f"and {counted(len(left), 'row')} more, with {counted(many, 'failure')}: --verbose", style="dim")


def _tool(group: LogGroup, report: LogReport) -> Iterator[Text]:
    """Where there is more than one."""
    if len(report.products) > 1:
        for product in group.products:
            yield Text(short(product), style="dim")


def _cause(assessment: Assessment) -> str:
    """One line: who intercepts, where that is all the trouble; else the explanation."""
    alone = len(assessment.observations) == 1 and assessment.endpoint.host != OTHERS
    intercepted = assessment.verdict is Verdict.INTERCEPTED and alone
    facts = [interceptor(assessment) if intercepted else assessment.explanation]
    if not intercepted or assessment.attribution is None:  # which has its own
        facts.append(assessment.confidence)
    facts.append(reported(assessment))
    facts += [fill(_BESIDE[each.code], each.values) for each in assessment.findings if each.code in _BESIDE]
    return " · ".join(filter(None, facts))


def _beside(group: LogGroup, ascii_only: bool, verbose: bool) -> Iterator[str]:
    """When, and where the connections went."""
    where = _all_destinations(group) if verbose else destinations(group)
    when = period(group.first, group.last)
    line = " → ".join(filter(None, (when, where)))
    if line:
        yield line
    if group.timeline is not None and sum(map(bool, group.timeline.counts)) > 1:
        yield bars(group.timeline, ascii_only)


def _in_files(group: LogGroup, report: LogReport, verbose: bool) -> Iterator[str]:
    """Which of several logs, of several machines it may be, they stand in."""
    if len(report.files) > 1:
        most = len(group.files) if verbose else MOST_NAMED
        named = [printable(file_name(name)) for name in group.files]
        yield f"in {counted(len(named), 'file')}: {enumerated(named, most)}"


def _all_destinations(group: LogGroup) -> str:
    return ", ".join(f"{printable(where)} (× {count:,})" for where, count in group.destinations.items())


def bars(timeline: Timeline, ascii_only: bool) -> str:
    """A timeline in at most WIDEST signs: the lowest bar is one or more, a point is nothing."""
    together = -(-len(timeline.counts) // WIDEST)
    counts = [sum(timeline.counts[at : at + together]) for at in range(0, len(timeline.counts), together)]
    signs, most = (_ASCII_BARS if ascii_only else _BARS), max(counts)
    drawn = "".join(signs[(count * len(signs) - 1) // most] if count else "." for count in counts)
    return f"{drawn} {_step(timedelta(seconds=timeline.step * together))} each"


def _step(step: timedelta) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if step.total_seconds() >= size and step.total_seconds() % size == 0:
            return f"{step.total_seconds() / size:,.0f} {unit}"
    return f"{step.total_seconds():,.0f} s"


def _facts(report: LogReport, ascii_only: bool, verbose: bool) -> Iterator[RenderableType]:
    """The failures from every side from which there is more than one thing to see."""
    sides = {
        "verdict": report.verdicts,
        "tool": {short(product): count for product, count in report.products.items()},
        "went to": report.destinations,
        "host": {place(host): count for host, count in report.hosts.items()},
    }
    for label, counts in sides.items():
        if len(counts) > 1:
            yield labelled(label, _counts(counts, len(counts) if verbose else MOST_COUNTED))
    if len(report.groups) > 1 and report.timeline is not None and sum(map(bool, report.timeline.counts)) > 1:
        yield labelled("when", bars(report.timeline, ascii_only))


def _counts(counts: Mapping[str, int], most: int) -> str:
    shown = [f"{printable(name)} × {count:,}" for name, count in list(counts.items())[:most]]
    return " · ".join(shown) + (f" · and {len(counts) - most} more" if len(counts) > most else "")


def _unread(report: LogReport) -> Iterator[RenderableType]:
    broken = [file for file in report.files if file.problem]
    for number, file in enumerate(broken[:MOST_FILES]):
        yield labelled("" if number else "unread", _problem(file), "yellow")
    if len(broken) > MOST_FILES:
        yield labelled("", f"and {len(broken) - MOST_FILES} more", "yellow")


def _problem(file: LogFile) -> str:
    read = f" (after {counted(file.lines, 'line')})" if file.lines else ""
    return f"{printable(file_name(file.name))} {printable(file.problem)}{read}"


def _conclusions(report: LogReport) -> Iterator[Text]:
    if report.interrupted:
        yield Text(word("interrupted"), style="yellow")
    for conclusion in report.conclusions:
        strong = conclusion.severity is Severity.HIGH or conclusion.code == "log-no-failures"
        yield Text(conclusion.sentence, style="bold" if strong else "")
    if not report.files:
        yield Text("Nothing was read.", style="bold")
