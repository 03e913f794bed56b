from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from engines.convert.recognise import Recognised, RecogniseError, last_ops, recognise
from engines.manifest import Manifest, find, zoo_names
from engines.model import session_of
from tests.support.recognised import Gives, auto

COCO = find("yolox-nano").labels
AMBIGUOUS = {"road": ("argmax", "sigmoid")}  # three planes of logits: they may compete or not


def outputs_of(manifest: Manifest) -> tuple[Any, dict[str, NDArray[Any]]]:
    """The session of a model, and what it gives for noise."""
    session = session_of(manifest, threads=2)
    width, height = manifest.input.size
    nchw = manifest.input.layout == "nchw"
    shape = (1, 3, height, width) if nchw else (1, height, width, 3)
    picture = np.random.default_rng(0).integers(0, 255, shape) * manifest.input.scale
    feeds = {manifest.input.name: picture.astype(session.inputs[manifest.input.name].dtype)}
    for name in manifest.input.extra:
        feeds[name] = np.array([[width, height]], session.inputs[name].dtype)
    return session, session.run(feeds)


# Some are slow, as the model is made of another one first.
DEAR = {
    "yolox-street": pytest.mark.full,  # as yolox-nano, of which it is made
    "yolox-nano": pytest.mark.slow,
    "twinlitenet": pytest.mark.slow,
    "lwnet": pytest.mark.slow,
    "omz-road": pytest.mark.slow,
    "deimv2-femto": pytest.mark.slow,
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=DEAR.get(name, ())) for name in zoo_names()]
)
def test_every_model_of_the_zoo_is_recognised_or_its_ambiguity_told(
    name: str, weights: Path
) -> None:
    manifest = find(name)
    if manifest.file.endswith(".tflite"):
        pytest.importorskip("ai_edge_litert", reason="LiteRT runs .tflite")
    session, outputs = outputs_of(manifest)
    if name in AMBIGUOUS:
        with pytest.raises(RecogniseError, match="several fit") as caught:
            recognise(session, manifest.input.size, manifest.labels, manifest.task, outputs)
        assert all(f"\n  {decoder} {{" in str(caught.value) for decoder in AMBIGUOUS[name])
        assert str(caught.value).endswith("what settles it: decoder")
        return
    for part in manifest.parts:
        found = recognise(session, manifest.input.size, part.labels, part.task, outputs)
        assert (found.decoder, found.options) == (part.decoder, part.options)
        assert found.labels in (None, len(part.labels))
        assert (found.task, bool(found.reasons)) == (part.task, True)


def cells(size: tuple[int, int] = (96, 64), strides: tuple[int, ...] = (8, 16, 32)) -> Any:
    """(n, 4) corners in pixels of a box at each cell, a little off."""
    random = np.random.default_rng(1)
    rows = []
    for stride in strides:
        row, column = np.mgrid[: -(-size[1] // stride), : -(-size[0] // stride)].reshape(2, -1)
        centre = (np.stack([column, row], axis=1) + random.random((len(row), 2))) * stride
        half = (0.5 + random.random((len(row), 2))) * stride
        rows.append(np.hstack([centre - half, centre + half]))
    return np.concatenate(rows)


def centred(xyxy: Any) -> Any:
    return np.hstack([(xyxy[:, :2] + xyxy[:, 2:]) / 2, xyxy[:, 2:] - xyxy[:, :2]])


def table(boxes: Any, columns: int) -> NDArray[np.float32]:
    """(1, n, 4 + columns) with chances behind the boxes."""
    chances = np.random.default_rng(2).random((len(boxes), columns))
    return np.hstack([boxes, chances])[None].astype(np.float32)


def ids_and_scores(count: int, highest: int) -> tuple[Any, Any]:
    random = np.random.default_rng(3)
    ids = random.integers(0, highest + 1, count)
    ids[:2] = highest, 0
    return ids, random.random(count).astype(np.float32)


PARTS = np.array([96, 64] * 2)
CORNERS, CENTRES = cells(), centred(cells())
QUERIES = np.random.default_rng(5).random((50, 4)).astype(np.float32) * 0.5
LOGITS = np.random.default_rng(6).normal(-2, 2, (1, 50, 5)).astype(np.float32)
EMPTY = np.concatenate([LOGITS[..., :4], LOGITS[..., :4].max(axis=2, keepdims=True) + 3], axis=2)
UNUSED = np.concatenate([np.full((1, 50, 1), -11.0, np.float32), LOGITS[..., 1:]], axis=2)
IDS, SCORES = ids_and_scores(50, 4)
ROWS = np.hstack([CORNERS[:50], SCORES[:, None], IDS[:, None]]).astype(np.float32)

LAYOUTS: dict[str, tuple[dict[str, Any], int, str, dict[str, Any]]] = {
    "YOLOv8": ({"o": table(CENTRES, 5).transpose(0, 2, 1)}, 5, "yolov8", {}),
    "YOLOv8 transposed": ({"o": table(CENTRES, 5)}, 5, "yolov8", {"channels": "last"}),
    "YOLOv8 in parts": (
        {"o": table(CENTRES / PARTS, 5).transpose(0, 2, 1)},
        5,
        "yolov8",
        {"normalised": True},
    ),
    "YOLO9": ({"o": table(CORNERS, 5).transpose(0, 2, 1)}, 5, "yolov8", {"format": "xyxy"}),
    "YOLOv5": ({"o": table(np.tile(CENTRES, (3, 1)), 6)}, 5, "yolov5", {}),
    "YOLOX decoded": ({"o": table(CENTRES, 6)}, 5, "yolov5", {}),
    "YOLOX raw": ({"o": table(np.random.default_rng(0).random((126, 4)), 6)}, 5, "yolox", {}),
    "YOLO-NAS": (
        {"a": CORNERS[None].astype(np.float32), "b": table(CORNERS, 5)[..., 4:]},
        5,
        "boxes_scores",
        {"boxes": "a", "scores": "b"},
    ),
    "YOLOv10": ({"o": ROWS[None]}, 5, "rows", {}),
    "RT-DETR": ({"pred_logits": LOGITS, "pred_boxes": QUERIES[None]}, 5, "detr", {}),
    "RF-DETR": (
        {"dets": QUERIES[None], "labels": UNUSED},
        4,
        "detr",
        {"boxes": "dets", "logits": "labels", "first_class": 1},
    ),
    "DETR": (
        {"pred_logits": EMPTY, "pred_boxes": QUERIES[None]},
        4,
        "detr",
        {"activation": "softmax", "background": "last"},
    ),
    "R-CNN of torchvision": (
        {"boxes": CORNERS[:50].astype(np.float32), "labels": IDS + 1, "scores": SCORES},
        5,
        "end_to_end",
        {"first_class": 1},
    ),
    "SSD of TensorFlow": (
        {
            "detection_boxes": (np.abs(CORNERS[:50]) / PARTS)[None, :, [1, 0, 3, 2]].clip(0, 1),
            "detection_classes": IDS[None].astype(np.float32) + 1,
            "detection_scores": SCORES[None],
            "num_detections": np.array([50.0], np.float32),
        },
        5,
        "end_to_end",
        {
            "boxes": "detection_boxes",
            "labels": "detection_classes",
            "scores": "detection_scores",
            "count": "num_detections",
            "format": "yxyx",
            "normalised": True,
            "first_class": 1,
        },
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_is_recognised(name: str) -> None:
    outputs, labels, decoder, options = LAYOUTS[name]
    found = auto(outputs, labels)
    assert (found.decoder, found.options, found.task) == (decoder, options, "detect")
    assert found.labels in (None, labels)
    assert all(reason for reason in found.reasons)


def test_the_reasons_are_words() -> None:
    outputs = {"output0": table(centred(cells((640, 640))), 80).transpose(0, 2, 1)}
    assert auto(outputs, 80, (640, 640)).reasons == (
        "output0 is (1, 84, 8400): 8400 = 80*80 + 40*40 + 20*20 cells of strides 8, 16, 32",
        "84 = 4 + 80 labels; channels first",
        "x and y follow the cells, width and height do not: centre and size, in pixels",
    )


def test_without_labels_an_objectness_cannot_be_told_from_a_class() -> None:
    with pytest.raises(RecogniseError) as caught:
        auto({"o": table(CENTRES, 6)}, None, task="detect")
    lines = str(caught.value).splitlines()
    assert lines[0] == "decoder: several fit; say which in the manifest"
    assert [line.split()[0] for line in lines[1:3]] == ["yolov5", "yolov8"]
    assert lines[-1] == "  what settles it: labels"


def test_another_number_of_labels_is_refused_with_the_sum() -> None:
    with pytest.raises(RecogniseError, match=r"but 11 is 4 \+ 7 or 5 \+ 6, not with 9 labels"):
        auto({"o": table(CENTRES, 7)}, 9)


def test_what_fits_nothing_is_refused_and_all_that_was_considered_is_kept() -> None:
    with pytest.raises(RecogniseError) as caught:
        auto({"o": np.zeros((1, 77, 13), np.float32)}, 5)
    said, why = str(caught.value), "\n".join(caught.value.why)
    assert said.startswith("decoder: none fits; o is (1, 77, 13)\n")
    for name in ("yolov5, yolov8, yolox", "end_to_end", "detr", "ssd", "gfl", "yolov1", "softmax"):
        assert f"  not {name}" in why
    assert "96x64 has 126 cells of strides 8, 16, 32" in said
    assert "what helps: --decoder" in said


def test_a_refusal_of_many_large_outputs_is_short() -> None:
    rng = np.random.default_rng(0)
    outputs = {f"out{'x' * 300}{i}": rng.normal(size=(1, 77 + i, 13)) for i in range(200)}
    with pytest.raises(RecogniseError) as caught:
        auto(outputs, None)
    assert len(str(caught.value).splitlines()) <= 12
    assert len(str(caught.value)) <= 1500


def test_scores_that_are_no_probabilities_are_told() -> None:
    logits = table(CENTRES, 5) * 9 - 4
    with pytest.raises(
        RecogniseError, match=r"its scores are no probabilities, from -[0-9.]+ to 5"
    ):
        auto({"o": logits.transpose(0, 2, 1)}, 5)


def test_a_nanodet_tells_its_steps_and_asks_for_its_centre() -> None:
    random = np.random.default_rng(7)
    raw = np.concatenate([random.random((1, 128, 5)), random.normal(0, 2, (1, 128, 32))], axis=2)
    with pytest.raises(RecogniseError, match=r"what settles it: options\.centre") as caught:
        auto({"o": raw.astype(np.float32)}, 5)
    assert "37 = 5 labels + 4 * 8 steps of a distribution" in str(caught.value)


SHARES = np.exp(np.random.default_rng(8).normal(0, 1, (1, 3, 32, 48)))
SHARES = (SHARES / SHARES.sum(axis=1, keepdims=True)).astype(np.float32)
THREE: dict[str, list[str | None]] = {"o": ["l0", "l1", "l2"]}


def test_segmenters_are_recognised() -> None:
    found = auto({"o": SHARES}, 3)
    assert (found.decoder, found.options) == ("argmax", {"planes": THREE})
    found = auto({"o": SHARES}, 2)
    assert found.options == {"planes": {"o": [None, "l0", "l1"]}}
    found = auto({"o": SHARES**2}, 3)
    assert (found.decoder, found.options) == ("sigmoid", {"logits": False, "planes": THREE})
    found = auto({"o": SHARES.transpose(0, 2, 3, 1)}, 3)
    assert found.options == {"channels": "last", "planes": THREE}
    found = auto({"o": SHARES.argmax(axis=1)}, 3)
    assert (found.decoder, found.options) == ("class_ids", {"planes": THREE})


def test_the_last_operator_tells_logits_that_look_like_probabilities() -> None:
    plane = {"o": np.full((1, 1, 64, 96), 0.3, np.float32)}
    assert auto(plane, 1, ops={"o": "Conv"}).options["logits"] is True
    assert auto(plane, 1, ops={"o": "Sigmoid"}).options["logits"] is False
    node = onnx.helper.make_node("Sigmoid", ["i"], ["o"])
    info = [onnx.helper.make_tensor_value_info(n, 1, [1]) for n in "io"]
    graph = onnx.helper.make_graph([node], "g", info[:1], info[1:])
    assert last_ops(onnx.helper.make_model(graph)) == {"o": "Sigmoid"}


def settled(
    outputs: Mapping[str, NDArray[Any]], labels: int, decoder: str, options: Mapping[str, Any]
) -> Recognised:
    names = tuple(f"l{i}" for i in range(labels))
    return recognise(Gives(outputs), (96, 64), names, None, outputs, None, decoder, options)


def test_what_is_known_settles_an_ambiguity() -> None:
    logits = {"pred_logits": LOGITS, "pred_boxes": QUERIES[None]}
    with pytest.raises(RecogniseError, match="several fit"):
        settled(logits, 4, "detr", {})
    found = settled(logits, 4, "detr", {"activation": "softmax"})
    assert found.options == {"activation": "softmax", "background": "last"}
    found = settled(logits, 4, "detr", {"first_class": 1})
    assert found.options == {"first_class": 1}
    grid = {"o": np.random.default_rng(9).random((1, 7, 7, 30)).astype(np.float32)}
    known = {"cell": "classes-boxes", "root": False}
    found = settled(grid, 20, "yolov1", known)
    assert found.options == {"grid": 7, "boxes": 2, "layout": "last", **known}
    with pytest.raises(RecogniseError, match=r"fits \{grid: 7, .*\}, but not with \{boxes: 3\}"):
        settled(grid, 20, "yolov1", {"boxes": 3})


def test_a_decoder_that_is_named_is_the_only_one_considered() -> None:
    planes = {"o": np.random.default_rng(9).normal(0, 3, (1, 3, 32, 48)).astype(np.float32)}
    assert settled(planes, 3, "sigmoid", {}).options == {"logits": True, "planes": THREE}
    assert settled(planes, 3, "argmax", {}).options == {"planes": THREE}
