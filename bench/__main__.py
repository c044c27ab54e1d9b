"""``python -m bench [NAME …]``: measure, and print one row for each number. See README.md beside this file."""

import argparse
import importlib
import sys

from bench.options import Options
from bench.table import header, line

NAMES = {
    "startup": "import and --version beside an empty Python",
    "scan": "CPU of a scan beside a bare loop of handshakes",
    "judging": "a path judged beside cryptography's verify()",
    "proof": "revocation and timestamps of a certificate",
    "revocation": "a CRL of 50 MB, the first time and again",
    "hostile": "thousands of endpoints, one in twenty hostile",
    "logs": "a gigabyte of log beside grep -c",
    "latency": "the gwsmo profile at 50 ms",
}
_MODULES = {"scan": "scanning"}


def main() -> int:
    epilog = "\n".join(f"  {name:<10}{what}" for name, what in NAMES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the budgets. A row that says over is for people: the exit status is 0 all the same.",
        epilog=f"benchmarks:\n{epilog}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure (default: everything)")
    parser.add_argument("--endpoints", type=int, default=300, help="of each scan beside the bare loop (300)")
    parser.add_argument("--rounds", type=int, default=3, help="of the scan beside the bare loop (3)")
    parser.add_argument("--hostile", type=int, default=2_000, help="endpoints of the hostile mix (2000)")
    parser.add_argument("--full", action="store_true", help="the hostile mix of the budget: --hostile 10000")
    parser.add_argument("--logs-mb", type=int, default=1000, metavar="N", help="size of the log beside grep (1000)")
    parser.add_argument("--profile", action="store_true", help="print where the time of a scan goes, to standard error")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}: there are {', '.join(NAMES)}")
    hostile = 10_000 if given.full else given.hostile
    options = Options(given.endpoints, given.rounds, hostile, given.logs_mb, given.profile)
    print(header(), flush=True)
    for name in given.names or NAMES:
        for row in importlib.import_module(f"bench.{_MODULES.get(name, name)}").run(options):
            print(line(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
