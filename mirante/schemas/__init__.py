"""JSON Schema of each message and an AsyncAPI document of the streams, made from the types.

``python -m mirante.schemas`` writes the files beside this one; a test holds them equal.
"""

from __future__ import annotations

from typing import Any

import msgspec

from mirante.events import Event
from mirante.keys import CAMERA_NAME, Kind, address
from mirante.status import Status
from mirante.terms import VERSION
from mirante.wire.messages import DetectionsMessage, MasksMessage

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MESSAGES: dict[Kind, type[msgspec.Struct]] = {
    "detections": DetectionsMessage,
    "masks": MasksMessage,
    "events": Event,
    "status": Status,
}
STREAMS: tuple[Kind, ...] = (*MESSAGES, "images")


def documents() -> dict[str, dict[str, Any]]:
    """File names and what stands in them."""
    files = {f"{kind}.json": _schema(kind, message) for kind, message in MESSAGES.items()}
    return {**files, "asyncapi.json": _asyncapi()}


def _schema(kind: str, message: type[msgspec.Struct]) -> dict[str, Any]:
    schema = _short(msgspec.json.schema(message))
    body = schema["$defs"][message.__name__]
    body["required"] = ["version", *(name for name in body["required"] if name != "version")]
    body["properties"]["version"].pop("default", None)
    return {"$schema": DRAFT, "title": f"mirante {kind} {VERSION}", **schema}


def _short(part: Any) -> Any:
    """The schema with the first line of each docstring as its description."""
    if isinstance(part, list):
        return [_short(item) for item in part]
    if not isinstance(part, dict):
        return part
    return {
        name: value.partition("\n")[0] if name == "description" else _short(value)
        for name, value in part.items()
    }


def _asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mirante",
            "version": VERSION,
            "description": "Results of cameras on Redis streams. An entry's ID is "
            "<milliseconds of capture>-<number of the frame> and never falls.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {kind: _channel(kind) for kind in STREAMS},
        "operations": {
            f"read_{kind}": {"action": "receive", "channel": {"$ref": f"#/channels/{kind}"}}
            for kind in STREAMS
        },
        "components": {
            "messages": {kind: _message(kind) for kind in STREAMS},
            "parameters": {
                "camera": {
                    "description": f"the camera's name ({CAMERA_NAME}) in literal braces, "
                    "which are Redis Cluster's hash tag",
                    "examples": ["{gate}"],
                }
            },
        },
    }


def _channel(kind: str) -> dict[str, Any]:
    return {
        "address": address(kind),
        "description": "a Redis stream",
        "parameters": {"camera": {"$ref": "#/components/parameters/camera"}},
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"}},
    }


def _message(kind: str) -> dict[str, Any]:
    """The fields of an entry."""
    content: dict[str, Any] = {"type": "string", "contentMediaType": "application/json"}
    name = "json"
    if kind in MESSAGES:
        content["contentSchema"] = {"$ref": f"./{kind}.json"}
    else:
        name, content["contentMediaType"] = "jpeg", "image/jpeg"
        content["description"] = "the image of the event in the entry of the same ID in `events`"
    fields: dict[str, Any] = {
        "type": "object",
        "required": [name, "sent"],
        "properties": {
            name: content,
            "sent": {"type": "string", "description": "Unix seconds at which Redis was handed it"},
        },
    }
    if kind == "masks":
        planes = {"type": "string", "description": "bytes of a mask's planes, by its `encoding`"}
        fields["patternProperties"] = {r"^m\d+$": planes}
    if kind == "detections":
        vectors = {"type": "string", "description": "vectors of `embeddings`, as it describes them"}
        fields["patternProperties"] = {r"^e\d+$": vectors}
    draft = "application/schema+json;version=draft-2020-12"
    return {"payload": {"schemaFormat": draft, "schema": fields}}
