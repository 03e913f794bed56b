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
from onnx_networks import COLOURS, colour_grid, floats, save

import engines
from engines import ManifestError, UnknownNameError
from engines.decoders import Boxes, Outputs, Spec
from mirante import Detections

NETWORK = (96, 64)


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
    # A letterbox of 64x64 in the middle of 96x64: a network pixel is 3 picture pixels.
    rgb[48:96, 48:96, 1] = 255
    return rgb


# A cell of stride 16 at network x 32..48, y 16..32 answers; its box is 32x24 about its centre,
# in the picture 96x72 about (72, 72). The cells of stride 8 inside it are a quarter of that.
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
    path = manifest(tmp_path, decoder="test_model:centre_box", options={"side": 4})
    found = engines.load(path)(scene()).detections
    np.testing.assert_allclose(found.xyxy, [[84, 84, 108, 108]], rtol=1e-5)


def planes_decoder(outputs: Outputs, spec: Spec) -> NDArray[np.bool_]:
    return np.ones((len(spec.labels), 4, 4), np.bool_)


INPUT = {"name": "images", "size": list(NETWORK)}
MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "input name": ({"input": INPUT | {"name": "data"}}, "input: expected images, as the file has"),
    "input size": (
        {"input": INPUT | {"size": [64, 64]}},
        "input images: the file has (1, 3, 64, 96), the manifest makes (1, 3, 64, 64)",
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
        {"decoder": "test_model:planes_decoder"},
        "decoder test_model:planes_decoder: gives planes, which is not task detect",
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


@pytest.fixture
def brightness(tmp_path: Path) -> str:
    """A segmenter whose plane is where the picture is brighter than half."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["bright"], axes=[1], keepdims=1)]
    shape: list[int | str | None] = [1, 3, 32, 32]
    inputs: list[onnx.ValueInfoProto] = [floats("image", shape)]
    save(tmp_path / "bright.onnx", nodes, {}, inputs, [floats("bright", [1, 1, 32, 32])])
    return manifest(
        tmp_path,
        name="bright",
        task="segment",
        file="bright.onnx",
        input={"name": "image", "size": [32, 32], "scale": 1 / 255},
        decoder="sigmoid",
        options={"planes": {"bright": ["bright"]}, "logits": False},
        labels=["bright"],
        threshold=0.5,
        crop={"margin": 1.5},
    )


def detections(*boxes: tuple[str, tuple[float, ...]]) -> Detections:
    labels = ("car", "face")
    return Detections(
        np.array([xyxy for _, xyxy in boxes], np.float32).reshape(-1, 4),
        np.ones(len(boxes), np.float32),
        np.array([labels.index(label) for label, _ in boxes], np.int32),
        labels,
    )


def test_crops_of_one_class_give_masks_placed_in_the_source_frame(brightness: str) -> None:
    rgb = np.zeros((200, 300, 3), np.uint8)
    rgb[60:100, 120:140] = 255
    found = detections(("car", (0, 0, 100, 100)), ("face", (240, 120, 280, 200)))
    model = engines.load(brightness, on="face")
    result = model(rgb, source=(600, 400), detections=found)
    assert len(result.detections) == 0
    assert result.detections.labels == ("bright",)
    (mask,) = result.masks
    assert (mask.model, mask.object_index, mask.labels) == ("bright", 1, ("bright",))
    assert mask.xyxy == pytest.approx((200, 100, 320, 220))  # 1.5 * 80 about (260, 160)
    placed = mask.on_frame("bright", 600, 400)
    truth = np.zeros((400, 600), np.bool_)
    truth[120:200, 240:280] = True
    assert (placed & truth).sum() / (placed | truth).sum() > 0.9


def test_a_crop_over_the_edge_covers_only_the_frame(brightness: str) -> None:
    rgb = np.full((200, 300, 3), 255, np.uint8)
    model = engines.load(brightness, on="face")
    (mask,) = model(rgb, detections=detections(("face", (0, 80, 40, 120)))).masks
    left, top, right, bottom = mask.xyxy
    assert -60 / 32 < left <= 0
    assert (top, right, bottom) == pytest.approx((70, 50, 130))
    assert mask.plane("bright").all()


def test_no_box_of_the_class_is_no_work(brightness: str) -> None:
    model = engines.load(brightness, on="face")
    result = model(scene(), detections=detections(("car", (0, 0, 9, 9))))
    assert result.masks == ()
    assert result.timings == {"preprocess": 0, "infer": 0, "decode": 0}


@pytest.mark.parametrize("found", [None, Detections.empty(("car", "dog"))])
def test_a_class_that_nothing_detects_is_an_error(
    brightness: str, found: Detections | None
) -> None:
    model = engines.load(brightness, on="face")
    with pytest.raises(ValueError, match="on: no earlier stage detects 'face'; detected are"):
        model(scene(), detections=found)


def test_a_detector_on_crops_gives_boxes_in_source_pixels(colours: str) -> None:
    model = engines.load(colours, on="car")
    rgb = np.zeros((400, 600, 3), np.uint8)
    rgb[148:196, 296:344, 1] = 255  # a network pixel of the crop is 3 picture pixels
    found = model(rgb, detections=detections(("car", (200, 100, 488, 292)))).detections
    assert {label for label, _, _ in found} == {"green"}
    widths = found.xyxy[:, 2] - found.xyxy[:, 0]
    np.testing.assert_allclose(found.xyxy[widths.argmax()], (272, 136, 368, 208), atol=1e-3)
