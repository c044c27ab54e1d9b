"""``tlsinspect demo``"""

import argparse

from tlsinspect.cli.output import destination
from tlsinspect.demo import demo


def run(arguments: argparse.Namespace) -> int:
    with destination(arguments.output) as out:
        return demo(out, verbose=arguments.verbose)
