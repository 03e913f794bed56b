"""Cameras of the fleet on their way from one worker to another, without a gap between the two.

The worker that gets a camera connects and lets frames pass its stages while the one before it still
publishes. Its first frame claims the camera; the other finds its claim gone, and stops. What the
stages know goes over at that moment, as it goes with each frame from when the camera is leaving.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

import redis

from mirante.keys import owner_key
from mirante.redis_url import RedisUrl, exchange
from pipeline.cameras.state import State
from pipeline.config.camera import Camera
from pipeline.config.settings import Settings
from pipeline.control.entries import Desired
from pipeline.control.sessions import LATE_S, may_be_full
from pipeline.worker.beating import Beating
from pipeline.worker.camera import RunningCamera
from plugins.outbox.outbox import Outbox

LEAVE_S = 15.0  # a worker that ends waits so long for others to take over its cameras
LEAVE_TICK_S = 0.1
ASK_S = 1.0  # between two looks at whether anybody publishes a camera


class Handovers:
    """The cameras that come to a worker, and leave it. Used by its main thread alone.

    Args:
        settings: the worker's.
        outbox: which finds out whose the cameras are.
        url: of Redis.

    Attributes:
        beating: tells the fleet that the worker works.
    """

    def __init__(self, settings: Settings, outbox: Outbox, url: RedisUrl) -> None:
        self._worker, self._outbox = settings.worker, outbox
        self.beating = Beating(settings.worker, settings.fleet, url)
        self._entries: Mapping[str, Desired] = {}
        self._url, self._ask_s = url, 0.0
        self._begun_s: dict[str, float] = {}
        self._taken: set[str] = (
            set()
        )  # cameras that are this worker's by now, whoever had them before

    def follow(
        self,
        entries: Mapping[str, Desired],
        leaving: Collection[str],
        cameras: Mapping[str, RunningCamera],
    ) -> dict[str, Camera]:
        """Take the entries of the worker's cameras; return those that are to run on until another
        worker publishes them.

        Args:
            entries: that say so now.
            leaving: cameras that others take over.
            cameras: that run.
        """
        self._entries = entries
        taken = {name for name, running in cameras.items() if not running.line.takes_over}
        self._taken = (self._taken | taken) & entries.keys()
        stay = {name: cameras[name].spec for name in leaving if name in cameras}
        for name, running in cameras.items():
            running.carriage.is_leaving = name in stay
        return stay

    def begin(self, name: str, at_once: bool = False) -> bool:
        """Tell the outbox of a camera that is about to start; return whether it is taken over from
        another worker, as of its first frame; ``at_once``: before that.
        """
        entry = self._entries.get(name)
        is_shared = entry is not None and entry.fleet
        of_another = entry is not None and entry.before not in ("", self._worker)
        is_taken = name in self._taken and name not in self._outbox.moved()
        takes_over = of_another and not at_once and not is_taken
        if takes_over:
            self._taken.discard(name)
        self._outbox.share(name, is_shared, is_shared and takes_over)
        self._begun_s[name] = time.monotonic()
        return is_shared and takes_over

    def is_own(self, name: str) -> bool:
        """Return whether this worker is to run a camera."""
        entry = self._entries.get(name)
        return entry is not None and entry.worker == self._worker and not entry.paused

    def late(self, cameras: Mapping[str, RunningCamera]) -> list[str]:
        """Return the cameras that gave no frame for too long, to be begun ``at_once``: those that
        may allow one session, which is the other worker's, and those that were tried in vain and
        that nobody publishes, so that it is told how they are.
        """
        before_s = time.monotonic() - LATE_S
        codes = {
            name: running.runner.code
            for name, running in cameras.items()
            if running.line.takes_over
            and running.runner.state is not State.RUNNING
            and running.runner.code is not None
            and self._begun_s[name] < before_s
        }
        late = [name for name, code in codes.items() if may_be_full(code)]
        return late + self._unclaimed([name for name in codes if name not in late])

    def _unclaimed(self, cameras: list[str]) -> list[str]:
        """Return those of some cameras that no worker publishes; asked once a second."""
        if not cameras or time.monotonic() < self._ask_s:
            return []
        self._ask_s = time.monotonic() + ASK_S
        try:
            with self._url.client(ASK_S) as client:
                owners = exchange(client, [("GET", owner_key(camera)) for camera in cameras])
        except redis.RedisError:
            return []
        return [c for c, owner in zip(cameras, owners, strict=True) if owner is None]

    def leave(
        self, cameras: Callable[[], Mapping[str, RunningCamera]], follow: Callable[[], None]
    ) -> None:
        """Go on for a while until other workers have taken over what the fleet gave to this one.

        Args:
            cameras: returns those that run.
            follow: looks at the registry, and hands over.
        """
        if not self._shared(cameras()) or not self.beating.leave():
            return
        until_s = time.monotonic() + LEAVE_S
        while self._shared(cameras()) and time.monotonic() < until_s:
            time.sleep(LEAVE_TICK_S)
            follow()

    def _shared(self, cameras: Mapping[str, RunningCamera]) -> list[str]:
        return [name for name in cameras if self._outbox.is_shared(name)]

    def gone(self) -> dict[str, str]:
        """Return the cameras that are another worker's now, each with why in words."""
        moved = self._outbox.moved()
        self._taken -= moved.keys()
        return {name: f"worker {worker} has it now" for name, worker in moved.items()}
