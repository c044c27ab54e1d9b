"""Names to addresses, addresses to a connected socket: every address tried is kept with what came of it."""

import asyncio
import socket
import time
from collections.abc import Sequence

from tlsinspect.model import Connection, Reason
from tlsinspect.observe.apart import apart

STAGGER = 0.25  # seconds before the next address is tried beside the last (RFC 8305 §5)
MAX_ADDRESSES = 16
_NO_SUCH_NAME = {
    getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)
}


class DialError(Exception):
    """No address could be had, or none answered."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


async def resolve(host: str, port: int) -> list[tuple[str, int]]:
    """The addresses of `host` in the system's order. Raises DialError."""
    return await apart(lambda: _look_up(host, port), f"resolve {host}")


def _look_up(host: str, port: int) -> list[tuple[str, int]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _NO_SUCH_NAME:
            raise DialError(Reason.NAME_NOT_FOUND) from None
        raise DialError(Reason.DNS_FAILED, error.strerror or "") from None
    except (OSError, UnicodeError) as error:
        raise DialError(Reason.DNS_FAILED, str(error)) from None
    return list(dict.fromkeys((str(place[0]), int(place[1])) for *_, place in found))[:MAX_ADDRESSES]


async def receive(sock: socket.socket, size: int = 65536) -> bytes:
    """Some bytes, or none at the end.

    `sock_recv` does not wait while bytes are ready: without giving way here, whoever sends fast enough would keep every
    deadline from being looked at.
    """
    data = await asyncio.get_running_loop().sock_recv(sock, size)
    await asyncio.sleep(0)
    return data


async def dial(places: Sequence[tuple[str, int]], tried: list[Connection]) -> socket.socket:
    """Connect to the first place that answers, each a little after the one before, families taking turns (RFC 8305).

    Every outcome is appended to `tried`. Raises DialError.
    """
    if not places:
        raise DialError(Reason.NAME_NOT_FOUND, "no address")
    waiting = _interlaced(places)
    running: set[asyncio.Task[socket.socket | None]] = set()
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_try(*waiting.pop(0), tried)))
            done, running = await asyncio.wait(
                running, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            connected = [task.result() for task in done if task.result() is not None]
            if connected:
                for spare in connected[1:]:
                    spare.close()  # type: ignore[union-attr]
                return connected[0]  # type: ignore[return-value]
    finally:
        await _abandon(running)
    raise _nobody(tried)


async def _abandon(running: set[asyncio.Task[socket.socket | None]]) -> None:
    for task in running:
        task.cancel()
    for result in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(result, socket.socket):
            result.close()


async def _try(address: str, port: int, tried: list[Connection]) -> socket.socket | None:
    begun = time.monotonic()
    sock: socket.socket | None = None
    outcome = "connected"
    try:
        # A kernel without IPv6 refuses already here.
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
        return sock
    except OSError as error:
        outcome = _outcome(error)
        _close(sock)
        return None
    except asyncio.CancelledError:
        outcome = Reason.CANCELLED
        _close(sock)
        raise
    finally:
        tried.append(Connection(address, port, outcome, round(time.monotonic() - begun, 6)))


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()


def _outcome(error: OSError) -> Reason:
    if isinstance(error, ConnectionRefusedError):
        return Reason.REFUSED
    if isinstance(error, TimeoutError):
        return Reason.TIMEOUT
    return Reason.RESET if isinstance(error, ConnectionError) else Reason.NO_ROUTE


def _nobody(tried: list[Connection]) -> DialError:
    """The most telling of the outcomes: somebody refused, before nobody answered, before there was no way."""
    outcomes = {c.outcome for c in tried}
    order = (Reason.REFUSED, Reason.RESET, Reason.TIMEOUT, Reason.NO_ROUTE)
    return DialError(next((r for r in order if r in outcomes), Reason.NO_ROUTE))


def _interlaced(places: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The places with the two address families taking turns, beginning with the first place's."""
    first = ":" in places[0][0]
    mine = [p for p in places if (":" in p[0]) is first]
    others = [p for p in places if (":" in p[0]) is not first]
    turns = []
    while mine or others:
        turns += mine[:1] + others[:1]
        mine, others = mine[1:], others[1:]
    return turns
