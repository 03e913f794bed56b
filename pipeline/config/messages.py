"""Validation errors in the configuration's own words: key, value, and what was expected."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from mirante.keys import CAMERA_NAME
from mirante.nearest import nearest, similar
from pipeline.config.camera_url import ADDRESSES, redact, redact_address

Loc = tuple[str | int, ...]
_NOTHING = object()
_LONGEST_VALUE = 60
_MOST_LINES = 100
NAME_WORDS = "1 to 64 letters, digits, _ . or -, the first a letter or digit"
_PATTERNS = {
    CAMERA_NAME: NAME_WORDS,
    r"^[\w.]+:\w+$": '"module:Class"',
}
_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "path_type": "a path",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "of at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "of at most"),
}


class ConfigError(ValueError):
    """A configuration that cannot be used.

    Attributes:
        source: the file, or what else was read.
        lines: one line per mistake, all of them.
    """

    def __init__(self, source: str, lines: Iterable[str]) -> None:
        self.source = source
        self.lines = list(lines)
        super().__init__("\n".join(self.lines))


class ConflictError(ConfigError):
    """A configuration of which each value may be, and that together, or here, cannot be used."""


_UNFIT = "unfit"


def unfit(words: str) -> PydanticCustomError:
    """Return the error of a value whose parts are each as they may be, and do not fit together."""
    return PydanticCustomError(_UNFIT, "{words}", {"words": words})


def refusal(error: ValidationError, lines: Iterable[str]) -> ConfigError:
    """Return the error of what pydantic found, in the lines that ``describe`` made of it."""
    is_conflict = all(each["type"] == _UNFIT for each in error.errors(include_url=False))
    return (ConflictError if is_conflict else ConfigError)("camera", lines)


def path_of(loc: Loc) -> str:
    """``cameras.gate.stages[0].model``; tags of unions and pydantic's ``[key]`` left out."""
    return "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in _keys(loc)
    ).removeprefix(".")


def describe(
    error: ValidationError, kind: Any, document: Any, env_prefix: str | None = None
) -> list[str]:
    """Return one line per mistake: ``cameras.gate.fps: -3 — expected a number greater than 0``.

    Args:
        error: what pydantic found.
        kind: the type that was validated, for the keys that it knows.
        document: what was validated, before ``${…}`` was put in.
        env_prefix: prefix of the variables that override the document, if any do.
    """
    unknown: dict[str, set[str]] = {}  # path of a mapping → keys that its unknown keys resemble
    lines = []
    every = error.errors(include_url=False)
    details = every[:_MOST_LINES]
    for detail in details:
        if detail["type"] == "extra_forbidden":
            near = similar(str(detail["loc"][-1]), _known_keys(kind, detail["loc"]))
            unknown.setdefault(path_of(detail["loc"][:-1]), set()).update(near)
    for detail in details:
        loc = detail["loc"]
        if detail["type"] == "missing" and loc[-1] in unknown.get(path_of(loc[:-1]), ()):
            continue  # the unknown key beside it says the same
        lines.append(f"{path_of(loc) or 'top level'}: {_words(detail, kind, document, env_prefix)}")
    if len(every) > len(details):
        lines.append(f"and {len(every) - len(details)} mistakes more")
    return lines


def show(value: Any, key: str = "") -> str:
    """A value as the file writes it, shortened; passwords and secrets as ``***``."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is not None and ("password" in key or "secret" in key):
        return "***"
    if isinstance(value, str):
        value = redact_address(value) if key in ADDRESSES else redact(value)
        if len(value) > _LONGEST_VALUE:
            value = value[: _LONGEST_VALUE - 1] + "…"
    return json.dumps(value, ensure_ascii=False, default=str)


def without_none(kind: Any) -> Any:
    """Return the type inside ``Annotated[…]`` and ``… | None``."""
    if get_origin(kind) is Annotated:
        return without_none(get_args(kind)[0])
    others = [arg for arg in get_args(kind) if arg is not type(None)]
    if type(None) in get_args(kind) and len(others) == 1:
        return without_none(others[0])
    return kind


def _words(detail: ErrorDetails, kind: Any, document: Any, env_prefix: str | None) -> str:
    loc, keys = detail["loc"], _keys(detail["loc"])
    variable = f"{env_prefix}{'__'.join(map(str, keys))}".upper() if env_prefix else ""
    origin = f", set by {variable}" if variable in os.environ else ""
    if detail["type"] == "extra_forbidden":
        return f"unknown key{origin} — {nearest(str(loc[-1]), _known_keys(kind, loc))}"
    if detail["type"] == "missing":
        return f"missing — expected {_description(kind, loc)}"
    if loc and loc[-1] == "[key]":
        return f"expected a name of {NAME_WORDS}"
    value = os.environ[variable] if origin else _value_at(document, keys)
    if value is _NOTHING:
        value = detail["input"]
    return f"{show(value, str(keys[-1]) if keys else '')}{origin} — {_expected(detail)}"


def _expected(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    if detail["type"] in _BOUNDS:
        name, relation = _BOUNDS[detail["type"]]
        number = "a whole number" if isinstance(context[name], int) else "a number"
        return f"expected {number} {relation} {context[name]:g}"
    if detail["type"] == "too_long":
        return f"expected at most {context['max_length']}"
    if detail["type"] == "literal_error":
        return "expected " + str(context["expected"]).replace("'", '"')
    if detail["type"] == "string_pattern_mismatch":
        words = _PATTERNS.get(context["pattern"]) or f"text that matches {context['pattern']}"
        return f"expected {words}"
    if detail["type"] == "value_error":
        return str(context["error"])
    known = _EXPECTED.get(detail["type"])
    return f"expected {known}" if known else detail["msg"]


def _keys(loc: Loc) -> list[str | int]:
    """The keys of the document that lead to ``loc``."""
    return [part for part in loc if not (isinstance(part, str) and part[:1] in {"<", "["})]


def _value_at(document: Any, keys: list[str | int]) -> Any:
    for key in keys:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return _NOTHING
    return document


def _known_keys(kind: Any, loc: Loc) -> list[str]:
    """The keys of the mapping in which ``loc``'s last part is not known."""
    model = _follow(kind, loc[:-1])
    return list(model.model_fields) if model is not None else []


def _description(kind: Any, loc: Loc) -> str:
    model = _follow(kind, loc[:-1])
    field = model.model_fields.get(str(loc[-1])) if model else None
    return field.description if field and field.description else "a value"


def _follow(kind: Any, loc: Loc) -> type[BaseModel] | None:
    """The model at ``loc``, going from ``kind`` through fields, lists, mappings and unions."""
    for part in loc:
        kind = without_none(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields[str(part)]
            kind = field.annotation
        elif isinstance(part, str) and part.startswith("<"):
            kind = next(arg for arg in get_args(kind) if Tag(part) in get_args(arg)[1:])
        else:
            kind = get_args(kind)[-1]  # the items of a list, the values of a mapping
    kind = without_none(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
