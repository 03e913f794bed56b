"""The brightness of decoded video as an array: luma of YUV, grey, and what RGB makes it of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo
from numpy.typing import NDArray

from engines.placement import Size
from plugins.device.surfaces import are_surfaces, surface_of
from plugins.gate.motion import looked_at
from plugins.packed_rows import Placed, sample_of

if TYPE_CHECKING:  # it loads CUDA
    from engines.cuda.view import Viewer

_NO_COLOURS = np.zeros((3, 4)), 0  # luma has none
_RGB = GstVideo.VideoFormatFlags.RGB
_SHARES = (0.299, 0.587, 0.114)  # of red, green and blue in luma, BT.601
_COMPLEX = GstVideo.VideoFormatFlags.COMPLEX  # samples that are no rows of numbers


class Luma:
    """Where the samples are in the frames of one format.

    Attributes:
        bits: of a sample, with those below them that it leaves unused.
        is_counts: it is grey of 16 bits, as thermal cameras give it.
        scale: pixels of the array per pixel of the frame, across and down.
        shares: float32, of each sample of a pixel in its luma; None where there is one sample.
    """

    def __init__(self, video: Any) -> None:
        kind = video.finfo
        self.scale = 1.0
        self.bits: int = kind.depth[0] + kind.shift[0]
        is_grey = bool(kind.flags & GstVideo.VideoFormatFlags.GRAY)
        self.is_counts = is_grey and kind.depth[0] == 16
        self._size = video.width, video.height
        self._sample = sample_of(kind)
        self._first = kind.plane[0], kind.poffset[0], kind.pixel_stride[0]
        self._placed = Placed(video)
        self.shares: NDArray[np.float32] | None = None
        if kind.flags & _RGB:
            size = self._sample.itemsize
            self._first = kind.plane[0], 0, kind.pixel_stride[0]
            self.shares = np.zeros((1, kind.pixel_stride[0] // size), np.float32)
            for share, at in zip(_SHARES, kind.poffset, strict=False):
                self.shares[0, at // size] = share

    @classmethod
    def of_caps(cls, caps: Gst.Caps) -> Luma | None:
        """Return that of a format; None for one that cannot be read without converting it."""
        video = GstVideo.VideoInfo.new_from_caps(caps)
        kind = video.finfo
        if kind.flags & _COMPLEX or kind.depth[0] < 8 or _is_packed(kind):
            return None
        return cls(video)

    def of(self, buffer: Gst.Buffer, data: memoryview) -> NDArray[Any]:
        """Return that of a frame, without a copy: (height, width), of RGB (height, width, n).

        Args:
            buffer: the frame.
            data: its memory, which must stay mapped for as long as the array is used.
        """
        plane, first, step = self._first
        strides, offsets = self._placed.of(buffer)
        width, height = self._size
        shape: tuple[int, ...] = (height, width)
        steps: tuple[int, ...] = (strides[plane], step)
        if self.shares is not None:
            shape, steps = (*shape, self.shares.size), (*steps, self._sample.itemsize)
        return np.ndarray(shape, self._sample, data, offsets[plane] + first, steps)


class SurfaceLuma:
    """Luma of frames in a GPU's memory, brought as small as ``thumb_of`` looks at it.

    Args:
        size: width and height of the frames.
        viewer: returns what brings it.

    Attributes:
        bits, is_counts, scale, shares: as of ``Luma``.
    """

    bits, is_counts, shares = 8, False, None

    def __init__(self, size: Size, viewer: Callable[[], Viewer]) -> None:
        self._small, self._viewer = looked_at(size), viewer
        self.scale = self._small[0] / size[0]

    def of(self, _buffer: Gst.Buffer, data: memoryview) -> NDArray[Any]:
        """Return that of a frame: (height, width); arguments as of ``Luma.of``."""
        planes = surface_of(data).planes(_NO_COLOURS)
        return self._viewer().luma(planes, self._small)


def luma_of(caps: Gst.Caps, viewer: Callable[[], Viewer]) -> Luma | SurfaceLuma | None:
    """Return that of a format; None for one that cannot be read without converting it.

    Args:
        caps: the format.
        viewer: returns what brings it from a GPU, for the calling thread.
    """
    if are_surfaces(caps):
        video = GstVideo.VideoInfo.new_from_caps(caps)
        return SurfaceLuma((video.width, video.height), viewer)
    return Luma.of_caps(caps)


def _is_packed(kind: Any) -> bool:
    """Return whether components of 10 bits share words, or lie in them where nobody says; or
    those of RGB lie in planes of their own.
    """
    has_planes = kind.flags & _RGB and kind.n_planes > 1
    return bool(has_planes or (kind.depth[0] == 10 and kind.pixel_stride[0] > 2))
