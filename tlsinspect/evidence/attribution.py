"""Which product made a foreign chain: the catalogue `trust/interceptors.toml` against the presented names and keys.

A name is a hint, whoever it names: it can be typed into any CA. Two kinds of rows are more than that, because they go
by key: certificates known to have been forged for Google's names, and authorities whose private key is public or held
by a state. They count only where that key is the leaf's own or made a verified signature on its path.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from re import Pattern

from tlsinspect.certificate import Certificate, Name, text_of
from tlsinspect.evidence.catalogue import LONGEST, UNVERIFIED, Listed, Row, catalogue_of
from tlsinspect.evidence.fingerprints import lacks_public_marks
from tlsinspect.evidence.path import Path, Signer
from tlsinspect.model import Attribution, Confidence
from tlsinspect.trust import Trust

# How far a row's own certainty carries; a name is never more than likely.
_CONFIDENCE = {
    "verified-source": Confidence.LIKELY,
    "vendor-doc": Confidence.LIKELY,
    "observed": Confidence.LIKELY,
    "reported": Confidence.WEAK,
    "unconfirmed": Confidence.WEAK,
}
NO_SNI = "google-no-sni"  # the row of Google's answer to a client that sent no server name
NOT_PRODUCTS = {"benign-google", "captive-portal"}  # kinds that name no interceptor
MAX_VALUES = 16  # of one name, or of one block of a log


def attribute(presented: Iterable[Certificate], trust: Trust, path: Path | None = None) -> Attribution | None:
    """The first row of the catalogue that fits a foreign chain (leaf first), or None.

    Call it only for chains that no known authority signed. Rows that ask for more than a name count by `path`.
    """
    chain = tuple(presented)
    if not chain:
        return None
    authorities = list(_authorities(chain))
    unverified = list(_authorities(path.certificates)) if path is not None and _is_private(path) else []
    for row in catalogue_of(trust).rows:
        matched = _match(row, chain, unverified if row.requires == UNVERIFIED else authorities)
        if matched is not None:
            return _attribution(row, matched)
    return None


def interceptor(product: Attribution | None) -> Attribution | None:
    """The row, where it is of a product that intercepts."""
    return product if product is not None and product.kind not in NOT_PRODUCTS else None


def _attribution(row: Row, matched: str, most: Confidence = Confidence.LIKELY) -> Attribution:
    confidence = _CONFIDENCE[row.certainty] if most is Confidence.LIKELY else most
    return Attribution(
        row.id, row.product, row.vendor, row.kind, row.certainty, confidence, matched, severity=row.severity
    )


def _authorities(chain: Sequence[Certificate]) -> Iterator[Name]:
    """The names under which somebody signed: every issuer, and every presented authority."""
    yield from dict.fromkeys([*(c.issuer for c in chain), *(c.subject for c in chain if c.is_ca)])


def _is_private(path: Path) -> bool:
    """Whether no public authority signed the leaf, whatever name stands there: the authority of that name is known and
    its key did not sign, or the signatures lead up to a key that vouches for itself, or the leaf lacks all that a
    public authority puts into one. Where a chain just ends, a public authority may be the missing part."""
    if not path.certificates or path.signer not in (Signer.PRIVATE, Signer.IMPERSONATED):
        return False
    return path.signer is Signer.IMPERSONATED or path.complete or lacks_public_marks(path.leaf)


def _match(row: Row, chain: tuple[Certificate, ...], authorities: list[Name]) -> str | None:
    for name in authorities:
        if row.issuer and _fits(row.issuer, name):
            return text_of(name)
    if row.subject and _fits(row.subject, chain[0].subject):
        return text_of(chain[0].subject)
    if row.hashes:
        by_hash = (c for c in chain if row.hashes & {c.sha1, c.sha256, c.spki_sha256})
        return next((text_of(c.subject) for c in by_hash), None)
    return None


def _fits(patterns: Mapping[str, Pattern[str]], name: Name) -> bool:
    """Every pattern matches the whole of some value of its attribute, within one name."""
    return all(
        any(label == a and _is_whole(p, value) for a, value in name[:MAX_VALUES]) for label, p in patterns.items()
    )


def _is_whole(pattern: Pattern[str], value: str) -> bool:
    return len(value) <= LONGEST and pattern.fullmatch(value) is not None


# -- values without attribute names ---------------------------------------------------------------------------------

_FEW_LETTERS = 6  # with fewer, an open expression says too little when nobody knows which attribute a value is of


def attribute_values(values: Sequence[str], trust: Trust) -> Attribution | None:
    """The first row that fits the values of one name in a log, which gives them without their attributes, or None.

    Every expression of a row must match a whole value. A row that asks for more than a name does not count here, nor
    one whose only expression is open and says next to nothing; any other row of a single expression is a weak hint.
    """
    block = values[:MAX_VALUES]
    for row in catalogue_of(trust).rows:
        if row.requires:
            continue
        for patterns in (row.issuer, row.subject):
            if patterns and not _is_vague(patterns) and all(_in_block(p, block) for p in patterns.values()):
                most = Confidence.WEAK if len(patterns) == 1 else Confidence.LIKELY
                return _attribution(row, ", ".join(block), most)
    return None


def _in_block(pattern: Pattern[str], block: Sequence[str]) -> bool:
    return any(_is_whole(pattern, value) for value in block)


def _is_vague(patterns: Mapping[str, Pattern[str]]) -> bool:
    if len(patterns) > 1:
        return False
    text = next(iter(patterns.values())).pattern
    return ("*" in text or "+" in text) and sum(map(str.isalpha, text.replace("(?i)", ""))) < _FEW_LETTERS


# -- keys and certificates that decide ------------------------------------------------------------------------------


def default_at(port: int, trust: Trust) -> tuple[str, ...]:
    """The debugging proxies that listen at `port` unless they are told otherwise."""
    return catalogue_of(trust).ports.get(port, ())


def listed(path: Iterable[Certificate], trust: Trust) -> Listed | None:
    """What the lists say of the leaf and of the keys that signed it. `path` holds only verified signatures."""
    by_hash = catalogue_of(trust).listed
    for certificate in path:
        for digest in (certificate.sha1, certificate.sha256, certificate.spki_sha256):
            if digest in by_hash:
                return by_hash[digest]
    return None


def is_portal_key(leaf: Certificate, trust: Trust) -> bool:
    """Whether the leaf's key is one that Chromium knows as a captive portal's."""
    return leaf.spki_sha256 in catalogue_of(trust).portal_keys
