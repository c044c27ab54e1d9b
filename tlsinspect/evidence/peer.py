"""Where a connection really ended: at the endpoint, or at the proxy."""

from collections.abc import Sequence

from tlsinspect.model import Connection

Peer = tuple[str, int]  # address and port


def peer_of(connections: Sequence[Connection]) -> Peer | None:
    """The last of them that was connected to, or None where nobody answered. Those tried beside it end after it."""
    reached = (c for c in reversed(connections) if c.outcome == "connected")
    return next(((c.address, c.port) for c in reached), None)
