from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from onnx import helper

import engines
from mirante import Detections
from tests.support.onnx_networks import COLOURS, colour_grid, floats, save

BRIGHT: dict[str, Any] = {
    "name": "bright",
    "task": "segment",
    "file": "bright.onnx",
    "licence": "Apache-2.0",
    "input": {"name": "image", "size": [32, 32], "scale": 1 / 255},
    "decoder": "sigmoid",
    "options": {"planes": {"bright": ["bright"]}, "logits": False},
    "labels": ["bright"],
    "threshold": 0.5,
    "crop": {"margin": 1.5},
}
COLOUR_GRID: dict[str, Any] = {
    "name": "colours",
    "task": "detect",
    "file": "colours.onnx",
    "licence": "Apache-2.0",
    "input": {"name": "images", "size": [96, 64], "scale": 1 / 255},
    "decoder": "yolov8",
    "labels": list(COLOURS),
    "threshold": 0.9,
}


def write(folder: Path, data: dict[str, Any]) -> str:
    path = folder / f"{data['name']}.yaml"
    path.write_text(yaml.safe_dump(data))
    return str(path)


@pytest.fixture
def brightness(tmp_path: Path) -> str:
    """A segmenter whose plane is where the image is brighter than half."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["bright"], axes=[1], keepdims=1)]
    inputs, outputs = [floats("image", [1, 3, 32, 32])], [floats("bright", [1, 1, 32, 32])]
    save(tmp_path / "bright.onnx", nodes, {}, inputs, outputs)
    return write(tmp_path, BRIGHT)


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
    result = model(np.zeros((64, 64, 3), np.uint8), detections=detections(("car", (0, 0, 9, 9))))
    assert result.masks == ()
    assert result.timings == {"preprocess": 0, "infer": 0, "decode": 0}


@pytest.mark.parametrize("found", [None, Detections.empty(("car", "dog"))])
def test_a_class_that_nothing_detects_is_an_error(
    brightness: str, found: Detections | None
) -> None:
    model = engines.load(brightness, on="face")
    with pytest.raises(ValueError, match="on: no earlier stage detects 'face'; detected are"):
        model(np.zeros((64, 64, 3), np.uint8), detections=found)


def test_a_detector_on_crops_gives_boxes_in_source_pixels(tmp_path: Path) -> None:
    colour_grid(tmp_path / "colours.onnx", "yolov8", 96, 64)
    model = engines.load(write(tmp_path, COLOUR_GRID), on="car")
    rgb = np.zeros((400, 600, 3), np.uint8)
    rgb[148:196, 296:344, 1] = 255  # a network pixel of the crop is 3 image pixels
    found = model(rgb, detections=detections(("car", (200, 100, 488, 292)))).detections
    assert {label for label, _, _ in found} == {"green"}
    widths = found.xyxy[:, 2] - found.xyxy[:, 0]
    np.testing.assert_allclose(found.xyxy[widths.argmax()], (272, 136, 368, 208), atol=1e-3)


def test_a_letterboxed_segmenter_covers_the_frame_and_no_padding(brightness: str) -> None:
    boxed = BRIGHT["input"] | {"resize": "letterbox-centre", "pad": 255}
    write(Path(brightness).parent, BRIGHT | {"input": boxed})
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[:50, 100:] = 255
    (mask,) = engines.load(brightness)(rgb, source=(400, 200)).masks
    assert mask.xyxy == pytest.approx((0, 0, 400, 200))
    assert (mask.width, mask.height) == (32, 16)
    placed = mask.on_frame("bright", 400, 200)
    truth = np.zeros((200, 400), np.bool_)
    truth[:100, 200:] = True
    assert (placed & truth).sum() / (placed | truth).sum() > 0.95
