"""Reading the memory that a camera's last worker left, behind the claim of the camera.

In this order: what is read while another may still write is soon untrue, and an event that it wrote
in between would be told again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import redis

from mirante.keys import memory_key


@dataclass(slots=True, eq=False)
class Recall:
    """A memory that somebody waits for.

    Attributes:
        is_kept: the answer is kept for somebody who asks again and again, until it was had.
        saved: the value of its key; None while it is not known, empty where there is none.
    """

    is_kept: bool = False
    saved: bytes | None = None
    _answered: threading.Event = field(default_factory=threading.Event)

    def answer(self, saved: bytes) -> None:
        """End the wait."""
        self.saved = saved
        self._answered.set()

    def wait(self, timeout_s: float) -> bytes | None:
        """Return what it is, or None where that takes too long."""
        self._answered.wait(timeout_s)
        return self.saved


class Asked(Protocol):
    """A lane, as far as it is asked for a memory."""

    camera: str
    synced: bool
    recall: Recall | None

    @property
    def is_waiting(self) -> bool:
        """True while Redis has yet to take anything."""


AskedT = TypeVar("AskedT", bound=Asked)


def answer_recalls(
    lanes: Iterable[AskedT], exchange: Callable[[list[tuple[Any, ...]]], list[Any]]
) -> list[tuple[AskedT, redis.RedisError]]:
    """Read the memories that somebody waits for, where the camera is this publisher's and all that
    it has put is written.

    Returns:
        Lanes whose memory Redis does not show, with the error.
    """
    waits = [(lane, lane.recall) for lane in lanes if lane.synced and not lane.is_waiting]
    asked = [(lane, recall) for lane, recall in waits if recall and recall.saved is None]
    failed = []
    replies = exchange([("GET", memory_key(lane.camera)) for lane, _ in asked])
    for (lane, recall), reply in zip(asked, replies, strict=True):
        if isinstance(reply, redis.RedisError):
            failed.append((lane, reply))
            continue
        if not recall.is_kept:
            lane.recall = None
        recall.answer(reply or b"")  # last: who waited for it forgets it at once
    return failed
