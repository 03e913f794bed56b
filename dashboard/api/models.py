"""``/api/v1/models``: what cameras may run, and what runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException
from pydantic import Field

from dashboard.access.rights import OperatorOfAll, Viewer
from dashboard.access.sight import without_others
from dashboard.api import machine_shapes
from dashboard.api.bodies import JsonBody, JsonRoute
from dashboard.api.seen import Seen
from dashboard.api.shapes import Shape, refusals
from dashboard.services import FromApp
from mirante.keys import CAMERA_NAME
from mirante.nearest import nearest
from pipeline.config.messages import ConflictError, show
from pipeline.config.standard import FACE
from pipeline.control.lease import holders, not_running
from pipeline.control.reports import WorkerReport
from pipeline.control.rpc import RefusedError
from pipeline.control.swaps import ask_swap

router = APIRouter(prefix="/api/v1", tags=["models"], route_class=JsonRoute)


@router.get("/models", summary="Models", response_model=machine_shapes.Models)
async def list_models(services: FromApp, who: Viewer) -> dict[str, Any]:
    """Return the models that running workers report; empty when none runs."""
    reports = Seen(services, who).reports()
    told = {
        "zoo": _zoo(reports),
        "in_use": [
            msgspec.to_builtins(model)
            | {"worker": worker, "build": msgspec.to_builtins(report.builds.get(model.name))}
            for worker, report in reports.items()
            for model in report.models
        ],
        "defaults": {worker: report.defaults for worker, report in reports.items()},
        "standard": {
            worker: {
                "stages": report.standard.stages(),
                "with_faces": report.standard.stages([FACE]),
            }
            for worker, report in reports.items()
            if report.standard is not None
        },
    }
    return without_others(who, told)


class Swap(JsonBody):
    """Which model to put in the place of which."""

    model: Annotated[str, Field(description="as the cameras' stages name it", examples=["street"])]
    to: Annotated[
        str | None,
        Field(description="a model of the zoo; null: what ran before", examples=["yolox-street"]),
    ]
    worker: Annotated[str, Field(pattern=CAMERA_NAME, examples=["main"])] = "main"


class Swapped(Shape):
    """What changed, in words."""

    words: str = Field(examples=["yolox-street runs, by onnxruntime"])


@router.post(
    "/models/swap",
    summary="Put another model in the place of one",
    response_model=Swapped,
    responses=refusals(403, 409, 422, 503, 504),
)
def swap_model(services: FromApp, _who: OperatorOfAll, body: Swap) -> dict[str, Any]:
    """Between two frames, in every camera of the worker that runs it, and kept after a restart. The
    other must be of the zoo: paths are for the command line.
    """
    running = holders(services.redis, body.worker)
    if body.worker not in running:
        raise HTTPException(409, not_running(body.worker, running))
    report = services.sampler.reports().get(body.worker)
    offered = [each.name for each in report.zoo] if report else []
    if body.to is not None and body.to not in offered:
        raise ConflictError("swap", [f"to: {show(body.to)} — {nearest(body.to, offered)}"])
    try:
        return {"words": ask_swap(services.redis, body.worker, body.model, body.to)}
    except RefusedError as error:
        raise HTTPException(409, f"{error}; the running model stays") from None


def _zoo(reports: Mapping[str, WorkerReport]) -> list[dict[str, Any]]:
    """Return each model once, with the workers that have its file."""
    offered: dict[str, dict[str, Any]] = {}
    for worker, report in reports.items():
        for model in report.zoo:
            ready_on = offered.get(model.name, {}).get("ready_on", [])
            said: dict[str, Any] = msgspec.to_builtins(model)
            ready_on += [worker] if said.pop("ready") else []
            offered[model.name] = said | {"ready_on": ready_on}
    return [offered[name] for name in sorted(offered)]
