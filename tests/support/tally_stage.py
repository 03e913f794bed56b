"""A made-up stage kind, as a contributor would write it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mirante.frame import FrameResult
from pipeline.config.form import Shown
from pipeline.config.launch import quoted
from pipeline.config.stages.base import StageKind
from pipeline.config.stages.facts import Labels, ModelFacts, ModelUse

if TYPE_CHECKING:
    from plugins.stage import Stage


class Tally:
    """Let each frame pass."""

    def __init__(self, label: str) -> None:
        self.label = label

    def __call__(self, frame: NDArray[np.uint8], result: FrameResult) -> FrameResult:
        """Return what was found before."""
        return result


class TallyStage(StageKind):
    """Count the boxes of one class."""

    title: ClassVar[str] = "A tally"
    placeholder: ClassVar[str] = "CLASS"
    example: ClassVar[Mapping[str, str]] = {"tally": "person"}

    tally: Annotated[str, Shown("Counts", "class")] = Field(description="class that is counted")
    side: Literal["left", "right"] = Field("left", description="side that is counted")
    every_s: float = Field(1.0, gt=0, le=60, description="seconds between two counts")
    model: Annotated[str | None, Shown("Told apart by", "model", "nothing")] = Field(
        None, description="model that tells objects apart"
    )

    def launch_text(self, threads: int) -> str:
        """Return the element of stages of one's own: this one has none of its own."""
        options = quoted(json.dumps({"label": self.tally}))
        return f'mirstage python="tests.support.tally_stage:Tally" options={options}'

    def make(self, threads: int) -> Stage:
        """Return the plain function."""
        from plugins.stage import OwnStage

        return OwnStage(Tally(self.tally))

    def models(self) -> Sequence[ModelUse]:
        """Return the model that tells objects apart."""
        return () if self.model is None else (ModelUse("model", self.model),)

    def labels_found(self, facts: Mapping[str, ModelFacts]) -> Labels:
        """Return a class of its own."""
        return Labels(boxes=("tallied",))
