"""The configuration of a camera's own events, over ONVIF."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.form import Shown
from pipeline.config.section import Section

Told = Literal[
    "motion", "cell-motion", "line", "field", "object", "tamper", "input", "sound", "visitor"
]
_USUAL: list[Told] = ["motion", "cell-motion", "line", "field", "object", "visitor"]


class Onvif(Section):
    """The camera's own events, over ONVIF."""

    events: Annotated[list[Told], Shown("Events of the camera")] = Field(
        _USUAL,
        min_length=1,
        description="which of them are published, as kind camera:…, and wake the camera",
    )
    wake_s: Annotated[float, Shown("Seconds awake")] = Field(
        10.0,
        ge=0,
        le=3600,
        description="seconds for which a camera that sleeps is awake, and its models look at each "
        "frame, after such an event; 0: it sleeps on",
    )
