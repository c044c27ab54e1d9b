"""The octets of a log as blocks of whole lines in UTF-8, whatever it is packed and encoded in.

Nothing here is an error: what is wrong with a file ends it, and is told. Whatever comes, a packed file of zeros or one
without an end of a line, no more than a few blocks are in memory.
"""

import codecs
import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tlsinspect.files import reason_of
from tlsinspect.text import printable

BLOCK = 128 * 1024  # octets: what is larger is had from the system anew each time, and four times as dear
MAX_LINE = 64 * 1024  # octets; what a line has beyond them is dropped
_ENOUGH = 4  # octets, to tell an encoding
_GZIP = b"\x1f\x8b"
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(slots=True)
class Told:
    """What is known of a file, as far as it was read."""

    octets: int = 0  # unpacked
    on_disk: int = 0  # of the file
    encoding: str = ""  # utf-8 stands for everything of eight bits
    problem: str = ""  # why the rest could not be read


def blocks(stream: BinaryIO, told: Told) -> Iterator[bytes]:
    """Blocks of whole lines; only the last one may lack the end of its last line. Their ends are LF or CR LF."""
    return _lines(_decoded(_unpacked(_read(stream, told), told), told))


def _read(stream: BinaryIO, told: Told) -> Iterator[bytes]:
    read = getattr(stream, "read1", stream.read)  # what a pipe has, rather than wait until it has a whole block
    while True:
        try:
            chunk: bytes = read(BLOCK)
        except (OSError, ValueError) as error:
            told.problem = printable(f"cannot be read to its end ({reason_of(error)})")
            return
        if not chunk:
            return
        told.on_disk += len(chunk)
        yield chunk


# -- gzip -------------------------------------------------------------------------------------------------------------


def _unpacked(chunks: Iterator[bytes], told: Told) -> Iterator[bytes]:
    first = _at_least(chunks, len(_GZIP))
    whole = _and_then(first, chunks)
    for chunk in _gunzipped(whole, told) if first.startswith(_GZIP) else whole:
        told.octets += len(chunk)
        yield chunk


def _gunzipped(chunks: Iterator[bytes], told: Told) -> Iterator[bytes]:
    """Several members, one after the other, as `cat` makes them, with zeros between them as tapes have. What follows
    that is none is left out."""
    member = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        left = chunk
        while left:
            if member.eof:
                left = left.lstrip(b"\0")
                if not left:
                    break
                if not _GZIP.startswith(left[:2]):
                    told.problem = "is followed by something else (gzip)"
                    return
                member = zlib.decompressobj(wbits=31)
            before = member.copy()
            try:
                unpacked = member.decompress(left, BLOCK)
            except zlib.error:
                yield _until_damage(before, left)
                told.problem = "is damaged from here on (gzip)"
                return
            yield unpacked
            left = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        told.problem = "ends too early (gzip)"


def _until_damage(member: "zlib._Decompress", octets: bytes) -> bytes:
    """What can be unpacked of octets in which the damage is: less than a block, or it would not have been reached."""
    unpacked = []
    with contextlib.suppress(zlib.error):
        for at in range(len(octets)):
            unpacked.append(member.decompress(octets[at : at + 1]))
    return b"".join(unpacked)


# -- encodings --------------------------------------------------------------------------------------------------------


def _decoded(chunks: Iterator[bytes], told: Told) -> Iterator[bytes]:
    decoder = Decoder(told)
    for chunk in chunks:
        yield decoder.feed(chunk)
    yield decoder.flush()


class Decoder:
    """Fed with octets, gives them back: UTF-16 as UTF-8, everything else as it is. The first octets tell which."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._first = b""  # as long as they are too few
        self._decoder: codecs.IncrementalDecoder | None = None

    def feed(self, chunk: bytes) -> bytes:
        if not self._told.encoding:
            self._first += chunk
            return self._begin() if len(self._first) >= _ENOUGH else b""
        return self._decode(chunk)

    def flush(self) -> bytes:
        """What is left when nothing more comes."""
        return (b"" if self._told.encoding else self._begin()) + self._decode(b"", final=True)

    def _begin(self) -> bytes:
        self._told.encoding, mark = _encoding(self._first)
        if self._told.encoding != "utf-8":
            self._decoder = codecs.getincrementaldecoder(self._told.encoding)("replace")
        first, self._first = self._first[mark:], b""
        return self._decode(first)

    def _decode(self, chunk: bytes, *, final: bool = False) -> bytes:
        return chunk if self._decoder is None else self._decoder.decode(chunk, final).encode(errors="replace")


def _encoding(first: bytes) -> tuple[str, int]:
    """What the first octets tell, and how many of them are a mark that says so."""
    for bom, encoding in _BOMS:
        if first.startswith(bom):
            return encoding, len(bom)
    # Without a mark: every log begins with characters of ASCII, of which one octet of two is zero.
    if len(first) >= _ENOUGH and first[1] == first[3] == 0 and first[0] and first[2]:
        return "utf-16-le", 0
    if len(first) >= _ENOUGH and first[0] == first[2] == 0 and first[1] and first[3]:
        return "utf-16-be", 0
    return "utf-8", 0


def _at_least(chunks: Iterator[bytes], size: int) -> bytes:
    """The first octets, so many of them where there are."""
    begin = b""
    for chunk in chunks:
        begin += chunk
        if len(begin) >= size:
            break
    return begin


def _and_then(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from chunks


# -- lines ------------------------------------------------------------------------------------------------------------


class Lines:
    """Fed with octets, gives blocks of whole lines. A line that is too long is cut and stays one line."""

    def __init__(self) -> None:
        self._begun = b""  # a line without its end, cut
        self._dropping = False  # what is beyond MAX_LINE

    def feed(self, chunk: bytes) -> bytes:
        """The lines that are complete with this."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._begin(chunk)
            return b""
        head, tail = chunk[:end], chunk[end:]
        if self._dropping:
            head = head[head.index(b"\n") :]
        if self._begun:
            head = self._begun + head
        self._begun, self._dropping = b"", False
        self._begin(tail)
        return _cut(head) if len(head) > MAX_LINE else head

    def flush(self) -> bytes:
        """The last line, which lacks its end."""
        begun, self._begun, self._dropping = self._begun, b"", False
        return begun

    def _begin(self, octets: bytes) -> None:
        if not self._dropping:
            self._begun += octets
            self._dropping = len(self._begun) > MAX_LINE
            self._begun = self._begun[:MAX_LINE]


def _cut(block: bytes) -> bytes:
    """The block without what its lines have beyond MAX_LINE."""
    at = 0
    while len(block) - at > MAX_LINE:
        end = block.rfind(b"\n", at, at + MAX_LINE + 1)
        if end < 0:  # a line that is too long begins here
            end = block.index(b"\n", at)
            block = block[: at + MAX_LINE] + block[end:]
            end = at + MAX_LINE
        at = end + 1
    return block


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    lines = Lines()
    for chunk in chunks:
        block = lines.feed(chunk)
        if block:
            yield block
    last = lines.flush()
    if last:
        yield last
