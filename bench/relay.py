"""A TCP relay as far away as wished: ``python -m bench.relay SECONDS PORT …``, until its standard input ends.

Each listening port leads to one of the given ports on loopback; every byte, and the end, takes SECONDS in each
direction. The kernel answers a connect on loopback at once, so the relay holds what comes first for a whole round trip
more: the time a SYN and its answer would have taken.
"""

import asyncio
import json
import sys
from contextlib import suppress

from bench.lab import HOST


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float, extra: float) -> None:
    """Carry one direction; no byte before `extra` is over and its own delay after that."""
    loop = asyncio.get_running_loop()
    opened = loop.time() + extra
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        data = b"-"
        while data:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            queue.put_nowait((max(loop.time(), opened) + seconds, data))

    reading = asyncio.create_task(read())
    with suppress(OSError):
        while True:
            due, data = await queue.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                break
            writer.write(data)
    reading.cancel()
    writer.close()


async def _relay(seconds: float, ports: list[int]) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    found = {}
    for port in ports:

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port) -> None:
            there, back = await asyncio.open_connection(HOST, port)
            await asyncio.gather(_carry(reader, back, seconds, 2 * seconds), _carry(there, writer, seconds, 0))

        server = await asyncio.start_server(handle, HOST, 0)
        found[str(port)] = server.sockets[0].getsockname()[1]
    print(json.dumps(found), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_relay(float(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
