"""Reverse names of addresses, confirmed by asking for the name's own addresses. Only where the user asked for it.

Whoever owns an address writes its reverse name, and the name server on the way may write another: a hint, never more.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable

from tlsinspect.model import ReverseName
from tlsinspect.observe.apart import apart

LONGEST = 5.0  # seconds for all of them
MOST = 64  # addresses


async def reverse_names(addresses: Iterable[str]) -> tuple[ReverseName, ...]:
    """The reverse name of each address, in order; without one where none came in time."""
    asked = sorted(set(addresses))[:MOST]
    tasks = [asyncio.create_task(apart(lambda a=a: _reverse_name(a), f"reverse {a}")) for a in asked]  # type: ignore[misc]
    try:
        if tasks:
            await asyncio.wait(tasks, timeout=LONGEST)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return tuple(ReverseName(a) if t.cancelled() else t.result() for a, t in zip(asked, tasks, strict=True))


def _reverse_name(address: str) -> ReverseName:
    try:
        name, _ = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)
        forward = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ReverseName(address)
    leads_to = {ipaddress.ip_address(place[0]) for *_, place in forward}
    return ReverseName(address, name, ipaddress.ip_address(address) in leads_to)
