"""The job of one run of the line's bench, and its cost."""

from __future__ import annotations

import os
from dataclasses import dataclass

from engines.runtimes import threads_per_session


@dataclass(frozen=True, slots=True)
class Job:
    """The settings of one run.

    Attributes:
        clip: an H.264 MP4.
        model: a zoo detector or segmenter.
        cameras: how many play the clip at once.
        frames: frames of the clip.
        redis: address of a Redis for the results.
        width: most pixels of the analysed frame, either way.
        threads: of one inference; 0 chooses from cores and cameras.
        urls: live cameras instead of the clip, for ``live``.
        seconds: how long ``live`` is measured.
    """

    clip: str
    model: str
    cameras: int
    frames: int
    redis: str
    width: int = 640
    threads: int = 0
    urls: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def threads_each(self) -> int:
        """Threads of one inference."""
        return self.threads or threads_per_session(os.cpu_count() or 1, self.cameras)


@dataclass(frozen=True, slots=True)
class Measured:
    """The cost of a run. CPU time is the process's own, Redis not included."""

    frames: int
    wall_s: float
    cpu_s: float
    rss_mib: float

    @property
    def fps(self) -> float:
        """Frames per second, of all cameras together."""
        return self.frames / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per frame."""
        return 1e3 * self.cpu_s / self.frames
