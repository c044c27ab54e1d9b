"""A certificate as a log prints it: headings, and between them a date or one value of a name a line.

Whoever made the certificate wrote the values, and may write there what looks like a heading. So each heading counts
once and in its order, and a certificate in which one stands twice or is missing is not whole.
"""

from dataclasses import dataclass, field
from datetime import datetime

from tlsinspect.logs.grammar import CERTIFICATE, edge, section

MOST_VALUES = 16  # of a name
LONGEST_VALUE = 256  # characters; RFC 5280 allows 64 to 128 in most attributes
_SECTIONS = ("validity", "subject", "issuer", "end")


@dataclass(slots=True)
class Printed:
    """What of it was read."""

    names: dict[str, list[str]] = field(default_factory=lambda: {"subject": [], "issuer": []})
    edges: dict[str, datetime | None] = field(default_factory=dict)  # from and until
    expected: bool = False  # whether it was announced
    parts: int = 0  # headings that were there, in their order
    section: str = ""  # the one that is being printed
    torn: bool = False
    mixed: bool = False  # other threads wrote between its lines

    @property
    def subject(self) -> tuple[str, ...]:
        return tuple(self.names["subject"])

    @property
    def issuer(self) -> tuple[str, ...]:
        return tuple(self.names["issuer"])

    @property
    def ended(self) -> bool:
        return self.parts == len(_SECTIONS)

    @property
    def whole(self) -> bool:
        """A certificate may name its subject in an extension alone, but then a line may as well be missing here."""
        dates = [self.edges.get(name) for name in ("from", "until")]
        return self.ended and not self.torn and None not in dates and all(self.names.values())

    def interrupt(self) -> None:
        """Something else was written where a line of it was to come."""
        self.torn |= 0 < self.parts < len(_SECTIONS)

    def add(self, text: str) -> None:
        """Take a line in, if it is part of it. Where one comes after its end, a value was made to look
        like the end, and it is not whole."""
        part = section(text)
        if text == CERTIFICATE:
            self.torn |= self.expected
            self.expected = True
        elif part:
            self.torn |= (part,) != _SECTIONS[self.parts : self.parts + 1]
            self.parts += not self.torn
            self.section = "" if part == "end" else part
        elif self.section == "validity":
            self._date(text)
        elif self.section:
            self._value(text)
        elif self.ended:
            self.torn |= bool(text.strip())

    def _date(self, text: str) -> None:
        found = edge(text)
        if found is None:
            self.torn |= bool(text.strip())
        else:
            self.torn |= found[0] in self.edges
            self.edges[found[0]] = found[1]

    def _value(self, text: str) -> None:
        values = self.names[self.section]
        if len(values) == MOST_VALUES:
            self.torn = True
        elif text.strip():
            values.append(text[:LONGEST_VALUE])
