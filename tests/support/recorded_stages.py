"""Stages that the tests put into pipelines."""

from __future__ import annotations

import time
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

import numpy as np

from mirante.detections import Detections

seen: list[Any] = []
counted: list[int] = []
shown: SimpleQueue[np.ndarray] = SimpleQueue()
walked: dict[str, list[float]] = {}


class Record:
    """Keeps what it is given; fails on the frames named, drops others."""

    def __init__(self, fail: list[int] | None = None, drop: list[int] | None = None) -> None:
        seen.clear()
        self.fail, self.drop = fail or [], drop or []

    def __call__(self, frame: np.ndarray, result: Any) -> Any:
        if result.seq in self.fail:
            raise RuntimeError(f"frame {result.seq} is cursed")
        if result.seq in self.drop:
            return None
        seen.append((frame.shape, frame.copy(), result))
        return replace(result, timings={**result.timings, "record": 1.0})


class Counted:
    """Notes how many objects a frame has, and drops it, which closes its account."""

    def __call__(self, frame: np.ndarray, result: Any) -> None:
        counted.append(len(result.detections))


class Unhurried:
    """Takes 20 ms for each frame, in which the processor is for others."""

    def __call__(self, frame: np.ndarray, result: Any) -> Any:
        time.sleep(0.02)
        return result


class Show:
    """Hands the pixels of each frame over to ``shown``, and drops it, which closes its account."""

    def __call__(self, frame: np.ndarray, result: Any) -> None:
        shown.put(frame.copy())


class Writer:
    """Tries to draw on the image, which belongs to everybody."""

    def __call__(self, frame: np.ndarray, result: Any) -> Any:
        frame[:] = 0
        return result


class Liar:
    """Returns what it should not."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, frame: np.ndarray, result: Any) -> Any:
        if self.kind == "exit":
            raise SystemExit("bye")
        if self.kind in {"camera", "seq", "captured_ns", "width"}:
            return replace(result, **{self.kind: "victim" if self.kind == "camera" else 99})
        return {"zero": 0, "number": 5, "text": "x"}[self.kind]


class Unwritable:
    """Leaves a timing that is no number on every other frame."""

    def __call__(self, frame: np.ndarray, result: Any) -> Any:
        return replace(result, timings={"x": "slow"}) if result.seq % 2 else result


class Standing:
    """Puts one object with a track into every frame, which stands at a place in source pixels."""

    def __init__(self, at: tuple[float, float]) -> None:
        (self.x, self.y) = at

    def __call__(self, frame: np.ndarray, result: Any) -> Any:
        box = [[self.x - 10, self.y - 40, self.x + 10, self.y]]
        there = Detections(
            np.array(box, np.float32),
            np.ones(1, np.float32),
            np.zeros(1, np.int32),
            ("person",),
            np.ones(1, np.int64),
        )
        return replace(result, detections=there)


class Walking:
    """Puts one object into each frame, which walks from the left to the right, from the first on.

    The next stage of the same name in this process goes on with it for some frames, after which it
    is gone: however late a busy machine begins, both have seen it.

    Args:
        name: by which ``walked`` has the Unix seconds of the frames that it is in.
        walk_s: that it would take for the whole width.
        goes_on: frames of the next stage that it is in.
    """

    def __init__(self, name: str, walk_s: float, goes_on: int) -> None:
        self.times, self.walk_s = walked.setdefault(name, []), walk_s
        self.left: float = goes_on if self.times else float("inf")

    def __call__(self, frame: np.ndarray, result: Any) -> Any:
        at_s = result.captured_ns / 1e9
        box: Any = np.empty((0, 4))
        if self.left > 0:
            self.left -= 1
            self.times.append(at_s)
            share = (at_s - self.times[0]) / self.walk_s
            x, y = share * result.width, 0.9 * result.height
            box = [[x - 10, y - 60, x + 10, y]]
        count = len(box)
        there = Detections(
            np.array(box, np.float32),
            np.full(count, 0.9, np.float32),
            np.zeros(count, np.int32),
            ("person",),
        )
        return replace(result, detections=there)
