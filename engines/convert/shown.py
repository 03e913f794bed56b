"""The images that both sides of a comparison see, and the tensors made of them."""

from __future__ import annotations

import numpy as np

from engines.builder.frames import Rgb, named, read_pictures
from engines.fed import besides
from engines.manifest import Input
from engines.preprocess import Preprocessor
from engines.runtimes import Session, Tensors

PICTURES = 16
NOISE = "noise, the same each time"
_COARSE_PX = 16


def pictures_of(frames: str | None) -> tuple[str, list[Rgb]]:
    """Return images and, in words, where they come from; none where no source is named.

    Raises:
        OSError, ValueError: as ``engines.builder.frames.read_pictures``.
    """
    if frames is None:
        return NOISE, []
    return named(frames), read_pictures(frames, PICTURES)


def noise(size: tuple[int, int]) -> list[Rgb]:
    """Two images, one coarse and one fine, so that not all is grey to a network that pools."""
    width, height = size
    rng = np.random.default_rng(0)
    few = (-(-height // _COARSE_PX), -(-width // _COARSE_PX), 3)
    coarse = rng.integers(0, 256, few, np.uint8).repeat(_COARSE_PX, 0).repeat(_COARSE_PX, 1)
    return [coarse[:height, :width].copy(), rng.integers(0, 256, (height, width, 3), np.uint8)]


def feeds_of(spec: Input, session: Session, pictures: list[Rgb]) -> list[Tensors]:
    """Return a network's inputs for each image, in arrays of their own."""
    preprocess = Preprocessor(spec, session.inputs[spec.name].dtype)
    feeds: list[Tensors] = []
    for rgb in pictures:
        tensor, at = preprocess.frame(rgb)
        feeds.append({spec.name: tensor.copy(), **besides(spec.extra, at.size, session.inputs)})
    return feeds
