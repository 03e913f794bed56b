"""Figures as tables of text, and as what JSON can hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from training.evaluation.detector import DetectorFigures
from training.evaluation.segmenter import SegmenterFigures

REST = "background"
BOX_KEYS = ("boxes", "uncounted", "ap", "ap50", "threshold")
HIT_KEYS = ("precision", "recall", "hits", "false", "missed")
PLANE_KEYS = ("pictures", "present", "iou", "mean_iou", "boundary_f1")
LINE_KEYS = ("f1", "precision", "recall")


class Table(NamedTuple):
    """Headings, and rows of as many cells."""

    headings: list[str]
    rows: list[list[str]]


def detector_tables(figures: DetectorFigures) -> list[Table]:
    """Each class and their means; false alarms where nothing is; the confusion, of the classes that
    are there or were found.
    """
    headings = ["class", "boxes", "not counted", "AP", "AP50"]
    headings += ["precision", "recall", "at score", "false", "missed"]
    rows = []
    for c in figures.classes:
        counts, shares = (c.boxes, c.uncounted), (c.ap, c.ap50, c.precision, c.recall)
        cells = [c.label, *map(str, counts), *map(_percent, shares)]
        rows.append([*cells, f"{c.threshold:.2f}", str(c.false), str(c.missed)])
    boxes = str(sum(c.boxes for c in figures.classes))
    uncounted = str(sum(c.uncounted for c in figures.classes))
    for name, ap, ap50 in (
        ("mean", figures.ap, figures.ap50),
        ("mean by boxes", figures.ap_by_boxes, figures.ap50_by_boxes),
    ):
        rows.append([name, boxes, uncounted, _percent(ap), _percent(ap50), *[""] * 5])
    labels = [c.label for c in figures.classes]
    empty = figures.empty
    cells = [str(n) for n in (empty.pictures, empty.with_false, empty.false)]
    of_empty = Table(["images with none of the classes", "with false boxes", "false"], [cells])
    shown = [of_empty] if empty.pictures else []
    return [Table(headings, rows), *shown, _square("there \\ found", labels, figures.confusion)]


def segmenter_tables(figures: SegmenterFigures) -> list[Table]:
    """Each plane; the overlap of planes in shares of the truth's."""
    headings = ["plane", "pictures", "where present", "IoU", "mean IoU", "boundary F1"]
    headings += ["line F1", "line precision", "line recall"]
    rows = []
    for p in figures.planes:
        shares = (p.iou, p.mean_iou, p.boundary_f1, p.line.f1, p.line.precision, p.line.recall)
        rows.append([p.label, str(p.pictures), str(p.present), *map(_percent, shares)])
    labels = [p.label for p in figures.planes]
    return [Table(headings, rows), _square("true \\ found, pixels", labels, figures.overlap)]


def plain(figures: DetectorFigures | SegmenterFigures) -> dict[str, Any]:
    """The figures as JSON's types; NaN is None."""
    shared: dict[str, Any] = {"pictures": figures.pictures, "worst": figures.worst.captions}
    if isinstance(figures, DetectorFigures):
        return {
            **shared,
            "ap": _known(figures.ap),
            "ap50": _known(figures.ap50),
            "ap_by_boxes": _known(figures.ap_by_boxes),
            "ap50_by_boxes": _known(figures.ap50_by_boxes),
            "classes": {
                c.label: {key: _known(getattr(c, key)) for key in (*BOX_KEYS, *HIT_KEYS)}
                for c in figures.classes
            },
            "empty": asdict(figures.empty),
            "confusion": figures.confusion.tolist(),
        }
    planes = {
        p.label: {key: _known(getattr(p, key)) for key in PLANE_KEYS}
        | {f"line_{key}": _known(getattr(p.line, key)) for key in LINE_KEYS}
        for p in figures.planes
    }
    return {**shared, "planes": planes, "overlap": figures.overlap.tolist()}


def _square(corner: str, labels: Sequence[str], counts: Any) -> Table:
    """Counts of rows and columns that are not all 0; the last are the background's."""
    names = [*labels, REST]
    kept = [i for i in range(len(names)) if counts[i].any() or counts[:, i].any()]
    rows = [[names[i], *(str(counts[i, j]) for j in kept)] for i in kept]
    return Table([corner, *(names[j] for j in kept)], rows)


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f}"


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value
