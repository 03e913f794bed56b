"""``POST /api/v1/cameras/{name}/wake``: something happens before a camera."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dashboard.access.rights import Operator
from dashboard.api.bodies import JsonRoute, with_integers
from dashboard.api.seen import Seen
from dashboard.api.shapes import CameraName, Shape, refusals
from dashboard.services import FromApp
from pipeline.config.camera_url import redact
from pipeline.control.lease import holders
from pipeline.control.rpc import RefusedError
from pipeline.control.wakes import SECONDS, SECONDS_MOST, ask_wake

router = APIRouter(route_class=JsonRoute)

Seconds = Annotated[float, Field(gt=0, le=SECONDS_MOST), BeforeValidator(with_integers)]


class Wanted(BaseModel):
    """For how long, from now."""

    model_config = ConfigDict(extra="forbid", strict=True)

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
    name: CameraName, services: FromApp, who: Operator, body: Wanted | None = None
) -> dict[str, Any]:
    """For a camera with a gate: if it is asleep it wakes, and what was kept since its last key
    frame is analysed too; its models look at each frame for so many seconds. Meant for sensors,
    doors and alarms.
    """
    worker, seconds = Seen(services, who).named(name).worker, (body or Wanted()).seconds
    if worker not in holders(services.redis, worker):
        raise HTTPException(409, f'worker "{worker}" is not running')
    try:
        words = ask_wake(services.redis, worker, name, seconds)
    except RefusedError as error:
        raise HTTPException(409, redact(str(error))) from None
    return {"words": redact(words)}
