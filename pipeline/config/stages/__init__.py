"""The kinds of stages that a camera's frames may pass."""

from __future__ import annotations

from functools import cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config.stages.base import StageKind

# By the key that names a stage of the kind, in the order of documents and forms.
KINDS = {
    "model": "pipeline.config.stages.model:ModelStage",
    "python": "pipeline.config.stages.own:PythonStage",
    "track": "pipeline.config.stages.track:TrackStage",
    "lanes": "pipeline.config.stages.lanes:LanesStage",
    "zones": "pipeline.config.stages.zones:ZonesStage",
}


@cache
def kinds() -> dict[str, type[StageKind]]:
    """Return the classes of ``KINDS``; each says all that others need to know of its kind."""
    return {key: resolve_name(name) for key, name in KINDS.items()}
