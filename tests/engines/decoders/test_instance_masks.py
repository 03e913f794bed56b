"""Instance masks: every layout gives the masks of the plain definition, packed to their boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.decoders import OptionError, Spec, bind
from engines.found import Instances
from tests.support.decoded import spec

SIZE = (96, 64)  # width and height of the input; the prototypes are a quarter of it
COUNT = 8
RANDOM = np.random.default_rng(4)
BOXES = np.array([[8, 8, 40, 40], [52, 12, 92, 60], [10, 42, 30, 62]], np.float32)
PARTS = (BOXES / np.array(SIZE * 2)).astype(np.float32)
SCORES = np.array([0.9, 0.8, 0.7], np.float32)
CLASSES = np.array([2, 0, 1])


def smooth(count: int = COUNT) -> NDArray[np.float32]:
    """(p, 16, 24) prototypes that change slowly, as a network's do."""
    y, x = np.mgrid[:16, :24] / 3
    waves = RANDOM.normal(0, 1, (count, 3))
    return np.array([np.sin(a * x + b * y + c * 3) for a, b, c in waves], np.float32)


PROTOTYPES = smooth()
MIXES = RANDOM.normal(0, 1, (3, COUNT)).astype(np.float32)


def expected(index: int, smoothly: bool = False) -> NDArray[np.bool_]:
    """(64, 96): the mask by the definition, cell by cell or interpolated, cut at the box."""
    logits = np.tensordot(MIXES[index], PROTOTYPES, 1)
    how = cv2.INTER_LINEAR if smoothly else cv2.INTER_NEAREST
    chances = 1 / (1 + np.exp(-cv2.resize(logits, SIZE, interpolation=how)))
    left, top, right, bottom = BOXES[index].astype(int)
    inside = np.zeros(SIZE[::-1], bool)
    inside[top:bottom, left:right] = True
    return np.asarray((chances > 0.5) & inside)


def placed(found: Instances, index: int) -> NDArray[np.bool_]:
    """(64, 96): a mask on the input tensor, by nearest neighbour."""
    plane, (left, top, right, bottom) = found.planes[index], found.regions[index]
    height, width = plane.shape
    whole = np.zeros(SIZE[::-1], bool)
    for y in range(SIZE[1]):
        for x in range(SIZE[0]):
            column = int(np.floor((x + 0.5 - left) / (right - left) * width))
            row = int(np.floor((y + 0.5 - top) / (bottom - top) * height))
            if 0 <= column < width and 0 <= row < height:
                whole[y, x] = plane[row, column]
    return whole


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def centred(xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.hstack([(xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2]])


def table(boxes: NDArray[np.float32] = BOXES, empty: int = 120) -> NDArray[np.float32]:
    """(1, 4 + 3 + p, n), with columns in which nothing is found."""
    chances = np.eye(3, dtype=np.float32)[CLASSES] * SCORES[:, None]
    found = np.hstack([centred(boxes), chances, MIXES])
    nothing = np.zeros((empty, found.shape[1]), np.float32)
    nothing[:, :4] = 10
    return np.vstack([nothing, found]).T[None].astype(np.float32)


def rows_of_five() -> NDArray[np.float32]:
    """(1, n, 5 + 3 + p): the chances are shared out to objectness and class."""
    rows = table()[0].T
    objectness = np.where(rows[:, 4:7].max(axis=1, keepdims=True) > 0, 0.95, 0)
    return np.hstack([rows[:, :4], objectness, rows[:, 4:7] / 0.95, rows[:, 7:]])[None].astype(
        np.float32
    )


ROWS = np.hstack([BOXES, SCORES[:, None], CLASSES[:, None], MIXES])[None].astype(np.float32)
PRIORS = np.full((3, 4), 0.5, np.float32)
SHIFTS = np.hstack(
    [
        (centred(BOXES)[:, :2] / SIZE - 0.5) / 0.5 * 10,
        np.log(centred(BOXES)[:, 2:] / SIZE / 0.5) * 5,
    ]
).astype(np.float32)
CHANCES = np.hstack([np.full((3, 1), 0.05), np.eye(3)[CLASSES] * SCORES[:, None]])
LAST = np.moveaxis(PROTOTYPES, 0, 2)[None]
LAYOUTS: Mapping[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "YOLOv8": ("yolov8_seg", {}, {"output0": table(), "output1": PROTOTYPES[None]}),
    "channels last, as TF Lite has them": (
        "yolov8_seg",
        {"channels": "last", "normalised": True},
        {"a": table(PARTS).transpose(0, 2, 1), "b": LAST},
    ),
    "named": (
        "yolov8_seg",
        {"output": "a", "prototypes": "b"},
        {"a": table(), "b": PROTOTYPES[None], "c": PROTOTYPES[None], "d": table()},
    ),
    "YOLOv5": ("yolov5_seg", {}, {"output0": rows_of_five(), "output1": PROTOTYPES[None]}),
    "YOLO26": ("rows_seg", {}, {"output0": ROWS, "output1": PROTOTYPES[None]}),
    "YOLACT": (
        "yolact",
        {},
        {
            "boxes": SHIFTS[None],
            "scores": CHANCES[None].astype(np.float32),
            "coefficients": MIXES[None],
            "priors": PRIORS,
            "prototypes": LAST,
        },
    ),
    "YOLACT with its boxes decoded": (
        "yolact",
        {"priors": None},
        {
            "boxes": PARTS[None],
            "scores": CHANCES[None].astype(np.float32),
            "coefficients": MIXES[None],
            "prototypes": PROTOTYPES[None],
        },
    ),
}


def decoded(
    decoder: str, options: dict[str, Any], outputs: Mapping[str, NDArray[Any]], s: Spec
) -> Instances:
    found = bind(decoder, options)(outputs, s)
    assert isinstance(found, Instances)
    assert len(found.planes) == len(found.regions) == len(found.xyxy)
    assert all(plane.dtype == np.bool_ and min(plane.shape) >= 1 for plane in found.planes)
    assert found.regions.dtype == np.float32
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("finer", [1, 2, 4])
def test_masks_are_those_of_the_definition(layout: str, finer: int) -> None:
    decoder, options, outputs = LAYOUTS[layout]
    found = decoded(decoder, options | {"finer": finer}, outputs, spec(0.3, SIZE))
    order = np.argsort(-found.score)
    np.testing.assert_array_equal(found.class_id[order], CLASSES)
    np.testing.assert_allclose(found.score[order], SCORES)
    np.testing.assert_allclose(found.xyxy[order], BOXES, atol=1e-3)
    for index, place in enumerate(order):
        mask = placed(found, int(place))
        assert iou(mask, expected(index, finer > 1)) > {1: 0.7, 2: 0.93, 4: 0.97}[finer]


@pytest.mark.parametrize("finer", [1, 2, 4])
def test_a_mask_is_of_its_box_and_nothing_else(finer: int) -> None:
    decoder, _, outputs = LAYOUTS["YOLOv8"]
    found = decoded(decoder, {"finer": finer}, outputs, spec(0.3, SIZE))
    for plane, region, box in zip(found.planes, found.regions, found.xyxy, strict=True):
        pixel = (region[2:] - region[:2]) / plane.shape[::-1]
        np.testing.assert_allclose(pixel, 4 / finer)
        assert np.abs(region - box).max() <= 4 / finer / 2, "half a pixel at most"


def test_a_large_mask_is_no_finer_than_it_need_be() -> None:
    size = (1280, 1280)
    boxes = np.array([[0, 0, 1280, 640], [0, 0, 64, 64]], np.float32)
    columns = np.hstack([centred(boxes), [[0.9, 0, 0], [0, 0.8, 0]], np.ones((2, 2))])
    outputs: dict[str, NDArray[Any]] = {
        "t": columns.T[None].astype(np.float32),
        "p": np.ones((1, 2, 320, 320), np.float32),
    }
    found = decoded("yolov8_seg", {"finer": 4}, outputs, spec(0.3, size))
    assert [plane.shape for plane in found.planes] == [(160, 320), (64, 64)]
    assert all(plane.all() for plane in found.planes)


@pytest.mark.parametrize(
    "box", [(3, 3, 4, 4), (95, 63, 96, 64), (200, 200, 220, 220), (-40, -40, -3, -3), (5, 5, 5, 9)]
)
def test_a_box_of_less_than_a_cell_or_outside_has_a_mask_all_the_same(
    box: tuple[float, ...],
) -> None:
    boxes = np.tile(np.array([box], np.float32), (3, 1))
    outputs = {"output0": table(boxes), "output1": PROTOTYPES[None]}
    assert decoded("yolov8_seg", {}, outputs, spec(0.3, SIZE)).planes


def test_suppressed_boxes_have_no_masks() -> None:
    moved = BOXES.copy()
    moved[1] = moved[0] + 1
    outputs = {"output0": table(moved), "output1": PROTOTYPES[None]}
    same = Spec(("a", "b", "c"), np.full(3, 0.3, np.float32), 0.45, SIZE)
    one_class = outputs["output0"].copy()
    one_class[0, 4:7] = one_class[0, 4:7].max(axis=0, keepdims=True) * [[1], [0], [0]]
    found = decoded("yolov8_seg", {}, outputs | {"output0": one_class}, same)
    np.testing.assert_allclose(found.score, [0.9, 0.7])
    assert iou(placed(found, 0), expected(0)) > 0.8


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_found_has_no_masks(layout: str) -> None:
    decoder, options, outputs = LAYOUTS[layout]
    assert len(decoded(decoder, options, outputs, spec(0.99, SIZE)).planes) == 0


def rcnn(masks: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    return {"boxes": BOXES, "labels": CLASSES + 1, "scores": SCORES, "masks": masks}


def halves(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Chances that are high in the upper half of each mask."""
    masks = np.full(shape, 0.2, np.float32)
    masks[..., : shape[-2] // 2, :] = 0.8
    return masks


@pytest.mark.parametrize("shape", [(3, 1, 28, 28), (3, 28, 28), (1, 3, 28, 28)])
@pytest.mark.parametrize("finer", [1, 2, 4])
def test_a_mask_of_mask_rcnn_lies_over_its_box(shape: tuple[int, ...], finer: int) -> None:
    options = {"first_class": 1, "finer": finer}
    found = decoded("mask_rcnn", options, rcnn(halves(shape)), spec(0.75, SIZE))
    np.testing.assert_array_equal(found.class_id, [2, 0])
    np.testing.assert_array_equal(found.regions, BOXES[:2])
    for index, plane in enumerate(found.planes):
        assert plane.shape == (28 * finer, 28 * finer)
        left, top, right, bottom = BOXES[index].astype(int)
        upper = np.zeros(SIZE[::-1], bool)
        upper[top : (top + bottom) // 2, left:right] = True
        assert iou(placed(found, index), upper) > 0.95


def test_between_the_cells_of_a_mask_it_is_interpolated() -> None:
    """A slanted edge is nearer to the true one than cells can be."""
    y, x = (np.mgrid[:28, :28] + 0.5) / 28
    outputs = rcnn(np.clip(0.5 + (x - y) * 4, 0, 1)[None, None].repeat(3, 0).astype(np.float32))
    off = []
    for finer in (1, 4):
        found = decoded("mask_rcnn", {"first_class": 1, "finer": finer}, outputs, spec(0.75, SIZE))
        large = np.kron(found.planes[0], np.ones((4 // finer, 4 // finer), bool))
        down, across = (np.mgrid[:112, :112] + 0.5) / 112
        off.append(int((large != (across >= down)).sum()))
    assert off[1] < off[0] / 2


def test_masks_over_the_whole_input_are_cut_at_their_boxes() -> None:
    whole = np.zeros((3, 1, SIZE[1], SIZE[0]), np.float32)
    for index in range(3):
        whole[index, 0] = expected(index)
    found = decoded("mask_rcnn", {"first_class": 1}, rcnn(whole), spec(0.3, SIZE))
    for index in range(3):
        np.testing.assert_array_equal(found.regions[index], BOXES[index])
        np.testing.assert_array_equal(placed(found, index), expected(index))


def test_mask_rcnn_that_finds_nothing() -> None:
    outputs: dict[str, NDArray[Any]] = {
        "boxes": np.empty((0, 4), np.float32),
        "labels": np.empty(0, np.int64),
        "scores": np.empty(0, np.float32),
        "masks": np.empty((0, 1, 28, 28), np.float32),
    }
    assert len(decoded("mask_rcnn", {}, outputs, spec(0.3, SIZE)).planes) == 0


@pytest.mark.parametrize(
    ("decoder", "outputs", "message"),
    [
        (
            "yolov8_seg",
            {"o": table()[:, :-1], "p": PROTOTYPES[None]},
            r"yolov8_seg: expected a table of 7 \+ p columns and prototypes .* got \(1, 14, 123\)",
        ),
        ("yolov8_seg", {"o": table()}, r"options\.prototypes: expected one of o, got none"),
        (
            "rows_seg",
            {"o": table(), "p": PROTOTYPES[None]},
            r"rows_seg: expected a table of 6 \+ p columns",
        ),
        (
            "mask_rcnn",
            rcnn(halves((2, 1, 28, 28))),
            r"mask_rcnn: expected masks \(3, 1, h, w\), got \(2, 1, 28, 28\)",
        ),
        (
            "yolact",
            LAYOUTS["YOLACT"][2] | {"prototypes": LAST[..., :-1]},
            r"yolact: expected prototypes \(1, h, w, 8\) or \(1, 8, h, w\)",
        ),
        ("yolact", {**LAYOUTS["YOLACT"][2], "priors": PRIORS[:2]}, r"options\.priors: expected"),
    ],
)
def test_outputs_that_do_not_fit_are_told(
    decoder: str, outputs: Mapping[str, NDArray[Any]], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        bind(decoder, {})(outputs, spec(0.3, SIZE))
