"""ONNX files from anywhere, and what every import has in common."""

from __future__ import annotations

import json
from operator import and_, or_
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import engines
from engines.builder.frames import shipped_pictures
from engines.convert.asked import Asked, InputKeys
from engines.convert.gaps import Gap, compared, output_gaps
from engines.convert.importing import import_model
from engines.convert.network import rename
from engines.convert.tidy import picture_input
from engines.found import TASKS
from engines.labels import COCO80
from tests.support import support_table as support
from tests.support.conversions import axes, imported, photographs, worst
from tests.support.shared_clips import CLIPS


def network(path: Path, **inputs: list[int | str]) -> Path:
    """A sigmoid of its first input, whatever that is."""
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
    end = helper.make_tensor_value_info("chance", TensorProto.FLOAT, next(iter(inputs.values())))
    nodes = [helper.make_node("Sigmoid", [next(iter(inputs))], ["chance"])]
    nodes += [helper.make_node("Identity", [name], [f"seen_{name}"]) for name in inputs]
    graph = helper.make_graph(nodes, "graph", infos, [end])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.parametrize(
    ("name", "labels", "asked"),
    [
        ("yolox-nano", COCO80, {}),
        pytest.param("deimv2-femto", COCO80, {}, marks=pytest.mark.full),
        ("yunet", ("face",), {"dynamic": "size"}),
        pytest.param("omz-road", ("road", "curb", "lane_mark"), {}, marks=pytest.mark.full),
        ("mediapipe-selfie", ("person",), {}),
    ],
)
def test_public_files_read_as_the_zoo_reads_them(
    weights: Path, tmp_path: Path, name: str, labels: tuple[str, ...], asked: dict[str, Any]
) -> None:
    zoo = engines.manifest.find(name)
    left_out = {"name", "size"} if asked.get("dynamic") == "size" else {"name", "size", "multiple"}
    keys = zoo.input.model_dump(exclude_unset=True, exclude=left_out)
    made = imported(
        weights / zoo.file,
        tmp_path / "out",
        labels=labels,
        size=zoo.input.size,
        input=InputKeys(**{"scale": 1.0} | keys),
        frames=photographs(tmp_path, 2),
        **asked,
    )
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.task, manifest.decoder) == (zoo.task, zoo.decoder)
    assert worst(made) < 1e-5
    if name == "yolox-nano":  # its batch is opened
        before = onnx.load(weights / zoo.file).graph.input[0].type.tensor_type.shape.dim[0]
        assert (before.dim_value, axes(made, "images")[0]) == (1, "batch")
    if name == "mediapipe-selfie":
        support.record("MediaPipe selfie", "ONNX", "onnxruntime", "fp32")
    threshold = 0.4 if zoo.task == "detect" else None
    models = [engines.load(model, threshold=threshold) for model in (str(made.manifest), name)]
    # Squares, of which a network of open size makes the same tensor as one of a fixed size.
    street, face = shipped_pictures()[2][:, :272], shipped_pictures()[-1]
    for ours, theirs in zip(*((m(street), m(face)) for m in models), strict=True):
        assert np.allclose(ours.detections.xyxy, theirs.detections.xyxy, atol=0.01)
        for a, b in zip(ours.masks, theirs.masks, strict=True):
            for label in labels:
                both, either = (op(a.plane(label), b.plane(label)).sum() for op in (and_, or_))
                assert either == 0 or both / either > 0.999
    found = models[0](street), models[0](face)
    assert any(
        len(each.detections) or any(mask.bits.any() for mask in each.masks) for each in found
    )


def test_a_batch_stays_one_where_it_must(tmp_path: Path) -> None:
    source = network(tmp_path / "net.onnx", x=[1, 3, 32, 32])
    model = onnx.load(source)
    axis = numpy_helper.from_array(np.array([0], np.int64), "axis")
    model.graph.initializer.append(axis)
    model.graph.node[0].output[0] = "first"
    model.graph.node.append(helper.make_node("Squeeze", ["first", "axis"], ["picture"]))
    model.graph.node.append(helper.make_node("Unsqueeze", ["picture", "axis"], ["chance"]))
    onnx.save(model, source)
    made = imported(source, tmp_path / "out", labels=("a", "b", "c"), decoder="sigmoid")
    assert axes(made, "x") == [1, 3, 32, 32]
    said = made.about["onnx"]["batch"]
    assert said.startswith("one image per call; it fails with two: ")
    assert "Squeeze" in said


def test_weights_beside_the_file_are_put_into_it(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1), "w")
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 16, 24])
        for name in ("images", "planes")
    ]
    node = helper.make_node("Conv", ["images", "w"], ["planes"])
    graph = helper.make_graph([node], "graph", ends[:1], ends[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, size_threshold=0)
    assert len(list(tmp_path.iterdir())) == 2
    imported(tmp_path / "net.onnx", tmp_path / "out", labels=("r", "g", "b"), decoder="sigmoid")


@pytest.mark.parametrize(
    ("inputs", "asked", "said"),
    [
        (
            {"x": ["n", 3, 32, 32]},
            {"labels": ("a", "b")},
            r"labels: 2 by the option \(a, b\), but 3",
        ),
        ({"x": ["n", 3, "h", "w"]}, {}, "size: missing, and required as x"),
        ({"x": ["n", 3, 32, 32]}, {"size": (64, 32)}, "size: the network has 32x32 in x"),
        (
            {"x": ["n", 3, 32, 32]},
            {"input": InputKeys(layout="nhwc")},
            "layout: nhwc has no 3 channels",
        ),
        ({"x": ["n", 2, 32, 32]}, {}, "layout: expected nchw or nhwc, as x"),
        (
            {"x": ["n", 3, 32, 32]},
            {"input": InputKeys(colour="grey")},
            r"colour: grey, but x .* has 3 channels",
        ),
        (
            {"x": ["n", 1, 32, 32]},
            {"input": InputKeys(colour="bgr")},
            r"colour: expected grey, as x .* has one channel",
        ),
        ({"x": ["n", 3, 32, 32], "iou": []}, {}, "--extra, such as NAME=size_wh or NAME=0.5"),
        (
            {"x": ["n", 3, 32, 32], "im_shape": ["n", 2], "scale_factor": ["n", 2]},
            {},
            "such as im_shape=size_hw --extra scale_factor=1,1; the file",
        ),
        ({"x": ["n", 3, 32, 3]}, {}, "layout: expected nchw or nhwc, as x"),
        ({"x": [3, 32, 32]}, {}, "input x: expected 4 axes of images"),
        ({"x": ["n", 3, 32, 32], "y": ["n", 2]}, {}, "expected one image and the others in"),
        (
            {"x": ["n", 3, 32, 32]},
            {"input": InputKeys(extra={"z": "size_wh"})},
            "extra: no input z; the file has x",
        ),
        ({"x": ["n", 3, 32, 32]}, {"decoder": "argmacs", "task": "segment"}, "labels: missing"),
        (
            {"x": ["n", 3, 32, 32]},
            {"decoder": "argmacs", "task": "segment", "labels": ("a",)},
            "argmax",
        ),
    ],
)
def test_what_is_asked_does_not_fit(
    tmp_path: Path, inputs: dict[str, list[int | str]], asked: dict[str, Any], said: str
) -> None:
    source = network(tmp_path / "net.onnx", **inputs)
    with pytest.raises((ValueError, RuntimeError), match=said):
        import_model(Asked(source=str(source), name="made", out=tmp_path / "out", **asked))
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_no_network(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no network")
    asked = Asked(source=str(tmp_path / "no.onnx"), name="made", out=tmp_path / "out")
    with pytest.raises(ValueError, match=r"no\.onnx: expected an ONNX file"):
        import_model(asked)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"name": "a b"}, "name: expected letters, digits"),
        ({"dynamic": "all"}, "dynamic: expected batch, size, none, got all"),
        (
            {"input": InputKeys(multiple=32)},
            "multiple: expected with dynamic size, got dynamic batch",
        ),
        ({"size": (4, 64)}, "size: expected at least 8x8, got 4x64"),
        ({"batch": 4}, "batch: expected 1, got 4"),
        ({"time_limit": 0}, "time_limit: expected more than 0 s, got 0"),
        ({"task": "find"}, f"task: expected {TASKS}, got 'find'"),
        ({"options": {"logits": True}}, "options: expected with a decoder that is named"),
    ],
)
def test_what_is_asked_is_wrong(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        asked: dict[str, Any] = {"source": "net.onnx", "name": "made", "out": Path()} | keys
        Asked(**asked)


def test_a_decoder_of_ones_own(tmp_path: Path) -> None:
    source = network(tmp_path / "net.onnx", x=["n", 3, 32, 32])
    made = imported(
        source,
        tmp_path / "out",
        labels=("r", "g"),
        task="segment",
        decoder="engines.decoders.sigmoid:decode",
        options={"planes": {"chance": ["r", "g", None]}, "logits": False},
        threshold=0.6,
        licence="MIT",
        summary="red and green",
        frames=photographs(tmp_path),
    )
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.threshold, manifest.licence, manifest.summary) == (0.6, "MIT", "red and green")
    assert made.about["decoder"]["because"] == ["as asked"]
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[:16, :, 1] = 255  # a sigmoid of 1 is 0.73
    (mask,) = engines.load(str(made.manifest))(rgb).masks
    assert mask.plane("g")[:16].all()
    assert not mask.plane("g")[16:].any()
    assert not mask.plane("r").any()


class Fixed:
    """Gives what it is told to."""

    def __init__(self, **outputs: Any) -> None:
        self.outputs = {name: np.asarray(value) for name, value in outputs.items()}

    def run(self, _feeds: Any) -> Any:
        return self.outputs


def test_gaps_by_hand() -> None:
    a = Fixed(
        x=np.array([0, 8, -4], np.float32),
        ids=[1, 2, 3, 4],
        bad=np.array([1, 2], np.float32),
        zero=np.zeros(2),
    )
    b = Fixed(
        x=np.array([1, 8, -4], np.float32),
        ids=[1, 2, 3, 5],
        bad=np.array([1], np.float32),
        zero=np.zeros(2),
    )
    gaps = output_gaps(a, b, [{}], 0.2)
    assert (gaps["x"].absolute, gaps["x"].relative) == (1, 0.125)
    assert gaps["x"].is_within
    assert gaps["ids"].relative == 0.25  # of whole numbers the share of those that differ
    assert not gaps["ids"].is_within
    assert str(gaps["bad"]) == "another shape than (2,)"
    assert gaps["zero"].relative == 0
    nan = output_gaps(a, Fixed(x=np.array([0, np.nan, -4], np.float32)), [{}], 0.2)["x"]
    assert not nan.is_within


def test_rows_that_are_sorted_are_judged_by_what_is_found() -> None:
    gaps = {"boxes": Gap((2, 4), 3.0, 0.5, 0.001)}
    figures = {"figures": {"iou min": 1.0}, "missed": []}
    assert compared(gaps, dict(figures), ("end_to_end",), 2, "noise")["passed"]
    assert not compared(gaps, dict(figures), ("yolox",), 2, "noise")["passed"]
    assert not compared(gaps, {"note": "nothing is found"}, ("end_to_end",), 2, "noise")["passed"]
    lost = {"figures": {}, "missed": ["lost 0.5 where at most 0 is allowed"]}
    assert compared({}, lost, ("end_to_end",), 2, "noise")["missed"] == [
        "lost 0.5 where at most 0 is allowed"
    ]


def test_names_that_are_taken_inside_make_room(tmp_path: Path) -> None:
    model = onnx.load(network(tmp_path / "net.onnx", x=["n", 3, 32, 32]))
    rename(model, ["seen_x"], ["x"])
    onnx.checker.check_model(model)
    assert [model.graph.input[0].name, model.graph.output[0].name] == ["seen_x", "x"]
    assert picture_input(model, Asked(source="", name="a", out=Path())).name == "seen_x"


@pytest.mark.slow
def test_frames_of_a_clip_are_named_in_the_report(tmp_path: Path) -> None:
    clip = CLIPS / "carphone.mp4"
    if not clip.is_file():
        pytest.skip(f"no clip {clip.name} in {CLIPS}")
    made = imported(
        network(tmp_path / "net.onnx", x=["n", 3, 32, 32]),
        tmp_path / "out",
        labels=("r", "g", "b"),
        frames=str(clip),
    )
    about = json.loads(made.report.read_text())
    assert (about["frames"], about["pictures"]) == (str(clip.resolve()), 16)
    assert about["task"]["figures"]["iou of g"] == 1
