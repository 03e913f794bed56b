"""TF Lite files as they are: quantised tensors, names, and published models on real footage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import engines
from engines.labels import COCO90
from engines.manifest import ZOO, ManifestError
from engines.runtimes import RefusedError, open_session
from tests.support import plain_reference as reference
from tests.support import support_table as support
from tests.support.shared_clips import clip_frame

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from tests.support.tflite_files import tensor, unary

INT8, UINT8, FLOAT32 = (getattr(schema.TensorType, n) for n in ("INT8", "UINT8", "FLOAT32"))
RELU, RSQRT = schema.BuiltinOperator.RELU, schema.BuiltinOperator.RSQRT


def plain_ssd(path: Path, rgb: NDArray[np.uint8], least: float) -> list[tuple[str, float, Any]]:
    """Label, score and box in pixels of ``rgb``, row after row, by the bare interpreter."""
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    picture = cv2.resize(rgb, (300, 300), interpolation=cv2.INTER_LINEAR)
    interpreter.set_tensor(source["index"], picture[None])
    interpreter.invoke()
    outputs = [interpreter.get_tensor(d["index"])[0] for d in interpreter.get_output_details()]
    height, width = rgb.shape[:2]
    rows = []
    for row in range(int(outputs[3])):
        top, left, bottom, right = (min(max(float(edge), 0), 1) for edge in outputs[0][row])
        box = (left * width, top * height, right * width, bottom * height)
        if outputs[2][row] >= least:
            rows.append((COCO90[int(outputs[1][row])], float(outputs[2][row]), box))
    return rows


@pytest.mark.models
@pytest.mark.parametrize("index", [20, 100, 300])
def test_a_quantised_ssd_finds_what_the_bare_interpreter_does(weights: Path, index: int) -> None:
    rgb = clip_frame("highway.mp4", index)
    found = engines.load("ssd-mobilenet")(rgb).detections
    wanted = plain_ssd(weights / "ssd_mobilenet_v1_coco_quant.tflite", rgb, 0.4)
    assert [(label, score) for label, score, _ in found] == [row[:2] for row in wanted]
    np.testing.assert_allclose(found.xyxy, [row[2] for row in wanted], atol=1e-2)
    assert sum(label == "car" for label, _, _ in found) >= 4
    support.record("SSD-MobileNet", "TF Lite", "litert", "int8")


@pytest.mark.full  # a frame of this clip is compared with the bare interpreter
@pytest.mark.models
def test_its_cars_are_those_that_another_network_finds(weights: Path) -> None:
    rgb = clip_frame("highway.mp4", 20)
    mine, other = (engines.load(n)(rgb).detections for n in ("ssd-mobilenet", "yolox-nano"))
    sure = [box for label, score, box in other if label == "car" and score > 0.45]
    overlaps = [max(reference.overlap(tuple(b), tuple(m)) for m in mine.xyxy) for b in sure]
    assert len(sure) == 5
    assert sum(overlap > 0.5 for overlap in overlaps) >= 3, "it has ten boxes at most"


@pytest.mark.slow
@pytest.mark.models
def test_a_quantised_unet_finds_the_face_that_its_float_file_does(weights: Path) -> None:
    small, large = (engines.load(name) for name in ("unet-face-int8", "unet-face"))
    for index in (0, 40, 80):
        rgb = clip_frame("carphone.mp4", index)
        a, b = (model(rgb).masks[0].plane("face") for model in (small, large))
        assert b.mean() > 0.05, "there is a face"
        assert (a & b).sum() / (a | b).sum() > 0.9
    support.record("U-Net", "TF Lite", "litert", "int8")


@pytest.mark.models
def test_uint8_pixels_go_in_as_they_are_and_outputs_come_as_numbers(weights: Path) -> None:
    path = weights / "unet_face_int8.tflite"
    session = open_session("litert", path, 1)
    assert session.inputs["image_input"].dtype == np.uint8
    assert session.outputs["output_0"].dtype == np.float32
    pixels = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()
    detail = interpreter.get_output_details()[0]
    levels = interpreter.get_tensor(detail["index"]).astype(np.float64)
    scale, zero = detail["quantization"]
    logits = session.run({"image_input": pixels})["output_0"]
    np.testing.assert_allclose(logits, (levels - zero) * scale, atol=1e-5)
    assert len(np.unique(logits)) > 10


@pytest.mark.models
def test_a_scale_for_pixels_that_go_in_as_they_are_is_refused(
    weights: Path, tmp_path: Path
) -> None:
    manifest = yaml.safe_load((ZOO / "unet-face-int8.yaml").read_text())
    manifest["input"]["scale"] = 1 / 255
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(manifest))
    with pytest.raises(ManifestError, match="expected scale, mean, std 1, 0, 1 for uint8"):
        engines.load(str(tmp_path / "mine.yaml"))


def test_int8_tensors_are_numbers_on_both_sides(tmp_path: Path) -> None:
    source = tensor("x", (1, 4), INT8, 0.5, 10)
    path = unary(tmp_path / "relu.tflite", RELU, source, [tensor("y", (1, 4), INT8, 0.25, -128)])
    session = open_session("litert", path, 1)
    assert session.inputs["x"].dtype == session.outputs["y"].dtype == np.float32
    outputs = session.run({"x": np.array([[-3, 0.7, 4.26, 1000]], np.float32)})
    # Rounded to halves on the way in, and cut where int8 ends: (127 - 10) / 2.
    assert outputs["y"].tolist() == [[0, 0.5, 4.5, 58.5]]


def test_outputs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    source = tensor("x", (1, 4), FLOAT32)
    targets = [tensor("y", (1, 4), FLOAT32) for _ in range(3)]
    session = open_session("litert", unary(tmp_path / "three.tflite", RELU, source, targets), 1)
    assert list(session.outputs) == ["y", "y#1", "y#2"]


def test_an_open_axis_takes_any_length_and_back(tmp_path: Path) -> None:
    source, target = (tensor(n, (-1, 4), FLOAT32) for n in "xy")
    session = open_session("litert", unary(tmp_path / "open.tflite", RELU, source, [target]), 1)
    assert session.inputs["x"].shape == (None, 4)
    for length in (3, 1, 5, 3):
        value = np.ones((length, 4), np.float32)
        assert np.array_equal(session.run({"x": value})["y"], value)


def test_a_scale_per_channel_is_refused_by_name(tmp_path: Path) -> None:
    source = tensor("x", (1, 2), INT8, [0.5, 0.25])
    path = unary(tmp_path / "two.tflite", RELU, source, [tensor("y", (1, 2), INT8, 0.25)])
    with pytest.raises(RefusedError, match="input x has a scale per channel"):
        open_session("litert", path, 1)


def test_infinity_is_an_error_of_the_frame(tmp_path: Path) -> None:
    source, target = (tensor(n, (1, 8, 16, 3), FLOAT32) for n in "xy")
    unary(tmp_path / "dark.tflite", RSQRT, source, [target])
    manifest = {
        "name": "dark",
        "task": "segment",
        "file": "dark.tflite",
        "licence": "MIT",
        "input": {"name": "x", "size": [16, 8], "layout": "nhwc"},
        "decoder": "sigmoid",
        "options": {"channels": "last", "logits": False, "planes": {"y": ["a", "b", "c"]}},
        "labels": ["a", "b", "c"],
        "threshold": 0.5,
    }
    (tmp_path / "dark.yaml").write_text(yaml.safe_dump(manifest))
    model = engines.load(str(tmp_path / "dark.yaml"))
    with pytest.raises(RuntimeError, match=r"384 of 384 values of output y are not finite"):
        model(np.zeros((8, 16, 3), np.uint8))
