"""The API's answers for its OpenAPI document, each with a valid example."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

import msgspec
from fastapi import HTTPException
from fastapi import Path as InPath
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from mirante.faults import FaultCode
from mirante.keys import key
from mirante.status import State
from pipeline.control.build_report import BuildReport
from pipeline.control.needs import Said
from pipeline.control.registry import no_camera
from pipeline.control.sleep_report import SleepReport

CameraName = Annotated[str, InPath(description="name of the camera", examples=["gate"])]
Answers = dict[int | str, dict[str, Any]]


def _flag(text: object) -> object:
    if isinstance(text, str) and text not in {"true", "false"}:
        raise ValueError("expected true or false")
    return text


def _whole(text: object) -> object:
    if isinstance(text, str) and not re.fullmatch("-?[0-9]{1,18}", text):
        raise ValueError("expected a whole number")
    return text


Flag = Annotated[bool, BeforeValidator(_flag)]
"""A query's ``true`` or ``false``, and nothing else that may be read so."""
DIGITS = BeforeValidator(_whole)
"""For a query's number: in digits alone. Behind the bounds, which the document would lose else."""
Series = list[float | None]


def inline(schema: Any, parts: Mapping[str, Any] | None = None) -> Any:
    """A JSON Schema with each ``$ref`` to its own ``$defs`` replaced by what it stands for."""
    if isinstance(schema, list):
        return [inline(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    parts = schema.get("$defs", parts or {})
    rest = {key: inline(value, parts) for key, value in schema.items() if key != "$defs"}
    if (name := str(rest.pop("$ref", "")).rpartition("/")[2]) in parts:
        return inline(parts[name], parts) | rest
    return rest


def as_said(kind: type[msgspec.Struct]) -> WithJsonSchema:
    """The schema of a struct that is answered as it is."""
    return WithJsonSchema(inline(msgspec.json.schema(kind)))


def unknown(name: str, known: Collection[str]) -> HTTPException:
    """No camera has that name; in the registry's words."""
    return HTTPException(404, no_camera(name, known))


class Refused(BaseModel):
    """Why it was not done, in words; each mistake of a body is a line."""

    detail: str | list[str] = Field(examples=['no camera "gat"; did you mean "gate"?'])


def refusals(*statuses: int) -> Answers:
    """The answers of a route that are refusals."""
    words = {
        401: "user or password is wrong",
        403: "not within your rights",
        404: "no such camera, or no results yet",
        409: "not allowed as things are",
        422: "a wrong key or value",
        429: "too much at once",
        502: "the worker could not do it",
        503: "Redis is away",
        504: "no answer in time",
        507: "a file cannot be read or changed: of cameras' passwords, or of clips; or no room",
    }
    return {status: {"model": Refused, "description": words[status]} for status in statuses}


class Shape(BaseModel):
    """Says exactly what it holds."""

    model_config = ConfigDict(extra="forbid")


class Counts(Shape):
    """decoded = published + all of dropped + failed."""

    decoded: int
    published: int
    dropped: dict[str, int] = Field(description="by reason")
    failed: int
    damaged: int = Field(0, description="decoded frames that the decoder made up in part")
    skipped: dict[str, int] = Field(
        {}, description="frames that no model looked at before they were published, by reason"
    )


class Rate(Shape):
    """Frames a second over the last 5 seconds."""

    decoded: float
    published: float
    dropped: float
    failed: float


class Latency(Shape):
    """Milliseconds from capture to Redis over the last 30 seconds."""

    p50: float
    p95: float


# A code of a later worker is let through, without advice.
CODE: Any = Field(
    None,
    description="why it gives no frames, as a code; null when nothing is wrong",
    examples=[code.value for code in FaultCode],
)
ADVICE: Any = Field(None, description="what to do about it")

CAMERA: dict[str, Any] = {
    "name": "gate",
    "stream": key("gate", "detections"),
    "url": "rtsp://***@192.0.2.10/main",
    "spec": {"url": "rtsp://***@192.0.2.10/main", "stages": [{"model": "street"}], "fps": 10},
    "origin": "api",
    "worker": "main",
    "paused": False,
    "state": "running",
    "reason": "frames arrive",
    "code": None,
    "advice": None,
    "since": 1763899600.5,
    "attempt": 0,
    "counts": {
        "decoded": 1800,
        "published": 720,
        "dropped": {"rate": 1080},
        "failed": 0,
        "damaged": 0,
        "skipped": {"still": 640},
    },
    "rate": {"decoded": 25.0, "published": 10.0, "dropped": 15.0, "failed": 0.0},
    "latency_ms": {"p50": 31.2, "p95": 44.0},
    "size": [1920, 1080],
    "stages": [{"model": "street"}],
    "models": ["street"],
    "builds": {
        "street": {
            "state": "building",
            "words": "tactics",
            "share": 0.4,
            "since": 1763899600.5,
        }
    },
    "labels": ["person", "bicycle", "car"],
    "view": None,
    "hint": None,
    "clips": None,
    "sleep": {
        "asleep": True,
        "asleep_s": 5400.5,
        "of_s": 7200.0,
        "wakes": {"motion": 12, "viewer": 3},
        "unseen": 0,
        "left_alone": "",
    },
    "cpu_percent": 1.9,
    "onvif": {
        "state": "subscribed",
        "reason": "",
        "code": None,
        "since": 1763899602.5,
        "events": 12,
        "last": "camera:object person",
        "last_at": 1763899660.25,
        "clock_off_s": 0.0,
        "unknown": {"Monitoring/ProcessorUsage": 3},
        "advice": None,
    },
}


class View(Shape):
    """The stream of a camera that people see, where it is another than is analysed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "rtsp://***@192.0.2.10/main",
                    "state": "running",
                    "reason": "frames arrive",
                    "code": None,
                    "advice": None,
                    "size": [3840, 2160],
                    "off_ms": 12.5,
                }
            ]
        }
    )

    url: str = Field(description="its address, *** for what is secret in it")
    state: Literal[State, "idle"] = Field(
        description="idle: nobody watches, so that it is not read. While it does not run the image "
        "is that of the analysed stream"
    )
    reason: str = Field(description="why, in words")
    code: str | None = CODE
    advice: str | None = ADVICE
    size: tuple[int, int] | None = Field(description="width, height of its frames in pixels")
    off_ms: float | None = Field(
        description="milliseconds between the newest image and the results drawn on it"
    )


class Listening(Shape):
    """How a worker receives the camera's own events over ONVIF."""

    state: Literal["connecting", "subscribed", "failed"]
    reason: str = Field(description="why, in words; empty where it is subscribed")
    code: str | None = CODE
    advice: str | None = ADVICE
    since: float = Field(description="Unix seconds at which the state began")
    events: int = Field(description="events since the camera was started")
    last: str = Field(description="the last one's kind, and the class or the name")
    last_at: float | None = Field(description="Unix seconds of the last one")
    clock_off_s: float = Field(
        description="seconds that the camera's clock is ahead, where it is 2 off"
    )
    unknown: dict[str, int] = Field(
        description="messages of topics that are no events here, by topic"
    )
    failures: int = Field(
        0, description="subscriptions that failed or were lost since the camera was started"
    )


class Camera(Shape):
    """A camera that is configured, and how it is doing."""

    model_config = ConfigDict(json_schema_extra={"examples": [CAMERA]})

    name: str
    stream: str = Field(description="the key in Redis of its detections")
    url: str = Field(description="its address, *** for what is secret in it")
    spec: dict[str, Any] = Field(description="the keys that were said of it, its url as above")
    origin: Literal["config", "api"] = Field(description="config: its worker's file says so")
    worker: str = Field(description="that runs it; empty while the fleet has none for it")
    needs: Said | None = Field(
        None, description="what its worker must offer, of a camera of the fleet; null for others"
    )
    paused: bool
    state: Literal[State, "not started", "unknown"] = Field(
        description="unknown: its worker is not running, or Redis is away"
    )
    reason: str = Field(description="why, in words")
    code: str | None = CODE
    advice: str | None = ADVICE
    since: float | None = Field(description="Unix seconds at which the state began")
    attempt: int = Field(description="attempts since it last ran")
    counts: Counts | None
    rate: Rate | None
    latency_ms: Latency | None
    size: tuple[int, int] | None = Field(description="width, height of the source in pixels")
    stages: list[dict[str, Any]] = Field(
        description="what its frames pass: those of spec, else what its worker runs for cameras "
        "that name none"
    )
    models: list[str]
    builds: dict[str, Annotated[dict[str, Any], as_said(BuildReport)]] = Field(
        {}, description="by model, how far the engine is that its worker makes for it"
    )
    labels: list[str] = Field(description="what its models may find")
    view: View | None = Field(
        None, description="the stream that people see; null where it is that which is analysed"
    )
    hint: str | None = Field(
        None,
        description="that a larger stream is decoded than its analysis needs, and its cost",
    )
    clips: dict[str, Any] | None = Field(
        None, description="the moments that make its clips; null where it keeps none"
    )
    sleep: Annotated[dict[str, Any], as_said(SleepReport)] | None = Field(
        None, description="how it sleeps while nothing happens; null where it never does"
    )
    cpu_percent: float | None = Field(
        None,
        description="percent of one core that its own threads took over the last ten seconds: "
        "receiving, decoding, stages",
    )
    onvif: Listening | None = Field(
        None, description="how the camera's own events are received; null where they are not"
    )


class Removed(Shape):
    """A camera that is no longer wanted."""

    name: str = Field(examples=["gate"])
    words: str = Field(examples=['camera "gate" removed'])


DETECTION: dict[str, Any] = {
    "label": "car",
    "class_id": 2,
    "score": 0.91,
    "bbox": [10.25, 20.5, 100.5, 199.5],
}


class History(Shape):
    """Columns, one value a second, oldest first; null where there was no sample."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "t": [1763899666.0, 1763899667.0],
                    "decoded": [None, 25.0],
                    "published": [None, 10.0],
                    "failed": [None, 0.0],
                    "dropped": {"rate": [None, 15.0]},
                    "latency_ms": [33.1, 31.2],
                    "objects": {"car": [1.0, 2.0]},
                    "stages": {"infer": [20.5, 20.9]},
                }
            ]
        }
    )

    t: list[float] = Field(description="Unix seconds")
    decoded: Series = Field(description="frames a second")
    published: Series
    failed: Series
    dropped: dict[str, Series] = Field(description="by reason")
    latency_ms: Series = Field(description="capture to Redis, of the sampled frame")
    objects: dict[str, Series] = Field(description="by label, of the sampled frame")
    stages: dict[str, Series] = Field(description="milliseconds by stage, of the sampled frame")


class StateChange(Shape):
    """A camera changed its state."""

    state: State
    reason: str
    code: str | None = CODE
    at: float = Field(description="Unix seconds at which this was said")
    since: float = Field(description="Unix seconds at which the state began")
    attempt: int


class Timeline(Shape):
    """Newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "states": [
                        {
                            "state": "running",
                            "reason": "frames arrive",
                            "at": 1763899601.0,
                            "since": 1763899600.5,
                            "attempt": 0,
                        }
                    ],
                    "events": [],
                    "unreadable": 0,
                }
            ]
        }
    )

    states: list[StateChange]
    events: list[dict[str, Any]] = Field(description="as on the wire")
    unreadable: int = Field(0, description="entries left out, as they are no messages of format 1")
