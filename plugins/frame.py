"""A frame as stages get it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engines.image import Rgb
from engines.placement import Size

if TYPE_CHECKING:  # they load GStreamer and CUDA, which stages without a pipeline do without
    from engines.cuda.fill import Planes
    from engines.cuda.view import Viewer
    from plugins.colour.layout import Layout
    from plugins.colour.planes import Samples

Area = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the source frame
Moves = Callable[[], Sequence[Sequence[float]]]
Memory = Literal["host", "cuda"]


class Larger(Protocol):
    """The image that a frame was scaled from."""

    def crop(self, area: Area) -> NDArray[np.uint8]:
        """Return a part as it is shown: (height, width, 3) uint8 RGB."""


class Picture:
    """An image that is RGB already.

    Args:
        rgb: (height, width, 3) uint8 RGB.
    """

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._rgb = rgb

    def crop(self, area: Area) -> NDArray[np.uint8]:
        """See ``Larger``."""
        left, top, right, bottom = area
        return self._rgb[top:bottom, left:right]


class Frame(Rgb):
    """An image at the analysis size, for the time of one call; its pixels are in host memory.

    Stages ask a frame for its size and pixels and need not know where those lie: a ``DeviceFrame``
    can take this one's place. Pixels may not be written to. What they lie in is overwritten after
    the call, so copy what must outlive it.

    Args:
        pixels: (height, width, 3) uint8 RGB; left writable for whoever made them.
        larger: as the attribute.
        moves: as the attribute.

    Attributes:
        larger: what it was scaled from; None where nobody keeps that.
        moves: returns where something moves or may move; None without a gate.
        memory: where it lies: ``host``, or ``cuda`` for a GPU's, whence ``pixels`` brings it.
    """

    __slots__ = ("larger", "moves")
    memory: ClassVar[Memory] = "host"

    def __init__(
        self,
        pixels: NDArray[np.uint8],
        larger: Larger | None = None,
        moves: Moves | None = None,
    ) -> None:
        super().__init__(pixels.view())
        self.larger, self.moves = larger, moves
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

    def moving(self) -> NDArray[np.float32]:
        """Return (n, 4) where something moves or may move, in 0..1 of the image."""
        found = self.moves() if self.moves is not None else ()
        return np.array(found, np.float32).reshape(-1, 4)

    def crop(self, area: Area, source: Size) -> NDArray[np.uint8]:
        """Return a part of the frame at full resolution: (height, width, 3) uint8 RGB.

        Args:
            area: left, top, right, bottom in pixels of the source frame.
            source: width and height of that.

        Raises:
            ValueError: the frame was scaled, and nobody knows what from; or that cannot be read.
        """
        if self.larger is not None:
            return self.larger.crop(area)
        if source != self.size:
            was, here = ("x".join(map(str, size)) for size in (source, self.size))
            raise ValueError(
                f"parts of a frame of {was}: only an image of {here} is left; expected mircloseup "
                "in front of mirrgb"
            )
        left, top, right, bottom = area
        return self.pixels[top:bottom, left:right]


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
        self.larger, self.moves = None, None

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


class DeviceFrame(Frame):
    """A frame in a GPU's memory, which comes to the host when somebody asks for its pixels.

    Args:
        planes: where it lies there, as large as it was decoded.
        viewer: brings it.
        key: of the frame in the ledger.
        converted: what the elements of a line share.
        gpu: index of the GPU.
        ready: handle of an event of CUDA after which it may be read; None where it may be already.
        size: as the attribute; None for that of the planes.

    Attributes:
        planes, gpu, ready: as the arguments, for work on the GPU; valid for the time of the call.
        size: width and height at which stages get its pixels.
    """

    __slots__ = ("_converted", "_key", "_size", "_viewer", "gpu", "planes", "ready")
    memory: ClassVar[Memory] = "cuda"

    def __init__(
        self,
        planes: Planes,
        viewer: Viewer,
        key: int,
        converted: Converted,
        gpu: int = 0,
        ready: int | None = None,
        size: Size | None = None,
    ) -> None:
        self.planes, self._viewer = planes, viewer
        self.gpu, self.ready = gpu, ready
        self._key, self._converted = key, converted
        self._size = size or planes.size
        self.larger, self.moves = None, None

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB, scaled on the GPU, and copied once for all elements."""
        return self._converted.of(self._key, self._bring)

    @property
    def size(self) -> Size:
        """Width and height."""
        return self._size

    def scaled(self, size: Size, room: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the pixels at another size, scaled on the GPU: see ``engines.image``."""
        del room
        return self._viewer.rgb(self.planes, size)

    def crop(self, area: Area, source: Size) -> NDArray[np.uint8]:
        """Return a part of the frame at full resolution; arguments as of a ``Frame``.

        Raises:
            ValueError: the source frame is of another size than what was decoded.
        """
        if source != self.planes.size:
            raise ValueError(f"source: expected {self.planes.size} as decoded, got {source}")
        left, top, right, bottom = area
        x, y = left & ~1, top & ~1  # where chroma begins
        part = self.planes.part(x, y, right - x, bottom - y)
        return self._viewer.rgb(part, part.size)[top - y :, left - x :].copy()

    def jpeg(self, quality: int) -> bytes | None:
        """Return it as a JPEG of its size, made on the GPU; None where nothing there makes them."""
        return self._viewer.jpeg(self.planes, self._size, quality)

    def _bring(self) -> NDArray[np.uint8]:
        rgb = self._viewer.rgb(self.planes, self._size).copy()  # another thread may keep it
        rgb.flags.writeable = False
        return rgb
