"""What consumers see of cameras: pauses, and entries of owners that have been replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, Self

import msgspec
import redis

from mirante.keys import key
from mirante.redis_url import RedisUrl

BLOCK_MS = 200


class _Said(msgspec.Struct):
    epoch: int


_read = msgspec.json.Decoder(_Said)


class Pause(NamedTuple):
    """A time without entries.

    Attributes:
        seconds: that it lasts.
        began_s: when the last entry before it was sent, Unix seconds.
    """

    seconds: float
    began_s: float


@dataclass(slots=True)
class Seen:
    """The entries of a camera, as they came.

    Attributes:
        at_s: when each was there, Unix seconds of the time at which its publisher sent it.
        epochs: of each.
    """

    at_s: list[float] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)

    def longest(self, since_s: float, until_s: float) -> Pause:
        """Return the longest pause in a time, at whose ends it is as if an entry had come."""
        inside = [at_s for at_s in self.at_s if since_s <= at_s <= until_s]
        if not inside:
            return Pause(until_s - since_s, since_s)
        found = (Pause(after - before, before) for before, after in pairwise(inside))
        return max(found, default=Pause(0.0, since_s))

    def stale(self) -> int:
        """Return how many entries stand behind one of a later epoch."""
        newest, found = -1, 0
        for epoch in self.epochs:
            found += epoch < newest
            newest = max(newest, epoch)
        return found


class Watch:
    """Reads the streams of cameras while it is open; a context manager.

    Args:
        url: address of Redis.
        cameras: to read.
    """

    def __init__(self, url: str, cameras: Collection[str]) -> None:
        self._url = RedisUrl(url)
        self.seen = {camera: Seen() for camera in cameras}
        self._last = {key(camera, "detections"): "$" for camera in cameras}
        self._of = {key(camera, "detections").encode(): camera for camera in cameras}
        self._changed = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()

    def add(self, camera: str) -> None:
        """Read one more."""
        with self._changed:
            self.seen[camera] = Seen()
            self._of[key(camera, "detections").encode()] = camera
            self._last[key(camera, "detections")] = "0"

    def wait_new(self, cameras: Collection[str], since_s: float, timeout_s: float) -> float:
        """Wait until each camera has a first entry that an owner who began after a moment sent;
        return when the last of them had, Unix seconds.

        Raises:
            TimeoutError: one has none; naming those.
        """
        until_s = time.monotonic() + timeout_s
        epochs = {}
        while True:
            with self._changed:
                for camera in cameras:
                    seen = self.seen[camera]
                    found = [
                        at_s
                        for at_s, epoch in zip(seen.at_s, seen.epochs, strict=True)
                        if at_s > since_s and epoch > self._before(camera, since_s)
                    ]
                    if found:
                        epochs[camera] = found[0]
            missing = [camera for camera in cameras if camera not in epochs]
            if not missing:
                return max(epochs.values(), default=since_s)
            if time.monotonic() > until_s:
                raise TimeoutError(f"nothing new of {', '.join(missing)} for {timeout_s:g} s")
            time.sleep(0.02)

    def _before(self, camera: str, since_s: float) -> int:
        seen = self.seen[camera]
        pairs = zip(seen.at_s, seen.epochs, strict=True)
        return max((epoch for at_s, epoch in pairs if at_s <= since_s), default=-1)

    def _run(self) -> None:
        with self._url.client(2.0) as client:
            while not self._over:
                try:
                    self._take(client.execute_command(*self._asked()))
                except redis.RedisError:
                    time.sleep(0.05)

    def _asked(self) -> list[object]:
        with self._changed:
            names, ids = list(self._last), list(self._last.values())
        return ["XREAD", "COUNT", 500, "BLOCK", BLOCK_MS, "STREAMS", *names, *ids]

    def _take(self, reply: list[tuple[bytes, list[tuple[bytes, list[bytes]]]]] | None) -> None:
        with self._changed:
            for stream, entries in reply or ():
                seen = self.seen[self._of[stream]]
                for entry_id, flat in entries:
                    fields = dict(zip(flat[::2], flat[1::2], strict=True))
                    seen.at_s.append(float(fields[b"sent"]))
                    seen.epochs.append(_read.decode(fields[b"json"]).epoch)
                    self._last[stream.decode()] = entry_id.decode()
