"""``mirante models inspect``: what it prints, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import yaml
from onnx import helper, numpy_helper

from engines.manifest import ZOO
from engines.pictures import read_frame
from pipeline.cameras.synthetic import picture
from tests.support.outcome import Run


@pytest.fixture
def frame(tmp_path: Path) -> str:
    path = tmp_path / "frame.png"
    cv2.imwrite(str(path), cv2.cvtColor(picture(7, 320, 240), cv2.COLOR_RGB2BGR))
    return str(path)


def own(folder: Path, change: str) -> Path:
    """The model of the test camera with a layer put in front of its output, and its manifest."""
    model = onnx.load(ZOO / "test-boxes.onnx")
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["before" if name == output else name for name in node.output]
        node.input[:] = ["before" if name == output else name for name in node.input]
    factor = numpy_helper.from_array(
        np.array([np.nan if change == "nan" else 1.5], np.float32), "factor"
    )
    model.graph.initializer.append(factor)
    model.graph.node.append(helper.make_node("Mul", ["before", "factor"], [output], name="spoil"))
    onnx.save(model, folder / "mine.onnx")
    manifest = yaml.safe_load((ZOO / "test-boxes.yaml").read_text())
    manifest |= {"file": "mine.onnx", "name": "mine"}
    manifest.pop("sha256", None)
    manifest.pop("bytes", None)
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(manifest))
    return path


def test_the_layers(mirante: Run) -> None:
    outcome = mirante("models", "inspect", "test-boxes", "--list")
    assert outcome.status == 0, outcome.err
    heading, *rows = outcome.out.splitlines()
    assert heading.split() == ["node", "op", "name", "tensor", "dtype", "shape"]
    graph = onnx.load(ZOO / "test-boxes.onnx").graph
    ops = [graph.node[int(row.split()[0])].op_type for row in rows]
    assert [row.split()[1] for row in rows] == ops
    assert "Conv" in ops or "Mul" in ops


def test_figures_of_every_tensor_and_the_first_nan(
    tmp_path: Path, frame: str, mirante: Run
) -> None:
    outcome = mirante("models", "inspect", "test-boxes", "--frame", frame)
    assert outcome.status == 0, outcome.err
    assert "not finite" not in outcome.out
    outcome = mirante("models", "inspect", str(own(tmp_path, "nan")), "--frame", frame)
    last = outcome.out.splitlines()[-1]
    assert last.startswith("first value that is not finite: Mul spoil (node ")
    assert " makes " in last
    assert " NaN and 0 infinite" in last


def test_one_tensor_and_its_picture(tmp_path: Path, frame: str, mirante: Run) -> None:
    target = tmp_path / "image.png"
    arguments = ("--frame", frame, "--tensor", "image", "--picture", str(target))
    outcome = mirante("models", "inspect", "test-boxes", *arguments)
    assert outcome.status == 0, outcome.err
    said = dict(line.split(maxsplit=1) for line in outcome.out.splitlines()[:9])
    assert said["shape"].startswith("1x3x")
    assert (said["dtype"], said["NaN"]) == ("float32", "0")
    assert "3 channels" in outcome.out
    assert read_frame(target).shape[0] > 0


@pytest.mark.slow
def test_where_two_files_part(tmp_path: Path, frame: str, mirante: Run) -> None:
    manifest = own(tmp_path, "factor")
    arguments = ("--frame", frame, "--against-file", str(tmp_path / "mine.onnx"))
    outcome = mirante("models", "inspect", str(manifest), *arguments)
    assert outcome.status == 0, outcome.err
    assert "no layer differs by more than 0.001" in outcome.out
    other = tmp_path / "other.onnx"
    model = onnx.load(tmp_path / "mine.onnx")
    for tensor in model.graph.initializer:
        if tensor.name == "factor":
            tensor.CopyFrom(numpy_helper.from_array(np.array([1.6], np.float32), "factor"))
    onnx.save(model, other)
    spoilt = ("models", "inspect", str(manifest), "--frame", frame, "--against-file", str(other))
    outcome = mirante(*spoilt)
    assert outcome.status == 1
    assert "first layer that differs by more than 0.001: Mul spoil" in outcome.out
    assert "  before: before 0 (0 of " in outcome.out
    assert mirante(*spoilt, "--tolerance", "0.1").status == 0


def test_two_runtimes_on_a_grey_picture(mirante: Run) -> None:
    outcome = mirante("models", "inspect", "test-lane", "--against", "onnxruntime-basic")
    assert outcome.status == 0, outcome.err
    assert outcome.err == "no --frame: a grey image is fed\n"
    assert " layers compared" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--tensor", "imag"], 2, 'no tensor "imag" in test-boxes.onnx; did you mean image'),
        (["--picture", "x.png"], 2, "--picture: expected with --tensor"),
        (["--frame", "none.mp4:3"], 1, "none.mp4: no such file"),
        (["--against", "openvinoo"], 2, 'no runtime "openvinoo"; did you mean "openvino"?'),
        (["--against-file", "none.onnx"], 2, "none.onnx: expected an ONNX file"),
    ],
)
def test_what_is_refused(arguments: list[str], status: int, words: str, mirante: Run) -> None:
    outcome = mirante("models", "inspect", "test-boxes", *arguments)
    assert (outcome.status, words in outcome.err) == (status, True), outcome.err


def test_a_missing_library_names_its_extra(mirante: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    outcome = mirante("models", "inspect", "test-boxes", "--list")
    assert outcome.status == 1
    assert outcome.err == 'mirante: onnx is missing; pip install "mirante[build]"\n'
