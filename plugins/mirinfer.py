"""``mirinfer``: runs a detector or segmenter on RGB video."""

from __future__ import annotations

import os

from gi.repository import GObject

from plugins.element import StageElement, pad_templates
from plugins.infer import InferStage


def read_threshold(text: str) -> float | dict[str, float] | None:
    """``""`` → None, ``"0.4"`` → 0.4, ``"person=0.5,car=0.3"`` → one number per class.

    Raises:
        ValueError: a part is no number in 0..1.
    """
    if not text:
        return None
    pairs = [part.rpartition("=") for part in text.split(",")]
    try:
        numbers = [float(value) for _, _, value in pairs]
    except ValueError:
        numbers = [-1.0]
    if not all(0 <= number <= 1 for number in numbers):
        raise ValueError(
            f'threshold: "{text}"; expected a number in 0..1, or CLASS=NUMBER,CLASS=NUMBER'
        )
    if pairs[0][1] == "":
        return numbers[0]
    return {name.strip(): number for (name, _, _), number in zip(pairs, numbers, strict=True)}


class MirInfer(StageElement):
    """Adds a model's detections and masks to the frame's result."""

    __gstmetadata__ = (
        "Mirante inference",
        "Filter/Analyzer/Video",
        "Runs a detector or segmenter on each frame and adds what it finds to the frame's result",
        "Mirante",
    )
    __gsttemplates__ = pad_templates()

    model = GObject.Property(
        type=str,
        default="",
        nick="Model",
        blurb="Name of a zoo model (mirante models list) or path of a manifest",
    )
    on = GObject.Property(
        type=str,
        default="",
        nick="On class",
        blurb="Run on the boxes of this class that earlier elements found (empty = whole frame)",
    )
    threshold = GObject.Property(
        type=str,
        default="",
        nick="Score threshold",
        blurb='Least score of a detection, 0 to 1: "0.4", or per class "person=0.5,car=0.3" '
        "(empty = the manifest's)",
    )
    threads = GObject.Property(
        type=GObject.TYPE_UINT,
        minimum=0,
        maximum=256,
        default=0,
        nick="Threads",
        blurb="Threads of one inference (0 = all cores)",
    )

    def make_stage(self) -> InferStage:
        """Loads the model."""
        if not self.model:
            raise ValueError("model: not set; expected a zoo name or the path of a manifest")
        return InferStage(
            self.model,
            self.on or None,
            read_threshold(self.threshold),
            self.threads or os.cpu_count() or 1,
        )
