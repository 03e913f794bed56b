"""The history of a camera: the last minutes second by second, and its changes of state."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from dashboard.access.rights import Viewer
from dashboard.access.sight import without_others
from dashboard.api import shapes
from dashboard.api.seen import Seen
from dashboard.api.shapes import DIGITS, CameraName, refusals, unknown
from dashboard.history.happened import read_event
from dashboard.history.series import SAMPLES
from dashboard.services import FromApp, Services
from mirante.keys import Kind, key
from mirante.status import Status
from mirante.wire.errors import UNREADABLE
from pipeline.config.camera_url import redact

_read_status = msgspec.json.Decoder(Status)
router = APIRouter()


@router.get(
    "/{name}/history",
    summary="The last minutes of a camera",
    response_model=shapes.History,
    responses=refusals(404, 422, 503),
)
async def get_history(
    name: CameraName,
    services: FromApp,
    who: Viewer,
    seconds: Annotated[int, Field(ge=1, le=SAMPLES), DIGITS, Query()] = SAMPLES,
) -> Response:
    """Sampled once a second since the dashboard started, for at most 15 minutes. Rates are
    differences of the counts that each message carries, so no frame is missed between samples.
    """
    known = await run_in_threadpool(Seen(services, who).wanted)
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
    who: Viewer,
    limit: Annotated[int, Field(ge=1, le=1000), DIGITS, Query()] = 200,
) -> dict[str, Any]:
    """The newest of each, newest first."""
    if name not in (known := Seen(services, who).wanted()):
        raise unknown(name, known)
    states, events = (
        _newest(services, name, "status", limit),
        _newest(services, name, "events", limit),
    )
    changes = [change for text in states if (change := _change(text)) is not None]
    happened = [event for text in events if (event := read_event(text)) is not None]
    told = {
        "states": changes,
        "events": happened,
        "unreadable": len(states) - len(changes) + len(events) - len(happened),
    }
    return without_others(who, told)


def _newest(services: Services, name: str, kind: Kind, limit: int) -> list[bytes]:
    try:
        stream = key(name, kind)
    except ValueError:  # no camera can have that name
        return []
    entries: Any = services.redis.xrevrange(stream, count=limit)
    return [fields.get(b"json", b"") for _, fields in entries]


def _change(text: bytes) -> dict[str, Any] | None:
    """Return a change of state; None for what is no message of format 1."""
    try:
        status = _read_status.decode(text)
    except UNREADABLE:
        return None
    return {
        "state": status.state,
        "reason": redact(status.reason),
        "code": status.code,
        "at": status.ts,
        "since": status.since,
        "attempt": status.attempt,
    }
