"""The package ``trackers`` in an environment of its own: who is who, and how long it takes."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.environments import python_with
from mirante.frame import FrameResult

VERSION = "2.6"
TRACKERS = ("bytetrack", "botsort")
NOT_HERE = "not here"  # where it cannot be installed
_LOOP = Path(__file__).with_name("library_loop.py")

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """A tracker's answer for a sequence.

    Attributes:
        ids: (n,) int64 of each frame's objects, in their order; -1 without a track.
        ms: median time of a frame.
    """

    ids: list[NDArray[np.int64]]
    ms: float


class Library:
    """The package in a process of its own, that talks JSON, a sequence a line.

    Raises:
        OSError: it cannot be installed or started.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [_python(), str(_LOOP)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def track(self, name: str, frames: Sequence[FrameResult], fps: float) -> Answer:
        """Return what a tracker says of frames.

        Args:
            name: one of ``TRACKERS``.
            frames: one after the other.
            fps: of them in a second.

        Raises:
            OSError: the process ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        boxes = [
            [frame.detections.xyxy.tolist(), frame.detections.score.tolist()] for frame in frames
        ]
        stdin.write(json.dumps({"tracker": name, "fps": fps, "frames": boxes}) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise OSError(f"the package trackers ended with status {self._process.wait()}")
        ids, ms = msgspec.json.decode(line, type=tuple[list[list[int]], float])
        return Answer([np.array(each, np.int64) for each in ids], ms)

    def tracker(self, name: str) -> Callable[[Sequence[FrameResult], float], Answer]:
        """Return ``track`` of one of ``TRACKERS``."""
        return partial(self.track, name)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def open_library() -> Library | None:
    """Return the package, installed where it is not; None, and a warning, where it cannot be."""
    try:
        return Library()
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("the package trackers is left out: %s", error)
        return None


def _python() -> str:
    """Return the interpreter of an environment that has the package."""
    return python_with(f"trackers-{VERSION}", [f"trackers=={VERSION}.*"])
