from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import engines
from engines.builder.frames import shipped_pictures
from engines.manifest import WEIGHTS
from engines.runtimes.tensorrt.floor import Floor
from tests.support.outcome import Run


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    np.savez(tmp_path / "faces.npz", *shipped_pictures()[-2:])
    return str(tmp_path / "faces.npz")


@pytest.mark.slow
def test_a_decoder_in_the_current_folder_is_found(
    mirante: Run, home: Path, pictures: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("planes_of_this_folder.py").write_text(
        "from engines.decoders.sigmoid import decode as shipped\n\n\n"
        "def decode(outputs, spec):\n"
        "    return shipped(outputs, spec, planes={'output': ['face']}, logits=True)\n"
    )
    keys = yaml.safe_load((WEIGHTS / "face.yaml").read_text())
    del keys["options"]
    keys |= {"file": str(WEIGHTS / "face.onnx"), "decoder": "planes_of_this_folder:decode"}
    Path("own.yaml").write_text(yaml.safe_dump(keys))
    outcome = mirante(
        *("engines", "build", "own.yaml", "--runtime", "onnxruntime", "--frames", pictures)
    )
    assert outcome.status == 0, outcome.err
    assert "iou of face 1;" in outcome.out


@pytest.mark.slow
def test_build_list_show_prove_measure_remove(
    mirante: Run, pictures: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["engines", "build", "face", "--runtime", "onnxruntime", "--frames", pictures]
    first = mirante(*command)
    assert first.status == 0, first.err
    assert "face:   0 % reading the network" in first.err
    built, parity, run = first.out.splitlines()
    assert built.startswith("built in ")
    assert built.endswith(" MB")
    assert parity == f"parity     iou of face 1; 2 images of {pictures}"
    manifest = Path(run.removeprefix("run it     "))
    assert engines.load(str(manifest)).name == "face"

    again = mirante(*command)
    assert again.out.startswith("here already, built 20")
    assert again.err == ""

    key = manifest.parent.name
    assert key.startswith("face-onnxruntime-fp32-")
    header, row = mirante("engines", "list").out.splitlines()
    assert header.split() == ["engine", "for", "batch", "size", "parity", "built"]
    assert row.split()[:3] == [key, "cpu", "1"]
    shown = mirante("engines", "show", key).out
    assert "precision  fp32" in shown
    assert "input      160x160, as of the model" in shown
    assert parity in shown

    assert mirante("engines", "prove", key).out.strip() in first.out
    refused = mirante("engines", "floor", key)
    assert refused.err.startswith(
        "mirante: runtime: expected tensorrt, tensorrt-lean, tensorrt-rtx, got onnxruntime"
    )
    floor = Floor(5120.4, 1.25, 2.5, 8, 2, True, True, 640, 1.0)
    monkeypatch.setattr("engines.runtimes.tensorrt.floor.measure_floor", lambda *given: floor)
    header, row = mirante("engines", "floor", key).out.splitlines()
    assert header.split()[:4] == ["images/s", "ms", "p99", "ms"]
    assert row.split() == ["5120", "1.25", "2.50", "8", "2", "yes", "640"]

    assert mirante("engines", "prune").out == "0 removed\n"
    assert mirante("engines", "remove", key).out == f"{key}: removed\n"
    assert not manifest.parent.exists()
    assert mirante("engines", "show", key).status == 2


@pytest.mark.slow
def test_an_engine_for_a_gpu_elsewhere(mirante: Run, pictures: str) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    command = ["engines", "build", "face", "--runtime", "tensorrt-rtx", "--target", "sm89"]
    outcome = mirante(*command, "--frame", "200x160", "--frames", pictures)
    assert outcome.status == 0, outcome.err
    assert "parity     of the graph: iou of face" in outcome.out
    assert "of the engine: pending, until cameras first run it on sm89" in outcome.out
    (key,) = re.findall(r"or there: mirante engines prove (\S+)", outcome.out)
    refused = mirante("engines", "prove", key)  # there is no GPU here; it stays as it is
    assert refused.status == 1
    assert refused.err.startswith("mirante: ")
    assert mirante("engines", "list").out.count("graph proved") == 1
    refused = mirante("engines", "floor", key)
    assert (refused.status, refused.out) == (1, "")
    assert mirante("engines", "floor", key, "--lanes", "0").err.startswith(
        "mirante: lanes: expected 1 to 16, got 0"
    )


BAD = [
    (["--runtime", "tensorrrt"], 'runtime: no engines for "tensorrrt"; did you mean "tensorrt"?'),
    (["--runtime", "onnxruntime", "--precision", "int8"], "calibrate: missing, and required"),
    (["--runtime", "onnxruntime", "--frame", "640"], "frame: expected WIDTHxHEIGHT"),
    (["--runtime", "onnxruntime", "--store", "/no/such"], "store: expected a folder that mach"),
    (["--runtime", "tensorrt-lean", "--refit"], "refit: expected with tensorrt or tensorrt-rtx, g"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_what_is_wrong_is_said(mirante: Run, options: list[str], words: str) -> None:
    outcome = mirante("engines", "build", "face", *options)
    assert outcome.status == 2
    assert outcome.err.startswith(f"mirante: {words}")


@pytest.mark.slow
def test_which_runtime_is_fastest(
    mirante: Run, home: Path, pictures: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino", reason="there is no choice without it")
    monkeypatch.setattr("engines.builder.contest._ROUNDS", (1, 1))
    outcome = mirante("engines", "fastest", "face", "--frames", pictures)
    assert outcome.status == 0, outcome.err
    header, first, second, runs = outcome.out.splitlines()
    assert header.split() == ["runtime", "precision", "CPU", "ms", "x", "as", "published"]
    assert first.split()[:3] == ["onnxruntime", "as", "published"]
    assert first.split()[-1] == "1.00"
    assert second.split()[:2] == ["openvino", "fp32"]
    assert runs.removeprefix("runs       ") in ("onnxruntime as published", "openvino fp32")
    assert len(list((home / "verdicts").glob("face-*.json"))) == 1
    assert "measuring" in outcome.err
