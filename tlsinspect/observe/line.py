"""A connection on which something is spoken, plainly or inside TLS sessions; and how sessions and HTTP are begun."""

import asyncio
import contextlib
import socket

from OpenSSL import SSL

from tlsinspect.http1 import Head, HeadReader
from tlsinspect.observe.connect import receive
from tlsinspect.observe.handshake import Handshake


class Line:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def receive(self) -> bytes:
        """Some bytes, or none at the end."""
        return await receive(self._sock)


class Secure(Line):
    """The same inside a TLS session on another line, which may be one itself. The handshake must be completed."""

    def __init__(self, line: Line, session: Handshake) -> None:
        self._line = line
        self.session = session

    async def send(self, data: bytes) -> None:
        try:
            records = self.session.encrypt(data)
        except SSL.Error:
            raise ConnectionAbortedError from None  # the peer has ended the session
        await self._line.send(records)

    async def receive(self) -> bytes:
        plain = self.session.decrypt(b"")
        while plain == b"":
            data = await self._line.receive()
            plain = self.session.decrypt(data) if data else None
            if plain is not None and (reply := self.session.outgoing()):
                # Not kept: whoever asks without end, and never reads, is left at the deadline. Where it cannot be sent,
                # what came before still counts.
                with contextlib.suppress(OSError):
                    await self._line.send(reply)
        return plain or b""


async def shake(line: Line, handshake: Handshake, early: bytes = b"") -> None:
    """Go through a handshake to its end, whatever that is. `early` came from the peer before it was asked."""
    data = early
    await line.send(handshake.start())
    while not handshake.finished:
        reply, data = handshake.feed(data or await line.receive()), b""
        if reply:
            await line.send(reply)


async def answer_to(request: bytes, line: Line, early: bytes = b"") -> tuple[Head, bytes]:
    """Ask, and read the head of the answer; what came of the body already is second. `early` came before.

    Raises NotHttpError, TooLongError, or EOFError where the peer closes without an answer.
    """
    await line.send(request)
    reader = HeadReader()
    while data := early or await line.receive():
        head, early = reader.feed(data), b""
        if head is not None:
            return head, reader.rest
    raise EOFError
