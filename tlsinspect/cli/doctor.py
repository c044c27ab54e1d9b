"""``tlsinspect doctor``"""

import argparse
from typing import TextIO

from tlsinspect.cli.output import destination
from tlsinspect.doctor import examine
from tlsinspect.judge.installed import ACTED_ON
from tlsinspect.model import Diagnosis
from tlsinspect.trust import Trust


def run(arguments: argparse.Namespace) -> int:
    examined = examine(Trust.load(arguments.trust) if arguments.trust else None)
    found = examined.diagnosis if arguments.unredacted else examined.redacted
    with destination(arguments.output) as out:
        _write(found, arguments.format, out)
    return int(any(finding.severity in ACTED_ON for finding in found.findings))


def _write(found: Diagnosis, form: str, out: TextIO) -> None:
    if form == "json":
        from tlsinspect.report.as_json import document

        out.write(document(found))
        return
    from tlsinspect.report.diagnosis import render
    from tlsinspect.report.table import PlainConsole

    render(found, PlainConsole(out))
