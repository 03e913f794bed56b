"""``/api/v1/stages``: the kinds of stages that a camera's frames may pass."""

from __future__ import annotations

from fastapi import APIRouter

from dashboard.access.rights import Viewer
from pipeline.config.stages import kinds
from pipeline.config.stages.form import StageForm

router = APIRouter(prefix="/api/v1", tags=["models"])


@router.get("/stages", summary="Kinds of stages", response_model=list[StageForm])
async def list_stages(_who: Viewer) -> list[StageForm]:
    """Return what a form needs to show and change a stage of each kind."""
    return [kind.form() for kind in kinds().values()]
