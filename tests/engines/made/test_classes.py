"""Classes cut out of networks: the same boxes as when they are cut while decoding."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

import engines
from engines.manifest import ManifestError, find
from engines.store.made import made
from tests.support.head_networks import HEADS, LABELS, SIZE, write_head
from tests.support.onnx_networks import colour_grid, floats, save

KEPT = ["car", "person"]
UNCUT = {
    "softmax_scores": "softmax needs the scores of all classes",
    "best_only": "decoder end_to_end reads no score of each class",
}
pytestmark = pytest.mark.usefixtures("home")


def picture() -> NDArray[np.uint8]:
    """Squares of the smallest cells' size, each of a random colour."""
    colours = np.random.default_rng(3).integers(0, 256, (SIZE[1] // 8, SIZE[0] // 8, 3), np.uint8)
    return colours.repeat(8, axis=0).repeat(8, axis=1)


def rows(model: engines.Model) -> list[tuple[str, float, list[float]]]:
    found = model(picture()).detections
    return sorted(
        (label, round(score, 3), [round(float(edge), 1) for edge in xyxy])
        for label, score, xyxy in found
    )


@pytest.mark.parametrize("head", HEADS)
def test_what_is_found_of_the_kept_classes_is_what_the_source_finds(
    head: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    never = dict.fromkeys(set(LABELS) - set(KEPT), 1.0)
    expected = rows(engines.load(str(write_head(tmp_path, head)), threshold=never))
    assert {label for label, _, _ in expected} == set(KEPT), "the test would show nothing"
    model = engines.load(str(write_head(tmp_path, head, classes=KEPT)))
    assert model.labels == model(picture()).detections.labels == tuple(KEPT)
    assert rows(model) == expected
    is_cut = set(model.manifest.network_labels) == set(KEPT)
    assert is_cut == (head not in UNCUT)
    assert (UNCUT.get(head, "nothing") in caplog.text) != is_cut


def test_a_cut_network_is_smaller(tmp_path: Path) -> None:
    """Three channels of seven go, in the weights too."""
    model = engines.load(str(write_head(tmp_path, "yolox", classes=KEPT)))
    (file,) = made().glob("*/network.onnx")
    assert file.stat().st_size < (tmp_path / "yolox96.onnx").stat().st_size
    shape = model._session.outputs["output"].shape
    assert shape[2] == 5 + len(KEPT)


def test_thresholds_are_those_of_the_kept_classes(tmp_path: Path) -> None:
    path = str(write_head(tmp_path, "yolox", classes=KEPT, thresholds={"car": 1.0, "bus": 0.2}))
    assert {label for label, _, _ in rows(engines.load(path))} == {"person"}
    assert rows(engines.load(path, threshold={"person": 1.0})) == []
    with pytest.raises(ValueError, match='no label "bus"; there are car, person'):
        engines.load(path, threshold={"bus": 0.5})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"classes": ["person", "cra"]}, 'classes: no label "cra"; did you mean "car"?'),
        ({"classes": ["car", "car"]}, r"classes: expected each name once, got \['car', 'car'\]"),
        ({"clases": ["car"]}, 'clases: no such key; did you mean "classes"?'),
        ({"size": [64, 64]}, "size: no such key here; it is one of input: input.size"),
        (
            {"classes": ["car"], "task": "classify", "decoder": "softmax"},
            "classes: expected none with task classify, as attributes of some labels",
        ),
    ],
)
def test_wrong_classes_are_refused(keys: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=words):
        find(str(write_head(tmp_path, "yolox", **keys)))


def test_a_class_that_other_nodes_need_is_cut_while_decoding(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The objectness of this head is the maximum of all classes."""
    caplog.set_level(logging.INFO)
    colour_grid(tmp_path / "colours.onnx", "yolov5")
    keys: dict[str, Any] = {"labels": ["red", "green", "blue"], "classes": ["blue"]}
    path = write_head(tmp_path, "yolov5", file="colours.onnx", threshold=0.5, **keys)
    model = engines.load(str(path))
    assert "classes are cut when its outputs are decoded" in caplog.text
    blue = np.zeros((64, 96, 3), np.uint8)
    blue[:, 48:, 2], blue[:, :48, 0] = 1, 1
    found = model(blue).detections
    assert found.labels == ("blue",)
    assert len(found) > 0
    assert found.xyxy[:, 0].min() >= 40


def test_planes_of_a_segmenter_are_kept(tmp_path: Path) -> None:
    constants = {"w": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)}
    node = helper.make_node("Conv", ["images", "w"], ["planes"])
    images, planes = (floats(name, [1, 3, SIZE[1], SIZE[0]]) for name in ("images", "planes"))
    save(tmp_path / "p.onnx", [node], constants, [images], [planes])
    keys: dict[str, Any] = {
        **{"file": "p.onnx", "task": "segment", "decoder": "sigmoid"},
        "labels": ["red", "green", "blue"],
        "options": {"planes": {"planes": ["red", "green", "blue"]}, "logits": True},
    }
    path = write_head(tmp_path, "yolox", classes=["blue", "red"], **keys)
    (mask,) = engines.load(str(path), threshold={"blue": 0.9999, "red": 0.6})(picture()).masks
    assert mask.labels == ("blue", "red")
    np.testing.assert_array_equal(mask.planes[1], picture()[..., 0] >= 1)
    np.testing.assert_array_equal(mask.planes[0], picture()[..., 2] >= 10)
