"""A camera's stages as GStreamer launch text. Pure functions; GStreamer is not needed here."""

from __future__ import annotations

import json

from pipeline.config.camera import Camera, ModelStage, PythonStage


def quoted(value: str) -> str:
    """A property value as ``gst_parse_launch`` reads it back."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def stages_text(name: str, camera: Camera, threads: int) -> str:
    """The elements behind the RGB caps: stages in order, preview, publisher.

    Args:
        name: the camera's name, which its results are published under.
        camera: its configuration.
        threads: threads of one inference.
    """
    elements = [_element(stage, threads) for stage in camera.stages]
    preview = camera.preview
    elements += [
        f"mirpreview fps={preview.fps:g} quality={preview.quality}",
        f"mirpublish camera={quoted(name)} masks={camera.mask_encoding}",
    ]
    return " ! ".join(elements)


def _element(stage: ModelStage | PythonStage, threads: int) -> str:
    if isinstance(stage, PythonStage):
        return f"mirstage python={quoted(stage.python)} options={quoted(json.dumps(stage.options))}"
    text = f"mirinfer model={quoted(stage.model)} threads={threads}"
    if stage.on is not None:
        text += f" on={quoted(stage.on)}"
    if isinstance(stage.threshold, dict):
        pairs = ",".join(f"{label}={score:g}" for label, score in stage.threshold.items())
        text += f" thresholds={quoted(pairs)}"
    elif stage.threshold is not None:
        text += f" threshold={stage.threshold:g}"
    return text
