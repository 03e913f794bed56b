"""A camera's stages as GStreamer launch text. Pure functions; GStreamer is not needed here."""

from __future__ import annotations

import json

from pipeline.config.camera import Camera, ModelStage, Preview, PythonStage


def quoted(value: str) -> str:
    """A property value as ``gst_parse_launch`` reads it back."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def stages_text(name: str, camera: Camera, threads: int) -> str:
    """The elements behind the RGB caps: stages in order, preview, publisher.

    Args:
        name: the camera's name, which its results are published under.
        camera: its configuration.
        threads: threads of one inference.

    Raises:
        ValueError: a class to blur has a comma in its name.
    """
    elements = [
        *stage_texts(camera, threads),
        _preview(camera.preview),
        f"mirpublish camera={quoted(name)} masks={camera.mask_encoding}",
    ]
    return " ! ".join(elements)


def stage_texts(camera: Camera, threads: int) -> list[str]:
    """The elements of a camera's own stages, in order."""
    return [_element(stage, threads) for stage in camera.stages]


def _preview(preview: Preview) -> str:
    text = f"mirpreview fps={preview.fps:g} quality={preview.quality}"
    for label in preview.blur:
        if "," in label:
            raise ValueError(f'preview.blur: "{label}"; expected a class without a comma')
    return f"{text} blur={quoted(','.join(preview.blur))}" if preview.blur else text


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
