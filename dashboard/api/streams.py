"""``/api/v1/stream``: cameras come and go as with DeepStream's REST server."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from inspect import isawaitable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from dashboard.access.rights import Admin
from dashboard.api import cameras
from dashboard.api.bodies import JsonRoute
from dashboard.api.camera_keys import ADDRESS, MOST_ADDRESS, NAME
from dashboard.api.shapes import Shape, refusals
from dashboard.services import FromApp
from pipeline.config.messages import ConfigError
from pipeline.control.stream_changes import ADD, REMOVE, StreamChange, read_change

Message = Annotated[dict[str, Any], Body()]


class _Told(JsonRoute):
    """A route whose refusals say beside their words what DeepStream's clients look at."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        reason = f"STREAM_{self.path.rpartition('/')[2].upper()}_FAIL"

        async def handle_told(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:
                handlers = request.app.exception_handlers
                known = (handlers.get(kind) for kind in type(error).__mro__)
                answer: Any = next((each for each in known if each is not None), None)
                if answer is None:
                    raise
                refused = answer(request, error)
                refused = await refused if isawaitable(refused) else refused
            told = {"status": _line(refused.status_code), "reason": reason}
            return JSONResponse({**json.loads(refused.body), **told}, refused.status_code)

        return handle_told


router = APIRouter(prefix="/api/v1/stream", tags=["cameras"], route_class=_Told)


class Added(Shape):
    """It is configured; its worker starts it within a second."""

    status: str = Field(examples=["HTTP/1.1 200 OK"])
    reason: Literal["STREAM_ADD_SUCCESS"]


class Removed(Shape):
    """It is no longer configured."""

    status: str = Field(examples=["HTTP/1.1 200 OK"])
    reason: Literal["STREAM_REMOVE_SUCCESS"]


def _body(changes: tuple[str, ...]) -> dict[str, Any]:
    url = {"type": "string", "pattern": ADDRESS, "maxLength": MOST_ADDRESS}
    keys = {
        "camera_id": NAME,
        "camera_url": url,
        "change": {"type": "string", "enum": list(changes)},
        "camera_name": {"type": "string", "description": "ignored"},
        "metadata": {"type": "object", "description": "ignored"},
    }
    required = ["camera_id", "change"] + (["camera_url"] if changes == ADD else [])
    value = {"type": "object", "properties": keys, "required": required}
    schema = {"type": "object", "properties": {"value": value}, "required": ["value"]}
    said = {"camera_id": "yard", "camera_url": "rtsp://10.0.0.7/stream1", "change": changes[0]}
    content = {"schema": schema, "example": {"key": "sensor", "value": said}}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


@router.post(
    "/add",
    summary="Add a camera as with DeepStream",
    response_model=Added,
    responses=refusals(403, 409, 422, 503, 507),
    openapi_extra=_body(ADD),
)
def add_stream(services: FromApp, who: Admin, body: Message) -> dict[str, str]:
    """``camera_id`` is its name, and the ``sensorId`` of its results. What else it needs is as by
    default. A refusal has ``status`` and ``reason`` beside the words in ``detail``.
    """
    change = _change(body, "add", ADD)
    cameras.add_camera(services, who, {"name": change.camera, "url": change.url})
    return {"status": _line(HTTPStatus.OK), "reason": "STREAM_ADD_SUCCESS"}


@router.post(
    "/remove",
    summary="Remove a camera as with DeepStream",
    response_model=Removed,
    responses=refusals(403, 404, 409, 422, 503, 507),
    openapi_extra=_body(REMOVE),
)
def remove_stream(services: FromApp, who: Admin, body: Message) -> dict[str, str]:
    """The ``camera_url`` is not looked at: the ID says which."""
    change = _change(body, "remove", REMOVE)
    cameras.remove_camera(change.camera, services, who)
    return {"status": _line(HTTPStatus.OK), "reason": "STREAM_REMOVE_SUCCESS"}


def _change(body: dict[str, Any], wanted: str, changes: tuple[str, ...]) -> StreamChange:
    change = read_change(body)
    if change is None or change.change != wanted:
        raise ConfigError("stream change", [f"value.change: expected {' or '.join(changes)}"])
    return change


def _line(status: int) -> str:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
