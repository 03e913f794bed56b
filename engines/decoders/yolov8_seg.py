"""Instance masks in the layout of YOLOv8, 11 and 26: a table of boxes and a set of prototypes."""

from __future__ import annotations

from engines.decoders import OptionError, Outputs, Spec
from engines.decoders.candidates import Channels, Format, suppress
from engines.decoders.prototypes import Finer, table_and_prototypes, with_masks
from engines.decoders.yolov8 import AXIS, likely
from engines.found import Instances


def decode(  # noqa: PLR0913 - its arguments are the options of a manifest
    outputs: Outputs,
    spec: Spec,
    *,
    output: str | None = None,
    prototypes: str | None = None,
    format: Format = "cxcywh",
    channels: Channels = "first",
    normalised: bool = False,
    multi_label: bool = False,
    finer: Finer = 2,
) -> Instances:
    """Boxes with masks of (1, 4 + classes + p, n) and (1, p, h, w) outputs.

    A column holds cx, cy, w, h in input pixels, class scores with their sigmoids applied, and the p
    coefficients of the object's mask.

    Args:
        outputs: the network's outputs by name.
        spec: labels, thresholds, overlap, input size.
        output: name of the table; may be left out when only one output has three axes.
        prototypes: name of the prototypes, also (1, h, w, p); likewise, of four axes.
        format: of the box.
        channels: where that axis of the table is; last for (1, n, 4 + classes + p).
        normalised: boxes are in 0..1 of the input instead of its pixels, as in TF Lite exports.
        multi_label: a box counts for each class whose threshold it reaches, not for one alone.
        finer: pixels of a mask along each side of a prototype's cell, interpolated.

    Raises:
        OptionError: the outputs do not fit each other or the labels.
    """
    known = 4 + len(spec.labels)
    table, planes, count = table_and_prototypes(outputs, output, prototypes, known, "yolov8_seg")
    if table.shape[AXIS[channels] - 1] != known + count:
        raise OptionError(
            f"yolov8_seg: expected {known} + {count} channels {channels}, got (1, *{table.shape})"
        )
    found = likely(table if channels == "first" else table.T, spec, format, normalised, multi_label)
    return with_masks(suppress(found, spec), planes, spec, finer)
