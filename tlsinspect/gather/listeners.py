"""Which program of this machine answers, where a connection ended on this machine.

A fact about the end of one connection: a program may pass it on to somebody else. What the system does not let this
user see stays unknown.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tlsinspect.evidence.peer import Peer
from tlsinspect.model import Listener
from tlsinspect.observe.apart import apart

LONGEST = 3.0  # seconds; systems with many processes that each must be asked take long
_ANYWHERE = ("*", "")  # how some systems write every address of both families


async def listeners_at(peers: Iterable[Peer]) -> tuple[Listener, ...]:
    """The listeners at those of `peers` that are this machine, known or not, in order."""
    maybe = [peer for peer in sorted(set(peers)) if _may_be_own(peer[0])]
    if not maybe:
        return ()
    try:
        async with asyncio.timeout(LONGEST):
            return await apart(lambda: _look_up(maybe), "listeners")
    except (OSError, ImportError):  # too slow, forbidden, or not to be had on this system
        return tuple(Listener(*peer) for peer in maybe if _plain(peer[0]).is_loopback)


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _may_be_own(address: str) -> bool:
    """Loopback, or an address this machine would send from: asked of the system without loading anything."""
    plain = _plain(address)
    if plain.is_loopback or plain.is_unspecified:
        return True
    family = socket.AF_INET if plain.version == 4 else socket.AF_INET6
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as trial:
        trial.bind((str(plain), 0))
        return True
    return False


def _look_up(peers: Iterable[Peer]) -> tuple[Listener, ...]:
    import psutil

    own = {_plain(a.address) for addresses in psutil.net_if_addrs().values() for a in addresses if _is_ip(a.family)}
    # Some systems let a program send from addresses that are not theirs.
    local = [peer for peer in peers if (p := _plain(peer[0])) in own or p.is_loopback or p.is_unspecified]
    by_port: dict[int, list[tuple[str, int | None]]] = {}
    for address, port, pid in _listening():
        by_port.setdefault(port, []).append((address, pid))
    return tuple(_listener(peer, by_port.get(peer[1], ())) for peer in local)


def _is_ip(family: int) -> bool:
    return family in (socket.AF_INET, socket.AF_INET6)


def _listening() -> Iterator[tuple[str, int, int | None]]:
    """Address, port and process of every listening TCP socket this user may see."""
    import psutil

    try:
        sockets = [(each, each.pid) for each in psutil.net_connections("tcp")]
    except (psutil.Error, OSError):  # macOS shows an ordinary user only its own processes, one by one
        sockets = list(_of_each_process())
    for each, pid in sockets:
        if each.status == psutil.CONN_LISTEN and each.laddr:
            yield each.laddr.ip, each.laddr.port, pid


def _of_each_process() -> Iterator[tuple[Any, int]]:
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            for each in process.net_connections("tcp"):
                yield each, process.pid


def _listener(peer: Peer, at_port: Sequence[tuple[str, int | None]]) -> Listener:
    """The listener that is most particular about the address: that is whom the system gives the connection."""
    address, port = peer
    candidates = [(breadth, pid) for bound, pid in at_port if (breadth := _breadth(bound, address)) is not None]
    _, pid = min(candidates, key=lambda each: (each[0], each[1] is None), default=(0, None))
    return Listener(address, port, _name(pid), pid) if pid is not None else Listener(address, port)


def _breadth(bound: str, address: str) -> int | None:
    """How widely somebody listens who is bound there, seen from `address`; None where he does not hear of it."""
    if bound in _ANYWHERE:
        return 2
    there, here = _plain(bound), _plain(address)
    if there == here:
        return 0
    if (there.is_unspecified and there.version == here.version) or (there.is_loopback and here.is_unspecified):
        return 1
    return 2 if there.is_unspecified and there.version == 6 else None  # IPv6 hears IPv4 too, unless told not to


def _name(pid: int) -> str | None:
    import psutil

    try:
        return str(psutil.Process(pid).name()) or None
    except (psutil.Error, OSError):
        return None
