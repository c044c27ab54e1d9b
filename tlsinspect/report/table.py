"""What a person sees: the answer first, then the cause, then what to do."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TextIO, cast

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tlsinspect.judge.words import routes_taken
from tlsinspect.model import (
    Advice,
    Assessment,
    Confidence,
    Finding,
    LogReport,
    Reach,
    Reachability,
    Report,
    Revocation,
    Severity,
    Verdict,
)
from tlsinspect.text import counted, printable

_GOOD, _BAD, _CARE, _UNKNOWN = ("✔", "+", "green"), ("✘", "x", "red"), ("!", "!", "yellow"), ("?", "?", "cyan")
LOOK: dict[Verdict, tuple[str, str, str]] = {
    Verdict.GENUINE: _GOOD,
    Verdict.INTERCEPTED: _BAD,
    Verdict.REVOKED: _BAD,
    Verdict.UNEXPECTED_CA: _BAD,
    Verdict.WRONG_HOST: _BAD,
    Verdict.EXPIRED: _BAD,
    Verdict.NOT_YET_VALID: _BAD,
    Verdict.CLOCK_SKEWED: _CARE,
    Verdict.CAPTIVE_PORTAL: _CARE,
    Verdict.BLOCKED: _CARE,
    Verdict.UNREACHABLE: _UNKNOWN,
    Verdict.INCONCLUSIVE: _UNKNOWN,
}
# Findings worth a place beside the verdict, and how they are said there.
_BESIDE = {
    "mixed": "not on every connection",
    "issuer-impersonated": "under a false name",
    "certificate-expired": "its certificate says expired",
    "same-issuing-key-many-hosts": "the same key signed for other hosts",
    "same-issuer-many-hosts": "the same issuer for other hosts",
    "same-leaf-key-many-hosts": "the same key answers for other hosts",
    "trusted-by-os": "this machine trusts it",
    "not-trusted-by-os": "this machine does not trust it",
    "os-store-outdated": "the operating system's store lacks its root",
    "upstream-untrusted": "a second problem hides behind it",
    "clock-unproven": "by this machine's clock",
    "chain-incomplete": "intermediate not sent",
    "clock-ahead": "your clock is ahead",
    "clock-behind": "your clock is behind",
}


REDACTED = "Redacted: names of companies, users, machines and private addresses were taken out."


NARROWEST = 20  # columns; whoever says fewer (COLUMNS=0, some terminals) does not know


class _Trimmed:
    """A file without the blanks with which columns are filled up."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(re.sub(r"(?<! ) +$", "", text, flags=re.MULTILINE))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)


class PlainConsole(Console):
    """Prints text as it is: no markup, no emoji, no highlighting; and lets a broken pipe be seen by the caller."""

    def __init__(self, out: TextIO) -> None:
        file = out if out.isatty() else cast(TextIO, _Trimmed(out))
        super().__init__(file=file, highlight=False, markup=False, emoji=False)
        if self.width < NARROWEST:
            self.width = 80

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def is_ascii(console: Console) -> bool:
    """Whether a terminal or a pipe cannot take our own signs."""
    return not (console.encoding or "").lower().startswith("utf")


def render(report: Report, title: str, console: Console, *, verbose: bool = False) -> None:
    """Print the report. `title` heads it; `verbose` adds every finding."""
    ascii_only = is_ascii(console)
    parts: list[RenderableType] = [_headline(report, title), Text()]
    if report.assessments:
        parts.append(_rows(report, console.width, ascii_only, verbose))
        parts.append(Text())
    parts += [*_facts(report), *_ending(report, verbose)]
    console.print(Group(*parts), soft_wrap=False)


def _headline(report: Report, title: str) -> Text:
    tls, plain = len({(a.endpoint.host, a.endpoint.port) for a in report.assessments}), len(report.reachability)
    counts = f"{counted(tls, 'host')} over TLS" + (f", {plain} on plain HTTP" if plain else "")
    routes = routes_taken([*(a.route for a in report.assessments), *(r.route for r in report.reachability)])
    return Text(f"{printable(title)} · {counts} · {', '.join(routes)} · roots of {report.trust.date}", style="bold")


def _rows(report: Report, width: int, ascii_only: bool, verbose: bool) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True, width=1)
    table.add_column(overflow="fold", max_width=max(24, width // 3))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    hosts = [(a.endpoint.host, a.endpoint.port) for a in report.assessments]
    compared = len(set(hosts)) < len(hosts)
    for assessment in report.assessments:
        sign, plain_sign, colour = LOOK[assessment.verdict]
        route = Text(assessment.route.proxy or "direct", style="dim")
        table.add_row(
            Text(plain_sign if ascii_only else sign, style=f"bold {colour}"),
            Group(Text(_place(assessment)), *([route] if compared else [])),
            Text(assessment.verdict, style=colour),
            Group(Text(_cause(assessment, report)), *all_findings(assessment, verbose)),
        )
    return table


def verdict_text(assessment: Assessment) -> Text:
    """Host, verdict and confidence on one line."""
    colour = LOOK[assessment.verdict][2]
    return Text.assemble(
        (f"{_place(assessment)}  ", "bold"), (assessment.verdict, f"bold {colour}"), f" ({assessment.confidence})"
    )


def _place(assessment: Assessment) -> str:
    port = assessment.endpoint.port
    return assessment.endpoint.host + ("" if port == 443 else f":{port}")


def _cause(assessment: Assessment, report: Report) -> str:
    """One line: for a genuine host the path and the days left, for an interceptor its name, else the explanation."""
    beside = [_BESIDE[f.code] for f in assessment.findings if f.code in _BESIDE]
    if assessment.verdict is Verdict.CLOCK_SKEWED:
        beside = []  # its explanation says it
    if assessment.verdict is Verdict.GENUINE:
        facts = [
            " › ".join(printable(t) for t in assessment.path),
            _days_left(assessment, _now(report)),
            *_vouched(assessment),
        ]
    elif assessment.verdict is Verdict.INTERCEPTED:
        facts = [interceptor(assessment), *_on_this_machine(assessment, report)]
    else:
        facts = [assessment.explanation]
    # A stand-in makes everything `strong` at most; the ending says so once.
    stand_in = any(f.code == "trust-stand-in" for f in assessment.findings)
    if assessment.confidence is not Confidence.CERTAIN and not (
        stand_in and assessment.confidence is Confidence.STRONG
    ):
        facts.append(assessment.confidence)
    return " · ".join(facts + beside)


def _vouched(assessment: Assessment) -> Iterator[str]:
    """What the authority and the logs say, in a few words."""
    codes = {f.code for f in assessment.findings}
    if "revocation-not-checked" in codes:
        yield "revocation not checked"
    elif assessment.revocation:
        unknown = [status.reason for status in assessment.revocation if status.state is not Revocation.GOOD]
        yield f"revocation unknown ({unknown[0]})" if unknown else "not revoked"
    valid = sum(stamp.result == "valid" for stamp in assessment.timestamps)
    if valid:
        yield counted(valid, "SCT")


def _now(report: Report) -> datetime:
    """The time as far as it is proven, else by the local clock."""
    return report.clock.lo if report.clock.hi is not None else report.clock.local


def _days_left(assessment: Assessment, now: datetime) -> str:
    days = (assessment.not_after - now).days if assessment.not_after else 0
    return f"{counted(days, 'day')} left"


def interceptor(assessment: Assessment) -> str:
    """Who intercepts, as far as names tell, and in whose name."""
    issuer = f'"{printable(assessment.issuer_title or "no name", 80)}"'
    product = assessment.attribution
    if product is None:
        return f"by an unknown product: {issuer}"
    return f"{printable(product.name, 80)} ({product.confidence}): {issuer}"


def _on_this_machine(assessment: Assessment, report: Report) -> Iterator[str]:
    """The program that answered, where a connection ended on this machine; where all did, the run says so."""
    if any(conclusion.code == "intercepted-on-this-machine" for conclusion in report.conclusions):
        return
    for finding in assessment.findings:
        if finding.code == "local-listener":
            yield f"on this machine: {printable(finding.values['program'], 60)}"


def all_findings(assessment: Assessment, verbose: bool) -> Iterator[RenderableType]:
    """On demand, those that say more than the explanation."""
    if not verbose:
        return
    for finding in assessment.findings:
        if finding.code != assessment.rule:  # the explanation has said that
            yield finding_line(finding)


def finding_line(finding: Finding) -> Text:
    """One finding: its code, whether it is proof or a hint, and its sentence."""
    colour = {Severity.CRITICAL: "red", Severity.HIGH: "red", Severity.MEDIUM: "yellow"}.get(finding.severity, "dim")
    return Text.assemble((f"{finding.code} ", colour), (f"{finding.kind}: ", "dim"), finding.sentence)


def _facts(report: Report) -> Iterator[RenderableType]:
    clock = report.clock
    here = f"{clock.local:%Y-%m-%d %H:%M:%S}Z {'as you chose' if report.judged_at else 'here'}"
    yield labelled("clock", here if report.judged_at else f"{here}, {_true_time(report)}")
    for hint in clock.hints:
        yield labelled("", hint, "dim")
    for number, line in enumerate(_roots(report)):
        yield labelled("" if number else "roots", line)
    if report.reachability:
        yield labelled("port 80", " · ".join(_port_80(report.reachability)))


MOST_ROOTS = 8  # names; whoever makes an authority for each host must not fill the screen


def _roots(report: Report) -> Iterator[str]:
    """The matrix: which of the stores that could be read hold which intercepting authorities. Those that fare alike
    stand together."""
    stores = [store.id for store in report.stores if store.certificates]
    alike: dict[tuple[str, ...], list[str]] = {}
    for root in report.roots if stores else ():
        alike.setdefault(root.held_by, []).append(f'"{printable(root.title, 80)}"')
    for held, titles in alike.items():
        more = f" and {len(titles) - MOST_ROOTS} more" if len(titles) > MOST_ROOTS else ""
        named = ", ".join(titles[:MOST_ROOTS]) + more
        others = ", ".join(i for i in stores if i not in held)
        if held:
            yield f"{named} in {', '.join(held)}" + (f" · not in {others}" if others else "")
        else:
            yield f"{named} in none of {counted(len(stores), 'trust store')} here"


def _true_time(report: Report) -> str:
    clock = report.clock
    sources = ", ".join(printable(source) for source in clock.sources)
    if clock.hi is None:
        before = ""
        if clock.assumed_hi is not None:
            before = f", and before {clock.assumed_hi:%Y-%m-%d} if Google serves nothing expired"
        return f"not proven; really after {clock.lo:%Y-%m-%d %H:%M}Z ({sources}){before}"
    middle, width = clock.lo + (clock.hi - clock.lo) / 2, (clock.hi - clock.lo).total_seconds() / 2
    really = "really" if clock.sure else "by a single host"
    return f"{middle:%Y-%m-%d %H:%M:%S}Z ± {max(1, round(width))} s {really} ({sources})"


_WELL = {Reach.SIGNED_OBJECT: "signed object", Reach.ANSWERS: "answers"}


def _port_80(rows: Sequence[Reachability]) -> Iterator[str]:
    """The hosts that are well, together; then each that is not, and whether these certificates need it."""
    for result, word in _WELL.items():
        hosts = [row.endpoint.host for row in rows if row.result is result]
        if hosts:
            yield f"{', '.join(hosts)}: {word}"
    named = any(row.named for row in rows)
    for row in rows:
        if row.result not in _WELL:
            said = "no answer" if row.result is Reach.TIMEOUT else printable(row.sentence)
            yield f"{row.endpoint.host}: {said}" + (_NOT_NEEDED if named and not row.named else "")


_NOT_NEEDED = " (on the list, not named by these certificates)"


def labelled(label: str, text: str, style: str = "") -> Table:
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(no_wrap=True, width=7)
    line.add_column(ratio=1, overflow="fold")
    line.add_row(Text(label, style="dim"), Text(text, style=style))
    return line


def _ending(report: Report, verbose: bool) -> Iterator[RenderableType]:
    """What it comes to, what to do, and what to write to whoever runs the network."""
    yield Text()
    if report.interrupted:
        yield Text("Interrupted: this is what was finished until then.", style="yellow")
    for conclusion in report.conclusions:
        yield Text(conclusion.sentence, style="bold" if conclusion.severity is Severity.HIGH else "")
    bad = [a for a in report.assessments if a.verdict is not Verdict.GENUINE]
    if report.assessments and not bad:
        stand_in = ", judged by the stand-in you named" if report.trust.stand_in else ""
        yield Text(f"Every host is reached untouched{stand_in}.", style="bold")
    yield from advice_lines(report.advice, verbose)
    yield from closing(report, verbose)


def closing(report: Report | LogReport, verbose: bool) -> Iterator[Text]:
    """By what it was judged, what it rests on, and the ticket."""
    if report.trust.stand_in:
        yield Text(f"Judged against {printable(report.trust.name)}, not against Google's roots.", style="yellow")
    yield Text(report.note, style="dim")
    if report.redacted:
        yield Text(REDACTED, style="dim")
    if report.ticket and verbose:
        yield Text("\nFor the ticket:", style="bold")
        yield Text(report.ticket)
    elif report.ticket:
        yield Text("As a paragraph for the ticket: --format ticket", style="dim")


def advice_lines(advice: Sequence[Advice], verbose: bool) -> Iterator[Text]:
    """Each remedy once; what is for many clients only on demand."""
    clients = list(dict.fromkeys(each.client for each in advice if each.client))
    for each in advice:
        if not each.client or verbose or len(clients) == 1:
            yield Text(f"→ {each.text}")
    if len(clients) > 1 and not verbose:
        yield Text(f"→ Where inspection must stay, there is advice for {', '.join(clients)}: --verbose.", style="dim")
