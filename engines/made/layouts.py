"""Where a decoder's outputs hold the scores of the classes.

Of a decoder that is not listed, or where the scores of all classes are needed to know one of them
(softmax), a class is cut when boxes are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from engines.made.graph import RefusedError


class Scores(NamedTuple):
    """The classes' scores in an output: from ``first`` on along ``axis``, which may be negative."""

    output: str
    axis: int
    first: int = 0


Options = Mapping[str, Any]


def scores_of(decoder: str, options: Options, outputs: Mapping[str, int]) -> list[Scores]:
    """Return where the outputs of a network hold scores.

    Args:
        decoder: its name in a manifest.
        options: of the manifest.
        outputs: number of axes of each output.

    Raises:
        RefusedError: that is not known, or a score depends on those of the other classes.
    """
    if decoder not in _LAYOUTS:
        raise RefusedError(f"decoder {decoder} reads no score of each class")
    if options.get("activation") == "softmax":
        raise RefusedError("softmax needs the scores of all classes")
    found = _LAYOUTS[decoder](options, outputs)
    for each in found:
        if each.output not in outputs:
            raise RefusedError(f'there is no output "{each.output}"')
    return found


def _sole(options: Options, outputs: Mapping[str, int]) -> str:
    """The table of boxes, beside which there may be prototypes of four axes."""
    tables = (name for name, axes in outputs.items() if axes == 3)
    return str(options.get("output") or next(tables, "output"))


def _after_background(options: Options, default: str) -> int:
    return int(options.get("background", default) == "first")


def _boxes_first(first: int) -> Callable[[Options, Mapping[str, int]], list[Scores]]:
    """Rows of a box and whatever precedes the scores."""
    return lambda options, outputs: [Scores(_sole(options, outputs), -1, first)]


def _yolov8(options: Options, outputs: Mapping[str, int]) -> list[Scores]:
    axis = 1 if options.get("channels", "first") == "first" else 2
    return [Scores(_sole(options, outputs), axis, 4)]


def _boxes_scores(options: Options, _: Mapping[str, int]) -> list[Scores]:
    return [Scores(options.get("scores", "scores"), -1, _after_background(options, "none"))]


def _ssd(options: Options, _: Mapping[str, int]) -> list[Scores]:
    return [Scores(options.get("scores", "scores"), -1, _after_background(options, "first"))]


def _detr(options: Options, _: Mapping[str, int]) -> list[Scores]:
    before = options.get("first_class", 0) + _after_background(options, "none")
    return [Scores(options.get("logits", "pred_logits"), -1, before)]


def _gfl(options: Options, outputs: Mapping[str, int]) -> list[Scores]:
    if not options.get("scores"):
        return [Scores(_sole(options, outputs), -1)]
    # (1, cells, classes) or (1, classes, h, w).
    return [Scores(name, -1 if outputs.get(name) == 3 else 1) for name in options["scores"]]


_LAYOUTS: Mapping[str, Callable[[Options, Mapping[str, int]], list[Scores]]] = {
    "boxes_scores": _boxes_scores,
    "detr": _detr,
    "gfl": _gfl,
    "ssd": _ssd,
    "yolact": _ssd,
    "yolov5": _boxes_first(5),
    "yolov8": _yolov8,
    "yolov8_obb": _yolov8,
    "yolov8_pose": _yolov8,
    "yolov8_seg": _yolov8,
    "yolox": _boxes_first(5),
}
