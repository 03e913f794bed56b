"""Networks that end at all their boxes and the scores of each: YOLO-NAS, PP-YOLOE, SSD with its
anchors applied; non-maximum suppression is done here."""

from __future__ import annotations

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.candidates import Channels, Format, classify, suppress, to_xyxy
from engines.decoders.probabilities import Activation, Background, of_labels
from engines.found import Boxes


def decode(  # noqa: PLR0913 - its arguments are the options of a manifest
    outputs: Outputs,
    spec: Spec,
    *,
    boxes: str = "boxes",
    scores: str = "scores",
    channels: Channels = "last",
    format: Format = "xyxy",
    normalised: bool = False,
    activation: Activation = "none",
    background: Background = "none",
    multi_label: bool = False,
) -> Boxes:
    """Boxes of a (1, n, 4) and a (1, n, classes) output.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap, input size.
        boxes: name of the (1, n, 4) output; (1, n, 1, 4) is taken too.
        scores: name of the (1, n, classes) output.
        channels: first for scores (1, classes, n), as Paddle has them.
        format: corners, in TensorFlow's order top first, or centre and size.
        normalised: boxes are in 0..1 of the input instead of its pixels.
        activation: what is still to be applied to the scores.
        background: whether the first or last column of the scores is of no label.
        multi_label: a box counts for each class whose threshold it reaches, not for one alone.

    Raises:
        OptionError: the outputs do not fit each other or the labels.
    """
    found, raw = output(outputs, boxes), output(outputs, scores)
    if channels == "first" and raw.ndim == 3:
        raw = raw.transpose(0, 2, 1)
    if found.ndim == 4 and found.shape[2] == 1:
        found = found[:, :, 0]
    n = found.shape[1] if found.ndim == 3 else -1
    if found.shape != (1, n, 4) or raw.ndim != 3 or raw.shape[:2] != (1, n):
        raise OptionError(
            f"boxes_scores: expected (1, n, 4) and (1, n, classes), got {found.shape}, {raw.shape}"
        )
    chances = of_labels(raw[0], activation, background, len(spec.labels))
    rows, score, class_id = classify(chances, spec.threshold, multi_label)
    xyxy = to_xyxy(found[0, rows], format, spec.size if normalised else None)
    return suppress(Boxes(xyxy, score, class_id), spec)
