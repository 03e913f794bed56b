"""Every example of docs/models.md works, and its table is the zoo's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from onnx import helper

import engines
from benchmarks.models.accuracy import CLASSES
from engines.decoders import DECODERS, bind
from engines.manifest import WEIGHTS, Manifest, find, zoo_names
from engines.runtimes.names import RUNTIMES
from engines.store.models import list_models
from pipeline.config.camera import Camera
from pipeline.config.stages.model import ModelStage
from pipeline.config.yaml_file import read_yaml
from tests.support import ROOT
from tests.support.onnx_networks import colour_grid, floats, save

DOC = (ROOT / "docs" / "models.md").read_text()
YAML = [read_yaml(block)[0] for block in re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)]
PYTHON = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)


def block(key: str) -> dict[str, Any]:
    """The YAML example that has this key first."""
    return next(data for data in YAML if next(iter(data)) == key)


def half_green() -> NDArray[np.uint8]:
    rgb = np.zeros((480, 640, 3), np.uint8)
    rgb[:, :320, 1] = 255
    return rgb


def test_the_first_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    rgb = np.full((360, 640, 3), 128, np.uint8)
    rgb[100:200, 300:400] = (255, 0, 0)
    exec(PYTHON[0], {"rgb": rgb})
    assert re.match(r"red 1\.0 \[\s*300", capsys.readouterr().out)


def test_the_stages_of_the_example_are_a_cameras() -> None:
    camera = Camera.model_validate({"url": "test://"} | block("stages"))
    stages = [stage for stage in camera.stages or () if isinstance(stage, ModelStage)]
    assert [(s.model, s.on) for s in stages] == [
        ("yolox-street", None),
        ("yunet", None),
        ("face", "face"),
    ]


def test_the_worked_example_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    colour_grid(tmp_path / "site.onnx", "yolov8", 640, 640)
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(block("name")))
    names: dict[str, Any] = {}
    exec(PYTHON[1], names)
    found = names["model"](half_green()).detections
    assert found.labels == ("helmet", "vest", "person")
    assert {label for label, _, _ in found} == {"vest"}


def test_the_decoder_of_the_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site_decoder.py").write_text(PYTHON[2])
    monkeypatch.syspath_prepend(tmp_path)
    table = [[64, 64, 128, 160, 0.9, 1], [64, 64, 128, 160, 0.5, 2], [0, 0, 9, 9, 0.1, 0]]
    constants: dict[str, NDArray[Any]] = {
        "table": np.array([table], np.float32),
        "none": np.array([0], np.float32),
    }
    nodes = [
        helper.make_node("ReduceMax", ["images"], ["max"], keepdims=0),
        helper.make_node("Mul", ["max", "none"], ["zero"]),
        helper.make_node("Add", ["table", "zero"], ["dets"]),
    ]
    inputs = [floats("images", [1, 3, 640, 640])]
    save(tmp_path / "site.onnx", nodes, constants, inputs, [floats("dets", [1, 3, 6])])
    own = next(data for data in YAML if data.get("decoder", "").startswith("site_decoder"))
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(block("name") | own))
    found = engines.load(str(tmp_path / "site.yaml"))(half_green()).detections
    assert [label for label, _, _ in found] == ["vest"]
    np.testing.assert_allclose(found.xyxy, [[64, 0, 128, 80]])  # the letterbox is 80 rows


def test_the_example_of_a_server_is_a_manifest() -> None:
    here = {key: value for key, value in block("name").items() if key != "file"}
    manifest = Manifest.model_validate(here | block("runtime"))
    assert manifest.server is not None
    assert manifest.server.version == "3"
    assert str(manifest.server) == "model site version 3 at grpcs://models.example:8001"


def test_the_example_of_a_classifier_is_a_manifest() -> None:
    manifest = Manifest.model_validate(block("name") | {"thresholds": {}} | block("task"))
    bind(manifest.decoder, manifest.options)
    assert (manifest.task, manifest.crop.aspect) == ("classify", "tensor")


def test_the_example_of_several_heads_is_a_manifest() -> None:
    beside = ("task", "decoder", "labels", "threshold", "thresholds", "iou")
    rest = {key: value for key, value in block("name").items() if key not in beside}
    manifest = Manifest.model_validate(rest | block("heads"))
    assert [part.task for part in manifest.parts] == ["detect", "segment"]
    for part in manifest.parts:
        bind(part.decoder, part.options)


def test_the_example_of_an_embedder_is_a_manifest() -> None:
    example = next(data for data in YAML if data.get("decoder") == "embedding")
    beside = ("task", "decoder", "labels", "threshold", "thresholds", "iou")
    rest = {key: value for key, value in block("name").items() if key not in beside}
    manifest = Manifest.model_validate(rest | example)
    bind(manifest.decoder, manifest.options)
    assert (manifest.gives_vectors, manifest.crop.aspect) == (True, "box")
    stages = [data["stages"] for data in YAML if "stages" in data]
    published = [
        stage.publish
        for each in stages
        for stage in Camera.model_validate({"url": "test://", "stages": each}).stages or ()
        if isinstance(stage, ModelStage)
    ]
    assert published.count(True) == 1


def test_each_runtime_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`.*?`) \| .* \|$", DOC.partition("## Runtimes")[2], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} >= set(RUNTIMES)


def test_the_table_is_the_zoo() -> None:
    row = r"^\| `([\w-]+)` \| (.*?) \| (\w+(?:, \w+)*) \| (\S+) \| [\d.]+ \|"
    rows = re.findall(row, DOC, re.MULTILINE)
    assert sorted(row[0] for row in rows) == sorted(zoo_names())
    own = sum(find(name).folder == WEIGHTS for name in zoo_names())
    assert [row[0] for row in rows][:own] == zoo_names()[:own]
    for name, summary, task, licence in rows:
        manifest = find(name)
        assert (summary, task, licence) == (manifest.summary, manifest.tasks, manifest.licence)


def test_milliseconds_that_the_form_tells_are_those_of_the_table() -> None:
    told = {name: ms for name in zoo_names() if (ms := find(name).ms) is not None}
    assert told.keys() >= {"yolox-street", "deimv2-femto"}
    for name, ms in told.items():
        row = re.search(rf"^\| `{name}` \|.*$", DOC, re.MULTILINE)
        assert row
        assert f"| {ms:g} |" in row[0], f"{name}: not that of docs/models.md"


def test_the_accuracy_is_told_of_each_detector_of_the_streets_classes() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| [\d.]+ \| [\d.]+ \| (\S+) \|$", DOC, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(zoo_names())
    able = {name for name in zoo_names() if set(CLASSES) & set(find(name).box_labels)}
    assert {name for name, ap50 in rows if ap50 != "-"} == able


def test_the_table_of_decoders_is_complete() -> None:
    assert set(DECODERS) <= set(re.findall(r"^\| `(\w+)` \|", DOC, re.MULTILINE))


def test_models_without_a_url_are_named() -> None:
    named = re.search(r"(`.*?) were exported or converted", DOC)
    assert named
    absent = {listing.name for listing in list_models() if listing.place != "file"}
    without = {name for name in absent if not find(name).url}
    assert set(re.findall(r"`([\w-]+)`", named[1])) == without
