from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from numpy.typing import NDArray
from onnx import helper

import engines
from engines import ManifestError, UnknownNameError
from engines.decoders import Outputs, Spec
from engines.found import Boxes
from tests.support.onnx_networks import COLOURS, colour_grid, floats, save

NETWORK = (96, 64)
INPUT = {"name": "images", "size": list(NETWORK)}


def manifest(folder: Path, **change: Any) -> str:
    """A manifest of a colour detector in the layout of YOLOv8; returns its path."""
    data: dict[str, Any] = {
        "name": "colours",
        "task": "detect",
        "file": "colours.onnx",
        "licence": "Apache-2.0",
        "input": {
            "name": "images",
            "size": list(NETWORK),
            "scale": 1 / 255,
            "resize": "letterbox-centre",
            "pad": 0,
        },
        "decoder": "yolov8",
        "labels": list(COLOURS),
        "threshold": 0.9,
    }
    path = folder / "colours.yaml"
    path.write_text(yaml.safe_dump(data | change))
    return str(path)


def scene(width: int = 192, height: int = 192) -> NDArray[np.uint8]:
    """Black, with a green square on one cell of 16 network pixels."""
    rgb = np.zeros((height, width, 3), np.uint8)
    # A letterbox of 64x64 in the middle of 96x64: a network pixel is 3 image pixels.
    rgb[48:96, 48:96, 1] = 255
    return rgb


# A cell of stride 16 at network x 32..48, y 16..32 answers; its box is 32x24 about its centre,
# in the image 96x72 about (72, 72). The cells of stride 8 inside it are a quarter of that.
BIG = (24.0, 36.0, 120.0, 108.0)


@pytest.mark.parametrize("layout", ["yolov8", "yolov5"])
def test_a_manifest_is_enough_for_a_model_of_a_known_family(tmp_path: Path, layout: str) -> None:
    colour_grid(tmp_path / "colours.onnx", layout, *NETWORK)
    model = engines.load(manifest(tmp_path, decoder=layout))
    found = model(scene()).detections
    assert (model.name, model.labels, model.task) == ("colours", COLOURS, "detect")
    assert found.labels == COLOURS
    assert {label for label, _, _ in found} == {"green"}
    widths = found.xyxy[:, 2] - found.xyxy[:, 0]
    assert len(found) == 5  # the large cell, and four small ones that overlap it by a quarter
    np.testing.assert_allclose(found.xyxy[widths.argmax()], BIG, atol=1e-3)
    np.testing.assert_allclose(sorted(widths), [48, 48, 48, 48, 96], atol=1e-3)


@pytest.fixture
def colours(tmp_path: Path) -> str:
    colour_grid(tmp_path / "colours.onnx", "yolov8", *NETWORK)
    return manifest(tmp_path)


def test_boxes_are_in_pixels_of_the_source_frame(colours: str) -> None:
    model = engines.load(colours)
    small, large = model(scene()).detections, model(scene(), source=(384, 96)).detections
    np.testing.assert_allclose(large.xyxy, small.xyxy * [2, 0.5, 2, 0.5], rtol=1e-5)


def test_boxes_end_at_the_frames_edge(colours: str) -> None:
    rgb = np.zeros((192, 192, 3), np.uint8)
    rgb[:48, :48, 0] = 255
    found = engines.load(colours)(rgb).detections
    assert {label for label, _, _ in found} == {"red"}
    assert found.xyxy.min() == 0


def test_a_threshold_for_all_or_by_label(colours: str) -> None:
    rgb = scene()
    rgb[48:96, 48:96] = (0, 170, 170)  # .967 of each: sigmoid(20 * (2 / 3 - 1 / 2))
    assert len(engines.load(colours)(rgb).detections) == 5
    assert len(engines.load(colours, threshold=0.98)(rgb).detections) == 0
    blue = engines.load(colours, threshold={"green": 0.98})(rgb).detections
    assert {label for label, _, _ in blue} == {"blue"}


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        (1.5, "threshold: expected 0 to 1, got 1.5"),
        ({"grene": 0.5}, 'threshold: no label "grene"; did you mean "green"'),
    ],
)
def test_a_bad_threshold_is_refused(colours: str, threshold: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        engines.load(colours, threshold=threshold)


def test_timings_are_told_per_step(colours: str) -> None:
    timings = engines.load(colours)(scene()).timings
    assert list(timings) == ["preprocess", "infer", "decode"]
    assert all(value > 0 for value in timings.values())


def test_what_is_no_picture_is_refused(colours: str) -> None:
    model = engines.load(colours)
    with pytest.raises(ValueError, match=r"expected \(height, width, 3\) uint8, got \(4, 4\)"):
        model(np.zeros((4, 4), np.uint8))


def test_the_picture_is_only_read(colours: str) -> None:
    rgb = scene()
    rgb.flags.writeable = False
    before = rgb.copy()
    engines.load(colours)(rgb)
    np.testing.assert_array_equal(rgb, before)


def centre_box(outputs: Outputs, spec: Spec, *, side: float) -> Boxes:
    """A decoder of a user's own: one box in the middle."""
    x, y = spec.size[0] / 2, spec.size[1] / 2
    box = [[x - side, y - side, x + side, y + side]]
    return Boxes(np.array(box, np.float32), np.ones(1, np.float32), np.zeros(1, np.int32))


def test_a_decoder_of_the_users_own(colours: str, tmp_path: Path) -> None:
    path = manifest(tmp_path, decoder=f"{__name__}:centre_box", options={"side": 4})
    found = engines.load(path)(scene()).detections
    np.testing.assert_allclose(found.xyxy, [[84, 84, 108, 108]], rtol=1e-5)


@pytest.mark.parametrize(("order", "size"), [("size_wh", (96, 64)), ("size_hw", (64, 96))])
def test_a_further_input_is_fed_the_tensors_size(
    tmp_path: Path, order: str, size: tuple[int, int]
) -> None:
    """A network that gives one box: from the corner to the size that it was fed."""
    nodes = [
        helper.make_node("Cast", ["sizes"], ["float_sizes"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMin", ["images"], ["least"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["least", "none"], ["zero"]),
        helper.make_node("Add", ["corner", "zero"], ["start"]),
        helper.make_node("Concat", ["start", "float_sizes"], ["flat"], axis=1),
        helper.make_node("Unsqueeze", ["flat", "axis"], ["boxes"]),
        helper.make_node("Identity", ["one_label"], ["labels"]),
        helper.make_node("Identity", ["one_score"], ["scores"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "none": np.array([0], np.float32),
        "corner": np.zeros((1, 2), np.float32),
        "axis": np.array([1], np.int64),
        "one_label": np.array([[0]], np.int64),
        "one_score": np.array([[1]], np.float32),
    }
    sizes = helper.make_tensor_value_info("sizes", onnx.TensorProto.INT64, [1, 2])
    outputs = [floats("boxes", [1, 1, 4]), floats("scores", [1, 1])]
    outputs.append(helper.make_tensor_value_info("labels", onnx.TensorProto.INT64, [1, 1]))
    inputs = [floats("images", [1, 3, 64, 96]), sizes]
    save(tmp_path / "colours.onnx", nodes, constants, inputs, outputs)
    path = manifest(tmp_path, decoder="end_to_end", input=INPUT | {"extra": {"sizes": order}})
    found = engines.load(path)(np.zeros((128, 192, 3), np.uint8)).detections
    expected = np.clip([0, 0, size[0] * 2, size[1] * 2], 0, [192, 128, 192, 128])
    np.testing.assert_allclose(found.xyxy, [expected])


def planes_decoder(outputs: Outputs, spec: Spec) -> NDArray[np.bool_]:
    return np.ones((len(spec.labels), 4, 4), np.bool_)


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "input name": ({"input": INPUT | {"name": "data"}}, "input: expected images, as the file has"),
    "input size": (
        {"input": INPUT | {"size": [64, 64]}},
        "input.size: expected [96, 64], as images has a fixed size (64, 96) in the file, got [64",
    ),
    "layout": ({"input": INPUT | {"layout": "nhwc"}}, "the manifest makes (1, 64, 96, 3)"),
    "multiple": (
        {"input": INPUT | {"resize": "letterbox-centre", "multiple": 32}},
        "input.multiple: expected none, as images has a fixed size (64, 96)",
    ),
    "labels": ({"labels": ["red"]}, "decoder yolov8: yolov8: expected an output (1, 5, n)"),
    "decoder": ({"decoder": "yunet"}, 'decoder yunet: no output "cls_8"; the network has output0'),
    "option": ({"options": {"stride": 8}}, "options.stride: decoder yolov8 has no such option"),
    "task": ({"task": "segment"}, "decoder yolov8: gives boxes, which is not task segment"),
    "planes": (
        {"decoder": f"{__name__}:planes_decoder"},
        f"decoder {__name__}:planes_decoder: gives planes, which is not task detect",
    ),
}


@pytest.mark.parametrize(("change", "message"), MISFITS.values(), ids=MISFITS)
def test_what_does_not_fit_the_file_is_said_at_load(
    colours: str, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        engines.load(manifest(tmp_path, **change))
    assert str(caught.value).startswith("model colours: ")
    assert message in str(caught.value)


def test_a_broken_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "colours.onnx").write_bytes(b"no network")
    with pytest.raises(RuntimeError, match=f"onnxruntime refuses {tmp_path}"):
        engines.load(manifest(tmp_path))


def test_an_unknown_runtime_or_thread_count(colours: str) -> None:
    with pytest.raises(UnknownNameError, match='did you mean "onnxruntime"'):
        engines.load(colours, runtime="onnxrt")
    with pytest.raises(ValueError, match="threads: expected >= 1, got 0"):
        engines.load(colours, threads=0)


def test_models_of_one_file_share_a_session_and_run_in_parallel(colours: str) -> None:
    first, second = engines.load(colours), engines.load(colours)
    other = engines.load(colours, threads=2)
    assert first._session is second._session
    assert first._session is not other._session
    expected = first(scene()).detections.xyxy
    counts: list[int] = []

    def run(model: engines.Model) -> None:
        same = [np.array_equal(model(scene()).detections.xyxy, expected) for _ in range(50)]
        counts.append(sum(same))

    threads = [threading.Thread(target=run, args=(m,)) for m in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [50, 50]


@pytest.mark.parametrize(
    ("cores", "cameras", "threads"),
    [(2, 1, 2), (2, 2, 1), (2, 8, 1), (16, 3, 5), (64, 1, 8), (1, 1, 1)],
)
def test_cores_left_over_go_to_the_sessions(cores: int, cameras: int, threads: int) -> None:
    assert engines.threads_per_session(cores, cameras) == threads


def test_no_cores_or_cameras_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected cores and cameras >= 1, got 2 and 0"):
        engines.threads_per_session(2, 0)
