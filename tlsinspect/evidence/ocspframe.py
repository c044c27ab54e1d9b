"""The frame of an OCSP response, walked once for all who read one (RFC 6960 §4.2.1).

cryptography reads the fields of each answer and checks nothing; the extensions of a single answer it does not show at
all. Here each part is found where it lies: what is signed, who says so, every answer and its extensions.
"""

from dataclasses import dataclass

from tlsinspect import der
from tlsinspect.der import Element, MalformedError
from tlsinspect.evidence.signature import SignedDer

MAX_SINGLES = 4_096  # answers in one response
BY_NAME, BY_KEY = 0xA1, 0xA2  # tags of a ResponderID
_BASIC = "1.3.6.1.5.5.7.48.1.1"
_TAGGED_RESPONSE = _TAGGED_VERSION = 0xA0
_TAGGED_EXTENSIONS = 0xA1


@dataclass(frozen=True)
class Single:
    """One answer of a response."""

    body: bytes
    place: Element

    @property
    def serial(self) -> int:
        """Of the certificate it is about: the last of its CertID. Raises one of REFUSALS."""
        identifier = der.element(self.body, self.place.begin, self.place.end)
        *_, number = der.elements(self.body, identifier.begin, identifier.end)
        return int.from_bytes(self.body[number.begin : number.end], signed=True)

    @property
    def extensions(self) -> tuple[der.Extension, ...]:
        """Raises one of REFUSALS."""
        _, _, _, *rest = der.elements(self.body, self.place.begin, self.place.end, most=5)
        return _extensions(self.body, [part for part in rest if part.tag == _TAGGED_EXTENSIONS])


@dataclass(frozen=True)
class Frame:
    """The parts of a BasicOCSPResponse."""

    signed: SignedDer
    versioned: bool  # whether the version is written out, which DER forbids for the only one there is
    responder: Element
    singles: tuple[Single, ...]
    extensions: tuple[der.Extension, ...]


def frame(body: bytes) -> Frame:
    """OCSPResponse → responseBytes → BasicOCSPResponse → ResponseData. Raises one of REFUSALS."""
    whole = der.only(body, der.SEQUENCE)
    _, tagged = der.elements(body, whole.begin, whole.end, most=2)
    if tagged.tag != _TAGGED_RESPONSE:
        raise MalformedError("an answer without a response")
    inner = der.only(body, der.SEQUENCE, tagged.begin, tagged.end)
    kind, octets = der.elements(body, inner.begin, inner.end, most=2)
    if der.dotted(body[kind.begin : kind.end]) != _BASIC or octets.tag != der.OCTET_STRING:
        raise MalformedError("not a basic response")
    signed = SignedDer(body, octets.begin, octets.end)
    begin, end = signed.tbs.begin, signed.tbs.end
    versioned = der.element(body, begin, end).tag == _TAGGED_VERSION
    responder, _, listed, *rest = list(der.elements(body, begin, end, most=4 + versioned))[versioned:]
    if responder.tag not in (BY_NAME, BY_KEY) or listed.tag != der.SEQUENCE:
        raise MalformedError("not the data of a response")
    singles = der.elements(body, listed.begin, listed.end, most=MAX_SINGLES)
    return Frame(signed, versioned, responder, tuple(Single(body, place) for place in singles), _extensions(body, rest))


def _extensions(body: bytes, parts: list[Element]) -> tuple[der.Extension, ...]:
    found = [der.extensions(body, der.only(body, der.SEQUENCE, p.begin, p.end)) for p in parts]
    return found[0] if found else ()
