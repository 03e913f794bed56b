"""The API's answer about a camera that was tried."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from dashboard.api.shapes import ADVICE, CODE, DETECTION, Shape, as_said
from pipeline.config.standard import Choice


class Trial(Shape):
    """The result of connecting to a camera once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "connected": True,
                    "words": "H264 1920x1080, 25 frames a second; street found 1 car",
                    "size": [1920, 1080],
                    "seconds": 1.4,
                    "fps": 25.0,
                    "codec": "H264",
                    "objects": [DETECTION],
                    "models": ["yolox-street"],
                    "less": None,
                    "hint": None,
                    "cpu_percent": 21.5,
                    "free_percent": 84.0,
                    "fits": True,
                    "warning": None,
                    "picture": "data:image/jpeg;base64,/9j/4AAQ",
                }
            ]
        }
    )

    connected: bool
    words: str = Field(description="what was found, or why it failed")
    code: str | None = CODE
    advice: str | None = ADVICE
    size: tuple[int, int] | None
    seconds: float = Field(description="how long it took")
    fps: float | None
    codec: str | None
    objects: list[dict[str, Any]] = Field(description="as in a detections message")
    models: list[str] = Field(description="those that it ran")
    less: Annotated[dict[str, Any], as_said(Choice)] | None = Field(
        None,
        description="why the shipped model ran, where the camera names no stages and the file of a "
        "better one is missing",
    )
    hint: str | None = Field(
        None, description="that the stream is far larger than its analysis needs"
    )
    cpu_percent: float | None = Field(
        None,
        description="percent of one core that it takes while models look at every frame that its "
        "rate lets pass; null where it was not measured",
    )
    free_percent: float | None = Field(
        None,
        description="percent of one core that is left for cameras on the worker's machine; null "
        "where it was not measured, or the camera runs there already",
    )
    fits: bool | None = Field(
        None, description="whether that is enough for it; it may be added all the same"
    )
    warning: str | None = Field(None, description="that it may not fit, in words")
    picture: str | None = Field(description="a data: URL of a JPEG")
