"""TF Lite files that are no ONNX file, or not the same one: kept as they are."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

import engines
from engines.convert import ConvertError
from engines.convert.asked import Asked
from engines.convert.importing import import_model
from tests.support.built_engines import save_pictures
from tests.support.conversions import imported, photographs
from tests.support.outcome import Run

pytest.importorskip("ai_edge_litert", reason='pip install "mirante[litert]"')
flatbuffers: Any = pytest.importorskip("flatbuffers")

from engines.convert.from_tflite import TfliteNetwork
from engines.convert.mediapipe import NAME, rewritten
from engines.runtimes.litert import open_session
from tests.support import tflite_files

schema: Any = pytest.importorskip("ai_edge_litert.schema_py_generated")
LABELS = ("red", "green", "blue")


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    return tflite_files.classifier(tmp_path / "net.tflite", schema.TensorType.UINT8)


def written_as(monkeypatch: pytest.MonkeyPatch, shift: tuple[float, float, float]) -> None:
    """Lets the conversion be off by so much, whatever converts."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["sums"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["sums", "scale"], ["means"]),
        helper.make_node("Softmax", ["means"], ["chances.exact"], axis=1),
        helper.make_node("Add", ["chances.exact", "shift"], ["chances"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([1 / 255], np.float32), "scale"),
        numpy_helper.from_array(np.array(shift, np.float32), "shift"),
    ]
    ends = [
        helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, [1, 8, 8, 3]),
        helper.make_tensor_value_info("chances", onnx.TensorProto.FLOAT, [1, 3]),
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    monkeypatch.setattr(TfliteNetwork, "write", lambda _self, path: onnx.save(model, path))


def colours(folder: Path) -> str:
    """Images of pure red, green and blue: 8-bit probabilities of photographs are often equal."""
    return save_pictures(
        folder / "colours.npz", [np.full((8, 8, 3), each, np.uint8) for each in 255 * np.eye(3)]
    )


def kept(source: Path, out: Path, **asked: Any) -> Any:
    keys: dict[str, Any] = {"labels": LABELS, "task": "classify"}
    return import_model(Asked(source=str(source), name="made", out=out, **keys | asked))


def test_a_conversion_that_is_close_enough_is_an_onnx_file(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_as(monkeypatch, (0.001, 0.001, -0.002))
    made = imported(classifier, tmp_path / "out", labels=LABELS, task="classify")
    assert engines.manifest.read(made.manifest).runs_on == "onnxruntime"


def test_where_the_findings_agree_both_are_kept(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_as(monkeypatch, (0.06, 0.06, 0.06))
    made = kept(classifier, tmp_path / "out", frames=colours(tmp_path))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("made-onnx.onnx", "made-onnx.yaml", "made.parity.json", "made.tflite", "made.yaml")
    ]
    both = [engines.load(str(tmp_path / "out" / name)) for name in ("made.yaml", "made-onnx.yaml")]
    assert [model.manifest.runs_on for model in both] == ["litert", "onnxruntime"]
    assert [model.name for model in both] == ["made", "made-onnx"]
    about = json.loads(made.report.read_text())
    assert about == made.about
    assert about["passed"]
    said = about["kept"]["because"]
    assert said.startswith("the ONNX file differs: output chances (1, 3): 0.0")
    assert about["kept"]["beside"]["task"]["figures"]["same label"] == 1
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    found = [model(red).attributes[None] for model in both]
    assert [next(iter(each.values())).label for each in found] == ["red", "red"]


def test_where_they_do_not_the_conversion_goes(
    classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_as(monkeypatch, (0.9, -0.3, 0.0))
    made = kept(classifier, tmp_path / "out", frames=colours(tmp_path))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("made.parity.json", "made.tflite", "made.yaml")
    ]
    assert made.about["kept"]["beside"] is None
    assert engines.load(str(made.manifest)).manifest.file == "made.tflite"


def cannot(_self: Any, _path: Path) -> None:
    raise ConvertError("net.tflite: tf2onnx cannot convert it: no such operator")


def test_what_cannot_be_converted_runs_as_it_is(
    classifier: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mirante: Run
) -> None:
    monkeypatch.setattr(TfliteNetwork, "write", cannot)
    out = str(tmp_path / "out")
    asked = ("--labels", ",".join(LABELS), "--task", "classify", "--name", "made", "--out", out)
    outcome = mirante("models", "import", str(classifier), *asked)
    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[1].startswith(f"file      {out}/made.tflite, ")
    assert lines[1].endswith(" kB, kept as it is, for LiteRT")
    assert lines[2] == "          net.tflite: tf2onnx cannot convert it: no such operator"
    assert lines[-1] == f"run it    {out}/made.yaml"
    assert mirante("models", "show", f"{out}/made.yaml").status == 0


def test_what_no_decoder_reads_either_way_is_refused(
    classifier: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(TfliteNetwork, "write", cannot)
    with pytest.raises(ValueError, match="none fits"):
        kept(classifier, tmp_path / "out", task="detect")
    assert not list((tmp_path / "out").iterdir())


def with_mediapipes_operator(path: Path, padding: int, side: int) -> dict[str, NDArray[Any]]:
    """Writes a network of that operator alone, steps of two; returns its kernel and bias."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 2, 2, 2)).astype(np.float32)  # out, down, across, in
    bias = rng.normal(size=3).astype(np.float32)
    code, node, graph = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT()
    code.deprecatedBuiltinCode = code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = NAME
    node.inputs, node.outputs, node.opcodeIndex = [0, 1, 2], [3], 0
    node.customOptions = list(struct.pack("<3i", padding, 2, 2))
    real = schema.TensorType.FLOAT32
    graph.tensors = [
        tflite_files.tensor("image", (1, side, side, 2), real),
        tflite_files.tensor("kernel", kernel.shape, real),
        tflite_files.tensor("bias", bias.shape, real),
        tflite_files.tensor("out", (1, 2 * side, 2 * side, 3), real),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [3], [node]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT()]
    for index, array in ((1, kernel), (2, bias)):
        model.buffers.append(schema.BufferT(data=list(array.tobytes())))
        graph.tensors[index].buffer = index
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return {"kernel": kernel, "bias": bias}


@pytest.mark.parametrize("padding", [1, 2])
def test_mediapipes_operator_is_written_as_two(tmp_path: Path, padding: int) -> None:
    source = tmp_path / "own.tflite"
    weights = with_mediapipes_operator(source, padding, 4)
    data = rewritten(source)
    assert data is not None
    (tmp_path / "two.tflite").write_bytes(data)
    assert rewritten(tmp_path / "two.tflite") is None
    image = np.random.default_rng(1).normal(size=(1, 4, 4, 2)).astype(np.float32)
    got = open_session(tmp_path / "two.tflite", 1).run({"image": image})["out"][0]
    expected = np.zeros((8, 8, 3), np.float32) + weights["bias"]
    for row in range(4):
        for column in range(4):
            patch = np.einsum("ohwi,i->hwo", weights["kernel"], image[0, row, column])
            expected[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] += patch
    np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.models
@pytest.mark.slow
def test_mediapipes_published_segmenter(weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed")
    source = weights.parent / "field" / "models" / "selfie_segmentation.tflite"
    if not source.is_file():
        pytest.skip(f"no {source}")
    frames = photographs(tmp_path)
    made = imported(source, tmp_path / "out", labels=("person",), frames=frames)
    assert engines.manifest.read(made.manifest).decoder == "sigmoid"
    models = [engines.load(name) for name in (str(made.manifest), "mediapipe-selfie")]
    face = engines.builder.frames.shipped_pictures()[-1]
    ours, theirs = (model(face).masks[0].plane("person") for model in models)
    assert theirs.sum() > 1000
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.999
