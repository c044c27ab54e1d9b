"""Where in a block of lines something stands that is worth reading, and how many lines it has.

Nearly all of a log tells of nothing that failed, and a gigabyte of it is to be passed over in the time that `grep -c`
takes. So a block is looked through once for all needles together, by a library that does so with the processor's vector
instructions; where that is not installed, for the marks of complaints, one by one, which takes some ten times as long.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from tlsinspect.logs.grammar import COMPLAINT_MARKS

# A line outside of a printed certificate that has none of these tells nothing.
NEEDLES = (
    *(b"Status: 0x", b"Error ", b"0x80", b"Code: 0x", b"_STATUS_FLAG_"),
    *(b"0x00002", b"0x000004", b"0x000005", b"0x00000040", b"0x00000079"),  # errors of Win32 that mean anything here
    # These in decimals, spelt as the library finds them quickest; `Error 12007` is found above.
    *(b"error 12", b"error: 12", b"Error: 12", b"ode 12", b"ode: 12", b" -2147", b" -2146"),
    *(b"roxy", b"PROXY", b"CONNECT "),
    *(b" 407", b":407", b"=407", b"(407)", b" 511", b":511", b"=511"),
    *(b"Failure details:", b"Certificate details:"),  # a file may begin within a failure
)

Search = Callable[[bytes], Sequence[int]]


def hits(block: bytes) -> Sequence[int]:
    """Places in lines that are worth reading, in order: where needles begin, or a line that complains and has one."""
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
    """The same with bytes.find alone. Only a complaint begins a failure, and few lines are one."""
    complaints = {begin: end for mark in COMPLAINT_MARKS for begin, end in _lines_with(mark, block)}
    return sorted(
        begin for begin, end in complaints.items() if any(block.find(needle, begin, end) >= 0 for needle in NEEDLES)
    )


def _lines_with(mark: bytes, block: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each."""
    at = block.find(mark)
    while at >= 0:
        end = block.find(b"\n", at)
        end = len(block) if end < 0 else end
        yield block.rfind(b"\n", 0, at) + 1, end
        at = block.find(mark, end)


def line_count(block: bytes) -> int:
    """Of a block that ends with the end of a line, or with the last line of all, which may lack it."""
    return ends(block) + (not block.endswith(b"\n")) if block else 0


def ends(octets: bytes) -> int:
    """How many lines end here. Before Python 3.13 this takes a third of the time of bytes.count."""
    return len(octets) - len(octets.replace(b"\n", b""))
