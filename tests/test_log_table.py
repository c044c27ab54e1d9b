"""What a person sees of logs: at every width, in ASCII, without colours; the cause in ten seconds."""

import io
import re
from datetime import timedelta

import pytest

from tests.logmade import TIME, assessed, file, intercepted, report, skewed, unreachable
from tlsinspect.model import LogKind, LogReport, Timeline, Verdict
from tlsinspect.report.logtable import MOST_ROWS, WIDEST, bars, failure_line, render
from tlsinspect.report.table import PlainConsole


class Stream(io.StringIO):
    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def shown(found: LogReport, width: int = 100, encoding: str = "utf-8", *, verbose: bool = False) -> str:
    out = Stream(encoding)
    console = PlainConsole(out)
    console.width = width
    render(found, console, verbose=verbose)
    return out.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def mixed() -> LogReport:
    made = [intercepted(time=TIME + timedelta(minutes=7 * n)) for n in range(1500)]
    made += [unreachable(time=TIME + timedelta(hours=n), address=f"8.8.{n}.8", port=443) for n in range(9)]
    files = (file(product="gwmmo", lines=4321), file("b.log", problem="cannot be read (Permission denied)"))
    return report(*made, skewed(), files=files)


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_terminal(mixed: LogReport, width: int, encoding: str, verbose: bool) -> None:
    """But for the commands, which are to be copied."""
    for line in shown(mixed, width, encoding, verbose=verbose).splitlines():
        assert len(line) <= width or line.strip() in mixed.commands or "For the ticket" in line


@pytest.mark.parametrize("width", [40, 80, 100, 160])
def test_a_command_is_never_broken(mixed: LogReport, width: int) -> None:
    printed = [line.strip() for line in shown(mixed, width).splitlines()]
    assert mixed.commands
    assert set(mixed.commands) <= set(printed)


def test_pipes_get_no_escape_codes(mixed: LogReport) -> None:
    assert "\x1b" not in shown(mixed)


def test_the_order_is_answer_cause_what_to_do(mixed: LogReport) -> None:
    text = flat(shown(mixed))
    places = [text.index(words) for words in (
        "1,510 failures", "intercepted", "Fiddler Classic", "clock-skewed", "unreachable", "went to",
        "Neither explains", "What to do next", "tlsinspect scan", "hints, never proof", "--format ticket",
    )]  # fmt: skip
    assert places == sorted(places)


def test_the_first_excerpt_is_told_in_the_first_lines() -> None:
    text = shown(report(skewed(), files=(file(kinds=(LogKind.AUTHORISATION,)),)), 80)
    top = flat("\n".join(text.splitlines()[:9]))
    for words in ("1 failure", "*.googleapis.com", "clock-skewed", "1,749", "1,834", "perhaps the year",
                  "216.58.194.170:443", "2022-09-21 03:59:46Z"):  # fmt: skip
        assert words in top, words
    assert len(text.splitlines()) < 20


def test_the_second_excerpt_names_the_program_and_its_place() -> None:
    text = flat(shown(report(intercepted())))
    for words in ("Fiddler Classic (likely)", "DO_NOT_TRUST_FiddlerRoot", "127.0.0.1:8888", "on that machine itself"):
        assert words in text


def test_ten_thousand_repeats_are_one_row() -> None:
    found = report(*(unreachable() for _ in range(10_000)))
    text = shown(found)
    assert text.count("unreachable") == 1
    assert "× 10,000" in text


def test_a_quiet_log_says_so_and_how_much_was_read() -> None:
    text = flat(shown(report(files=(file(failures=0, lines=98_765),))))
    assert "0 failures" in text
    assert "No failure of TLS or of the network stands in the 98,765 lines" in text
    assert "What to do next" not in text


def test_files_that_could_not_be_read_are_named(mixed: LogReport) -> None:
    text = flat(shown(mixed))
    assert "b.log cannot be read (Permission denied)" in text
    assert "1 of 2 files could not be read" in text


def test_facts_stand_only_where_there_is_more_than_one() -> None:
    text = shown(report(intercepted()))
    assert not re.search(r"^(verdict|tool|went to|host|when) ", text, re.MULTILINE)
    text = shown(report(intercepted(), skewed(time=TIME + timedelta(hours=1))))
    assert set(re.findall(r"^(verdict|tool|went to|host|when) ", text, re.MULTILINE)) == {
        "verdict", "tool", "went to", "host", "when",
    }  # fmt: skip


def test_verbose_adds_every_finding_and_every_destination(mixed: LogReport) -> None:
    brief, long = flat(shown(mixed)), flat(shown(mixed, verbose=True))
    assert "clock-hypothesis hint:" in long
    assert "clock-hypothesis hint:" not in brief
    assert "8.8.8.8:443 (× 1)" in long
    assert "8.8.8.8:443 (× 1)" not in brief
    assert "For the ticket:" in long


def test_more_rows_than_a_screen_holds_are_counted() -> None:
    found = report(*(unreachable(code=20_000 + n) for n in range(MOST_ROWS + 5)))
    assert "and 5 rows more, with 5 failures: --verbose" in flat(shown(found))
    assert "rows more" not in shown(found, verbose=True)


def test_an_interrupt_is_said() -> None:
    assert "Ended by an interrupt" in shown(report(unreachable(), interrupted=True))


def test_the_time_that_was_asked_for_is_in_the_headline() -> None:
    head = flat(shown(report(unreachable(), since=TIME, until=TIME + timedelta(days=1))))
    assert "since 2022-09-21 03:59:46Z · until 2022-09-22 03:59:46Z" in head


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_where_a_terminal_takes_no_blocks_there_are_none(mixed: LogReport, encoding: str) -> None:
    text = shown(mixed, encoding=encoding)
    assert not re.search("[▁-█✔✘]", text)
    assert re.search(r"[-=+*#.]{20,} \d+ (s|min|h|d) each", text)


def test_bars() -> None:
    assert bars(Timeline(TIME, 60, (1, 0, 8)), False) == "▁.█ 1 min each"
    assert bars(Timeline(TIME, 3600, (1, 0, 5)), True) == "-.# 1 h each"
    assert bars(Timeline(TIME, 86400, (1,) * 60), False) == "█" * WIDEST + " 2 d each"
    assert bars(Timeline(TIME, 1, (0,) * 44 + (1,)), False) == "." * 22 + "█ 2 s each"


def test_hostile_text_reaches_no_terminal_as_it_is() -> None:
    evil = "\x1b[31m\u202e[red]x[/red]"
    values = {"issuer": (evil,), "name": evil, "address": "127.0.0.1", "port": 8888, "message": evil}
    one = assessed("log-foreign-issuer", Verdict.INTERCEPTED, values, issuer_title=evil)
    files = (file(evil, problem=evil), file(evil, kinds=(), failures=0))
    for verbose in (False, True):
        text = shown(report(one, files=files), verbose=verbose) + report(one, files=files).ticket
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "<U+001B>" in text


def test_one_failure_is_one_line() -> None:
    out = Stream("ascii")
    console = PlainConsole(out)
    console.width = 300
    failure_line(skewed(), console)
    assert out.getvalue().startswith("! 2022-09-21 03:59:46Z  *.googleapis.com  clock-skewed")
    assert len(out.getvalue().splitlines()) == 1
