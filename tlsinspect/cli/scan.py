"""``tlsinspect scan``"""

import argparse
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tlsinspect.cli.output import destination, progress, write_report
from tlsinspect.conductor import execute, prepare
from tlsinspect.endpoints import MAX_FILE, lines_of, read_text
from tlsinspect.errors import UsageError
from tlsinspect.report import exit_status
from tlsinspect.trust import Trust


def run(arguments: argparse.Namespace) -> int:
    if arguments.targets and arguments.profile is not None:
        raise UsageError("name targets or a profile, not both")
    prepared = prepare(
        list(_targets(arguments.targets)) if arguments.targets else None,
        profile="gwsmo" if arguments.profile is None else arguments.profile,
        trust=arguments.trust,
        proxy=arguments.proxy,
        resolve=arguments.resolve,
        timeout=arguments.timeout,
        concurrency=arguments.concurrency,
        repeat=arguments.repeat,
        witness=arguments.witness,
    )
    title = prepared.profile.title + ("" if arguments.targets else f" ({prepared.profile.name})")
    threading.Thread(target=_load_ahead, args=(prepared.trust,), daemon=True).start()
    with destination(arguments.output) as out:
        with progress() as prepared.progress:
            report = execute(prepared)
        write_report(report, arguments.format, title, prepared.routing.describe(), out, verbose=arguments.verbose)
    return exit_status(report)


def _load_ahead(trust: Trust) -> None:
    """Load what the judge and the table need while the network is waited for."""
    from tlsinspect.judge.words import wording

    wording(), trust.interceptors, trust.google.store


def _targets(typed: list[str]) -> Iterator[str]:
    for text in typed:
        if text == "-":
            yield from lines_of(_standard_input())
        elif text.startswith("@"):
            yield from lines_of(read_text(Path(text[1:])))
        elif "://" not in text and ("/" in text or "\\" in text or text.endswith(".txt")):
            yield from lines_of(read_text(Path(text)))  # no host name has a slash in it
        else:
            yield text


def _standard_input() -> str:
    raw = sys.stdin.buffer.read(MAX_FILE + 1)
    if len(raw) > MAX_FILE:
        raise UsageError(f"standard input: larger than {MAX_FILE // 1024 // 1024} MB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("standard input: not UTF-8 text") from None
