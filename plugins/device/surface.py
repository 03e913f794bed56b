"""Decoded frames in a GPU's memory, and what a camera holds of them; without GStreamer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engines.cuda.fill import Colours, Planes
from engines.placement import Size


@dataclass(slots=True, eq=False)
class Held:
    """The GPU memory that one camera uses.

    Attributes:
        surfaces: that are not given back yet, by number, and their bytes.
        most: surfaces at once so far.
    """

    surfaces: dict[int, int] = field(default_factory=dict)
    most: int = 0

    @property
    def bytes(self) -> int:
        """Bytes of all."""
        return sum(list(self.surfaces.values()))


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """A decoded frame whose U and V alternate.

    Attributes:
        size: width and height.
        luma, chroma: addresses of the first samples; chroma lies behind luma.
        pitch: bytes from row to row of both.
        bits: of a sample; more than 8 are the highest of two bytes.
        give_back: called once, on any thread, when nothing refers to it any more.
    """

    size: Size
    luma: int
    chroma: int
    pitch: int
    bits: int
    give_back: Callable[[], None] = lambda: None

    @property
    def bytes(self) -> int:
        """Bytes of both planes, with what lies behind their rows and between them."""
        return self.chroma - self.luma + self.pitch * -(-self.size[1] // 2)

    def planes(self, colours: Colours) -> Planes:
        """Return where it lies and what its colours are."""
        return Planes.nv12(self.size, self.luma, self.chroma, self.pitch, colours, self.bits)
