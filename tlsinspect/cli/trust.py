"""``tlsinspect trust list|verify``"""

import argparse
import json
from typing import TextIO

from tlsinspect.cli.output import destination
from tlsinspect.evidence.catalogue import catalogue_of
from tlsinspect.evidence.fingerprints import fingerprints_of
from tlsinspect.jsonform import to_json
from tlsinspect.text import printable
from tlsinspect.trust import Trust


def run(arguments: argparse.Namespace) -> int:
    trust = Trust.load(arguments.trust) if arguments.trust else Trust.default()
    with destination(arguments.output) as out:
        if arguments.action == "verify":
            _verify(trust, arguments.format, out)
        elif arguments.format == "json":
            out.write(json.dumps({"trust": to_json(trust.facts), "anchors": trust.listing()}, indent=2) + "\n")
        else:
            _list(trust, out)
    return 0


def _verify(trust: Trust, form: str, out: TextIO) -> None:
    """Read every table, not only its hash: what cannot be read raises TrustDataError."""
    counts = {
        "Google roots": len(trust.google),
        "other roots of pki.goog": len(trust.alternate),
        "public roots": len(trust.public),
        "Google intermediate keys": len(trust.intermediates),
        "interceptors": len(catalogue_of(trust).rows),
        "fingerprints of interceptors": len(fingerprints_of(trust)),
        "transparency logs": len(trust.ct_logs),
        "revocation hosts": len(trust.revocation_hosts),
        "keys of the time service": len(trust.time_keys),
    }
    if form == "json":
        out.write(
            json.dumps({"trust": to_json(trust.facts), "counts": counts, "files": trust.files()}, indent=2) + "\n"
        )
        return
    out.write(f"{printable(trust.facts.name)} of {trust.facts.date}: every file is what its manifest says\n")
    out.writelines(f"{n:5}  {what}\n" for what, n in counts.items())
    out.write(f"sha256 {trust.facts.sha256}\n")


def _list(trust: Trust, out: TextIO) -> None:
    from rich.table import Table
    from rich.text import Text

    from tlsinspect.report.table import PlainConsole

    table = Table.grid(padding=(0, 2, 0, 0))
    for heading in ("set", "root", "until", "key (SPKI SHA-256)"):
        table.add_column(heading, no_wrap=heading in ("set", "until"), overflow="fold")
    for row in trust.listing():
        cells = (row["set"], row["title"], row["not_after"], row["spki_sha256"])
        table.add_row(*(Text(printable(cell)) for cell in cells))
    PlainConsole(out).print(table)
