"""Raw heads that are known by their names or counts: YuNet, PicoDet, NanoDet, the first YOLO."""

from __future__ import annotations

import re
from typing import Any

from engines.convert.recognise.evidence import Fit, Grid, Misfit, Seen, Tensor, are_chances

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
    return [Fit("yunet", options, 1, (why,), family="yunet")]


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
    family = "picodet" if len(strides) == 4 else "nanodet"
    return [Fit("gfl", options, _width(scores[0]), reasons, family=family)]


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
    if not are_chances(scores):
        options["activation"] = "sigmoid"
    why = f"{tensor.shape[2]} = {count} labels + 4 * {readings[0]} steps of a distribution"
    fits = []
    for centre in (0.5, 0.0):
        more = {} if centre == 0.5 else {"centre": centre}
        where = f"centres at {centre:g} of a cell"
        reasons = (f"{tensor}: {grid}", why, where)
        fits.append(Fit("gfl", options | more, count, reasons, "options.centre", "nanodet-plus"))
    return fits


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
