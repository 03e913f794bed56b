"""Boxes in the text layout of YOLO (Darknet): a line per box, a file per image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from engines.files import SUFFIXES, read_rgb
from training.datasets import BoxPicture, BoxSet, DatasetError
from training.datasets.files import by_stem, check_name, group_of, is_aside, own_split, read_text

EDGE = 1e-3  # how far rounding may take a box over the image's edge
LINE = "class cx cy w h, the last four in 0..1"


def yolo_roots(folder: Path) -> list[Path]:
    """Return the folders of ``images`` and ``labels``: this one, or each split below it."""
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    roots = [folder] if _is_root(folder) else below
    return [root for root in roots if _is_root(root)]


def _is_root(folder: Path) -> bool:
    return (folder / "images").is_dir() and (folder / "labels").is_dir()


def read_yolo(folder: Path) -> BoxSet:
    """Images in ``images`` and boxes in ``labels``, both with or without train, val, test below.

    They may also lie in ``train/images`` and ``train/labels``, ``valid/images`` … Names of the
    classes are in ``data.yaml`` (key ``names``) or, a line each, in ``classes.txt``, in the folder
    or beside it. An image without a file in ``labels`` has no objects. Images below ``val``,
    ``valid`` and ``test`` are held out.

    Raises:
        DatasetError: naming the file, the line, its value and what was expected.
    """
    names = _names(folder)
    for index, name in enumerate(names):
        check_name(f"{folder}: names: {index}", name)
    if len(set(names)) < len(names):
        raise DatasetError(f"{folder}: names: expected each once, got {', '.join(names)}")
    pairs = [pair for root in yolo_roots(folder) for pair in _pairs(root)]
    if not pairs:
        raise DatasetError(f"{folder}: expected images in images/, found none")
    split = own_split([is_aside(path, folder) for path, _ in pairs])
    return BoxSet(
        names,
        tuple(_picture(*pair, names, own) for pair, own in zip(pairs, split, strict=True)),
    )


def _pairs(root: Path) -> list[tuple[Path, Path]]:
    """Each image and its file of labels, which need not be there."""
    images, labels = root / "images", root / "labels"
    pictures = by_stem(images)
    texts = {path.relative_to(labels).with_suffix("") for path in labels.rglob("*.txt")}
    if lost := sorted(texts - set(pictures) - {Path("classes")}):
        raise DatasetError(
            f"{labels / lost[0]}.txt: expected an image {images / lost[0]}.* "
            f"({', '.join(SUFFIXES)})"
        )
    return [(path, labels / f"{stem}.txt") for stem, path in pictures.items()]


def _picture(path: Path, text: Path, names: tuple[str, ...], own: bool | None) -> BoxPicture:
    rows = np.array(list(_rows(text, len(names))), np.float64).reshape(-1, 5)
    height, width = read_rgb(path).shape[:2]
    half = rows[:, 3:] / 2
    corners = np.hstack([rows[:, 1:3] - half, rows[:, 1:3] + half]).clip(0, 1)
    xyxy = (corners * (width, height, width, height)).astype(np.float32)
    return BoxPicture(
        path,
        group_of(path.stem),
        xyxy,
        rows[:, 0].astype(np.int64),
        np.ones(len(rows), np.float32),
        own_split=own,
    )


def _rows(path: Path, classes: int) -> Iterator[list[float]]:
    """Class, centre and size of each box."""
    lines = read_text(path).splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = []
        if len(row) != 5:
            raise DatasetError(f"{where}: expected {LINE}, got {line!r}")
        if row[0] not in range(classes):
            raise DatasetError(f"{where}: class: expected 0..{classes - 1}, got {line.split()[0]}")
        x, y, width, height = row[1:]
        least, most = min(x - width / 2, y - height / 2), max(x + width / 2, y + height / 2)
        if not (width > 0 and height > 0 and least >= -EDGE and most <= 1 + EDGE):
            raise DatasetError(f"{where}: expected a box within 0..1, got {line!r}")
        yield row


def _names(folder: Path) -> tuple[str, ...]:
    for base in (folder, folder.parent):
        if (path := base / "data.yaml").is_file():
            return _from_yaml(path)
        for path in (base / "classes.txt", base / "labels" / "classes.txt"):
            if path.is_file():
                return _from_lines(path)
    raise DatasetError(f"{folder}: expected the classes' names in data.yaml or classes.txt")


def _from_lines(path: Path) -> tuple[str, ...]:
    names = [line.strip() for line in read_text(path).rstrip().splitlines()]
    if not names or "" in names:
        place = f"line {names.index('') + 1}: " if names else ""
        raise DatasetError(f"{path}: {place}expected the name of a class in each line, got none")
    return tuple(names)


def _from_yaml(path: Path) -> tuple[str, ...]:
    try:
        data = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise DatasetError(f"{path}: not YAML: {error}") from error
    names = data.get("names") if isinstance(data, dict) else None
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DatasetError(f"{path}: names: expected a list, or 0: name, 1: name …, got {names!r}")
    # A bare number is a name to everyone but YAML; yes, no and null may have meant anything.
    return tuple(str(name) if type(name) in (int, float) else name for name in names)
