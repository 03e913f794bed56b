"""The stage that runs a model: a plain function of a frame and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engines.model import Model
from engines.serving import Models
from mirante.frame import FrameResult
from plugins.frame import Frame
from plugins.infer.areas import Tiles
from plugins.infer.looker import Looker
from plugins.infer.pace import Pace


class InferStage:
    """Runs one model, or what was swapped for it, and adds what it finds to the frame's result.

    Args:
        model: zoo name, or path of a manifest.
        on: run on the boxes of this class that earlier stages found, instead of the whole frame.
        threshold: minimum score, one number or one per class; None for the manifest's.
        threads: threads of one inference.
        publish: write the model's embeddings into the frame's message.
        models: those of the line that it belongs to; None for a stage by itself.
        tiles: ``auto``, COLUMNSxROWS or ``off``: look at tiles of the frame, too.
        regions: ``auto`` or ``off``: look at a region around what moves where that is small.

    Raises:
        ValueError, OSError: the model is unknown, cannot be had, or does not load; or it needs
            boxes and is without ``on``; or it is to look at parts of the frame and does not find
            boxes alone.
    """

    def __init__(
        self,
        model: str,
        on: str | None = None,
        threshold: float | Mapping[str, float] | None = None,
        threads: int = 1,
        publish: bool = False,
        models: Models | None = None,
        tiles: str = "off",
        regions: str = "off",
    ) -> None:
        self._publish, self._pace = publish, Pace()
        parts, has_regions = Tiles.of_text(tiles), read_regions(regions)
        self._served = (models or Models()).serve(model, threads, threshold, on)
        if publish and not self.model.manifest.gives_vectors:
            raise ValueError(f"publish: {self.model.name} gives no embeddings")
        about = self.model.manifest.about_boxes
        if about is not None and on is None:
            raise ValueError(
                f"on: missing, and required: {self.model.name} {about.about_boxes}; expected a "
                "class that an earlier stage finds, such as person"
            )
        self._looker = None
        if parts is not None or has_regions:
            self._check_parts("tiles" if parts is not None else "regions", on)
            self._looker = Looker(self._served, parts, has_regions)

    def _check_parts(self, key: str, on: str | None) -> None:
        if on is not None:
            raise ValueError(f"{key}: expected off with on, got on: {on}")
        if not all(head.kind.finds_boxes for head in self.model.heads):
            raise ValueError(
                f"{key}: {self.model.name} finds more than boxes; expected a detector, which finds "
                "the same in a part of the frame"
            )

    @property
    def model(self) -> Model:
        """The model that runs now; a swap replaces it."""
        return self._served.model

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult:
        """Add detections, masks, attributes and key points; sum several models' times by step."""
        source, area = (result.width, result.height), None
        self._served.by_s = self._pace.by_s(result.captured_ns)
        if self._looker is not None:
            model, found, area = self._looker.look(frame, result)
        else:
            model, found = self._served.run(frame, source, result.detections)
        joined = model.join(found, result)
        if area is not None:
            joined = replace(joined, regions={**joined.regions, model.name: area})
        if not self._publish:
            return joined
        names = dict.fromkeys(name for each in found.embeddings.values() for name in each)
        return replace(joined, published=tuple(dict.fromkeys((*joined.published, *names))))


def read_regions(text: str) -> bool:
    """Read ``auto`` or ``off``.

    Raises:
        ValueError: it is neither.
    """
    if text not in ("auto", "off"):
        raise ValueError(f'regions: "{text}"; expected auto or off')
    return text == "auto"
