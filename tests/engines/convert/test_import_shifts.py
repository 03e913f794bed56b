"""SSD's raw heads: read by their priors or refused, and never taken for boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import engines
from engines.convert.recognise import RecogniseError, recognise
from engines.decoders.priors import MADE, priors
from tests.support.conversions import imported
from tests.support.outcome import Run
from tests.support.recognised import Gives, auto

RANDOM = np.random.default_rng(12)
Outputs = dict[str, NDArray[np.float32]]


def heads(n: int, columns: int, softmaxed: bool = True, spread: float = 1.5) -> Outputs:
    """Shifts of n priors, and scores of so many columns of which the first is most of it."""
    logits = RANDOM.normal(0, 1, (1, n, columns)) + np.eye(columns)[0] * 6
    if softmaxed:
        logits = np.exp(logits)
        logits /= logits.sum(axis=2, keepdims=True)
    shifts = RANDOM.normal(0, spread, (1, n, 4))
    return {"scores": logits.astype(np.float32), "boxes": shifts.astype(np.float32)}


@pytest.mark.parametrize("softmaxed", [True, False])
@pytest.mark.parametrize(("size", "n"), [((320, 240), 4420), ((640, 480), 17640)])
def test_the_priors_of_small_face_detectors(size: tuple[int, int], n: int, softmaxed: bool) -> None:
    found = auto(heads(n, 2, softmaxed), None, size)
    activation = "none" if softmaxed else "softmax"
    assert (found.decoder, found.labels) == ("ssd", 1)
    assert found.options == {"anchors": "ultraface", "activation": activation}


@pytest.mark.parametrize(("side", "n"), [(260, 5972), (360, 11000)])
def test_the_priors_of_face_masks_have_no_background(side: int, n: int) -> None:
    outputs = {
        "loc_branch_concat": RANDOM.normal(0, 1.6, (1, n, 4)).astype(np.float32),
        "cls_branch_concat": RANDOM.random((1, n, 2)).astype(np.float32),
    }
    found = auto(outputs, None, (side, side))
    assert (found.decoder, found.labels) == ("ssd", 2)
    assert found.options == {
        "anchors": "facemask",
        "boxes": "loc_branch_concat",
        "scores": "cls_branch_concat",
        "activation": "none",
        "background": "none",
    }


def test_priors_are_made_for_inputs_of_any_size() -> None:
    for side in range(8, 200, 8):
        assert all(len(priors(kind, (side, side))) for kind in MADE)


def test_retinaface_and_its_landmarks() -> None:
    outputs = heads(4200, 2)
    outputs = {
        "loc": outputs["boxes"],
        "conf": outputs["scores"],
        "landms": RANDOM.normal(0, 2, (1, 4200, 10)).astype(np.float32),
    }
    found = auto(outputs, None, (320, 320))
    assert found.options == {
        "anchors": "retinaface",
        "boxes": "loc",
        "scores": "conf",
        "activation": "none",
    }


@pytest.mark.parametrize("spread", [0.6, 1.5, 5.0])
@pytest.mark.parametrize("softmaxed", [True, False])
def test_unknown_priors_are_asked_for(spread: float, softmaxed: bool) -> None:
    outputs = heads(3000, 4, softmaxed, spread)
    with pytest.raises(RecogniseError) as caught:
        auto(outputs, None, (300, 300))
    message = str(caught.value)
    assert "shifts of 3000 priors" in message
    assert "--decoder ssd --option anchors=" in message
    assert len(message) < 1500
    levels = [{"cells": (50, 30), "shapes": ((0.1, 0.1), (0.2, 0.1))}]
    found = recognise(
        Gives(outputs), (300, 300), None, None, outputs, None, "ssd", {"anchors": levels}
    )
    assert found.options["anchors"] == levels


def test_boxes_that_are_decoded_are_no_shifts() -> None:
    outputs = heads(4420, 2)
    centre = RANDOM.random((4420, 2))
    half = RANDOM.uniform(0.01, 0.1, (4420, 2))
    outputs["boxes"] = np.hstack([centre - half, centre + half])[None].astype(np.float32)
    found = auto(outputs, None, (320, 240))
    assert (found.decoder, found.labels) == ("boxes_scores", 1)
    assert found.options == {"background": "first", "normalised": True}
    assert found.family == "ultraface"


def test_an_import_finds_the_box_that_its_head_says(tmp_path: Path) -> None:
    """A constant head: the largest prior of one cell, moved by a tenth of its size and doubled."""
    given = priors("ultraface", (320, 240))
    at = 3600 + 7 * 2  # of the second map, 20x15 cells of two priors: row 0, column 7
    scores = np.tile(np.array([0.99, 0.01], np.float32), (1, len(given), 1))
    scores[0, at] = [0.1, 0.9]
    shifts = RANDOM.normal(0, 1.5, (1, len(given), 4)).astype(np.float32)
    shifts[0, at] = [1, 2, 5 * np.log(2), 0]
    path = _constants(tmp_path / "net.onnx", scores=scores, boxes=shifts)
    made = imported(path, tmp_path / "out")
    assert (made.labels, made.origins["labels"]) == (("face",), "family Ultra-Light-Fast faces")
    assert made.fed["scale"] == 1 / 128
    found = engines.load(str(made.manifest))(np.zeros((240, 320, 3), np.uint8)).detections
    x, y, width, height = given[at]
    centre = np.array([x + 0.1 * width, y + 0.2 * height])
    half = np.array([width, height / 2])
    edges = np.concatenate([centre - half, centre + half]) * [320, 240, 320, 240]
    assert np.allclose(found.xyxy, np.clip(edges, 0, None)[None], atol=0.01)


def test_levels_are_named_on_the_command_line(tmp_path: Path, mirante: Run) -> None:
    path = _constants(tmp_path / "net.onnx", **heads(3000, 3))
    command = ("models", "import", str(path), "--name", "m", "--out", str(tmp_path / "out"))
    refused = mirante(*command)
    assert refused.status == 2
    assert "what helps: --decoder ssd --option anchors=…" in refused.err
    assert len(refused.err) < 1500
    levels = "anchors=[{cells: [50, 30], shapes: [[0.1, 0.1], [0.2, 0.1]]}]"
    made = mirante(*command, "--decoder", "ssd", "--option", levels)
    assert made.status == 0, made.err
    assert engines.load(str(tmp_path / "out" / "m.yaml")).labels == ("class_0", "class_1")


def _constants(path: Path, **outputs: NDArray[np.float32]) -> Path:
    """A network of 320x240 that gives these whatever it sees."""
    image = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 240, 320])
    nodes = [helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0)]
    nodes += [helper.make_node("Mul", ["mean", "zero"], ["nothing"])]
    nodes += [helper.make_node("Add", [f"{n}.value", "nothing"], [n]) for n in outputs]
    values: list[Any] = [numpy_helper.from_array(np.array(0, np.float32), "zero")]
    values += [numpy_helper.from_array(value, f"{name}.value") for name, value in outputs.items()]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape)
        for name, value in outputs.items()
    ]
    graph = helper.make_graph(nodes, "heads", [image], ends, values)
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path
