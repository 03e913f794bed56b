"""Raw heads that are known by their names or their counts: YuNet, PicoDet, SSD, the first YOLO."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.convert.recognise.evidence import Fit, Grid, Misfit, Seen, Tensor
from engines.decoders.priors import MADE, priors

STEPS = (8, 16, 17, 32, 33)  # that heads of distributions are seen with: reg_max + 1


def yunet(seen: Seen) -> list[Fit]:
    """``yunet``, by the names of its outputs."""
    names = {tensor.name for tensor in seen.tensors}
    found = [re.fullmatch(r"bbox_(\d+)", name) for name in sorted(names)]
    strides = sorted(int(match[1]) for match in found if match)
    missing = [f"{p}_{s}" for s in strides for p in ("cls", "obj") if f"{p}_{s}" not in names]
    if not strides or missing:
        raise Misfit(
            f"no outputs cls_S, obj_S, bbox_S of strides S{': ' * bool(missing)}"
            + ", ".join(missing)
        )
    options: dict[str, Any] = {} if strides == [8, 16, 32] else {"strides": strides}
    why = f"outputs cls_S, obj_S, bbox_S of the strides {', '.join(map(str, strides))}"
    return [Fit("yunet", options, 1, (why,))]


def gfl(seen: Seen) -> list[Fit]:
    """``gfl``, by cells and the width of the distributions: a pair a stride, or NanoDet's one."""
    rows = [t for t in seen.tensors if t.value.ndim in (3, 4) and t.shape[0] == 1]
    if len(rows) == 1 and len(seen.tensors) == 1:
        return _joined(seen, rows[0])
    for strides in ((8, 16, 32, 64), (8, 16, 32)):
        by_cells = [
            [t for t in rows if _cells(t) == w * h] for w, h in Grid(seen.size, strides).cells
        ]
        if len(rows) == 2 * len(strides) and all(len(pair) == 2 for pair in by_cells):
            return _paired(seen, strides, by_cells)
    raise Misfit(f"{len(rows)} outputs, not two with the cells of each stride 8, 16, 32 (and 64)")


def _cells(tensor: Tensor) -> int:
    return tensor.shape[1] if tensor.value.ndim == 3 else tensor.shape[2] * tensor.shape[3]


def _width(tensor: Tensor) -> int:
    return tensor.shape[2] if tensor.value.ndim == 3 else tensor.shape[1]


def _paired(seen: Seen, strides: tuple[int, ...], by_cells: list[list[Tensor]]) -> list[Fit]:
    widths = {_width(tensor) for pair in by_cells for tensor in pair}
    steps = [w // 4 for w in widths if w % 4 == 0 and w // 4 in STEPS]
    known = [s for s in steps if seen.count is None or widths == {4 * s, seen.count}]
    if len(known) != 1 or len(widths) != 2:
        raise Misfit(f"widths {sorted(widths)} are not labels and 4 * steps")
    wide = 4 * known[0]
    scores = [next(t for t in pair if _width(t) != wide) for pair in by_cells]
    sides = [next(t for t in pair if _width(t) == wide) for pair in by_cells]
    raw = not all(tensor.is_chance for tensor in scores)
    options: dict[str, Any] = {
        "scores": [tensor.name for tensor in scores],
        "distances": [tensor.name for tensor in sides],
    }
    options |= {} if strides == (8, 16, 32, 64) else {"strides": list(strides)}
    options |= {} if known[0] == 8 else {"steps": known[0]}
    options |= {"activation": "sigmoid"} if raw else {}
    reasons = (
        f"two outputs for each stride {', '.join(map(str, strides))}: {Grid(seen.size, strides)}",
        f"{wide} = 4 * {known[0]} steps of a distribution; {_width(scores[0])} labels",
        "scores are logits" if raw else "scores are probabilities",
    )
    return [Fit("gfl", options, _width(scores[0]), reasons)]


def _joined(seen: Seen, tensor: Tensor) -> list[Fit]:
    grid = Grid(seen.size, (8, 16, 32, 64))
    if tensor.value.ndim != 3 or tensor.shape[1] != grid.count:
        raise Misfit(f"{tensor}, not (1, {grid.count}, columns): {grid}")
    readings = [s for s in STEPS if tensor.shape[2] - 4 * s == seen.count]
    if not readings:
        raise Misfit(f"{tensor}: {grid}; {tensor.shape[2]} columns are not labels and 4 * steps")
    count = tensor.shape[2] - 4 * readings[0]
    scores = tensor.value[..., :count]
    options: dict[str, Any] = {} if readings[0] == 8 else {"steps": readings[0]}
    if scores.min() < -1e-4 or scores.max() > 1 + 1e-4:
        options["activation"] = "sigmoid"
    why = f"{tensor.shape[2]} = {count} labels + 4 * {readings[0]} steps of a distribution"
    fits = []
    for centre in (0.5, 0.0):
        more = {} if centre == 0.5 else {"centre": centre}
        where = f"centres at {centre:g} of a cell"
        reasons = (f"{tensor}: {grid}", why, where)
        fits.append(Fit("gfl", options | more, count, reasons, "options.centre"))
    return fits


_SCORES = re.compile("score|class|cls|conf|logit")


def ssd(seen: Seen) -> list[Fit]:
    """``ssd``, by the number of priors of a known kind, or priors as a third output."""
    three = [t for t in seen.tensors if t.value.ndim >= 2 and t.value.size]
    fours = [t for t in three if t.shape[-1] == 4]
    scores = [t for t in three if t.value.ndim == 3 and t.shape[-1] != 4]
    if not scores:  # three labels and a background are four columns, too
        scores = [t for t in fours if t.value.ndim == 3 and _SCORES.search(t.name.lower())]
        fours = [t for t in fours if t not in scores]
    if not fours or len(scores) != 1:
        raise Misfit("not shifts (1, n, 4) and scores (1, n, classes)")
    n = scores[0].shape[1]
    same = [t for t in fours if t.value.size == n * 4]
    if len(same) == 2 and len(fours) == 2:
        return [_with_output(seen, same, scores[0])]
    kinds = [kind for kind in MADE if len(priors(kind, seen.size)) == n]
    if len(same) != 1 or len(kinds) != 1:
        counts = ", ".join(f"{kind} {len(priors(kind, seen.size))}" for kind in MADE)
        raise Misfit(f"{n} boxes are the priors of no kind that is known: {counts}")
    why = f"{same[0]}: the {n} priors of {kinds[0]} for this size"
    options: dict[str, Any] = {"anchors": kinds[0]}
    if kinds[0] == "tensorflow":
        options["order"] = "yxhw"
    return [_fit(seen, same[0], scores[0], options, why)]


def _with_output(seen: Seen, same: list[Tensor], scores: Tensor) -> Fit:
    anchors = [t for t in same if "anchor" in t.name.lower() or "prior" in t.name.lower()]
    if len(anchors) != 1:
        raise Misfit(f"{same[0].name} or {same[1].name}: which has the priors is not seen")
    shifts = same[0] if same[1] is anchors[0] else same[1]
    why = f"{anchors[0]}: priors, beside as many shifts {shifts.name}"
    options = {"anchors": anchors[0].name}
    first, second = (np.flatnonzero(np.diff(column)) for column in _centres(anchors[0]))
    if second.size and (not first.size or second[0] < first[0]):
        options["order"] = "yxhw"
        why += "; along a row its second column changes: y is first"
    return _fit(seen, shifts, scores, options, why)


def _centres(anchors: Tensor) -> NDArray[Any]:
    """(2, n) of the first two columns."""
    found: NDArray[Any] = anchors.value.reshape(-1, 4)[:, :2].T
    return found


def _fit(seen: Seen, shifts: Tensor, scores: Tensor, options: dict[str, Any], why: str) -> Fit:
    columns = scores.shape[2]
    if seen.count not in (None, columns - 1):
        raise Misfit(f"{why}; {columns} columns are not a background and {seen.count} labels")
    if scores.is_chance:
        activation, said = "none", "scores are probabilities"
    elif options.get("anchors") == "tensorflow":
        activation, said = "sigmoid", "scores are logits, each by itself as TensorFlow trains them"
    else:
        activation, said = "softmax", "scores are logits, shared out as in the paper"
    named = {"boxes": shifts, "scores": scores}
    options |= {key: tensor.name for key, tensor in named.items() if tensor.name != key}
    options |= {} if activation == "sigmoid" else {"activation": activation}
    reasons = (why, f"{columns} = background + {columns - 1} labels", said)
    return Fit("ssd", options, columns - 1, reasons)


def yolov1(seen: Seen) -> list[Fit]:
    """``yolov1``, by S * S * (B * 5 + labels) numbers; the order in a cell cannot be seen."""
    tensor = seen.tensors[0]
    if len(seen.tensors) != 1 or tensor.value.dtype.kind != "f" or seen.count is None:
        raise Misfit("not one output, or the number of labels is unknown")
    found = [
        (grid, boxes)
        for grid in range(5, 21)
        for boxes in range(1, 6)
        if tensor.value.size == grid * grid * (boxes * 5 + seen.count)
    ]
    found = [(s, b) for s, b in found if tensor.value.ndim == 2 or tensor.shape[1:].count(s) == 2]
    if not found or tensor.value.ndim not in (2, 4):
        raise Misfit(f"{tensor}: not S * S * (B * 5 + {seen.count}) numbers of S * S cells")
    fits = []
    for grid, boxes in found:
        layouts = {4: ["first" if tensor.shape[-1] == grid else "last"], 2: ["last", "blocks"]}
        options = {"grid": grid, "boxes": boxes}
        depth = boxes * 5 + seen.count
        why = f"{tensor}: {grid} * {grid} cells of {depth} = {boxes} * 5 + {seen.count} labels"
        key = "options.layout, options.cell, options.box, options.root"
        for layout in layouts[tensor.value.ndim]:
            if layout == "blocks":
                fits.append(
                    Fit(
                        "yolov1",
                        options | {"layout": layout},
                        seen.count,
                        (why, "Darknet's blocks"),
                        key,
                    )
                )
                continue
            for cell in ("boxes-classes", "classes-boxes"):
                more = options | {"layout": layout, "cell": cell}
                fits.append(Fit("yolov1", more, seen.count, (why, cell), key))
    return fits
