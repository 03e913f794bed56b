"""What a stage is: a function of one frame and what is known about it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.names import resolve
from mirante.frame import FrameResult
from plugins.frame import Frame


class Stage(Protocol):
    """Called for each frame on the camera's own thread."""

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult | None:
        """Return what is known after this stage, or None to drop the frame (reason ``stage``).

        Args:
            frame: the image, for the time of the call.
            result: what the stages before found; boxes in pixels of the source frame, whose size
                is ``result.width`` by ``result.height``.

        Any exception is counted as a failed frame and reported; the camera continues.
        """


class UserStage(Protocol):
    """A stage of the user's own: a class whose constructor takes its options as keyword arguments,
    named in a camera's list of stages as ``"module:Class"``.
    """

    def __call__(self, frame: NDArray[np.uint8], result: FrameResult) -> FrameResult | None:
        """As a ``Stage``, with the pixels themselves.

        Args:
            frame: (height, width, 3) uint8 RGB at the analysis size. A view of the buffer: it may
                not be written to, and is overwritten after the call, so copy what must outlive it.
            result: what the stages before found.
        """


class OwnStage:
    """A user's stage among the others: it gets the frame's pixels, and what it returns is checked.

    Attributes:
        stage: the user's.

    Raises:
        TypeError: from a call, where the stage returned something else than a result or None. What
            it raises is passed on.
    """

    def __init__(self, stage: UserStage) -> None:
        self.stage = stage

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult | None:
        """Call the user's stage."""
        after: Any = self.stage(frame.pixels, result)
        if after is not None and not isinstance(after, FrameResult):
            name = type(self.stage).__qualname__
            raise TypeError(f"{name} returned {after!r:.80}; expected a FrameResult or None")
        return after


def make_own(python: str, options: dict[str, Any]) -> OwnStage:
    """Return a stage of the user's own, constructed.

    Args:
        python: ``"module:Class"``.
        options: keyword arguments of the class.

    Raises:
        UnknownNameError: there is no such class. What the class raises is passed on.
    """
    return OwnStage(resolve("stage", python, {})(**options))
