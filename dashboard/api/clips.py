"""``/api/v1/cameras/{name}/clips``: video around moments."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BeforeValidator, Field

from dashboard.access.rights import Operator, Viewer
from dashboard.api.bodies import JsonBody, JsonRoute, with_integers
from dashboard.api.clip_bytes import growing, masks_as_bits, ranged
from dashboard.api.seen import Seen
from dashboard.api.shapes import DIGITS, CameraName, Shape, as_said, refusals
from dashboard.services import FromApp, Services
from mirante.clips import CLIP_ID, Clip, Part
from mirante.keys import check_camera
from pipeline.config.camera_url import redact
from pipeline.control.clip_place import ClipPlace
from pipeline.control.clip_requests import ask_clip
from pipeline.control.clip_store import ClipStoreError
from pipeline.control.rpc import RefusedError

MEDIA: dict[Part, str] = {"mp4": "video/mp4", "jpg": "image/jpeg", "json": "application/json"}
_KEPT = {"Cache-Control": "private, max-age=86400, immutable"}  # a clip never changes
_RESULTS = {"type": "object", "required": ["frames"]}
_EXAMPLE = "20261129-041503-250"

router = APIRouter(prefix="/api/v1/cameras/{name}/clips", tags=["cameras"], route_class=JsonRoute)

ClipId = Annotated[str, InPath(pattern=CLIP_ID, description="ID of the clip", examples=[_EXAMPLE])]
Seconds = Annotated[float, Field(ge=0, le=3600), BeforeValidator(with_integers)]


class Clips(Shape):
    """The clips of a camera."""

    clips: list[Annotated[dict[str, Any], as_said(Clip)]]
    recording: list[str] = Field(description="IDs of those that are being written, newest first")
    words: str = Field(
        description="why some clips, or all, are not listed; else empty", examples=[""]
    )


class Wanted(JsonBody):
    """The seconds of a clip before and after now; null for what the camera's `clips` says."""

    before_s: Seconds | None = Field(None, examples=[5])
    after_s: Seconds | None = Field(None, examples=[10])


class Begun(Shape):
    """A clip that has begun."""

    id: str = Field(examples=[_EXAMPLE])
    begins: float = Field(description="Unix seconds", examples=[1795925698.25])
    ends: float = Field(description="Unix seconds; it is listed a little later")


class Deleted(Shape):
    """The clip that was deleted, in words."""

    words: str = Field(examples=[f"clip {_EXAMPLE} deleted"])


@router.get(
    "",
    summary="Clips of a camera",
    response_model=Clips,
    responses=refusals(404, 422, 503),
)
def list_clips(
    name: CameraName,
    services: FromApp,
    who: Viewer,
    limit: Annotated[int, Field(ge=1, le=1000), DIGITS, Query()] = 100,
    before: Annotated[
        str, Query(pattern=f"{CLIP_ID}|^$", description="list those older than this one")
    ] = "",
) -> dict[str, Any]:
    """Those that are whole, newest first. A clip shows the moment of Unix time `began` at its time
    0, and its `codec` says who plays it: every browser plays h264; h265 is played by Safari, and by
    others where the machine decodes it.
    """
    Seen(services, who).named(name)
    try:
        clips, words = _listed(services.clips, check_camera(name), limit, before)
        recording = services.clips.drafts(name)
    except (ClipStoreError, OSError) as error:
        return {"clips": [], "recording": [], "words": str(error)}
    return {"clips": msgspec.to_builtins(clips), "recording": recording, "words": words}


def _listed(place: ClipPlace, camera: str, limit: int, before: str) -> tuple[list[Clip], str]:
    """Return the clips, and in words which are missing: those of a bucket that does not answer."""
    try:
        return place.listed(camera, limit, before), ""
    except ClipStoreError as error:
        clips = place.here(camera, limit, before)
        return clips, f"{error}; only clips that have not been moved there are listed"


@router.post(
    "",
    summary="Make a clip of now",
    status_code=202,
    response_model=Begun,
    responses=refusals(403, 404, 409, 422, 503, 504, 507),
)
def make_clip(
    name: CameraName, services: FromApp, who: Operator, body: Wanted | None = None
) -> dict[str, Any]:
    """From seconds before now, as far as the camera's worker remembers, until seconds after. Where
    one is being made already it is extended, and its ID returned.
    """
    worker, wanted = Seen(services, who).running(name), body or Wanted()
    try:
        made = ask_clip(services.redis, worker, name, wanted.before_s, wanted.after_s)
    except RefusedError as error:
        raise HTTPException(409, redact(str(error))) from None
    if made.words:
        raise HTTPException(507 if made.is_full else 409, redact(made.words))
    return {"id": made.id, "begins": made.begins, "ends": made.ends}


@router.get(
    "/{clip}.mp4",
    summary="Video of a clip",
    response_class=Response,
    responses={
        200: {"content": {"video/mp4": {}}, "description": "the file"},
        206: {"content": {"video/mp4": {}}, "description": "the range that was asked for"},
        416: {"description": "the file ends before the range"},
        **refusals(404, 422, 503),
    },
)
def get_video(
    name: CameraName, clip: ClipId, request: Request, services: FromApp, who: Viewer
) -> Response:
    """Fragmented MP4. Of a clip that is being written: from its beginning, as it grows."""
    Seen(services, who).named(name)
    if (draft := services.clips.draft(name, clip)) is not None:
        with suppress(FileNotFoundError):  # it has become whole meanwhile
            return growing(draft)
    return _file(services, request, name, clip, "mp4")


@router.get(
    "/{clip}.jpg",
    summary="Image of a clip",
    response_class=Response,
    responses={
        200: {
            "content": {"image/jpeg": {}},
            "description": "the frame that shows the object best, or that of the moment",
        },
        **refusals(404, 422, 503),
    },
)
def get_image(
    name: CameraName, clip: ClipId, request: Request, services: FromApp, who: Viewer
) -> Response:
    """Blurred and blacked out as the camera is."""
    Seen(services, who).named(name)
    return _file(services, request, name, clip, "jpg")


@router.get(
    "/{clip}.json",
    summary="Results of a clip",
    response_class=Response,
    responses={
        200: {
            "content": {"application/json": {"schema": _RESULTS, "example": {"frames": []}}},
            "description": "results by frame",
        },
        **refusals(404, 422, 503),
    },
)
def get_results(
    name: CameraName,
    clip: ClipId,
    request: Request,
    services: FromApp,
    who: Viewer,
    encoding: Annotated[
        Literal["bits"] | None, Query(description="of all masks; as they were published without it")
    ] = None,
) -> Response:
    """`frames`: for each analysed frame of its time `detections`, as field `json` of the stream of
    that name, and where it has masks `masks`, likewise, and `planes`: each field of these in
    base64. `began`: Unix seconds at the clip's time 0, so that a frame is at `ts - began`.
    """
    Seen(services, who).named(name)
    if encoding is None:
        return _file(services, request, name, clip, "json")
    kept = services.clips.find(name, clip, "json")
    if kept is None:
        raise _no_clip(name, clip)
    lines = masks_as_bits(kept.read(0, kept.size))
    return StreamingResponse(lines, media_type=MEDIA["json"], headers=_KEPT)


@router.delete(
    "/{clip}",
    summary="Delete a clip",
    response_model=Deleted,
    responses=refusals(403, 404, 422, 503, 507),
)
def delete_clip(name: CameraName, clip: ClipId, services: FromApp, who: Operator) -> dict[str, Any]:
    """With its image and results."""
    Seen(services, who).named(name)
    if not services.clips.delete(name, clip):
        raise _no_clip(name, clip)
    return {"words": f"clip {clip} deleted"}


def _file(services: Services, request: Request, name: str, clip: str, part: Part) -> Response:
    kept = services.clips.find(name, clip, part)
    if kept is None:
        raise _no_clip(name, clip)
    if kept.path is not None:
        return FileResponse(kept.path, media_type=MEDIA[part], headers=_KEPT)
    return ranged(kept, request.headers.get("range"), MEDIA[part], _KEPT)


def _no_clip(name: str, clip: str) -> HTTPException:
    return HTTPException(404, f'camera "{name}" has no clip {clip}, or not that of it')
