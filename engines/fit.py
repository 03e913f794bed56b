"""Check that a manifest fits its file, and that requests fit the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Spec
from engines.head import Head, check_labels
from engines.manifest import Manifest
from engines.placement import Size
from engines.runtimes import Session

Threshold = float | Mapping[str, float] | None


def thresholds(manifest: Manifest, asked: Threshold) -> NDArray[np.float32]:
    """The least score of each label of each head, one head after another: (n,) float32.

    It is NaN for heads that the manifest has none for, as for argmax. What is asked of a label is
    asked of each head that has it.

    Raises:
        ValueError: naming the label, the value and what was expected.
    """
    labels = manifest.scored_labels
    if asked is not None and not labels:
        raise ValueError(f"threshold: model {manifest.name} has none, got {asked}")
    asked_of = dict(asked) if isinstance(asked, Mapping) else {}
    if isinstance(asked, int | float):
        asked_of = dict.fromkeys(labels, float(asked))
    check_labels("threshold", asked_of, labels)
    for label, value in asked_of.items():
        if not 0 <= value <= 1:
            raise ValueError(f"threshold: expected 0 to 1, got {value} for {label}")
    return np.concatenate([_thresholds_of(part, asked_of) for part in manifest.parts])


def _thresholds_of(part: Head, asked_of: Mapping[str, float]) -> NDArray[np.float32]:
    if part.threshold is None:
        return np.full(len(part.labels), np.nan, np.float32)
    by_label = {**dict.fromkeys(part.labels, part.threshold), **part.thresholds, **asked_of}
    return np.array([by_label[label] for label in part.labels], np.float32)


def of_parts(
    manifest: Manifest, thresholds: NDArray[np.float32]
) -> tuple[NDArray[np.float32], ...]:
    """Return the thresholds of each part, of those that ``thresholds`` gives one after another."""
    ends = np.cumsum([len(part.labels) for part in manifest.parts])[:-1]
    return tuple(np.split(thresholds, ends))


def spec_of(part: Head, least: NDArray[np.float32], size: Size) -> Spec:
    """Return what a decoder has to know: of labels that are cut no score is enough.

    Args:
        part: that fits the network.
        least: (len(part.labels),) scores.
        size: width and height of the input.
    """
    if cut := part.cut:
        of_labels, least = least, np.full(len(part.network_labels), np.inf, np.float32)
        least[list(cut)] = of_labels
    return Spec(part.network_labels, least, part.iou, size, part.keypoints)


def check_inputs(manifest: Manifest, session: Session) -> None:
    """Compares the network's inputs with those of the manifest.

    Raises:
        OptionError: naming what the file has and what the manifest makes.
    """
    spec = manifest.input
    if {spec.name, *spec.extra} != set(session.inputs):
        raise OptionError(
            f"input: expected {', '.join(session.inputs)}, as the file has, "
            f"got {', '.join([spec.name, *spec.extra])}"
        )
    width, height = spec.frame or spec.size
    channels = spec.channels
    fed = (1, channels, height, width) if spec.layout == "nchw" else (1, height, width, channels)
    shape = session.inputs[spec.name].shape
    axes = shape[2:] if spec.layout == "nchw" else shape[1:3]
    sized = (*fed[:2], *axes) if spec.layout == "nchw" else (*fed[:1], *axes, *fed[3:])
    if (
        len(shape) == 4
        and not spec.frame
        and _match(shape, sized)
        and not _match(axes, (height, width))
    ):
        raise OptionError(
            f"input.size: expected {[*axes[::-1]]}, as {spec.name} has in the file, got "
            f"{[width, height]}; only ONNX files are made to take another"
        )
    if len(shape) != 4 or not _match(shape, fed):
        raise OptionError(f"input {spec.name}: the file has {shape}, the manifest makes {fed}")
    if spec.multiple and not spec.frame and axes != (None, None):
        raise OptionError(f"input.multiple: expected none, as {spec.name} has a fixed size {axes}")


def _match(shape: Sequence[int | None], fed: Sequence[int | None]) -> bool:
    return all(a in (b, None) for a, b in zip(shape, fed, strict=True))
