"""``/api/v1/bridges``: try whether a bridge's other side takes what it sends."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException
from pydantic import Field

from dashboard.access.rights import OperatorOfAll
from dashboard.api.bodies import JsonBody, JsonRoute
from dashboard.api.shapes import Shape, refusals
from dashboard.services import FromApp
from mirante.keys import CAMERA_NAME
from mirante.nearest import nearest
from pipeline.control.bridge_reports import bridges
from pipeline.control.rpc import RefusedError, ask_bridge

router = APIRouter(prefix="/api/v1", tags=["system"], route_class=JsonRoute)

TESTED = "webhook"  # the kind of bridges that have a test
ANSWER_S = 45.0


class Tested(JsonBody):
    """Which bridge."""

    bridge: Annotated[str, Field(pattern=CAMERA_NAME, examples=["webhook-shop"])]


class Answered(Shape):
    """The receiver's answer to one try."""

    status: int | None = Field(description="of HTTP; null: no answer came", examples=[200])
    words: str = Field(description="what happened", examples=["200 OK"])
    head: str = Field(description="the first bytes of the answer, as a line", examples=["ok"])
    seconds: float = Field(description="that it took", examples=[0.124])
    taken: bool = Field(description="the receiver took it: 2xx")


@router.post(
    "/bridges/test",
    summary="Send a test to a webhook's receiver",
    response_model=Answered,
    responses=refusals(403, 404, 409, 422, 503, 504),
)
def try_bridge(services: FromApp, _who: OperatorOfAll, body: Tested) -> dict[str, Any]:
    """The bridge sends one event of kind `test`, without an image, once, to the address that it was
    started with.
    """
    known = {each.name: each for each in bridges(services.redis)}
    if body.bridge not in known:
        hint = f"; {nearest(body.bridge, known)}" if known else ""
        raise HTTPException(404, f'no bridge "{body.bridge}"{hint}')
    if (kind := known[body.bridge].kind) != TESTED:
        raise HTTPException(409, f'bridge "{body.bridge}" is of kind {kind}, which has no test')
    try:
        told: dict[str, Any] = json.loads(
            ask_bridge(services.redis, "hook", body.bridge, {}, ANSWER_S)
        )
    except RefusedError as error:
        raise HTTPException(409, str(error)) from None
    return told
