"""A stage of any kind, by the key that names the kind."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated

from pydantic import Discriminator, Tag, TypeAdapter, ValidationError

from mirante.nearest import similar
from pipeline.config.stages import kinds
from pipeline.config.stages.base import StageKind


def _tag(key: str) -> str:
    return f"<{key}>"  # in angle brackets: no part of a path that is shown


def _tag_of(value: object) -> str | None:
    """The tag of a stage: by the key that names its kind, misspelled or not."""
    if isinstance(value, StageKind):
        return _tag(value.key())
    if not isinstance(value, dict):
        return None
    for key in kinds():
        if key in value:
            return _tag(key)
    near = [key for said in value for key in similar(str(said), kinds())]
    return _tag(near[0]) if near else None


def _usage() -> str:
    """``"model: NAME" or "python: module:Class"``."""
    return " or ".join(f'"{key}: {kind.placeholder}"' for key, kind in kinds().items())


if TYPE_CHECKING:
    Stage = StageKind
else:
    Stage = Annotated[
        reduce(or_, (Annotated[kind, Tag(_tag(key))] for key, kind in kinds().items())),
        Discriminator(
            _tag_of,
            custom_error_type="no_stage",
            custom_error_message=f"expected a mapping with {_usage()}",
        ),
    ]

STAGES: TypeAdapter[list[StageKind]] = TypeAdapter(list[Stage])


def read_stage(said: object) -> StageKind | None:
    """Return the stage that keys of a camera's list make; None where they make none."""
    try:
        return STAGES.validate_python([said])[0]
    except ValidationError:
        return None
