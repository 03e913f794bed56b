"""Tasks end although what they await swallows a cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress

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


def test_cancelled_meanwhile_it_still_ends_all() -> None:
    ended = list[str]()

    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            while not over.is_set():  # as a client whose closing takes time, whoever asks again
                with suppress(asyncio.CancelledError):
                    await over.wait()
            ended.append("slow")

    async def ending_it() -> None:
        task = asyncio.create_task(slow())
        await asyncio.sleep(0)
        await ending.end([task])

    async def twice() -> None:
        waiting = asyncio.create_task(ending_it())
        for _ in range(3):
            await asyncio.sleep(0.01)
            waiting.cancel()
        assert not waiting.done()
        over.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    over = asyncio.Event()
    asyncio.run(twice())
    assert ended == ["slow"]
