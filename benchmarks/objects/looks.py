"""Tracking with appearance, on simulated streets with a simulated embedding model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.objects.camera import Seen
from benchmarks.objects.identities import cell, said_of, seen_of, truth_of
from benchmarks.objects.identity import Score, judge
from benchmarks.objects.plan import Plan
from engines.agreement import overlaps
from plugins.track.bytetrack.tracker import ByteTrack

COLUMNS = ("scene", "fps", "mirtrack", "with looks", "boxes", "looked at", "ms more")
_NUMBERS = 128  # of a look
_NOISE = 0.35  # of one look, as a share of its length
_SAME = 0.3  # what the looks of all have in common, likewise
_STREET = 0.3  # weight of what else a box shows

Vectors = NDArray[np.float32]


class StreetLooks:
    """The looks of the boxes of one frame: of who shows there, in shares, and of the street.

    Args:
        seen: the frame.
        people: (m, d) of all by number; that of the street first.
        random: noise.

    Attributes:
        space: as in ``plugins.track.appearance.Looks``.
        asked: how many were taken.
        took_s: in all.
    """

    space: object = "street"

    def __init__(self, seen: Seen, people: Vectors, random: np.random.Generator) -> None:
        self._seen, self._people, self._random = seen, people, random
        self.asked, self.took_s = 0, 0.0

    def at(self, places: NDArray[np.intp]) -> Vectors:
        """Return the looks of the boxes at these places."""
        began_s = time.thread_time()
        truth = self._seen.truth
        shows = overlaps(self._seen.result.detections.xyxy[places], truth.xyxy) ** 2 * truth.shown
        rest = _STREET * np.maximum(1 - shows.sum(axis=1, keepdims=True), 0.0)
        looks = _unit(shows @ self._people[truth.numbers] + rest * self._people[0])
        noise = self._random.normal(0, _NOISE / _NUMBERS**0.5, looks.shape)
        self.asked += len(places)
        self.took_s += time.thread_time() - began_s
        return _unit(looks + noise)


class _Watched(NamedTuple):
    """A tracker's score in one world, and per frame the boxes, those looked at, and CPU ms."""

    score: Score
    boxes: float
    asked: float
    ms: float


def looks_rows(plan: Plan) -> list[tuple[str, ...]]:
    """Return a row for each scene at each rate: scores without and with looks, and their cost."""
    rows = []
    for scene in plan.scenes:
        for fps in plan.fps:
            worlds = [seen_of(scene, fps, seed) for seed in plan.seeds]
            plain = [_watched(seen, None) for seen in worlds]
            pairs = zip(worlds, plan.seeds, strict=True)
            looking = [_watched(seen, np.random.default_rng(seed)) for seen, seed in pairs]
            more = fmean(each.ms for each in looking) - fmean(each.ms for each in plain)
            rows.append(
                (
                    scene,
                    str(fps),
                    *(cell([each.score for each in some]) for some in (plain, looking)),
                    f"{fmean(each.boxes for each in looking):.1f}",
                    f"{fmean(each.asked for each in looking):.1f}",
                    f"{more:.3f}",
                )
            )
    return rows


def _watched(frames: Sequence[Seen], random: np.random.Generator | None) -> _Watched:
    """Return a tracker's score; with looks if ``random`` gives the noise for them."""
    tracker, said, boxes, asked, took_s = ByteTrack(), [], 0, 0, 0.0
    people = _people(frames, random or np.random.default_rng())
    for seen in frames:
        looks = None if random is None else StreetLooks(seen, people, random)
        began_s = time.thread_time()
        ids = tracker.update(seen.result, looks).ids
        took_s += time.thread_time() - began_s
        said.append(said_of(seen.result, ids))
        boxes += len(ids)
        if looks is not None:
            asked, took_s = asked + looks.asked, took_s - looks.took_s
    n = len(frames)
    return _Watched(judge(truth_of(frames), said), boxes / n, asked / n, took_s / n * 1e3)


def _people(frames: Sequence[Seen], random: np.random.Generator) -> Vectors:
    """Return (m, d) looks: of the street, and of everybody by their number."""
    count = 1 + max(int(seen.truth.numbers.max(initial=0)) for seen in frames)
    own = random.normal(0, 1, (count, _NUMBERS)) + _SAME * random.normal(0, 1, _NUMBERS)
    return _unit(own)


def _unit(looks: NDArray[np.float64]) -> Vectors:
    return np.asarray(looks / np.linalg.norm(looks, axis=1, keepdims=True), np.float32)
