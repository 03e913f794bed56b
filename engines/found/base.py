"""The base of all kinds of findings, and of the comparison of two engines' findings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engines.agreement import Figure, Limits
from engines.inference import Inference, View, summed
from engines.placement import Size
from mirante.frame import FrameResult


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What is found in an image, and in its mirror image as it is there.

    Attributes:
        found, mirrored: both.
        width: of the image in pixels.
    """

    found: Inference
    mirrored: Inference
    width: int


class Agreement(ABC):
    """The agreement of two engines' findings in the same images, in terms of the kind.

    Args:
        thresholds: (labels,) of the model; NaN where it has none.
        limits: what may differ.
    """

    def __init__(self, thresholds: NDArray[np.float32], limits: Limits) -> None:
        self.thresholds, self.limits = thresholds, limits

    @abstractmethod
    def add(self, expected: Inference, got: Inference, size: Size) -> None:
        """Compare what both found in one more image of ``size``."""

    @abstractmethod
    def figures(self) -> dict[str, Figure]:
        """Return the figures of all images, by name; none where nothing is found in them."""


class Found(ABC):
    """The findings of a decoder in one image, in pixels of the input tensor.

    Attributes:
        task: what manifests call a model that gives it.
        gives: its name, in messages.
        exported_as: what exporters call such a task in a file's metadata; None for ``task``, and
            empty where that word of theirs means another kind.
        maker: such a model, in messages.
        verb: what such a model does with its labels, before a list of them.
        about_boxes: what such a model does to boxes, where it ``needs_boxes``, in messages.
        needs_labels: every manifest of such a model has labels; else it has none.
        has_keypoints: manifests of such models name key points.
        needs_threshold: every manifest of such a model has a threshold.
        usual_threshold: of a model that is imported without one; None for none.
        finds_boxes: the labels are classes of boxes, on whose crops later models may run.
        finds_masks: the labels are names of masks.
        needs_boxes: in a camera's stages it says something about the boxes of another model.
        gives_vectors: it gives embeddings, which a stage may publish.
        keeps_classes: what is found of some labels stays true where the others are left out.
        agreement: compares two engines of such a model.
        clear_gain: of ``certainty`` a picture, below which one way of feeding finds no clearly more
            than another.
    """

    task: ClassVar[str]
    gives: ClassVar[str]
    exported_as: ClassVar[str | None] = None
    maker: ClassVar[str]
    verb: ClassVar[str]
    about_boxes: ClassVar[str] = ""
    needs_labels: ClassVar[bool] = True
    has_keypoints: ClassVar[bool] = False
    needs_threshold: ClassVar[bool] = False
    usual_threshold: ClassVar[float | None] = None
    finds_boxes: ClassVar[bool] = False
    finds_masks: ClassVar[bool] = False
    needs_boxes: ClassVar[bool] = False
    gives_vectors: ClassVar[bool] = False
    keeps_classes: ClassVar[bool] = False
    agreement: ClassVar[type[Agreement]]
    clear_gain: ClassVar[float] = 0.15

    def only(self, cut: tuple[int, ...]) -> Self:
        """Return what is found of the labels of these indices, which then count from 0 on.

        Raises:
            TypeError: the kind has no ``keeps_classes``.
        """
        raise TypeError(f"{self.gives}: expected those of all labels, got {cut}")

    @abstractmethod
    def to_source(self, view: View) -> Inference:
        """Return it in pixels of the source frame, as part of that frame's result."""

    @classmethod
    def certainty(cls, seen: Sequence[Mirrored]) -> NDArray[np.float64]:
        """Return (n,) how much is found in images and their mirror images alike.

        What a network makes up of an image that is fed wrongly is elsewhere in its mirror image.
        A kind without such a measure returns zeros.
        """
        return np.zeros(len(seen))

    @classmethod
    def join(cls, found: Inference, result: FrameResult) -> FrameResult:
        """Return a frame's result with what a model of this kind found in the frame.

        Boxes are added; masks, attributes, key points and vectors go to the box in whose crop they
        were found, masks of the whole frame to the frame.
        """
        detections = result.detections
        if cls.finds_boxes:  # the labels of others are no classes of boxes
            detections = detections.merge(found.detections)
        of_box = {index: said for index, said in found.attributes.items() if index is not None}
        poses = {index: pose for index, pose in found.poses.items() if index is not None}
        vectors = {index: each for index, each in found.embeddings.items() if index is not None}
        owned = [(m.object_index, m) for m in found.masks if m.object_index is not None]
        of_frame = [mask for mask in found.masks if mask.object_index is None]
        return replace(
            result,
            detections=detections.with_attributes(of_box)
            .with_embeddings(vectors)
            .with_masks(owned)
            .with_keypoints(poses),
            masks=(*result.masks, *of_frame),
            timings=summed(result.timings, found.timings),
        )
