"""Addresses that a page may not give: files, and what only the worker's machine or link reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import HTTPException

from pipeline.cameras.targets import fault_of_target, words_of
from pipeline.config.camera_url import ADDRESSES, CameraUrl
from pipeline.config.dashboard import Dashboard
from pipeline.config.messages import show
from pipeline.config.stages.stage import read_stage
from pipeline.control.entries import Desired
from pipeline.control.spec import redacted


def check_targets(settings: Dashboard, keys: Mapping[str, Any], before: Desired | None) -> None:
    """Refuse what is new and on the worker, unless ``dashboard.local_targets`` allows it; blocks.

    A camera's own address stays what the configuration or the command line made it. Names are asked
    for here, and again by the worker that tests the camera.

    Args:
        settings: of the dashboard.
        keys: of a camera, as a request gives them.
        before: the camera as it is.

    Raises:
        HTTPException: 403.
    """
    if settings.local_targets:
        return
    shown = redacted(before.spec) if before else {}
    for key in ADDRESSES:
        text = keys.get(key)
        if not isinstance(text, str) or text == shown.get(key):
            continue
        try:
            url = CameraUrl(text)
        except ValueError:  # refused as an address
            continue
        if fault := fault_of_target(url):
            raise HTTPException(403, f"{key}: {fault.reason}")
    for place, model in _models_by_path(keys.get("stages"), before):
        raise HTTPException(403, f"{place}: {words_of(model)}")


def _models_by_path(stages: object, before: Desired | None) -> Iterator[tuple[str, str]]:
    """Where stages that are new name a manifest by its path, a file that would be read, and it."""
    known = (before.spec.get("stages") if before else None) or []
    for index, said in enumerate(stages if isinstance(stages, list) else ()):
        stage = read_stage(said) if said not in known else None
        for use in stage.models() if stage else ():
            if "/" in use.name or use.name.endswith((".yaml", ".yml")):
                yield f"stages[{index}].{use.key}", show(use.name)
