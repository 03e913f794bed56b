"""The way from a decoded image to the one that is shown: turned, then cut. Pure: no gi.

Everything that looks at a camera sees the image as shown, and all coordinates are of that.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING

from pipeline.config.launch import quoted

if TYPE_CHECKING:  # the description of a camera's address is made from the kinds, which need this
    from pipeline.config.camera import CameraOptions

Edges = tuple[float, float, float, float]  # left, top, right, bottom
Cuts = tuple[int, int, int, int]
Size = tuple[int, int]  # width, height
WHOLE: Edges = (0.0, 0.0, 1.0, 1.0)

# The upper field alone, so that a frame stays one; as if it came first, else it waits for the next
# frame. Formats are named as deinterlace passes others on untouched, and videocrop refuses them,
# such as the P010 of decoders in hardware.
DEINTERLACE = (
    'videoconvert ! capsfilter caps="video/x-raw,format={I420,YV12,NV12,NV21,Y42B,Y444,YUY2,UYVY,'
    'RGB,BGR,RGBx,BGRx}" ! deinterlace name=deinterlace fields=top tff=tff method=linear'
)
CROP = (
    'videoconvert ! capsfilter caps="video/x-raw,format={I420,YV12,NV12,NV21,Y42B,Y444,YUY2,UYVY,'
    "I420_10LE,I422_10LE,Y444_10LE,I420_12LE,I422_12LE,Y444_12LE,GRAY8,GRAY16_LE,GRAY16_BE,RGB,"
    'BGR,RGBx,BGRx,xRGB,xBGR,RGBA,BGRA}" ! videocrop name=crop'
)
_TAG = re.compile(r"(flip-)?rotate-(0|90|180|270)")
_DIRECTIONS = ("identity", "90r", "180", "90l"), ("horiz", "ur-ll", "vert", "ul-lr")


@dataclass(frozen=True, slots=True)
class Turn:
    """A swap of left and right, if ``mirrored``, and then ``quarters`` of a turn clockwise."""

    quarters: int = 0
    mirrored: bool = False

    @classmethod
    def of_tag(cls, text: str) -> Turn:
        """Read GStreamer's tag image-orientation; what it does not define turns nothing."""
        match = _TAG.fullmatch(text)
        return cls(int(match[2]) // 90, match[1] is not None) if match else cls()

    @classmethod
    def of_options(cls, options: CameraOptions) -> Turn:
        """Return what the options add: ``rotate``, then ``mirror``."""
        return cls(options.rotate // 90).then(cls(mirrored=options.mirror))

    def then(self, after: Turn) -> Turn:
        """Return both in one."""
        quarters = -self.quarters if after.mirrored else self.quarters
        return Turn((quarters + after.quarters) % 4, self.mirrored != after.mirrored)

    @property
    def direction(self) -> str:
        """The name that videoflip has for it."""
        return _DIRECTIONS[self.mirrored][self.quarters]

    def size(self, size: Size) -> Size:
        """Return the width and height that an image of ``size`` has afterwards, or had before."""
        return (size[1], size[0]) if self.quarters % 2 else size

    def before(self, cuts: Cuts) -> Cuts:
        """Return what is to be cut off before it, for ``cuts`` to be off afterwards."""
        left, top, right, bottom = cuts[self.quarters :] + cuts[: self.quarters]
        return (right, top, left, bottom) if self.mirrored else (left, top, right, bottom)


@dataclass(frozen=True, slots=True)
class View:
    """The way of the images of one stream, as long as it does not change.

    Attributes:
        turn: what is done to the decoded image.
        cuts: pixels to cut off the decoded image: left, top, right, bottom.
        size: width and height of the image as shown, cut.
        area: the part of the whole image as shown that is left, in 0..1.
    """

    turn: Turn
    cuts: Cuts
    size: Size
    area: Edges


def view_of(options: CameraOptions, decoded: Size, tag: Turn) -> View:
    """Return the way of the images of a stream.

    Args:
        options: the camera's.
        decoded: width and height as they leave the decoder.
        tag: what the stream says of itself.
    """
    turn = tag.then(Turn.of_options(options))
    width, height = turn.size(decoded)
    left, top, right, bottom = kept(options, (width, height))
    return View(
        turn,
        turn.before((left, top, width - right, height - bottom)),
        (right - left, bottom - top),
        (left / width, top / height, right / width, bottom / height),
    )


def kept(options: CameraOptions, shown: Size) -> Cuts:
    """Return the edges in pixels of what ``crop`` leaves of an image as shown; at least a pixel.

    They go to the nearest even number of pixels from the image's own, where chroma begins too.
    """
    left, top, right, bottom = options.crop or WHOLE
    (first, last), (upper, lower) = (
        _span(from_, to, side)
        for from_, to, side in ((left, right, shown[0]), (top, bottom, shown[1]))
    )
    return first, upper, last, lower


def _span(first: float, last: float, side: int) -> tuple[int, int]:
    before = min(_even(first * side), (side - 1) // 2 * 2)
    return before, side - min(_even((1 - last) * side), (side - before - 1) // 2 * 2)


def _even(pixels: float) -> int:
    return floor(pixels / 2 + 0.5) * 2


def decoded_limit(options: CameraOptions) -> Size:
    """Return the size that a decoded image needs for the analysis size to be reached."""
    left, top, right, bottom = options.crop or WHOLE
    whole = ceil(options.width / (right - left)), ceil(options.height / (bottom - top))
    return Turn.of_options(options).size(whole)


def before_scaling(options: CameraOptions) -> list[str]:
    """Return the elements that the options ask for in front of the scaler, as launch text."""
    return [
        *([f"{DEINTERLACE} mode=interlaced"] if options.deinterlace == "on" else ()),
        *([CROP] if options.crop else ()),
    ]


def behind_scaling(options: CameraOptions) -> list[str]:
    """Return those behind the RGB caps, before anything looks at an image."""
    zones = quoted(json.dumps(options.mask))
    return [
        *(["videoflip name=turn"] if Turn.of_options(options) != Turn() else ()),
        *([f"mirblackout name=blackout zones={zones}"] if options.mask else ()),
    ]
