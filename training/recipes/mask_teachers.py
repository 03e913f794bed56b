"""Masks from models that already know: any segmenter of the zoo marks planes in any image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import engines
from engines.files import digest_of, read_rgb, write_whole
from training.recipes.teachers import signature, watched


def planes_by_teacher(
    teacher: str, pictures: Sequence[Path], cache: Path, zooms: Sequence[float] = (1.0,)
) -> dict[Path, dict[str, Path]]:
    """Return a segmenter's planes of each image: by label, a grey PNG of the image's size.

    A PNG's values / 255 are the share of looks in which the teacher marked the pixel. It looks once
    at the image, or where ``zooms`` says more, at the middle of it and at its mirror as well:
    what a teacher says only from one side is doubtful.

    Args:
        teacher: a zoo model, or the path of a manifest.
        images: each is looked at once; the answers are kept in ``cache``.
        cache: folder for one PNG per teacher, label and content of an image.
        zooms: how much of the image each look leaves out: 1 is all of it, 2 the middle half.

    Raises:
        ModelUnavailableError: the teacher's file is not available anywhere.
    """
    labels = engines.manifest.find(teacher).labels
    folder = cache / f"{signature(teacher)}-{'-'.join(f'{zoom:g}' for zoom in zooms)}x"
    answers = {
        path: {label: folder / label / f"{digest}.png" for label in labels}
        for path, digest in ((path, digest_of(path)) for path in pictures)
    }
    new = [path for path, files in answers.items() if not all(f.is_file() for f in files.values())]
    if new:
        model = engines.load(teacher, threads=2)
        for path in watched(new, teacher):
            for label, plane in zip(labels, _look(model, read_rgb(path), zooms), strict=True):
                _write(answers[path][label], np.rint(plane * 255).astype(np.uint8))
    return answers


def _write(path: Path, plane: NDArray[np.uint8]) -> None:
    write_whole(path, cv2.imencode(".png", plane)[1].tobytes())


def _look(
    model: engines.Model, rgb: NDArray[np.uint8], zooms: Sequence[float]
) -> NDArray[np.float32]:
    """(planes, h, w) float32: the share of looks in which a pixel is marked."""
    height, width = rgb.shape[:2]
    total = np.zeros((len(model.labels), height, width), np.float32)
    looks = np.zeros((height, width), np.float32)
    for zoom in zooms:
        x, y = (round(side * (1 - 1 / zoom) / 2) for side in (width, height))
        window = (slice(y, height - y), slice(x, width - x))
        for mirrored in (False, True) if len(zooms) > 1 else (False,):
            shown = rgb[window][:, ::-1] if mirrored else rgb[window]
            planes = _planes(model, np.ascontiguousarray(shown))
            total[:, *window] += planes[..., ::-1] if mirrored else planes
            looks[window] += 1
    return total / looks


def _planes(model: engines.Model, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(planes, h, w) in 0..1 of the image's size, whatever the model's own."""
    size = (rgb.shape[1], rgb.shape[0])
    planes = model(rgb).masks[0].planes.astype(np.float32)
    way = cv2.INTER_AREA if planes.shape[2] > size[0] else cv2.INTER_LINEAR
    return np.stack([cv2.resize(plane, size, interpolation=way) for plane in planes])


def combined(
    how: Callable[[NDArray[np.uint8], NDArray[np.uint8]], Any], planes: tuple[Path, Path], to: Path
) -> Path:
    """The PNG of two planes: ``cv2.min`` of both, or ``cv2.max`` of either.

    It is written once, and lies beside ``to`` under a name that is longer by the planes' contents:
    what was made of other planes stays what it was.
    """
    contents = "".join(digest_of(path) for path in planes)
    to = to.with_stem(f"{to.stem}-{hashlib.sha256(contents.encode()).hexdigest()[:16]}")
    if not to.is_file():
        _write(to, how(*(read_rgb(path)[..., 0] for path in planes)))
    return to
