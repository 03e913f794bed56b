"""What may be said of a camera over HTTP: its schema, and what is refused before the registry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dashboard.api.shapes import inline
from mirante.keys import CAMERA_NAME
from pipeline.config.camera import Camera, ModelStage
from pipeline.config.messages import NAME_WORDS, ConfigError, did_you_mean, show
from pipeline.registry import Desired
from pipeline.worker_report import WorkerReport

NAME = {"type": "string", "pattern": CAMERA_NAME, "description": "name of the camera"}
WORKER = {"type": "string", "pattern": CAMERA_NAME, "description": "worker that runs it"}


def body_of(
    example: Mapping[str, object],
    *,
    beside: Mapping[str, object] | None = None,
    required: tuple[str, ...] = (),
    nullable: bool = False,
) -> dict[str, Any]:
    """The OpenAPI description of a body that holds keys of a camera.

    Args:
        example: a body.
        beside: schemas of further keys.
        required: keys that must be there.
        nullable: null stands for the default.
    """
    schema = inline(Camera.model_json_schema())
    keys = schema["properties"]
    keys["stages"] |= {"items": inline(ModelStage.model_json_schema())}
    for key in keys if nullable else ():
        if key != "url":
            keys[key] = {"anyOf": [keys[key], {"type": "null"}]}
    schema |= {"properties": {**(beside or {}), **keys}, "required": list(required)}
    content = {"schema": schema, "example": dict(example)}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def take_name(keys: dict[str, Any], key: str, default: str | None = None) -> str:
    """Takes the name of a camera or worker out of a body.

    Raises:
        ConfigError: it is missing, or none that there can be.
    """
    if key not in keys and default is None:
        raise ConfigError("camera", [f"{key}: missing — expected {NAME_WORDS}"])
    value = keys.pop(key, default)
    if not isinstance(value, str) or not re.fullmatch(CAMERA_NAME, value):
        raise ConfigError("camera", [f"{key}: {show(value)} — expected {NAME_WORDS}"])
    return value


def check(
    name: str, keys: Mapping[str, Any], before: Desired | None, report: WorkerReport | None
) -> None:
    """Refuses what the registry would take and an API must not, and what its worker cannot run.

    Code and other cameras' passwords are not for whoever may change cameras: stages of one's own
    come from the worker's file, and ``${credential:…}`` from the file of credentials alone.

    Args:
        name: the camera's.
        keys: what is to be said of it; of any shape.
        before: the camera as it is.
        report: what its worker may run, where that is known.

    Raises:
        ConfigError: with a line per mistake.
    """
    lines = list(_check_url(name, keys.get("url")))
    stages = keys.get("stages")
    known = before.spec.get("stages", []) if before else []
    for index, stage in enumerate(stages if isinstance(stages, list) else ()):
        if isinstance(stage, dict) and stage not in known:
            lines += _check_stage(f"{name}.stages[{index}]", stage, report)
    if lines:
        raise ConfigError("camera", lines)


def _check_url(name: str, url: object) -> Iterator[str]:
    if isinstance(url, str) and "${credential:" in url:
        yield f"{name}.url: {show(url)} — expected the password itself, or ${{NAME}} of a variable"


def _check_stage(
    place: str, stage: Mapping[str, Any], report: WorkerReport | None
) -> Iterator[str]:
    if "python" in stage:
        yield (
            f"{place}.python: {show(stage['python'])} — expected a model; stages of your own are "
            "named in the worker's file"
        )
    model = stage.get("model")
    zoo = [each.name for each in report.zoo] if report else []
    if zoo and isinstance(model, str) and model not in zoo and "/" not in model:
        yield f"{place}.model: {show(model)} — {did_you_mean(model, zoo)}"
