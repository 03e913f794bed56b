"""What is OpenVINO's own: its files, the names it keeps, types, and how many run at once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

import engines
from engines.runtimes import RefusedError, open_session
from tests.support import support_table as support
from tests.support.onnx_networks import colour_grid, floats, save
from tests.support.shared_clips import clip_frame

openvino = pytest.importorskip("openvino", reason="openvino is not installed")

VALUES = np.array([[1, -2, 3]], np.float32)


def odd(path: Path) -> Path:
    """Outputs of several types, some of them the same tensor under another name."""
    node = helper.make_node
    nodes = [
        node("Relu", ["a:0"], ["StatefulPartitionedCall/x:0"]),
        node("Identity", ["StatefulPartitionedCall/x:0"], ["a copy, of it"]),
        node("Identity", ["a:0"], ["same"]),
        node("Cast", ["a:0"], ["half"], to=TensorProto.FLOAT16),
        node("Shape", ["a:0"], ["shape"]),
        node("Greater", ["a:0", "nought"], ["positive"]),
    ]
    kinds = {"half": TensorProto.FLOAT16, "shape": TensorProto.INT64, "positive": TensorProto.BOOL}
    outputs = [
        helper.make_tensor_value_info(
            name, kinds.get(name, TensorProto.FLOAT), [2] if name == "shape" else ["n", 3]
        )
        for item in nodes
        for name in item.output
    ]
    return save(
        path, nodes, {"nought": np.array(0, np.float32)}, [floats("a:0", ["n", 3])], outputs
    )


def as_xml(path: Path) -> Path:
    """An ONNX file in OpenVINO's own format."""
    openvino.save_model(
        openvino.Core().read_model(path), path.with_suffix(".xml"), compress_to_fp16=False
    )
    return path.with_suffix(".xml")


@pytest.mark.parametrize("form", ["onnx", "xml"])
def test_names_and_types_are_those_of_the_onnx_file(form: str, tmp_path: Path) -> None:
    path = odd(tmp_path / "odd.onnx")
    wanted = open_session("onnxruntime", path, 1)
    session = open_session("openvino", as_xml(path) if form == "xml" else path, 1)
    assert session.inputs == wanted.inputs
    assert session.outputs == wanted.outputs
    got = session.run({"a:0": VALUES})
    for name, value in wanted.run({"a:0": VALUES}).items():
        assert got[name].dtype == value.dtype
        assert np.array_equal(got[name], value), name


def test_its_own_format_finds_what_the_onnx_file_does(tmp_path: Path) -> None:
    grid = colour_grid(tmp_path / "grid.onnx", "yolov8", 64, 32)
    xml = as_xml(grid)
    manifest = """
        {name: grid, task: detect, licence: MIT, decoder: yolov8, labels: [red, green, blue],
        threshold: 0.5, input: {name: images, size: [64, 32], scale: 0.00392156862745098}, file: """
    rgb = np.zeros((32, 64, 3), np.uint8)
    rgb[:, :32, 1] = 255
    found = []
    for path in (grid, xml):
        (tmp_path / "grid.yaml").write_text(f"{manifest}{path.name}}}")
        model = engines.load(str(tmp_path / "grid.yaml"))
        assert model.manifest.runs_on == ("openvino" if path is xml else "onnxruntime")
        found.append(model(rgb).detections)
    assert len(found[0]) > 0
    np.testing.assert_allclose(found[1].xyxy, found[0].xyxy, atol=1e-3)
    np.testing.assert_allclose(found[1].score, found[0].score, atol=1e-5)


def test_a_file_without_its_weights_is_refused(tmp_path: Path) -> None:
    xml = as_xml(odd(tmp_path / "odd.onnx"))
    xml.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(RefusedError, match=f"openvino refuses {xml}: Incorrect weights in bin"):
        open_session("openvino", xml, 1)


@pytest.mark.parametrize("share", ["one thread", "all cores"])
def test_each_call_has_its_threads_and_as_many_run_as_cores_allow(
    share: str, tmp_path: Path
) -> None:
    cores = len(os.sched_getaffinity(0))
    threads = 1 if share == "one thread" else cores
    path = colour_grid(tmp_path / "grid.onnx", "yolov8", 32, 16)
    compiled = open_session("openvino", path, threads)._compiled  # type: ignore[attr-defined]
    assert compiled.get_property("NUM_STREAMS") == cores // threads
    assert compiled.get_property("INFERENCE_NUM_THREADS") == cores // threads * threads
    assert compiled.get_property("INFERENCE_PRECISION_HINT") == openvino.Type.f32
    assert compiled.get_property("ENABLE_CPU_PINNING") is False


ZOO = {
    "yolox-nano": ("YOLOX", "ONNX", "highway.mp4"),
    "deimv2-femto": ("DEIMv2", "ONNX", "highway.mp4"),
    "yunet": ("YuNet", "ONNX", "carphone.mp4"),
    "twinlitenet": ("TwinLiteNet", "ONNX", "highway.mp4"),
    "omz-road": ("road-segmentation-adas", "ONNX", "highway.mp4"),
    "unet-face": ("U-Net", "ONNX", "carphone.mp4"),
    "mediapipe-selfie": ("MediaPipe selfie", "ONNX", "carphone.mp4"),
    "street": ("YOLO (ours)", "PyTorch", "highway.mp4"),
    "road": ("U-Net (ours)", "PyTorch", "highway.mp4"),
    "face": ("U-Net (ours)", "PyTorch", "carphone.mp4"),
}


DAILY = ("yunet", "unet-face")  # boxes; masks


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=() if each in DAILY else pytest.mark.full) for each in ZOO]
)
def test_the_zoo_finds_what_it_does_on_onnx_runtime(weights: Path, name: str) -> None:
    architecture, framework, clip = ZOO[name]
    rgb = clip_frame(clip, 20)
    mine, other = (engines.load(name, runtime=r)(rgb) for r in ("openvino", "onnxruntime"))
    assert len(other.detections) > 0 or other.masks[0].planes.mean() > 0.01, "there is something"
    np.testing.assert_allclose(mine.detections.xyxy, other.detections.xyxy, atol=1e-2)
    np.testing.assert_allclose(mine.detections.score, other.detections.score, atol=1e-4)
    assert np.array_equal(mine.detections.class_id, other.detections.class_id)
    for a, b in zip(mine.masks, other.masks, strict=True):
        assert (a.planes == b.planes).mean() > 0.9999
    for runtime in ("openvino", "onnxruntime"):
        support.record(architecture, framework, runtime, "fp32")
