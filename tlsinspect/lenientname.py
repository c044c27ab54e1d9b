"""Distinguished names as interceptors write them, read for what they say.

A strict reader throws a whole name away for one letter that its string type forbids, or for one length that is wrong.
Here every value is read by itself, and as far as it goes: a name is a hint, and half a name is one too.
"""

from collections.abc import Iterator

from tlsinspect.der import OID, SEQUENCE, MalformedError, dotted

MAX_PARTS = 256
_BMP, _UNIVERSAL = 0x1E, 0x1C
# Types whose octets are letters, whatever alphabet they promise: UTF8, numeric, printable, T.61, videotex, IA5,
# graphic, visible and general strings, and the octets that some write instead.
_TEXT = {0x0C, 0x12, 0x13, 0x14, 0x15, 0x16, 0x19, 0x1A, 0x1B, 0x04}


def parts(name: bytes) -> Iterator[tuple[str, str]]:
    """(OID, value) of each attribute of a Name, DER or nearly; an OID nobody can read is given in hexadecimal."""
    found = 0
    for tag, begin, end in _within(name, 0, len(name)):
        if tag != SEQUENCE:
            return
        for _, first, last in _within(name, begin, end):
            for _, at, until in _within(name, first, last):
                found += 1
                if found > MAX_PARTS:
                    return
                yield from _attribute(name, at, until)


def _attribute(name: bytes, begin: int, end: int) -> Iterator[tuple[str, str]]:
    inner = list(_within(name, begin, end))[:2]
    if len(inner) == 2 and inner[0][0] == OID:
        (_, first, last), (tag, at, until) = inner
        yield _oid(name[first:last]), text(tag, name[at:until])


def _oid(content: bytes) -> str:
    try:
        return dotted(content)
    except MalformedError:
        return content.hex()


def text(tag: int, content: bytes) -> str:
    """What a string says, whether or not its type allows it; octets of another kind are shown in hexadecimal."""
    if tag == _BMP:
        return content[: len(content) // 2 * 2].decode("utf-16-be", "replace")
    if tag == _UNIVERSAL:
        return content[: len(content) // 4 * 4].decode("utf-32-be", "replace")
    if tag not in _TEXT:
        return content.hex()
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _within(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag, begin and end of each element; one that claims more than there is ends where that does."""
    while begin + 2 <= end:
        tag, length, at = data[begin], data[begin + 1], begin + 2
        if length >= 0x80:  # in several octets, however many, or indefinite: then until the end
            octets = length - 0x80
            length = int.from_bytes(data[at : min(at + octets, end)]) if octets else end - at
            at += octets
        at = min(at, end)
        begin = min(at + length, end)
        yield tag, at, begin
