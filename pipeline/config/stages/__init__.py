"""The kinds of stages that a camera's frames may pass."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    Discriminator,
    Tag,
)

from mirante.nearest import similar
from pipeline.config.stages.model import ModelStage
from pipeline.config.stages.own import PythonStage


def _kind_of_stage(value: object) -> str | None:
    """The tag of a stage: by the key that names it, misspelled or not."""
    if isinstance(value, ModelStage | PythonStage):
        return "<model>" if isinstance(value, ModelStage) else "<python>"
    if not isinstance(value, dict):
        return None
    for kind in ("model", "python"):
        if kind in value:
            return f"<{kind}>"
    near = [kind for key in value for kind in similar(str(key), ("model", "python"))]
    return f"<{near[0]}>" if near else None


Stage = Annotated[
    Annotated[ModelStage, Tag("<model>")] | Annotated[PythonStage, Tag("<python>")],
    Discriminator(_kind_of_stage),
]
