from __future__ import annotations

import re
from pathlib import Path

import pytest

from engines.manifest import find, zoo_names
from tests.support import ROOT
from tests.support.outcome import Run

MANIFEST = ROOT / "engines" / "zoo" / "test-boxes.yaml"


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose file only a mirror has."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "test-boxes.onnx").write_bytes(MANIFEST.with_suffix(".onnx").read_bytes())
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(mirror))
    copy = tmp_path / "mine.yaml"
    copy.write_text(MANIFEST.read_text())
    return copy


def test_list(mirante: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(tmp_path))
    lines = mirante("models", "list").out.splitlines()
    assert lines[0].split() == ["model", "task", "size", "licence", "where", "finds"]
    names = [line.split()[0] for line in lines[1:]]
    assert names == zoo_names()  # our own first
    row = next(line for line in lines if line.startswith("yolox-nano "))
    assert "detect" in row
    assert "Apache-2.0" in row
    assert "not here yet" in row
    assert " file " in next(line for line in lines if line.startswith("test-boxes "))


def test_pull_from_the_mirror_into_the_store(manifest: Path, home: Path, mirante: Run) -> None:
    outcome = mirante("models", "pull", str(manifest))
    file = home / "models" / "test-boxes.onnx"
    assert (outcome.status, outcome.out) == (0, f"{manifest}: {file}\n")
    assert file.read_bytes() == MANIFEST.with_suffix(".onnx").read_bytes()
    assert "100 %" in outcome.err


def test_pull_of_a_wrong_file_is_refused(manifest: Path, home: Path, mirante: Run) -> None:
    (manifest.parent / "mirror" / "test-boxes.onnx").write_bytes(b"another file")
    outcome = mirante("models", "pull", str(manifest))
    assert outcome.status == 1
    assert "wrong checksum" in outcome.err
    assert not (home / "models" / "test-boxes.onnx").exists()


def test_show_of_a_model_on_a_server(mirante: Run, tmp_path: Path) -> None:
    text = MANIFEST.read_text()
    lines = [li for li in text.splitlines() if not li.startswith(("file:", "sha256:", "bytes:"))]
    server = "server: {url: 'http://ana:s3cret@models:8000/', model: boxes, version: '2'}"
    (tmp_path / "far.yaml").write_text("\n".join([*lines, "runtime: kserve-http", server]))
    out = mirante("models", "show", str(tmp_path / "far.yaml")).out
    assert "runtime    kserve-http" in out
    assert "server     model boxes version 2 at http://models:8000\n" in out
    assert "s3cret" not in out
    assert "sha256" not in out
    config = tmp_path / "mirante.yaml"
    config.write_text(
        f"cameras: {{gate: {{url: 'test://', stages: [{{model: {tmp_path / 'far.yaml'}}}]}}}}"
    )
    assert mirante("check", str(config)).out == f"{config}: fine, 1 camera\n"
    pulled = mirante("models", "pull", str(tmp_path / "far.yaml"))
    assert pulled.status == 1
    assert "runs on a server, there is no file" in pulled.err


def test_show(mirante: Run) -> None:
    out = mirante("models", "show", "test-boxes").out
    assert "labels     red, green, blue" in out
    assert "runtime    onnxruntime" in out
    assert str(MANIFEST.with_suffix(".onnx")) in out
    manifest = find("road")
    assert manifest.thresholds
    said = re.search(r"^threshold +(.*)$", mirante("models", "show", "road").out, re.M)
    assert said is not None
    each = dict(part.rsplit(" ", 1) for part in said[1].split(", "))
    assert each == {"others": f"{manifest.threshold:g}"} | {
        label: f"{score:g}" for label, score in manifest.thresholds.items()
    }


@pytest.mark.parametrize("arguments", [(), ("yunet", "--all")])
def test_pull_wants_names_or_all(arguments: tuple[str, ...], mirante: Run) -> None:
    outcome = mirante("models", "pull", *arguments)
    assert outcome.status == 2
    assert "expected names of models, or --all" in outcome.err


def test_a_model_that_does_not_exist(mirante: Run) -> None:
    outcome = mirante("models", "show", "test-boxs")
    assert outcome.status == 2
    assert outcome.err.startswith('mirante: no model "test-boxs"; did you mean "test-boxes"?')
