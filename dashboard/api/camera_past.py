"""The history of a camera: the last minutes second by second, and its changes of state."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response

from dashboard.access.guard import Viewer
from dashboard.api import shapes
from dashboard.api.shapes import CameraName, refusals, unknown
from dashboard.history.series import SAMPLES
from dashboard.services import FromApp, Services
from mirante.keys import Kind, key
from mirante.status import Status
from pipeline.config.camera_url import redact

router = APIRouter()


@router.get(
    "/{name}/history",
    summary="The last minutes of a camera",
    response_model=shapes.History,
    responses=refusals(404, 422),
)
async def get_history(
    name: CameraName,
    services: FromApp,
    _who: Viewer,
    seconds: Annotated[int, Query(ge=1, le=SAMPLES)] = SAMPLES,
) -> Response:
    """Sampled once a second since the dashboard started, for at most 15 minutes. Rates are
    differences of the counts that each message carries, so no frame is missed between samples.
    """
    known = {camera["name"]: camera for camera in services.sampler.cameras()}
    if name not in known:
        raise unknown(name, known)
    columns = msgspec.json.encode(services.sampler.history(name, seconds))  # NaN becomes null
    return Response(columns, media_type="application/json")


@router.get(
    "/{name}/timeline",
    summary="Changes of a camera's state, and events",
    response_model=shapes.Timeline,
    responses=refusals(404, 422, 503),
)
def get_timeline(
    name: CameraName,
    services: FromApp,
    _who: Viewer,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """The newest of each, newest first, also of a camera that was removed and is still kept."""
    states, events = (
        _newest(services, name, "status", limit),
        _newest(services, name, "events", limit),
    )
    if not states and not events and name not in (known := services.registry().cameras()):
        raise unknown(name, known)
    return {
        "states": [_change(msgspec.json.decode(text, type=Status)) for text in states],
        "events": [msgspec.json.decode(text) for text in events],
    }


def _newest(services: Services, name: str, kind: Kind, limit: int) -> list[bytes]:
    try:
        stream = key(name, kind)
    except ValueError:  # no camera can have that name
        return []
    entries: Any = services.redis.xrevrange(stream, count=limit)
    return [fields[b"json"] for _, fields in entries]


def _change(status: Status) -> dict[str, Any]:
    return {
        "state": status.state,
        "reason": redact(status.reason),
        "code": status.code,
        "at": status.ts,
        "since": status.since,
        "attempt": status.attempt,
    }
