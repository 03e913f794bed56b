"""``/api/v1/results``: what was seen, for those who cannot speak to Redis."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, get_args

import msgspec
from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from dashboard.access.identity import Identity
from dashboard.access.rights import Viewer
from dashboard.api.events import read_filter
from dashboard.api.result_stream import (
    READERS,
    READERS_MOST,
    Following,
    StreamKind,
    events,
    with_planes,
)
from dashboard.api.seen import Seen
from dashboard.api.shapes import DETECTION, CameraName, Flag, inline, refusals, unknown
from dashboard.redis_clients import async_client
from dashboard.services import FromApp, Services
from mirante.client.steps import Fields, entries_of
from mirante.keys import EntryId, Kind, key
from mirante.nearest import nearest
from mirante.where import Where
from mirante.wire.errors import UNREADABLE
from mirante.wire.messages import DetectionsMessage, MaskPart
from pipeline.config.messages import ConfigError, show

router = APIRouter(prefix="/api/v1/results", tags=["results"])

VALID_EVERY_S = 5.0

_EXAMPLE = {
    "version": "1.3",
    "camera": "gate",
    "seq": 41,
    "epoch": 1763899600000,
    "ts": 1763899667.123456,
    "ts_source": "rtcp",
    "size": [1280, 720],
    "objects": [DETECTION],
    "timings": {"queue": 0.2, "infer": 20.5},
    "counts": {"decoded": 42, "published": 30, "dropped": {"rate": 12}, "failed": 0, "damaged": 0},
    "id": "1763899667123-41",
    "sent": 1763899667.16,
}
_STREAM = """\
id: 1763899667123-41
event: detections
data: {"version":"1.3","camera":"gate","seq":41}

event: gap
data: {"camera":"gate","frames":3,"before":"1763899667523-45","reason":"gone","kind":"detections"}

"""


def _latest_schema() -> dict[str, Any]:
    schema: dict[str, Any] = inline(msgspec.json.schema(DetectionsMessage))
    part = inline(msgspec.json.schema(MaskPart))
    part["properties"]["data"] = {"type": "string", "description": "the field's bytes, base64"}
    schema["properties"] |= {
        "id": {"type": "string", "description": "ID of its entry, <ms>-<number>"},
        "sent": {"type": "number", "description": "Unix seconds at which Redis was handed it"},
        "masks_described": {
            "description": "with masks=true; null when they were trimmed already",
            "anyOf": [{"type": "array", "items": part}, {"type": "null"}],
        },
    }
    schema["required"] = [*schema["required"], "id", "sent"]
    return schema


def _answers(kind: str, **content: object) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"content": {kind: content}, "description": "as on the wire"},
        **refusals(404, 422, 429, 502, 503),
    }


@router.get(
    "/{camera}/latest",
    summary="The newest results of a camera",
    response_class=Response,
    responses=_answers("application/json", schema=_latest_schema(), example=_EXAMPLE),
)
async def get_latest(
    camera: CameraName,
    services: FromApp,
    who: Viewer,
    masks: Annotated[Flag, Query(description="describe the masks, with their planes")] = False,
) -> Response:
    """The ``detections`` message, with the ID of its entry and when Redis got it."""
    await check_known(Seen(services, who), camera)
    found = await _entries(services, camera, "detections", "+", "-", "COUNT", 1)
    if not found:
        raise HTTPException(404, f'camera "{camera}" has no results that are still kept')
    entry_id, fields = found[0]
    try:
        message: dict[str, Any] = msgspec.json.decode(fields[b"json"], type=dict)
        message |= {"id": str(entry_id), "sent": float(fields.get(b"sent", b"0"))}
        if masks:
            message["masks_described"] = await _masks(services, camera, entry_id, message)
        text = msgspec.json.encode(message)
    except (*UNREADABLE, KeyError, ValueError) as error:
        raise HTTPException(
            502, f'entry {entry_id} of camera "{camera}" is no message of format 1: {error}'
        ) from None
    return Response(text, media_type="application/json")


@router.get(
    "/{camera}/stream",
    summary="Results of a camera as they come",
    response_class=StreamingResponse,
    responses=_answers("text/event-stream", schema={"type": "string"}, example=_STREAM),
)
async def stream_results(
    camera: CameraName,
    services: FromApp,
    who: Viewer,
    request: Request,
    kinds: Annotated[
        str, Query(description="some of detections, masks, events, status; with commas between")
    ] = "detections",
    where: Annotated[
        str | None,
        Query(description="filter of the events, such as label = person and zone = gate"),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="resume behind it: the ID of an event, or 0 for all kept")
    ] = None,
) -> StreamingResponse:
    """Server-sent events. ``id`` is the ID of the entry; with several kinds the last ID of each, in
    their order. ``data`` is the message as on the wire, for masks each part with its planes in
    base64 as ``data``. An event ``gap`` tells of frames that were published and that this stream
    will never have. A reader that is slow is waited for.
    """
    wanted = _kinds(kinds)
    test = _filter(where, wanted)
    await check_known(Seen(services, who), camera)
    if READERS.locked():
        raise HTTPException(429, f"{READERS_MOST} streams of results are being read already")
    behind = _positions(wanted, last_event_id)
    client = async_client(services.url)
    following = Following(camera, wanted, behind, where=test)
    return StreamingResponse(
        events(client, following, services.url, _is_over(request, services, who)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _is_over(request: Request, services: Services, who: Identity) -> Callable[[], Awaitable[bool]]:
    """Return a check, made every few seconds, whether the reader left or lost access."""
    due_s = time.monotonic() + VALID_EVERY_S

    async def is_over() -> bool:
        nonlocal due_s
        if time.monotonic() >= due_s:
            due_s = time.monotonic() + VALID_EVERY_S
            if not await run_in_threadpool(services.access.still_valid, who):
                return True
        return await request.is_disconnected()

    return is_over


async def check_known(seen: Seen, camera: str) -> None:
    """A camera that is configured, or whose results are kept.

    Raises:
        HTTPException: 404, neither.
    """
    cameras = await run_in_threadpool(seen.wanted)
    if camera in cameras:
        return
    try:
        streams = [key(camera, kind) for kind in ("detections", "events", "status")]
    except ValueError:  # no camera can have that name
        raise unknown(camera, cameras) from None
    if not await seen.services.aredis.execute_command("EXISTS", *streams):
        raise unknown(camera, cameras)


async def _entries(
    services: Services, camera: str, kind: Kind, *span: object
) -> list[tuple[EntryId, Fields]]:
    command = "XREVRANGE" if span[0] == "+" else "XRANGE"
    reply = await services.aredis.execute_command(command, key(camera, kind), *span)
    return [(entry_id, fields or {}) for entry_id, fields in entries_of(reply)]


async def _masks(
    services: Services, camera: str, entry_id: EntryId, message: dict[str, Any]
) -> list[dict[str, Any]] | None:
    if not message.get("masks"):
        return []
    found = await _entries(services, camera, "masks", str(entry_id), str(entry_id))
    return with_planes(found[0][1])["masks"] if found else None


def _kinds(text: str) -> tuple[StreamKind, ...]:
    known = get_args(StreamKind)
    wanted = tuple(dict.fromkeys(text.split(",")))
    lines = [f"kinds: {show(k)} — {nearest(k, known)}" for k in wanted if k not in known]
    if lines:
        raise ConfigError("query", lines)
    return wanted  # type: ignore[return-value]  # each is one of them


def _filter(text: str | None, kinds: tuple[StreamKind, ...]) -> Where | None:
    if text is None:
        return None
    if "events" not in kinds:
        raise ConfigError("query", ["where: expected with events among kinds"])
    return read_filter(text)


def _positions(kinds: tuple[StreamKind, ...], text: str | None) -> dict[StreamKind, EntryId] | None:
    """The last ID of each kind; None to begin with what is new.

    Raises:
        ConfigError: it is not the id of such a stream's event.
    """
    if text is None:
        return None
    if text == "0":
        return dict.fromkeys(kinds, EntryId(0, 0))
    try:
        return dict(zip(kinds, map(EntryId.parse, text.split(",")), strict=True))
    except ValueError:
        expected = ",".join(f"<ID of {kind}>" for kind in kinds)
        raise ConfigError(
            "header", [f"Last-Event-ID: {show(text)} — expected {expected}"]
        ) from None
