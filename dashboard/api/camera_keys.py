"""The schema of a camera over HTTP, and what is refused before the registry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from dashboard.api.shapes import inline
from mirante.keys import CAMERA_NAME
from mirante.nearest import nearest
from pipeline.config.camera import Camera, CameraName
from pipeline.config.camera_url import ADDRESSES, SECRET_PARAMETER
from pipeline.config.events import Events
from pipeline.config.messages import NAME_WORDS, ConfigError, ConflictError, describe, refusal, show
from pipeline.config.references import check_blur, check_events, check_stages
from pipeline.config.stages import kinds
from pipeline.config.stages.facts import ModelFacts
from pipeline.config.stages.stage import STAGES, read_stage
from pipeline.config.standard import FACE
from pipeline.config.view_stream import no_view
from pipeline.control.entries import Desired, Needs
from pipeline.control.needs import KEY, Said, needs_of
from pipeline.control.reports import WorkerReport

NAME = {"type": "string", "pattern": CAMERA_NAME, "description": "name of the camera"}
WORKER = {"type": "string", "pattern": CAMERA_NAME, "description": "worker that runs it"}
NEEDS = inline(Said.model_json_schema())
MOST_ADDRESS = 2048  # characters
ADDRESS = r"^[^\x00-\x1f\x7f]+$"
_CAMERAS = TypeAdapter(dict[CameraName, Camera])
_LABELS = TypeAdapter(list[str])
_PLACES = tuple(f".{key}" for key in ADDRESSES)


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
    schema = deepcopy(_schema())
    keys = schema["properties"]
    for key in keys if nullable else ():
        if key != "url":
            keys[key] = {"anyOf": [keys[key], {"type": "null"}]}
    schema |= {"properties": {**(beside or {}), **keys}, "required": list(required)}
    content = {"schema": schema, "example": dict(example)}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


@cache
def _schema() -> dict[str, Any]:
    """A camera's schema with the stages that may be sent; made once, as it takes a while."""
    schema: dict[str, Any] = inline(Camera.model_json_schema())
    keys = schema["properties"]
    offered = [kind for kind in kinds().values() if not kind.refused_over_api]
    stages = [inline(kind.model_json_schema()) for kind in offered]
    listed = next(each for each in keys["stages"]["anyOf"] if each["type"] == "array")
    listed["items"] = {"oneOf": stages} if len(stages) > 1 else stages[0]
    for place in (keys["url"], *(keys[key]["anyOf"][0] for key in ADDRESSES if key != "url")):
        place |= {"pattern": ADDRESS, "maxLength": MOST_ADDRESS}
    return schema


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


def take_needs(keys: dict[str, Any]) -> Needs | None:
    """Take out of a body what a camera of the fleet needs; None where it is to be none.

    Raises:
        ConfigError: it says something else, or a worker besides.
    """
    if KEY not in keys:
        return None
    needs = needs_of(keys.pop(KEY))
    if "worker" in keys:
        words = f"{show(keys['worker'])} — expected no worker with needs: the fleet decides that"
        raise ConfigError("camera", [f"worker: {words}"])
    return needs


def check(
    name: str,
    keys: Mapping[str, Any],
    before: Desired | None,
    report: WorkerReport | None,
    *,
    may_refer: bool = True,
    replaces: bool = False,
) -> None:
    """Refuses what the registry would take and an API must not, and what its worker cannot run.

    Code, other cameras' passwords and the worker's variables are not for whoever may change
    cameras: stages of one's own come from the worker's file, ``${credential:…}`` and
    ``${sealed:…}`` from what keeps passwords alone, and ``${NAME}`` is let through only where
    nothing shows what it stands for.

    Args:
        name: the camera's.
        keys: what is to be said of it; of any shape.
        before: the camera as it is.
        report: what its worker may run, where that is known.
        may_refer: ``${NAME}`` may stand for a variable of the worker. That of another camera's
            password would go to an address that whoever asks chose, so it takes rights to all.
        replaces: keys that are left out return to their defaults instead of staying as they were.

    Raises:
        ConfigError: with a line per mistake.
        ConflictError: each key is as the document says, and with the others, or on that worker, it
            cannot be.
    """
    wrong = list(_check_references(name, keys, _PLACES if may_refer else ()))
    stages = keys.get("stages")
    known = (before.spec.get("stages") if before else None) or []
    lines: list[str] = []
    for index, stage in enumerate(stages if isinstance(stages, list) else ()):
        if isinstance(stage, dict) and stage not in known:
            wrong += _check_kind(f"{name}.stages[{index}]", stage)
            lines += _check_models(f"{name}.stages[{index}]", stage, report)
    if wrong:
        raise ConfigError("camera", wrong)
    _check_shape(name, keys)
    whole = {**(before.spec if before and not replaces else {}), **keys}
    if report and not lines and keys.keys() & {"stages", "preview", "events"}:
        lines += _check_classes(name, whole, report)
    if report and not lines and whole.get("view") is not None:
        lines += _check_inherited_blur(name, whole, report)
    if lines:
        raise ConflictError("camera", lines)


def _check_shape(name: str, keys: Mapping[str, Any]) -> None:
    """Refuse what is not as the OpenAPI document says: JSON's own types, with nothing read into
    text. Null stands for the default; where it may not, the registry says so.
    """
    said = {k: v for k, v in keys.items() if v is not None or k not in Camera.model_fields}
    words = f"expected an address of 1 to {MOST_ADDRESS} printable characters"
    texts = [
        f"{name}.{key}: {show(said[key], key)} — {words}"
        for key in ADDRESSES
        if key in said and not _is_printable(said[key])
    ]
    if texts:
        raise ConfigError("camera", texts)
    document = {name: {"url": "test://", **said}}
    try:
        _CAMERAS.validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        raise refusal(error, describe(error, dict[CameraName, Camera], document)) from None


def _is_printable(text: object) -> bool:
    return isinstance(text, str) and len(text) <= MOST_ADDRESS and bool(re.fullmatch(ADDRESS, text))


def _check_references(place: str, value: object, addresses: tuple[str, ...]) -> Iterator[str]:
    """``${NAME}`` stands for a password in the address alone: what anything else says is shown.

    Args:
        place: of the value.
        value: of any shape.
        addresses: ends of the places where it may stand so.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _check_references(f"{place}.{key}", inner, addresses)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _check_references(f"{place}[{index}]", inner, addresses)
    elif isinstance(value, str) and any(mark in value for mark in ("${credential:", "${sealed:")):
        yield f"{place}: {show(value)} — expected the password itself, or ${{NAME}} of a variable"
    elif isinstance(value, str) and "${" in (_shown(value) if place.endswith(addresses) else value):
        words = (
            "expected ${NAME} as user or password of an address, and nowhere else"
            if addresses
            else "expected no ${NAME}: it takes rights to all cameras"
        )
        yield f"{place}: {show(value)} — {words}"


def _shown(url: str) -> str:
    """An address without user, password and secret parameters: what reasons may repeat."""
    try:
        split = urlsplit(url)
    except ValueError:
        return url
    host = split.netloc.rpartition("@")[2]
    path, query = (SECRET_PARAMETER.sub("", part) for part in (split.path, split.query))
    return split._replace(netloc=host, path=path, query=query).geturl()


def _check_kind(place: str, said: Mapping[str, Any]) -> Iterator[str]:
    for key, kind in kinds().items():
        if kind.refused_over_api and key in said:
            yield f"{place}.{key}: {show(said[key])} — {kind.refused_over_api}"


def _check_models(
    place: str, said: Mapping[str, Any], report: WorkerReport | None
) -> Iterator[str]:
    stage = read_stage(said)
    zoo = [each.name for each in report.zoo] if report else []
    for use in stage.models() if stage and zoo else ():
        if use.name not in zoo and "/" not in use.name:
            yield f"{place}.{use.key}: {show(use.name)} — {nearest(use.name, zoo)}"


def _check_inherited_blur(
    name: str, keys: Mapping[str, Any], report: WorkerReport
) -> Iterator[str]:
    """A camera that says nothing of ``blur`` blurs what its worker's defaults do."""
    own = keys.get("preview")
    blur = report.defaults.get("preview", {}).get("blur")
    if blur and not (isinstance(own, Mapping) and own.get("blur") is not None):
        yield no_view(str(keys["view"]), blur, name)


def _check_classes(name: str, keys: Mapping[str, Any], report: WorkerReport) -> Iterator[str]:
    """Classes that stages, ``preview.blur`` and ``events`` name must be found by a stage, as far
    as the worker's report tells; what is of another shape the registry refuses.
    """
    facts = {
        model.name: ModelFacts(
            model.name,
            model.labels,
            model.labels_of(lambda head: head.finds_boxes),
            model.labels_of(lambda head: head.finds_masks),
            model.needs_boxes,
            model.runs_on == "crops",
            model.gives_vectors,
            model.scored,
        )
        for model in report.zoo
    }
    preview = keys.get("preview")
    blur = preview.get("blur") if isinstance(preview, Mapping) else None
    own = keys.get("events")
    try:
        labels = _LABELS.validate_python(blur or [])
        events = Events.model_validate(
            {**report.defaults.get("events", {}), **(own if isinstance(own, Mapping) else {})}
        )
        stages = STAGES.validate_python(report.stages_of({**keys, "preview": {"blur": [FACE]}}))
    except ValidationError:
        return
    yield from check_stages(stages, f"{name}.stages", facts.get)
    yield from check_blur(labels, stages, f"{name}.preview.blur", facts)
    yield from check_events(events, stages, f"{name}.events", facts)
