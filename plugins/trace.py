"""The trace of a sampled frame: what took how long on its way from capture to Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mirante.frame import FrameResult

PUBLISHED = "published"  # the fate of a frame that Redis took
FAILED = "failed"  # of one on which a stage failed; of others why they were dropped


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a frame's way.

    Attributes:
        name: the stage, or what was waited for.
        began_ns, ended_ns: monotonic time.
        took_ms: its own parts in ms, by name.
        error: why it failed; empty when it did not.
    """

    name: str
    began_ns: int
    ended_ns: int
    took_ms: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


class Trace:
    """Follows one frame, which one thread has at a time.

    Args:
        frame: what is known of the frame when it leaves the decoder.
        decoded_ns: monotonic time at which it did.
        on_end: given the trace when the frame's way is over; quick, as locks may be held.

    Attributes:
        frame: which frame it is. It holds no findings, whose masks would be held as long.
        objects, masks: how many it has, once it is published.
        steps: in order.
        ended_ns: monotonic time at which its way was over.
        fate: ``PUBLISHED``, ``FAILED``, or why the frame was dropped; empty on its way.
        entry_id: its ID in Redis, where it got that far.
        error: why it failed.
        offset_ns: from monotonic time to Unix time.
    """

    __slots__ = (
        "_at", "_on_end", "ended_ns", "entry_id", "error", "fate", "frame", "masks", "objects",
        "offset_ns", "steps",
    )  # fmt: skip

    def __init__(
        self, frame: FrameResult, decoded_ns: int, on_end: Callable[[Trace], None]
    ) -> None:
        self.frame = frame
        self.objects = self.masks = 0
        self.steps: list[Step] = []
        self.ended_ns = decoded_ns
        self.fate = self.entry_id = self.error = ""
        self.offset_ns = time.time_ns() - time.monotonic_ns()
        self._at: tuple[str, int] | None = None  # the step that it is in, and since when
        self._on_end = on_end
        if (decode_ms := frame.timings.get("video_decode")) is not None:
            began_ns = decoded_ns - round(decode_ms * 1e6)
            self.steps.append(Step("video_decode", began_ns, decoded_ns))

    def begin(self, name: str, began_ns: int | None = None) -> None:
        """Begin a step, now or at a monotonic time before."""
        self._at = name, time.monotonic_ns() if began_ns is None else began_ns

    def close(self, took_ms: Mapping[str, float] | None = None, error: str = "") -> None:
        """End the step that has begun, if one has."""
        if self._at is not None:
            self.steps.append(Step(*self._at, time.monotonic_ns(), took_ms or {}, error))
            self._at = None

    def found(self, result: FrameResult) -> None:
        """Count the findings of the frame, which is published."""
        self.objects = len(result.detections)
        self.masks = sum(1 for _ in result.all_masks())

    def end(self, fate: str, entry_id: str = "", error: str = "") -> None:
        """Hand the trace on, once, with the step that it ended in."""
        if self.fate:
            return
        self.close(error=error)
        self.fate, self.entry_id, self.error = fate, entry_id, error
        self.ended_ns = time.monotonic_ns()
        self._on_end(self)


Sample = Callable[[FrameResult, int], Trace | None]
"""Given a frame and the monotonic ns at which it was decoded: its trace, if it is sampled."""
