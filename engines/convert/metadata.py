"""What a file says of its own network, and how exporters write that as properties."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

# Keys of the names of classes, as exporters write them; `character` is of text recognisers.
NAMES = ("names", "classes", "class_names", "labels", "id2label", "character")
LICENCE = re.compile(r"([A-Za-z]+-[0-9][A-Za-z0-9.-]*|MIT)\b")
Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a file says of its own network; None or empty where it says nothing.

    Attributes:
        labels: class names.
        labels_key: where they stand in the file.
        size: width and height of the input in pixels.
        task: as its exporter calls it.
        stride: sides of an open size are multiples of it.
        summary, author, licence: of the model.
        colour, scale, mean, std: as in a manifest's ``input``.
        is_text: the labels are characters: it reads text.
        keypoints: names of the key points.
        points: how many key points each object has.
    """

    labels: tuple[str, ...] | None = None
    labels_key: str = ""
    size: tuple[int, int] | None = None
    task: str | None = None
    stride: int | None = None
    summary: str = ""
    author: str = ""
    licence: str = ""
    colour: str | None = None
    scale: float | None = None
    mean: Triple | None = None
    std: Triple | None = None
    is_text: bool = False
    keypoints: tuple[str, ...] | None = None
    points: int | None = None

    def __or__(self, other: Told) -> Told:
        """Return both; where both say something, this one holds."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(other, **{key: value for key, value in own.items() if value})


def of_properties(props: Mapping[str, Any]) -> Told:
    """Return what properties say, as exporters write them: text, JSON or Python literals."""
    key = next((key for key in NAMES if names_of(props.get(key), key)), "")
    labels = names_of(props.get(key), key) if key else None
    stride = literal(props.get("stride"))
    licence = LICENCE.match(str(props.get("license", "")))
    return Told(
        labels=labels,
        labels_key=key,
        size=_size(literal(props.get("imgsz"))),
        task=str(props["task"]) if props.get("task") else None,
        stride=int(stride) if isinstance(stride, int | float) and stride >= 1 else None,
        summary=" ".join(str(props.get("description", "")).split()),
        author=" ".join(str(props.get("author", "")).split()),
        licence=licence[1] if licence else "",
        is_text=key == "character",
        keypoints=_keypoints(literal(props.get("kpt_names"))),
        points=_count(literal(props.get("kpt_shape"))),
    )


def _count(shape: Any) -> int | None:
    """Return how many key points a shape (points, numbers of each) says there are."""
    is_shape = isinstance(shape, list | tuple) and len(shape) == 2
    return int(shape[0]) if is_shape and isinstance(shape[0], int) and shape[0] > 0 else None


def _keypoints(value: Any) -> tuple[str, ...] | None:
    """The names of key points, from a list, or from lists of each class of which all are alike."""
    lists = list(value.values()) if isinstance(value, Mapping) else [value]
    if not lists or any(each != lists[0] for each in lists) or not isinstance(lists[0], list):
        return None
    return tuple(map(str, lists[0])) or None


def names_of(value: Any, key: str = "") -> tuple[str, ...] | None:
    """Return class names in order, from a list, numbers to names, or their text; None for none.

    A dict without some number between has ``class_N`` there.
    """
    found = value if key == "character" else literal(value)
    if isinstance(found, Mapping):
        if all(isinstance(number, int) for number in found.values()):
            found = {number: name for name, number in found.items()}
        try:
            by_number = {int(number): str(name) for number, name in found.items()}
        except (TypeError, ValueError):
            return None
        if not by_number or min(by_number) < 0 or max(by_number) > 99_999:
            return None
        return tuple(by_number.get(i, f"class_{i}") for i in range(max(by_number) + 1))
    if isinstance(found, list | tuple):
        return tuple(map(str, found)) or None
    if isinstance(found, str) and key:
        parts = found.split("\n" if "\n" in found or key == "character" else ",")
        return tuple(part.strip("\r") or part for part in parts if part.strip("\r")) or None
    return None


def literal(value: Any) -> Any:
    """The value that a text stands for, as JSON or a Python literal; the text where it is none."""
    if not isinstance(value, str):
        return value
    for read in (json.loads, ast.literal_eval):
        try:
            return read(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return value


def _size(value: Any) -> tuple[int, int] | None:
    """Width and height, of an exporter's [height, width] or one side."""
    if isinstance(value, int) and value >= 8:
        return value, value
    if (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(side, int) and side >= 8 for side in value)
    ):
        return value[1], value[0]
    return None
