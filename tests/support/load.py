"""Cameras that publish and subscribers that follow them, through whatever befalls their Redis."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import mirante
from mirante import Frame
from plugins.ledger import Ledger
from plugins.outbox.outbox import Outbox
from tests.support.simulated_camera import SimulatedCamera, lane_mask

SMALL = lane_mask(240, 64)  # each frame's is decoded twice


class Follower:
    """A subscriber on a thread of its own.

    Attributes:
        got: how often each frame came: camera and number.
        lost: frames that it was told are missing.
        maskless: frames whose masks are missing, which the reader was not told.
        sent_s: Unix seconds at which the last frame of each camera was handed to Redis.
    """

    def __init__(self, url: str, **options: Any) -> None:
        options = {"since": "0", "block_s": 0.2, **options}
        self.got: Counter[tuple[str, int]] = Counter()
        self.lost = self.maskless = 0
        self.sent_s: dict[str, float] = {}
        self._stop = threading.Event()
        kinds: Any = ("detections", "masks")
        self._subscription = mirante.subscribe("*", kinds, redis=url, timeout_s=None, **options)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for item in self._subscription:
            assert isinstance(item, Frame)
            self.got[item.camera, item.seq] += 1
            self.lost += item.lost_before or 0
            self.maskless += not item.masks and not item.masks_lost
            self.sent_s[item.camera] = item.sent

    def close(self) -> None:
        self._subscription.close()
        self._thread.join()

    @property
    def doubled(self) -> int:
        """Frames that came more than once."""
        return sum(times - 1 for times in self.got.values())


class Load:
    """Cameras of ten frames a second, of which one is dropped."""

    def __init__(self, url: str, names: Sequence[str], **options: Any) -> None:
        ledgers = {name: Ledger(name) for name in names}
        self.outbox = Outbox(url, on_lost=lambda camera, n: ledgers[camera].lost(n), **options)
        self.outbox.start()
        self.cameras = {n: SimulatedCamera(n, self.outbox, ledgers[n], 10.0, SMALL) for n in names}
        for camera in self.cameras.values():
            camera.start()

    def stop(self) -> None:
        """No more is published; what waits is sent."""
        for camera in self.cameras.values():
            camera.stop()
        self.outbox.close(20)

    @property
    def published(self) -> set[tuple[str, int]]:
        """Return camera and number of every frame that was handed to the outbox."""
        return {(n, seq) for n, camera in self.cameras.items() for seq in camera.published}

    @property
    def lost(self) -> int:
        """Return the frames that the outbox counted as lost."""
        return sum(self.outbox.state.lost.values())


@contextmanager
def loaded(url: str, names: Sequence[str]) -> Iterator[tuple[Load, Follower, Follower]]:
    """Publish for a while, with a reader and a consumer of a group; both have all at the end."""
    load = Load(url, names)
    followers = Follower(url), Follower(url, group="alarm", consumer="one", claim_s=600)
    try:
        _wait(lambda: all(set(names) <= f.sent_s.keys() for f in followers))
        yield load, *followers
        load.stop()
        _wait(lambda: all(load.published <= f.got.keys() for f in followers))
    finally:
        load.stop()
        for follower in followers:
            follower.close()


def _wait(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s and not condition():
        time.sleep(0.05)
