"""A file of webhooks, or the options of one, to ``Hooks`` or to every mistake at once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridges.webhook.options import Hooks
from pipeline.config.environment import expand_tree, from_environment
from pipeline.config.messages import ConfigError, describe, path_of
from pipeline.config.yaml_file import YamlError, read_yaml

_SECRET = frozenset({"url", "secret", "headers"})
_HIDDEN = "***"


def load_hooks(path: Path) -> Hooks:
    """Read a file of webhooks.

    Raises:
        ConfigError: a line for each mistake: key, value, and what was expected.
    """
    try:
        document, twice = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(str(path), [f"{path}: {error.strerror}"]) from None
    except (UnicodeDecodeError, YamlError) as error:
        raise ConfigError(str(path), [f"{path}: {error}"]) from None
    if twice:
        raise ConfigError(str(path), twice)
    try:
        return parse_hooks(document)
    except ConfigError as error:
        raise ConfigError(str(path), error.lines) from None


def parse_hooks(document: Any) -> Hooks:
    """Check a document, with ``${NAME}`` put in from the environment.

    Raises:
        ConfigError: as ``load_hooks``.
    """
    if not isinstance(document, dict):
        raise ConfigError("webhooks", ["top level: expected a mapping with hooks"])
    expanded, failures = expand_tree(document, from_environment)
    if failures:
        raise ConfigError("webhooks", [f"{path_of(at)}: {why}" for at, why in failures.items()])
    try:
        return Hooks.model_validate(expanded)
    except ValidationError as error:
        lines = describe(error, Hooks, _hidden(document))
        raise ConfigError("webhooks", map(_placed, lines)) from None


def _placed(line: str) -> str:
    """What is wrong of several keys of a mapping together, at the key that its words name."""
    line = re.sub(r"^top level: a mapping — (?=\w+\.)", "", line)
    return re.sub(r": a mapping — (?=\w+: )", ".", line, count=1)


def _hidden(node: Any) -> Any:
    """The document with what may be secret out of it."""
    if not isinstance(node, dict):
        return node
    return {key: _HIDDEN if key in _SECRET else _hidden(value) for key, value in node.items()}
