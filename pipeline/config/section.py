"""The base of every part of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)


class Section(BaseModel):
    """A part of the configuration: frozen, and a key that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_as_number(cls, value: object, info: ValidationInfo) -> object:
        """YAML reads ``width: on`` as true, and true is 1 to Python."""
        if isinstance(value, bool) and info.field_name:
            wanted = cls.model_fields[info.field_name].annotation
            if wanted in {int, float} or wanted in (int | None, float | None):
                raise ValueError("expected a number")
        return value


Score = Annotated[float, Field(ge=0, le=1)]
