"""DETR and its descendants before their own decoding: a box and the logits of each query.

DETR (Carion et al. 2020) shares a probability out among the classes and "no object"; Deformable
DETR, RT-DETR and RF-DETR give each class its own. Nothing is suppressed: a query is an object.
"""

from __future__ import annotations

from engines.decoders import OptionError, Outputs, Spec, output
from engines.decoders.candidates import Format, best, classify, to_xyxy
from engines.decoders.probabilities import Activation, Background, of_labels
from engines.found import Boxes


def decode(  # noqa: PLR0913 - its arguments are the options of a manifest
    outputs: Outputs,
    spec: Spec,
    *,
    boxes: str = "pred_boxes",
    logits: str = "pred_logits",
    activation: Activation = "sigmoid",
    background: Background = "none",
    first_class: int = 0,
    format: Format = "cxcywh",
    normalised: bool = True,
    limit: int = 300,
) -> Boxes:
    """Boxes of a (1, n, 4) and a (1, n, classes) output, best first.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, input size.
        boxes: name of the (1, n, 4) output.
        logits: name of the (1, n, classes) output.
        activation: softmax for DETR itself, where a query counts for its likeliest class; sigmoid
            for its descendants, where it counts for each class whose threshold it reaches.
        background: ``last`` where the last column is "no object", as in DETR.
        first_class: the column of the first label; those before it are of no label.
        format: of the boxes.
        normalised: boxes are in 0..1 of the input.
        limit: at most so many boxes.

    Raises:
        OptionError: the outputs do not fit each other or the labels.
    """
    found, raw = output(outputs, boxes), output(outputs, logits)
    n = found.shape[1] if found.ndim == 3 else -1
    if found.shape != (1, n, 4) or raw.ndim != 3 or raw.shape[:2] != (1, n):
        raise OptionError(
            f"detr: expected (1, n, 4) and (1, n, classes), got {found.shape}, {raw.shape}"
        )
    columns = first_class + len(spec.labels)
    chances = of_labels(raw[0], activation, background, columns)[:, first_class:]
    rows, score, class_id = classify(chances, spec.threshold, activation != "softmax")
    order = best(score, limit)
    xyxy = to_xyxy(found[0, rows[order]], format, spec.size if normalised else None)
    return Boxes(xyxy, score[order], class_id[order])
