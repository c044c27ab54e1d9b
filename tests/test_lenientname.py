"""Names are read for what they say, whatever string type they are in and however badly they are written."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tlsinspect
from tlsinspect import Trust
from tlsinspect.certificate import Certificate
from tlsinspect.der import elements, encoded
from tlsinspect.evidence.attribution import attribute
from tlsinspect.lab.pki import plain_corporate
from tlsinspect.lenientname import MAX_PARTS, parts

HOST = "www.google.com"
NOW = datetime(2026, 11, 25, tzinfo=UTC)
CN, O, OU = (bytes.fromhex(f"06035504{last}") for last in ("03", "0a", "0b"))  # noqa: E741 - as X.520 has it
FIDDLER = "DO_NOT_TRUST_FiddlerRoot"
GENUINE_LEAF = plain_corporate(NOW).issue([HOST]).ders[0]

# Tag and octets of the value, and what it says.
VALUES = {
    "UTF8String": (0x0C, FIDDLER.encode(), FIDDLER),
    "NumericString with letters": (0x12, FIDDLER.encode(), FIDDLER),
    "PrintableString with an underscore": (0x13, FIDDLER.encode(), FIDDLER),
    "PrintableString with a star": (0x13, b"*.google.com", "*.google.com"),
    "PrintableString with UTF-8": (0x13, "Groß".encode(), "Groß"),
    "T61String in Latin-1": (0x14, "Groß".encode("latin-1"), "Groß"),
    "VideotexString": (0x15, FIDDLER.encode(), FIDDLER),
    "IA5String": (0x16, FIDDLER.encode(), FIDDLER),
    "IA5String in Latin-1": (0x16, "Groß".encode("latin-1"), "Groß"),
    "GraphicString": (0x19, FIDDLER.encode(), FIDDLER),
    "VisibleString": (0x1A, FIDDLER.encode(), FIDDLER),
    "GeneralString": (0x1B, FIDDLER.encode(), FIDDLER),
    "UniversalString": (0x1C, FIDDLER.encode("utf-32-be"), FIDDLER),
    "UniversalString cut off": (0x1C, FIDDLER.encode("utf-32-be") + b"\0", FIDDLER),
    "BMPString": (0x1E, FIDDLER.encode("utf-16-be"), FIDDLER),
    "BMPString cut off": (0x1E, FIDDLER.encode("utf-16-be") + b"\0", FIDDLER),
    "BMPString with half a pair": (0x1E, b"\xd8\x00\0a", "\ufffda"),
    "UTF8String in Latin-1": (0x0C, "Groß".encode("latin-1"), "Groß"),
    "octets": (0x04, FIDDLER.encode(), FIDDLER),
    "a number": (0x02, b"\x05", "05"),
}
# The octets of length before a value of 24 octets, and how much of it is read.
LENGTHS = {"more octets than needed": (b"\x81\x18", 24), "beyond its end": (b"\x7f", 24), "beyond everything": (
    b"\x84\xff\xff\xff\xff", 24), "indefinite": (b"\x80", 24), "too short": (b"\x03", 3)}  # fmt: skip


def attribute_of(oid: bytes, value: bytes) -> bytes:
    return encoded(0x31, encoded(0x30, oid, value))


def with_issuer(*attributes: bytes) -> bytes:
    """A certificate whose issuer is written like this; its signature is no longer anybody's."""
    (whole,) = elements(GENUINE_LEAF, 0, len(GENUINE_LEAF))
    tbs, *rest = elements(GENUINE_LEAF, whole.begin, whole.end)
    fields = [GENUINE_LEAF[e.start : e.end] for e in elements(GENUINE_LEAF, tbs.begin, tbs.end)]
    fields[3] = encoded(0x30, *attributes)
    return encoded(0x30, encoded(0x30, *fields), *(GENUINE_LEAF[e.start : e.end] for e in rest))


@pytest.mark.parametrize("case", VALUES)
def test_every_string_type_is_read(case: str) -> None:
    """Beside it, nothing is lost of what is well written."""
    tag, octets, said = VALUES[case]
    der = with_issuer(attribute_of(O, encoded(0x0C, b"Acme")), attribute_of(CN, encoded(tag, octets)))
    assert Certificate(der).issuer == (("O", "Acme"), ("CN", said))


@pytest.mark.parametrize("case", LENGTHS)
def test_a_wrong_length_costs_nothing_but_what_is_missing(case: str) -> None:
    length, read = LENGTHS[case]
    value = bytes((0x0C,)) + length + FIDDLER.encode()
    der = with_issuer(attribute_of(O, encoded(0x0C, b"Acme")), attribute_of(CN, value))
    certificate = Certificate(der)
    assert certificate.issuer == (("O", "Acme"), ("CN", FIDDLER[:read]))
    assert certificate.flaw is not None
    assert tlsinspect.classify([der], HOST, at=NOW).verdict != "genuine"


@pytest.mark.parametrize("tag", [0x0C, 0x13, 0x14, 0x16, 0x19, 0x1A, 0x1B])
def test_fiddler_is_found_in_any_of_them(tag: int) -> None:
    values = {O: "DO_NOT_TRUST", OU: "Created by http://www.fiddler2.com", CN: FIDDLER}
    der = with_issuer(*(attribute_of(oid, encoded(tag, text.encode())) for oid, text in values.items()))
    found = attribute([Certificate(der)], Trust.default())
    assert found is not None
    assert found.id == "fiddler-classic"


def test_what_is_no_name_has_no_parts() -> None:
    assert list(parts(b"")) == []
    assert list(parts(b"unreadable issuer")) == []
    assert list(parts(encoded(0x30, encoded(0x31, encoded(0x30, CN))))) == []


def test_a_name_without_end_is_cut() -> None:
    name = encoded(0x30, *[attribute_of(CN, encoded(0x0C, b"x"))] * (MAX_PARTS * 3))
    assert len(list(parts(name))) == MAX_PARTS


@given(st.binary(max_size=300))
def test_any_octets_end(name: bytes) -> None:
    for oid, value in parts(b"\x30" + name):
        assert isinstance(oid, str)
        assert value.encode() is not None  # no lone surrogate, which nothing could write
