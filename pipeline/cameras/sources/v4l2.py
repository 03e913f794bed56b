"""Cameras of this machine, by Video4Linux."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mirante.faults import FaultCode
from pipeline.cameras.sources.base import (
    DECODE,
    GOOD,
    Meaning,
    Part,
    Source,
    SourceKind,
    words_alone,
)
from pipeline.cameras.state import Fault
from pipeline.cameras.view import decoded_limit
from pipeline.config.camera_url import CameraUrl
from pipeline.config.launch import quoted
from pipeline.config.source_kinds import Row

if TYPE_CHECKING:
    from pipeline.config.camera import Camera


def _source(spec: Camera) -> Source:
    """Raw images that need no scaling down, else JPEG, which a USB bus carries at full rate; of a
    thermal camera 16-bit grey alone: its other formats have lost the counts.
    """
    width, height = decoded_limit(spec)
    wanted = f"video/x-raw,width=[1,{width}],height=[1,{height}];image/jpeg;video/x-raw"
    if spec.thermal_range is not None:
        wanted = "video/x-raw,format={GRAY16_LE,GRAY16_BE}"
    return Source(f"v4l2src name=source device={quoted(spec.url.path)} ! {wanted} ! {DECODE}")


def _path_of(word: str) -> str | None:
    """Return the device that a number or ``webcam`` stands for, as in OpenCV."""
    found = re.fullmatch(r"(?=.)(?:webcam)?([0-9]{0,3})", word.strip(), re.IGNORECASE)
    return f"/dev/video{int(found[1] or 0)}" if found else None


def _explain(url: CameraUrl, meaning: Meaning, words: str) -> Fault | None:
    if meaning == "missing":
        return Fault(FaultCode.NO_DEVICE, f"no device {url.path}: not plugged in?")
    if meaning == "busy":
        return Fault(FaultCode.BUSY, f"{url.path} is in use by another program")
    if meaning == "open":
        words = f"{url.path} cannot be opened: no permission, or not a camera"
        return Fault(FaultCode.NO_ACCESS, words)
    return words_alone(url, meaning, words)


V4L2 = SourceKind(
    schemes={"v4l2": None},
    form="/dev/videoN",
    title="Webcam",
    start="/dev/video0",
    example="/dev/video0",
    hint="One that is plugged into the worker's machine.",
    rows=(
        Row(
            "`/dev/video0`, `v4l2:/dev/video0`, `0`, `webcam`",
            "a USB or built-in camera",
            "raw images of up to the analysis size if the camera has them, else JPEG",
        ),
    ),
    plain="/dev/video",
    path_of=_path_of,
    needs_path=True,
    source=_source,
    parts=(Part("v4l2src", "/dev/video cameras", GOOD),),
    explain=_explain,
)
