"""The data that a model is measured on: a clip, images, a labelled folder, or a collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, TypeVar

from engines.files import SUFFIXES, is_picture
from engines.found import Boxes, Found, Planes
from training.datasets import (
    BoxPicture,
    BoxSet,
    DatasetError,
    MaskPicture,
    MaskSet,
    NoLabelsError,
    is_held_out,
)
from training.datasets.collection import Entry, read_collection
from training.datasets.folders import read_boxes, read_masks, read_pictures, without_labels
from training.evaluation.collected import road_masks, street_boxes
from training.evaluation.pictures import Files, Frames, Pictures
from training.evaluation.request import Choice

Labelled = TypeVar("Labelled", bound=BoxPicture | MaskPicture)


class Labels(NamedTuple):
    """The labels of a kind of finding.

    Attributes:
        part: the sub-folder of a collection that has them.
        of_collection: reads those of some entries of it.
        of_folder: reads those of a labelled folder.
    """

    part: str
    of_collection: Callable[[Path, Sequence[Entry]], BoxSet | MaskSet]
    of_folder: Callable[[Path], BoxSet | MaskSet]


LABELS: Mapping[type[Found], Labels] = {
    Boxes: Labels("street", street_boxes, read_boxes),
    Planes: Labels("road", road_masks, read_masks),
}


class Data(NamedTuple):
    """Images, and their labels where they have any that were asked for."""

    pictures: Pictures
    labels: BoxSet | MaskSet | None


def open_data(choice: Choice, kind: type[Found], labelled: bool) -> Data:
    """Finds out what there is.

    Args:
        choice: which images.
        kind: what labels are to be.
        labelled: whether labels are wanted; else any images do.

    Raises:
        DatasetError: naming what is there and what was expected.
    """
    data = Path(choice.data)
    if data.is_file() and not is_picture(data):
        return Data(_clip(choice, labelled), None)
    if (data / "manifest.csv").is_file():
        found = _collection(choice, kind, labelled)
    else:
        found = _folder(choice, kind, labelled)
    if isinstance(found, list):
        return Data(Files(found[:: choice.every]), None)
    pictures = found.pictures[:: choice.every]
    return Data(Files([picture.path for picture in pictures]), found)


def _clip(choice: Choice, labelled: bool) -> Frames:
    if labelled:
        raise DatasetError(f"{choice.data}: a clip has no labels; name a model as the truth")
    if choice.held_out or choice.sets:
        raise DatasetError(f"{choice.data}: held-out and sets are not for clips; part is")
    start, end = _shares(choice.part or "0:1")
    return Frames(Path(choice.data), start, end, choice.every)


def _shares(part: str) -> tuple[float, float]:
    try:
        start, end = (float(share) for share in part.split(":"))
    except ValueError:
        start, end = 1.0, 0.0
    if not 0 <= start < end <= 1:
        raise DatasetError(f"part: expected FROM:TO with 0 <= FROM < TO <= 1, got {part!r}")
    return start, end


def _collection(choice: Choice, kind: type[Found], labelled: bool) -> BoxSet | MaskSet | list[Path]:
    folder, part = Path(choice.data), choice.part or LABELS[kind].part
    entries = read_collection(folder, part)
    if unknown := set(choice.sets) - {entry.set for entry in entries}:
        known = ", ".join(sorted({entry.set for entry in entries}))
        raise DatasetError(f"sets: no {', '.join(sorted(unknown))} in {part}; there are {known}")
    entries = [
        entry
        for entry in entries
        if (entry.set in choice.sets if choice.sets else entry.is_clear)
        and (not choice.held_out or is_held_out(entry.group))
    ]
    if not entries:
        raise DatasetError(f"{folder}/{part}: no image is left, of those sets and held out")
    if not labelled:
        return [entry.path for entry in entries]
    if part != LABELS[kind].part:
        raise DatasetError(
            f"part: {part} has no labels to {kind.task}, {LABELS[kind].part} has; "
            "or name a model as the truth"
        )
    return LABELS[kind].of_collection(folder, entries)


def _folder(choice: Choice, kind: type[Found], labelled: bool) -> BoxSet | MaskSet | list[Path]:
    folder = Path(choice.data)
    if choice.part or choice.sets:
        raise DatasetError(f"{choice.data}: part and sets are not for a folder or a pattern")
    if not labelled:
        return [picture.path for picture in _held(choice, _alone(choice, kind))]
    found = LABELS[kind].of_folder(folder)
    _held(choice, found.pictures)  # raises where none is left
    return found.held_out() if choice.held_out else found


def _held(choice: Choice, pictures: Sequence[Labelled]) -> list[Labelled]:
    kept = [picture for picture in pictures if picture.is_held_out or not choice.held_out]
    if not kept:
        raise DatasetError(
            f"{choice.data}: none of its {len(pictures)} images is held out; training leaves "
            "aside what is below val/ or test/, else a tenth by name"
        )
    return kept


def _alone(choice: Choice, kind: type[Found]) -> Sequence[BoxPicture | MaskPicture]:
    """One image, those below a folder without the masks among them, or those of a pattern.

    What is held out may be said by the names of files of labels, so that these are read for it.
    """
    folder = Path(choice.data)
    if not folder.is_dir():
        return (
            without_labels([folder], folder.parent) if is_picture(folder) else _of_pattern(folder)
        )
    if choice.held_out:
        try:
            return LABELS[kind].of_folder(folder).pictures
        except NoLabelsError:
            pass
    return read_pictures(folder)


def _of_pattern(pattern: Path) -> tuple[BoxPicture, ...]:
    fixed = list(takewhile(lambda part: not set(part) & set("*?["), pattern.parts))
    if len(fixed) == len(pattern.parts):
        raise DatasetError(f"{pattern}: expected a clip, a folder or a pattern, nothing is there")
    rest = "/".join(pattern.parts[len(fixed) :])
    paths = sorted(path for path in Path(*fixed).glob(rest) if is_picture(path))
    if not paths:
        raise DatasetError(f"{pattern}: expected images ({', '.join(SUFFIXES)}), found none")
    return without_labels(paths, Path(*fixed))
