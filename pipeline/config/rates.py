"""The maximum rate of analysed frames: one rate, or one while quiet and one while busy."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from pipeline.config.messages import unfit
from pipeline.config.section import Section

_HIGHEST = 1000


def _no_truth(value: object) -> object:
    """YAML reads ``fps: on`` as true, and true is 1 to Python."""
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


Rate = Annotated[float, Field(gt=0, le=_HIGHEST), BeforeValidator(_no_truth)]


class Rates(Section):
    """Rates by need."""

    quiet: float = Field(
        gt=0, le=_HIGHEST, description="maximum frames per second while nothing moves"
    )
    busy: float | None = Field(
        None, gt=0, le=_HIGHEST, description="the same from the first motion on; null: no limit"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Rates:
        if self.busy is not None and self.quiet > self.busy:
            raise unfit(f"expected quiet ≤ busy, got {self.quiet:g} and {self.busy:g}")
        return self


FrameRate = Annotated[
    Annotated[Rate, Tag("<rate>")] | Annotated[Rates, Tag("<rates>")],
    Discriminator(lambda value: "<rates>" if isinstance(value, dict | Rates) else "<rate>"),
]
