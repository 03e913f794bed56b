"""Tasks end although what they await swallows a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from dashboard import ending


def test_a_swallowed_cancellation_is_said_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "AGAIN_S", 0.01)

    async def deaf(times: int) -> None:
        for _ in range(times):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue
        await asyncio.sleep(3600)

    async def broken() -> None:
        raise OSError("gone")

    async def all_of_them() -> list[BaseException | None]:
        tasks = [asyncio.create_task(one) for one in (deaf(0), deaf(3), broken())]
        await asyncio.sleep(0.01)
        return await ending.end(tasks)

    quiet, loud, failed = asyncio.run(all_of_them())
    assert (quiet, loud) == (None, None)
    assert isinstance(failed, OSError)
