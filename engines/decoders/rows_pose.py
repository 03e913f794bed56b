"""Key points of networks with NMS inside, as YOLO26 exports them: behind each finished box."""

from __future__ import annotations

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.rows import FINISHED, finished
from engines.decoders.yolov8_pose import with_points
from engines.found import Poses


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    normalised: bool = False,
    first_class: int = 0,
) -> Poses:
    """Boxes with key points of a (1, n, 6 + 3k) output; also 2k, without scores.

    A row holds left, top, right, bottom in input pixels, score, class, and x, y and score of each
    of the k key points. Nothing is suppressed.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, key points, input size.
        output: name of the output; may be left out when there is only one.
        normalised: boxes and points are in 0..1 of the input instead of its pixels.
        first_class: the class id of the first label; 1 where 0 is the background.

    Raises:
        OptionError: the output has another shape than the key points ask for, or a class id has no
            label.
    """
    rows = sole(outputs, output)
    k = len(spec.keypoints)
    scored, plain = FINISHED + 3 * k, FINISHED + 2 * k
    if rows.ndim != 3 or rows.shape[0] != 1 or rows.shape[2] not in (scored, plain):
        raise OptionError(
            f"rows_pose: expected (1, n, {scored}) or (1, n, {plain}) for {k} key points, "
            f"got {rows.shape}"
        )
    return with_points(finished(rows[0], spec, normalised, first_class), spec, normalised)
