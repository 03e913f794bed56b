"""What a camera's gate, its decoder and whoever wakes it tell each other."""

from __future__ import annotations

import time
from collections import Counter, deque

LONG_S = 5.0  # without anything, after which it is quiet
_STALE_S = 6.0  # without a verdict: the stages hang, or the gate is gone

# Why a camera wakes, or does not sleep.
MOTION = "motion"  # in a key frame
SIZES = "sizes"  # of the images between key frames
GATE = "gate"  # it looks at frames, or says nothing
VIEWER = "viewer"  # somebody watches
SHARED = "shared"  # a camera that shares the session needs all frames
REQUEST = "request"  # somebody said that something happens
CAMERA = "camera"  # the camera itself said so


class Calm:
    """For how long a gate has seen nothing, and how the camera sleeps meanwhile. Written by the
    thread of the gate and by that of the decoder, read by any.

    Attributes:
        alone: keys of the newest frames that were decoded alone, those between them not, and in
            which nothing moves.
        spares: its gate lets some frames pass by the models, or drops them.
        may_sleep: it does where its stream allows it.
        left_alone: why its stream does not allow it, in words; empty where it does.
        wakes: how often it woke, by reason.
        unseen: images that were kept and not decoded when their session ended.
    """

    def __init__(self) -> None:
        self.alone: deque[int] = deque(maxlen=4)
        self.spares = self.may_sleep = False
        self.left_alone = ""
        self.wakes: Counter[str] = Counter()
        self.unseen = 0
        self._newest_s = self._stirred_s = self._called_s = float("-inf")
        self._called_by = REQUEST
        self._began_s = time.monotonic()
        self._since_s: float | None = None  # it is asleep
        self._slept_s = 0.0

    def noted(self, is_quiet: bool, now_s: float) -> None:
        """Note what the gate decided about a frame at a monotonic time."""
        self._newest_s = now_s
        if not is_quiet:
            self._stirred_s = now_s

    def call(self, seconds: float, by: str = REQUEST) -> None:
        """Wake, and have models look at each frame, for so long from now; ``by`` is counted."""
        self._called_by = by
        self._called_s = max(self._called_s, time.monotonic() + seconds)

    def is_called(self, now_s: float) -> bool:
        """Return whether somebody said that something happens."""
        return now_s < self._called_s

    def stirs(self, now_s: float) -> str:
        """Return why it does not sleep; empty where nothing has happened for long enough."""
        if self.is_called(now_s):
            return self._called_by
        is_long = now_s - self._stirred_s >= LONG_S and now_s - self._newest_s < _STALE_S
        return "" if is_long else GATE

    @property
    def is_asleep(self) -> bool:
        """True while key frames alone are decoded."""
        return self._since_s is not None

    def sleeps(self) -> None:
        """Note that it falls asleep."""
        self._since_s = time.monotonic()

    def woke(self, why: str) -> None:
        """Note that it wakes, and why."""
        self.wakes[why] += 1
        self.rests_no_more()

    def rests_no_more(self) -> None:
        """Note that it no longer sleeps, as when its session has ended."""
        since_s, self._since_s = self._since_s, None
        if since_s is not None:
            self._slept_s += time.monotonic() - since_s

    def slept_s(self) -> tuple[float, float]:
        """Return how many seconds it has slept, and for how many it has been there."""
        now_s, since_s = time.monotonic(), self._since_s
        return self._slept_s + (now_s - since_s if since_s else 0.0), now_s - self._began_s
