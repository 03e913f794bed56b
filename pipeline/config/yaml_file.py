"""YAML as a configuration wants it: 1.2 booleans, text keys, and no key twice."""

from __future__ import annotations

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """``on:`` is a key here, and ``no`` a word: only true and false are booleans."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    pairs = [(key.value, value) for key, value in node.value]
    return {str(key): loader.construct_object(value, deep=True) for key, value in pairs}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


class YamlError(ValueError):
    """Text that is not YAML; the message names line and column."""


def read_yaml(text: str) -> tuple[Any, list[str]]:
    """The document, and a line for each key that a mapping has twice (the last one counts).

    Raises:
        YamlError: naming line and column.
    """
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n")
        where = f"line {len(before)}, column {len(before[-1]) + 1}"
        character = f"character #x{error.character:04x}"
        raise YamlError(f"{where}: not YAML: found {character}, which is not allowed") from None
    try:
        node = loader.get_single_node()
        if node is None:
            return {}, []
        twice: list[str] = []
        _find_twice(node, "", twice, set())
        return loader.construct_document(node), twice
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        during = f" {error.context}" if error.context else ""
        raise YamlError(f"{where}not YAML{during}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise YamlError(f"not YAML: {error}") from None
    finally:
        loader.dispose()


def _find_twice(node: yaml.Node, path: str, lines: list[str], seen: set[int]) -> None:
    if id(node) in seen:  # an alias
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _find_twice(item, f"{path}[{index}]", lines, seen)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            here = f"{path}.{key.value}".removeprefix(".")
            line = key.start_mark.line + 1
            if key.value in first and key.value != "<<":
                lines.append(f"{here}: lines {first[key.value]} and {line} — expected once")
            first.setdefault(str(key.value), line)
            _find_twice(value, here, lines, seen)
