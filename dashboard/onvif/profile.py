"""Profiles of a camera: what each of its streams is, and which of them to take for what.

Sizes, rates and codecs are those of the profile's video encoder (ONVIF Media Service and Media2
Service Specification, 5.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from pipeline.cameras.onvif import soap

MAX_SIDE = 16_384
MAX_FPS = 1000.0
_ENCODERS = ("{*}VideoEncoderConfiguration", "{*}Configurations/{*}VideoEncoder")  # Media, Media2
_CODECS = {"JPEG": "MJPEG", "MPEG4": "MPEG-4", "H264": "H.264", "H265": "H.265"}


@dataclass(frozen=True, slots=True)
class Profile:
    """A stream that a camera offers.

    Attributes:
        url: its RTSP address, without credentials.
        name: the camera's own name for it; empty where it has none.
        size: width and height in pixels; None where the camera does not say.
        fps: maximum frames a second; None where the camera does not say.
        codec: such as "H.264"; empty where the camera does not say.
    """

    url: str
    name: str = ""
    size: tuple[int, int] | None = None
    fps: float | None = None
    codec: str = ""

    @property
    def area(self) -> int:
        """Pixels of a frame; 0 where the size is not known."""
        return self.size[0] * self.size[1] if self.size else 0


def profile_of(said: Element, url: str) -> Profile:
    """Return what a camera says of a profile. What no video can have is left out."""
    encoder = next((found for path in _ENCODERS if (found := said.find(path)) is not None), None)
    width, height = (
        _number(encoder, f"{{*}}Resolution/{{*}}{side}", MAX_SIDE) for side in ("Width", "Height")
    )
    coded = soap.shown(soap.text(encoder, "{*}Encoding"))
    return Profile(
        url,
        soap.shown(soap.text(said, "{*}Name")),
        (int(width), int(height)) if width and height else None,
        _number(encoder, "{*}RateControl/{*}FrameRateLimit", MAX_FPS),
        _CODECS.get(coded.upper(), coded),
    )


def for_analysis(profiles: Iterable[Profile], width: int, height: int) -> Profile | None:
    """Return the smallest profile that need not be enlarged for an analysis, else the largest.

    Args:
        profiles: those of one camera.
        width, height: maximum size of the analysed frame, which keeps the shape of the source.
    """
    known = sorted((each for each in profiles if each.size), key=lambda each: each.area)
    for each in known:
        assert each.size is not None
        if each.size[0] >= width or each.size[1] >= height:
            return each
    return known[-1] if known else None


def for_view(profiles: Iterable[Profile], analysed: Profile | None) -> Profile | None:
    """Return the largest profile, to be shown; None where none is larger than the analysed one."""
    largest = max(profiles, key=lambda each: each.area, default=None)
    if largest is None or analysed is None or largest.area <= analysed.area:
        return None
    return largest


def _number(encoder: Element | None, path: str, most: float) -> float | None:
    try:
        number = float(soap.text(encoder, path))
    except ValueError:
        return None
    return number if 1 <= number <= most else None
