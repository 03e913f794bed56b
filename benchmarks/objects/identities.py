"""Score trackers on each scene: IDF1 and ID switches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from benchmarks.objects.camera import Seen, watch
from benchmarks.objects.identity import Numbered, Score, judge
from benchmarks.objects.library import NOT_HERE, Answer
from benchmarks.objects.plan import Plan
from benchmarks.objects.scenes import SCENES, SECONDS
from mirante.frame import FrameResult

Tracker = Callable[[Sequence[FrameResult], float], Answer]  # frames, and how many are in a second
Trackers = dict[str, Tracker | None]  # None for what is not here


def identities(plan: Plan, trackers: Trackers) -> list[tuple[str, ...]]:
    """Return a row for each scene at each rate: IDF1 and switches of each tracker."""
    rows = []
    for scene in plan.scenes:
        for fps in plan.fps:
            scores = _scores(plan, trackers, scene, fps)
            cells = [cell(scores[name]) if name in scores else NOT_HERE for name in trackers]
            rows.append((scene, str(fps), *cells))
    return rows


def score(
    tracker: Tracker, fps: float, frames: Sequence[FrameResult], truth: Sequence[Numbered]
) -> Score:
    """Return how well a tracker's numbers fit the truth of frames."""
    answers = zip(frames, tracker(frames, fps).ids, strict=True)
    return judge(truth, [said_of(frame, ids) for frame, ids in answers])


def said_of(frame: FrameResult, ids: NDArray[np.int64]) -> Numbered:
    """Return the boxes of a frame that a tracker gave numbers to; below 0 is none."""
    has = ids >= 0
    return Numbered(ids[has], frame.detections.xyxy[has].astype(np.float64))


def seen_of(scene: str, fps: int, seed: int) -> list[Seen]:
    """Return the frames of a scene's world."""
    world, faults = SCENES[scene](seed)
    return list(watch(world, fps, SECONDS, faults, seed))


def truth_of(seen: Sequence[Seen]) -> list[Numbered]:
    """Return who is in frames, and where."""
    return [Numbered(each.truth.numbers, each.truth.xyxy) for each in seen]


def _scores(plan: Plan, trackers: Trackers, scene: str, fps: int) -> Mapping[str, list[Score]]:
    """Return the scores of each tracker, one a world."""
    scores: dict[str, list[Score]] = defaultdict(list)
    for seed in plan.seeds:
        seen = seen_of(scene, fps, seed)
        truth = truth_of(seen)
        frames = [each.result for each in seen]
        for name, tracker in trackers.items():
            if tracker is not None:
                scores[name].append(score(tracker, fps, frames, truth))
    return scores


def cell(scores: Sequence[Score]) -> str:
    """Return the means of IDF1 and switches as a table shows them."""
    idf1, switches = fmean(s.idf1 for s in scores), fmean(s.switches for s in scores)
    return f"{idf1:.3f} ({switches:.1f})"
