"""A configuration file to settings, or to every mistake in it at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from mirante.nearest import nearest
from pipeline.config.environment import expand_tree, from_environment
from pipeline.config.messages import ConfigError, describe, path_of, show
from pipeline.config.onvif_address import check_onvif
from pipeline.config.references import (
    check_blur,
    check_events,
    check_source,
    check_stages,
    search_in,
)
from pipeline.config.settings import Settings, findable, with_manifests
from pipeline.config.stages.stage import STAGES
from pipeline.config.view_stream import check_hidden, check_sessions
from pipeline.config.yaml_file import YamlError, read_yaml

ENV_PREFIX = "MIRANTE_"


def load_settings(path: Path) -> Settings:
    """Reads, expands and checks a configuration file.

    Raises:
        ConfigError: one line per mistake, all of them at once.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(str(path), [f"{path}: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [f"{path}: byte {error.start} is not UTF-8 text"]) from None
    search_in(path.parent, Path.cwd())
    try:
        return parse_settings(text)
    except ConfigError as error:
        raise ConfigError(str(path), error.lines) from None
    except YamlError as error:
        raise ConfigError(str(path), [f"{path}: {error}"]) from None
    except RecursionError:
        raise ConfigError(str(path), [f"{path}: nested too deeply"]) from None


def parse_settings(text: str) -> Settings:
    """Parse settings as ``load_settings`` does, from the text of a file.

    Raises:
        ConfigError: one line per mistake, all of them at once.
        YamlError: the text is not YAML.
    """
    document, lines = read_yaml(text)
    if not isinstance(document, dict):
        wrong = f"top level: {show(document)} — expected a mapping with keys such as cameras"
        raise ConfigError("configuration", [wrong])
    expanded, failures = expand_tree(document, from_environment)
    lines += [f"{path_of(p)}: {show(_at(document, p))} — {w}" for p, w in failures.items()]
    settings, wrong_values = _validate(expanded, document)
    lines += [line for line in wrong_values if line.partition(": ")[0] not in _paths(failures)]
    lines += _check_references(expanded)
    for name, camera in (settings.cameras if settings else {}).items():  # with what they inherit
        blur = f"cameras.{name}.preview.blur"
        lines += check_blur(camera.preview.blur, findable(camera), blur)
        lines += check_events(camera.events, findable(camera), f"cameras.{name}.events")
        lines += check_source(camera, f"cameras.{name}")
        lines += check_hidden(camera, f"cameras.{name}")
        lines += check_onvif(camera, f"cameras.{name}")
    lines += check_sessions(settings.cameras, "cameras") if settings else ()
    if lines or settings is None:
        raise ConfigError("configuration", lines)
    return settings


def _validate(expanded: dict[str, Any], document: Any) -> tuple[Settings | None, list[str]]:
    known = list(Settings.model_fields)
    private = [key for key in expanded if key.startswith("_")]  # options of pydantic-settings
    lines = [f"{key}: unknown key — {nearest(key, known)}" for key in private]
    try:
        values = {key: value for key, value in expanded.items() if key not in private}
        return Settings(**values), lines
    except ValidationError as error:
        return None, lines + describe(error, Settings, document, ENV_PREFIX)
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{ENV_PREFIX}{field[1].upper()}" if field else "environment"
        return None, [*lines, f"{name}: expected JSON"]


def _paths(failures: dict[tuple[str | int, ...], str]) -> set[str]:
    return {path_of(path) for path in failures}


def _at(document: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def _check_references(expanded: dict[str, Any]) -> Iterator[str]:
    """Checks the lists of stages that are well formed; the others are complained about already."""
    folder = expanded.get("models")
    manifests = Path(folder) if isinstance(folder, str) else None
    lists = {"defaults.stages": _get(expanded, "defaults", "stages")}
    cameras = _get(expanded, "cameras")
    for name in cameras if isinstance(cameras, dict) else ():
        lists[f"cameras.{name}.stages"] = _get(cameras, name, "stages")
    for path, raw in lists.items():
        if not isinstance(raw, list):
            continue
        try:
            stages = STAGES.validate_python(raw)
        except ValidationError:
            continue
        yield from check_stages(with_manifests(stages, manifests), path)


def _get(document: Any, *keys: str) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document
