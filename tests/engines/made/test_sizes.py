"""Networks exported at one size that run at others, as an export at those would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

import engines
from engines.made import network_of
from engines.manifest import ManifestError, find
from engines.store.made import made
from tests.support.head_networks import write_head
from tests.support.onnx_networks import floats, save

FREE = ("yolox", "yolov5", "gfl", "boxes_scores", "detr", "best_only")
SOME = [  # of all of them one test shows that their size is free
    pytest.param(head, marks=() if head in {"yolox", "detr"} else pytest.mark.full) for head in FREE
]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("home")]


def picture(width: int, height: int) -> NDArray[np.uint8]:
    colours = np.random.default_rng(4).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return colours.repeat(8, axis=0).repeat(8, axis=1)


@pytest.mark.parametrize("head", FREE)
def test_another_size_is_as_if_exported_so(head: str, tmp_path: Path) -> None:
    other = engines.load(str(write_head(tmp_path, head, (160, 128))))
    model = engines.load(str(write_head(tmp_path, head, input={"size": [160, 128]})))
    rgb = picture(160, 128)
    expected, found = other(rgb).detections, model(rgb).detections
    assert len(expected) > 5
    np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=0.01)
    np.testing.assert_allclose(found.score, expected.score, atol=1e-4)
    np.testing.assert_array_equal(found.class_id, expected.class_id)


@pytest.mark.parametrize("head", SOME)
def test_a_free_batch_stays_free(head: str, tmp_path: Path) -> None:
    """The axis of images is free from the start, those of the size after it."""
    expected = engines.load(str(write_head(tmp_path, head, (160, 128))))(picture(160, 128))
    path = write_head(tmp_path, head, input={"size": [160, 128]})
    (tmp_path / "free.onnx").write_bytes(_with_free_batch(tmp_path / f"{head}96.onnx"))
    path.write_text(path.read_text().replace(f"{head}96.onnx", "free.onnx"))
    model = engines.load(str(path))
    found = model(picture(160, 128)).detections
    np.testing.assert_allclose(found.xyxy, expected.detections.xyxy, atol=0.01)
    assert model._session.inputs["images"].shape == (None, 3, None, None)


def _with_free_batch(file: Path) -> bytes:
    model = onnx.load(str(file))
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "n"
    return bytes(model.SerializeToString())


def test_a_dynamic_network_says_which_multiple_it_takes(tmp_path: Path) -> None:
    """Nothing is made of a network that is free, so that only running it shows this."""
    network_of(find(str(write_head(tmp_path, "yolox", input={"multiple": 16}))))
    (file,) = made().glob("*/network.onnx")
    shutil.copy(file, tmp_path / "free.onnx")

    def load(**fed: Any) -> engines.Model:
        return engines.load(str(write_head(tmp_path, "yolox", input=fed, file="free.onnx")))

    load(multiple=32)
    with pytest.raises(ManifestError, match=r"multiple: .*not take 8; expected multiples of 16"):
        load(multiple=8)
    with pytest.raises(ManifestError, match=r"size: .*\[104, 64\]; expected multiples of 16"):
        load(size=[104, 64])


@pytest.mark.parametrize("head", SOME)
def test_with_a_multiple_the_tensor_is_cut_to_the_image(head: str, tmp_path: Path) -> None:
    """The other has the size of the image, in which there is nothing to pad."""
    keys = {"size": [160, 160], "multiple": 16}
    model = engines.load(str(write_head(tmp_path, head, input=keys, classes=["car", "bus"])))
    other = engines.load(str(write_head(tmp_path, head, (160, 96), classes=["car", "bus"])))
    rgb = picture(160, 96)
    expected, found = other(rgb).detections, model(rgb).detections
    assert len(expected) > 2
    np.testing.assert_allclose(found.xyxy, expected.xyxy, atol=0.01)
    assert found.labels == ("car", "bus")
    for file in made().glob("*/network.onnx"):
        onnx.checker.check_model(str(file), full_check=True)


@pytest.mark.parametrize(
    ("head", "keys", "words"),
    [
        ("yolov8", {"size": [160, 128]}, r"input.size: expected \[96, 64\]"),
        ("yolov8", {"multiple": 16}, "input.multiple: expected none, as images has a fixed size"),
        (
            "yolox",
            {"size": [104, 64]},
            r"input.size: .*take \[104, 64\]; expected multiples of 16",
        ),
        ("yolox", {"multiple": 4}, "input.multiple: .*not take 4; expected multiples of 16"),
    ],
)
def test_a_size_that_cannot_be_is_refused(
    head: str, keys: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ManifestError, match=words):
        engines.load(str(write_head(tmp_path, head, input=keys)))
    assert not [*made().glob("[!.]*")]


def test_boxes_in_parts_of_the_old_size_are_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that divides its boxes by the width that it was exported for runs at any other.

    It gives wrong boxes there, which nothing but what it finds shows.
    """
    divide = helper.make_node("Div", ["table", "width"], ["output"])
    constants: dict[str, NDArray[Any]] = {
        **{"threshold": np.array(200, np.float32), "width": np.array([96] * 4 + [1], np.float32)},
        "half": np.array([4, 4, 8, 8, 0], np.float32).reshape(1, 5, 1, 1),
    }
    nodes = [
        helper.make_node("AveragePool", ["images"], ["m"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("ReduceMax", ["m"], ["most"], axes=[1], keepdims=1),
        helper.make_node("Greater", ["most", "threshold"], ["is bright"]),
        helper.make_node("Cast", ["is bright"], ["bright"], to=1),
        helper.make_node("Mul", ["bright", "zero"], ["none"]),
        helper.make_node("Add", ["none", "one"], ["ones"]),
        helper.make_node("CumSum", ["ones", "x"], ["columns"], exclusive=1),
        helper.make_node("CumSum", ["ones", "y"], ["lines"], exclusive=1),
        helper.make_node("Concat", ["columns", "lines", "none", "none", "bright"], ["c"], axis=1),
        helper.make_node("Mul", ["c", "eight"], ["in pixels"]),
        helper.make_node("Add", ["in pixels", "half"], ["boxes"]),
        helper.make_node("Reshape", ["boxes", "flat"], ["flat boxes"]),
        helper.make_node("Transpose", ["flat boxes"], ["table"], perm=[0, 2, 1]),
        divide,
    ]
    constants |= {
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "x": np.array(3, np.int64),
        "y": np.array(2, np.int64),
        "eight": np.array([8, 8, 8, 8, 1], np.float32).reshape(1, 5, 1, 1),
        "flat": np.array([1, 5, 96], np.int64),
    }
    images, output = floats("images", [1, 3, 64, 96]), floats("output", [1, 96, 5])
    save(tmp_path / "parts.onnx", nodes, constants, [images], [output])
    keys: dict[str, Any] = {
        **{"file": "parts.onnx", "labels": ["bright"], "decoder": "yolov8"},
        "options": {"channels": "last", "normalised": True},
    }
    assert len(engines.load(str(write_head(tmp_path, "yolox", **keys)))(picture(96, 64)).detections)
    path = str(write_head(tmp_path, "yolox", input={"size": [192, 128]}, **keys))
    with pytest.raises(ManifestError, match="at another size it finds something else"):
        engines.load(path)


def test_a_network_that_is_free_already_is_left_alone(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["images"], ["planes"])
    free: list[int | str | None] = [1, 3, "h", "w"]
    save(tmp_path / "free.onnx", [node], {}, [floats("images", free)], [floats("planes", free)])
    keys: dict[str, Any] = {
        **{"file": "free.onnx", "task": "segment", "decoder": "argmax", "threshold": None},
        "options": {"planes": {"planes": ["red", "green", "blue"]}},
        "labels": ["red", "green", "blue"],
    }
    path = write_head(tmp_path, "yolox", input={"size": [128, 128], "multiple": 32}, **keys)
    assert engines.load(str(path))(picture(96, 64)).masks[0].labels == ("red", "green", "blue")
    assert not made().exists()
