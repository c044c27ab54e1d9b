"""What several hosts prove together: one terminator in front of unrelated names."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tlsinspect.certificate import Certificate
from tlsinspect.endpoints.target import is_address


@dataclass(frozen=True)
class Foreign:
    """A chain nobody public signed, as far as this question goes."""

    host: str
    issuing_key: str | None  # SPKI SHA-256 of the key whose signature on the leaf was verified
    leaf_key: str
    issuer: str  # its name and the identifier of its key, as the leaf has them: text
    complete: bool  # up to a root that signed itself: of any other chain a public authority may be the missing end


def issuer_of(leaf: Certificate) -> str:
    """The issuer as the leaf has it, to compare with others."""
    return f"{leaf.issuer_der.hex()} {(leaf.authority_key_id or b'').hex()}"


@dataclass(frozen=True)
class Shared:
    """Keys that serve unrelated hosts. Only keys outside public roots count: a public CA signs for everybody."""

    issuing_keys: frozenset[str] = frozenset()
    leaf_keys: frozenset[str] = frozenset()
    issuers: frozenset[str] = frozenset()  # by name alone, where no issuing key was seen
    proven: frozenset[str] = frozenset()  # of either kind, in complete chains


def shared_keys(foreign: Iterable[Foreign]) -> Shared:
    chains = list(foreign)
    keys = [(key, c.host) for c in chains if c.complete for key in (c.issuing_key, c.leaf_key)]
    return Shared(
        issuing_keys=_unrelated((c.issuing_key, c.host) for c in chains),
        leaf_keys=_unrelated((c.leaf_key, c.host) for c in chains),
        issuers=_unrelated((c.issuer, c.host) for c in chains if c.issuing_key is None),
        proven=_unrelated(keys),
    )


def _unrelated(uses: Iterable[tuple[str | None, str]]) -> frozenset[str]:
    """The keys used for more than one site."""
    sites: dict[str, set[str]] = defaultdict(set)
    for key, host in uses:
        if key is not None:
            sites[key].add(_site(host))
    return frozenset(key for key, found in sites.items() if len(found) > 1)


def _site(host: str) -> str:
    """The part of a name that one owner holds, guessed without a list of public suffixes: too long a guess only loses
    a proof, and names that share their last two labels are taken as related."""
    labels = host.split(".")
    return host if is_address(host) else ".".join(labels[-2:])
