"""Oriented boxes: overlap, suppression, decoders, the way to the source, the parity gate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import engines
from engines.agreement import Limits
from engines.builder.build import Request, build
from engines.builder.parity import LIMITS, compare
from engines.decoders import OptionError, bind
from engines.found import OrientedBoxes
from engines.inference import Inference, View
from engines.placement import place
from engines.rotated import kept, rotated_overlaps, scaled
from mirante.detections import Detections
from mirante.rotated import corners, enclosing, within_half_turn
from pipeline.cameras.synthetic import picture
from tests.support.decoded import spec
from tests.support.recognised import auto

SIZE = (96, 64)


def some(count: int, seed: int, reach: float = 60) -> NDArray[np.float32]:
    """(n, 5) boxes close to one another."""
    random = np.random.default_rng(seed)
    parts = [random.uniform(0, reach, (count, 2)), random.uniform(4, 40, (count, 2))]
    turns = random.uniform(-math.pi / 2, math.pi / 2, (count, 1))
    return np.concatenate([*parts, turns], axis=1).astype(np.float32)


def plain_iou(a: NDArray[Any], b: NDArray[Any]) -> float:
    """By OpenCV's intersection of two convex outlines."""
    shared, _ = cv2.intersectConvexConvex(*(corners(x[None])[0].astype(np.float32) for x in (a, b)))
    return float(shared / (a[2] * a[3] + b[2] * b[3] - shared))


def test_the_overlap_is_that_of_the_outlines() -> None:
    a, b = some(40, 1), some(30, 2)
    got = rotated_overlaps(a, b)
    expected = np.array([[plain_iou(one, other) for other in b] for one in a])
    assert (expected > 0.05).sum() > 100
    assert (expected == 0).sum() > 20
    np.testing.assert_allclose(got, expected, atol=2e-4)
    np.testing.assert_allclose(np.diag(rotated_overlaps(a, a)), 1, atol=1e-6)
    upright = np.array([[10, 10, 20, 20, 0], [20, 10, 20, 20, math.pi / 2]], np.float32)
    np.testing.assert_allclose(rotated_overlaps(upright, upright)[0, 1], 1 / 3, atol=1e-6)
    assert rotated_overlaps(a[:0], b).shape == (0, 30)


def test_a_quarter_turn_with_swapped_sides_is_the_same_box() -> None:
    a = some(20, 3)
    turned = a[:, [0, 1, 3, 2, 4]] + np.array([0, 0, 0, 0, math.pi / 2], np.float32)
    np.testing.assert_allclose(np.diag(rotated_overlaps(a, turned)), 1, atol=1e-5)


@pytest.mark.parametrize("most", [0.1, 0.3, 0.7])
def test_suppression_equals_the_plain_reference(most: float) -> None:
    random = np.random.default_rng(5)
    near = random.normal(0, 1, (150, 5)) * (1, 1, 1, 1, 0.05)  # three boxes of each object
    boxes = (np.repeat(some(50, 4, reach=140), 3, axis=0) + near).astype(np.float32)
    class_id = random.integers(0, 3, 150).astype(np.int32)
    expected: list[int] = []
    for index in range(150):
        if not any(
            class_id[i] == class_id[index] and plain_iou(boxes[i], boxes[index]) > most
            for i in expected
        ):
            expected.append(index)
    assert 20 < len(expected) < 140
    assert kept(boxes, class_id, most).tolist() == expected


def test_the_angle_is_of_the_width_and_clockwise_as_seen() -> None:
    quarter = np.array([[50, 40, 20, 10, math.pi / 6]], np.float32)
    right_end = corners(quarter)[0, [1, 2]].mean(axis=0)
    np.testing.assert_allclose(
        right_end, (50 + 10 * math.cos(math.pi / 6), 40 + 5), atol=1e-4
    )  # down
    np.testing.assert_allclose(enclosing(np.array([[5, 5, 4, 2, math.pi / 2]])), [[4, 3, 6, 7]])
    np.testing.assert_allclose(within_half_turn(np.array([math.pi, 2.0])), [0, 2 - math.pi])


def yolo(labels: int = 3) -> NDArray[np.float32]:
    """(1, 4 + labels + 1, n): a box at each cell of SIZE, angles as a YOLO head gives."""
    random = np.random.default_rng(7)
    columns = []
    for stride in (8, 16, 32):
        for y in range(SIZE[1] // stride):
            for x in range(SIZE[0] // stride):
                centre = (np.array([x, y]) + random.uniform(0, 1, 2)) * stride
                size = random.uniform(1, 3, 2) * stride
                turn = random.uniform(-math.pi / 4, 3 * math.pi / 4)
                columns.append([*centre, *size, *random.random(labels), turn])
    return np.array(columns, np.float32).T[None]


@pytest.mark.parametrize("channels", ["first", "last"])
@pytest.mark.parametrize("parts", [False, True])
def test_yolov8_obb_equals_the_plain_reference(channels: str, parts: bool) -> None:
    output, s = yolo(), spec([0.8, 0.7, 0.6])
    rows = []
    for cx, cy, w, h, *classes, turn in output[0].T.astype(float):
        scores = [(c, i) for i, c in enumerate(classes) if c >= s.threshold[i]]
        if scores:
            rows.append((*max(scores), [cx, cy, w, h, turn]))
    rows.sort(key=lambda row: -row[0])
    boxes = np.array([box for _, _, box in rows])
    ids = np.array([i for _, i, _ in rows], np.int32)
    left = kept(boxes, ids, s.iou)
    assert 5 < len(left) < len(rows)
    if parts:
        output[:, :4] /= np.array([*SIZE, *SIZE], np.float32)[:, None]
    fed = output if channels == "first" else np.ascontiguousarray(output.transpose(0, 2, 1))
    options = {"channels": channels, "normalised": parts}
    found = bind("yolov8_obb", options)({"output0": fed}, s)
    assert isinstance(found, OrientedBoxes)
    assert found.class_id.tolist() == ids[left].tolist()
    np.testing.assert_allclose(found.rotated[:, :4], boxes[left, :4], atol=1e-3)
    np.testing.assert_allclose(np.tan(found.rotated[:, 4]), np.tan(boxes[left, 4]), rtol=1e-3)
    assert np.abs(found.rotated[:, 4]).max() <= math.pi / 2 + 1e-6
    np.testing.assert_allclose(found.xyxy, enclosing(found.rotated), atol=1e-3)


def test_rows_obb_are_read_as_they_stand() -> None:
    table = np.zeros((1, 300, 7), np.float32)
    table[0, :3] = [
        [40, 30, 20, 10, 0.9, 1, 0.5],
        [41, 30, 20, 10, 0.8, 1, 0.5],  # the network has suppressed already
        [20, 20, 8, 4, 0.3, 2, -0.2],
    ]
    found = bind("rows_obb", {})({"output0": table}, spec(0.5))
    assert isinstance(found, OrientedBoxes)
    np.testing.assert_allclose(found.rotated, table[0, :2][:, [0, 1, 2, 3, 6]], atol=1e-6)
    assert found.class_id.tolist() == [1, 1]
    order = ["class", "score", "cx", "cy", "width", "height", "angle"]
    moved = table[..., [5, 4, 0, 1, 2, 3, 6]]
    same = bind("rows_obb", {"columns": order})({"output0": moved}, spec(0.5))
    assert isinstance(same, OrientedBoxes)
    np.testing.assert_array_equal(same.rotated, found.rotated)


@pytest.mark.parametrize(
    ("decoder", "options", "shape", "words"),
    [
        ("yolov8_obb", {}, (1, 7, 20), r"expected an output \(1, 8, n\), got \(1, 7, 20\)"),
        ("yolov8_obb", {"channels": "last"}, (1, 8, 20), r"expected an output \(1, n, 8\)"),
        ("rows_obb", {}, (1, 300, 6), r"expected an output \(1, n, 7\), got \(1, 300, 6\)"),
        ("rows_obb", {"columns": ["cx"]}, (1, 3, 1), "options.columns: expected cy, width"),
    ],
)
def test_another_shape_is_refused(
    decoder: str, options: dict[str, Any], shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(OptionError, match=words):
        bind(decoder, options)({"output0": np.zeros(shape, np.float32)}, spec(0.5))


def test_boxes_come_back_to_the_source_exactly() -> None:
    """Through a letterbox and a smaller analysed image: all is scaled alike."""
    truth = np.array([[400, 300, 200, 80, 0.6], [20, 30, 90, 30, -0.4]], np.float32)
    at = place((640, 360), (320, 320), "letterbox-centre")
    half = truth / 2  # the analysed image is half as large, the tensor a quarter
    parts = [half[:, :2] * 0.5 + np.array(at.offset), half[:, 2:4] * 0.5, truth[:, 4:]]
    fed: NDArray[np.float32] = np.concatenate(parts, axis=1, dtype=np.float32)
    found = OrientedBoxes.of(fed, np.ones(2, np.float32), np.zeros(2, np.int32))
    seen = found.to_source(View(("ship",), "m", at, (2, 2), (1280, 720))).detections
    assert seen.rotated is not None
    np.testing.assert_allclose(seen.rotated, truth, atol=1e-3)
    expected = np.maximum(enclosing(truth), 0)  # the second reaches over the frame's edge
    assert (enclosing(truth) < 0).any()
    np.testing.assert_allclose(seen.xyxy, expected, atol=1e-3)


def test_a_stretch_keeps_the_longer_side_and_the_area() -> None:
    upright = np.array([[10, 10, 8, 4, 0], [10, 10, 4, 8, 0]], np.float32)
    np.testing.assert_allclose(
        scaled(upright, (2, 1)), [[20, 10, 16, 4, 0], [20, 10, 8, 8, 0]], atol=1e-5
    )
    thin = np.array([[0, 0, 100, 1, math.pi / 4]], np.float32)
    (_, _, width, height, angle) = scaled(thin, (2, 1))[0]
    np.testing.assert_allclose(angle, math.atan2(1, 2), atol=1e-5)
    np.testing.assert_allclose(width * height, 200, rtol=1e-5)


def test_an_import_recognises_both_layouts() -> None:
    found = auto({"output0": yolo(3)}, 3)
    assert (found.decoder, found.options, found.task) == ("yolov8_obb", {}, "obb")
    unnamed = auto({"output0": yolo(3)}, None)
    assert (unnamed.decoder, unnamed.labels) == ("yolov8_obb", 3)
    last = auto({"output0": yolo(3).transpose(0, 2, 1)}, 3)
    assert last.options == {"channels": "last"}
    assert auto({"output0": yolo(3)[:, :-1]}, 3).decoder == "yolov8"
    random = np.random.default_rng(9)
    rows = np.concatenate(
        [
            random.uniform(4, 60, (40, 4)),
            random.random((40, 1)),
            random.integers(0, 3, (40, 1)),
            random.uniform(-0.7, 2.3, (40, 1)),
        ],
        axis=1,
    ).astype(np.float32)
    table = np.concatenate([rows, np.zeros((10, 7), np.float32)])[None]
    finished = auto({"output0": table}, 3)
    assert (finished.decoder, finished.options, finished.task) == ("rows_obb", {}, "obb")
    assert [each.family for each in (found, last, finished)] == ["yolo"] * 3


def test_images_without_objects_are_compared_too() -> None:
    model = engines.load("test-oriented")
    grey = np.full((360, 640, 3), 100, np.uint8)
    least = np.full(4, 0.5, np.float32)
    found = compare(model, model, [picture(0, 640, 360), grey], LIMITS["fp32"], least)
    assert found["boxes"].value == 4
    assert found["iou min"].value == pytest.approx(1)
    agreement = OrientedBoxes.agreement(least, LIMITS["fp32"])
    agreement.add(model(picture(0, 640, 360)), model(grey), (640, 360))  # one side alone finds
    assert agreement.figures()["missing"].value == 4


@pytest.mark.slow
def test_an_engine_of_it_is_judged_by_the_rotated_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    np.savez(tmp_path / "seen.npz", *(picture(n, 640, 360) for n in (0, 7)))
    asked = Request(model="test-oriented", runtime="onnxruntime", frames=str(tmp_path / "seen.npz"))
    engine = build(asked)
    figures = engine.about["parity"]["engine"]["figures"]
    assert (figures["boxes"], figures["lost"]) == (8, 0)
    assert figures["iou min"] > 0.99
    assert engines.load(str(engine.manifest)).task == "obb"


def inference(rotated: NDArray[np.float32], score: float = 0.9) -> Inference:
    found = OrientedBoxes.of(
        rotated, np.full(len(rotated), score, np.float32), np.zeros(len(rotated), np.int32)
    )
    return found.to_source(View(("ship",), "m", place(SIZE, SIZE, "stretch"), (1, 1), SIZE))


def test_the_gate_takes_an_image_with_nothing_in_it() -> None:
    agreement = OrientedBoxes.agreement(np.array([0.5], np.float32), LIMITS["fp32"])
    boxes = np.array([[40, 30, 30, 12, 0.5]], np.float32)
    nothing = Inference(Detections.empty(("ship",)))
    agreement.add(nothing, nothing, SIZE)
    assert agreement.figures() == {}
    agreement.add(inference(boxes), inference(boxes), SIZE)
    agreement.add(nothing, inference(boxes[:0]), SIZE)
    assert not any(figure.is_missed for figure in agreement.figures().values())
    agreement.add(inference(boxes), nothing, SIZE)
    assert any(figure.is_missed for figure in agreement.figures().values())


@pytest.mark.parametrize(("turn", "passes"), [(0.0, True), (0.4, False)])
def test_the_gate_sees_an_angle_that_the_upright_boxes_hide(turn: float, passes: bool) -> None:
    """A square that is turned by 45° ± x has the same box around it either way."""
    limits: Limits = LIMITS["fp32"]
    agreement = OrientedBoxes.agreement(np.array([0.5], np.float32), limits)
    boxes = np.array([[40, 30, 30, 12, math.pi / 4 + turn / 2]], np.float32)
    other = boxes * np.array([1, 1, 1, 1, 0]) + np.array([0, 0, 0, 0, math.pi / 4 - turn / 2])
    agreement.add(inference(boxes), inference(other.astype(np.float32)), SIZE)
    missed = [name for name, figure in agreement.figures().items() if figure.is_missed]
    assert (missed == []) is passes
