"""``subscribe`` for asyncio: ``async for frame in mirante.aio.subscribe("gate")``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, Self, Unpack, overload

import redis as redis_py
import redis.asyncio

from mirante.client.conversation import Conversation
from mirante.client.items import Frame, Item, ReceivedEvent
from mirante.client.plan import (
    EventsKind,
    FrameKind,
    Options,
    Plan,
    Since,
    StateKind,
    SubscribedKind,
    make_plan,
)
from mirante.client.steps import Pause, Scan, Step
from mirante.client.subscription import REPLY_S, T_co
from mirante.redis_url import async_exchange, async_scan
from mirante.status import Status


class Subscription(Generic[T_co]):
    """Iterates over results as they come. Belongs to one task."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._talk = Conversation(plan)
        self._client = plan.url.async_client(plan.block_s + REPLY_S)
        self._closed = False
        self._step: asyncio.Task[list[Any] | None] | None = None  # on its way

    def __aiter__(self) -> AsyncIterator[T_co]:
        return self

    async def __anext__(self) -> T_co:
        self._talk.reader.finish()
        while self._talk.hungry:
            if self._talk.over:
                await self.close()
            if self._talk.refusal is not None:
                raise self._talk.refusal
            if self._closed:
                raise StopAsyncIteration
            await self._advance()
        return self._talk.reader.pop()  # type: ignore[return-value]

    @property
    def lost(self) -> Mapping[str, int]:
        """Frames by camera that were published and that this subscription will never see."""
        return dict(self._talk.reader.receiver.lost)

    def ack(self) -> None:
        """The item handed out last is done: needed before leaving a loop over a group early."""
        self._talk.reader.finish()

    async def close(self) -> None:
        """Sends the acknowledgements that wait and leaves."""
        if not self._closed:
            self._closed = True
            await self._leave_step()
            with suppress(redis_py.RedisError):  # not acknowledged: delivered once more
                await async_exchange(self._client, self._talk.reader.last_words())
            await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _advance(self) -> None:
        """Take one step; one that a cancelled wait left on its way is waited for again.

        Cancelled with the wait it would close the connection, and waits that are shorter than a
        connection takes would never see a frame.
        """
        if self._step is None:
            self._step = asyncio.ensure_future(self._perform(self._talk.step))
        try:
            await asyncio.wait({self._step})
            step, self._step = self._step, None
            reply = step.result()
        except (redis_py.RedisError, OSError) as error:
            if not self._closed:
                self._talk.failed(error)
        else:
            self._talk.answered(reply)

    async def _leave_step(self) -> None:
        if self._step is not None:
            self._step.cancel()
            await asyncio.wait({self._step})
            if not self._step.cancelled():
                self._step.exception()  # looked at, so that asyncio does not warn of it
            self._step = None
            self._talk.interrupted()

    async def _perform(self, step: Step) -> list[Any] | None:
        if step is None:
            return None
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        if isinstance(step, Scan):
            return await async_scan(self._client, step.options)
        return await async_exchange(self._client, step.commands)


@overload
def subscribe(
    cameras: str | Iterable[str] = ...,
    kinds: FrameKind | Iterable[FrameKind] = ...,
    group: str | None = ...,
    since: Since = ...,
    **options: Unpack[Options],
) -> Subscription[Frame]: ...
@overload
def subscribe(
    cameras: str | Iterable[str],
    kinds: list[EventsKind] | tuple[EventsKind],
    group: str | None = ...,
    since: Since = ...,
    **options: Unpack[Options],
) -> Subscription[ReceivedEvent]: ...
@overload
def subscribe(
    cameras: str | Iterable[str] = ...,
    kinds: StateKind | Iterable[StateKind] = ...,
    group: str | None = ...,
    since: Since = ...,
    **options: Unpack[Options],
) -> Subscription[Frame | Status]: ...
@overload
def subscribe(
    cameras: str | Iterable[str] = ...,
    kinds: SubscribedKind | Iterable[SubscribedKind] = ...,
    group: str | None = ...,
    since: Since = ...,
    **options: Unpack[Options],
) -> Subscription[Item]: ...
def subscribe(
    cameras: str | Iterable[str] = "*",
    kinds: SubscribedKind | Iterable[SubscribedKind] = ("detections",),
    group: str | None = None,
    since: Since = None,
    **options: Unpack[Options],
) -> Subscription[Any]:
    """Follows the results of cameras; as ``mirante.subscribe``, for ``async for``.

    Raises:
        ValueError: an argument is not as it should be.
        SubscribeError: while iterating: a wrong password, or no permission.
    """
    return Subscription(make_plan(cameras, kinds, group, since, options))
