"""Which product made a foreign chain: the catalogue `trust/interceptors.toml` against the presented names and keys.

A name is a hint, whoever it names: it can be typed into any CA. Two kinds of rows are more than that, because they go
by key: certificates known to have been forged for Google's names, and authorities whose private key is public or held
by a state. They count only where that key is the leaf's own or made a verified signature on its path.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from tlsinspect.certificate import Certificate, Name, text_of
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


@dataclass(frozen=True)
class _Row:
    id: str
    product: str
    vendor: str
    kind: str
    certainty: str
    requires: str
    issuer: dict[str, re.Pattern[str]]
    subject: dict[str, re.Pattern[str]]
    hashes: frozenset[str]  # certificate SHA-1 and SHA-256 and SPKI SHA-256, hex


ListedCode = Literal["known-forgery", "leaked-key", "state-interception"]


@dataclass(frozen=True)
class Listed:
    """A certificate or key that decides by itself."""

    code: ListedCode
    name: str
    incident: str


@lru_cache(maxsize=4)
def _rows(trust: Trust) -> tuple[_Row, ...]:
    return tuple(_row(raw) for raw in trust.interceptors["interceptor"])


def _row(raw: dict[str, Any]) -> _Row:
    return _Row(
        id=raw["id"],
        product=raw["product"],
        vendor=raw["vendor"],
        kind=raw["kind"],
        certainty=raw["certainty"],
        requires=raw.get("requires", ""),
        issuer={label: re.compile(p) for label, p in raw.get("issuer_patterns", {}).items()},
        subject={label: re.compile(p) for label, p in raw.get("subject_patterns", {}).items()},
        hashes=frozenset(h.lower() for kind in ("sha1", "sha256", "spki_sha256") for h in raw.get(kind, ())),
    )


def attribute(presented: Iterable[Certificate], trust: Trust) -> Attribution | None:
    """The first row of the catalogue that fits a foreign chain (leaf first), or None.

    Call it only for chains that no known authority signed: a gated row counts on that.
    """
    chain = tuple(presented)
    if not chain:
        return None
    authorities = [c.issuer for c in chain] + [c.subject for c in chain if c.is_ca]
    for row in _rows(trust):
        matched = _match(row, chain, authorities)
        if matched is not None:
            return Attribution(
                row.id, row.product, row.vendor, row.kind, row.certainty, _CONFIDENCE[row.certainty], matched
            )
    return None


def _match(row: _Row, chain: tuple[Certificate, ...], authorities: list[Name]) -> str | None:
    for name in authorities:
        if row.issuer and _fits(row.issuer, name):
            return text_of(name)
    if row.subject and _fits(row.subject, chain[0].subject):
        return text_of(chain[0].subject)
    if row.hashes:
        by_hash = (c for c in chain if row.hashes & {c.sha1, c.sha256, c.spki_sha256})
        return next((text_of(c.subject) for c in by_hash), None)
    return None


def _fits(patterns: dict[str, re.Pattern[str]], name: Name) -> bool:
    """Every pattern matches the whole of some value of its attribute, within one name."""
    return all(any(label == a and p.fullmatch(value) for a, value in name) for label, p in patterns.items())


def default_at(port: int, trust: Trust) -> tuple[str, ...]:
    """The debugging proxies that listen at `port` unless they are told otherwise."""
    known = {row.id: row.product.partition(" (")[0] for row in _rows(trust)}
    hints = trust.interceptors.get("local_port_hint", ())
    return tuple(known[hint["interceptor"]] for hint in hints if hint["port"] == port and hint["interceptor"] in known)


def listed(path: Iterable[Certificate], trust: Trust) -> Listed | None:
    """What the lists say of the leaf and of the keys that signed it. `path` holds only verified signatures."""
    by_hash = _lists(trust)
    for certificate in path:
        for digest in (certificate.sha1, certificate.sha256, certificate.spki_sha256):
            if digest in by_hash:
                return by_hash[digest]
    return None


_LISTS: tuple[tuple[ListedCode, str, str, str], ...] = (  # code, table, and its columns for name and incident
    ("known-forgery", "known_forgery", "subject", "incident"),
    ("leaked-key", "leaked_key", "name", "source"),
    ("state-interception", "state_key", "name", "source"),
)


@lru_cache(maxsize=4)
def _lists(trust: Trust) -> dict[str, Listed]:
    """Every listed certificate and key by its hashes."""
    found: dict[str, Listed] = {}
    for code, table, name, incident in _LISTS:
        for row in trust.interceptors.get(table, ()):
            for kind in ("sha1", "sha256", "spki_sha256"):
                if row.get(kind):
                    found.setdefault(row[kind].lower(), Listed(code, row[name], row[incident]))
    return found


def is_portal_key(leaf: Certificate, trust: Trust) -> bool:
    """Whether the leaf's key is one that Chromium knows as a captive portal's."""
    return any(r["spki_sha256"] == leaf.spki_sha256 for r in trust.interceptors.get("captive_portal_spki", ()))
