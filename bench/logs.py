"""A gigabyte of log in which nothing failed, beside `grep -c`; what stays in memory; and other logs, told."""

import gzip
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.options import Options
from bench.process import output_of
from bench.table import Row
from tests.loggen import CERTIFICATES, Incident, at, log, trace_line
from tests.loggen import chatter as tool_chatter
from tlsinspect.logs.needles import NEEDLES

MB = 1_000_000
FIXED = "Status: 0x00010000"  # what a person looks for who knows these logs

# In a process of its own: importing and reading the trust data is not counted in seconds, and counted in memory.
_PROGRAM = """
import sys, time
import tlsinspect
trust = tlsinspect.Trust.default()
list(tlsinspect.read_log(sys.argv[1], trust=trust))
begun = time.perf_counter()
found = sum(1 for _ in tlsinspect.read_log(sys.argv[2], trust=trust))
print(time.perf_counter() - begun, found)
with open("/proc/self/status") as file:
    print(next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024, "resident")
"""


def run(options: Options) -> Iterator[Row]:
    if sys.platform != "linux":
        return  # other systems count resident memory otherwise, and have another grep
    with tempfile.TemporaryDirectory(prefix="tlsinspect-bench-") as folder:
        quiet, small = Path(folder, "quiet.log"), Path(folder, "small.log")
        small.write_bytes(_failures(20))
        chatter = _chatter()
        size = _repeated(quiet, chatter, options.logs_mb * MB)
        yield from _beside_grep(small, quiet, size, options.rounds)
        for what, octets in _others(chatter):
            other = Path(folder, "other.log")
            size = _repeated(other, octets, min(options.logs_mb, 50) * MB)
            if what == "packed with gzip":
                other.write_bytes(gzip.compress(other.read_bytes(), 6))
            seconds, found, _ = _read(small, other)
            yield Row(f"a log {what}", f"{size / MB / seconds:.0f} MB/s, {found:,} failures")


def _beside_grep(small: Path, quiet: Path, size: int, rounds: int) -> Iterator[Row]:
    """The two sides take turns; the first round only fills the cache of the file."""
    every = "|".join(needle.decode() for needle in NEEDLES)
    sides: dict[str, Callable[[], float]] = {
        "fixed": lambda: _grep("-c", FIXED, quiet),
        "every": lambda: _grep("-cE", every, quiet),
        "ours": lambda: _read(small, quiet)[0],
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 1):
        for side, measured in sides.items():
            taken = measured()
            if number:
                seconds[side].append(taken)
    ours, fixed, every_one = (statistics.median(seconds[side]) for side in ("ours", "fixed", "every"))
    log_of = f"a log of {size // MB:,} MB"
    for what, grep in ((f"grep -c '{FIXED}'", fixed), (f"grep -cE, all {len(NEEDLES)} strings", every_one)):
        speed = f"{size / MB / ours:,.0f} MB/s; {what} {size / MB / grep:,.0f}"
        yield Row(f"{log_of}: {what}", speed, grep / ours, "≥ 0.5 ×", grep / ours >= 0.5)
    plain, _, _ = _read(small, quiet, "import sys; sys.modules['ahocorasick_rs'] = None")
    speed = f"{size / MB / plain:,.0f} MB/s; as a plain installation on Linux has it"
    yield Row(f"{log_of}: without ahocorasick_rs", speed, fixed / plain, "≥ 0.5 ×", fixed / plain >= 0.5)
    _, _, resident = _read(small, quiet)
    memory = f"{resident / MB:.0f} MB at most, Python and trust data included"
    yield Row(f"{log_of}: resident", memory, None, "< 100 MB", resident < 100 * MB)


def _grep(*words: str | Path) -> float:
    begun = time.perf_counter()
    # Into a pipe: where nobody reads the count, grep stops at the first line that fits.
    subprocess.run(["grep", *map(str, words)], stdout=subprocess.PIPE, check=False, env={"LC_ALL": "C"})
    return time.perf_counter() - begun


def _read(small: Path, log_file: Path, before: str = "") -> tuple[float, int, int]:
    """Seconds, failures, and the most octets that were resident."""
    first, second = output_of("-c", before + _PROGRAM, str(small), str(log_file)).splitlines()
    seconds, found = first.split()
    return float(seconds), int(found), int(second.split()[0])


# -- logs -------------------------------------------------------------------------------------------------------------

_TEXT = """Syncing folder message calendar item contact request completed GET https://www.googleapis.com/gmail/v1/users/me
status 200 elapsed label thread cache flush wait event handle ok done queue size"""
_WORDS = tuple(_TEXT.split())


def _chatter() -> bytes:
    """Some megabytes of lines of 150 octets, of both forms, of which none tells of a failure."""
    chance = random.Random(1)
    lines = []
    for number in range(20_000):
        message = " ".join(chance.choices(_WORDS, k=8))
        if number % 10:
            place = f"Http::Do{chance.choice(_WORDS)[:8]}"
            lines.append(
                trace_line(at(number / 10), message, level="I", thread=f"{chance.randrange(4096, 8192):x}", place=place,
                           module="gsync32", number=chance.randrange(1, 3000))
            )  # fmt: skip
        else:
            lines.append(
                f"[{at(number / 10):%Y-%m-%dT%H:%M:%S}:INFO:windows_http.cc({number % 400})] {message} {message}"
            )
    return "".join(f"{line}\r\n" for line in lines).encode()


def _failures(count: int) -> bytes:
    certificates = tuple(CERTIFICATES.values())
    incidents = [Incident(at(60 * n), flags=0x9, certificate=certificates[n % len(certificates)]) for n in range(count)]
    return log(incidents).text.encode()


def _others(chatter: bytes) -> Iterator[tuple[str, bytes]]:
    lines = chatter.splitlines(keepends=True)
    chance = random.Random(3)
    yield (
        "of what the tools write all day",
        "".join(f"{line}\r\n" for n in range(2_000) for line in tool_chatter(at(n), chance)).encode(),
    )
    yield "in UTF-16", b"\xff\xfe" + chatter.decode().encode("utf-16-le")
    yield "packed with gzip", chatter
    yield (
        "with a failure after each 1,000 lines",
        b"".join(b"".join(lines[n : n + 1000]) + _failures(1) for n in range(0, len(lines), 1000)),
    )
    yield "of nothing but failures", _failures(2000)


def _repeated(path: Path, octets: bytes, size: int) -> int:
    """Write `octets` so often that there are `size` of them, at least once."""
    times = max(1, size // len(octets))
    with path.open("wb") as file:
        for _ in range(times):
            file.write(octets)
    return times * len(octets)
