"""Choose the default score threshold of each class: ``python -m training.recipes.thresholds ...``.

The command does for a model that is there what training does for a new one.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

import engines
from engines.files import read_rgb
from engines.head import check_labels
from engines.manifest import find
from engines.store.models import use_default_mirror
from training.datasets import BoxPicture
from training.datasets.folders import read_boxes, read_pictures
from training.evaluation.matching import Found, Truth, judge
from training.evaluation.pairing import numbers

log = logging.getLogger(__name__)

CANDIDATES = np.arange(0.15, 0.91, 0.01)
SURE = 0.4  # a teacher's box of a lower score is neither there nor not there
MOST_PICTURES = 1000
LEAST_BOXES = 10  # fewer of a class say nothing of it: it is judged with all others
MOST_FALSE = 0.16  # boxes in an image in which nothing is, of all classes together
OTHERWISE = 0.35  # where nothing can be said
LEAST_KEPT = 0.5  # of the boxes of a class that are right where F0.5 is best
BETA = 0.5  # a false alarm costs more than a miss: the next frame is another chance to find it


class Seen(NamedTuple):
    """What a model found in some images.

    Attributes:
        rows: (n, 4) float64: class, score, 1 for a hit, 1 where the image shows nothing.
        there: (classes,) int64 boxes that were to be found.
        empty: images that show nothing.
    """

    rows: NDArray[np.float64]
    there: NDArray[np.int64]
    empty: int


def best_thresholds(
    manifest: Path | str,
    pictures: Sequence[BoxPicture],
    labels: tuple[str, ...],
    otherwise: float = OTHERWISE,
) -> dict[str, float]:
    """The score of each class at which F0.5 is best (van Rijsbergen 1979, with ``BETA``).

    Where there are too few boxes of a class, the score that is best for all classes together. While
    images that show nothing have more than ``MOST_FALSE`` boxes each, the class is raised at which
    the fewest right boxes are lost for a false one that goes; ``LEAST_KEPT`` of a class's stay.

    Args:
        manifest: the model's.
        images: neither learnt nor held out: what is learnt is known better than what is not, and
            what is held out is for the figures.
        labels: of the images; each is one of the model's.
        otherwise: where nothing can be said, and it is logged that it is so.
    """
    seen = _look(manifest, pictures, labels)
    if seen.there.sum() < LEAST_BOXES:
        log.warning(
            "thresholds: expected %d boxes in images that are not learnt, got %d; all are %g",
            *(LEAST_BOXES, seen.there.sum(), otherwise),
        )
        return dict.fromkeys(labels, otherwise)
    best = _best_of_each(seen, otherwise)
    most, keep = int(MOST_FALSE * seen.empty), np.ceil(LEAST_KEPT * _right(seen, best))
    while (false := _false_in_empty(seen, best)) > most:
        if (raised := _cheapest(seen, best, keep, false - most)) is None:
            log.warning(
                "thresholds: %d false boxes stay in %d images with nothing in them, as sure as "
                "half of those that are right; learn more such images",
                *(false, seen.empty),
            )
            break
        best = raised
    return {label: round(float(score), 2) for label, score in zip(labels, best, strict=True)}


def _look(manifest: Path | str, pictures: Sequence[BoxPicture], labels: tuple[str, ...]) -> Seen:
    model = engines.load(str(manifest), threads=2, threshold=float(CANDIDATES[0]))
    number = numbers(model.labels, labels)
    rows = [np.zeros((0, 4))]
    there = np.zeros(len(labels), np.int64)
    empty = 0
    for picture in pictures[:: max(1, -(-len(pictures) // MOST_PICTURES))]:
        found = model(read_rgb(picture.path)).detections
        class_id = number[found.class_id]
        boxes = Found(found.xyxy, class_id, found.score).select(class_id >= 0)
        truth = Truth(
            np.concatenate([picture.xyxy, picture.crowd[:, :4]]),
            np.concatenate([picture.class_id, picture.crowd[:, 4].astype(np.int64)]),
            np.concatenate([picture.score < SURE, np.ones(len(picture.crowd), np.bool_)]),
        )
        verdict = judge(truth, boxes)
        judged = verdict.hit | verdict.false
        nothing = np.full(len(boxes.score), len(truth.class_id) == 0)
        columns = np.column_stack([boxes.class_id, boxes.score, verdict.hit, nothing])
        rows.append(columns[judged])
        there += np.bincount(truth.class_id[verdict.counted], minlength=len(labels))
        empty += len(truth.class_id) == 0
    return Seen(np.concatenate(rows), there, empty)


def _best_of_each(seen: Seen, otherwise: float) -> NDArray[np.float64]:
    """(classes,) float64: the candidates at which F0.5 is best."""
    together = _best(seen.rows, int(seen.there.sum()), otherwise)
    best = np.full(len(seen.there), together)
    for index in np.flatnonzero(seen.there >= LEAST_BOXES):
        rows = seen.rows[seen.rows[:, 0] == index]
        best[index] = _best(rows, int(seen.there[index]), together)
    return best


def _best(rows: NDArray[np.float64], there: int, otherwise: float) -> float:
    """The candidate at which F0.5 is best; ``otherwise`` where nothing was found."""
    above = rows[None, :, 1] >= CANDIDATES[:, None]
    found, right = above.sum(axis=1), (above * rows[:, 2]).sum(axis=1)
    f = (1 + BETA**2) * right / np.maximum(1, found + BETA**2 * there)
    return float(CANDIDATES[f.argmax()]) if f.any() else otherwise


def _false_in_empty(seen: Seen, best: NDArray[np.float64]) -> int:
    """Boxes in images that show nothing, at these thresholds."""
    false = seen.rows[seen.rows[:, 3] > 0]
    return int((false[:, 1] >= best[false[:, 0].astype(np.int64)]).sum())


def _right(seen: Seen, best: NDArray[np.float64]) -> NDArray[np.int64]:
    """(classes,) int64: right boxes of each, at these thresholds."""
    right = seen.rows[seen.rows[:, 2] > 0]
    kind = right[:, 0].astype(np.int64)
    return np.bincount(kind[right[:, 1] >= best[kind]], minlength=len(best))


def _cheapest(
    seen: Seen, best: NDArray[np.float64], keep: NDArray[np.floating], surplus: int
) -> NDArray[np.float64] | None:
    """Raise one class to where the fewest right boxes are lost for a false one in an empty image.

    Args:
        seen: what was found.
        best: (classes,) float64 thresholds.
        keep: (classes,) float, right boxes that are to stay.
        surplus: so many false boxes are to go; more are worth nothing.

    Returns:
        (classes,) float64; None where no class can spare any.
    """
    offers = []
    for index, score in enumerate(best):
        rows = seen.rows[(seen.rows[:, 0] == index) & (seen.rows[:, 1] >= score)]
        above = rows[None, :, 1] >= CANDIDATES[:, None]
        right, false = ((above * rows[:, column]).sum(axis=1) for column in (2, 3))
        spared = np.minimum(surplus, rows[:, 3].sum() - false)
        able = (spared > 0) & (right >= keep[index])
        lost = (rows[:, 2].sum() - right) / np.maximum(1, spared)
        cost = np.where(able, lost, np.inf)
        offers.append((float(cost.min()), index, float(CANDIDATES[cost.argmin()])))
    least, index, score = min(offers)
    if not np.isfinite(least):
        return None
    raised = best.copy()
    raised[index] = score
    return raised


def main() -> None:
    """Prints the thresholds that fit images with labels, and images with nothing in them."""
    parser = argparse.ArgumentParser(
        prog="python -m training.recipes.thresholds", description=__doc__
    )
    parser.add_argument("model", help="zoo name, or path of a manifest")
    parser.add_argument("--data", type=Path, required=True, help="images with boxes, not learnt")
    parser.add_argument("--empty", type=Path, help="images that show none of the classes")
    asked = parser.parse_args()
    use_default_mirror()
    manifest = find(asked.model)
    drawn = read_boxes(asked.data)
    check_labels(f"{asked.data}: classes", drawn.labels, manifest.labels)
    pictures = [*drawn.pictures, *(read_pictures(asked.empty) if asked.empty else ())]
    best = best_thresholds(asked.model, pictures, drawn.labels, manifest.threshold or OTHERWISE)
    sys.stdout.write(yaml.safe_dump({"thresholds": best}, sort_keys=False))


if __name__ == "__main__":
    main()
