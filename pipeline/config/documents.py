"""The documents that follow from the models: ``python -m pipeline.config.documents`` writes them.

``configs/default.yaml`` (every key with its default), ``configs/schema.json`` (for editors), the
table of keys in ``docs/configuration.md``, and those of sources and faults in ``docs/cameras.md``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import indent, wrap
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mirante.faults import FaultCode
from pipeline.config import source_kinds
from pipeline.config.camera import Camera
from pipeline.config.settings import Settings
from pipeline.config.stages import kinds

ROOT = Path(__file__).parents[2]
_WIDTH = 100
_HEAD = """\
# yaml-language-server: $schema=schema.json
# Every key of a configuration with its default: a file needs only those that differ.
# The environment goes before the file: MIRANTE_REDIS__RING_S=60 is redis.ring_s.
# ${NAME} in a text stands for the environment variable NAME, ${NAME:-text} for text where it is not
# set; $${ is a plain ${.
"""
_EXAMPLE_URL = "rtsp://admin:${GATE_PASSWORD}@192.0.2.10/stream"


def default_yaml() -> str:
    """The text of ``configs/default.yaml``."""
    camera = [
        *_lines(Camera, {"url": _EXAMPLE_URL}, only=("url", "view", "onvif_url")),
        "# and any key of defaults",
        "stages:",
        *(line for kind in kinds().values() for line in _item(kind, kind.example)),
    ]
    example = indent("\n".join(["gate:", indent("\n".join(camera), "  ")]), "#   ")
    return f"{_HEAD}\n" + "\n".join(_lines(Settings, {})) + f"\n{example}\n"


def schema_json() -> str:
    """The text of ``configs/schema.json``: JSON Schema of a file."""
    schema = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def key_table() -> str:
    """A Markdown table of every key: its path, default, and what it is."""
    rows = ["| key | default | what it is |", "|---|---|---|"]
    rows += _rows(Settings, "")
    rows += _rows(Camera, "cameras.NAME.", deep=True)
    for kind in kinds().values():
        rows += _rows(kind, "cameras.NAME.stages[].", deep=True)
    return "\n".join(rows) + "\n"


def source_table() -> str:
    """A Markdown table of what a camera's address may be."""
    rows = ["| address | what it is | notes |", "|---|---|---|"]
    for kind in source_kinds.kinds():
        rows += [f"| {row.address} | {row.meaning} | {row.notes} |" for row in kind.rows]
    return "\n".join(rows) + "\n"


def fault_table() -> str:
    """A Markdown table of why a camera gives no frames."""
    rows = ["| reason | code | failed | what to do |", "|---|---|---|---|"]
    for row in FaultCode:
        failed = "yes" if row.needs_repair else ""
        rows.append(f"| `{row.words}` | `{row}` | {failed} | {row.advice} |")
    return "\n".join(rows) + "\n"


# Page in docs → what stands between the marks of each table on it.
TABLES: dict[str, dict[str, Callable[[], str]]] = {
    "configuration.md": {"keys": key_table},
    "cameras.md": {"sources": source_table, "faults": fault_table},
}


def with_tables(page: str, text: str) -> str:
    """Return the text of a page with each of its tables between its marks replaced."""
    for name, table in TABLES[page].items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        text = before + begin + table() + end + rest.partition(end)[2]
    return text


def main() -> None:
    """Write all of them."""
    (ROOT / "configs" / "default.yaml").write_text(default_yaml(), encoding="utf-8")
    (ROOT / "configs" / "schema.json").write_text(schema_json(), encoding="utf-8")
    for name in TABLES:
        page = ROOT / "docs" / name
        page.write_text(with_tables(name, page.read_text(encoding="utf-8")), encoding="utf-8")


def _lines(
    model: type[BaseModel], values: Mapping[str, object], only: tuple[str, ...] = ()
) -> Iterator[str]:
    """A section as YAML, each key with its comment above it."""
    for name, field in model.model_fields.items():
        if only and name not in only:
            continue
        yield from (f"# {line}" for line in wrap(_comment(field), _WIDTH - 10))
        if isinstance(field.default, BaseModel):
            yield f"{name}:"
            yield from (f"  {line}" for line in _lines(type(field.default), {}))
        else:
            yield f"{name}: {_yaml(values.get(name, field.default))}"
        if model is Settings:
            yield ""


def _item(model: type[BaseModel], values: Mapping[str, object]) -> list[str]:
    """A section as an item of a list."""
    lines = list(_lines(model, values))
    return [f"  - {lines[0]}", *(f"    {line}" for line in lines[1:])]


def _rows(model: type[BaseModel], prefix: str, deep: bool = False) -> Iterator[str]:
    for name, field in model.model_fields.items():
        nested = isinstance(field.default, BaseModel)
        if nested and name != "defaults":
            yield from _rows(type(field.default), f"{prefix}{name}.")
            continue
        default = "required" if field.is_required() else f"`{_yaml(field.default)}`"
        shown = "" if nested else default
        yield f"| `{prefix}{name}` | {shown} | {_comment(field).replace('|', chr(92) + '|')} |"
        for inner, path in _inner(field.annotation, name) if deep else ():
            yield from _rows(inner, f"{prefix}{path}.")


def _inner(annotation: Any, path: str) -> Iterator[tuple[type[BaseModel], str]]:
    """Yield the section that a field without a default one may hold, alone or by name."""
    if get_origin(annotation) is dict:
        yield from _inner(get_args(annotation)[1], f"{path}.NAME")
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, path
    else:
        parts = [each for each in get_args(annotation) if isinstance(each, type)]
        for part in parts if type(None) in parts else ():
            yield from _inner(part, path)


def _comment(field: FieldInfo) -> str:
    """The description, and what values are allowed."""
    choices = [arg for arg in get_args(field.annotation) if get_origin(field.annotation) is Literal]
    limits = [*map(str, choices)] if choices else [*_limits(field)]
    joint = " or " if choices else ", "
    return "; ".join(filter(None, [field.description, joint.join(limits)]))


def _limits(field: FieldInfo) -> Iterator[str]:
    for rule in field.metadata:
        if isinstance(rule, annotated_types.Gt):
            yield f"greater than {rule.gt}"
        elif isinstance(rule, annotated_types.Ge):
            yield f"at least {rule.ge}"
        elif isinstance(rule, annotated_types.Le):
            yield f"at most {rule.le}"


def _yaml(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str) else json.dumps(value, default=_plain)


def _plain(value: object) -> object:
    """A value that JSON does not know: a section by the keys that differ from their defaults."""
    return value.model_dump(exclude_defaults=True) if isinstance(value, BaseModel) else str(value)


if __name__ == "__main__":
    main()
