"""Where in a block of lines something stands that is worth reading, and how many lines it has.

Nearly all of a log tells of nothing that failed, and a gigabyte of it is to be passed over in the time that `grep -c`
takes. So a block is looked through once for all needles together, by a library that does so with the processor's vector
instructions; where that is not installed, needle by needle, which takes some ten times as long or more.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

# A line outside of a printed certificate that has none of these tells nothing.
NEEDLES = (
    *(b"Status: 0x", b"Error ", b"0x80", b"Code: 0x", b"_STATUS_FLAG_"),
    *(b"0x00002", b"0x000004", b"0x000005", b"0x00000040", b"0x00000079"),  # errors of Win32 that mean anything here
    *(b"roxy", b"PROXY", b"CONNECT "),
    *(b" 407", b":407", b"=407", b" 511", b":511", b"=511"),
    *(b"Failure details:", b"Certificate details:"),  # a file may begin within a failure
)

_COMMON = (b"0x0000", b"0x", b"407", b"511", b"e details:")  # what several of them have

Search = Callable[[bytes], Sequence[int]]


def hits(block: bytes) -> Sequence[int]:
    """Where needles begin, in order."""
    return _search()(block)


@cache
def _search() -> Search:
    try:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind
    except ImportError:
        return one_by_one
    automaton = BytesAhoCorasick(NEEDLES, matchkind=MatchKind.LeftmostFirst)
    return lambda block: [begin for _, begin, _ in automaton.find_matches_as_indexes(block)]


def one_by_one(block: bytes) -> Sequence[int]:
    """The same with bytes.find alone; of needles that overlap both."""
    found = []
    for common, needles in _families().items():
        if common in block:
            found += [hit for needle in needles for hit in _each(needle, block)]
    return sorted(found)


@cache
def _families() -> dict[bytes, list[bytes]]:
    """The needles by what they have in common: in a block without that none of them is looked for."""
    families: dict[bytes, list[bytes]] = {}
    for needle in NEEDLES:
        families.setdefault(next((part for part in _COMMON if part in needle), needle), []).append(needle)
    return families


def _each(needle: bytes, block: bytes) -> Iterator[int]:
    at = block.find(needle)
    while at >= 0:
        yield at
        at = block.find(needle, at + 1)


def line_count(block: bytes) -> int:
    """Of a block that ends with the end of a line, or with the last line of all, which may lack it."""
    return ends(block) + (not block.endswith(b"\n")) if block else 0


def ends(octets: bytes) -> int:
    """How many lines end here. Before Python 3.13 this takes a third of the time of bytes.count."""
    return len(octets) - len(octets.replace(b"\n", b""))
