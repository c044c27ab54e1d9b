"""Text from strangers, made harmless for eyes and terminals."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlsinspect.text import one_line, printable, without_password


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "<U+001B>[31mred<U+001B>[0m"),
        ("\x1b]0;title\x07", "<U+001B>]0;title<U+0007>"),
        ("\x9b31m", "<U+009B>31m"),  # CSI as a single C1 control
        ("a\rb\nc\td", "a<U+000D>b<U+000A>c<U+0009>d"),
        ("\x00\x7f", "<U+0000><U+007F>"),
        ("\x85\u2028\u2029", "<U+0085><U+2028><U+2029>"),
    ],
)
def test_what_moves_the_cursor_is_named(hostile: str, shown: str) -> None:
    assert printable(hostile) == shown


@pytest.mark.parametrize(
    "bidi",
    ["\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069", "\u200e", "\u200f"],
)
def test_what_reorders_is_named(bidi: str) -> None:
    assert printable(f"moc.{bidi}elgoog") == f"moc.<U+{ord(bidi):04X}>elgoog"


@pytest.mark.parametrize("nothing", ["\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\U000e0041"])
def test_what_has_no_width_is_named(nothing: str) -> None:
    assert printable(f"goo{nothing}gle") == f"goo<U+{ord(nothing):04X}>gle"


@pytest.mark.parametrize(
    "nothing",
    [
        "\u034f",  # combining grapheme joiner, a mark
        "\u115f",  # Hangul fillers, which are letters by category
        "\u1160",
        "\u3164",
        "\uffa0",
        "\ufe0f",  # variation selectors
        "\U000e0100",
        "\u17b5",
    ],
)
def test_letters_and_marks_that_draw_nothing_are_named(nothing: str) -> None:
    # Unicode's Default_Ignorable_Code_Point: invisible whatever their general category is.
    assert printable(f"goo{nothing}gle") == f"goo<U+{ord(nothing):04X}>gle"


@pytest.mark.parametrize("half", [chr(0xD800), chr(0xDCFF), chr(0xDFFF)])
def test_surrogates_can_be_written_anywhere(half: str) -> None:
    shown = printable(f"a{half}b")
    assert shown == f"a<U+{ord(half):04X}>b"
    shown.encode()  # a lone surrogate has no UTF-8


@pytest.mark.parametrize("private", ["\ue000", "\U0010fffd", "\uffff", "\u0378"])
def test_private_and_unassigned_are_named(private: str) -> None:
    assert printable(private) == f"<U+{ord(private):04X}>"


def test_ordinary_text_stays() -> None:
    ordinary = "Zscaler Intermediate Root CA (zscalertwo.net), Ämtli GmbH, 株式会社, האוצר [bold] {x} %s"
    assert printable(ordinary) == ordinary


def test_long_text_is_cut_and_says_so() -> None:
    assert printable("a" * 200) == "a" * 200
    assert printable("a" * 201) == "a" * 200 + "…"
    assert printable("abc", limit=2) == "ab…"
    assert printable("\x1b" * 10_000_000).count("<U+001B>") == 200


@given(st.text(st.characters(), max_size=300))
def test_anything_becomes_one_visible_line(text: str) -> None:
    shown = printable(text)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(st.text(st.characters(), max_size=200))
def test_nothing_visible_is_lost(text: str) -> None:
    """What is named can be read back, so two different names never look the same by omission."""
    named = re.sub(r"<U\+([0-9A-F]{4,6})>", lambda m: chr(int(m.group(1), 16)), printable(text))
    if "<U+" not in text:
        assert named == text


@given(st.text(st.characters(), max_size=50))
def test_an_exception_is_one_line_and_never_empty(text: str) -> None:
    line = one_line(ValueError(text))
    assert line
    assert len(line.splitlines()) == 1


def test_an_exception_without_words_gives_its_type() -> None:
    assert one_line(ConnectionResetError()) == "ConnectionResetError"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pa/ss@host/x", "http://…@host/x"),
        ("http://user:p?a#s@s@host", "http://…@host"),
        ("no //password here", "no //password here"),
        ("a http://u:p@h and socks5://x:y@z", "a http://…@h and socks5://…@z"),
        ("of http://u:my pass@h, or http://x", "of http://…@h, or http://x"),
        ("take user:pw@h:1, not this", "take …@h:1, not this"),
        ("user:pa://ss@h", "…@h"),
        ("ask admin@acme.test about [::1]:80", "ask admin@acme.test about [::1]:80"),
    ],
)
def test_what_may_be_a_password_goes(text: str, shown: str) -> None:
    assert without_password(text) == shown


@given(st.text(st.characters(exclude_characters="@")))
def test_what_no_password_can_be_in_stays(text: str) -> None:
    assert without_password(text) == text


def test_a_long_text_of_marks_takes_no_time() -> None:
    """It ends at all: by squares or cubes of the length it would not."""
    for mark in (":", "//", " //", "a:", "@", ":@ "):
        assert without_password(mark * 100_000)
