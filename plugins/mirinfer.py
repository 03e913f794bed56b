"""``mirinfer``: runs a detector or segmenter on RGB video."""

from __future__ import annotations

from gi.repository import GObject

from plugins.element import StageElement, pad_templates, thread_count, threads
from plugins.infer.stage import InferStage


def read_thresholds(text: str) -> dict[str, float]:
    """``"person=0.5,car=0.3"`` as one number per class.

    Raises:
        ValueError: a part is not CLASS=NUMBER with a number in 0..1.
    """
    thresholds = {}
    for part in text.split(","):
        label, _, value = part.rpartition("=")
        try:
            thresholds[label.strip()] = score = float(value)
        except ValueError:
            score = -1.0
        if not label or not 0 <= score <= 1:
            raise ValueError(f'thresholds: "{part}"; expected CLASS=NUMBER with a number in 0..1')
    return thresholds


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
        type=float,
        minimum=-1.0,
        maximum=1.0,
        default=-1.0,
        nick="Score threshold",
        blurb="Minimum score of a detection (-1 = the manifest's)",
    )
    thresholds = GObject.Property(
        type=str,
        default="",
        nick="Score thresholds by class",
        blurb='Minimum score per class, as "person=0.5,car=0.3"; others keep the manifest\'s',
    )
    publish = GObject.Property(
        type=bool,
        default=False,
        nick="Publish embeddings",
        blurb="Write the model's embeddings into the frame's message",
    )
    tiles = GObject.Property(
        type=str,
        default="off",
        nick="Tiles",
        blurb="Look at overlapping tiles of the frame, too, at full resolution: auto, off, or "
        "COLUMNSxROWS",
    )
    regions = GObject.Property(
        type=str,
        default="off",
        nick="Regions",
        blurb="Look at a region at full resolution where mirgate sees motion in a small part of "
        "the frame: auto or off",
    )
    threads = threads()

    @property
    def step_name(self) -> str:
        """With the model that runs."""
        runs = self.stage.model.name if isinstance(self.stage, InferStage) else self.model
        return f"mirinfer {runs}"

    def make_stage(self) -> InferStage:
        """Loads the model."""
        if not self.model:
            raise ValueError("model: not set; expected a zoo name or the path of a manifest")
        threshold = None if self.threshold < 0 else float(self.threshold)
        return InferStage(
            self.model,
            self.on or None,
            read_thresholds(self.thresholds) if self.thresholds else threshold,
            thread_count(self.threads),
            self.publish,
            self.line.models,
            self.tiles,
            self.regions,
        )
