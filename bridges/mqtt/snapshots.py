"""One image of each camera from time to time, as its worker shows it to people."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import redis

from bridges.background import Background
from mirante.keys import camera_of, key
from mirante.redis_url import RedisUrl
from mirante.wire.framed import unframed

log = logging.getLogger("mirante.bridge.mqtt")

_PATIENCE_S = 5.0


class Snapshots(Background):
    """A thread that listens for images only as long as each camera takes to make one.

    Args:
        url: of Redis.
        every_s: seconds between images of a camera.
        running: names those cameras that give images now.
        show: takes a camera's name and its JPEG.
    """

    def __init__(
        self,
        url: RedisUrl,
        every_s: float,
        running: Callable[[], list[str]],
        show: Callable[[str, bytes], None],
    ) -> None:
        super().__init__("mqtt-snapshots")
        self._url, self._every_s, self._running, self._show = url, every_s, running, show

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            wanted = self._running()
            try:
                if wanted:
                    self._round(set(wanted))
            except (redis.RedisError, OSError) as error:
                log.debug("no images: %s", self._url.explain(error))
            pause_s = self._every_s if wanted else min(self._every_s, 1.0)
            self._stop.wait(max(0.0, began_s + pause_s - time.monotonic()))

    def _round(self, wanted: set[str]) -> None:
        """Take one image of each of these cameras, or none of those that give none in time."""
        end_s = time.monotonic() + _PATIENCE_S
        with self._url.shaped_client(_PATIENCE_S) as client:
            channel = client.pubsub(ignore_subscribe_messages=True)
            try:
                channel.subscribe(*(key(camera, "preview") for camera in wanted))
                while wanted and not self._stop.is_set() and time.monotonic() < end_s:
                    message: Any = channel.get_message(timeout=0.2)
                    if message is None:
                        continue
                    camera = camera_of(message["channel"].decode())
                    if camera in wanted:
                        wanted.remove(camera)
                        channel.unsubscribe(message["channel"])
                        try:
                            jpeg = unframed(message["data"])[1]
                        except ValueError as error:
                            log.warning("%s: an image that cannot be read: %s", camera, error)
                            continue
                        self._show(camera, jpeg)
            finally:
                channel.close()
