"""Layouts of libreyolo's exports against its own decoders, both by golden/libreyolo_layouts.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.convert.recognise import RecogniseError
from engines.decoders import Spec, bind
from engines.found import Boxes
from tests.support import golden_outputs, raw_heads
from tests.support import support_table as support
from tests.support.recognised import auto

GOLDEN = np.load(golden_outputs.FOLDER / "libreyolo.npz")
CORNERS = {"format": "xyxy", "multi_label": True}
DETR = {"activation": "softmax", "background": "last"}
NAMED_AMISS = {"boxes": "pred_logits", "scores": "pred_boxes"}  # as libreyolo names YOLO-NAS's
READ: dict[str, tuple[str, dict[str, Any]]] = {
    "YOLOX": ("yolov5", {}),
    "YOLO9": ("yolov8", CORNERS),
    "PicoDet": ("yolov8", {"channels": "last", **CORNERS}),
    "YOLO-NAS": ("boxes_scores", NAMED_AMISS),
    "RT-DETRv2": ("detr", {}),
    "D-FINE": ("detr", {}),
    "DETR": ("detr", {**DETR, "limit": 100}),
}

SSD300 = {"anchors": "ssd300", "activation": "softmax"}
STRIDES = (8, 16, 32, 64)
GFL = {
    "scores": [f"scores_{stride}" for stride in STRIDES],
    "distances": [f"sides_{stride}" for stride in STRIDES],
    "activation": "sigmoid",
}
RAW: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "SSD raw": (raw_heads.ssd, "ssd", SSD300),
    "PicoDet raw": (raw_heads.picodet, "gfl", {**GFL, "multi_label": True}),
    "YOLOv1 grid": (raw_heads.yolov1, "yolov1", {"layout": "blocks"}),
}


def golden(name: str) -> tuple[dict[str, NDArray[Any]], Spec]:
    lead = f"{name}/out/"
    outputs = {k.removeprefix(lead): GOLDEN[k] for k in GOLDEN.files if k.startswith(lead)}
    width, height, classes = (int(number) for number in GOLDEN[f"{name}/size"])
    least = np.full(classes, GOLDEN[f"{name}/confidence"], np.float32)
    labels = tuple(f"l{i}" for i in range(classes))
    return outputs, Spec(labels, least, float(GOLDEN[f"{name}/iou"]), (width, height))


def compare(found: Any, name: str, spec: Spec) -> None:
    """With what libreyolo made of the same outputs; cut at the edges, as it cuts."""
    assert isinstance(found, Boxes)
    xyxy, score, class_id = (GOLDEN[f"{name}/{key}"] for key in ("xyxy", "score", "class"))
    expected = in_order(xyxy, score, class_id, spec)
    assert len(expected) > 20
    np.testing.assert_allclose(
        in_order(found.xyxy, found.score, found.class_id, spec), expected, atol=2e-3, rtol=1e-5
    )


def in_order(xyxy: Any, score: Any, class_id: Any, spec: Spec) -> NDArray[np.float64]:
    """Rows of class, score, box at the image's edges; by score, then by class."""
    clipped = np.clip(xyxy, 0, np.array(spec.size * 2))
    rows = np.column_stack([class_id, score, clipped]).astype(np.float64)
    rows = rows[(rows[:, 4] > rows[:, 2]) & (rows[:, 5] > rows[:, 3])]
    return rows[np.lexsort((rows[:, 0], -rows[:, 1].round(6)))]


@pytest.mark.parametrize("name", READ)
def test_boxes_are_those_of_libreyolos_own_decoder(name: str) -> None:
    outputs, spec = golden(name)
    decoder, options = READ[name]
    compare(bind(decoder, options)(outputs, spec), name, spec)
    support.record(name, "PyTorch", "onnxruntime", "fp32")


@pytest.mark.parametrize("name", RAW)
def test_raw_heads_are_read_as_libreyolo_reads_them(name: str) -> None:
    made, decoder, options = RAW[name]
    _, spec = golden(name)
    compare(bind(decoder, options)(made(), spec), name, spec)


def test_auto_finds_the_raw_heads_and_asks_for_the_order_in_a_cell() -> None:
    found = auto(raw_heads.ssd(), raw_heads.CLASSES, (300, 300))
    assert (found.decoder, found.options) == ("ssd", SSD300)
    found = auto(raw_heads.picodet(), raw_heads.CLASSES, (96, 96))
    assert (found.decoder, found.options) == ("gfl", GFL)
    with pytest.raises(
        RecogniseError, match=r"yolov1 \{grid: 7, boxes: 2, layout: blocks\}"
    ) as caught:
        auto(raw_heads.yolov1(), 20, (448, 448), "detect")
    assert "options.layout" in str(caught.value).splitlines()[-1]


@pytest.mark.parametrize("name", READ)
def test_auto_finds_that_decoder(name: str) -> None:
    outputs, spec = golden(name)
    decoder, options = READ[name]
    options = {k: v for k, v in options.items() if k not in ("multi_label", "limit")}
    if name == "DETR":  # noise for logits: nothing says that the last column is "no object"
        with pytest.raises(RecogniseError, match="several fit") as caught:
            auto(outputs, len(spec.labels), spec.size)
        assert "detr {activation: softmax, background: last}" in str(caught.value)
        assert str(caught.value).endswith(
            "options.activation, options.background, options.first_class"
        )
        return
    found = auto(outputs, len(spec.labels), spec.size)
    assert (found.decoder, found.options) == (decoder, options)
