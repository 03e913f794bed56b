"""Imports of networks with several tasks: by their outputs, or by a file of heads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import engines
from engines.convert.recognise import RecogniseError
from engines.convert.recognise.evidence import Seen, Tensor
from engines.convert.recognise.several import several
from engines.manifest import ZOO, find
from pipeline.cameras.synthetic import picture
from tests.support.outcome import Run

SIZE = (96, 64)
IMPORT = ("models", "import", str(ZOO / "test-heads.onnx"), "--name", "both", "--out", "out")
FED = ("--scale", "1", "--resize", "letterbox-top-left")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that an import is made in, with a picture that shows something to all heads."""
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "seen.npz", *(picture(n, 640, 360) for n in (0, 7)))
    return tmp_path


def outputs(labels: int = 1, planes: int = 2) -> list[Tensor]:
    """As YOLOP gives: three boxes a cell, then two outputs of planes."""
    random = np.random.default_rng(1)
    count = 3 * sum(SIZE[0] // s * (SIZE[1] // s) for s in (8, 16, 32))
    table = random.random((1, count, 5 + labels)) * ([50] * 4 + [1] * (1 + labels))
    masks = random.normal(0, 3, (2, 1, planes, SIZE[1], SIZE[0]))
    named = {"det_out": table, "drive_area_seg": masks[0], "lane_line_seg": masks[1]}
    return [Tensor(name, value.astype(np.float32)) for name, value in named.items()]


def test_boxes_and_planes_are_told_apart() -> None:
    boxes, planes = several(Seen(SIZE, ("car", "drivable", "lane"), tuple(outputs())))
    (read, labels), (mask, names) = boxes, planes
    assert (read.decoder, read.options, read.task) == ("yolov5", {"output": "det_out"}, "detect")
    assert (labels, names) == (("car",), ("drivable", "lane"))
    assert (mask.decoder, mask.task) == ("argmax", "segment")
    assert mask.options["planes"] == {
        "drive_area_seg": [None, "drivable"],
        "lane_line_seg": [None, "lane"],
    }


def test_planes_in_another_order_go_by_the_names_of_their_outputs() -> None:
    table, drivable, lane = outputs()
    _, (mask, _) = several(Seen(SIZE, ("car", "drivable", "lane"), (table, lane, drivable)))
    assert mask.options["planes"] == {
        "lane_line_seg": [None, "lane"],
        "drive_area_seg": [None, "drivable"],
    }
    plain = (table, Tensor("p", lane.value), Tensor("q", drivable.value))
    _, (mask, _) = several(Seen(SIZE, ("car", "drivable", "lane"), plain))
    assert mask.options["planes"] == {"p": [None, "drivable"], "q": [None, "lane"]}


def test_planes_that_yolop_ends_with_sigmoids_compete_with_a_background() -> None:
    table, *logits = outputs()
    chances = [Tensor(t.name, 1 / (1 + np.exp(-t.value)), "Sigmoid") for t in logits]
    _, (mask, names) = several(Seen(SIZE, ("car", "drivable", "lane"), (table, *chances)))
    assert (mask.decoder, names) == ("argmax", ("drivable", "lane"))
    assert mask.options["planes"]["lane_line_seg"] == [None, "lane"]
    assert "two probabilities an output" in mask.reasons[-1]


def test_a_network_of_one_task_has_no_heads() -> None:
    every = outputs()
    assert several(Seen(SIZE, ("car",), tuple(every[:1]))) == ()
    assert several(Seen(SIZE, ("drivable", "lane"), tuple(every[1:]))) == ()
    assert several(Seen(SIZE, ("car",), tuple(every))) == (), "no names are left for the planes"


def test_what_several_decoders_fit_is_refused_with_what_helps() -> None:
    with pytest.raises(RecogniseError, match="the network has several tasks") as caught:
        several(Seen(SIZE, None, tuple(outputs())))
    assert "--heads FILE" in str(caught.value)
    assert "argmax" in str(caught.value)
    assert "sigmoid" in str(caught.value)


def heads_of(path: str) -> list[dict[str, Any]]:
    return yaml.safe_load(Path(path).read_text())["heads"]


@pytest.mark.slow
def test_an_import_finds_the_heads_and_proves_each(here: Path, mirante: Run) -> None:
    labels = ("--labels", "red,green,blue,drivable,lane")
    outcome = mirante(*IMPORT, *FED, *labels, "--frames", "seen.npz")
    assert outcome.status == 0, outcome.err
    assert "decoder   yolov5, argmax: detect: det_out is" in outcome.out
    expected = yaml.safe_load((ZOO / "test-heads.yaml").read_text())["heads"]
    found = heads_of("out/both.yaml")
    assert found[0].pop("threshold") == 0.4
    assert found == [{k: v for k, v in head.items() if k != "threshold"} for head in expected]
    figures = json.loads((here / "out" / "both.parity.json").read_text())["task"]["figures"]
    assert {"detect: iou min", "segment: iou of lane", "segment: iou of drivable"} <= set(figures)
    model = engines.load("out/both.yaml")
    seen = model(picture(3, 640, 360))
    assert len(seen.detections) == 3
    assert seen.masks[0].labels == ("drivable", "lane")


@pytest.mark.slow
def test_an_import_takes_a_file_of_heads(here: Path, mirante: Run) -> None:
    listed = [
        {"task": "detect", "labels": ["a", "b", "c"], "threshold": 0.6, "iou": 0.3},
        {"task": "segment", "labels": ["ground", "line"]},
    ]
    Path("heads.yaml").write_text(yaml.safe_dump(listed))
    outcome = mirante(*IMPORT, *FED, "--heads", "heads.yaml", "--frames", "seen.npz")
    assert outcome.status == 0, outcome.err
    boxes, planes = heads_of("out/both.yaml")
    assert (boxes["threshold"], boxes["iou"], boxes["decoder"]) == (0.6, 0.3, "yolov5")
    assert planes["options"]["planes"]["lane_line_seg"] == [None, "line"]
    assert engines.load("out/both.yaml").labels == ("a", "b", "c", "ground", "line")
    whole = yaml.safe_dump(list(map(dict, heads_of(str(ZOO / "test-heads.yaml")))))
    Path("heads.yaml").write_text(whole)
    outcome = mirante(*IMPORT, *FED, "--heads", "heads.yaml", "--frames", "seen.npz")
    assert outcome.status == 0, outcome.err
    assert heads_of("out/both.yaml") == yaml.safe_load(whole)


@pytest.mark.parametrize(
    ("listed", "more", "words"),
    [
        ({"task": "detect"}, (), "heads: expected a list of heads in heads.yaml"),
        ([{"task": "sing"}], (), "heads.0.task: expected 'detect'"),
        ([{"task": "detect", "labls": 1}], (), 'heads.0.labls: no such key; did you mean "labels"'),
        ([{"task": "detect"}], ("--labels", "a"), "labels: expected in each head, got it beside"),
    ],
)
def test_a_file_of_heads_that_is_wrong_is_refused(
    here: Path, mirante: Run, listed: Any, more: tuple[str, ...], words: str
) -> None:
    Path("heads.yaml").write_text(yaml.safe_dump(listed))
    outcome = mirante(*IMPORT, "--heads", "heads.yaml", *more)
    assert outcome.status != 0
    assert words in " ".join(outcome.err.split())
    assert not (here / "out" / "both.yaml").exists()


def test_an_embedder_is_imported_where_it_is_asked_for(here: Path, mirante: Run) -> None:
    source = str(ZOO / "test-embedding.onnx")
    made = ("models", "import", source, "--name", "reid", "--out", "out", "--scale", "1")
    outcome = mirante(*made)
    assert outcome.status != 0
    assert "--task embed" in outcome.err
    outcome = mirante(*made, "--task", "embed", "--frames", "seen.npz")
    assert outcome.status == 0, outcome.err
    assert "decoder   embedding: embedding is (1, 48)" in outcome.out
    assert "cosine min 1" in outcome.out
    assert engines.load("out/reid.yaml").manifest.gives_vectors


@pytest.mark.slow
def test_oriented_boxes_are_imported(here: Path, mirante: Run) -> None:
    source = str(ZOO / "test-oriented.onnx")
    outcome = mirante(
        *("models", "import", source, "--name", "turned", "--out", "out", *FED),
        *("--labels", "red,green,blue,band", "--frames", "seen.npz"),
    )
    assert outcome.status == 0, outcome.err
    assert "decoder   yolov8_obb: output0 is (1, 9, 5040)" in outcome.out
    manifest = engines.manifest.read(Path("out/turned.yaml"))
    shipped = find("test-oriented")
    assert (manifest.task, manifest.decoder, manifest.options, manifest.labels) == (
        *(shipped.task, shipped.decoder, shipped.options),
        shipped.labels,
    )


@pytest.mark.slow
def test_how_a_known_network_is_fed_is_taken_from_its_family(here: Path, mirante: Run) -> None:
    labels = ("--labels", "red,green,blue,drivable,lane")
    outcome = mirante(*IMPORT, *labels)
    assert outcome.status == 0, outcome.err
    assert (
        "mean 0.485,0.456,0.406, std 0.229,0.224,0.225, resize letterbox-centre: family YOLOP"
        in (outcome.out)
    )
    turned = str(ZOO / "test-oriented.onnx")
    outcome = mirante(
        *("models", "import", turned, "--name", "turned", "--out", "out"),
        *("--labels", "red,green,blue,band"),
    )
    assert "resize letterbox-centre: family YOLOv5, v8 and their heirs" in outcome.out


@pytest.mark.slow
def test_other_ways_of_feeding_are_judged_by_all_heads(here: Path, mirante: Run) -> None:
    """The network is taught whole pixels: with images of 0..1 it sees no colour."""
    np.savez(here / "more.npz", *(picture(n, 640, 360) for n in range(0, 60, 15)))
    labels = ("--labels", "red,green,blue,drivable,lane")
    outcome = mirante(*IMPORT, *FED[2:], *labels, "--frames", "more.npz")
    assert outcome.status == 0, outcome.err
    assert "--scale 1" in " ".join((outcome.out + outcome.err).split())
