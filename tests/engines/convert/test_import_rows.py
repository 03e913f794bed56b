"""Rows of numbers: probabilities, logits, and what is no classifier at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import engines
from engines.convert.recognise import RecogniseError, recognise
from engines.labels import distinct
from tests.support.conversions import imported
from tests.support.recognised import Gives, auto

RANDOM = np.random.default_rng(11)


def row(values: Any) -> dict[str, NDArray[np.float32]]:
    return {"o": np.asarray(values, np.float32).reshape(1, -1)}


def eighth_bit(chances: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    """As a quantised softmax gives them: whole multiples of 1/256."""
    return row(np.minimum(np.round(chances * 256), 255) / 256)


def shares(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max())
    return np.asarray(raised / raised.sum())


@pytest.mark.parametrize("count", [5, 90, 1001])
@pytest.mark.parametrize("sharp", [1.0, 3.0, 8.0])
def test_rounded_shares_are_probabilities(count: int, sharp: float) -> None:
    given = eighth_bit(shares(RANDOM.normal(0, sharp, count)))
    found = auto(given, count, ops={"o": "Softmax"})
    assert (found.decoder, found.options) == ("softmax", {"activation": "none"})
    if given["o"].sum() > 0.5:  # else all but nothing is left of them
        assert auto(given, count).options == {"activation": "none"}


def test_independent_chances_do_not_compete() -> None:
    given = eighth_bit(RANDOM.uniform(0.3, 0.9, 12))
    found = auto(given, 12)
    assert found.options == {"activation": "none", "exclusive": False}
    rare = eighth_bit(np.array([0.9, 0.02, 0.01, 0.05]))  # nearly one by chance
    assert auto(rare, 4, ops={"o": "Sigmoid"}).options["exclusive"] is False


def unit(count: int, low: float = -1.0) -> NDArray[np.float64]:
    vector = RANDOM.uniform(low, 1, count)
    return np.asarray(vector / np.linalg.norm(vector))


NO_CLASSES: dict[str, tuple[dict[str, Any], tuple[str, ...] | None, str]] = {
    "embedding of length 1": (row(unit(128)), None, "a vector of length 1, as an embedding"),
    "positive one": (row(unit(256, 0.0)), None, "a vector of length 1, as an embedding"),
    "one with as many labels": (
        row(unit(64)),
        tuple(f"l{i}" for i in range(64)),
        "a vector of length 1, as an embedding",
    ),
    "long one, not of length 1": (row(RANDOM.normal(0, 1, 512)), None, "or an embedding"),
    "angles": (row([-31.5, 12.0, 4.0]), None, "degrees of an angle"),
    "small angles": (row([-3.5, 12.0, 4.0]), None, "classes, or angles"),
    "angles with their names": (
        row([-3.5, 12.0, 4.0]),
        ("yaw", "pitch", "roll"),
        "no classes by its name yaw",
    ),
    "angles by the output": (
        {"head_pose": row([-3.5, 12.0, 4.0])["o"]},
        ("a", "b", "c"),
        "no classes by its name head_pose",
    ),
    "quality": (row([0.7]), None, "a number alone, as of a quality"),
    "three outputs": (
        {name: row([9.0])["o"] for name in ("angle_y", "angle_p", "angle_r")},
        None,
        "outputs of a number each",
    ),
    "points of a face": (row(RANDOM.uniform(0, 1, 196) * 4 - 1), None, "points of a face"),
}


@pytest.mark.parametrize("name", NO_CLASSES)
def test_what_is_no_classifier_is_refused_in_words(name: str) -> None:
    outputs, labels, said = NO_CLASSES[name]
    with pytest.raises(RecogniseError) as caught:
        recognise(Gives(outputs), (96, 64), labels, None, outputs)
    message = str(caught.value)
    assert said in message
    assert "--decoder softmax" in message or "a decoder of your own" in message
    assert len(message.splitlines()) <= 6


@pytest.mark.parametrize("name", [name for name in NO_CLASSES if "quality" not in name])
def test_a_user_who_names_the_decoder_is_believed(name: str) -> None:
    outputs, labels, _ = NO_CLASSES[name]
    if len(outputs) > 1:
        return
    found = recognise(Gives(outputs), (96, 64), labels, None, outputs, None, "softmax")
    assert found.decoder == "softmax"


@pytest.mark.parametrize("count", [2, 5, 7, 10, 1000])
def test_logits_without_labels_are_still_read(count: int) -> None:
    found = auto(row(RANDOM.normal(0, 2, count)), None)
    assert (found.decoder, found.options, found.labels) == ("softmax", {}, count)


@pytest.mark.slow
def test_a_quantised_classifier_says_what_litert_says(tmp_path: Path) -> None:
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT runs the file")
    from ai_edge_litert import schema_py_generated as schema

    from tests.support.tflite_files import classifier

    source = classifier(tmp_path / "net.tflite", schema.TensorType.UINT8)
    net = litert.Interpreter(str(source))
    net.allocate_tensors()
    rgb = np.full((8, 8, 3), (200, 40, 10), np.uint8)
    net.set_tensor(net.get_input_details()[0]["index"], rgb[None])
    net.invoke()
    theirs = net.get_tensor(net.get_output_details()[0]["index"]).reshape(-1) / 256
    names = tuple(f"p{i}" for i in range(theirs.size))
    made = imported(source, tmp_path / "out", labels=names)
    said = engines.load(str(made.manifest))(rgb).attributes[None]["made"]
    assert said.label == names[int(theirs.argmax())]
    assert said.score == pytest.approx(float(theirs.max()), abs=2 / 256)


@pytest.mark.slow
def test_a_published_quantised_classifier(weights: Path, tmp_path: Path) -> None:
    """Of a photograph it says what LiteRT says of it, and its labels come out of the file."""
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="LiteRT runs the file")
    source = weights.parent / "field" / "models" / "mobilenet_v1_0.25_128_quant.tflite"
    if not source.is_file():
        pytest.skip(f"no {source.name} beside the public weights")
    from engines.builder.frames import shipped_pictures
    from engines.preprocess import Preprocessor

    made = imported(source, tmp_path / "out")
    assert len(made.labels) == 1001
    assert {"crane", "crane (2)"} <= set(made.labels)
    assert any("crane more than once" in note for note in made.notes)
    assert made.origins["labels"] == "file's metadata (imagenet_labels.txt)"
    model = engines.load(str(made.manifest))
    net = litert.Interpreter(str(source))
    net.allocate_tensors()
    shown = Preprocessor(model.manifest.input, np.dtype(np.uint8))
    for rgb in shipped_pictures()[::4]:
        net.set_tensor(net.get_input_details()[0]["index"], shown.frame(rgb)[0])
        net.invoke()
        theirs = net.get_tensor(net.get_output_details()[0]["index"]).reshape(-1) / 256
        said = model(rgb).attributes[None]["made"]
        assert theirs[made.labels.index(said.label)] >= theirs.max() - 2 / 256
        assert said.score == pytest.approx(float(theirs.max()), abs=3 / 256)


def test_labels_are_told_apart() -> None:
    assert distinct(("crane", "owl", "crane", "crane")) == (
        ("crane", "owl", "crane (2)", "crane (3)"),
        ("crane",),
    )
    assert distinct(("a", "a (2)", "a"))[0] == ("a", "a (2)", "a (3)")
    assert distinct(("a", "b")) == (("a", "b"), ())
