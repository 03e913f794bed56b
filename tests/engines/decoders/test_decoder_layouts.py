"""Decoders against post-processing that is written a second time, plainly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.decoders import OptionError, bind
from engines.decoders.priors import priors
from tests.support.decoded import boxes_of, least_of, spec
from tests.support.plain_reference import Row, assert_same, best_class, from_centre, suppress

WIDTH, HEIGHT = 96, 64


def grid_of_cells(seed: int = 2) -> NDArray[np.float32]:
    """(5, 5, 2 * 5 + 3): x, y, w, h, confidence of two boxes, then three classes."""
    return (np.random.default_rng(seed).random((5, 5, 13)) ** 0.5).astype(np.float32)


def plain_yolov1(cells: NDArray[np.float32], least: list[float], root: bool) -> list[Row]:
    rows: list[Row] = []
    for y in range(5):
        for x in range(5):
            cell = [float(v) for v in cells[y, x]]
            for first in (0, 5):
                px, py, w, h, confidence = cell[first : first + 5]
                found = best_class([confidence * c for c in cell[10:]], least)
                if found is None:
                    continue
                w, h = (w * w, h * h) if root else (w, h)
                centre = ((x + px) / 5 * WIDTH, (y + py) / 5 * HEIGHT)
                rows.append((*found, from_centre(*centre, w * WIDTH, h * HEIGHT)))
    return suppress(rows, 0.45)


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize(
    ("layout", "cell", "box", "flat"),
    [
        ("last", "boxes-classes", "xywhc", False),
        ("last", "boxes-classes", "xywhc", True),
        ("first", "boxes-classes", "xywhc", False),
        ("first", "classes-boxes", "cxywh", True),
        ("last", "classes-boxes", "cxywh", False),
        ("blocks", "boxes-classes", "xywhc", True),
    ],
)
def test_yolov1_equals_the_plain_reference(
    layout: str, cell: str, box: str, flat: bool, root: bool
) -> None:
    cells = grid_of_cells()
    s = spec([0.5, 0.4, 0.6])
    expected = plain_yolov1(cells, least_of(s), root)
    assert len(expected) > 3
    boxes, classes = cells[..., :10].reshape(5, 5, 2, 5), cells[..., 10:]
    if layout == "blocks":
        blocks = (classes, boxes[..., 4], boxes[..., :4])
        given = np.concatenate([block.reshape(-1) for block in blocks])[None]
    else:
        boxes = boxes if box == "xywhc" else boxes[..., [4, 0, 1, 2, 3]]
        parts = (boxes.reshape(5, 5, 10), classes)
        given = np.concatenate(parts if cell == "boxes-classes" else parts[::-1], axis=2)[None]
        given = given if layout == "last" else given.transpose(0, 3, 1, 2)
        given = given.reshape(1, -1) if flat else given
    options = {"grid": 5, "layout": layout, "cell": cell, "box": box, "root": root}
    assert_same(boxes_of(bind("yolov1", options), {"o": np.ascontiguousarray(given)}, s), expected)


def test_yolov1_says_what_its_numbers_must_be() -> None:
    message = r"7 \* 7 cells of 2 boxes and 3 labels; got \(1, 5, 5, 13\)"
    with pytest.raises(OptionError, match=message):
        bind("yolov1", {})({"o": grid_of_cells()[None]}, spec())


TABLE = np.array(
    [
        [10, 10, 30, 30, 0.9, 2],
        [11, 11, 31, 31, 0.8, 2],
        [0, 0, 96, 64, 0.2, 0],
        [5, 5, 6, 6, 0.7, 1],
    ],
    np.float32,
)


@pytest.mark.parametrize("shape", [(1, 4, 6), (4, 6), (1, 1, 4, 6)])
def test_rows_are_taken_as_they_are(shape: tuple[int, ...]) -> None:
    found = boxes_of(bind("rows", {}), {"o": TABLE.reshape(shape)}, spec(0.5))
    np.testing.assert_array_equal(found.class_id, [2, 2, 1])
    np.testing.assert_array_equal(found.xyxy, TABLE[[0, 1, 3], :4])


def test_rows_of_openvino_count_classes_from_one_and_end_at_no_picture() -> None:
    picture = np.array([[0], [0], [0], [-1]])
    parts = TABLE[:, :4] / np.array([WIDTH, HEIGHT] * 2)
    table = np.hstack([picture, TABLE[:, 5:] + 1, TABLE[:, 4:5], parts]).astype(np.float32)
    order = ["picture", "class", "score", "left", "top", "right", "bottom"]
    options = {"columns": order, "normalised": True, "first_class": 1}
    found = boxes_of(bind("rows", options), {"o": table[None, None]}, spec(0.1))
    np.testing.assert_array_equal(found.class_id, [2, 2, 0])
    np.testing.assert_allclose(found.xyxy, TABLE[:3, :4], rtol=1e-5)


def test_rows_need_each_column_once_and_a_label_for_each_class() -> None:
    with pytest.raises(OptionError, match=r"options\.columns: expected score once"):
        bind("rows", {"columns": ["left", "top", "right", "bottom", "class"]})({}, spec())
    with pytest.raises(OptionError, match="expected classes 1 to 3, got 0"):
        bind("rows", {"first_class": 1})({"o": TABLE[None]}, spec(0.1))
    with pytest.raises(OptionError, match=r"rows: expected an output \(1, n, 6\), got \(2, 4, 6\)"):
        bind("rows", {})({"o": np.stack([TABLE, TABLE])}, spec())


def random_boxes(count: int, seed: int) -> NDArray[np.float32]:
    """(count, 4) centre and size in parts of the input."""
    random = np.random.default_rng(seed)
    centre, size = random.random((count, 2)), 0.1 + 0.3 * random.random((count, 2))
    return np.hstack([centre, size]).astype(np.float32)


def corners_of(cxcywh: NDArray[np.float32]) -> list[tuple[float, float, float, float]]:
    sides = (WIDTH, HEIGHT, WIDTH, HEIGHT)
    return [from_centre(*(float(v) * s for v, s in zip(box, sides, strict=True))) for box in cxcywh]


@pytest.mark.parametrize("form", ["xyxy", "yxyx", "cxcywh"])
@pytest.mark.parametrize("normalised", [True, False])
def test_boxes_scores_equals_the_plain_reference(form: str, normalised: bool) -> None:
    s, cxcywh = spec([0.5, 0.3, 0.6]), random_boxes(80, 4)
    scores = np.random.default_rng(5).random((80, 3)).astype(np.float32)
    rows: list[Row] = []
    for chances, box in zip(scores.astype(float), corners_of(cxcywh), strict=True):
        if (found := best_class(list(chances), least_of(s))) is not None:
            rows.append((*found, box))
    given = np.array(corners_of(cxcywh)) if form != "cxcywh" else cxcywh * [96, 64, 96, 64]
    given = given[:, [1, 0, 3, 2]] if form == "yxyx" else given
    unit = [HEIGHT, WIDTH] * 2 if form == "yxyx" else [WIDTH, HEIGHT] * 2
    given = (given / unit if normalised else given).astype(np.float32)
    options = {"format": form, "normalised": normalised}
    outputs = {"boxes": given[None], "scores": scores[None]}
    expected = suppress(rows, 0.45)
    assert len(expected) > 3
    assert_same(boxes_of(bind("boxes_scores", options), outputs, s), expected)


def test_boxes_scores_of_four_axes_with_logits_and_a_background() -> None:
    s, cxcywh = spec(0.4), random_boxes(50, 6)
    logits = np.random.default_rng(7).normal(0, 2, (50, 4)).astype(np.float32)
    rows: list[Row] = []
    for raw, box in zip(logits.astype(float), corners_of(cxcywh), strict=True):
        total = sum(math.exp(v) for v in raw)
        if (found := best_class([math.exp(v) / total for v in raw[1:]], least_of(s))) is not None:
            rows.append((*found, box))
    options = {
        "format": "cxcywh",
        "normalised": True,
        "activation": "softmax",
        "background": "first",
    }
    outputs = {"boxes": cxcywh[None, :, None], "scores": logits[None]}
    assert_same(boxes_of(bind("boxes_scores", options), outputs, s), suppress(rows, 0.45))


@pytest.mark.parametrize("first_class", [0, 1])
def test_detr_of_sigmoids_counts_a_query_for_each_class_it_reaches(first_class: int) -> None:
    s, cxcywh = spec([0.5, 0.8, 0.3]), random_boxes(40, 8)
    columns = 3 + first_class
    logits = np.random.default_rng(9).normal(-1, 2, (40, columns)).astype(np.float32)
    logits[:, :first_class] = 9
    rows: list[Row] = []
    for raw, box in zip(logits.astype(float), corners_of(cxcywh), strict=True):
        for i, least in enumerate(least_of(s)):
            score = 1 / (1 + math.exp(-raw[first_class + i]))
            if score >= least:
                rows.append((score, i, box))
    rows.sort(key=lambda row: -row[0])
    options = {"first_class": first_class, "limit": 20}
    outputs = {"pred_boxes": cxcywh[None], "pred_logits": logits[None]}
    assert len(rows) > 20
    assert_same(boxes_of(bind("detr", options), outputs, s), rows[:20])


def test_detr_itself_has_no_object_as_its_last_class() -> None:
    s, cxcywh = spec(0.3), random_boxes(40, 8)
    logits = np.random.default_rng(9).normal(0, 2, (40, 4)).astype(np.float32)
    rows: list[Row] = []
    for raw, box in zip(logits.astype(float), corners_of(cxcywh), strict=True):
        total = sum(math.exp(v) for v in raw)
        if (found := best_class([math.exp(v) / total for v in raw[:3]], least_of(s))) is not None:
            rows.append((*found, box))
    rows.sort(key=lambda row: -row[0])
    options = {"boxes": "dets", "logits": "labels", "activation": "softmax", "background": "last"}
    outputs = {"dets": cxcywh[None], "labels": logits[None]}
    assert_same(boxes_of(bind("detr", options), outputs, s), rows)
    with pytest.raises(OptionError, match="expected 3 columns of scores for 3 labels, got 4"):
        bind("detr", {"boxes": "dets", "logits": "labels"})(outputs, s)


@pytest.mark.parametrize(("centre", "one_output"), [(0.5, True), (0.0, True), (0.5, False)])
def test_gfl_equals_the_plain_reference(centre: float, one_output: bool) -> None:
    s = spec([0.5, 0.7, 0.6])
    random = np.random.default_rng(11)
    shapes = [(12, 8, 8), (6, 4, 16), (3, 2, 32), (2, 1, 64)]
    total = sum(w * h for w, h, _ in shapes)
    scores = random.random((total, 3)).astype(np.float32)
    sides = random.normal(0, 2, (total, 32)).astype(np.float32)
    rows: list[Row] = []
    index = 0
    for columns, lines, stride in shapes:
        for y in range(lines):
            for x in range(columns):
                found = best_class([float(v) for v in scores[index]], least_of(s))
                means = []
                for side in sides[index].astype(float).reshape(4, 8):
                    shares = [math.exp(v) for v in side]
                    means.append(sum(i * v for i, v in enumerate(shares)) / sum(shares) * stride)
                index += 1
                if found is None:
                    continue
                px, py = (x + centre) * stride, (y + centre) * stride
                box = (px - means[0], py - means[1], px + means[2], py + means[3])
                left, top, right, bottom = (
                    min(max(v, 0), m)
                    for v, m in zip(box, (WIDTH, HEIGHT, WIDTH, HEIGHT), strict=True)
                )
                rows.append((*found, (left, top, right, bottom)))
    options: dict[str, Any] = {"centre": centre}
    if one_output:
        outputs = {"output": np.hstack([scores, sides])[None]}
    else:
        names = [stride for _, _, stride in shapes]
        ends = np.cumsum([w * h for w, h, _ in shapes])[:-1]
        outputs = {f"s{n}": p[None] for n, p in zip(names, np.split(scores, ends), strict=True)}
        outputs |= {f"d{n}": p[None] for n, p in zip(names, np.split(sides, ends), strict=True)}
        options["scores"] = [f"s{name}" for name in names]
        options["distances"] = [f"d{name}" for name in names]
    expected = suppress(rows, 0.45)
    assert len(expected) > 3
    assert_same(boxes_of(bind("gfl", options), outputs, s), expected)


def test_gfl_says_how_many_cells_and_names_it_expects() -> None:
    with pytest.raises(OptionError, match=r"expected an output \(1, 128, 35\)"):
        bind("gfl", {})({"o": np.zeros((1, 99, 35), np.float32)}, spec())
    with pytest.raises(OptionError, match="expected 4 names each, one a stride, got 1 and 0"):
        bind("gfl", {"scores": ["a"]})({}, spec())


@pytest.mark.parametrize("order", ["xywh", "yxhw"])
def test_ssd_with_priors_as_an_output_equals_the_plain_reference(order: str) -> None:
    s, given = spec([0.5, 0.7, 0.6]), random_boxes(60, 12)
    random = np.random.default_rng(13)
    shifts = random.normal(0, 1, (60, 4)).astype(np.float32)
    logits = random.normal(0, 2, (60, 4)).astype(np.float32)
    rows: list[Row] = []
    for raw, t, prior in zip(logits.astype(float), shifts.astype(float), given, strict=True):
        px, py, pw, ph = (float(v) for v in prior)
        cx, cy = t[0] / 10 * pw + px, t[1] / 10 * ph + py
        w, h = pw * math.exp(t[2] / 5), ph * math.exp(t[3] / 5)
        sides = (WIDTH, HEIGHT, WIDTH, HEIGHT)
        edges = (
            min(max(v, 0), 1) * m for v, m in zip(from_centre(cx, cy, w, h), sides, strict=True)
        )
        box = tuple(edges)
        for i, least in enumerate(least_of(s)):
            score = 1 / (1 + math.exp(-raw[1 + i]))
            if score >= least:
                rows.append((score, i, (box[0], box[1], box[2], box[3])))
    swap = [1, 0, 3, 2] if order == "yxhw" else [0, 1, 2, 3]
    outputs = {
        "boxes": shifts[None][..., swap],
        "scores": logits[None],
        "anchors": given[:, swap],
    }
    expected = suppress(rows, 0.45)
    assert len(expected) > 3
    options = {"anchors": "anchors", "order": order}
    assert_same(boxes_of(bind("ssd", options), outputs, s), expected)


def test_ssd_takes_levels_and_tells_how_many_priors_they_are() -> None:
    level = {"cells": [2, 1], "shapes": [[0.5, 0.25], [0.1, 0.2]]}
    decoder = bind("ssd", {"anchors": [level], "background": "none", "activation": "none"})
    outputs: dict[str, NDArray[Any]] = {
        "boxes": np.zeros((1, 4, 4), np.float32),
        "scores": np.eye(4, 3)[None] * 0.9,
    }
    found = boxes_of(decoder, outputs, spec())
    # Cells' centres at a quarter and three quarters of the width, on half the height.
    corners = [[0, 24, 48, 40], [19.2, 25.6, 28.8, 38.4], [48, 24, 96, 40]]
    np.testing.assert_allclose(found.xyxy, np.array(corners), atol=1e-4)
    outputs["boxes"] = np.zeros((1, 5, 4), np.float32)
    with pytest.raises(OptionError, match=r"expected \(1, 4, 4\) and \(1, 4, classes\) for 4 anch"):
        decoder(outputs, spec())


def test_priors_are_as_many_as_published() -> None:
    assert len(priors("ssd300", (300, 300))) == 8732  # the paper's
    assert len(priors("tensorflow", (300, 300))) == 1917  # of SSD-MobileNet at 300


@pytest.mark.parametrize("channels", ["first", "last"])
@pytest.mark.parametrize("form", ["cxcywh", "xyxy"])
def test_yolov8_in_other_orders_gives_the_same(channels: str, form: str) -> None:
    random = np.random.default_rng(14)
    table = random.random((70, 7)).astype(np.float32)
    table[:, :4] = random_boxes(70, 15) * [WIDTH, HEIGHT, WIDTH, HEIGHT]
    same = table.copy()
    if form == "xyxy":
        same[:, :4] = np.array([from_centre(*(float(v) for v in row)) for row in table[:, :4]])
    given = same[None] if channels == "last" else same.T[None]
    plain = boxes_of(bind("yolov8", {}), {"o": table.T[None]}, spec(0.5))
    options = {"channels": channels, "format": form}
    found = boxes_of(bind("yolov8", options), {"o": np.ascontiguousarray(given)}, spec(0.5))
    assert len(plain.score) > 3
    for name in ("xyxy", "score", "class_id"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), atol=1e-3)


@pytest.mark.parametrize("name", ["yolov5", "yolov8"])
def test_boxes_in_parts_of_the_input_are_scaled(name: str) -> None:
    random = np.random.default_rng(16)
    columns = 8 if name == "yolov5" else 7
    table = random.random((1, 50, columns)).astype(np.float32)
    table[..., :4] = random_boxes(50, 17)
    pixels = table.copy()
    pixels[..., :4] *= [WIDTH, HEIGHT, WIDTH, HEIGHT]
    if name == "yolov8":
        table, pixels = table.transpose(0, 2, 1), pixels.transpose(0, 2, 1)
    found = boxes_of(bind(name, {"normalised": True}), {"o": table}, spec(0.4))
    expected = boxes_of(bind(name, {}), {"o": pixels}, spec(0.4))
    assert len(expected.score) > 3
    np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=1e-3)
