"""Key points in the layout of YOLOv8, 11 and 26: behind the box and the class scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.decoders import OptionError, Outputs, Spec, sole
from engines.decoders.candidates import Candidates, Channels, Format, suppress
from engines.decoders.yolov8 import AXIS, likely
from engines.found import Poses


def decode(
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    format: Format = "cxcywh",
    channels: Channels = "first",
    normalised: bool = False,
) -> Poses:
    """Boxes with key points of a (1, 4 + classes + 3k, n) output; also 2k, without scores.

    A column holds cx, cy, w, h in input pixels, class scores, and x, y and score of each of the k
    key points, sigmoids applied. Without scores, a point has that of its box.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap, key points.
        output: name of the output; may be left out when there is only one.
        format: of the box.
        channels: where that axis is; last for (1, n, 4 + classes + 3k).
        normalised: boxes and points are in 0..1 of the input instead of its pixels.

    Raises:
        OptionError: the output has another shape than the labels and key points ask for.
    """
    columns = sole(outputs, output)
    known, k = 4 + len(spec.labels), len(spec.keypoints)
    widths = (known + 3 * k, known + 2 * k)
    if columns.ndim != 3 or columns.shape[0] != 1 or columns.shape[AXIS[channels]] not in widths:
        raise OptionError(
            f"yolov8_pose: expected {widths[0]} or {widths[1]} channels {channels}, 4 + "
            f"{len(spec.labels)} labels + 3 or 2 for each of {k} key points, got {columns.shape}"
        )
    table = columns[0] if channels == "first" else columns[0].T
    return with_points(suppress(likely(table, spec, format, normalised), spec), spec, normalised)


def with_points(boxes: Candidates, spec: Spec, normalised: bool) -> Poses:
    """Return boxes with the key points that their further columns hold, 3k or 2k of them."""
    k = len(spec.keypoints)
    given = boxes.more.reshape(len(boxes.more), k, boxes.more.shape[1] // k)
    scored = given[..., 2] if given.shape[2] == 3 else boxes.score[:, None].repeat(k, axis=1)
    points: NDArray[np.float32] = np.dstack([given[..., :2], scored]).astype(np.float32)
    if normalised:
        points[..., :2] *= np.array(spec.size, np.float32)
    return Poses(boxes.xyxy, boxes.score, boxes.class_id, points)
