"""What made a foreign chain, by what it looks like: `trust/fingerprints.toml` against the shape of what was presented.

Names are typed by whoever sets a proxy up; the order of extensions, the lifetime and the serial numbers are the
program's own. Each mark is a small pure function on what was seen; a fingerprint is a conjunction of marks. It is a
weak hint, because anybody can make certificates that look like anybody's, and it names nobody where two products fit.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tlsinspect import der
from tlsinspect.certificate import REFUSALS, Certificate, quietly
from tlsinspect.errors import TrustDataError
from tlsinspect.evidence.catalogue import LONGEST, Row, catalogue_of, checked, kinds_of
from tlsinspect.model import Attribution, Confidence, Observation, Severity
from tlsinspect.text import printable
from tlsinspect.trust import Trust

FILE = "fingerprints.toml"
_SHORT = {
    "2.5.29.14": "SKI",
    "2.5.29.15": "KU",
    "2.5.29.17": "SAN",
    "2.5.29.19": "BC",
    "2.5.29.31": "CRLDP",
    "2.5.29.32": "CP",
    "2.5.29.35": "AKI",
    "2.5.29.37": "EKU",
    "1.3.6.1.5.5.7.1.1": "AIA",
    "1.3.6.1.4.1.11129.2.4.2": "SCT",
    "2.16.840.1.113730.1.1": "nsType",
}
# Every leaf of a public authority has one of them at least, Google's since 2018 all three.
PUBLIC_MARKS = frozenset({"SCT", "AIA", "CRLDP"})


def extension_names(certificate: Certificate) -> tuple[str, ...] | None:
    """The extensions in the order in which they stand, ``!`` before a critical one; None where they cannot be read.

    Read apart from what they hold: an interceptor's need not be well made.
    """
    try:
        return tuple(_extension(certificate.der, each) for each in _extensions(certificate.der))
    except (ValueError, IndexError):  # of the former is a MalformedError
        return None


def _extensions(data: bytes) -> Sequence[der.Element]:
    whole = der.element(data, 0, len(data))
    tbs = der.element(data, whole.begin, whole.end)
    last = list(der.elements(data, tbs.begin, tbs.end, most=16))[-1]
    if last.tag != 0xA3:
        return ()
    listed = der.only(data, der.SEQUENCE, last.begin, last.end)
    return list(der.elements(data, listed.begin, listed.end, most=256))


def _extension(data: bytes, at: der.Element) -> str:
    oid, *rest = der.elements(data, at.begin, at.end, most=3)
    name = der.dotted(data[oid.begin : oid.end])
    critical = len(rest) == 2 and data[rest[0].begin : rest[0].end] != b"\0"
    return ("!" if critical else "") + _SHORT.get(name, name)


def lacks_public_marks(leaf: Certificate) -> bool:
    """Whether it has neither timestamps nor an address of its issuer or of a revocation list."""
    found = extension_names(leaf)
    return found is not None and PUBLIC_MARKS.isdisjoint(name.lstrip("!") for name in found)


# -- marks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """What the marks are looked for in: a foreign chain as presented, leaf first, and the observation it is of."""

    chain: tuple[Certificate, ...]
    seen: Observation | None = None

    @property
    def leaf(self) -> Certificate:
        return self.chain[0]

    @cached_property
    def extensions(self) -> tuple[str, ...] | None:
        return extension_names(self.leaf)

    @cached_property
    def key(self) -> object:
        try:
            return quietly(load_der_public_key, self.leaf.spki)
        except REFUSALS:
            return None


def _extensions_are(shape: Shape, wanted: list[str]) -> bool:
    return shape.extensions == tuple(wanted)


def _leaf_key(shape: Shape, wanted: str) -> bool:
    key = shape.key
    if isinstance(key, rsa.RSAPublicKey):
        return wanted == f"RSA-{key.key_size}"
    return isinstance(key, ec.EllipticCurvePublicKey) and wanted == f"EC-{key.key_size}"


def _rsa_exponent(shape: Shape, wanted: int) -> bool:
    return isinstance(shape.key, rsa.RSAPublicKey) and shape.key.public_numbers().e == wanted


def _key_is_issuers(shape: Shape, wanted: bool) -> bool:
    same = (c.spki == shape.leaf.spki and c.subject == shape.leaf.issuer and c.der != shape.leaf.der
            for c in shape.chain[1:])  # fmt: skip
    return any(same) is wanted


def _lifetime(shape: Shape, wanted: float) -> bool:
    return shape.leaf.not_after - shape.leaf.not_before == timedelta(days=wanted)


def _begins(shape: Shape, wanted: str) -> bool:
    return f"{shape.leaf.not_before:%Y-%m-%d}" == wanted


def _ends(shape: Shape, wanted: str) -> bool:
    return f"{shape.leaf.not_after:%Y-%m-%d}" == wanted


def _short_serial(shape: Shape, wanted: int) -> bool:
    return shape.leaf.serial > 0 and shape.leaf.serial.bit_length() <= wanted


def _epoch_serial(shape: Shape, wanted: float) -> bool:
    """Whether its decimal digits begin with a second, `wanted` days (a day more or less) after it became valid."""
    digits = str(shape.leaf.serial) if 0 < shape.leaf.serial < 10**30 else ""
    if not len(digits) >= 11:
        return False
    made = datetime.fromtimestamp(int(digits[:10]), UTC)
    return abs(made - shape.leaf.not_before - timedelta(days=wanted)) <= timedelta(days=1)


def _subject_holds(shape: Shape, wanted: Mapping[str, str]) -> bool:
    return all(part in shape.leaf.subject for part in wanted.items())


def _same_names(shape: Shape, wanted: bool) -> bool:
    named = [{value for label, value in shape.leaf.subject if label == each} for each in ("CN", "O", "OU")]
    return (bool(named[0]) and named[0] == named[1] == named[2]) is wanted


def _domain_and_below(shape: Shape, wanted: bool) -> bool:
    names = shape.leaf.dns_names
    base = min(names, key=len, default="")
    return (len(names) == 2 and set(names) == {base, f"*.{base}"}) is wanted


def _root_copies(shape: Shape, wanted: int) -> bool:
    return sum(c.self_issued for c in shape.chain[1:]) == wanted


def _via(shape: Shape, wanted: str) -> bool:
    said = shape.seen.http.via if shape.seen is not None and shape.seen.http is not None else None
    return said is not None and len(said) <= LONGEST and re.fullmatch(wanted, said) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_expression(value: Any) -> bool:
    return isinstance(value, str) and checked(value) is None


def _is_day(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_attributes(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(each, str) for each in value.values())


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


class _Mark(NamedTuple):
    takes: Callable[[Any], bool]
    fits: Callable[[Shape, Any], bool]


_MARKS: dict[str, _Mark] = {
    "extensions": _Mark(_is_names, _extensions_are),
    "leaf_key": _Mark(_is_text, _leaf_key),
    "rsa_exponent": _Mark(_is_number, _rsa_exponent),
    "leaf_key_is_issuers": _Mark(_is_flag, _key_is_issuers),
    "lifetime_days": _Mark(_is_number, _lifetime),
    "not_before": _Mark(_is_day, _begins),
    "not_after": _Mark(_is_day, _ends),
    "serial_bits_at_most": _Mark(_is_number, _short_serial),
    "serial_epoch_after_days": _Mark(_is_number, _epoch_serial),
    "subject": _Mark(_is_attributes, _subject_holds),
    "cn_is_o_and_ou": _Mark(_is_flag, _same_names),
    "san_is_domain_and_below": _Mark(_is_flag, _domain_and_below),
    "root_copies": _Mark(_is_number, _root_copies),
    "http_via": _Mark(_is_expression, _via),
}


# -- rows -----------------------------------------------------------------------------------------------------------

_LEAST_MARKS = 2
_OWN = ("name", "vendor", "kind")  # of a product that is in no row of the catalogue


@dataclass(frozen=True)
class Fingerprint:
    product: str
    name: str
    vendor: str
    kind: str
    severity: Severity
    marks: Mapping[str, Any]
    words: str
    source: str


@lru_cache(maxsize=4)
def fingerprints_of(trust: Trust) -> tuple[Fingerprint, ...]:
    """The rows of fingerprints.toml. Raises TrustDataError naming the one that is not what it should be."""
    tables = trust.fingerprints
    words = {str(row.get("name")): str(row.get("words", "")) for row in tables.get("mark", ())}
    if set(words) != set(_MARKS) or not all(map(_is_text, words.values())):
        raise TrustDataError(f"{FILE}: its [[mark]] and the marks known here do not agree")
    unknown = sorted(set(tables) - {"mark", "fingerprint"})
    if unknown:
        raise TrustDataError(f"{FILE}: there is no [[{printable(unknown[0])}]]")
    read = []
    for number, row in enumerate(tables["fingerprint"], 1):
        why = _wrong(row, trust)
        if why:
            raise TrustDataError(f"{FILE}: [[fingerprint]] {number} ({printable(str(row.get('product')), 80)}): {why}")
        read.append(_fingerprint(row, trust, words))
    return tuple(read)


def _wrong(row: Mapping[str, Any], trust: Trust) -> str | None:
    known = catalogue_of(trust).row(row.get("product", ""))
    wanted = {"product", "marks", "source", *(() if known else _OWN)}
    if set(row) != wanted or not all(_is_text(row[each]) for each in wanted - {"marks"}):
        return f"must hold exactly: {', '.join(sorted(wanted))}"
    if known is None and row["kind"] not in kinds_of(trust):
        return "its kind is not one of interceptors.toml"
    marks = row["marks"]
    if not isinstance(marks, dict) or len(marks) < _LEAST_MARKS:
        return f"marks must hold at least {_LEAST_MARKS} marks"
    wrong = next((name for name, value in marks.items() if name not in _MARKS or not _MARKS[name].takes(value)), None)
    return f"{printable(wrong)} is no mark, or has no such value" if wrong else None


def _fingerprint(row: Mapping[str, Any], trust: Trust, words: Mapping[str, str]) -> Fingerprint:
    known: Row | None = catalogue_of(trust).row(row["product"])
    name, vendor, kind = (known.product, known.vendor, known.kind) if known else (row[each] for each in _OWN)
    said = "; ".join(words[mark].format(value=_shown(value)) for mark, value in row["marks"].items())
    severity = known.severity if known else kinds_of(trust)[kind]
    return Fingerprint(row["product"], name, vendor, kind, severity, row["marks"], said, row["source"])


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{label}={each}" for label, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def attribute_shape(shape: Shape, trust: Trust) -> Attribution | None:
    """The one product whose fingerprint a foreign chain bears, or None: also where it bears several products'.

    Call it only for chains that no known authority signed.
    """
    if not shape.chain:
        return None
    found = [row for row in fingerprints_of(trust) if fits(row, shape)]
    if len({row.product for row in found}) != 1:
        return None
    row = found[0]
    return Attribution(
        row.product, row.name, row.vendor, row.kind, "observed", Confidence.WEAK, row.words, severity=row.severity
    )


def fits(row: Fingerprint, shape: Shape) -> bool:
    """Whether every mark is there. What cannot be read bears none."""
    return all(_MARKS[mark].fits(shape, value) for mark, value in row.marks.items())
