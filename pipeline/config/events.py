"""The configuration of events: what is reported of objects, and how they are shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.config.form import Shown
from pipeline.config.section import Section

Silence = Annotated[float, Field(ge=1, le=604_800)]


class Events(Section):
    """The events that a camera reports of the objects it tracks, and their images."""

    objects: Annotated[bool, Shown("Objects")] = Field(
        True, description="events of objects that appear, change and go"
    )
    classes: Annotated[list[str], Shown("Classes", "classes", "all")] = Field(
        [], description="only objects of these classes, as [person]; empty: all"
    )
    min_hits: Annotated[int, Shown("Frames before the first event")] = Field(
        3,
        ge=1,
        le=1000,
        description="minimum number of frames that show an object before it is reported",
    )
    min_s: Annotated[float, Shown("Seconds before the first event")] = Field(
        0.5, ge=0, le=60, description="minimum seconds for which it is there before it is reported"
    )
    update_s: Annotated[float, Shown("Seconds between two updates")] = Field(
        10.0, ge=1, le=86_400, description="minimum seconds between two events of one object"
    )
    nothing_seen: Annotated[
        dict[str, Silence], Shown("Nothing seen for", "by_class", "no class")
    ] = Field(
        {},
        max_length=100,
        description="seconds of watching without an object of a class after which there is an "
        "event, as {person: 3600}; 1 to 604800",
    )
    images: Annotated[bool, Shown("Images")] = Field(True, description="events have images")
    image_size: Annotated[int, Shown("Image size, pixels")] = Field(
        320, ge=32, le=1920, description="maximum width and height of an image, in pixels"
    )
    image_quality: Annotated[int, Shown("Image quality")] = Field(
        80, ge=1, le=100, description="JPEG quality of an image"
    )
    image_margin: Annotated[float, Shown("Margin around the object")] = Field(
        0.25,
        ge=0,
        le=2,
        description="what an image shows around an object, as a share of its box on each side",
    )
    images_per_s: Annotated[float, Shown("Images per second")] = Field(
        4.0, gt=0, le=60, description="maximum number of images made in a second"
    )
