"""What the command line chooses for all benchmarks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    endpoints: int = 300  # of one scan beside the bare loop
    rounds: int = 3
    hostile: int = 2_000  # endpoints of the hostile mix
    logs_mb: int = 1000  # of the log beside grep
    profile: bool = False  # print where the time of a scan goes
