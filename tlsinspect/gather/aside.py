"""Something that blocks, done beside the event loop: within a time, and without holding up the end of the run.

A file on a network that has gone may never answer; the thread that waits for it is left behind then.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def aside(call: Callable[[], T], seconds: float) -> T:
    """What `call` returns, or its exception. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(set_: Callable[[Any], None], value: object) -> None:
        if not future.done():
            set_(value)

    def work() -> None:
        settled: tuple[Callable[[Any], None], object]
        try:
            settled = future.set_result, call()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            settled = future.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, *settled)

    threading.Thread(target=work, daemon=True, name="tlsinspect-aside").start()
    async with asyncio.timeout(seconds):
        return await future
