"""``tlsinspect log``"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tlsinspect.cli.output import destination, progress, write_log_report
from tlsinspect.errors import UsageError
from tlsinspect.evidence.catalogue import with_interceptors
from tlsinspect.files import exists
from tlsinspect.logged import Reading
from tlsinspect.logredaction import LogRedaction
from tlsinspect.logs.products import folders
from tlsinspect.logs.sources import find
from tlsinspect.logsummary import Summing
from tlsinspect.report import log_status
from tlsinspect.text import printable
from tlsinspect.trust import Trust

# Where the logs lie on a machine of which nothing is known.
_EXAMPLE = {"LOCALAPPDATA": r"C:\Users\NAME\AppData\Local", "SYSTEMROOT": r"C:\Windows"}


def run(arguments: argparse.Namespace) -> int:
    trust = Trust.load(arguments.trust) if arguments.trust else Trust.default()
    if arguments.interceptors is not None:
        trust = with_interceptors(trust, arguments.interceptors)
    since, until = _time("--since", arguments.since), _time("--until", arguments.until)
    if since is not None and until is not None and since > until:
        raise UsageError("--since is later than --until")
    names = arguments.files or _own_folders()
    sources = find(names)
    _check_output(arguments.output, names)
    summing, interrupted = Summing(), False
    with destination(arguments.output) as out:
        with progress("reading", octets=True) as told:
            reading = Reading(sources, trust, since=since, until=until, progress=told)
            try:
                for assessment in reading:
                    summing.add(assessment)
            except KeyboardInterrupt:
                interrupted = True
        made = datetime.now(UTC)
        report = summing.report(reading.files, trust, made=made, since=since, until=until, interrupted=interrupted)
        if arguments.redact:
            report = LogRedaction(trust).report(report)
        write_log_report(report, arguments.format, out, verbose=arguments.verbose)
    return log_status(report)


def _own_folders() -> Sequence[str]:
    """Where the tools of this machine keep their logs. Raises UsageError where there are none."""
    if sys.platform != "win32":
        raise UsageError(f"name the logs to read; on the machine they are from they lie in {_places(_EXAMPLE)}")
    found = [name for name in folders(os.environ) if exists(Path(name))]
    if not found:
        raise UsageError(f"no logs of a sync tool are here, in none of {_places(os.environ)}; name the logs to read")
    return found


def _places(environment: dict[str, str]) -> str:
    return ", ".join(folders(environment))


def _time(option: str, text: str | None) -> datetime | None:
    """A time, in UTC where it has no zone. Raises UsageError."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        why = "not a time; write it as 2026-11-23 or 2026-11-23T12:00:00Z"
        raise UsageError(f"{option} {printable(text)}: {why}") from None


def _check_output(output: str | None, names: Iterable[str]) -> None:
    """No log is written over by what is said of it. Raises UsageError."""
    if output is None or output == "-" or not exists(Path(output)):
        return
    for name in names:
        if name != "-" and exists(Path(name)) and Path(name).samefile(output):
            raise UsageError(f"{output}: is one of the logs, and would be written over")
