"""``/api/v1/models``: what cameras may run, and what runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import APIRouter

from dashboard.access.guard import Viewer
from dashboard.api import machine_shapes
from dashboard.services import FromApp
from pipeline.control.reports import WorkerReport

router = APIRouter(prefix="/api/v1", tags=["models"])


@router.get("/models", summary="Models", response_model=machine_shapes.Models)
async def list_models(services: FromApp, _who: Viewer) -> dict[str, Any]:
    """Return the models that running workers report; empty when none runs."""
    reports = services.sampler.reports()
    return {
        "zoo": _zoo(reports),
        "in_use": [
            {
                "worker": worker,
                **msgspec.to_builtins(model),
                "build": report.builds.get(model.name),
            }
            for worker, report in reports.items()
            for model in report.models
        ],
        "defaults": {worker: report.defaults for worker, report in reports.items()},
    }


def _zoo(reports: Mapping[str, WorkerReport]) -> list[dict[str, Any]]:
    """Each model once, with the workers that have its file."""
    offered = {model.name: model for report in reports.values() for model in report.zoo}
    ready = {
        name: [
            worker
            for worker, report in reports.items()
            if any(model.name == name and model.ready for model in report.zoo)
        ]
        for name in offered
    }
    return [
        machine_shapes.ZooModel.of(model, ready[name]) for name, model in sorted(offered.items())
    ]
