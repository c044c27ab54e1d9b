"""A small network on loopback: TLS servers, plain-HTTP servers and a refusing proxy, in a thread of their own.

Keys are written, for as long as the network lives, into a private temporary folder.
"""

import asyncio
import ssl
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tlsinspect.lab.pki import Issued

HOST = "127.0.0.1"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class LoopbackNetwork:
    """Servers on ports the system chooses; all end with the context."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tlsinspect-")
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="loopback network")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    def tls(self, issued: Issued) -> int:
        """A server that presents `issued` and answers one request with the time; returns its port."""
        chain, key = issued.write(Path(self._folder.name), f"server-{len(self._servers)}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain, key)
        context.set_alpn_protocols(["http/1.1"])
        return self._serve(_answer(b"404 Not Found", b""), context)

    def plain(self, status: bytes, body: bytes = b"") -> int:
        """A plain-HTTP server that gives every request the same answer."""
        return self._serve(_answer(status, body))

    def site(self, files: Mapping[str, bytes]) -> int:
        """A plain-HTTP server of these files, by path; nothing else is there."""
        return self._serve(_answer(b"404 Not Found", b"", files=files))

    def proxy_asking_for_credentials(self) -> int:
        """A proxy that answers every CONNECT with 407."""
        return self._serve(
            _answer(b"407 Proxy Authentication Required", b"", b'Proxy-Authenticate: Basic realm="office"')
        )

    def nothing(self) -> int:
        """A port on which nobody listens."""
        port = self._serve(_answer(b"", b""))
        self._do(self._close_last())
        return port

    def _serve(self, handler: Handler, context: ssl.SSLContext | None = None) -> int:
        server = self._do(asyncio.start_server(handler, HOST, 0, ssl=context))
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _close_last(self) -> None:
        self._servers.pop().close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


def _answer(status: bytes, body: bytes, *fields: bytes, files: Mapping[str, bytes] | None = None) -> Handler:
    """Answers every request alike, unless it asks for one of `files`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await reader.readuntil(b"\r\n\r\n")
            found = (files or {}).get(request.split(b" ", 2)[1].decode("ascii", "replace"))
            line, content = (status, body) if found is None else (b"200 OK", found)
            date = format_datetime(datetime.now(UTC), usegmt=True).encode()
            head = (b"HTTP/1.1 " + line, b"Date: " + date, b"Content-Length: %d" % len(content), *fields)
            writer.write(b"\r\n".join((*head, b"Connection: close", b"", content)))
            await writer.drain()
        writer.close()

    return handle
