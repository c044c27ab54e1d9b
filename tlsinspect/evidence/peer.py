"""Where a connection really ended: at the endpoint, or at the proxy."""

from tlsinspect.model import Observation

Peer = tuple[str, int]  # address and port


def peer_of(seen: Observation) -> Peer | None:
    """The last place that was connected to, or None where nobody answered."""
    reached = (c for c in reversed(seen.connections) if c.outcome == "connected")
    return next(((c.address, c.port) for c in reached), None)
