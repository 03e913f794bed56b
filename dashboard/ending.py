"""Cancel asyncio tasks and wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

AGAIN_S = 1.0


async def end(tasks: Collection[asyncio.Task[Any]]) -> list[BaseException | None]:
    """Cancels tasks until all of them have ended; returns what each ended with.

    Cancelled itself it cancels them again, and is cancelled once they have ended.

    Once is not enough: a cancellation that meets redis-py between two of its awaits, or
    ``asyncio.wait_for`` of Python 3.11 at the moment that what it waits for is done, is lost.
    """
    pending, cancelled = set(tasks), None
    while pending:
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=AGAIN_S)
        except asyncio.CancelledError as error:
            cancelled = error
        pending = {task for task in pending if not task.done()}
    if cancelled is not None:
        raise cancelled
    return [None if task.cancelled() else task.exception() for task in tasks]
