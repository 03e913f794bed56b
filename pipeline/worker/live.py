"""Changes of a camera that its running stages take in, without another graph or a lost frame."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from pipeline.config.camera import Camera
from pipeline.worker.camera import RunningCamera

log = logging.getLogger(__name__)


def changed_live(
    cameras: Mapping[str, RunningCamera], wanted: Mapping[str, Camera]
) -> dict[str, RunningCamera]:
    """Hand new settings to the stages of cameras whose configuration differs in those alone.

    Returns:
        these cameras, with their new configuration.
    """
    changed = {}
    for name, running in cameras.items():
        camera = wanted.get(name)
        if camera is None or camera == running.spec or _fixed(camera) != _fixed(running.spec):
            continue
        for stage in camera.stages or ():
            running.live.update(stage.live)
        log.info("camera %s: its stages go on with other settings", name)
        changed[name] = replace(running, spec=camera)
    return changed


def _fixed(camera: Camera) -> Camera:
    """The camera without what may change while it runs."""
    stages = None if camera.stages is None else [stage.fixed() for stage in camera.stages]
    return camera.model_copy(update={"stages": stages})
