"""The published schemas are those of the types, and messages are as they say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

import mirante.schemas
from mirante import Counts, Status
from mirante.wire import encode
from mirante.wire.messages import MaskEncoding
from tests.support.wire_frames import some_frame

FOLDER = Path(mirante.schemas.__file__).parent


def schema(kind: str) -> Any:
    return json.loads((FOLDER / f"{kind}.json").read_text())


def validator(kind: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(kind))


def status(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "camera": "gate",
        "state": "stalled",
        "reason": "no frame for 3 s",
        "ts": 2.5,
    }
    return json.loads(msgspec.json.encode(Status(**(facts | {"since": 1.5} | changes))))


def test_the_files_are_what_the_types_say() -> None:
    written = {path.name: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    made = json.loads(json.dumps(mirante.schemas.documents()))
    assert written == made, "run: python -m mirante.schemas"


@pytest.mark.parametrize("kind", ["detections", "masks", "events", "status"])
def test_the_schemas_are_schemas(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize("encoding", ["bits", "rle", "png", "polygon"])
def test_messages_are_as_the_schemas_say(encoding: MaskEncoding) -> None:
    coded = encode(some_frame(), encoding)
    validator("detections").validate(json.loads(coded.detections["json"]))
    assert coded.masks
    validator("masks").validate(json.loads(coded.masks["json"]))
    validator("status").validate(status())
    validator("status").validate(status(code="stalled"))
    validator("status").validate(status(attempt=2, counts=Counts(1, 1, {"rate": 0}, 0)))


@pytest.mark.parametrize(
    ("kind", "key"), [("detections", "counts"), ("masks", "size"), ("status", "version")]
)
def test_a_message_without_a_key_is_not(kind: str, key: str) -> None:
    coded = encode(some_frame())
    assert coded.masks
    message = {
        "detections": json.loads(coded.detections["json"]),
        "masks": json.loads(coded.masks["json"]),
        "status": status(),
    }[kind]
    del message[key]
    with pytest.raises(jsonschema.ValidationError, match=f"'{key}' is a required property"):
        validator(kind).validate(message)


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(jsonschema.ValidationError, match="asleep"):
        validator("status").validate(status() | {"state": "asleep"})


def test_asyncapi_names_every_stream_and_every_reference_leads_somewhere() -> None:
    document = json.loads((FOLDER / "asyncapi.json").read_text())
    assert {c["address"] for c in document["channels"].values()} == {
        "mirante:{camera}:detections",
        "mirante:{camera}:masks",
        "mirante:{camera}:events",
        "mirante:{camera}:images",
        "mirante:{camera}:status",
    }
    image = document["components"]["messages"]["images"]["payload"]["schema"]
    assert image["required"] == ["jpeg", "sent"]
    for reference in references(document):
        if reference.startswith("./"):
            assert (FOLDER / reference).exists()
            continue
        part = document
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            yield from [value] if name == "$ref" else references(value)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)
