"""SSD's raw heads out of a published file, decoded here and by the file's own last operator."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.decoders import Spec, bind
from engines.decoders.priors import priors
from engines.found import Boxes
from engines.labels import COCO90
from tests.support import support_table as support
from tests.support.plain_reference import overlap
from tests.support.recognised import auto
from tests.support.shared_clips import clip_frame

FILE = "ssd_mobilenet_v1_coco_quant.tflite"
RAW = {"boxes": "Squeeze", "scores": "convert_scores", "anchors": "anchors"}
DONE = "TFLite_Detection_PostProcess"


@pytest.fixture
def tensors(weights: Path) -> dict[str, NDArray[Any]]:
    """Tensors of one run by name, float32, of quantised ones what they stand for."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT runs the file")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Warning: Enabling `experimental_preserve_all_tensors`")
        net = litert.Interpreter(str(weights / FILE), experimental_preserve_all_tensors=True)
    net.allocate_tensors()
    rgb = cv2.resize(clip_frame("highway.mp4", 100), (300, 300))
    net.set_tensor(net.get_input_details()[0]["index"], rgb[None])
    net.invoke()
    found = {}
    for detail in net.get_tensor_details():
        if detail["name"] in RAW.values() or detail["name"].startswith(DONE):
            scale, zero = detail["quantization"]
            value = net.get_tensor(detail["index"]).astype(np.float32)
            found[detail["name"]] = (value - zero) * scale if scale else value
    return found


def test_priors_are_those_of_the_file(tensors: dict[str, NDArray[Any]]) -> None:
    made = priors("tensorflow", (300, 300))[:, [1, 0, 3, 2]]
    step = 0.00646  # of the file's quantisation
    np.testing.assert_allclose(made, tensors["anchors"], atol=step / 2 + 1e-4)


@pytest.mark.parametrize("anchors", ["anchors", "tensorflow"])
def test_what_the_file_finds_is_found_from_its_raw_heads(
    tensors: dict[str, NDArray[Any]], anchors: str
) -> None:
    options = {**RAW, "anchors": anchors, "order": "yxhw", "activation": "none"}
    spec = Spec(COCO90, np.full(90, 0.4, np.float32), 0.6, (300, 300))
    found = bind("ssd", options)(tensors, spec)
    assert isinstance(found, Boxes)
    boxes, ids, scores = (tensors[f"{DONE}{end}"][0] for end in ("", ":1", ":2"))
    likely = np.flatnonzero(scores >= 0.4)
    assert len(likely) >= 3
    least = (
        0.999 if anchors == "anchors" else 0.85
    )  # the file's priors are rounded to 1 of 300 pixels
    for box, class_id, score in zip(boxes[likely], ids[likely], scores[likely], strict=True):
        xyxy = np.clip(box[[1, 0, 3, 2]], 0, 1) * 300
        same = np.flatnonzero((found.class_id == class_id) & np.isclose(found.score, score))
        assert max(overlap(tuple(xyxy), tuple(found.xyxy[row])) for row in same) > least
    support.record("SSD-MobileNet, raw heads", "TF Lite", "litert", "int8")


def test_auto_reads_the_raw_heads(tensors: dict[str, NDArray[Any]]) -> None:
    raw = {name: tensors[name] for name in RAW.values()}
    found = auto(raw, 90, (300, 300))
    expected = {**RAW, "activation": "none", "order": "yxhw"}
    assert (found.decoder, found.options) == ("ssd", expected)
    del raw["anchors"]
    found = auto(raw, 90, (300, 300))
    assert found.options == {**expected, "anchors": "tensorflow"}
