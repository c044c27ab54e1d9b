"""DER without decoding it: where each element begins and ends.

Nothing is copied, so that a list of fifty megabytes can be read from a mapped file. Only what DER allows is read: one
length for each content, never indefinite, and nothing that reaches beyond what holds it (X.690 §10.1).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from mmap import mmap
from typing import NamedTuple

Buffer = bytes | mmap

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, ENUMERATED = 0x01, 0x02, 0x03, 0x04, 0x06, 0x0A
UTC_TIME, GENERALIZED_TIME, SEQUENCE = 0x17, 0x18, 0x30
MAX_ELEMENTS = 100_000  # of one sequence


class MalformedError(ValueError):
    """These bytes are not DER, or not of the form they should have."""


class Element(NamedTuple):
    """One element: `start` … `end` is the whole, `begin` … `end` the content."""

    tag: int
    start: int
    begin: int
    end: int


def element(data: Buffer, at: int, limit: int) -> Element:
    """The element at `at`, which ends at `limit` or before. Raises MalformedError."""
    if at + 2 > limit:
        raise MalformedError("an element is cut off")
    tag, length, begin = data[at], data[at + 1], at + 2
    if tag & 0x1F == 0x1F:
        raise MalformedError("a tag number above 30 stands in nothing we read")
    if length >= 0x80:
        octets = length - 0x80
        length = int.from_bytes(data[begin : begin + octets]) if 1 <= octets <= 4 else 0
        begin += octets
        if length < 0x80 or length >> 8 * (octets - 1) == 0:
            raise MalformedError("a length that DER forbids")
    if begin + length > limit:
        raise MalformedError("an element is longer than what holds it")
    return Element(tag, at, begin, begin + length)


def elements(data: Buffer, begin: int, end: int, most: int = MAX_ELEMENTS) -> Iterator[Element]:
    """The elements that fill `begin` … `end` exactly. Raises MalformedError, also where there are more than `most`."""
    count = 0
    while begin < end:
        if count == most:
            raise MalformedError("too many elements")
        found = element(data, begin, end)
        yield found
        begin, count = found.end, count + 1


def only(data: Buffer, tag: int, begin: int = 0, end: int | None = None) -> Element:
    """The one element, of this tag, that fills `begin` … `end` exactly. Raises MalformedError."""
    limit = len(data) if end is None else end
    found = element(data, begin, limit)
    if found.tag != tag or found.end != limit:
        raise MalformedError("something else stands here, or something more")
    return found


def encoded(tag: int, *contents: bytes) -> bytes:
    """An element with these contents."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 + octets)) + length.to_bytes(octets) + content


def integer(value: int) -> bytes:
    """An INTEGER: DER has one form of each."""
    return encoded(INTEGER, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, signed=True))


class Extension(NamedTuple):
    oid: str  # dotted
    critical: bool
    value: bytes


def extensions(data: bytes, at: Element) -> tuple[Extension, ...]:
    """An Extensions (RFC 5280 §4.1), each kind at most once. Raises MalformedError."""
    found: dict[str, Extension] = {}
    for each in elements(data, at.begin, at.end):
        parts = list(elements(data, each.begin, each.end, most=3))
        critical = len(parts) == 3
        tags = [OID, BOOLEAN, OCTET_STRING] if critical else [OID, OCTET_STRING]
        # FALSE is the default, which DER leaves out.
        if [p.tag for p in parts] != tags or (critical and data[parts[1].begin : parts[1].end] != b"\xff"):
            raise MalformedError("not an extension")
        oid = dotted(data[parts[0].begin : parts[0].end])
        if oid in found:
            raise MalformedError("an extension stands twice")
        found[oid] = Extension(oid, critical, data[parts[-1].begin : parts[-1].end])
    return tuple(found.values())


_SECONDS = re.compile(rb"[0-9]{14}Z")


def generalized_time(value: bytes) -> datetime:
    """A GeneralizedTime as RFC 5280 §4.1.2.5.2 has it: whole seconds of UTC. Raises ValueError."""
    found = only(value, GENERALIZED_TIME)
    content = value[found.begin : found.end]
    if not _SECONDS.fullmatch(content):
        raise MalformedError("not a time in whole seconds of UTC")
    return datetime.strptime(content.decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def dotted(content: bytes) -> str:
    """The content of an OBJECT IDENTIFIER as people write it (X.690 §8.19). Raises MalformedError."""
    if not 0 < len(content) <= 64 or content[-1] >= 0x80:
        raise MalformedError("not an object identifier")
    arcs, arc = [], 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if octet < 0x80:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
