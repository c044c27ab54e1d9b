"""Other ways of asking the same endpoint: an interceptor may sit on one of them alone.

The usual way comes first; these come after it, each once, and differ from it in one thing. SLICES holds them by the
kinds that can be asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tlsinspect.asked import Asked
from tlsinspect.endpoints.target import is_address
from tlsinspect.errors import UsageError
from tlsinspect.model import Endpoint, Observation
from tlsinspect.observe.handshake import ECDSA, H2, LARGE, LEGACY, RSA, SMALL, TLS_1_2, TLS_1_3, Hello
from tlsinspect.text import printable


@dataclass(frozen=True)
class Slice:
    """One way of asking."""

    name: str = ""  # "" is the usual way
    hellos: tuple[Hello, ...] = (LARGE, SMALL, LEGACY)  # one after the other, until one is answered
    address: str | None = None  # the only one to connect to
    server_name: str | None = ""  # "" is the endpoint's own; None sends none


USUAL = Slice()
SLICES: dict[str, tuple[Slice, ...]] = {
    "addresses": (),  # as many as the name resolves to
    "protocols": (Slice(Asked.TLS_1_2, (TLS_1_2,)), Slice(Asked.TLS_1_3, (TLS_1_3,))),
    "keys": (Slice(Asked.RSA, (RSA,)), Slice(Asked.ECDSA, (ECDSA,))),
    "sni": (Slice(Asked.NO_SNI, server_name=None),),
    "alpn": (Slice(Asked.H2, (H2,)),),
}
_ADDRESS = "address "


def read_slices(names: Iterable[str]) -> tuple[str, ...]:
    """The kinds in `names`, each once, in the order of SLICES; ``all`` is every one. Raises UsageError."""
    wanted = set(names)
    unknown = sorted(wanted - {*SLICES, "all"})
    if unknown:
        raise UsageError(f"no slices {printable(unknown[0], 40)!r}: there are {', '.join(SLICES)}, and all")
    return tuple(kind for kind in SLICES if kind in wanted or "all" in wanted)


def slices_of(kinds: Iterable[str], endpoint: Endpoint, seen: Observation) -> Iterator[Slice]:
    """The ways of these kinds that make sense for an endpoint, once it was `seen` in the usual way."""
    for kind in kinds:
        if kind == "addresses":
            # Behind a proxy they are the proxy's; where there is one, the usual way went there.
            several = seen.route.proxy is None and len(seen.addresses) > 1
            yield from (Slice(_ADDRESS + a, address=a) for a in seen.addresses if several and a != seen.address)
        elif kind != "sni" or not is_address(endpoint.host):
            yield from SLICES[kind]
