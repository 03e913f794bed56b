"""Whether a camera has a gate, by which frames in which nothing moves pass by the models."""

from __future__ import annotations

import json
from math import ceil

from pipeline.cameras.graph import thermal_text
from pipeline.cameras.sources.base import Source
from pipeline.config.camera import Camera
from pipeline.config.launch import quoted
from pipeline.config.rates import Rates
from pipeline.config.stages.facts import UnknownModelError, facts_here
from plugins.rate import RateLimit

_MOST_S = 60.0  # between two looks at a camera in which nothing moves
_SEEN_FPS = 2.0  # that a gate needs at least to tell motion


def gate_text(camera: Camera, source: Source) -> str:
    """Return the gate of a camera as launch text; empty without one.

    With ``gate: auto`` a camera has one that is live and shows the world, and whose stages find
    boxes and need no frame in which nothing moves. A stage of the user's own may need every frame;
    lanes are looked for from a car; of what moves and has no box nobody can tell whether it is
    more than leaves.

    Rates by need, regions, and tracks that have frames skipped, have one too, to see whether and
    where anything moves. Where ``gate`` asks for none, models look at still frames, too.

    Args:
        camera: its configuration, with the stages that were chosen.
        source: where its images come from.
    """
    stages, passes = camera.stages or [], _passes_over(camera, source)
    most_tracked = max((stage.most_tracked for stage in stages), default=0)
    needs = isinstance(camera.fps, Rates) or any("regions" in stage.parts for stage in stages)
    if not stages or not (passes or needs or most_tracked):
        return ""
    text = f"mirgate name=gate{thermal_text(camera.thermal_range)}{_rates_text(camera, source)}"
    if not passes:
        text += " skips-still=false"
    if most_tracked:
        text += f" most-tracked={most_tracked}"
    if checks := [stage.check_s for stage in stages if stage.check_s is not None]:
        text += f" still-s={min(*checks, _MOST_S):g}"
    return f"{text} zones={quoted(json.dumps(camera.mask))}" if camera.mask else text


def limit_of(camera: Camera, source: Source, has_gate: bool) -> RateLimit | None:
    """Return the limit behind the decoder; None without one.

    A gate that sees a frame every few seconds cannot tell motion. So it sees more than the camera's
    rate allows, which it then keeps.
    """
    fps = camera.most_fps
    if fps is None or source.keeps_rate:
        return None
    return RateLimit(fps * ceil(_SEEN_FPS / fps) if has_gate and fps < _SEEN_FPS else fps)


def _rates_text(camera: Camera, source: Source) -> str:
    """Return the properties that say at which rates a gate lets frames pass."""
    rates, busy = camera.fps, camera.most_fps
    is_slow = busy is not None and busy < _SEEN_FPS and not source.keeps_rate
    text = f" busy-fps={busy:g}" if is_slow else ""
    if isinstance(rates, Rates):
        return f"{text} quiet-fps={rates.quiet:g}"
    return f"{text} quiet-fps={busy:g}" if is_slow else text


def _passes_over(camera: Camera, source: Source) -> bool:
    """Return whether frames in which nothing moves pass by the models."""
    return can_pass_over(camera) and (camera.gate == "on" or _shows_the_world(source))


def can_pass_over(camera: Camera) -> bool:
    """Return whether frames in which nothing moves may pass by the models of a camera, if it shows
    the world.
    """
    return bool(camera.stages) and (
        camera.gate == "on" or (camera.gate == "auto" and _is_about_boxes(camera))
    )


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
