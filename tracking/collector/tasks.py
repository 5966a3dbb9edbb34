"""Ending tasks for certain."""

import asyncio
from collections.abc import Collection

AGAIN_S = 0.05


async def end_tasks(tasks: "Collection[asyncio.Task[None]]") -> None:
    """Cancel tasks until each has ended; what they raise is dropped.

    Once is not enough: up to Python 3.11 `asyncio.wait_for`, in which redis-py sends its commands,
    drops a cancellation that comes when what it waits for is just done
    (https://github.com/python/cpython/issues/86296). Whoever then awaits the task waits for ever.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
