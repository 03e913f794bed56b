"""Clips: the video of a camera around a moment, as they are listed."""

from __future__ import annotations

import re
import time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mirante.terms import Camera, Size, UnixSeconds

CLIP_ID = r"^[0-9]{8}-[0-9]{6}-[0-9]{3}$"
MP4_CODECS = {
    "video/x-h264": "h264",
    "video/x-h265": "h265",
    "video/x-av1": "av1",
    "video/x-vp9": "vp9",
}
"""By GStreamer's name of a stream that MP4 takes as it is, what it is called in listings."""

Part = Literal["mp4", "jpg", "json"]


class Cause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a clip was made.

    Attributes:
        ts: Unix seconds of the moment.
        event: ID of the event; empty for a clip that was asked for.
        kind: of the event.
        track_id: of the object.
        label: the object's class.
        zone: of the event.
        line: of the event.
    """

    ts: UnixSeconds
    event: str = ""
    kind: str = ""
    track_id: int | None = None
    label: str = ""
    zone: str = ""
    line: str = ""


class Clip(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A clip.

    Attributes:
        id: unique for its camera; UTC of the moment that began it, ``20261129-041503-250``.
        camera: the camera's name.
        began: Unix seconds of capture at the clip's time 0.
        ended: Unix seconds of capture of its last frame.
        causes: why it was made, oldest first.
        codec: of the video: ``h264``, ``h265``, ``av1`` or ``vp9``.
        size: width, height of the video in pixels.
        frames: how many it holds.
        bytes: of video, image and sidecar together.
        is_shown: its images are as the camera shows them, turned, cut, blacked out and blurred as
            configured, and encoded again; else they are the camera's own, not encoded again.
        image: there is a JPEG of the moment that shows the first event's object best; without
            one, of the moment that began the clip.
        note: what is worth knowing of it, in words, such as what it lacks.
    """

    id: Annotated[str, Meta(pattern=CLIP_ID)]
    camera: Camera
    began: UnixSeconds
    ended: UnixSeconds
    causes: list[Cause]
    codec: str
    size: Size
    frames: Annotated[int, Meta(ge=0)] = 0
    bytes: Annotated[int, Meta(ge=0)] = 0
    is_shown: bool = False
    image: bool = False
    note: str = ""


_read = msgspec.json.Decoder(Clip)


def read_clip(text: bytes) -> Clip:
    """Return the clip that a sidecar's JSON tells of.

    Raises:
        msgspec.MsgspecError: it is no clip's.
    """
    return _read.decode(text)


def clip_id(unix_ms: int) -> str:
    """Return the ID of a clip that a moment begins."""
    seconds, ms = divmod(unix_ms, 1000)
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(seconds))}-{ms:03d}"


def check_clip(text: str) -> str:
    """The ID itself.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(CLIP_ID, text, re.ASCII):
        raise ValueError(f"clip: expected an ID such as 20261129-041503-250, got {text!r}")
    return text
