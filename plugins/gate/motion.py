"""Motion in a small grey image, told from noise, light and what always moves.

The difference of a quick and a slow running average of each pixel is what has changed within
seconds (background subtraction: Piccardi, 2004, describes the family). The averages are of
logarithms: there a change of exposure or of the sun adds the same to a whole neighbourhood, whose
mean difference is taken off. What is left is compared with what is usual for the pixel, which grows
where something moves again and again, by a bounded share at a time, as in Huber's estimators.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.placement import Size
from plugins.colour.thermal import Window
from plugins.gate.areas import around

LONGEST = 160  # pixels of the longer side of what is looked at
LEARN_S = 2.0  # until the averages are worth something
LEARN_FRAMES = 8
WEATHER_S = 15.0  # until rain is, at most: drops have fallen on few pixels by then
_DROPS, _DRY_S = 3, 1.0  # groups at once, and how long there are fewer where it does not rain
GAP_S = 5.0  # without a frame: the averages are of another time
_QUICK_S, _SLOW_S = 0.12, 4.0
_LOG = (32 * np.log2(np.arange(256) + 10.0)).astype(np.float32)  # 10: dark pixels are mostly noise
_UP_S, _DOWN_S = 5.0, 300.0  # in which the usual difference grows, and falls
_YOUNG = 4.0  # part of its age in which the usual difference grows at first
_SCATTERED, _SCATTERED_UP_S = 12, 2.0  # groups at once are weather, which is learnt sooner
_UNEVEN = 0.04  # squared share of a shade by which what is under it differs: bright and dark
_HUBER = 3.0  # times the usual, at most, that a larger one counts in it
_EVERY = 3  # frames, one is learnt from
_FLOOR = 0.1  # a squared difference that is below what eight bits show
_TIMES = 3.6  # the usual difference, from which one is motion
# Pixels that touch each other, and in how many frames before others had to touch near them: noise
# and drops are elsewhere in the next. Where frames are farther apart, a group of _SOME is motion.
_FEW, _SOME, _MANY = 4, 8, 60
_BEFORE = {_FEW: 3, _SOME: 2, _MANY: 0}
_TOGETHER_S = 0.15
_REACH = np.ones((17, 17), np.uint8)  # in which they are near
_EVERYWHERE = 0.3  # of the image: the light has changed, or the camera
_LIGHT_S = 0.6  # after which such a change is what the scene looks like
_NEAR = 0.25  # of its size around an object: its shadow, and where it was
_BLOCK = 10  # pixels of a neighbourhood

Thumb = NDArray[np.uint8]
Rows = NDArray[np.float32]


class Moved(NamedTuple):
    """The motion in one image.

    Attributes:
        pixels: that move, in groups of a few at least; none of the first images.
        is_learning: too little was seen before to tell them from noise or rain.
    """

    pixels: int
    is_learning: bool = False


def looked_at(size: Size) -> Size:
    """Return the width and height to which frames of a size are sampled: twice those of a thumb."""
    width, height = size
    scale = max(2.0, max(height, width) / LONGEST)
    return 2 * max(1, round(width / scale)), 2 * max(1, round(height / scale))


def thumb_of(
    luma: NDArray[np.uint8] | NDArray[np.uint16],
    bits: int = 8,
    window: Window | None = None,
    shares: Rows | None = None,
) -> Thumb:
    """Return an image of at most ``LONGEST`` pixels a side, each the mean of four of the frame.

    Args:
        luma: (height, width) of a frame, or (height, width, n); a view of any strides.
        bits: the number of bits of a sample, with those below them that it leaves unused.
        window: the part of 16-bit grey that is shown; None for video of other kinds.
        shares: (1, n), of each sample of a pixel in its luma; None where there is one sample.
    """
    height, width = luma.shape[:2]
    double = looked_at((width, height))
    size = double[0] // 2, double[1] // 2
    # Of a small frame the mean of neighbours, which has less noise and is as quick; not of samples
    # of 16 bits, whose bytes may be the other way round.
    is_small = luma.dtype == np.uint8 and width <= 2 * double[0]
    way = cv2.INTER_LINEAR if is_small else cv2.INTER_NEAREST
    sparse: NDArray[Any] = cv2.resize(luma, double, interpolation=way)
    sparse = sparse.view(luma.dtype)  # OpenCV copies samples of either byte order, and forgets it
    if window is not None:
        sparse = window.shown(sparse)
    elif bits > 8:
        sparse = (sparse >> (bits - 8)).astype(np.uint8)
    thumb = cv2.resize(sparse, size, interpolation=cv2.INTER_AREA)
    return np.asarray(thumb if shares is None else cv2.transform(thumb, shares), np.uint8)


class Motion:
    """Finds motion from frame to frame.

    Attributes:
        moving: (height, width) bool of the last image: what moves more than it usually does.
        usual: (height, width) the squared difference that is usual, for each pixel.
    """

    moving: NDArray[np.bool_]
    usual: Rows
    _quick: Rows
    _slow: Rows
    _moves: int  # pixels in ``moving``
    _unlearnt_s: float  # since it last learnt
    _shade: Rows  # squared, of each neighbourhood: what its pixels may differ by
    _ages: NDArray[np.uint8] | None  # for how many frames there has been a group near each pixel
    _groups: int  # of a few pixels at least, in the last image
    _drops_s: float  # when there were last several
    _is_learnt: bool  # what always moves is known

    def __init__(self) -> None:
        self._at_s = self._light_s = 0.0
        self._begin(np.zeros((0, 0), np.float32), 0.0)

    def see(self, thumb: Thumb, now_s: float, known: Sequence[Sequence[float]] = ()) -> Moved:
        """Return what moves in an image.

        Args:
            thumb: as of ``thumb_of``.
            now_s: when it was captured, in seconds.
            known: left, top, right, bottom in 0..1 of objects: what moves there is no nuisance
                and is not learnt as usual.
        """
        bright = np.asarray(cv2.LUT(thumb, _LOG), np.float32)
        passed_s = now_s - self._at_s
        self._at_s = now_s
        if bright.shape != self.moving.shape or not 0 < passed_s <= GAP_S:
            self._begin(bright, now_s)
            return Moved(0, True)
        self._frames += 1
        seen_s = now_s - self._began_s
        is_first = seen_s < LEARN_S or self._frames < LEARN_FRAMES
        slow_s = min(_SLOW_S, seen_s)
        cv2.accumulateWeighted(bright, self._quick, -np.expm1(-passed_s / _QUICK_S))
        cv2.accumulateWeighted(bright, self._slow, -np.expm1(-passed_s / slow_s))
        if self._moves:  # what stays is soon a part of the scene
            moving = self.moving.view(np.uint8)
            cv2.accumulateWeighted(bright, self._slow, -np.expm1(-passed_s / _SLOW_S), moving)
        squared = self._squared()
        usual = cv2.scaleAdd(self.usual, _TIMES * _TIMES, self._shade)
        self.moving = squared > np.asarray(usual, np.float32)
        self._moves = cv2.countNonZero(self.moving.view(np.uint8))
        self._unlearnt_s += 0.5 if is_first else passed_s
        if is_first or self._frames % _EVERY == 0:
            self._learn(squared, self._unlearnt_s, known)
            self._unlearnt_s = 0.0
        pixels = self._grouped(self._moves, now_s, passed_s)
        if self._groups >= _DROPS:
            self._drops_s = now_s
        if is_first:
            return Moved(0, True)
        # Once learnt it stays so: a shower that begins later is known by what it moves.
        self._is_learnt |= now_s - self._drops_s >= _DRY_S or seen_s >= WEATHER_S
        return Moved(pixels, not self._is_learnt)

    def follow(self, thumb: Thumb, now_s: float) -> None:
        """Take an image in which nothing moves into the averages alone. Such images come rarely, so
        their noise differs from the averages by more than usual.
        """
        bright = np.asarray(cv2.LUT(thumb, _LOG), np.float32)
        if bright.shape != self.moving.shape:
            self._begin(bright, now_s)
            return
        passed_s, self._at_s = max(0.0, now_s - self._at_s), now_s
        cv2.accumulateWeighted(bright, self._quick, -np.expm1(-passed_s / _QUICK_S))
        cv2.accumulateWeighted(bright, self._slow, -np.expm1(-passed_s / _SLOW_S))

    @property
    def lasting(self) -> NDArray[np.bool_]:
        """What moves of the last image in groups that count though they are small, as others moved
        near them in the frames before: (height, width).
        """
        return np.zeros_like(self.moving) if self._ages is None else self._ages > _BEFORE[_FEW]

    def _begin(self, bright: Rows, now_s: float) -> None:
        self._began_s, self._frames, self._moves = now_s, 0, 0
        self._unlearnt_s = 0.0
        self._drops_s, self._is_learnt = float("-inf"), False
        self._groups, self._ages = 0, None
        self._shade = np.zeros_like(bright)
        self._quick, self._slow = bright.copy(), bright.copy()
        self.usual = np.full_like(bright, _FLOOR)
        self.moving = np.zeros(bright.shape, np.bool_)

    def _squared(self) -> Rows:
        """Return the squared difference of the averages, without that of each neighbourhood."""
        off = cv2.subtract(self._quick, self._slow)
        height, width = off.shape
        coarse = max(1, width // _BLOCK), max(1, height // _BLOCK)
        light = cv2.resize(off, coarse, interpolation=cv2.INTER_AREA)
        shade = cv2.resize(light, (width, height))
        cv2.subtract(off, shade, off)
        cv2.blur(off, (3, 3), off)
        self._shade = np.asarray(cv2.multiply(shade, shade, shade, _UNEVEN), np.float32)
        return np.asarray(cv2.multiply(off, off, off), np.float32)

    def _learn(self, squared: Rows, passed_s: float, known: Sequence[Sequence[float]]) -> None:
        """Take the differences of an image into what is usual."""
        usual = self.usual
        off = np.minimum(squared, usual * _HUBER)
        cv2.subtract(off, usual, off)
        if known:
            self._leave_out(off, known)
        up_s = min(_UP_S, max(passed_s, (self._at_s - self._began_s) / _YOUNG))
        if self._groups >= _SCATTERED:
            up_s = min(up_s, _SCATTERED_UP_S)
        up, down = min(1.0, passed_s / up_s), min(1.0, passed_s / _DOWN_S)
        np.maximum(off * up, off * down, out=off)
        cv2.add(usual, off, usual)
        np.maximum(usual, _FLOOR, out=usual)

    def _leave_out(self, off: Rows, known: Sequence[Sequence[float]]) -> None:
        for box in known:
            off[around(box, off.shape, _NEAR, _BLOCK)] = 0.0

    def _grouped(self, count: int, now_s: float, passed_s: float) -> int:
        """Return how many of the ``count`` moving pixels are in groups that count as motion."""
        moving = self.moving.view(np.uint8)
        if count <= _EVERYWHERE * moving.size:
            self._light_s = 0.0
        elif not self._light_s:
            self._light_s = now_s
        elif now_s - self._light_s >= _LIGHT_S:
            self._slow, self._light_s = self._quick.copy(), 0.0
        before, self._ages, self._groups = self._ages, None, 0
        if count < _FEW:
            return 0
        _, labels, stats, _ = cv2.connectedComponentsWithStats(moving, connectivity=8)
        areas = np.asarray(stats[:, cv2.CC_STAT_AREA], np.int32)
        areas[0] = 0  # what does not move
        self._groups = int(np.count_nonzero(areas >= _FEW))
        if passed_s > _TOGETHER_S:
            return int(areas[areas >= _SOME].sum())
        ages = self._aged(np.asarray(labels, np.int32), areas, before)
        sure = [(areas >= least) & (ages >= frames) for least, frames in _BEFORE.items()]
        return int(areas[np.logical_or.reduce(sure)].sum())

    def _aged(
        self, labels: NDArray[np.int32], areas: NDArray[np.int32], before: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8]:
        """Note the groups for the next frame; return for how many frames before there was one near
        each: (groups,).
        """
        ages = np.zeros(len(areas), np.uint8)
        inside = (areas >= _FEW)[labels]
        if inside.any():
            group = labels[inside]
            if before is not None:
                np.maximum.at(ages, group, cv2.dilate(before, _REACH)[inside])
            self._ages = np.zeros(labels.shape, np.uint8)
            self._ages[inside] = np.minimum(ages[group], max(_BEFORE.values())) + 1
        return ages
