"""What several hosts prove together: one terminator in front of unrelated names."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tlsinspect.endpoints.target import is_address


@dataclass(frozen=True)
class Foreign:
    """A chain nobody public signed, as far as this question goes."""

    host: str
    issuing_key: str | None  # SPKI SHA-256 of the key whose signature on the leaf was verified
    leaf_key: str


@dataclass(frozen=True)
class Shared:
    """Keys that serve unrelated hosts. Only keys outside public roots count: a public CA signs for everybody."""

    issuing_keys: frozenset[str]
    leaf_keys: frozenset[str]


def shared_keys(foreign: Iterable[Foreign]) -> Shared:
    issuing: dict[str, set[str]] = defaultdict(set)
    leaf: dict[str, set[str]] = defaultdict(set)
    for chain in foreign:
        leaf[chain.leaf_key].add(_site(chain.host))
        if chain.issuing_key:
            issuing[chain.issuing_key].add(_site(chain.host))
    return Shared(
        frozenset(key for key, sites in issuing.items() if len(sites) > 1),
        frozenset(key for key, sites in leaf.items() if len(sites) > 1),
    )


def _site(host: str) -> str:
    """The part of a name that one owner holds, guessed without a list of public suffixes: too long a guess only loses
    a proof, and names that share their last two labels are taken as related."""
    labels = host.split(".")
    return host if is_address(host) else ".".join(labels[-2:])
