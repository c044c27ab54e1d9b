"""Where results go, and how they are written there."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from tlsinspect.errors import UsageError
from tlsinspect.model import Report


@contextlib.contextmanager
def destination(name: str | None) -> Iterator[TextIO]:
    """Standard output, or the file `name`. Raises UsageError where it cannot be written."""
    if name is None or name == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(Path(name).open("w", encoding="utf-8", newline="\n"))
        except OSError as error:
            raise UsageError(f"{name}: cannot be written ({error.strerror or error})") from None
        yield file


def write_report(report: Report, form: str, title: str, route: str, out: TextIO, *, verbose: bool) -> None:
    if form == "table":
        from rich.console import Console

        from tlsinspect.report.table import render

        render(report, title, route, Console(file=out, highlight=False, markup=False, emoji=False), verbose=verbose)
        return
    from tlsinspect.report.as_json import document, lines

    if form == "json":
        out.write(document(report))
    else:
        out.writelines(lines(report))


@contextlib.contextmanager
def progress() -> Iterator[Callable[[int, int], None]]:
    """A progress line on standard error, where a person can see it."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("scanning"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("scanning", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
