"""A user's own labelled folder: its layout is found out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engines.files import SUFFIXES
from training.datasets import BoxPicture, BoxSet, DatasetError, MaskSet, NoLabelsError
from training.datasets.coco import KEYS, coco_files, read_coco
from training.datasets.files import group_of, is_aside, own_split, pictures_below
from training.datasets.masks import (
    beside_below,
    check_all_owned,
    check_drawn,
    in_folders,
    mask_set,
)
from training.datasets.yolo_text import read_yolo, yolo_roots


def read_boxes(folder: Path) -> BoxSet:
    """Images with boxes, in COCO JSON or YOLO text. An image's group is its file's stem.

    Raises:
        DatasetError: a label is wrong; naming the file, the value and what was expected.
        NoLabelsError: neither layout is there; naming what was looked for.
    """
    _check(folder)
    if files := coco_files(folder):
        return read_coco(folder, files)
    if yolo_roots(folder):
        return read_yolo(folder)
    raise NoLabelsError(
        f"{folder}: expected boxes as COCO JSON (*.json or annotations/*.json with "
        f"{', '.join(KEYS)}) or as YOLO text (images/, labels/*.txt and data.yaml or classes.txt), "
        "found neither"
    )


def read_masks(folder: Path) -> MaskSet:
    """Images with a grey PNG per plane. An image's group is its file's stem.

    Raises:
        DatasetError: a mask has no image, or is no 8-bit grey PNG with 255 where the plane is.
        NoLabelsError: no known layout is there.
    """
    _check(folder)
    pictures = in_folders(folder)
    if not pictures:
        pictures = beside_below(folder)
        check_all_owned(folder, pictures)
    if not pictures:
        raise NoLabelsError(
            f"{folder}: expected masks as <stem>_<plane>.png beside the image <stem>.jpg or "
            ".png, or images in images/ and masks/<plane>/<stem>.png, found neither"
        )
    for picture in pictures:
        for plane in picture.planes.values():
            check_drawn(plane)
    return mask_set(pictures)


def read_pictures(folder: Path) -> tuple[BoxPicture, ...]:
    """The images below a folder alone, without the masks among them.

    Raises:
        DatasetError: there are none.
    """
    _check(folder)
    paths = pictures_below(folder)
    planes = {plane for of in beside_below(folder) for plane in of.planes.values()}
    kept = [p for p in paths if p not in planes and "masks" not in p.relative_to(folder).parts]
    if not kept:
        raise DatasetError(f"{folder}: expected images ({', '.join(SUFFIXES)}), found none")
    return without_labels(kept, folder)


def without_labels(paths: Sequence[Path], folder: Path) -> tuple[BoxPicture, ...]:
    """Images of which nothing is known, but their part in the split of ``folder``."""
    none = np.zeros((0, 6), np.float32)
    split = own_split([is_aside(path, folder) for path in paths])
    return tuple(
        BoxPicture(
            path,
            group_of(path.stem),
            none[:, :4],
            none[:, 4].astype(np.int64),
            none[:, 5],
            own_split=own,
        )
        for path, own in zip(paths, split, strict=True)
    )


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected a folder of images and labels, found none")
