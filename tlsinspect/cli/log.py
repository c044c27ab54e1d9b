"""``tlsinspect log``"""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from tlsinspect.cli.output import destination, progress, read_time, write_log_report
from tlsinspect.errors import UsageError
from tlsinspect.evidence.catalogue import with_interceptors
from tlsinspect.files import exists, reason_of
from tlsinspect.judge.logs.words import word
from tlsinspect.logged import Reading
from tlsinspect.logredaction import LogRedaction
from tlsinspect.logs.follow import Follower
from tlsinspect.logs.products import folders
from tlsinspect.logs.reading import Reader
from tlsinspect.logs.sources import Source, find
from tlsinspect.logsummary import Summing
from tlsinspect.model import Assessment
from tlsinspect.report import log_status
from tlsinspect.text import counted
from tlsinspect.trust import Trust

# Where the logs lie on a machine of which nothing is known.
_EXAMPLE = {"LOCALAPPDATA": r"C:\Users\NAME\AppData\Local", "SYSTEMROOT": r"C:\Windows"}
# How a failure is shown as soon as it is read; the other formats are of a whole.
_AT_ONCE = ("table", "jsonl")


def run(arguments: argparse.Namespace) -> int:
    trust = Trust.load(arguments.trust) if arguments.trust else Trust.default()
    if arguments.interceptors is not None:
        trust = with_interceptors(trust, arguments.interceptors)
    since, until = _time("--since", arguments.since), _time("--until", arguments.until)
    if since is not None and until is not None and since > until:
        raise UsageError("--since is later than --until")
    if arguments.follow and arguments.format not in _AT_ONCE:
        raise UsageError(f"--follow shows failures as they come: --format {' or '.join(_AT_ONCE)}")
    names = arguments.files or _own_folders()
    sources = find(names)
    _check_output(arguments.output, [*(each.name for each in sources), arguments.interceptors, arguments.trust])
    redaction = LogRedaction(trust) if arguments.redact else None
    follower = Follower(names) if arguments.follow else None
    summing = Summing()
    with destination(arguments.output) as out:
        with _reader(sources, follower) as reader:
            reading = Reading(reader, trust, since=since, until=until)
            tell = _teller(arguments.format, out, redaction) if arguments.follow else None
            interrupted = _read(reading, summing, tell)
        made = datetime.now(UTC)
        report = summing.report(reading.files, trust, made=made, since=since, until=until, interrupted=interrupted)
        shown = redaction.report(report) if redaction is not None else report
        write_log_report(shown, arguments.format, out, verbose=arguments.verbose)
    return log_status(report)


@contextlib.contextmanager
def _reader(sources: Sequence[Source], follower: Follower | None) -> Iterator[Reader | Follower]:
    """What reads them; only what has an end shows how far it is."""
    if follower is not None:
        if sys.stderr is not None and sys.stderr.isatty():
            print(word("following", {"files": counted(len(sources), "file")}), file=sys.stderr)
        yield follower
        return
    with progress("reading", octets=True) as told:
        yield Reader(sources, told)


def _read(reading: Reading, summing: Summing, tell: Callable[[Assessment], None] | None) -> bool:
    """Read all of it; whether an interrupt came before the end."""

    def take(assessments: Iterator[Assessment]) -> None:
        for assessment in assessments:
            summing.add(assessment)
            if tell is not None:
                tell(assessment)

    try:
        take(iter(reading))
    except KeyboardInterrupt:
        take(reading.rest())
        return True
    return False


def _teller(form: str, out: TextIO, redaction: LogRedaction | None) -> Callable[[Assessment], None]:
    """What shows each failure as soon as it is read."""
    from tlsinspect.report.as_json import line
    from tlsinspect.report.logtable import failure_line
    from tlsinspect.report.table import PlainConsole

    console = PlainConsole(out)

    def tell(assessment: Assessment) -> None:
        shown = redaction.assessment(assessment) if redaction is not None else assessment
        if form == "jsonl":
            out.write(line(shown))
        else:
            failure_line(shown, console)
        out.flush()

    return tell


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
    return read_time(text, option, zone=UTC) if text is not None else None


def _check_output(output: str | None, read: Sequence[str | None]) -> None:
    """Nothing that is read is written over by what is said of it. Raises UsageError."""
    if output is None or output == "-" or not exists(Path(output)):
        return
    try:
        written = os.stat(output)
        if any(os.path.samestat(_status(name), written) for name in read if name is not None):
            raise UsageError(f"{output}: is one of the files to be read, and would be written over")
    except (OSError, ValueError) as error:
        raise UsageError(f"{output}: cannot be told from the files to be read ({reason_of(error)})") from None


def _status(name: str) -> os.stat_result:
    return os.fstat(sys.stdin.fileno()) if name == "-" and sys.stdin is not None else os.stat(name)
