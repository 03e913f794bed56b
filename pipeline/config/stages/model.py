"""A stage that runs a model."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    Discriminator,
    Field,
    Tag,
)

from pipeline.config.section import Score, Section

Threshold = Annotated[
    Annotated[Score, Tag("<one>")] | Annotated[dict[str, Score], Tag("<per class>")],
    Discriminator(lambda value: "<per class>" if isinstance(value, dict) else "<one>"),
]


class ModelStage(Section):
    """Run a model on each frame, or on the crops of one class that earlier stages found."""

    model: str = Field(description="zoo name, or path of a manifest")
    on: str | None = Field(None, description="run on the boxes of this class instead of the frame")
    threshold: Threshold | None = Field(
        None, description="least score of a detection, 0 to 1; one number, or one per class"
    )
