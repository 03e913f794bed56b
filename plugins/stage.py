"""What a stage is: a function of one frame's pixels and what is known about it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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

        Any exception is counted as a failed frame and reported; the camera goes on.
        """
