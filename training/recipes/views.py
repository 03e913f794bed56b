"""Augmented views of images with boxes: a view is a pure function of its number and the seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from engines.files import read_rgb
from training.datasets import BoxPicture
from training.recipes.colour import jitter

PAD = 114  # the grey of the letterbox at run time
SCALE = (0.7, 1.8)
ASPECT = 0.15
MOSAIC = 0.3  # of the views show four images (Bochkovskiy et al. 2020, YOLOv4)
LEAST_VISIBLE = 0.35  # a box of which less is left is no longer asked for
LEAST_SIDE_PX = 3
RARE_SHARE = 0.2  # classes in fewer images than this are shown more often
EMPTY_ODDS = 0.3  # of an image in which nothing was found
EMPTY_SHARE = 0.2  # of all views, those of images that are known to be empty
MOST_OFTEN = 4.0  # times as often as an image of a common class may an empty one be shown
Random = np.random.Generator


class BoxViews(Dataset[tuple[Tensor, Tensor]]):
    """Endless augmented views; the same number gives the same view in every run and process.

    Args:
        images: held in memory, larger ones no larger than any view shows them.
        classes: how many.
        size: width and height of a view in pixels.
        seed: of all that is drawn.
        coarse: so many of the first views are four fifths as wide.
        empty: images that are known to show none of the classes.
    """

    def __init__(
        self,
        pictures: Sequence[BoxPicture],
        classes: int,
        size: int,
        seed: int,
        coarse: int = 0,
        empty: Sequence[BoxPicture] = (),
    ) -> None:
        most_px = math.ceil(SCALE[1] * size)
        shown = (*pictures, *empty)
        self._pictures = [reduced(_without_crowds(p), _rows(p), most_px) for p in shown]
        odds = repeat_factors([p.class_id[p.score >= 0.4] for p in pictures], classes)
        odds = np.append(odds, empty_odds(odds, len(empty)))
        self._odds = np.cumsum(odds / odds.sum())
        self._size, self._seed, self._coarse = size, seed, coarse

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """View ``number``: (3, size, size) uint8 RGB, and (n, 6) float32 xyxy, class, score."""
        random = np.random.default_rng((self._seed, number))
        size = self._size * 4 // 5 // 32 * 32 if number < self._coarse else self._size
        canvas = np.full((size, size, 3), PAD, np.uint8)
        if random.random() < MOSAIC:
            x, y = (round(size * random.uniform(0.35, 0.65)) for _ in range(2))
            windows = [(0, 0, x, y), (x, 0, size, y), (0, y, x, size), (x, y, size, size)]
        else:
            windows = [(0, 0, size, size)]
        rows = np.concatenate([self._place(canvas, window, random) for window in windows])
        picture = np.ascontiguousarray(jitter(canvas, random).transpose(2, 0, 1))
        return torch.from_numpy(picture), torch.from_numpy(rows)

    def _place(
        self, canvas: NDArray[np.uint8], window: tuple[int, int, int, int], random: Random
    ) -> NDArray[np.float32]:
        """Draws an image at a random scale and place into a window; returns the boxes in it."""
        rgb, rows = self._pictures[int(np.searchsorted(self._odds, random.random()))]
        left, top, right, bottom = window
        width, height = right - left, bottom - top
        fit = min(width / rgb.shape[1], height / rgb.shape[0])
        scale = fit * np.exp(random.uniform(*np.log(SCALE)))
        stretch = np.exp(random.uniform(-ASPECT, ASPECT) / 2)
        flip = -1 if random.random() < 0.5 else 1
        step = np.array([scale * stretch, scale / stretch])
        spare = np.array([width, height]) - step * (rgb.shape[1], rgb.shape[0])
        at = random.uniform(np.minimum(spare, 0), np.maximum(spare, 0))
        matrix = np.array([[step[0] * flip, 0, at[0]], [0, step[1], at[1]]])
        if flip < 0:
            matrix[0, 2] += step[0] * rgb.shape[1]
        # Boxes count in pixel edges, warpAffine in pixel centres: half a pixel either way.
        centres = matrix.copy()
        centres[:, 2] += (matrix[[0, 1], [0, 1]] - 1) / 2
        view = cv2.warpAffine(rgb, centres, (width, height), borderValue=(PAD, PAD, PAD))
        canvas[top:bottom, left:right] = view
        corners = rows[:, :4].reshape(-1, 2, 2) * matrix[[0, 1], [0, 1]] + matrix[:, 2]
        return _visible(np.sort(corners, axis=1).reshape(-1, 4), rows[:, 4:], window)


def repeat_factors(classes: Sequence[NDArray[np.int64]], count: int) -> NDArray[np.float64]:
    """Return how often to show each image: more for rare classes (Gupta et al. 2019, LVIS).

    Args:
        classes: of each image, the classes seen in it.
        count: of classes.
    """
    share = np.zeros(count)
    for found in classes:
        share[np.unique(found)] += 1 / len(classes)
    factor = np.sqrt(np.maximum(1, RARE_SHARE / np.maximum(share, 1e-9)))
    return np.array([factor[found].max() if len(found) else EMPTY_ODDS for found in classes])


def empty_odds(odds: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return how often to show each of ``count`` empty images beside others with ``odds``.

    Together they are ``EMPTY_SHARE`` of all views, but none comes ``MOST_OFTEN`` times as often as
    an image of a common class, which has odds of 1.
    """
    each = EMPTY_SHARE / (1 - EMPTY_SHARE) * odds.sum() / max(1, count)
    return np.full(count, min(MOST_OFTEN, each))


def _without_crowds(picture: BoxPicture) -> NDArray[np.uint8]:
    """The image, grey where there are objects that nobody drew: they are not background.

    A box that was drawn in a crowd is learnt, and therefore shown.
    """
    rgb = read_rgb(picture.path)
    shown = rgb.copy()
    for left, top, right, bottom in picture.crowd[:, :4].round().astype(int):
        shown[max(0, top) : bottom, max(0, left) : right] = PAD
    for left, top, right, bottom in picture.xyxy.round().astype(int):
        box = (slice(max(0, top), bottom), slice(max(0, left), right))
        shown[box] = rgb[box]
    return shown


def reduced(
    rgb: NDArray[np.uint8], rows: NDArray[np.float32], most_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """An image and its boxes, shrunk so that the longer side is ``most_px`` at most."""
    height, width = rgb.shape[:2]
    if max(height, width) <= most_px:
        return rgb, rows
    to = [max(1, round(side * most_px / max(height, width))) for side in (width, height)]
    step = np.array([to[0] / width, to[1] / height] * 2, np.float32)
    small = np.asarray(cv2.resize(rgb, to, interpolation=cv2.INTER_AREA), np.uint8)
    return small, np.hstack([rows[:, :4] * step, rows[:, 4:]])


def _rows(picture: BoxPicture) -> NDArray[np.float32]:
    return np.column_stack([picture.xyxy, picture.class_id, picture.score]).astype(np.float32)


def _visible(
    xyxy: NDArray[np.float64], rest: NDArray[np.float32], window: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """(n, 6) rows of the boxes that are still seen, cut at the window's edges."""
    left, top, right, bottom = window
    cut = xyxy.clip(0, np.array([right - left, bottom - top] * 2))
    size, whole = cut[:, 2:] - cut[:, :2], xyxy[:, 2:] - xyxy[:, :2]
    share = size.prod(axis=1) / np.maximum(whole.prod(axis=1), 1e-9)
    kept = (share >= LEAST_VISIBLE) & (size.min(axis=1) >= LEAST_SIDE_PX)
    cut += np.array([left, top, left, top])
    return np.hstack([cut[kept], rest[kept]]).astype(np.float32)


def collate(views: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, list[Tensor]]:
    """A batch: (b, 3, size, size) uint8, and the boxes of each view."""
    return torch.stack([picture for picture, _ in views]), [rows for _, rows in views]
