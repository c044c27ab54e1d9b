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
    signing_keys: tuple[str, ...]  # SPKI SHA-256 of those whose signatures were verified, the leaf's issuer first
    leaf_key: str
    issuer: str  # its name and the identifier of its key, as the leaf has them: text
    complete: bool  # up to a root that signed itself: of any other chain a public authority may be the missing end
    claimed: bool  # the leaf is for this host; a host may be led to another that has done nothing
    held: bool  # whoever sent the chain showed that he holds its key


def issuer_of(leaf: Certificate) -> str:
    """The issuer as the leaf has it, to compare with others."""
    return f"{leaf.issuer_der.hex()} {(leaf.authority_key_id or b'').hex()}"


@dataclass(frozen=True)
class Shared:
    """Keys that serve unrelated hosts. Only keys outside public roots count: a public CA signs for everybody."""

    signing_keys: frozenset[str] = frozenset()
    leaf_keys: frozenset[str] = frozenset()
    diverted: frozenset[str] = frozenset()  # leaf keys that answer for hosts whether the leaf is for them or not
    issuers: frozenset[str] = frozenset()  # by name alone, where no issuing key was seen
    # Of either kind, in complete chains. A root alone is not enough: a company's own hosts share that too.
    proven: frozenset[str] = frozenset()


def shared_keys(foreign: Iterable[Foreign]) -> Shared:
    chains = [c for c in foreign if c.held]
    claimed = [c for c in chains if c.claimed]
    # What a host is called by its address says nothing of whose it is.
    proven = [c for c in claimed if c.complete and not is_address(c.host)]
    return Shared(
        signing_keys=_unrelated((key, c.host) for c in claimed for key in c.signing_keys),
        leaf_keys=_unrelated((c.leaf_key, c.host) for c in claimed),
        diverted=_unrelated((c.leaf_key, c.host) for c in chains),
        issuers=_unrelated((c.issuer, c.host) for c in claimed if not c.signing_keys),
        proven=_unrelated((key, c.host) for c in proven for key in (*c.signing_keys[:1], c.leaf_key)),
    )


def _unrelated(uses: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The keys used for more than one site."""
    sites: dict[str, set[str]] = defaultdict(set)
    for key, host in uses:
        sites[key].add(_site(host))
    return frozenset(key for key, found in sites.items() if len(found) > 1)


def _site(host: str) -> str:
    """The part of a name that one owner holds, guessed without a list of public suffixes: too long a guess only loses
    a proof, and names that share their last two labels are taken as related."""
    labels = host.split(".")
    return host if is_address(host) else ".".join(labels[-2:])
