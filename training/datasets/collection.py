"""A folder of images from many sources, with a manifest that says where each is from."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.datasets import DatasetError
from training.datasets.files import group_of

COLUMNS = ("file", "set", "source", "original", "licence")
UNCLEAR = ("hw",)  # sets whose licence is stated, but some images look scraped: not trained on
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the manifest.

    Attributes:
        path: the image.
        set: short name of the set that it came with.
        group: what it must not be torn from: its photograph, its clip, or its stretch of a drive.
        source: where the set was published.
        licence: of the image.
    """

    path: Path
    set: str
    group: str
    source: str
    licence: str

    @property
    def is_clear(self) -> bool:
        """True if its licence permits learning from it."""
        return self.set not in UNCLEAR


def read_collection(folder: Path, part: str) -> list[Entry]:
    """The images in one sub-folder of ``folder``, by ``folder/manifest.csv``.

    Raises:
        DatasetError: there is no manifest, it lacks a column, or no image of ``part`` is there.
    """
    entries = [entry for entry in _rows(folder) if entry.path.parent.name == part]
    if not entries:
        raise DatasetError(f"{folder}: expected images in {part}/, the manifest has none")
    return entries


def _rows(folder: Path) -> Iterator[Entry]:
    path = folder / "manifest.csv"
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if missing := set(COLUMNS) - set(rows.fieldnames or ()):
            raise DatasetError(f"{path}: expected columns {', '.join(COLUMNS)}, no {missing}")
        for row in rows:
            picture = folder / row["file"]
            if picture.is_file():
                group = _group(row["set"], row["original"] or row["file"])
                yield Entry(picture, row["set"], group, row["source"], row["licence"])


def _group(of: str, original: str) -> str:
    if of.startswith("clip_"):
        return ""  # these are of the clips' first parts: what is held out is the rest
    return f"{of}/{_stretch(original) if of == 'road' else group_of(original)}"


def _stretch(original: str) -> str:
    """Return the stretch of a drive that an image of the set ``road`` is from.

    The set's names are numbers of frames, a few drives under the same numbers: ``00173`` of every
    so many metres, ``3400`` of every hundredth frame of a video. Neighbours show the same road, so
    that what is held out is stretches, of all drives at once.
    """
    found = _NUMBER.match(original)
    if found is None:
        raise DatasetError(f"{original}: expected the number of a frame, as in the set road")
    number = found[0]
    kind, count = ("keyframes", 50) if len(number) == 5 and number[0] == "0" else ("frames", 2000)
    first = int(number) // count * count
    return f"{kind} {first}-{first + count - 1}"
