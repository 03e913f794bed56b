"""Whose a camera is that workers share, as the registry says it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import redis

from mirante.keys import CAMERAS


class Place(msgspec.Struct, frozen=True):
    """Where a camera is; of its entry what a publisher must know.

    Attributes:
        worker: that runs it; empty for none.
        before: from which that one takes it over; empty for none.
    """

    worker: str
    before: str = ""

    def claims_from(self, worker: str) -> str | None:
        """Return the worker whose claim ``worker`` may take the place of, empty for none but its
        own; None where it may not claim the camera.
        """
        if worker == self.worker:
            return self.before
        return "" if worker == self.before else None  # it publishes until it is relieved


_read = msgspec.json.Decoder(Place)


def read_places(
    cameras: Sequence[str], exchange: Callable[[list[tuple[Any, ...]]], list[Any]]
) -> dict[str, Place]:
    """Return the place of each camera that has one: Redis may have lost the entries of others.

    Raises:
        redis.RedisError: Redis does not show them.
    """
    if not cameras:
        return {}
    [reply] = exchange([("HMGET", CAMERAS, *cameras)])
    if isinstance(reply, redis.RedisError):
        raise reply
    found = {}
    for camera, entry in zip(cameras, reply, strict=True):
        try:
            found[camera] = _read.decode(entry or b"")
        except msgspec.MsgspecError:
            continue
    return found
