"""The far side, in a process of its own: ``python -m bench.peer FOLDER``, until its standard input ends.

FOLDER holds SHARD.pem and SHARD.key for every name x.SHARD.google.com. Beside the TLS server there are a plain-HTTP
server, which knows the files in FOLDER/files by the last part of their path, and four that misbehave.
"""

import asyncio
import json
import secrets
import socket
import ssl
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path

from bench.lab import HOST, shard_of

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_HOLD = 60.0  # seconds after which a silent server lets go
_BROKEN = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


def answering(files: Path | None = None) -> Handler:
    """One request, one answer with the time, and one of `files` where it is asked for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*_BROKEN):
            request = await reader.readuntil(b"\r\n\r\n")
            asked = files / Path(request.split(b" ", 2)[1].decode()).name if files else None
            body = asked.read_bytes() if asked and asked.is_file() else b""
            date = format_datetime(datetime.now(UTC), usegmt=True).encode()
            status = b"200 OK" if body else b"404 Not Found"
            head = (b"HTTP/1.1 " + status, b"Date: " + date, b"Content-Length: %d" % len(body), b"Connection: close")
            writer.write(b"\r\n".join((*head, b"", body)))
            await writer.drain()
        writer.close()

    return answer


async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and says nothing."""
    await asyncio.sleep(_HOLD)
    writer.close()


async def garbage(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """64 kB of noise."""
    with suppress(*_BROKEN):
        writer.write(secrets.token_bytes(65536))
        await writer.drain()
    writer.close()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A TCP reset in answer to the ClientHello."""
    with suppress(*_BROKEN):
        await reader.read(1)
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The beginning of a handshake record, one byte a second."""
    with suppress(*_BROKEN):
        for value in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + bytes(50):
            writer.write(bytes((value,)))
            await writer.drain()
            await asyncio.sleep(1)
    writer.close()


HOSTILE: dict[str, Handler] = {"silent": silent, "garbage": garbage, "reset": reset, "drip": drip}


def _tls(folder: Path) -> ssl.SSLContext:
    @lru_cache(maxsize=1024)
    def context(shard: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(folder / f"{shard}.pem", folder / f"{shard}.key")
        made.set_alpn_protocols(["http/1.1"])
        return made

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> int | None:
        try:
            connection.context = context(shard_of(name or ""))
        except OSError:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        return None

    first = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    first.set_alpn_protocols(["http/1.1"])
    first.sni_callback = choose
    return first


async def _serve(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # clients that leave in the middle are the point
    servers: dict[str, Handler] = {"tls": answering(), "plain": answering(folder / "files"), **HOSTILE}
    ports = {}
    for name, handler in servers.items():
        context = _tls(folder) if name == "tls" else None
        server = await asyncio.start_server(handler, HOST, 0, ssl=context, backlog=1024)
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
