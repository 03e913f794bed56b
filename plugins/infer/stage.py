"""The stage that runs a model: a plain function of a frame and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engines.model import Model
from engines.serving import Models
from mirante.frame import FrameResult
from plugins.frame import Frame


class InferStage:
    """Runs one model, or what was swapped for it, and adds what it finds to the frame's result.

    Args:
        model: zoo name, or path of a manifest.
        on: run on the boxes of this class that earlier stages found, instead of the whole frame.
        threshold: minimum score, one number or one per class; None for the manifest's.
        threads: threads of one inference.
        publish: write the model's embeddings into the frame's message.
        models: those of the line that it belongs to; None for a stage by itself.

    Raises:
        ValueError, OSError: the model is unknown, cannot be had, or does not load; or it needs
            boxes and is without ``on``.
    """

    def __init__(
        self,
        model: str,
        on: str | None = None,
        threshold: float | Mapping[str, float] | None = None,
        threads: int = 1,
        publish: bool = False,
        models: Models | None = None,
    ) -> None:
        self._publish = publish
        self._served = (models or Models()).serve(model, threads, threshold, on)
        if publish and not self.model.manifest.gives_vectors:
            raise ValueError(f"publish: {self.model.name} gives no embeddings")
        about = self.model.manifest.about_boxes
        if about is not None and on is None:
            raise ValueError(
                f"on: missing, and required: {self.model.name} {about.about_boxes}; expected a "
                "class that an earlier stage finds, such as person"
            )

    @property
    def model(self) -> Model:
        """The model that runs now; a swap replaces it."""
        return self._served.model

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult:
        """Add detections, masks, attributes and key points; sum several models' times by step."""
        source = (result.width, result.height)
        model, found = self._served.run(frame, source, result.detections)
        joined = model.join(found, result)
        if not self._publish:
            return joined
        names = dict.fromkeys(name for each in found.embeddings.values() for name in each)
        return replace(joined, published=tuple(dict.fromkeys((*joined.published, *names))))
