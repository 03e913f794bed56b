"""The latest image of each camera, sent only while somebody watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Container
from typing import Any

import redis

from mirante.keys import key
from mirante.redis_url import exchange
from mirante.wire.framed import framed

_POLL_S = 0.5


class Previews:
    """One slot per camera, and which cameras have a subscriber. Thread-safe.

    A message on the channel ``mirante:{camera}:preview`` is ``framed``: a header and the JPEG.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[str, bytes] = {}
        self._watched: dict[str, bool] = {}
        self._polled_s = float("-inf")

    def watched(self, camera: str) -> bool:
        """True while a subscriber listens, known to half a second; the first call is False."""
        with self._lock:
            return self._watched.setdefault(camera, False)

    def put(self, camera: str, jpeg: bytes, header: dict[str, Any]) -> None:
        """Replaces the camera's image if the last one still waits."""
        message = framed(header, jpeg)
        with self._lock:
            self._slots[camera] = message

    @property
    def waiting(self) -> bool:
        """True when there is an image to send."""
        return bool(self._slots)

    def forget(self) -> None:
        """Nobody can watch: there is no connection."""
        with self._lock:
            self._slots.clear()
            self._watched = dict.fromkeys(self._watched, False)

    def exchange(self, client: redis.Redis, others: Container[str]) -> None:
        """Sends the waiting images and asks, when it is time, who is watched.

        Args:
            client: of Redis.
            others: the cameras that are not this publisher's: their images are dropped.

        Raises:
            redis.RedisError: the connection is gone.
        """
        with self._lock:
            slots, self._slots = self._slots, {}
            due = time.monotonic() - self._polled_s >= _POLL_S
            cameras = list(self._watched) if due else []
        commands: list[tuple[Any, ...]] = [
            ("PUBLISH", key(c, "preview"), message)
            for c, message in slots.items()
            if c not in others
        ]
        if cameras:
            commands.append(("PUBSUB", "NUMSUB", *(key(c, "preview") for c in cameras)))
        if not commands:
            return
        reply = exchange(client, commands)[-1]
        if not cameras:
            return
        self._polled_s = time.monotonic()
        listeners = reply[1::2] if isinstance(reply, list) else [0] * len(cameras)
        with self._lock:
            self._watched.update(zip(cameras, (n > 0 for n in listeners), strict=True))
