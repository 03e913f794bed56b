from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from onnx import helper

import engines
import engines.convert.recognise
from engines.builder.build import Request, build
from engines.builder.parity import LIMITS, compare, report
from engines.decoders import OptionError, Spec, bind
from engines.found import Attributes
from engines.manifest import ManifestError, find
from mirante import Detections, FrameResult
from mirante.detections import Attribute
from mirante.wire import decode, encode
from pipeline.cameras.synthetic import LABELS, picture, truth
from pipeline.config.references import check_stages
from pipeline.config.stages.model import ModelStage
from plugins.frame import Frame
from plugins.infer.stage import InferStage
from tests.support.onnx_networks import floats, save
from tests.support.recognised import auto

COLOUR: dict[str, Any] = {
    "name": "colour",
    "task": "classify",
    "file": "colour.onnx",
    "licence": "Apache-2.0",
    "input": {"name": "image", "size": [32, 32], "scale": 1 / 255},
    "decoder": "softmax",
    "labels": ["blue", "green", "red"],
    "crop": {"margin": 0.9},
}


def write(folder: Path, **changes: Any) -> str:
    data = COLOUR | changes
    path = folder / f"{data['name']}.yaml"
    path.write_text(yaml.safe_dump(data))
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a classifier of the mean colour: logits of blue, green and red."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gather", ["flat", "order"], ["ordered"], axis=1),
        helper.make_node("Mul", ["ordered", "steep"], ["logits"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "order": np.array([2, 1, 0], np.int64),
        "steep": np.array([8], np.float32),
    }
    inputs, outputs = [floats("image", [1, 3, 32, 32])], [floats("logits", [1, 3])]
    save(tmp_path / "colour.onnx", nodes, constants, inputs, outputs)
    return tmp_path


def blank(width: int, height: int) -> FrameResult:
    return FrameResult("gate", 7, 1, 1_000_000_000, "arrival", width, height)


def test_each_box_of_the_synthetic_camera_gets_its_colour_as_far_as_the_wire(folder: Path) -> None:
    named = write(folder)
    rgb, _ = picture(5, 640, 360), truth(5, 640, 360)
    result = InferStage("test-boxes")(Frame(rgb), blank(640, 360))
    assert result.detections.attributes == ()
    for label in LABELS:
        result = InferStage(named, on=label)(Frame(rgb), result)
    assert sorted(label for label, _, _ in result.detections) == sorted(LABELS)
    back = decode(encode(result).detections["json"]).detections
    for found in (result.detections, back):
        for index, (label, _, _) in enumerate(found):
            said = found.attributes_of(index)["colour"]
            assert said.label == label
            assert said.score > 0.8


def test_boxes_of_another_class_get_none_and_earlier_attributes_stay(folder: Path) -> None:
    rgb = picture(5, 640, 360)
    result = InferStage("test-boxes")(Frame(rgb), blank(640, 360))
    result = InferStage(write(folder), on="red")(Frame(rgb), result)
    again = write(folder, name="twice", options={"name": "paint"})
    result = InferStage(again, on="red")(Frame(rgb), result)
    for index, (label, _, _) in enumerate(result.detections):
        names = ["colour", "paint"] if label == "red" else []
        assert sorted(result.detections.attributes_of(index)) == names


def test_a_label_below_its_threshold_is_not_told(folder: Path) -> None:
    model = engines.load(write(folder, threshold=0.9), on="box")
    boxes = np.array([[0, 0, 40, 40], [50, 0, 90, 40]], np.float32)
    rgb = np.zeros((50, 100, 3), np.uint8)
    rgb[:, :45, 0] = 255  # the other half is black: no colour is likelier than a third
    ones, ids = np.ones(2, np.float32), np.zeros(2, np.int32)
    said = model(rgb, detections=Detections(boxes, ones, ids, ("box",))).attributes
    assert said[0]["colour"].label == "red"
    assert said[1] == {}


@pytest.mark.parametrize(("aspect", "label"), [("tensor", "blue"), ("box", "red")])
def test_a_crop_has_the_shape_of_the_tensor_or_of_the_box(
    folder: Path, aspect: str, label: str
) -> None:
    model = engines.load(write(folder, crop={"aspect": aspect}), on="box")
    rgb = np.zeros((100, 100, 3), np.uint8)
    rgb[..., 2] = 255
    rgb[:, 40:60] = (255, 0, 0)  # a tall red box in blue: a square about it is mostly blue
    tall = np.array([[40, 0, 60, 100]], np.float32)
    found = Detections(tall, np.ones(1, np.float32), np.zeros(1, np.int32), ("box",))
    assert model(rgb, detections=found).attributes[0]["colour"].label == label


def test_a_whole_picture_is_classified_where_no_class_is_named(folder: Path) -> None:
    green = np.zeros((20, 20, 3), np.uint8)
    green[..., 1] = 255
    result = engines.load(write(folder))(green)
    assert result.attributes[None]["colour"].label == "green"
    assert (len(result.detections), result.masks) == (0, ())


def test_a_stage_that_classifies_needs_a_class(folder: Path) -> None:
    named = write(folder)
    with pytest.raises(ValueError, match="on: missing, and required: colour classifies boxes"):
        InferStage(named)
    stages = [ModelStage(model="test-boxes"), ModelStage(model=named)]
    (line,) = check_stages(stages, "cameras.gate.stages")
    assert line.startswith("cameras.gate.stages[1].on: nothing — ")
    assert "describes boxes: expected a class that an earlier stage finds" in line
    stages[1] = ModelStage(model=named, on="rad")
    (line,) = check_stages(stages, "cameras.gate.stages")
    assert line.endswith('did you mean "red"?')
    stages[1] = ModelStage(model=named, on="red")
    assert list(check_stages(stages, "cameras.gate.stages")) == []


def test_a_decoder_of_another_task_is_told(folder: Path) -> None:
    with pytest.raises(ManifestError, match="gives attributes, which is not task detect"):
        engines.load(write(folder, task="detect", threshold=0.5))


def spec(*labels: str, threshold: float = float("nan")) -> Spec:
    return Spec(labels, np.full(len(labels), threshold, np.float32), 0.5, (32, 32))


def said_of(options: dict[str, Any], values: list[float], given: Spec) -> Mapping[str, Attribute]:
    found = bind("softmax", options)({"out": np.array([values], np.float32)}, given)
    assert isinstance(found, Attributes)
    return found.said


def test_softmax_is_that_of_the_definition() -> None:
    (found,) = said_of({}, [1.0, 3.0, 2.0], spec("a", "b", "c")).values()
    shares = np.exp([1.0, 3.0, 2.0]) / np.exp([1.0, 3.0, 2.0]).sum()
    assert found.label == "b"
    assert found.score == pytest.approx(shares[1])


def test_independent_labels_are_attributes_of_their_own() -> None:
    given = spec("hat", "bag", "dog", threshold=0.5)
    options = {"activation": "sigmoid", "exclusive": False}
    found = said_of(options, [2.0, -1.0, 0.1], given)
    assert {name: said.label for name, said in found.items()} == {"hat": "hat", "dog": "dog"}
    assert found["hat"].score == pytest.approx(1 / (1 + np.exp(-2)))


def test_groups_are_shared_out_each_by_itself() -> None:
    given = spec("red", "blue", "van", "bus", "other")
    groups = {"colour": ["red", "blue"], "kind": ["bus", "van"]}
    found = said_of({"groups": groups}, [1.0, 0.0, 5.0, 4.0, 99.0], given)
    assert {name: said.label for name, said in found.items()} == {"colour": "red", "kind": "van"}
    assert found["colour"].score == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-6)
    assert found["kind"].score == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": {"colour": ["pink"]}}, r'options\.groups\.colour: no label "pink"'),
        ({"groups": {"colour": []}}, "expected at least one label, got none"),
        ({"activation": "relu"}, r"options\.activation: expected 'none', 'sigmoid' or 'softmax'"),
    ],
)
def test_a_bad_option_of_a_classifier_names_itself(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        said_of(options, [1.0, 2.0], spec("a", "b"))


def test_another_number_of_classes_than_labels_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"expected an output \(1, 3\), got \(1, 2\)"):
        said_of({}, [1.0, 2.0], spec("a", "b", "c"))


@pytest.mark.parametrize(
    ("values", "options", "why"),
    [
        ([-4.0, 2.0, 9.0], {}, "logits, taken to compete"),
        ([0.2, 0.7, 0.1], {"activation": "none"}, "they sum to one"),
        ([0.9, 0.7, 0.1], {"activation": "none", "exclusive": False}, "each label by itself"),
    ],
)
def test_auto_recognises_classifiers(
    values: list[float], options: dict[str, Any], why: str
) -> None:
    found = auto({"out": np.array([values], np.float32)}, 3)
    assert (found.decoder, found.options, found.task) == ("softmax", options, "classify")
    assert why in found.reasons[-1]


def test_auto_recognises_the_colour_classifier(folder: Path) -> None:
    manifest = find(write(folder))
    session = engines.model.session_of(manifest, 1)
    grey = np.full((1, 3, 32, 32), 0.5, np.float32)
    found = engines.convert.recognise.recognise(
        session, (32, 32), manifest.labels, None, session.run({"image": grey})
    )
    assert (found.decoder, found.task, found.labels) == ("softmax", "classify", 3)


@pytest.mark.slow
def test_an_engine_of_a_classifier_is_judged_by_what_it_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')
    monkeypatch.setenv("MIRANTE_HOME", str(folder / "home"))
    np.savez(folder / "seen.npz", *(picture(n, 640, 360) for n in (0, 7)))
    engine = build(
        Request(model=write(folder), runtime="onnxruntime", frames=str(folder / "seen.npz"))
    )
    figures = engine.about["parity"]["engine"]["figures"]
    assert (figures["attributes"], figures["same label"]) == (2, 1)
    assert engines.load(str(engine.manifest)).task == "classify"


def test_a_classifier_that_says_something_else_is_refused(folder: Path) -> None:
    seen = [picture(n, 640, 360) for n in (0, 7)]
    right = engines.load(write(folder))
    wrong = engines.load(write(folder, name="wrong", labels=["green", "red", "blue"]))
    least = np.full(3, np.nan, np.float32)
    same = report("graph", "here", seen, compare(right, right, seen, LIMITS["fp32"], least))
    assert same.passed
    other = report("graph", "here", seen, compare(right, wrong, seen, LIMITS["int8"], least))
    assert other.missed == ("same label 0 where at least 0.9 is allowed",)
