"""A camera and a detector on a made-up street: frames, what is found in them, and the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.objects.world import Boxes, Truth, World
from mirante.detections import Detections
from mirante.frame import FrameResult

LABELS = ("person",)
BEGAN_NS = 1_700_000_000_000_000_000
_HIDDEN = 0.3  # share that shows, below which most are missed


@dataclass(frozen=True, slots=True)
class Faults:
    """The errors of a simulated detector.

    Attributes:
        missed: share of the boxes that are missed.
        bout_s: for how long somebody who is missed goes on being so, on average; 0 for by chance
            in each frame.
        noise_px: standard deviation of each edge.
        false: boxes a frame with nothing in them.
        cut: share of the boxes of half hidden people that end where they are hidden.
        strong, weak: the score of somebody who shows, and of somebody who hardly does.
    """

    missed: float = 0.1
    bout_s: float = 0.0
    noise_px: float = 3.0
    false: float = 0.2
    cut: float = 0.5
    strong: float = 0.85
    weak: float = 0.35


class Seen(NamedTuple):
    """One frame.

    Attributes:
        result: as a detector leaves it.
        truth: who is in it.
    """

    result: FrameResult
    truth: Truth


def watch(
    world: World, fps: float, seconds: float, faults: Faults | None = None, seed: int = 0
) -> Iterator[Seen]:
    """Yield the frames of a camera.

    Args:
        world: what it looks at.
        fps: frames a second.
        seconds: how long.
        faults: of the detector.
        seed: of its faults.
    """
    detector = Detector(faults or Faults(), seed)
    width, height = world.size
    for number in range(round(seconds * fps)):
        at_s = number / fps
        truth = world.truth(at_s)
        captured_ns, found = BEGAN_NS + round(at_s * 1e9), detector.find(truth, at_s, world.size)
        epoch = BEGAN_NS // 1_000_000
        result = FrameResult("street", number, epoch, captured_ns, "arrival", width, height, found)
        yield Seen(result, truth)


class Detector:
    """Finds people as far as its faults let it.

    Args:
        faults: of it.
        seed: the same for the same faults.
    """

    def __init__(self, faults: Faults, seed: int) -> None:
        self._faults = faults
        self._random = np.random.default_rng(seed)
        self._bouts: dict[int, tuple[float, bool]] = {}  # until when somebody is missed or found

    def find(self, truth: Truth, at_s: float, size: tuple[int, int]) -> Detections:
        """Return what is found, in an order that says nothing."""
        faults, random, shown = self._faults, self._random, truth.shown
        clear = 1 / (1 + np.exp((_HIDDEN - shown) / 0.05))
        there = (random.random(len(shown)) < clear) & ~self._missed(truth.numbers, at_s)
        cut = (random.random(len(shown)) < faults.cut) & (shown > 0)
        boxes = np.where(cut[:, None], truth.shown_xyxy, truth.xyxy)[there]
        boxes = boxes + random.normal(0, faults.noise_px, boxes.shape)
        scores = faults.weak + (faults.strong - faults.weak) * shown[there]
        scores = scores + random.normal(0, 0.07, len(scores))
        wrong = self._false(size)
        boxes = np.concatenate([boxes, wrong])
        scores = np.concatenate([scores, random.uniform(0.3, 0.6, len(wrong))])
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 2)
        order = random.permutation(len(boxes))
        return Detections(
            boxes[order].astype(np.float32),
            np.clip(scores[order], 0.05, 0.99).astype(np.float32),
            np.zeros(len(boxes), np.int32),
            LABELS,
        )

    def _missed(self, numbers: NDArray[np.int64], at_s: float) -> NDArray[np.bool_]:
        """Return who is missed: (n,)."""
        missed, bout_s, random = self._faults.missed, self._faults.bout_s, self._random
        if not bout_s:
            return np.asarray(random.random(len(numbers)) < missed)
        for number in numbers.tolist():
            until_s, is_missed = self._bouts.get(number, (at_s, bool(random.random() >= missed)))
            while until_s <= at_s:
                is_missed = not is_missed
                found_s = bout_s * (1 - missed) / missed
                until_s += random.exponential(bout_s if is_missed else found_s)
            self._bouts[number] = until_s, is_missed
        return np.array([self._bouts[number][1] for number in numbers.tolist()], np.bool_)

    def _false(self, size: tuple[int, int]) -> Boxes:
        """Return boxes anywhere: (n, 4)."""
        (width, height), random = size, self._random
        count = random.poisson(self._faults.false)
        tall = random.uniform(0.1, 0.4, count) * height
        x, y = random.uniform(0, width, count), random.uniform(0.3, 1, count) * height
        return np.stack([x - 0.2 * tall, y - tall, x + 0.2 * tall, y], axis=1)
