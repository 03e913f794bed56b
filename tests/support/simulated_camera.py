"""Frames as a camera would make them, with a true account."""

import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np

from mirante import Counts, Detections, FrameResult, Mask
from plugins.ledger import Ledger
from plugins.outbox.outbox import Outbox

BOXES = Detections(
    np.array([[10, 20, 110, 220], [300, 40, 420, 300], [5, 5, 50, 60]], np.float32),
    np.array([0.9, 0.8, 0.7], np.float32),
    np.array([0, 1, 0], np.int32),
    ("person", "car"),
)


def lane_mask(height: int = 360, width: int = 640) -> Mask:
    """Two slanted lines, as a lane model draws them."""
    y, x = np.mgrid[:height, :width]
    left, right = abs(x - (width * 0.5 - y * 0.6)) < 5, abs(x - (width * 0.5 + y * 0.6)) < 5
    return Mask.from_planes(("lane",), ((left | right) & (y > 200))[None], (0, 0, 1280, 720), "l")


LANES = lane_mask()


def frame(number: int, camera: str = "gate", **changes: Any) -> FrameResult:
    """Frame ``number`` of a camera that publishes all."""
    facts: dict[str, Any] = {
        "captured_ns": time.time_ns(),
        "epoch": 1_000,
        "detections": BOXES,
        "counts": Counts(number + 1, number + 1, {}, 0),
    }
    facts |= changes
    return FrameResult(
        camera, number, ts_source="arrival", width=1280, height=720, **{"timings": {}, **facts}
    )


class SimulatedCamera:
    """A thread that publishes ``fps`` frames a second until stopped, one of ten dropped by rate.

    Attributes:
        stalls_s: the longest and all durations of ``Outbox.publish``.
        published: numbers of the frames handed to the outbox, in order.
    """

    def __init__(
        self, name: str, outbox: Outbox, ledger: Ledger, fps: float = 30.0, mask: Mask = LANES
    ) -> None:
        self.ledger = ledger
        self.stalls_s: list[float] = []
        self.published: list[int] = []
        self.captured_ns: dict[int, int] = {}
        self._name = name
        self._outbox = outbox
        self._fps, self._mask = fps, mask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        due_s, number = time.monotonic(), 0
        while not self._stop.wait(max(0.0, due_s - time.monotonic())):
            due_s += 1 / self._fps
            self._one(number)
            number += 1

    def _one(self, pts: int) -> None:
        seq = self.ledger.decoded(pts, time.time_ns(), "arrival", (1280, 720))
        self.ledger.admitted(pts)
        if seq % 10 == 9:
            self.ledger.drop(pts, "rate")
            return
        self.ledger.taken(pts)
        found = self.ledger.get(pts)
        assert found is not None
        self.ledger.put(pts, replace(found, detections=BOXES, masks=(self._mask,)))
        result = self.ledger.publish(pts)
        assert result is not None
        started_s = time.perf_counter()
        self._outbox.publish(result)
        self.stalls_s.append(time.perf_counter() - started_s)
        self.published.append(seq)
