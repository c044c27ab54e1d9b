"""Where results go, and how they are written there."""

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TextIO

from tlsinspect.errors import UsageError
from tlsinspect.files import reason_of
from tlsinspect.model import LogReport, Report
from tlsinspect.text import printable

# What the table draws with, for terminals and pipes that cannot encode it.
_PLAIN = {"›": ">", "·": "-", "→": "->", "…": "...", "±": "+/-", "✔": "+", "✘": "x", "×": "x"}


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """A codec error handler: our own signs in ASCII, any other character by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(_PLAIN.get(c, f"<U+{ord(c):04X}>") for c in lost), error.end


@contextlib.contextmanager
def destination(name: str | None) -> Iterator[TextIO]:
    """Standard output, or the file `name`. Raises UsageError where it cannot be written.

    A reader of standard output who has gone ends the command quietly, with the status a shell gives for that.
    """
    if name is None or name == "-":
        yield from _standard_output()
        return
    try:
        with Path(name).open("w", encoding="utf-8", newline="\n") as file:
            yield file
    except (OSError, ValueError) as error:
        raise UsageError(f"{name}: cannot be written ({reason_of(error)})") from None


def _standard_output() -> Iterator[TextIO]:
    if sys.stdout is None:
        raise UsageError("standard output is closed")
    codecs.register_error("tlsinspect", _in_ascii)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="tlsinspect")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except OSError as error:
        # Point it elsewhere, so that the interpreter's own last flush says nothing more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(141)
        raise UsageError(f"standard output: cannot be written ({reason_of(error)})") from None


def write_report(report: Report, form: str, title: str, out: TextIO, *, verbose: bool) -> None:
    if form == "table":
        from tlsinspect.report.table import PlainConsole, render

        render(report, title, PlainConsole(out), verbose=verbose)
        return
    _write_plain(report, form, out)


def write_log_report(report: LogReport, form: str, out: TextIO, *, verbose: bool) -> None:
    if form == "table":
        from tlsinspect.report.logtable import render
        from tlsinspect.report.table import PlainConsole

        render(report, PlainConsole(out), verbose=verbose)
        return
    _write_plain(report, form, out)


def _write_plain(report: Report | LogReport, form: str, out: TextIO) -> None:
    if form == "ticket":
        out.write(f"{report.ticket or 'Nothing is to be asked of anybody.'}\n")
        return
    from tlsinspect.report.as_json import document, lines

    if form == "json":
        out.write(document(report))
    else:
        out.writelines(lines(report))


@contextlib.contextmanager
def progress(what: str = "scanning", *, octets: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """A progress line on standard error, where a person can see it."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    counted = DownloadColumn() if octets else MofNCompleteColumn()
    columns = (TextColumn(what), BarColumn(bar_width=24), counted, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def read_time(text: str, option: str = "--at", *, zone: tzinfo | None = None) -> datetime:
    """A time; without a zone it is in `zone`, where that is given. Raises UsageError, which names the option."""
    asked = f"{option} {printable(text)}"
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None and zone is None:
            raise UsageError(f"{asked}: in which time zone? write it as 2026-11-23T12:00:00Z")
        return (time if time.tzinfo is not None else time.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"{asked}: not a time; write it as 2026-11-23T12:00:00Z") from None
