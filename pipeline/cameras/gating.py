"""Whether a camera has a gate, by which frames in which nothing moves pass by the models."""

from __future__ import annotations

import json

from pipeline.cameras.graph import thermal_text
from pipeline.cameras.sources.base import Source
from pipeline.config.camera import Camera
from pipeline.config.launch import quoted
from pipeline.config.stages.facts import UnknownModelError, facts_here

_MOST_S = 60.0  # between two looks at a camera in which nothing moves


def gate_text(camera: Camera, source: Source) -> str:
    """Return the gate of a camera as launch text; empty without one.

    With ``gate: auto`` a camera has one that is live and shows the world, and whose stages find
    boxes and need no frame in which nothing moves. A stage of the user's own may need every frame;
    lanes are looked for from a car; of what moves and has no box nobody can tell whether it is
    more than leaves.

    Args:
        camera: its configuration, with the stages that were chosen.
        source: where its images come from.
    """
    stages = camera.stages or []
    if not stages or camera.gate == "off":
        return ""
    if camera.gate == "auto" and not (_shows_the_world(source) and _is_about_boxes(camera)):
        return ""
    text = f"mirgate name=gate{thermal_text(camera.thermal_range)}"
    if checks := [stage.check_s for stage in stages if stage.check_s is not None]:
        text += f" still-s={min(*checks, _MOST_S):g}"
    return f"{text} zones={quoted(json.dumps(camera.mask))}" if camera.mask else text


def _shows_the_world(source: Source) -> bool:
    """Return whether it is a camera: no file, and no images that are drawn or laid in a folder."""
    return source.live and not source.is_fed


def _is_about_boxes(camera: Camera) -> bool:
    stages = camera.stages or []
    if not all(stage.is_gated for stage in stages):
        return False
    try:
        models = {use.name: facts_here(use.name) for stage in stages for use in stage.models()}
    except UnknownModelError:  # its stage will say so
        return False
    found = [stage.labels_found(models) for stage in stages]
    return any(labels is None or labels.boxes for labels in found)
