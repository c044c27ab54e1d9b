"""Calls of the system that block, such as asking for a name: each in a thread of its own.

They cannot be cancelled, and a program must be able to end while it waits for one; asyncio's own threads are joined at
the end.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def apart(work: Callable[[], T], name: str) -> T:
    """What `work` gives or raises. Cancelling this leaves the thread to itself."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(outcome: Callable[[], None]) -> None:
        if not answer.done():
            outcome()

    def run() -> None:
        try:
            outcome = partial(answer.set_result, work())
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome = partial(answer.set_exception, error)
        try:
            loop.call_soon_threadsafe(tell, outcome)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    threading.Thread(target=run, daemon=True, name=name).start()
    return await answer
