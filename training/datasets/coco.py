"""Boxes in COCO's JSON (Lin et al. 2014, https://cocodataset.org/#format-data)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.files import read_rgb
from training.datasets import BoxPicture, BoxSet, DatasetError
from training.datasets.files import (
    check_name,
    group_of,
    is_aside,
    is_named_aside,
    own_split,
    pictures_in,
    read_text,
)

log = logging.getLogger(__name__)

KEYS = ("images", "annotations", "categories")
FOLDERS = (".", "annotations", "train", "val", "valid", "test")
EDGE = 0.05  # of a side may a box reach over the edge of an image whose size is not stated
SHOWN = 100  # characters of a wrong item


class _Box(NamedTuple):
    """An annotation: left, top, width, height in pixels."""

    where: str
    ltwh: tuple[float, ...]
    class_id: int
    crowd: bool


def coco_files(folder: Path) -> dict[Path, Any]:
    """The JSON files that have COCO's three lists, read: those in ``folder`` and in ``FOLDERS``.

    Raises:
        DatasetError: a file that ends in .json is none.
    """
    paths = [path for part in FOLDERS for path in sorted((folder / part).glob("*.json"))]
    files = {path: _load(path) for path in paths}
    return {
        path: data
        for path, data in files.items()
        if isinstance(data, dict) and all(isinstance(data.get(key), list) for key in KEYS)
    }


def read_coco(folder: Path, files: Mapping[Path, Any] | None = None) -> BoxSet:
    """All boxes of all COCO files of a folder; a crowd's box becomes ``BoxPicture.crowd``.

    Images lie anywhere below the folder. Those that a file lists and that are not there are left
    out, with a warning that says how many. Held out are those of files that are named ``val``,
    ``valid`` or ``test``, or that lie in such folders, where there are others too.

    Args:
        folder: holds files and images.
        files: what ``coco_files`` gave for it, where that was called before.

    Raises:
        DatasetError: naming the file, the annotation or image, its value and what was expected.
    """
    names: list[str] = []
    pictures: dict[Path, BoxPicture] = {}
    listed_by: dict[Path, Path] = {}
    aside: list[bool] = []
    missing = 0
    there = pictures_in(folder)
    for path, data in (coco_files(folder) if files is None else files).items():
        number = _classes(path, data["categories"], names)
        images = _images(path, data["images"])
        boxes = _boxes(path, data["annotations"], images, number)
        for key, image in images.items():
            found = _find(path, folder, there, image)
            if found is None:
                missing += 1
                continue
            if (other := listed_by.get(found.resolve())) is not None:
                twice = "listed twice" if other == path else f"also in {other.name}"
                raise DatasetError(f"{path}: {found.name} is {twice}; keep one of them")
            listed_by[found.resolve()] = path
            pictures[found] = _picture(path, found, image, boxes.get(key, []))
            named = is_named_aside(path) or is_aside(path, folder)
            aside.append(named or is_aside(found, folder))
    if not pictures:
        raise DatasetError(f"{folder}: expected images that the JSON lists, {missing} are missing")
    if missing:
        log.warning("%s: %d images that the JSON lists are missing", folder, missing)
    parted = zip(pictures.values(), own_split(aside), strict=True)
    return BoxSet(tuple(names), tuple(replace(each, own_split=own) for each, own in parted))


def _load(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}: not JSON: {error}") from error


def _classes(path: Path, categories: Iterable[Any], names: list[str]) -> dict[Any, int]:
    """Index in ``names``, which grows, of each category's id."""
    number: dict[Any, int] = {}
    for item in categories:
        _check(path, "categories", item, {"id": (int, str), "name": (str,)})
        check_name(f"{path}: categories: {item['id']!r}", item["name"])
        if item["id"] in number:
            raise DatasetError(
                f"{path}: categories: expected each id once, got {item['id']!r} twice"
            )
        if item["name"] not in names:
            names.append(item["name"])
        number[item["id"]] = names.index(item["name"])
    return number


def _images(path: Path, items: Iterable[Any]) -> dict[Any, Mapping[str, Any]]:
    """By id."""
    images: dict[Any, Mapping[str, Any]] = {}
    for item in items:
        _check(path, "images", item, {"id": (int, str), "file_name": (str,)})
        for key in ("width", "height"):
            if not isinstance(item.get(key), (int, float, type(None))):
                raise DatasetError(
                    f"{path}: image {item['id']}: {key}: expected a number, got {item[key]!r}"
                )
        if item["id"] in images:
            raise DatasetError(f"{path}: images: expected each id once, got {item['id']!r} twice")
        images[item["id"]] = item
    return images


def _check(path: Path, key: str, item: Any, expected: Mapping[str, tuple[type, ...]]) -> None:
    """Raises DatasetError unless ``item`` has the keys, each of one of its types."""
    wrong = [
        name
        for name, types in expected.items()
        if not isinstance(item, dict) or not isinstance(item.get(name), types)
    ]
    if wrong:
        raise DatasetError(
            f"{path}: {key}: expected {', '.join(expected)}; {', '.join(wrong)} is missing or of "
            f"another type in {repr(item)[:SHOWN]}"
        )


def _boxes(
    path: Path,
    annotations: Iterable[Any],
    images: Mapping[Any, Any],
    number: Mapping[Any, int],
) -> dict[Any, list[_Box]]:
    """By image id."""
    found: dict[Any, list[_Box]] = {}
    for item in annotations:
        _check(path, "annotations", item, {"image_id": (int, str), "category_id": (int, str)})
        where = f"{path}: annotation {item.get('id')}"
        if item["image_id"] not in images:
            raise DatasetError(f"{where}: image_id: no image has {item['image_id']!r}")
        if item["category_id"] not in number:
            raise DatasetError(f"{where}: category_id: no category has {item['category_id']!r}")
        if "bbox" not in item:
            raise DatasetError(
                f"{where}: bbox: expected left, top, width, height, got none; polygons are not "
                f"read: {repr(item)[:SHOWN]}"
            )
        box = _numbers(where, item["bbox"])
        crowd = item.get("iscrowd", 0)
        if crowd not in (0, 1):
            raise DatasetError(f"{where}: iscrowd: expected 0 or 1, got {crowd!r}")
        row = _Box(where, box, number[item["category_id"]], bool(crowd))
        found.setdefault(item["image_id"], []).append(row)
    return found


def _numbers(where: str, bbox: Any) -> tuple[float, ...]:
    try:
        left, top, width, height = (float(value) for value in bbox)
    except (TypeError, ValueError):
        left = top = width = height = float("nan")
    if not (np.isfinite([left, top]).all() and 0 < width < np.inf and 0 < height < np.inf):
        raise DatasetError(
            f"{where}: bbox: expected left, top, width > 0, height > 0, got {repr(bbox)[:SHOWN]}"
        )
    return left, top, width, height


def _find(
    path: Path, folder: Path, there: Mapping[str, list[Path]], image: Mapping[str, Any]
) -> Path | None:
    name: str = image["file_name"].replace("\\", "/")
    for base in (path.parent, folder, folder / "images"):
        beside = base / name
        if beside.is_file():
            return beside
    found = there.get(Path(name).name, [])
    if len(found) > 1:
        raise DatasetError(f"{path}: file_name {name!r}: expected one such image, got {found}")
    return found[0] if found else None


def _picture(
    path: Path, picture: Path, image: Mapping[str, Any], boxes: Iterable[_Box]
) -> BoxPicture:
    height, width = read_rgb(picture).shape[:2]
    stated = (image.get("width") or None, image.get("height") or None)
    if None not in stated and stated != (width, height):
        raise DatasetError(
            f"{path}: image {image['id']}: width, height: expected {width}x{height} as "
            f"{picture.name} has, got {stated[0]}x{stated[1]}; its boxes may be of another scale"
        )
    over = EDGE if None in stated else np.inf
    rows = [
        (*_corners(box, picture.name, (width, height), over), box.class_id, box.crowd)
        for box in boxes
    ]
    table: NDArray[np.float32] = np.array(rows, np.float32).reshape(-1, 6)
    crowd = table[:, 5] > 0
    drawn = table[~crowd]
    return BoxPicture(
        picture,
        group_of(picture.stem),
        drawn[:, :4],
        drawn[:, 4].astype(np.int64),
        np.ones(len(drawn), np.float32),
        table[crowd, :5],
    )


def _corners(box: _Box, name: str, size: tuple[int, int], over: float) -> tuple[float, ...]:
    """Left, top, right, bottom, cut at the edges; ``over`` is the share of a side that may be."""
    left, top, width, height = box.ltwh
    right, bottom = left + width, top + height
    across, down = max(-left, right - size[0]), max(-top, bottom - size[1])
    inside = left < size[0] and top < size[1] and right > 0 and bottom > 0
    if across > over * size[0] or down > over * size[1] or not inside:
        raise DatasetError(
            f"{box.where}: bbox: outside its image {name} of {size[0]}x{size[1]}, "
            f"got {list(box.ltwh)} of left, top, width, height"
        )
    return max(left, 0.0), max(top, 0.0), min(right, size[0]), min(bottom, size[1])
