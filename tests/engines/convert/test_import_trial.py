"""Other ways of feeding a network are tried on images: the right one is found, and left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import engines
from engines.builder.frames import shipped_pictures
from engines.convert import importing
from engines.convert.asked import InputKeys
from engines.convert.importing import Imported
from engines.convert.trial import tried
from engines.found import Attributes, Boxes, Planes
from engines.found.base import Mirrored
from engines.inference import Inference
from engines.labels import COCO80
from engines.manifest import WEIGHTS
from mirante import Attribute, Detections, Mask
from tests.support.conversions import imported
from tests.support.onnx_networks import COLOURS, planes
from tests.support.outcome import Run

STREET = engines.manifest.find("street").labels
SIDE = 192


@pytest.fixture(autouse=True)
def _as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine too few images would be shown in its time to tell anything."""
    monkeypatch.setattr(importing, "MOST_S", 100.0)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Streets, country roads and faces."""
    path = tmp_path_factory.mktemp("shown") / "pictures.npz"
    np.savez(path, *shipped_pictures()[::3])
    return str(path)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("faces") / "pictures.npz"
    np.savez(path, *shipped_pictures()[-4:])
    return str(path)


def proposed(made: Imported) -> Mapping[str, Any]:
    """What is found to be better; empty where nothing is."""
    assert made.trial is not None
    assert made.trial.pictures >= 4
    return {} if made.trial.better is None else made.trial.ways[made.trial.better]


def street(out: Path, shown: str, **keys: Any) -> Imported:
    """Of less than its own size, at which it still finds what is near."""
    keys = {"resize": "letterbox-top-left"} | keys
    return imported(
        WEIGHTS / "street.onnx",
        out,
        labels=STREET,
        size=(SIDE, SIDE),
        input=InputKeys(**keys),
        frames=shown,
    )


@pytest.mark.full  # as below, by the command
@pytest.mark.parametrize(
    "wrong", [{"scale": 1.0}, {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}]
)
def test_a_detector_that_is_fed_wrongly(tmp_path: Path, shown: str, wrong: dict[str, Any]) -> None:
    better = proposed(street(tmp_path / "out", shown, **wrong))
    assert (better["scale"], better["mean"], better["std"]) == (1 / 255, (0, 0, 0), (1, 1, 1))
    assert better.get("colour", "rgb") == "rgb"


@pytest.mark.slow
def test_a_detector_that_is_fed_rightly_is_left_alone(tmp_path: Path, shown: str) -> None:
    made = street(tmp_path / "out", shown)
    assert proposed(made) == {}
    assert made.about["tried"]["better"] is None
    assert len(made.about["tried"]["ways"]) >= 8


@pytest.mark.slow
def test_what_is_tried_is_said(tmp_path: Path, shown: str, mirante: Run) -> None:
    outcome = mirante(
        *("models", "import", str(WEIGHTS / "street.onnx"), "--name", "s"),
        *("--out", str(tmp_path / "out"), "--labels", ",".join(STREET), "--size", f"{SIDE}x{SIDE}"),
        *("--scale", "1", "--frames", shown),
    )
    assert outcome.status == 0, outcome.err
    assert "other ways of feeding on " in outcome.out
    assert "images: another finds clearly more\n" in outcome.out
    (warning,) = [line for line in outcome.err.splitlines() if "warning" in line]
    assert warning.startswith("mirante: warning: s: with --scale 1/255 --mean 0 --std 1")
    assert warning.endswith(" an image where it finds 0.00 now")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "is_wrong"),
    [
        ("face", True),
        ("face", False),
        pytest.param("road", True, marks=pytest.mark.full),
        pytest.param("road", False, marks=pytest.mark.full),
    ],
)
def test_a_segmenter(tmp_path: Path, shown: str, faces: str, name: str, is_wrong: bool) -> None:
    manifest = engines.manifest.find(name)
    made = imported(
        WEIGHTS / f"{name}.onnx",
        tmp_path / "out",
        labels=manifest.labels,
        size=(128, 128) if name == "face" else manifest.input.size,
        decoder="sigmoid",
        input=InputKeys(scale=1.0 if is_wrong else 1 / 255),
        frames=faces if name == "face" else shown,
    )
    better = proposed(made)
    assert better.get("scale") == (1 / 255 if is_wrong else None)
    assert name == "road" or "colour" not in better  # roads are grey in either order


WEIGHT_CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "yolox-nano": (COCO80, {"scale": 1 / 255, "colour": "rgb", "resize": "stretch"}),
    "yunet": (("face",), {"scale": 1 / 255}),
    "deimv2-femto": (COCO80, {"scale": 1.0}),
    "unet-face": (("face",), {"scale": 1.0, "colour": "bgr"}),
}


@pytest.mark.full
@pytest.mark.models
@pytest.mark.parametrize("name", WEIGHT_CASES)
def test_public_weights(weights: Path, tmp_path: Path, shown: str, faces: str, name: str) -> None:
    zoo = engines.manifest.find(name)
    labels, wrong = WEIGHT_CASES[name]
    right = zoo.input.model_dump(exclude_unset=True, exclude={"name", "size", "multiple"})

    def better(keys: Mapping[str, Any], out: str) -> Mapping[str, Any]:
        return proposed(
            imported(
                weights / zoo.file,
                tmp_path / out,
                labels=labels,
                size=zoo.input.size,
                input=InputKeys(**{"scale": 1.0} | right | dict(keys)),
                frames=faces if name in ("yunet", "unet-face") else shown,
            )
        )

    assert better({}, "right") == {}
    found = better(wrong, "wrong")
    assert found["scale"] == pytest.approx(zoo.input.scale)
    assert (found["mean"], found["std"]) == ((0, 0, 0), (1, 1, 1))
    if wrong.get("colour"):
        assert found["colour"] == zoo.input.colour


def test_a_classifier_that_is_all_but_unsure(tmp_path: Path) -> None:
    """The mean of each channel, thirty times, as logits; of images of one colour each."""
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1) * 30, "w")
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["scaled"]),
        helper.make_node("GlobalAveragePool", ["scaled"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Softmax", ["flat"], ["chances"]),
    ]
    ends = [
        helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16]),
        helper.make_tensor_value_info("chances", TensorProto.FLOAT, [1, 3]),
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [weight])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "n.onnx")
    colours = np.repeat(np.eye(3, dtype=np.uint8) * 200, 2, axis=0)
    pictures = [np.full((16, 16, 3), colour, np.uint8) for colour in colours]
    np.savez(tmp_path / "colours.npz", *pictures)

    def better(out: str, scale: float) -> Mapping[str, Any]:
        return proposed(
            imported(
                tmp_path / "n.onnx",
                tmp_path / out,
                labels=("red", "green", "blue"),
                input=InputKeys(scale=scale),
                frames=str(tmp_path / "colours.npz"),
            )
        )

    assert better("dark", 1 / 255 / 255)["scale"] == 1 / 255
    assert better("right", 1 / 255) == {}


def boxes(*rows: Sequence[float]) -> Inference:
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Inference(Detections(table[:, :4], table[:, 4], np.zeros(len(table), np.int32), ("a",)))


def test_boxes_count_where_the_mirror_image_has_them() -> None:
    here, there = (10, 0, 30, 20, 0.9), (70, 0, 90, 20, 0.6)
    seen = [
        Mirrored(boxes(here), boxes(there), 100),
        Mirrored(boxes(here), boxes(here, there), 100),
        Mirrored(boxes(), boxes(), 100),
    ]
    assert Boxes.certainty(seen) == pytest.approx([0.6, 0.6, 0])
    assert Boxes.certainty([Mirrored(boxes(here), boxes(here), 100)]) == pytest.approx([0])


def test_planes_count_by_what_they_tell_of_the_mirror_image() -> None:
    def planes(plane: Any) -> Inference:
        mask = Mask.from_planes(("a",), np.asarray(plane, np.bool_)[None], (0, 0, 8, 8))
        return Inference(Detections.empty(("a",)), (mask,))

    left = np.zeros((8, 8), np.bool_)
    left[:, :4] = True
    noise = np.random.default_rng(0).random((2, 8, 8)) < 0.5
    seen = [
        Mirrored(planes(left), planes(~left), 8),
        Mirrored(planes(left), planes(left), 8),
        Mirrored(planes(left | True), planes(left | True), 8),
        Mirrored(planes(noise[0]), planes(noise[1]), 8),
    ]
    found = Planes.certainty(seen)
    assert found[:3] == pytest.approx([1, 1, 0])
    assert found[3] < 0.1


def test_labels_count_where_they_stay_and_differ_between_images() -> None:
    def says(label: str, score: float) -> Inference:
        return Inference(
            Detections.empty(("a",)), attributes={None: {"kind": Attribute(label, score)}}
        )

    seen = [
        Mirrored(says("a", 0.9), says("a", 0.7), 8),
        Mirrored(says("b", 0.9), says("a", 0.7), 8),
    ]
    assert Attributes.certainty(seen) == pytest.approx([0.7, 0])
    assert Attributes.certainty(seen[:1]) == pytest.approx([0])


def test_too_few_images_tell_nothing(tmp_path: Path) -> None:
    path = tmp_path / "three.npz"
    np.savez(path, *shipped_pictures()[:3])
    network = tmp_path / "net.onnx"
    planes(network, ["n", 3, 32, 32])
    made = imported(network, tmp_path / "out", labels=COLOURS, decoder="sigmoid", frames=str(path))
    assert made.trial is not None
    assert (made.trial.pictures, made.trial.advice) == (0, "")
    manifest = engines.manifest.read(made.manifest)
    assert tried(manifest, engines.model.session_of(manifest, 1), []) is None
