"""``tlsinspect cache show|clear``"""

import argparse
import json
from typing import TextIO

from tlsinspect.cache import Cache, Entry
from tlsinspect.cli.output import destination
from tlsinspect.jsonform import to_json
from tlsinspect.text import counted, printable

ISSUER_WIDTH = 20
MAX_URL = 100  # the end of a longer one is an OCSP request, which tells a person nothing


def run(arguments: argparse.Namespace) -> int:
    cache = Cache()
    with destination(arguments.output) as out:
        if arguments.action == "clear":
            _clear(cache, arguments.format, out)
        else:
            _show(cache, arguments.format, out)
    return 0


def _clear(cache: Cache, form: str, out: TextIO) -> None:
    removed = cache.clear()
    if form == "json":
        out.write(json.dumps({"folder": str(cache.folder), "removed": removed}, indent=2) + "\n")
    else:
        out.write(f"removed {counted(removed, 'object')} from {printable(str(cache.folder))}\n")
        _say_why_not(cache, out)


def _show(cache: Cache, form: str, out: TextIO) -> None:
    entries = cache.entries()
    if form == "json":
        about = {"folder": str(cache.folder), "usable": cache.usable, "reason": cache.reason}
        objects = [to_json(entry) | {"path": str(entry.path)} for entry in entries]
        out.write(json.dumps({**about, "objects": objects}, indent=2) + "\n")
        return
    if entries:
        _table(entries, out)
        out.write("\n")
    held = f"{counted(len(entries), 'object')}, {_size(sum(e.size for e in entries))}"
    out.write(f"{held}, in {printable(str(cache.folder))}\n")
    _say_why_not(cache, out)


def _say_why_not(cache: Cache, out: TextIO) -> None:
    if cache.reason:
        out.write(f"nothing is kept: {printable(cache.reason)}\n")


def _table(entries: list[Entry], out: TextIO) -> None:
    from rich.table import Table
    from rich.text import Text

    from tlsinspect.report.table import PlainConsole

    table = Table.grid(padding=(0, 2, 0, 0))
    for heading in ("kind", "issuer", "URL", "until", "size"):
        short, right = heading in ("kind", "until", "size"), heading == "size"
        widest = ISSUER_WIDTH if heading == "issuer" else None
        table.add_column(
            heading, no_wrap=short, overflow="fold", justify="right" if right else "left", max_width=widest
        )
    for e in entries:
        url = printable(e.url or "?", MAX_URL)
        cells = (e.kind, printable(e.issuer or "?"), url, f"{e.until:%Y-%m-%d}", _size(e.size))
        table.add_row(*map(Text, cells))
    PlainConsole(out).print(table)


def _size(size: int) -> str:
    """A size as people say it: the objects here have a few hundred bytes to a few dozen megabytes."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
