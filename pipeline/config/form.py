"""Forms of the configuration: made from the fields of sections, rendered by the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from pipeline.config.messages import without_none

Control = Literal[
    "model",
    "embedder",
    "class",
    "classes",
    "by_class",
    "score",
    "number",
    "switch",
    "vectors",
    "choice",
    "choices",
    "text",
    "none",
]
_BY_TYPE: Mapping[str, Control] = {
    "number": "number",
    "integer": "number",
    "boolean": "switch",
    "string": "text",
}
_EXAMPLE: dict[str, Any] = {
    "kind": "track",
    "title": "Tracking",
    "words": "Give each object a number that it keeps from frame to frame.",
    "offered": True,
    "fields": [
        {
            "key": "min_score",
            "label": "Minimum score",
            "control": "score",
            "description": "boxes of a lower score are left without a track",
            "required": False,
            "empty": "0.1",
            "minimum": 0.0,
            "maximum": 1.0,
            "choices": [],
            "default": 0.1,
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Shown:
    """The way a form shows a field, written in its ``Annotated``; without it the type decides.

    Attributes:
        label: the words above it.
        control: ``model`` picks a model, ``embedder`` one that gives embeddings, ``class`` one that
            an earlier stage finds, ``classes`` several, ``by_class`` a number for each of some,
            ``score`` is a slider, ``vectors`` a switch for models that give embeddings; None for
            what suits the type.
        empty: what no value means; by default, a default that is a number or text.
    """

    label: str
    control: Control | None = None
    empty: str = ""


class FormField(BaseModel):
    """A key of a section, for a form."""

    key: str
    label: str = Field(description="the words above it")
    control: Control = Field(
        description="model: picks one of the zoo; embedder: one with embeddings, or none; class: "
        "one that an earlier stage finds; classes: several of them; by_class: a number for each of "
        "some; score: a slider; vectors: a switch for models with embeddings; choices: several of "
        "those; none: kept as it is, not shown"
    )
    description: str
    required: bool
    empty: str = Field(description="what no value means")
    minimum: float | None
    maximum: float | None
    choices: list[str]
    default: Any = Field(description="null where it is required")


class StageForm(BaseModel):
    """A kind of stage, for a form."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    kind: str = Field(description="the key that names a stage of the kind")
    title: str
    words: str = Field(description="what a stage of the kind does")
    offered: bool = Field(description="the API takes such stages")
    fields: list[FormField]


class SectionForm(BaseModel):
    """A section of a camera's keys, for a form."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "clips",
                    "title": "Clips",
                    "words": "Video from before a moment to after it.",
                    "optional": True,
                    "fields": [
                        {
                            "key": "after_s",
                            "label": "Seconds after",
                            "control": "number",
                            "description": "seconds after the moment",
                            "required": False,
                            "empty": "10",
                            "minimum": 0.0,
                            "maximum": 600.0,
                            "choices": [],
                            "default": 10.0,
                        }
                    ],
                }
            ]
        }
    )

    key: str = Field(description="the camera's key that holds the section")
    title: str
    words: str = Field(description="what the section is about")
    optional: bool = Field(description="a camera may have none, which null means")
    fields: list[FormField]


def sections_of(options: type[BaseModel]) -> list[SectionForm]:
    """Return the forms of the sections in ``options`` that are ``Shown``, in order."""
    return [
        _section(key, shown, field.annotation)
        for key, field in options.model_fields.items()
        if (shown := _shown(field)) is not None
    ]


def _section(key: str, shown: Shown, annotation: Any) -> SectionForm:
    section: type[BaseModel] = without_none(annotation)
    return SectionForm(
        key=key,
        title=shown.label,
        words=(section.__doc__ or "").partition("\n")[0],
        optional=section is not annotation,
        fields=fields_of(section),
    )


def _shown(field: FieldInfo) -> Shown | None:
    return next((each for each in field.metadata if isinstance(each, Shown)), None)


def fields_of(section: type[BaseModel]) -> list[FormField]:
    """Return the fields of a section as a form shows them."""
    schema = section.model_json_schema()
    return list(_fields(section, schema["properties"]))


def _fields(section: type[BaseModel], properties: Mapping[str, Any]) -> Iterator[FormField]:
    for key, field in section.model_fields.items():
        shown = _shown(field)
        value, default = _first(properties[key]), properties[key].get("default")
        yield FormField(
            key=key,
            label=shown.label if shown else key.replace("_", " ").capitalize(),
            control=(shown and shown.control) or _control(value),
            description=field.description or "",
            required=field.is_required(),
            empty=(shown and shown.empty) or _default(default),
            minimum=value.get("minimum", value.get("exclusiveMinimum")),
            maximum=value.get("maximum", value.get("exclusiveMaximum")),
            choices=_choices(value),
            default=default,
        )


def _default(value: object) -> str:
    """A default that is a number or text, as it is written; empty for any other."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    return value if isinstance(value, str) else f"{value:.10g}"


def _first(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of the simplest value that is not null."""
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if alternative.get("type") != "null":
            return _first(alternative)
    return schema


def _choices(value: Mapping[str, Any]) -> list[str]:
    """The texts that are allowed, alone or in a list; none where any text is."""
    if value.get("type") == "array":
        return _choices(value.get("items", {}))
    if value.get("type") != "string":
        return []
    return [value["const"]] if "const" in value else value.get("enum", [])


def _control(value: Mapping[str, Any]) -> Control:
    if _choices(value):
        return "choices" if value["type"] == "array" else "choice"
    return _BY_TYPE.get(str(value.get("type")), "none")
