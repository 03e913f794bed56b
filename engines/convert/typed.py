"""Read what is typed for an import."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.commands import names_in
from mirante.nearest import nearest

_ONE_OVER = re.compile(r"1/(\d+(?:\.\d+)?)")


def labels_in(text: str) -> tuple[str, ...]:
    """Return the labels of a table, a file with one a line, or ``a,b,c``."""
    from engines.labels import TABLES

    if text in TABLES:
        return TABLES[text]
    if (path := Path(text)).is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        return tuple(line.strip() for line in lines if line.strip())
    if "/" in text:
        raise ValueError(f"labels: no file {text}; expected a,b,c, a file, or a table's name")
    return names_in(text)


def keypoints_in(text: str) -> tuple[str, ...] | str:
    """Return the names of key points: a table's name as it is, a file's lines or ``a,b,c``."""
    from engines.labels import SKELETONS

    return text if text in SKELETONS else labels_in(text)


def heads_in(text: str) -> tuple[dict[str, Any], ...]:
    """Return the heads that a YAML file lists, each with the keys of one in a manifest.

    Raises:
        ValueError: there is no such file, or a head has no task or a key that none has.
    """
    import yaml

    from engines.found import kind_of
    from engines.head import Head
    from engines.labels import TABLES

    try:
        listed = yaml.safe_load(Path(text).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"heads: expected a YAML file, got {text}: {error}") from error
    if not isinstance(listed, list) or not all(isinstance(head, dict) for head in listed):
        raise ValueError(f"heads: expected a list of heads in {text}")
    found = []
    for i, head in enumerate(listed):
        keys = [field.alias or key for key, field in Head.model_fields.items()]
        if unknown := sorted(set(head) - set(keys)):
            hint = nearest(unknown[0], keys, "known:")
            raise ValueError(f"heads.{i}.{unknown[0]}: no such key; {hint}")
        try:
            kind_of(head.get("task", ""))
        except ValueError as error:
            raise ValueError(f"heads.{i}.{error}") from None
        if isinstance(name := head.get("labels"), str) and name in TABLES:
            head["labels"] = TABLES[name]
        for key in ("labels", "keypoints"):
            if isinstance(head.get(key), list):
                head[key] = tuple(map(str, head[key]))
        found.append(head)
    return tuple(found)


def edges_in(text: str) -> tuple[tuple[int, int], ...]:
    """Return pairs of places, from ``0-1,1-2``."""
    found = []
    for pair in text.split(","):
        start, dash, end = pair.strip().partition("-")
        if not dash or not start.isdecimal() or not end.isdecimal():
            raise ValueError(f"skeleton: expected such as 0-1,1-2, got {text!r}")
        found.append((int(start), int(end)))
    return tuple(found)


def options_in(pairs: list[str]) -> dict[str, Any]:
    """Return a decoder's options, from KEY=VALUE with YAML values."""
    import yaml

    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"option: expected such as logits=true, got {pair!r}")
        try:
            found[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"option {key}: not YAML: {value!r}") from error
    return found


def extra_in(pairs: list[str]) -> dict[str, Any]:
    """Return further inputs, from NAME=size_wh, NAME=size_hw, NAME=0.5 or NAME=1,1."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if value in ("size_wh", "size_hw"):
            found[key] = value
            continue
        try:
            numbers = [_plain(part) for part in value.split(",")]
        except ValueError:
            raise ValueError(
                "extra: expected a name and =size_wh or =size_hw, or numbers that never change, "
                f"such as NAME=0.5 or NAME=1,1, got {pair!r}"
            ) from None
        found[key] = numbers[0] if len(numbers) == 1 else numbers
    return found


def _plain(text: str) -> float:
    """A whole number as one."""
    number = float(text)
    return int(number) if number.is_integer() else number


def scale_in(text: str) -> float:
    """Return a number, or a share such as ``1/255``."""
    if (found := _ONE_OVER.fullmatch(text)) and float(found[1]):
        return 1 / float(found[1])
    return _number("scale", text)


def triple_reader(key: str) -> Callable[[str], tuple[float, float, float]]:
    """Return what reads ``a,b,c``, or one number for all three."""

    def read(text: str) -> tuple[float, float, float]:
        values = [_number(key, part) for part in text.split(",")]
        if len(values) == 1:
            values *= 3
        if len(values) != 3:
            raise ValueError(f"{key}: expected a number or three, got {text!r}")
        return values[0], values[1], values[2]

    return read


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{key}: expected a number, got {text!r}") from None
