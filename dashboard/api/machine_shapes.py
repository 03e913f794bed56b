"""The API's answers about models, workers and Redis."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import ConfigDict, Field, WithJsonSchema

from dashboard.api.shapes import Shape, as_said, inline
from mirante.keys import key
from pipeline.control.bridge_reports import BridgeReport
from pipeline.control.build_report import BuildReport
from pipeline.control.fleet_report import FleetReport
from pipeline.control.reports import (
    ModelReport,
    WorkerReport,
    ZooModel,
    told,
)

OF_ALL_CAMERAS = ("depth", "sent", "refused")
"""The keys of an outbox that count all cameras of a worker together."""


def _shown_worker() -> WithJsonSchema:
    schema: dict[str, Any] = inline(msgspec.json.schema(WorkerReport))
    outbox = schema["properties"]["outbox"]["properties"]
    words = "of all cameras together; null where your rights do not reach them all"
    for each in OF_ALL_CAMERAS:
        outbox[each] = {"anyOf": [outbox[each], {"type": "null"}], "description": words}
    return WithJsonSchema(schema)


class OfferedModel(ZooModel, frozen=True, kw_only=True):
    """A model that a camera's stage may name, and who has it."""

    ready_on: Annotated[tuple[str, ...], told("workers that have its file")]


class ModelInUse(ModelReport, frozen=True, kw_only=True):
    """The model that runs under a name, and the workers that run it."""

    worker: str
    build: Annotated[
        BuildReport | None, told("how far its engine is; null where none is asked for")
    ]


class StandardStages(Shape):
    """The stages of cameras that name none, on one worker."""

    stages: list[dict[str, Any]]
    with_faces: list[dict[str, Any]] = Field(description="where the camera blurs faces")


class Models(Shape):
    """The models that cameras may run, and those that run."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "zoo": [
                        {
                            "name": "street",
                            "task": "detect",
                            "labels": ["person", "car"],
                            "verb": "finds",
                            "finds_boxes": True,
                            "finds_masks": False,
                            "needs_boxes": False,
                            "gives_vectors": False,
                            "scored": ["person", "car"],
                            "heads": [],
                            "licence": "Apache-2.0",
                            "runs_on": "frame",
                            "ms": 4.8,
                            "ready_on": ["main"],
                        }
                    ],
                    "in_use": [
                        {
                            "worker": "main",
                            "name": "street",
                            "runs": "street",
                            "runtime": "onnxruntime",
                            "precision": "fp32",
                            "parity": "",
                            "before": [],
                            "build": {
                                "state": "building",
                                "words": "tactics",
                                "share": 0.4,
                                "since": 1763899600.5,
                            },
                        }
                    ],
                    "defaults": {"main": {"width": 640}},
                    "standard": {
                        "main": {
                            "stages": [{"model": "yolox-street"}, {"track": "bytetrack"}],
                            "with_faces": [
                                {"model": "yolox-street"},
                                {"track": "bytetrack"},
                                {"model": "yunet"},
                            ],
                        }
                    },
                }
            ]
        }
    )

    zoo: list[Annotated[dict[str, Any], as_said(OfferedModel)]]
    in_use: list[Annotated[dict[str, Any], as_said(ModelInUse)]]
    defaults: dict[str, dict[str, Any]] = Field(
        description="by worker, the keys that its cameras inherit"
    )
    standard: dict[str, StandardStages] = Field(
        description="by worker, what its cameras pass that name no stages; without workers whose "
        "defaults name some"
    )


class Stream(Shape):
    """One stream of a camera."""

    key: str
    camera: str
    stream: Literal["detections", "masks", "status", "events", "images", "tracks"]
    length: int = Field(description="entries")
    bytes: int | None = Field(description="memory, estimated; null where it may not be asked")


class RedisFacts(Shape):
    """The server; null what it does not tell."""

    url: str = Field(description="its address, *** for what is secret in it")
    connected: bool
    words: str = Field(description="why not")
    refused: str = Field(description="why it takes no writes though it answers; empty: it does")
    version: str | None
    used_memory_bytes: int | None
    maxmemory_bytes: int | None = Field(description="0: no limit")
    clients: int | None
    ops_per_s: int | None
    maxmemory_policy: str | None = Field(description="expected: noeviction")
    evicts: str = Field(description="what is wrong with that policy; empty: nothing, or unknown")
    streams: list[Stream]


class Group(Shape):
    """A durable consumer group of a camera's stream."""

    camera: str
    stream: Literal["detections", "masks", "status", "events", "images", "tracks"]
    group: str
    consumers: int
    pending: int = Field(description="delivered and not acknowledged")
    lag: int | None = Field(description="entries it has yet to read, trimmed ones too")
    lost: int | None = Field(
        description="published frames that were trimmed before the group read them, not counted "
        "by it yet; null where nothing tells"
    )


class Sent(Shape):
    """The dashboard's own process."""

    pages: int
    pictures_sent: int
    pictures_skipped: int
    bytes_sent: int
    cpu_percent: float = Field(description="of one core, since this was asked before")
    rss_bytes: int


class System(Shape):
    """Redis, workers, bridges, consumers, and the dashboard itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "redis": {
                        "url": "redis://127.0.0.1:6379",
                        "connected": True,
                        "words": "",
                        "refused": "",
                        "version": "7.0.15",
                        "used_memory_bytes": 8_000_000,
                        "maxmemory_bytes": 0,
                        "clients": 5,
                        "ops_per_s": 230,
                        "maxmemory_policy": "noeviction",
                        "evicts": "",
                        "streams": [
                            {
                                "key": key("gate", "detections"),
                                "camera": "gate",
                                "stream": "detections",
                                "length": 600,
                                "bytes": 1_400_000,
                            }
                        ],
                    },
                    "workers": [],
                    "bridges": [
                        {
                            "name": "mqtt",
                            "kind": "mqtt",
                            "target": "mqtt://broker.lan:1883",
                            "state": "running",
                            "words": "",
                            "at": 1763899667.1,
                            "started": 1763890000.5,
                            "pid": 4711,
                            "host": "gate-pc",
                            "version": "0.1.0",
                            "group": "bridge-mqtt",
                            "cameras": 4,
                            "lag": 0,
                            "lag_s": 0.0,
                            "delivered": 1820,
                            "failed": 2,
                            "dead": 0,
                            "lost": 0,
                            "last_error": "connection refused",
                            "last_error_at": 1763895000.0,
                        }
                    ],
                    "fleet": {
                        "at": 1763899667.1,
                        "state": "running",
                        "keeper": "process 4711 on rack-1",
                        "nodes": [
                            {
                                "name": "rack-1",
                                "workers": 1,
                                "cameras": 20,
                                "cores": 16,
                                "cpu_percent": 38.0,
                                "memory_bytes": 68_000_000_000,
                                "memory_used_bytes": 9_000_000_000,
                                "gpus": 0,
                                "gpu_percent": None,
                                "more": 29,
                                "limited_by": "processor",
                            }
                        ],
                        "workers": [
                            {
                                "name": "worker-1",
                                "node": "rack-1",
                                "state": "running",
                                "cameras": 20,
                                "running": 20,
                                "load_percent": 420.0,
                            }
                        ],
                        "cameras": 21,
                        "placed": 20,
                        "waiting": [{"camera": "dock", "why": "no worker is in zone dmz"}],
                        "moves": [
                            {
                                "at": 1763899600.0,
                                "camera": "gate",
                                "source": "worker-2",
                                "target": "worker-1",
                                "why": "worker-2 is gone",
                            }
                        ],
                        "moved": 41,
                        "more": 29,
                        "limited_by": "processor",
                        "each_percent": 21.0,
                        "each_bytes": 52_000_000,
                    },
                    "groups": [
                        {
                            "camera": "gate",
                            "stream": "detections",
                            "group": "alarm",
                            "consumers": 2,
                            "pending": 1,
                            "lag": 0,
                            "lost": 0,
                        }
                    ],
                    "dashboard": {
                        "pages": 1,
                        "pictures_sent": 812,
                        "pictures_skipped": 3,
                        "bytes_sent": 31_000_000,
                        "cpu_percent": 2.5,
                        "rss_bytes": 90_000_000,
                    },
                }
            ]
        }
    )

    redis: RedisFacts
    workers: list[Annotated[dict[str, Any], _shown_worker()]]
    bridges: list[Annotated[dict[str, Any], as_said(BridgeReport)]] = Field(
        description="those that run, or ran within a day; none where your rights do not reach all "
        "cameras"
    )
    fleet: Annotated[dict[str, Any], as_said(FleetReport)] | None = Field(
        description="the machines, workers, moves and room of a fleet, as its keeper says; null "
        "where there is none, or where your rights do not reach all cameras"
    )
    groups: list[Group]
    dashboard: Sent
