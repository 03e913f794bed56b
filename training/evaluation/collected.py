"""The labels that come with a collection of images (``training.datasets.collection``)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.agreement import overlaps
from training.datasets import BoxPicture, BoxSet, DatasetError, MaskPicture, MaskSet
from training.datasets.collection import Entry
from training.datasets.masks import beside, mask_set

LEAST_SCORE = 0.4  # of a teacher's box that is taken for true
SAME_OBJECT_IOU = 0.5
PERSON = "person"


def street_boxes(folder: Path, entries: Sequence[Entry]) -> BoxSet:
    """Return what people drew, by class and image, else what the teacher sees.

    People drew some classes in some images, so that a class that has no box of theirs in a
    image was perhaps not asked for there: the teacher's boxes of .4 and above stand for it, but
    not where one covers a drawn box.

    Raises:
        DatasetError: a file of labels is missing, or its classes differ from the other's.
    """
    human, teacher = (_labels(folder / f"street_{by}.json") for by in ("human", "teacher"))
    if human["classes"] != teacher["classes"]:
        raise DatasetError(
            f"{folder}/street_human.json: classes: expected {teacher['classes']}, as the teacher "
            f"has, got {human['classes']}"
        )
    pictures = [
        _picture(
            entry,
            _table(human["images"].get(entry.path.name, []), 5),
            _table(teacher["images"].get(entry.path.name, []), 6),
            teacher["classes"].index(PERSON),
        )
        for entry in entries
    ]
    return BoxSet(tuple(teacher["classes"]), tuple(pictures))


def road_masks(folder: Path, entries: Sequence[Entry]) -> MaskSet:
    """The planes that lie beside the images, as ``<stem>_<plane>.png``.

    Raises:
        DatasetError: there is none.
    """
    groups = {entry.path: entry.group for entry in entries}
    folders = {entry.path.parent for entry in entries}
    found = [picture for part in sorted(folders) for picture in beside(part)]
    pictures = [
        MaskPicture(picture.path, groups[picture.path], picture.planes)
        for picture in found
        if picture.path in groups
    ]
    if not pictures:
        raise DatasetError(f"{folder}: expected <stem>_<plane>.png beside images, found none")
    return mask_set(pictures)


def _labels(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; or name another model as the truth")
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def _table(rows: list[list[float]], columns: int) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, columns)


def _picture(
    entry: Entry, drawn: NDArray[np.float32], seen: NDArray[np.float32], person: int
) -> BoxPicture:
    seen = seen[(seen[:, 5] >= LEAST_SCORE) & ~np.isin(seen[:, 4], drawn[:, 4])]
    nothing = np.zeros(len(drawn), np.bool_)
    vehicle = seen[:, 4] != person  # people sit on and before vehicles, and are not these
    covered = (overlaps(seen[:, :4], drawn[:, :4], nothing) > SAME_OBJECT_IOU).any(axis=1)
    seen = seen[~(covered & vehicle)]
    rows = np.concatenate([np.column_stack([drawn, np.ones(len(drawn))]), seen])
    xyxy, score = rows[:, :4].astype(np.float32), rows[:, 5].astype(np.float32)
    return BoxPicture(entry.path, entry.group, xyxy, rows[:, 4].astype(np.int64), score)
