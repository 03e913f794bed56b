"""``/api/v1/models``: what cameras may run, and what runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter

from dashboard.access.guard import Viewer
from dashboard.api import machine_shapes
from dashboard.services import FromApp
from pipeline.config.standard import FACE
from pipeline.control.reports import WorkerReport

router = APIRouter(prefix="/api/v1", tags=["models"])


@router.get("/models", summary="Models", response_model=machine_shapes.Models)
async def list_models(services: FromApp, _who: Viewer) -> dict[str, Any]:
    """Return the models that running workers report; empty when none runs."""
    reports = services.sampler.reports()
    return {
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
