"""The blocking subscription."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack, overload

import redis

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
from mirante.redis_url import exchange, scan
from mirante.status import Status

T_co = TypeVar("T_co", bound=Item, covariant=True)
REPLY_S = 2.0  # how long Redis may take to answer beyond the time that a read blocks


class Subscription(Generic[T_co]):
    """Iterates over results as they come. Belongs to one thread; ``close`` may be any thread's.

    Attributes:
        plan: what was asked for.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._talk = Conversation(plan)
        self._client = plan.url.client(plan.block_s + REPLY_S)
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[T_co]:
        return self

    def __next__(self) -> T_co:
        self._talk.reader.finish()
        while self._talk.hungry:
            if self._talk.over:
                self.close()
            if self._talk.refusal is not None:
                raise self._talk.refusal
            if self._closed.is_set():
                self._client.close()  # what this thread opened while another closed it
                raise StopIteration
            self._advance()
        return self._talk.reader.pop()  # type: ignore[return-value]

    @property
    def lost(self) -> Mapping[str, int]:
        """Frames by camera that were published and that this subscription will never see."""
        return dict(self._talk.reader.receiver.lost)

    def ack(self) -> None:
        """The item handed out last is done: needed before leaving a loop over a group early."""
        self._talk.reader.finish()

    def close(self) -> None:
        """Sends the acknowledgements that wait and leaves."""
        if not self._closed.is_set():
            self._closed.set()
            with suppress(redis.RedisError):  # what is not acknowledged is delivered once more
                exchange(self._client, self._talk.reader.last_words())
            self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _advance(self) -> None:
        try:
            reply = self._perform(self._talk.step)
        except (redis.RedisError, OSError) as error:
            if not self._closed.is_set():
                self._talk.failed(error)
        except BaseException:
            self._talk.interrupted()
            raise
        else:
            self._talk.answered(reply)

    def _perform(self, step: Step) -> list[Any] | None:
        if step is None:
            return None
        if isinstance(step, Pause):
            self._closed.wait(step.seconds)
            return None
        if isinstance(step, Scan):
            return scan(self._client, step.options)
        return exchange(self._client, step.commands)


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
    """Follows the results of cameras.

    Yields ``Frame`` for detections and masks (with both kinds asked for, the masks of a frame are
    joined to it), ``Event`` for events and ``Status`` for state changes. A Redis that goes away is
    waited for, with a warning in the log.

    Args:
        cameras: a name, several, or patterns such as ``"*"`` and ``"gate-?"``: all that exist and
            those that appear later.
        kinds: some of ``detections``, ``masks``, ``events``, ``status``.
        group: shares the entries among all consumers of this name, durably and at least once: an
            item is acknowledged when the next one is asked for, and what a dead consumer held is
            taken over.
        since: where to begin: None for what is new, ``"0"`` for all that Redis holds, an entry's
            ID (``frame.entry_id``) to resume there, a datetime, or a number of seconds ago. Of
            no effect on a group that exists.
        **options: ``redis``: address; default ``MIRANTE_REDIS_URL``, else
            ``redis://127.0.0.1:6379``. ``consumer``: this consumer's name in the group; the same
            name resumes what it held. ``timeout_s``: the iteration ends when nothing came for so
            long; None (default) never ends it. ``block_s`` (1): how long one read may wait;
            ``close`` from another thread takes effect within it. ``claim_s`` (30): what a consumer
            holds unacknowledged for so long goes to another. ``on_gap``: called with each ``Gap``,
            for those who want more than ``frame.lost_before``. ``where``: a filter of the events,
            such as ``label = person and zone = gate``, as ``mirante.where.Where`` explains; one
            that it holds back counts as handled in a group.

    Raises:
        ValueError: an argument is not as it should be.
        SubscribeError: while iterating: a wrong password, or no permission.
    """
    return Subscription(make_plan(cameras, kinds, group, since, options))
