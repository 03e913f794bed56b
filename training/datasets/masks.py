"""Masks as grey PNGs, one per plane."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.files import SUFFIXES, is_picture
from training.datasets import DatasetError, MaskPicture, MaskSet
from training.datasets.files import by_stem, group_of, is_aside, own_split, pictures_below

LIKELY = 128  # of 255


def beside(folder: Path) -> list[MaskPicture]:
    """Images with ``<stem>_<plane>.png`` beside them; a plane's name has a letter.

    Of several images whose stems begin a mask's, the one with the longest is meant: a JPEG, or
    where there is none a PNG that is no mask itself.

    Raises:
        DatasetError: two images of one stem may be meant.
    """
    paths = [path for path in sorted(folder.iterdir()) if is_picture(path)]
    png = {path.stem: path for path in paths if path.suffix.lower() == ".png"}
    others = {path.stem: path for path in paths if path not in png.values()}
    planes: dict[Path, dict[str, Path]] = {}
    for stem, path in png.items():
        if (found := _owner(stem, others, png)) is not None:
            owner, plane = found
            if same := [p for p in paths if p.stem == owner.stem and p != owner]:
                raise DatasetError(f"{path}: expected one image, got {owner.name}, {same[0].name}")
            planes.setdefault(owner, {})[plane] = path
    return [MaskPicture(path, group_of(path.stem), found) for path, found in planes.items()]


def _owner(
    stem: str, others: Mapping[str, Path], png: Mapping[str, Path]
) -> tuple[Path, str] | None:
    """Whose mask a PNG is, and of which plane: that may have underscores in its name too."""
    words = stem.split("_")
    parts = [("_".join(words[:n]), "_".join(words[n:])) for n in range(len(words) - 1, 0, -1)]
    parts = [part for part in parts if re.search("[^\\W\\d_]", part[1])]  # cam_1, cam_2 are frames
    for begin, plane in parts:
        if begin in others:
            return others[begin], plane
    for begin, plane in parts:
        if begin in png and _owner(begin, others, png) is None:
            return png[begin], plane
    return None


def beside_below(folder: Path) -> list[MaskPicture]:
    """``beside`` in a folder and all below it; those below ``val`` or ``test`` are held out."""
    parts = sorted({path.parent for path in pictures_below(folder)})
    pictures = [picture for part in parts for picture in beside(part)]
    split = own_split([is_aside(picture.path, folder) for picture in pictures])
    return [replace(each, own_split=own) for each, own in zip(pictures, split, strict=True)]


def check_all_owned(folder: Path, pictures: Sequence[MaskPicture]) -> None:
    """Check that every PNG below ``folder`` named like a mask lies beside its image.

    Raises:
        DatasetError: naming the one that does not.
    """
    planes = {label for picture in pictures for label in picture.planes}
    known = {path for of in pictures for path in (of.path, *of.planes.values())}
    for path in pictures_below(folder):
        if path.suffix.lower() != ".png":
            continue
        plane = next((p for p in planes if path.stem.endswith(f"_{p}")), None)
        if plane is not None and path not in known:
            stem = path.stem.removesuffix(f"_{plane}")
            raise DatasetError(f"{path}: expected an image {stem}.* ({', '.join(SUFFIXES)})")


def in_folders(folder: Path) -> list[MaskPicture]:
    """Images in ``images`` with ``masks/<plane>/<stem>.png``, both with or without train, val.

    Raises:
        DatasetError: a mask has no image or is no PNG, or an image is there twice.
    """
    images, masks = folder / "images", folder / "masks"
    if not images.is_dir() or not masks.is_dir():
        return []
    owner = by_stem(images)
    planes: dict[Path, dict[str, Path]] = {stem: {} for stem in owner}
    for plane in sorted(path for path in masks.iterdir() if path.is_dir()):
        for stem, path in by_stem(plane).items():
            if path.suffix.lower() != ".png":
                raise DatasetError(f"{path}: expected a mask that is a PNG")
            if stem not in owner:
                raise DatasetError(
                    f"{path}: expected an image {images / stem}.* ({', '.join(SUFFIXES)})"
                )
            planes[stem][plane.name] = path
    drawn = [stem for stem, found in planes.items() if found]
    split = own_split([is_aside(owner[stem], images) for stem in drawn])
    return [
        MaskPicture(owner[stem], group_of(stem.name), planes[stem], own)
        for stem, own in zip(drawn, split, strict=True)
    ]


def mask_set(pictures: list[MaskPicture]) -> MaskSet:
    """Images and the names of all their planes, in the order of the alphabet."""
    labels = sorted({label for picture in pictures for label in picture.planes})
    return MaskSet(tuple(labels), tuple(pictures))


def read_plane(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(height, width) uint8, 255 where the plane is certain.

    Args:
        path: a PNG.
        size: width and height of its image.

    Raises:
        DatasetError: there is no PNG, it has another size, or is not grey and of 8 bits.
    """
    plane = _grey(path)
    if plane.shape != size[::-1]:
        got = f"{plane.shape[1]}x{plane.shape[0]}"
        raise DatasetError(f"{path}: expected {size[0]}x{size[1]} as its image has, got {got}")
    return plane


def check_drawn(path: Path) -> None:
    """Check that a person may have drawn the plane: it is empty, or somewhere it is likely.

    Raises:
        DatasetError: as ``read_plane``; or all values are small, as numbers of classes are.
    """
    most = int(_grey(path).max())
    if 0 < most < LIKELY:
        raise DatasetError(
            f"{path}: expected 255 where the plane is and 0 elsewhere, got values of {most} at most"
        )


def _grey(path: Path) -> NDArray[np.uint8]:
    plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if plane is None:
        raise DatasetError(f"{path}: expected a mask, found none that can be read")
    if plane.ndim == 3 and plane.shape[2] == 4 and (plane[..., 3] == 255).all():
        plane = plane[..., :3]  # nothing in it is transparent
    if plane.ndim == 3 and plane.shape[2] == 3 and (plane == plane[..., :1]).all():
        plane = plane[..., 0]  # grey, saved as three equal channels, as paint programs do
    if plane.dtype != np.uint8 or plane.ndim != 2:
        channels = 1 if plane.ndim == 2 else plane.shape[2]
        raise DatasetError(
            f"{path}: expected a grey PNG of 8 bits and 1 channel, got {plane.dtype} and "
            f"{channels} channels with values of {plane.max()} at most"
        )
    return np.asarray(plane, np.uint8)
