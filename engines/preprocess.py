"""Images into input tensors, through buffers that are allocated once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.image import Image, image_of
from engines.manifest import Input
from engines.placement import Placement, Region, Size, place, place_region


def arithmetic(
    spec: Input, dtype: np.dtype[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (channels,) gain and bias, by which a level of 0 to 255 becomes level * gain + bias.

    Raises:
        ValueError: no tensor of ``dtype`` is filled here, or it cannot hold what ``spec`` makes.
    """
    if dtype not in (np.float32, np.float16, np.uint8, np.int32):
        known = "float32, float16, uint8 or int32"
        raise ValueError(f"input {spec.name}: expected {known}, got {dtype}")
    gain = np.float64(spec.scale) / spec.per_channel(spec.std)
    bias = -spec.per_channel(spec.mean) / spec.per_channel(spec.std)
    if dtype.kind in "iu" and (np.any(gain != 1) or np.any(bias != 0)):
        raise ValueError(f"input {spec.name}: expected scale, mean, std 1, 0, 1 for {dtype}")
    return gain, bias


def placements(size: Size, spec: Input) -> tuple[Placement, Placement]:
    """Return where an image of ``size`` lies in the tensor that is fed, and in what the network
    looks at: another where it resizes by itself (``frame``).
    """
    at = place(size, spec.size, spec.resize, spec.multiple)
    if spec.frame is None:
        return at, at
    fed = place(size, spec.frame, spec.resize)
    return fed, fed.then(place(spec.frame, spec.size, spec.resize, spec.multiple))


class Preprocessor:
    """Resizes, reorders and scales RGB images as an ``Input`` says. Belongs to one thread.

    Args:
        spec: the manifest's description of the input.
        dtype: float32, float16, uint8 or int32, the input tensor's type.

    Raises:
        ValueError: another dtype, or one that cannot hold what ``spec`` makes.
    """

    def __init__(self, spec: Input, dtype: np.dtype[Any]) -> None:
        gain, bias = arithmetic(spec, dtype)
        self.spec = spec
        self._slot = lru_cache(maxsize=4)(
            lambda size, content: _Slot(spec, dtype, gain, bias, size, content)
        )

    def frame(self, rgb: NDArray[np.uint8] | Image) -> tuple[NDArray[Any], Placement]:
        """The tensor of a whole image, (h, w, 3) uint8 RGB, and where the image lies in it.

        The tensor, (1, channels, H, W) or (1, H, W, channels), is overwritten by the next call.
        Where the network resizes by itself (``frame``), the place is the one in what it makes of
        the tensor.
        """
        image, spec = image_of(rgb), self.spec
        size = image.size
        fed, at = placements(size, spec)
        slot = self._slot(fed.size, fed.content)
        content = (fed.content[2] - fed.content[0], fed.content[3] - fed.content[1])
        if content == size:
            return slot.fill(image.pixels), at
        return slot.fill(image.scaled(content, slot.resized)), at

    def region(self, rgb: NDArray[np.uint8], region: Region) -> tuple[NDArray[Any], Placement]:
        """The same for a region in image pixels; what lies outside repeats the image's edge.

        Raises:
            ValueError: the network takes whole frames of one size.
        """
        if self.spec.frame is not None:
            raise ValueError(
                f"input.frame: expected none to run on crops, got {list(self.spec.frame)}; "
                "build the engine without --frame"
            )
        size = self.spec.size
        at = place_region((rgb.shape[1], rgb.shape[0]), region, size)
        slot = self._slot(size, (0, 0, *size))
        step_x, step_y = 1 / at.scale[0], 1 / at.scale[1]
        # warpAffine counts in pixel centres, regions in pixel edges: half a pixel either way.
        matrix = np.array(
            [
                [step_x, 0, region[0] + step_x / 2 - 0.5],
                [0, step_y, region[1] + step_y / 2 - 0.5],
            ]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(
            rgb, matrix, size, dst=slot.resized, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return slot.fill(slot.resized), at


class _Slot:
    """A tensor whose padding is already in place, and the buffers on the way to it."""

    def __init__(
        self,
        spec: Input,
        dtype: np.dtype[Any],
        gain: NDArray[np.float64],
        bias: NDArray[np.float64],
        size: Size,
        content: tuple[int, int, int, int],
    ) -> None:
        left, top, right, bottom = content
        height, width = bottom - top, right - left
        self._planar = spec.layout == "nchw"
        self._swap, self._grey = spec.colour == "bgr", spec.colour == "grey"
        self._gain, self._bias = gain.astype(np.float32), bias.astype(np.float32)
        self._scales, self._shifts = bool(np.any(gain != 1)), bool(np.any(bias))
        self.resized = np.empty((height, width, 3), np.uint8)
        padding = (spec.pad * gain + bias).astype(dtype)
        self.tensor: NDArray[Any]
        if self._grey:
            axes = (1, 1, size[1], size[0]) if self._planar else (1, size[1], size[0], 1)
            self.tensor = np.full(axes, padding[0], dtype)
            self._target = self.tensor.reshape(size[1], size[0])[top:bottom, left:right]
            self._luma = np.empty((height, width), np.uint8)
        elif self._planar:
            self.tensor = np.empty((1, 3, size[1], size[0]), dtype)
            self.tensor[:] = padding[:, None, None]
            self._target = self.tensor[0, :, top:bottom, left:right]
            self._planes = [np.empty((height, width), np.uint8) for _ in range(3)]
        else:
            # NumPy's inner loop over 3 channels would be slow: a row of pixels is the unit.
            self.tensor = np.empty((1, size[1], size[0], 3), dtype)
            self.tensor[:] = padding
            rows = self.tensor.reshape(size[1], size[0] * 3)
            self._target = rows[top:bottom, left * 3 : right * 3]
            self._swapped = np.empty_like(self.resized)
            self._row_gain, self._row_bias = (np.tile(v, width) for v in (self._gain, self._bias))

    def fill(self, rgb: NDArray[np.uint8]) -> NDArray[Any]:
        """Writes an image of the content's size into the tensor."""
        if self._grey:
            cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY, dst=self._luma)
            self._scale(self._target, self._luma, self._gain[0], self._bias[0])
        elif self._planar:
            cv2.split(rgb, self._planes)
            planes = self._planes[::-1] if self._swap else self._planes
            for channel, plane in enumerate(planes):
                gain, bias = self._gain[channel], self._bias[channel]
                self._scale(self._target[channel], plane, gain, bias)
        else:
            if self._swap:
                cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR, dst=self._swapped)
                rgb = self._swapped
            self._scale(self._target, rgb.reshape(len(rgb), -1), self._row_gain, self._row_bias)
        return self.tensor

    def _scale(self, target: NDArray[Any], pixels: NDArray[np.uint8], gain: Any, bias: Any) -> None:
        """target = pixels * gain + bias, in place."""
        if self._scales:
            np.multiply(pixels, gain, out=target, casting="unsafe")
        else:
            np.copyto(target, pixels, casting="unsafe")
        if self._shifts:
            np.add(target, bias, out=target, casting="unsafe")
