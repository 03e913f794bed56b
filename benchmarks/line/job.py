"""The job of one run of the line's bench, and its cost."""

from __future__ import annotations

import os
from dataclasses import dataclass

import msgspec

from engines.runtimes import threads_per_session


@dataclass(frozen=True, slots=True)
class Job:
    """The settings of one run.

    Attributes:
        clip: an H.264 MP4.
        model: a zoo detector or segmenter; empty for cameras without stages.
        cameras: how many play the clip at once.
        frames: frames of the clip.
        redis: address of a Redis for the results.
        width: most pixels of the analysed frame, either way.
        threads: of one inference; 0 chooses from cores and cameras.
        urls: live cameras instead of the clip, for ``live``.
        seconds: how long ``live`` is measured.
        fps: frames a second that a live camera analyses; None for all.
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
    fps: float | None = None

    @classmethod
    def read(cls, text: str) -> Job:
        """Return the job that ``text`` wrote in another process."""
        return _read.decode(text)

    def text(self) -> str:
        """Return it as JSON, for the command line of a process that runs it."""
        return msgspec.json.encode(self).decode()

    @property
    def threads_each(self) -> int:
        """Threads of one inference."""
        return self.threads or threads_per_session(os.cpu_count() or 1, self.cameras)


_read = msgspec.json.Decoder(Job)


@dataclass(frozen=True, slots=True)
class Measured:
    """The cost of a run.

    Attributes:
        frames: done.
        wall_s: seconds that it took.
        cpu_s: CPU seconds of the process.
        rss_mib: most memory that the process had.
        redis_s: CPU seconds that Redis took meanwhile.
    """

    frames: int
    wall_s: float
    cpu_s: float
    rss_mib: float
    redis_s: float = 0.0

    @property
    def fps(self) -> float:
        """Frames per second, of all cameras together."""
        return self.frames / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per frame, of the process and of Redis."""
        return self.own_ms + self.redis_ms

    @property
    def of_a_core(self) -> float:
        """Percent of one core that the process and Redis take."""
        return 100 * (self.cpu_s + self.redis_s) / self.wall_s

    @property
    def own_ms(self) -> float:
        """CPU milliseconds per frame of the process."""
        return 1e3 * self.cpu_s / self.frames

    @property
    def redis_ms(self) -> float:
        """CPU milliseconds per frame of Redis."""
        return 1e3 * self.redis_s / self.frames
