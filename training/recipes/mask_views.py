"""Augmented views of images with masks: a view is a pure function of its number and the seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from engines.files import read_rgb
from training.datasets import MaskPicture
from training.datasets.masks import read_plane
from training.recipes.colour import jitter

Random = np.random.Generator
Views = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Camera:
    """The ways in which views differ from their images.

    Attributes:
        scale: of the image, least and most; 1 just covers the view.
        aspect: natural logarithm of the largest stretch.
        shift: share of the view by which its middle may leave the image's, where that is not
            enough to see all of the image.
        turn_deg: largest rotation.
        light: strength of the changes of colour.
        shrunk: by how much a view is shrunk at most, and enlarged again: little is seen of what is
            small.
    """

    scale: tuple[float, float] = (0.85, 1.8)
    aspect: float = 0.25
    shift: float = 0.1
    turn_deg: float = 5.0
    light: float = 1.0
    shrunk: float = 1.0


class MaskViews(Dataset[Views]):
    """Endless augmented views; the same number gives the same view in every run and process.

    Args:
        images: held in memory, larger ones no larger than any view shows them.
        labels: the planes, in the order of the targets.
        size: width and height of a view in pixels.
        seed: of all that is drawn.
        camera: what is drawn.
        odds: how often to show each image, relative to the others; equally when None.

    Raises:
        DatasetError: an image or a plane cannot be read, or they differ in size.
    """

    def __init__(
        self,
        pictures: Sequence[MaskPicture],
        labels: Sequence[str],
        size: tuple[int, int],
        seed: int,
        camera: Camera | None = None,
        odds: Sequence[float] | None = None,
    ) -> None:
        self._labels, self._size, self._seed = labels, size, seed
        self._camera = camera or Camera()
        most = max(self._camera.scale[1], 1.0)
        self._pictures = [_read(picture, size, most) for picture in pictures]
        weights = np.ones(len(pictures)) if odds is None else np.array(odds, np.float64)
        self._odds = np.cumsum(weights / weights.sum())

    def __getitem__(self, number: int) -> Views:
        """View ``number``.

        Returns:
            (3, h, w) uint8 RGB; (planes, h, w) uint8, 255 times the probability; and the same
            shape, 255 where the plane is known and 0 where it is not: a plane that the image
            does not have, or pixels outside of the image.
        """
        random = np.random.default_rng((self._seed, number))
        rgb, planes = self._pictures[int(np.searchsorted(self._odds, random.random()))]
        height, width = rgb.shape[:2]
        matrix = placed((width, height), self._size, self._camera, random)
        shown = _warp(rgb, matrix, self._size, cv2.BORDER_REPLICATE)
        shown = shrunk(jitter(shown, random, self._camera.light), self._camera.shrunk, random)
        inside = _warp(np.full((height, width), 255, np.uint8), matrix, self._size)
        wanted = np.zeros((len(self._labels), *self._size[::-1]), np.uint8)
        known = np.zeros_like(wanted)
        for i, label in enumerate(self._labels):
            if label in planes:
                wanted[i] = _warp(planes[label], matrix, self._size)
                known[i] = np.where(inside == 255, 255, 0)
        picture = np.ascontiguousarray(shown.transpose(2, 0, 1))
        return torch.from_numpy(picture), torch.from_numpy(wanted), torch.from_numpy(known)


def _read(
    picture: MaskPicture, view: tuple[int, int], most: float
) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.uint8]]]:
    """The image and its planes, at ``most`` times the size that covers a view at the most."""
    rgb = read_rgb(picture.path)
    size = (rgb.shape[1], rgb.shape[0])
    planes = {label: read_plane(path, size) for label, path in picture.planes.items()}
    cover = max(most * side / whole for side, whole in zip(view, size, strict=True))
    if cover >= 1:
        return rgb, planes
    to = [math.ceil(side * cover) for side in size]
    return _shrink(rgb, to), {label: _shrink(plane, to) for label, plane in planes.items()}


def _shrink(pixels: NDArray[np.uint8], size: Sequence[int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def placed(
    picture: tuple[int, int], size: tuple[int, int], camera: Camera, random: Random
) -> NDArray[np.float64]:
    """A random (2, 3) map from pixels of an image of (width, height) to those of a view."""
    cover = np.array(size) / np.array(picture)
    scale = math.exp(random.uniform(*np.log(camera.scale)))
    stretch = math.exp(random.uniform(-camera.aspect, camera.aspect) / 2)
    flip = -1.0 if random.random() < 0.5 else 1.0
    turn = math.radians(random.uniform(-camera.turn_deg, camera.turn_deg))
    zoom = np.diag(cover * scale * (stretch * flip, 1 / stretch))
    around = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]) @ zoom
    spare = np.maximum((scale - 1) / 2, 0) + camera.shift
    middle = np.array(size) / 2 + random.uniform(-spare, spare, 2) * size
    # OpenCV counts in pixel centres, half a pixel from the edges.
    offset = middle - around @ (np.array(picture) / 2 - 0.5) - 0.5
    return np.column_stack([around, offset])


def shrunk(rgb: NDArray[np.uint8], most: float, random: Random) -> NDArray[np.uint8]:
    """Shrinks an image up to ``most`` times and enlarges it again; half of them stay."""
    factor = max(1.0, math.exp(random.uniform(-math.log(most), math.log(most))))
    if factor == 1:
        return rgb
    small = cv2.resize(rgb, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    size = (rgb.shape[1], rgb.shape[0])
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _warp(
    pixels: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    border: int = cv2.BORDER_CONSTANT,
) -> NDArray[np.uint8]:
    """Bilinear, as at run time."""
    view = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(view, np.uint8)


def collate_masks(views: Sequence[Views]) -> Views:
    """A batch: (b, 3, h, w), and twice (b, planes, h, w), all uint8."""
    pictures, wanted, known = zip(*views, strict=True)
    return torch.stack(pictures), torch.stack(wanted), torch.stack(known)
