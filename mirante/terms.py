"""The types of single fields of messages, and the version of their format."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

VERSION = "1.3"

Version = Annotated[
    str, Meta(pattern=r"^1\.\d+$", description="version of the format; a reader of 1.x reads any 1")
]
Camera = Annotated[str, Meta(description="name of the camera")]
UnixSeconds = Annotated[float, Meta(description="Unix time in seconds, to the microsecond")]
Count = Annotated[int, Meta(ge=0)]
Side = Annotated[int, Meta(ge=1, le=65535)]
Size = Annotated[
    tuple[Side, Side],
    Meta(description="width, height in pixels"),
]
Pixels = Annotated[float, Meta(ge=-1e9, le=1e9)]
Box = Annotated[
    tuple[Pixels, Pixels, Pixels, Pixels],
    Meta(description="left, top, width, height in pixels of the source frame"),
]
Score = Annotated[float, Meta(ge=0, le=1)]
