"""Stages: functions of one frame's pixels and its result so far."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.names import resolve
from mirante.frame import FrameResult


class Stage(Protocol):
    """Called for each frame on the camera's own thread.

    A user's own stage is a class whose constructor takes its options as keyword arguments, named
    in a camera's list of stages as ``"module:Class"``.
    """

    def __call__(self, frame: NDArray[np.uint8], result: FrameResult) -> FrameResult | None:
        """Returns what is known after this stage, or None to drop the frame (reason ``stage``).

        Args:
            frame: (height, width, 3) uint8 RGB at the analysis size. A view of the buffer: it is
                overwritten after the call, so copy what must outlive it.
            result: what the stages before found; boxes in pixels of the source frame, whose size
                is ``result.width`` by ``result.height``.

        Any exception is counted as a failed frame and reported; the camera continues.
        """


def make_own(python: str, options: dict[str, Any]) -> Stage:
    """A stage of the user's own, constructed.

    Args:
        python: ``"module:Class"``.
        options: keyword arguments of the class.

    Raises:
        UnknownNameError: there is no such class. What the class raises is passed on.
    """
    stage: Stage = resolve("stage", python, {})(**options)
    return stage


def call(stage: Stage, frame: NDArray[np.uint8], result: FrameResult) -> FrameResult | None:
    """Calls a stage with a frame that it cannot write to.

    Raises:
        TypeError: it returned something else than a result or None. What it raises is passed on.
    """
    frame.flags.writeable = False
    after: Any = stage(frame, result)
    if after is not None and not isinstance(after, FrameResult):
        name = type(stage).__qualname__
        raise TypeError(f"{name} returned {after!r:.80}; expected a FrameResult or None")
    return after
