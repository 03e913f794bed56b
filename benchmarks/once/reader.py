"""A consumer of one camera's events, which reads on through every outage."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import redis

from mirante.backoff import Backoff
from mirante.events import Event
from mirante.keys import key
from mirante.redis_url import RedisUrl
from mirante.wire.events import decode_event

BLOCK_MS = 200


class Reader:
    """Reads on a thread of its own, until closed.

    Args:
        url: of Redis.
        camera: its name.

    Attributes:
        events: that came, in order.
    """

    def __init__(self, url: str, camera: str) -> None:
        self.events: list[Event] = []
        self._url, self._stream = RedisUrl(url), key(camera, "events")
        self._last = "0-0"
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Read no more."""
        self._closed.set()
        self._thread.join()

    def _run(self) -> None:
        backoff = Backoff()
        while not self._closed.is_set():
            with suppress(redis.RedisError, OSError), self._url.client() as client:
                while not self._closed.is_set():
                    self._read(client)
                    backoff.reset()
            self._closed.wait(min(0.5, backoff.next_s()))

    def _read(self, client: redis.Redis) -> None:
        reply: Any = client.xread({self._stream: self._last}, block=BLOCK_MS)
        for entry_id, fields in reply[0][1] if reply else ():
            json = dict(zip(fields[::2], fields[1::2], strict=True))[b"json"]
            self.events.append(decode_event(json))
            self._last = entry_id.decode()
