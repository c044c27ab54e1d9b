"""Reading what may never answer: a file on a network that has gone, or one of the kernel's that waits for news.

Nobody can cancel such a call. It is made in a thread that is left behind, and does not hold up the end of the program.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` gives or raises. Raises TimeoutError."""
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True, name="tlsinspect-store").start()
    return answer.result(seconds)
