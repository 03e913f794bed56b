"""``/api/v1/stages`` and ``/api/v1/sections``: what a form of a camera is made of."""

from __future__ import annotations

from fastapi import APIRouter

from dashboard.access.rights import Viewer
from pipeline.config.camera import CameraOptions
from pipeline.config.form import SectionForm, StageForm, sections_of
from pipeline.config.stages import kinds

router = APIRouter(prefix="/api/v1", tags=["models"])


@router.get("/stages", summary="Kinds of stages", response_model=list[StageForm])
async def list_stages(_who: Viewer) -> list[StageForm]:
    """Return what a form needs to show and change a stage of each kind."""
    return [kind.form() for kind in kinds().values()]


@router.get("/sections", summary="Sections of a camera", response_model=list[SectionForm])
async def list_sections(_who: Viewer) -> list[SectionForm]:
    """Return what a form needs to show and change `events` and `clips` of a camera."""
    return sections_of(CameraOptions)
