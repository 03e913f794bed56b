"""A frame as stages get it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engines.image import Rgb
from engines.placement import Size
from plugins.colour.layout import Layout
from plugins.colour.planes import Samples


class Frame(Rgb):
    """An image at the analysis size, for the time of one call; its pixels are in host memory.

    Stages ask a frame for its size and pixels and do not know where those lie, so that a frame in
    a GPU's memory can take this one's place. Pixels may not be written to. What they lie in is
    overwritten after the call, so copy what must outlive it.

    Args:
        pixels: (height, width, 3) uint8 RGB; left writable for whoever made them.
    """

    __slots__ = ()

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        super().__init__(pixels.view())
        self._pixels.flags.writeable = False

    @classmethod
    def of_rows(cls, data: memoryview, size: Size, stride: int) -> Frame:
        """Return the frame of a mapped buffer, without a copy.

        Args:
            data: the rows.
            size: width and height.
            stride: bytes from one row to the next.
        """
        width, height = size
        return cls(np.ndarray((height, width, 3), np.uint8, data, strides=(stride, 3, 1)))


class Converted:
    """The pixels of the frame that was converted last, for each element that asks for them."""

    def __init__(self) -> None:
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def of(self, key: int, make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the pixels of a frame, made if they are another's; the key is the ledger's."""
        last = self._last
        if last is None or last[0] != key:
            last = self._last = key, make()
        return last[1]

    def forget(self) -> None:
        """Keep none: the keys of another stream may be the same."""
        self._last = None


class PlanarFrame(Frame):
    """A frame of planes of YUV, which become RGB when somebody asks for its pixels.

    Args:
        layout: of the planes.
        planes: makes views of them.
        key: of the frame in the ledger.
        converted: what the elements of a line share.
    """

    __slots__ = ("_converted", "_key", "_layout", "_planes")

    def __init__(
        self, layout: Layout, planes: Callable[[], list[Samples]], key: int, converted: Converted
    ) -> None:
        self._layout, self._planes = layout, planes
        self._key, self._converted = key, converted

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB."""
        return self._converted.of(self._key, self._convert)

    @property
    def size(self) -> Size:
        """Width and height."""
        return self._layout.size

    def scaled(self, size: Size, room: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the pixels at another size, straight from the planes: see ``engines.image``."""
        del room
        return self._layout.scaled(self._planes(), size)

    def _convert(self) -> NDArray[np.uint8]:
        width, height = self.size
        rgb = np.empty((height, width, 3), np.uint8)  # not used again: another thread may have it
        self._layout.convert(self._planes(), rgb)
        rgb.flags.writeable = False
        return rgb
