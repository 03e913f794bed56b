"""Choose the default score threshold of each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import engines
from engines.files import read_rgb
from training.datasets import BoxPicture
from training.evaluation.matching import Found, Truth, judge

# What is learnt is known better than what is not: lower scores are right there, noise elsewhere.
CANDIDATES = np.arange(0.25, 0.71, 0.01)
SURE = 0.4  # a teacher's box of a lower score is neither there nor not there
MOST_PICTURES = 500
BETA = 0.5  # a false alarm costs more than a miss: the next frame is another chance to find it


def best_thresholds(
    manifest: Path, pictures: Sequence[BoxPicture], labels: tuple[str, ...], otherwise: float
) -> dict[str, float]:
    """The score of each class at which F0.5 is best (van Rijsbergen 1979, with ``BETA``).

    Args:
        manifest: the model's.
        images: those that it has learnt from: what is held out is for the figures.
        labels: of the images and of the model.
        otherwise: for a class that is not in them.
    """
    model = engines.load(str(manifest), threads=2, threshold=float(CANDIDATES[0]))
    rows: list[NDArray[np.float64]] = []
    there = np.zeros(len(labels), np.int64)
    for picture in pictures[:: -(-len(pictures) // MOST_PICTURES)]:
        found = model(read_rgb(picture.path)).detections
        boxes = Found(found.xyxy, found.class_id.astype(np.int64), found.score)
        truth = Truth(
            np.concatenate([picture.xyxy, picture.crowd[:, :4]]),
            np.concatenate([picture.class_id, picture.crowd[:, 4].astype(np.int64)]),
            np.concatenate([picture.score < SURE, np.ones(len(picture.crowd), np.bool_)]),
        )
        verdict = judge(truth, boxes)
        judged = verdict.hit | verdict.false
        rows.append(np.column_stack([boxes.class_id, boxes.score, verdict.hit])[judged])
        there += np.bincount(truth.class_id[verdict.counted], minlength=len(labels))
    table = np.concatenate(rows)
    best = {}
    for index, label in enumerate(labels):
        _, score, hit = table[table[:, 0] == index].T
        above = score[None] >= CANDIDATES[:, None]
        found, right = above.sum(axis=1), (above * hit).sum(axis=1)
        f = (1 + BETA**2) * right / np.maximum(1, found + BETA**2 * there[index])
        best[label] = round(float(CANDIDATES[f.argmax()]), 2) if f.any() else otherwise
    return best
