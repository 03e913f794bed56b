"""``POST /api/v1/cameras/{name}/wake``: something happens before a camera."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import BeforeValidator, Field

from dashboard.access.rights import Operator
from dashboard.api.bodies import JsonBody, JsonRoute, with_integers
from dashboard.api.seen import Seen
from dashboard.api.shapes import CameraName, Shape, refusals
from dashboard.services import FromApp
from pipeline.config.camera_url import redact
from pipeline.control.rpc import RefusedError
from pipeline.control.wakes import SECONDS, SECONDS_MOST, ask_wake

router = APIRouter(route_class=JsonRoute)

Seconds = Annotated[float, Field(gt=0, le=SECONDS_MOST), BeforeValidator(with_integers)]


class Wake(JsonBody):
    """For how long, from now."""

    seconds: Seconds = Field(SECONDS, examples=[10])


class Woken(Shape):
    """It is awake, or will be with its next image."""

    words: str = Field(examples=['models look at each frame of camera "gate" for 10 s'])


@router.post(
    "/{name}/wake",
    summary="Say that something happens before a camera",
    response_model=Woken,
    responses=refusals(403, 404, 409, 422, 503, 504),
)
def wake_camera(
    name: CameraName, services: FromApp, who: Operator, body: Wake | None = None
) -> dict[str, Any]:
    """For a camera with a gate: if it is asleep it wakes, and what was kept since its last key
    frame is analysed too; its models look at each frame for that many seconds. Meant for
    sensors, doors and alarms.
    """
    worker, seconds = Seen(services, who).running(name), (body or Wake()).seconds
    try:
        words = ask_wake(services.redis, worker, name, seconds)
    except RefusedError as error:
        raise HTTPException(409, redact(str(error))) from None
    return {"words": redact(words)}
