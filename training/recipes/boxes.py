"""Boxes to learn: what people drew, completed by what teachers see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.agreement import overlaps
from engines.found import Boxes
from engines.manifest import find
from training.datasets import BoxPicture, BoxSet, NoLabelsError
from training.datasets.folders import read_boxes, read_pictures
from training.recipes.job import Job
from training.recipes.teachers import boxes_by_teacher, chosen, labels_to_learn, merge

LEAST_SCORE = 0.15  # a teacher's doubt is taught too, but not its noise
COVERED = 0.5  # a teacher's box that overlaps a drawn one more is the same object
Rows = NDArray[np.float32]  # (n, 6): left, top, right, bottom, class, score


def own_set(job: Job) -> BoxSet:
    """A user's images: what people drew, and what the teachers add.

    Raises:
        DatasetError: there are neither labels nor teachers, or no images.
        ManifestError: a teacher is no detector.
    """
    try:
        found = read_boxes(job.data)
    except NoLabelsError:
        if not job.labels:
            raise
        found = BoxSet((), ())
    labels = labels_to_learn(found.labels, job.labels, job.teachers, Boxes)
    drawn = found.pictures or read_pictures(job.data)
    paths = [picture.path for picture in drawn]
    seen = [seen_by(teacher, paths, job.work, labels) for teacher in job.teachers]
    if not seen:
        return found
    everything = np.arange(len(labels))
    pictures = [
        complete(p, [rows for each in seen if len(rows := each[p.path])], everything) for p in drawn
    ]
    return BoxSet(labels, tuple(pictures))


def seen_by(
    teacher: str,
    paths: Sequence[Path],
    cache: Path,
    labels: tuple[str, ...],
    threshold: float = LEAST_SCORE,
    enlarge: float = 1.0,
) -> dict[Path, Rows]:
    """Return what a teacher sees of ``labels`` in each image."""
    known = find(teacher).labels
    rows = boxes_by_teacher(teacher, paths, cache, threshold, enlarge)
    return {path: chosen(found, known, labels) for path, found in rows.items()}


def complete(picture: BoxPicture, seen: Sequence[Rows], rivals: NDArray[np.int_]) -> BoxPicture:
    """The image with what teachers see beside what was drawn, and outside of crowds.

    Args:
        image: with its drawn boxes.
        seen: of each teacher.
        rivals: classes of which a teacher's box yields to a drawn one in its place, whatever its
            class: where a person saw a truck, a teacher's car is an error.
    """
    drawn = np.column_stack([picture.xyxy, picture.class_id, picture.score]).astype(np.float32)
    rows = merge(seen)
    if len(picture.crowd):
        whole = np.ones(len(picture.crowd), np.bool_)
        inside = overlaps(rows[:, :4], picture.crowd[:, :4], whole)  # of the box's own area
        rows = rows[inside.max(axis=1) <= COVERED]
    if len(drawn):
        covered = overlaps(rows[:, :4], drawn[:, :4]).max(axis=1) > COVERED
        rows = np.concatenate([drawn, rows[~(covered & np.isin(rows[:, 4], rivals))]])
    return replace(
        picture, xyxy=rows[:, :4], class_id=rows[:, 4].astype(np.int64), score=rows[:, 5]
    )
