"""Write docs/decision.md and docs/logs.md from the rule tables and their scenario files. ``--check`` only says whether
they are up to date."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tlsinspect.judge.logs.rules import LOG_RULES, LogRule
from tlsinspect.judge.rules import CAPS, RULES, WORST_FIRST, Rule
from tlsinspect.judge.words import wording

ROOT = Path(__file__).parent.parent
STEPS = {
    1: "No certificate was seen",
    2: "Lists, and certificates that cannot be judged",
    3: "The requested name is not claimed",
    4: "The name is claimed: who signed?",
    5: "Does whoever answers hold the key?",
    6: "Revocation",
    7: "Transparency",
    8: "Time",
    9: "Form",
    10: "Nothing is left that could be wrong",
}


def document() -> str:
    """The page, from its data alone."""
    return "\n".join([*_head(), *_chart(), *_rows(), *_caps(), *_scenarios()]) + "\n"


def _head() -> Iterator[str]:
    yield "# How tlsinspect decides"
    yield ""
    yield "Written by `tools/build_docs.py` from `tlsinspect/judge/rules.py` and `scenarios.toml`; edit those."
    yield "The table is read from the top. The first row that holds gives the verdict; later ones become findings."
    yield ""


def _chart() -> Iterator[str]:
    yield "```mermaid"
    yield "flowchart TD"
    steps = sorted(STEPS)
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        verdicts = sorted({str(rule.verdict) for rule in RULES if rule.step == step})
        yield f'  s{step}{{"{step}. {STEPS[step]}"}} -->|holds| v{step}["{" · ".join(verdicts)}"]'
        if following:
            yield f"  s{step} -->|else| s{following}"
    yield "```"
    yield ""


def _rows() -> Iterator[str]:
    for step, title in STEPS.items():
        yield f"## {step}. {title}"
        yield ""
        yield "| row | holds when | verdict | confidence at most |"
        yield "|---|---|---|---|"
        yield from (_row(rule) for rule in RULES if rule.step == step)
        yield ""


def _row(rule: Rule | LogRule) -> str:
    return f"| `{rule.id}` | {rule.says} | **{rule.verdict}** | {rule.confidence} |"


def _caps() -> Iterator[str]:
    yield "## What lowers confidence"
    yield ""
    yield "Each is an assumption the answer rests on, and a finding."
    yield ""
    yield "| finding | at most | what it says |"
    yield "|---|---|---|"
    for cap in CAPS:
        yield f"| `{cap.finding}` | {cap.at_most} | {wording()['finding'][cap.finding]['sentence']} |"
    yield ""
    yield "Several observations of one endpoint give the worst of their verdicts, in this order, and `mixed`:"
    yield ", ".join(WORST_FIRST) + "."
    yield ""


def _scenarios(file: str = "scenarios.toml", otherwise: str = "nothing but a genuine host") -> Iterator[str]:
    yield "## Scenarios"
    yield ""
    yield "Each is a test."
    yield ""
    yield "| scenario | given | verdict | findings |"
    yield "|---|---|---|---|"
    text = (ROOT / "tlsinspect" / "judge" / file).read_text(encoding="utf-8")
    for scenario in tomllib.loads(text)["scenario"]:
        given = ", ".join(f"{k} = {v}" for k, v in scenario["given"].items()) or otherwise
        findings = ", ".join(f"`{f}`" for f in scenario.get("findings", []))
        verdict = f"{scenario['verdict']} ({scenario['confidence']})"
        yield f"| {scenario['name']} | {given} | {verdict} | {findings} |"


def log_document() -> str:
    """The page on logs, from its data alone."""
    return "\n".join([*_log_head(), *_scenarios("logs/scenarios.toml", "Google's certificate, no complaint")]) + "\n"


_READING = """\
# How a log is judged

The table and the scenarios are written by `tools/build_docs.py` from `tlsinspect/judge/logs/rules.py` and
`scenarios.toml`; edit those.

A log is text: anybody can have written it, and nothing in it is signed. So no row gives `genuine`, and none is more
than `likely`. What proves something is the scan that the answer ends with.

## What counts as a failure

- What one thread writes about one try is put together: that the connection is not secure, with its flags; the
  certificate; the call that failed, with its code; where the connection went. The authorisation log names no threads;
  there it is the order of the lines, and of failures in the same second what each of them still lacks. In a trace
  another thread may tell how the call ended. Lines without a time belong to the message before them; where they may be
  another thread's, which wrote within a second of them, the answer is weak at most. A block that was cut off, or of
  which lines stand twice, is said to be damaged, and accuses nobody.
- A try through a proxy and the next ones, each announced by the one before and within two minutes of it, are one
  failure. Where nothing more is told, the next may have worked.
- A code in other words (`hr = 0x80072ee7`, `error 12007`, `-2147012889`) counts where a line complains of it (an error
  or a warning) and is about connections (by its category or its words, unless WinHTTP alone gives that code), and once:
  programs that made the call repeat its code for up to a minute, and may name the host. Whoever names another
  tells of another failure. Without flags and a certificate it is what older versions write.
- HTTP statuses count where they are a proxy's or the network's (407, 511; 403, 502 … only where the line speaks of a
  proxy). What Google's servers answer, a quota say, is no failure of the network.
- Cancelled requests, handles used wrongly and a network that announces no proxy script are no failures.

## Times

A trace prints its zone, an authorisation log none: it is read as UTC and may be off by 14 hours either way, which the
comparison with a certificate's dates allows for. In a file with both forms their times are not compared with each
other. It is the clock of that machine, right or wrong, by which `--since`
and `--until` choose.

## What is read

`*.log` and `*.txt` in folders, rotated (`.1`, `.old`) or packed with gzip; any file that is named. UTF-8, UTF-16,
Windows-1252; with blanks or the marks of a quoting mail around the lines. What goes over from a rotated log into the
next is put together, unless one between them is missing or damaged. A line is read up to 64 kB. In memory are a few
blocks, at most 64 failures that are being told, and 300 groups of failures that are alike; what is beyond that is
counted together.

"""


def _log_head() -> Iterator[str]:
    yield from _READING.splitlines()
    yield "## The table"
    yield ""
    yield "Read from the top; the first row that holds gives the verdict."
    yield ""
    yield "| row | holds when | verdict | confidence |"
    yield "|---|---|---|---|"
    yield from (_row(rule) for rule in LOG_RULES)
    yield ""


PAGES = {"decision.md": document, "logs.md": log_document}


def main() -> int:
    folder = ROOT / "docs"
    for name, page in PAGES.items():
        target = folder / name
        current = target.read_text(encoding="utf-8") if target.exists() else ""
        if "--check" not in sys.argv[1:]:
            folder.mkdir(exist_ok=True)
            target.write_text(page(), encoding="utf-8", newline="\n")
        elif current != page():
            print(f"{name} is not what the rules say now: run python tools/build_docs.py", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
