"""A stage of any kind, by the key that names the kind."""

from __future__ import annotations

from collections.abc import Iterable
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
    if named := [key for key, kind in kinds().items() if key in value]:
        # A field of one kind may be called like another kind: a tracker may have a model.
        whole = [key for key in named if {*named} <= {*kinds()[key].model_fields}]
        return _tag((whole or named)[0])
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


def stages_of(option: str, texts: Iterable[str]) -> list[dict[str, str]]:
    """Return the stages that the values of a command's option name, as a file would write them.

    Raises:
        KeyError: no kind of stage has such an option.
    """
    kind = {kind.option: kind for kind in kinds().values()}[option]
    return [kind.from_option(text) for text in texts]


STAGES: TypeAdapter[list[StageKind]] = TypeAdapter(list[Stage])


def read_stage(said: object) -> StageKind | None:
    """Return the stage that keys of a camera's list make; None where they make none."""
    try:
        return STAGES.validate_python([said])[0]
    except ValidationError:
        return None
