"""Segmenters with an independent probability per plane."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec
from engines.decoders.planes import channels_of, named
from engines.found import Planes


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    planes: dict[str, list[str | None]],
    channels: Literal["first", "last"] = "first",
    logits: bool,
) -> Planes:
    """One plane per label: the pixels whose probability reaches the label's threshold.

    Args:
        outputs: the network's outputs by name, each (1, c, h, w) or (1, h, w, c).
        spec: the labels, in the order of the planes returned, and their thresholds.
        planes: for each output the label of each channel, null for one to leave out.
        channels: where the channel axis is.
        logits: the sigmoid is not in the network.

    Raises:
        OptionError: an output is missing or has other channels, or a label has no channel or no
            threshold.
    """
    least = dict(zip(spec.labels, cuts_of(spec, logits), strict=True))
    found: dict[str, NDArray[np.bool_]] = {}
    for name, labels in planes.items():
        scores = channels_of(outputs, name, len(labels), channels)
        found |= {
            label: plane >= least.get(label, 0)
            for label, plane in zip(labels, scores, strict=True)
            if label is not None
        }
    return named(found, spec.labels)


def cuts_of(spec: Spec, logits: bool) -> NDArray[np.float32]:
    """Return (len(spec.labels),) the least value of each label's channel.

    Args:
        spec: labels and thresholds.
        logits: as of ``decode``.

    Raises:
        OptionError: a label has no threshold.
    """
    if np.isnan(spec.threshold).any():
        raise OptionError("threshold: expected with decoder sigmoid, got none")
    if not logits:
        return spec.threshold
    with np.errstate(divide="ignore", invalid="ignore"):  # infinite: of labels that are cut
        cuts: NDArray[np.float32] = np.log(spec.threshold / (1 - spec.threshold))
    return cuts
