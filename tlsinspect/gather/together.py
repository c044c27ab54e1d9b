"""Several things asked for at once: all of them have ended before anything goes on, and a defect costs only itself."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from tlsinspect.text import one_line

T = TypeVar("T")


async def together(jobs: Iterable[Coroutine[Any, Any, T]], defects: list[str]) -> list[T | None]:
    """The results in order; None where a job failed by a defect of ours, which is noted in `defects`.

    Unlike `asyncio.gather`, a cancelled group leaves none of its tasks behind.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_guarded(job, defects)) for job in jobs]
    return [task.result() for task in tasks]


async def _guarded(job: Coroutine[Any, Any, T], defects: list[str]) -> T | None:
    try:
        return await job
    except Exception as defect:  # noqa: BLE001 - a defect of ours must not lose the other results; it is reported
        defects.append(f"{type(defect).__name__}: {one_line(defect)}")
        return None
