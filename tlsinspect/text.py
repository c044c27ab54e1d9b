"""Making strings from the network harmless for the eyes and terminals they end up before.

A distinguished name can hold terminal escapes, bidirectional overrides, line breaks and markup. Everything shown passes
through `printable`; everything stored stays as it was.
"""

import re
import unicodedata

# Categories that draw nothing, move the cursor or reorder what follows: controls, formats (bidi, zero width),
# surrogates, private use, unassigned, and the line and paragraph separators.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and marks of other categories that draw nothing either (Unicode's Default_Ignorable_Code_Point).
_BLANK = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)))
) | frozenset(map(chr, range(0xE0100, 0xE01F0)))


def printable(text: str, limit: int = 200) -> str:
    """Return `text` with every character that does not simply draw itself shown as ``<U+XXXX>``.

    At most `limit` characters of the input are shown; a cut is said by an ellipsis.
    """
    shown = text[:limit]
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(_character(c) for c in shown)
    return shown + "…" if len(text) > limit else shown


def _character(c: str) -> str:
    if c.isascii():
        return c if c.isprintable() else f"<U+{ord(c):04X}>"
    return f"<U+{ord(c):04X}>" if c in _BLANK or unicodedata.category(c) in _INVISIBLE else c


def counted(n: int, one: str) -> str:
    """`1 failure`, `10,000 failures`."""
    return f"{n:,} {one}" + ("" if n == 1 else "s")


def without_password(text: str) -> str:
    """`text`, a sentence it may be, without what may be a password, of any characters: of a URL all between // and the
    last @ before the next URL, of another word with a colon all before its last @."""
    return "".join(map(_without_password, re.split(r"(?<=\s)(?=\S*//)", text)))


def _without_password(text: str) -> str:
    """The same where only the first word can be a URL."""
    start, _, rest = text.partition("//")
    _, at, place = rest.rpartition("@")
    if at and ":" not in start[:-1]:
        return f"{start}//…@{place}"
    if at:
        return f"…@{place}"  # alice:pass://word@host
    return "".join(map(_without_credentials, re.split(r"(\s+)", text)))


def _without_credentials(word: str) -> str:
    before, at, place = word.rpartition("@")
    return f"…@{place}" if at and ":" in before else word


def one_line(error: BaseException) -> str:
    """The text of an exception on one harmless line; its type where it has no text."""
    return printable(" ".join(str(error).split())) or type(error).__name__


def hexadecimal(number: int) -> str:
    """A serial number as OpenSSL writes it: whole octets, and a sign where there is one."""
    digits = f"{abs(number):x}"
    return ("-" if number < 0 else "") + "0" * (len(digits) % 2) + digits
