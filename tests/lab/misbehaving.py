"""The peers of `tests.faults` on every IPv4 address of a machine of the lab, each on a port of its own.

::

    python -m tests.lab.misbehaving PORT KIND...

The first kind listens on PORT, the others on the ports that follow.
"""

import signal
import sys
from collections.abc import Iterable
from contextlib import ExitStack

from tests.faults import fault


def main(port: int, kinds: Iterable[str]) -> None:
    with ExitStack() as stack:
        for at, kind in enumerate(kinds, start=port):
            stack.enter_context(fault(kind, at=("", at)))
        signal.pause()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
