"""Networks whose objects have masks or key points, from ``models import`` to what is found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper

import engines
from engines.convert.asked import Asked, InputKeys
from engines.convert.importing import Imported, import_model
from engines.labels import COCO17, FACE5
from engines.manifest import ZOO, Manifest, read
from tests.support.onnx_networks import save

SIZE = (96, 64)  # of the inputs
RANDOM = np.random.default_rng(7)
BOXES = np.array([[8, 8, 40, 40], [52, 12, 92, 60]], np.float32)
POINTS = np.dstack([RANDOM.random((2, 17, 2)) * SIZE, np.full((2, 17), 0.75)]).astype(np.float32)


def network(
    folder: Path, outputs: Mapping[str, NDArray[Any]], whole: bool = False, square: int = 0
) -> Path:
    """A file that gives these outputs whatever it sees; with an input of NHWC int32 if asked."""
    node = helper.make_node
    width, height = (square, square) if square else SIZE
    shape = [1, height, width, 3] if whole else [1, 3, height, width]
    kind = TensorProto.INT32 if whole else TensorProto.FLOAT
    nodes = [
        node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
        node("ReduceMax", ["floats"], ["most"], keepdims=0),
        node("Mul", ["most", "zero"], ["nothing"]),
    ]
    constants: dict[str, NDArray[Any]] = {"zero": np.array(0, np.float32)}
    infos = []
    for name, value in outputs.items():
        constants[f"{name}_is"] = value
        of_floats = value.dtype == np.float32
        kind_of = TensorProto.FLOAT if of_floats else TensorProto.INT64
        if not of_floats:
            nodes.append(node("Cast", ["nothing"], [f"{name}_none"], to=TensorProto.INT64))
        nothing = "nothing" if of_floats else f"{name}_none"
        nodes.append(node("Add", [f"{name}_is", nothing], [name]))
        infos.append(helper.make_tensor_value_info(name, kind_of, value.shape))
    inputs = [helper.make_tensor_value_info("image", kind, shape)]
    return save(folder / "net.onnx", nodes, constants, inputs, infos)


def imported(folder: Path, source: Path, **asked: Any) -> tuple[Imported, Manifest]:
    made = import_model(Asked(source=str(source), name="net", out=folder / "out", **asked))
    return made, read(made.manifest)


def found(manifest: Manifest, made: Imported) -> engines.Inference:
    width, height = manifest.input.size
    (one,) = [engines.load(str(made.manifest))(np.full((height, width, 3), 90, np.uint8))]
    return one


def rows(more: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1, 50, 6 + …) finished boxes, of which two are sure."""
    table = np.zeros((50, 6 + more.shape[1]), np.float32)
    table[:, 2:4] = 1
    table[:2, :4], table[:2, 4], table[:2, 5] = BOXES, (0.9, 0.8), (0, 1)
    table[:2, 6:] = more
    return table[None]


def test_masks_of_finished_boxes(tmp_path: Path) -> None:
    """YOLO26's layout: the prototype is positive on the left half of the input."""
    prototypes = np.full((1, 4, 16, 24), -1, np.float32)
    prototypes[..., :12] = 1
    more = np.array([[1, 0, 0, 0], [-1, 0, 0, 0]], np.float32)
    path = network(tmp_path, {"output0": rows(more), "output1": prototypes})
    made, manifest = imported(tmp_path, path, labels=("a", "b"))
    assert (manifest.task, manifest.decoder) == ("instances", "rows_seg")
    detections = found(manifest, made).detections
    np.testing.assert_allclose(detections.xyxy, BOXES)
    shares = [detections.masks_of(i)[0].planes.mean() for i in (0, 1)]
    assert shares == pytest.approx([1, 1], abs=0.05), "each on its own side"
    assert made.about["task"]["figures"]["iou of masks"] == 1


def test_mask_rcnn(tmp_path: Path) -> None:
    masks = np.full((2, 1, 28, 28), 0.1, np.float32)
    masks[:, :, :14] = 0.9
    outputs: dict[str, NDArray[Any]] = {
        "boxes": BOXES,
        "labels": np.array([2, 1], np.int64),
        "scores": np.array([0.9, 0.8], np.float32),
        "masks": masks,
    }
    made, manifest = imported(tmp_path, network(tmp_path, outputs), labels=("a", "b"))
    assert (manifest.decoder, manifest.options) == ("mask_rcnn", {"first_class": 1})
    detections = found(manifest, made).detections
    assert [label for label, _, _ in detections] == ["b", "a"]
    placed = detections.masks_of(0)[0].on_frame("b", *SIZE)
    assert placed[8:24, 8:40].all()
    assert placed.sum() == 16 * 32


def test_yolact(tmp_path: Path) -> None:
    scores = np.zeros((1, 60, 3), np.float32)
    scores[..., 0] = 1
    scores[0, 7] = (0.1, 0.8, 0.1)
    mixes = np.full((1, 60, 8), -0.5, np.float32)
    mixes[0, 7] = 0.5
    outputs = {
        "loc": np.zeros((1, 60, 4), np.float32),
        "conf": scores,
        "mask": mixes,
        "priors": np.tile(np.array([0.5, 0.5, 0.25, 0.5], np.float32), (60, 1)),
        "proto": np.ones((1, 16, 24, 8), np.float32),
    }
    made, manifest = imported(tmp_path, network(tmp_path, outputs), labels=("a", "b"))
    assert (manifest.task, manifest.decoder) == ("instances", "yolact")
    assert manifest.input.mean == (123.68, 116.78, 103.94)
    detections = found(manifest, made).detections
    np.testing.assert_allclose(detections.xyxy, [[36, 16, 60, 48]], atol=1e-4)
    assert detections.masks_of(0)[0].planes.all()


def test_key_points_of_finished_boxes(tmp_path: Path) -> None:
    path = network(tmp_path, {"output0": rows(POINTS.reshape(2, -1))})
    made, manifest = imported(tmp_path, path, labels=("a", "b"))
    assert (manifest.task, manifest.decoder) == ("pose", "rows_pose")
    assert (manifest.keypoints, manifest.skeleton) == (COCO17.names, COCO17.edges)
    reasons = " ".join(made.about["decoder"]["because"])
    assert "key points coco17: assumed, as there are 17" in reasons
    detections = found(manifest, made).detections
    assert detections.keypoints is not None
    np.testing.assert_allclose(detections.keypoints, POINTS, atol=1e-3)
    assert made.about["task"]["figures"]["shift max"] == 0


def test_names_and_lines_that_are_asked_for_are_in_the_manifest(tmp_path: Path) -> None:
    path = network(tmp_path, {"output0": rows(POINTS[:, :3].reshape(2, -1))})
    keys: dict[str, Any] = {
        "labels": ("a", "b"),
        "keypoints": ("x", "y", "z"),
        "skeleton": ((0, 2),),
        "keypoint_threshold": 0.8,
    }
    made, manifest = imported(tmp_path, path, **keys)
    assert (manifest.keypoints, manifest.skeleton) == (("x", "y", "z"), ((0, 2),))
    assert found(manifest, made).detections.keypoints_of(0) == {}, "0.75 is below 0.8"
    with pytest.raises(ValueError, match="keypoints: the outputs have 3 of each object, got 2"):
        imported(tmp_path, path, **(keys | {"keypoints": ("x", "y"), "skeleton": None}))


def test_names_of_key_points_in_the_file_are_read(tmp_path: Path) -> None:
    path = network(tmp_path, {"output0": rows(POINTS[:, :2].reshape(2, -1))})
    model = onnx.load(path)
    helper.set_model_props(
        model,
        {
            "task": "pose",
            "names": "{0: 'a', 1: 'b'}",
            "kpt_names": "{0: ['p', 'q'], 1: ['p', 'q']}",
        },
    )
    onnx.save(model, path)
    _, manifest = imported(tmp_path, path)
    assert (manifest.labels, manifest.keypoints) == (("a", "b"), ("p", "q"))


def test_the_file_says_of_how_many_numbers_points_are(tmp_path: Path) -> None:
    """Six columns are two points with scores, or three without."""
    path = network(tmp_path, {"output0": rows(POINTS[:, :2].reshape(2, -1))})
    model = onnx.load(path)
    props = {"task": "pose", "names": "{0: 'a', 1: 'b'}", "kpt_shape": "[3, 2]"}
    helper.set_model_props(model, props)
    onnx.save(model, path)
    _, manifest = imported(tmp_path, path)
    assert len(manifest.keypoints) == 3


def test_movenet_of_whole_numbers(tmp_path: Path) -> None:
    table = np.dstack([POINTS[0, :, 1] / 192, POINTS[0, :, 0] / 192, POINTS[0, :, 2]])[None]
    path = network(tmp_path, {"output_0": table.astype(np.float32)}, whole=True, square=192)
    made, manifest = imported(tmp_path, path)
    assert (manifest.task, manifest.decoder, manifest.labels) == (
        "landmarks",
        "movenet",
        ("person",),
    )
    assert (manifest.input.layout, manifest.input.scale) == ("nhwc", 1)
    assert manifest.keypoints == COCO17.names
    pose = found(manifest, made).poses[None]
    np.testing.assert_allclose(pose.points, POINTS[0], atol=1e-3)
    assert made.about["task"]["figures"]["key points"] == 34, "17 in each of two images"


def test_rtmpose(tmp_path: Path) -> None:
    outputs = {}
    for axis, (name, side) in enumerate(zip(("simcc_x", "simcc_y"), SIZE, strict=True)):
        bins = np.zeros((1, 17, 2 * side), np.float32)
        bins[0, np.arange(17), (POINTS[0, :, axis] * 2).astype(int)] = 0.9
        outputs[name] = bins
    made, manifest = imported(tmp_path, network(tmp_path, outputs), labels=("person",))
    assert (manifest.task, manifest.decoder) == ("landmarks", "simcc")
    pose = found(manifest, made).poses[None]
    assert np.abs(pose.points[:, :2] - POINTS[0, :, :2]).max() < 0.51


@pytest.mark.slow
def test_yunet(tmp_path: Path, weights: Path) -> None:
    path = weights / read(ZOO / "yunet.yaml").file
    _, manifest = imported(tmp_path, path, size=(320, 256))
    assert (manifest.task, manifest.decoder, manifest.labels) == ("pose", "yunet", ("face",))
    assert (manifest.keypoints, manifest.skeleton) == (FACE5.names, FACE5.edges)
    assert yaml.safe_load((tmp_path / "out" / "net.yaml").read_text())["keypoints"] == "face5"
    boxes, detector = imported(tmp_path, path, size=(320, 256), task="detect")
    assert (detector.task, detector.keypoints) == ("detect", ())
    assert engines.load(str(boxes.manifest)).heads[0].kind.task == "detect"


@pytest.mark.parametrize(("name", "task"), [("test-instances", "instances"), ("test-pose", "pose")])
def test_the_networks_of_the_zoo(tmp_path: Path, name: str, task: str) -> None:
    keys = {"keypoints": read(ZOO / f"{name}.yaml").keypoints or None}
    fed = InputKeys(resize="letterbox-top-left", scale=1.0)
    labels = ("red", "green", "blue")
    _, manifest = imported(tmp_path, ZOO / f"{name}.onnx", labels=labels, input=fed, **keys)
    assert manifest.task == task
