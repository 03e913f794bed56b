"""``--decoder auto`` for networks whose objects have masks or key points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.convert.recognise import RecogniseError
from tests.support.recognised import auto

SIZE = (96, 64)
RANDOM = np.random.default_rng(3)
P = 8


def cells() -> NDArray[np.float32]:
    """(126, 2) centres of the cells of strides 8, 16 and 32, a little off."""
    found = []
    for stride in (8, 16, 32):
        row, column = np.mgrid[: SIZE[1] // stride, : SIZE[0] // stride].reshape(2, -1)
        found.append((np.stack([column, row], axis=1) + RANDOM.random((len(row), 2))) * stride)
    return np.concatenate(found).astype(np.float32)


CENTRES = cells()
N = len(CENTRES)
SIDES = RANDOM.uniform(4, 30, (N, 2)).astype(np.float32)
PROTOTYPES = RANDOM.normal(0, 1, (1, P, 16, 24)).astype(np.float32)
MIXES = RANDOM.normal(0, 1, (N, P)).astype(np.float32)


def chances(classes: int, n: int = N) -> NDArray[np.float32]:
    return RANDOM.random((n, classes)).astype(np.float32)


def points(k: int, scored: bool = True) -> NDArray[np.float32]:
    """(126, 3k) points about each cell, with scores."""
    near = CENTRES[:, None] + RANDOM.normal(0, 3, (N, k, 2))
    score = RANDOM.random((N, k, 1 if scored else 0))
    return np.concatenate([near, score], axis=2).reshape(N, -1).astype(np.float32)


def columns(*parts: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1, channels, 126)"""
    return np.hstack([CENTRES, SIDES, *parts]).T[None].astype(np.float32)


def finished(*parts: NDArray[np.float32], n: int = 40) -> NDArray[np.float32]:
    """(1, 40, 6 + …) rows of corners, score and class."""
    corner, sides = CENTRES[:n], SIDES[:n]
    ids = np.arange(n, dtype=np.float32)[:, None] % 3
    rows = [corner, corner + sides, chances(1, n), ids, *(part[:n] for part in parts)]
    return np.hstack(rows)[None].astype(np.float32)


IN_PARTS = columns(chances(3), points(4)) / 1
IN_PARTS[0, [0, 2, *range(7, 19, 3)]] /= SIZE[0]
IN_PARTS[0, [1, 3, *range(8, 19, 3)]] /= SIZE[1]
LAST = np.moveaxis(PROTOTYPES, 1, 3)
CORNERS = finished()[0, :, :4]
SSD = {
    "loc": RANDOM.normal(0, 1, (1, N, 4)).astype(np.float32),
    "conf": RANDOM.dirichlet(np.ones(4), N)[None].astype(np.float32),
    "mask": np.tanh(MIXES)[None],
    "priors": RANDOM.random((N, 4)).astype(np.float32),
    "proto": LAST,
}
RCNN: dict[str, NDArray[Any]] = {
    "boxes": CORNERS,
    "labels": np.arange(40) % 3 + 1,
    "scores": chances(1, 40)[:, 0],
    "masks": chances(1, 40)[:, :, None, None].repeat(28, 2).repeat(28, 3),
}
TF_RCNN: dict[str, NDArray[Any]] = {
    "detection_boxes": CORNERS[None][..., [1, 0, 3, 2]] / np.array([SIZE[1], SIZE[0]] * 2),
    "detection_classes": (np.arange(40) % 3 + 1).astype(np.float32)[None],
    "detection_masks": chances(1, 40)[:, :, None, None].repeat(28, 2).repeat(28, 3)[:, 0][None],
    "detection_scores": chances(1, 40)[:, 0][None],
    "num_detections": np.array([40], np.float32),
}
TF_NAMES = {
    "boxes": "detection_boxes",
    "labels": "detection_classes",
    "scores": "detection_scores",
    "masks": "detection_masks",
    "count": "num_detections",
    "first_class": 1,
    "format": "yxyx",
    "normalised": True,
}
Layout = tuple[dict[str, NDArray[Any]], str, str, dict[str, Any], int | None, int]
LAYOUTS: dict[str, Layout] = {
    "YOLOv8-seg": (
        *({"output0": columns(chances(3), MIXES), "output1": PROTOTYPES}, "instances"),
        *("yolov8_seg", {}, 3, 0),
    ),
    "channels last": (
        *({"a": columns(chances(3), MIXES).transpose(0, 2, 1), "b": LAST}, "instances"),
        *("yolov8_seg", {"channels": "last"}, 3, 0),
    ),
    "more prototypes than rows": (
        {
            "output0": columns(chances(2), np.tile(MIXES, (1, 5))),
            "output1": np.tile(PROTOTYPES, (1, 5, 1, 1)),
        },
        *("instances", "yolov8_seg", {}, 2, 0),
    ),
    "YOLOv5-seg": (
        {
            "output0": np.tile(columns(chances(4), MIXES).transpose(0, 2, 1), (1, 3, 1)),
            "output1": PROTOTYPES,
        },
        *("instances", "yolov5_seg", {}, 3, 0),
    ),
    "YOLO26-seg": (
        *({"output0": finished(MIXES), "output1": PROTOTYPES}, "instances"),
        *("rows_seg", {}, None, 0),
    ),
    "YOLACT": (
        *(SSD, "instances", "yolact"),
        {"boxes": "loc", "scores": "conf", "coefficients": "mask", "prototypes": "proto"},
        *(3, 0),
    ),
    "Mask R-CNN": (*(RCNN, "instances", "mask_rcnn"), {"first_class": 1}, None, 0),
    "Mask R-CNN of TensorFlow": (*(TF_RCNN, "instances", "mask_rcnn"), TF_NAMES, None, 0),
    "YOLOv8-pose": (*({"o": columns(chances(1), points(17))}, "pose", "yolov8_pose", {}, 1, 17),),
    "of three classes": (
        *({"o": columns(chances(3), points(4))}, "pose", "yolov8_pose", {}, 3, 4),
    ),
    "without scores of points": (
        *({"o": columns(chances(1), points(4, False))}, "pose", "yolov8_pose", {}, 1, 4),
    ),
    "pose in parts": (*({"o": IN_PARTS}, "pose", "yolov8_pose", {"normalised": True}, 3, 4),),
    "pose, channels last": (
        *({"o": columns(chances(2), points(5)).transpose(0, 2, 1)}, "pose"),
        *("yolov8_pose", {"channels": "last"}, 2, 5),
    ),
    "YOLO26-pose": (*({"o": finished(points(17))}, "pose", "rows_pose", {}, None, 17),),
    "MoveNet": (
        *({"o": RANDOM.random((1, 1, 17, 3)).astype(np.float32)}, "landmarks"),
        *("movenet", {}, 1, 17),
    ),
    "RTMPose": (
        {
            "simcc_x": RANDOM.random((1, 17, 192)).astype(np.float32),
            "simcc_y": RANDOM.random((1, 17, 128)).astype(np.float32),
        },
        *("landmarks", "simcc", {}, 1, 17),
    ),
    "rows before columns": (
        {"b": RANDOM.random((1, 9, 64)).astype(np.float32), "a": RANDOM.random((1, 9, 96))},
        *("landmarks", "simcc", {"x": "a", "y": "b"}, 1, 9),
    ),
}


CASES = [(layout, named) for layout in LAYOUTS for named in (True, False)]
CASES.remove(("channels last", False))  # 4 + 3 labels or 5 + 2: the labels settle it


@pytest.mark.parametrize(("layout", "named"), CASES)
def test_each_layout_is_recognised(layout: str, named: bool) -> None:
    outputs, task, decoder, options, labels, count = LAYOUTS[layout]
    found = auto(outputs, (labels or 3) if named else None, SIZE)
    assert (found.task, found.decoder, found.options) == (task, decoder, options)
    assert (found.labels, found.points) == (labels, count)
    assert found.reasons


@pytest.mark.parametrize(
    ("outputs", "labels", "words"),
    [
        ({"o": columns(chances(3), points(4))}, 4, "11 columns behind 8 are no points"),
        (
            {"output0": columns(chances(3), MIXES), "output1": PROTOTYPES},
            2,
            "output0 without 8 coefficients is (1, 7, 126)",
        ),
        ({"o": RANDOM.normal(0, 9, (1, 1, 17, 3))}, 1, "neither (1, 1, k, 3)"),
    ],
)
def test_what_is_nearly_of_a_layout_is_told(
    outputs: dict[str, NDArray[Any]], labels: int, words: str
) -> None:
    with pytest.raises(RecogniseError) as caught:
        auto(outputs, labels, SIZE)
    assert words in "\n".join(caught.value.why)


@pytest.mark.parametrize("layout", ["YOLOv8-seg", "channels last", "pose, channels last"])
def test_yolo_keeps_the_proportions_of_an_image(layout: str) -> None:
    outputs, _, _, _, labels, _ = LAYOUTS[layout]
    assert auto(outputs, labels, SIZE).family == "yolo"


@pytest.mark.parametrize("count", [6, 7])
def test_one_row_that_sums_to_one_is_a_classifiers(count: int) -> None:
    """Of sure classes it looks like a finished box, too: whole numbers, and a score."""
    row = np.zeros((1, count), np.float32)
    row[0, -1] = 1
    assert auto({"o": row}, count, SIZE).decoder == "softmax"


def test_what_the_labels_settle_is_told() -> None:
    outputs, *_ = LAYOUTS["channels last"]
    with pytest.raises(RecogniseError, match="several fit") as caught:
        auto(outputs, None, SIZE)
    assert str(caught.value).endswith("what settles it: labels")


def test_a_detector_of_many_classes_is_no_pose_network() -> None:
    found = auto({"o": columns(chances(20))}, 20, SIZE)
    assert (found.task, found.decoder) == ("detect", "yolov8")
    assert auto({"o": columns(chances(20))}, None, SIZE, "detect").decoder == "yolov8"


def test_a_task_that_is_asked_for_is_kept() -> None:
    outputs, *_ = LAYOUTS["YOLOv8-seg"]
    with pytest.raises(RecogniseError):
        auto(outputs, 3, SIZE, "pose")
    yunet = {}
    for stride in (8, 16, 32):
        n = (SIZE[0] // stride) * (SIZE[1] // stride)
        for name, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            yunet[f"{name}_{stride}"] = np.zeros((1, n, width), np.float32)
    faces = auto(yunet, 1, SIZE)
    assert (faces.task, faces.decoder, faces.points, faces.family) == ("pose", "yunet", 5, "yunet")
    boxes = auto(yunet, 1, SIZE, "detect")
    assert (boxes.task, boxes.decoder, boxes.points) == ("detect", "yunet", 0)
