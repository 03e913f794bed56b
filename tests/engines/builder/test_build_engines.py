"""From a request to an engine that runs: real models, real images, the gate in between."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import engines
from engines.builder import frames as frames_of
from engines.builder.__main__ import main
from engines.builder.build import Engine, ParityError, Request, build, find, prove
from engines.builder.builders import BuildError
from engines.builder.parity import LIMITS, told
from engines.found.boxes import pairs
from engines.manifest import read
from engines.runtimes import open_session
from engines.store import engines as shelf
from mirante.detections import Detections
from tests.support.built_engines import (
    ask,
    faces,
    roads,
    save_pictures,
    store,
    streets,
    synthetic,
)
from tests.support.shared_clips import CLIPS

pytestmark = pytest.mark.slow

__all__ = ["store"]

SHOWS = {"street": streets, "road": roads, "face": faces}
BUILT = [
    ("street", "onnxruntime"),
    ("face", "onnxruntime"),
    ("road", "openvino"),
    pytest.param("road", "onnxruntime", marks=pytest.mark.full),
    pytest.param("street", "openvino", marks=pytest.mark.full),
]


def built(name: str, folder: Path, runtime: str = "onnxruntime", **keys: Any) -> Engine:
    """An engine judged on the images that its model is for."""
    pictures = save_pictures(folder / f"{name}.npz", SHOWS[name]()[:4])
    if keys.get("precision") == "int8":
        keys["calibrate"] = pictures
    return build(ask(name, runtime, frames=pictures, **keys))


def same(expected: engines.Inference, got: engines.Inference, least_iou: float) -> None:
    """Each finds what the other finds."""
    a, b = expected.detections, got.detections
    same = pairs(a, b)
    assert len(same) == len(a) == len(b)
    assert all(iou >= least_iou for _, _, iou in same)
    for one, other in zip(expected.masks, got.masks, strict=True):
        both = (one.planes & other.planes).sum() / max((one.planes | other.planes).sum(), 1)
        assert both >= least_iou


@pytest.mark.parametrize(("name", "runtime"), BUILT)
def test_built_judged_loaded_and_the_same_is_found(store: Path, runtime: str, name: str) -> None:
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    engine = built(name, store, runtime)
    assert engine.is_proved
    assert engine.about["parity"]["graph"] is None
    assert engine.about["library"].startswith(f"{runtime} ")
    model, source = engines.load(str(engine.manifest)), engines.load(name)
    assert (model.name, model.labels, model.manifest.runs_on) == (name, source.labels, runtime)
    for rgb in SHOWS[name]()[:2]:
        same(source(rgb), model(rgb), 0.99)


def test_on_a_clean_clone_shipped_pictures_are_used_and_told_of(home: Path) -> None:
    engine = build(Request(model="street", runtime="onnxruntime"))
    report = engine.about["parity"]["engine"]
    assert (report["frames"], report["pictures"]) == (frames_of.SHIPPED, 14)
    assert report["figures"]["boxes"] >= 10
    assert told(report).endswith("14 images of the images shipped with the project")


@pytest.mark.full  # test_sensitivity builds one
@pytest.mark.parametrize("name", ["face", "street"])
def test_int8_passes_the_gate(store: Path, name: str) -> None:
    engine = built(name, store, precision="int8")
    kinds = {node.op_type for node in onnx.load(engine.file).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} < kinds
    report = engine.about["parity"]["engine"]
    assert report["passed"]
    assert any(0 < abs(1 - figure) < 1 for figure in report["figures"].values())


def test_float16_passes_the_gate(store: Path) -> None:
    engine = built("face", store, precision="fp16")
    assert engine.bytes < 0.6 * built("face", store).bytes
    same(engines.load("face")(faces()[0]), engines.load(str(engine.manifest))(faces()[0]), 0.98)


def test_a_frame_of_its_own_size_is_resized_in_the_graph(store: Path) -> None:
    size = (640, 352)
    engine = built("street", store, fold=True, frame=size)
    manifest = read(engine.manifest)
    assert (manifest.input.frame, manifest.input.size) == (size, (320, 320))
    assert (
        onnx.load(engine.file).graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    )
    source, model = engines.load("street"), engines.load(str(engine.manifest))
    for rgb in streets()[:2]:
        same(source(rgb), model(rgb), 0.9)
    other = np.zeros((704, 1280, 3), np.uint8)  # of another size, brought to the frame outside
    other[:] = streets()[0].repeat(2, axis=0).repeat(2, axis=1)
    found = model(other)
    assert len(found.detections) >= 1
    same(source(other), found, 0.8)


def test_a_frame_without_folding_sets_the_size(store: Path) -> None:
    engine = built("street", store, frame=(640, 360))
    spec = read(engine.manifest).input
    assert (spec.size, spec.frame, spec.multiple) == ((320, 192), None, None)


def test_a_framed_engine_runs_on_no_crops(store: Path) -> None:
    engine = built("face", store, fold=True, frame=(150, 150))
    with pytest.raises(engines.ManifestError, match=r"on: expected none with input.frame"):
        engines.load(str(engine.manifest), on="face")


def test_several_pictures_a_call(store: Path) -> None:
    engine = built("face", store, batch=4)
    spec = read(engine.manifest).input
    session = open_session("onnxruntime", engine.file, 1)
    assert session.inputs[spec.name].shape[0] is None
    tensor = np.random.default_rng(0).random((4, 3, *spec.size[::-1]), np.float32)
    (output,) = session.outputs
    together = session.run({spec.name: tensor})[output]
    each = [session.run({spec.name: tensor[i : i + 1]})[output] for i in range(4)]
    alone = np.concatenate(each)
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_a_worse_engine_is_refused_and_the_old_one_stays(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = built("face", store)
    with_noise = "engines.builder.prepare.to_int8"

    def spoiled(model: Any, feeds: Any) -> Any:
        for tensor in model.graph.initializer:
            if len(tensor.dims) == 4:
                value = onnx.numpy_helper.to_array(tensor)
                spoilt = (value * np.float32(1.3)).astype(np.float32)
                tensor.CopyFrom(onnx.numpy_helper.from_array(spoilt, tensor.name))
        return model

    monkeypatch.setattr(with_noise, spoiled)
    before = sorted(path.name for path in shelf.shelf().iterdir())
    with pytest.raises(
        ParityError,
        match=r"face onnxruntime int8: the engine finds something else than its source, and is not "
        r"used: iou of \w+ 0[.\d]* where at least 0.8 is allowed",
    ):
        built("face", store, precision="int8", batch=2)
    assert sorted(path.name for path in shelf.shelf().iterdir()) == before
    assert shelf.get(old.key) == replace(old, fresh=False)


def test_nothing_in_the_pictures_proves_nothing(store: Path) -> None:
    grey = save_pictures(store / "grey.npz", [np.full((90, 160, 3), 114, np.uint8)])
    with pytest.raises(BuildError, match=r"test-boxes: parity: the model finds nothing in these"):
        build(ask("test-boxes", frames=grey))


@pytest.mark.parametrize("name", ["test-boxes", "test-lane", "test-instances", "test-pose"])
def test_synthetic_models(store: Path, name: str) -> None:
    pictures = save_pictures(store / "synthetic.npz", synthetic())
    figures = build(ask(name, frames=pictures)).about["parity"]["engine"]["figures"]
    assert all(value == 1 for figure, value in figures.items() if "iou" in figure)


def test_an_engine_for_another_machine_is_judged_by_its_graph(store: Path) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    pictures = save_pictures(store / "synthetic.npz", synthetic())
    engine = build(ask("test-boxes", "tensorrt-rtx", target="sm89", batch=1, frames=pictures))
    if engine.is_proved:
        pytest.skip("there is an sm89 here")
    assert engine.about["parity"]["graph"]["passed"]
    assert engine.about["library"] == f"tensorrt-rtx {trt.__version__}"
    found = find(Request.from_json(json.dumps(engine.about["request"])))
    assert found == replace(engine, fresh=False)
    with pytest.raises(RuntimeError, match="runs on an NVIDIA GPU"):
        prove(engine)
    assert shelf.get(engine.key) == found  # a device that is not here is no proof against it


def test_proved_where_it_first_runs(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = save_pictures(store / "first.npz", faces()[:3])
    monkeypatch.setattr("engines.builder.build.runs_here", lambda builder, device: False)
    engine = build(ask("face", frames=pictures, batch=6))
    assert not engine.is_proved
    proved = prove(engine)
    assert proved.is_proved
    assert proved.about["parity"]["engine"]["of"] == "engine"
    assert shelf.get(engine.key) == proved
    assert prove(proved) is proved


def test_an_engine_that_fails_its_proof_goes(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engines.builder.build.runs_here", lambda builder, device: False)
    engine = built("face", store, batch=7)
    strict = dict(LIMITS) | {"fp32": type(LIMITS["fp32"])(1, 1, 0, 0, 0, 0, 1.1, 1)}
    monkeypatch.setattr("engines.builder.gate.LIMITS", strict)
    with pytest.raises(ParityError, match=r"iou of face 1 where at least 1\.1"):
        prove(engine)
    assert shelf.get(engine.key) is None


def test_in_a_process_of_its_own(home: Path, tmp_path: Path) -> None:
    pictures = save_pictures(tmp_path / "child.npz", synthetic()[:1])
    path = tmp_path / "request.json"
    path.write_text(ask("test-boxes", frames=pictures).to_json())
    command = [sys.executable, "-m", "engines.builder", str(path)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    lines = [json.loads(line) for line in outcome.stdout.splitlines()]
    shares = [line["share"] for line in lines[:-1] if line["share"] is not None]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert all(line["doing"] for line in lines[:-1])
    assert lines[-1]["fresh"]
    assert engines.load(lines[-1]["manifest"]).name == "test-boxes"


@pytest.mark.parametrize(
    ("request_text", "kind", "words"),
    [
        ("{", "ValueError", "not JSON"),
        ('{"model": "road"}', "ValueError", "runtime: missing"),
        ('{"model": "road", "runtime": "onnxruntime", "of": 1}', "ValueError", "no such key of"),
        ('{"model": "rode", "runtime": "onnxruntime"}', "ManifestError", 'mean "road"'),
    ],
)
def test_a_child_tells_what_is_wrong(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request_text: str,
    kind: str,
    words: str,
) -> None:
    path = tmp_path / "request.json"
    path.write_text(request_text)
    monkeypatch.setattr("sys.argv", ["engines.builder", "--nice", "0", str(path)])
    assert main() == 1
    (said,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert said["kind"] == kind
    assert words in said["failed"]


BAD = [
    ({"runtime": "tensort"}, 'runtime: no engines for "tensort"; did you mean "tensorrt"'),
    ({"precision": "fp4"}, 'precision: expected fp32, fp16, int8, fp8, got "fp4"'),
    ({"precision": "fp8", "calibrate": "clip.mp4"}, "precision: fp8 is for tensorrt, tensorrt-l"),
    ({"precision": "int8"}, "calibrate: missing, and required by precision int8"),
    ({"calibrate": "clip.mp4"}, "calibrate: expected with int8 or fp8 only, got precision fp32"),
    ({"refit": True}, "refit: expected with tensorrt or tensorrt-rtx, got onnxruntime"),
    ({"compatible": True}, "compatible: expected with tensorrt, got onnxruntime"),
    ({"dla": 0}, "dla: expected with tensorrt and fp16, got onnxruntime and fp32"),
    ({"batch": 0}, "batch: expected 1 to 256, got 0"),
    ({"frame": (640, 4)}, "frame: expected 16 to 16384, got 4"),
    ({"frame": (640,)}, "frame: expected width and height"),
]


@pytest.mark.parametrize(("keys", "words"), BAD, ids=lambda value: str(value)[:30])
def test_bad_requests(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        ask("road", **keys)


def test_requests_go_through_json() -> None:
    request = ask("road", frame=(640, 360), precision="int8", calibrate="clip.mp4")
    assert Request.from_json(request.to_json()) == request


def test_passwords_are_not_kept() -> None:
    assert frames_of.named("rtsp://me:secret@host:554/a?token=1") == "rtsp://host:554/a"
    assert frames_of.identity("rtsp://me:secret@host/a") == "rtsp://host/a"


def test_pictures_of_a_clip_are_spread_over_it() -> None:
    clip = CLIPS / "carphone.mp4"
    if not clip.is_file():
        pytest.skip(f"no clip {clip.name} in {clip.parent}")
    found = frames_of.read_pictures(str(clip), 3)
    assert [rgb.shape for rgb in found] == [(144, 176, 3)] * 3
    assert len({rgb.tobytes() for rgb in found}) == 3


def test_pictures_that_are_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "floats.npz", np.zeros((2, 2, 3)))
    with pytest.raises(ValueError, match=r"expected \(height, width, 3\).* uint8, got .* float64"):
        frames_of.read_pictures(str(tmp_path / "floats.npz"), 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no clip")
    for name in ("empty", "text.mp4", "gone.mp4"):
        with pytest.raises(OSError, match=name):
            frames_of.read_pictures(str(tmp_path / name), 1)


def test_pairs_are_of_one_class_and_once_each() -> None:
    def boxes(*rows: tuple[float, ...]) -> Detections:
        table = np.array(rows, np.float32)
        ids = table[:, 4].astype(np.int32)
        return Detections(table[:, :4], table[:, 5], ids, ("a", "b"))

    expected = boxes((0, 0, 10, 10, 0, 0.9), (20, 0, 30, 10, 1, 0.8))
    got = boxes((0, 0, 10, 9, 0, 0.9), (0, 0, 10, 8, 0, 0.5), (20, 0, 30, 10, 0, 0.8))
    assert [(a, b, round(iou, 2)) for a, b, iou in pairs(expected, got)] == [(0, 0, 0.9)]


def test_shipped_pictures_show_something() -> None:
    found = engines.load("street")
    seen = {
        found.labels[index]
        for rgb in frames_of.shipped_pictures()
        for index in found(rgb).detections.class_id
    }
    assert {"car", "face", "person"} <= seen
