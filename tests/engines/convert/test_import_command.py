"""``mirante models import`` and ``export``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import engines
from engines.manifest import WEIGHTS
from tests.support.outcome import Run


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A network of 1x1 pixels: each of red, green, blue is a plane where it is bright."""
    monkeypatch.chdir(tmp_path)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 48])
        for name in ("pixels", "planes")
    ]
    weight = numpy_helper.from_array(np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1) * 9, "w")
    bias = numpy_helper.from_array(np.full(3, -4.5, np.float32), "b")
    node = helper.make_node("Conv", ["pixels", "w", "b"], ["planes"])
    graph = helper.make_graph([node], "graph", ends[:1], ends[1:], [weight, bias])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), "net.onnx")
    return "net.onnx"


IMPORT = ("models", "import", "net.onnx", "--name", "rgb", "--out", "out", "--decoder", "sigmoid")


def test_import_says_what_it_did_and_found(network: str, mirante: Run, tmp_path: Path) -> None:
    Path("names.txt").write_text("red\n\ngreen\nblue\n")
    outcome = mirante(
        *IMPORT,
        *("--labels", "names.txt", "--scale", "1/255", "--mean", "0", "--std", "1,1,1"),
        *("--threshold", "0.7", "--licence", "MIT", "--summary", "bright pixels"),
    )
    assert outcome.status == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].startswith("from      ONNX (onnxruntime ")
    assert lines[1].startswith("onnx      out/rgb.onnx, 0.")
    assert lines[2] == "          by as it is; any number of images per call"
    assert lines[3].startswith("decoder   sigmoid: planes is (1, 3, 32, 48): 3 planes; ")
    assert lines[4:9] == [
        "input     colour rgb: assumed",
        "          scale 1/255, mean 0, std 1: option",
        "          resize stretch: assumed",
        "          --frames CLIP tries what is assumed here",
        "labels    3 (red, green, blue): option",
    ]
    assert lines[9] == "parity    planes (1x3x32x48): 0, 0 of its magnitude; 0.001 is allowed"
    assert lines[10] == "          iou of red 1, iou of green 1, iou of blue 1"
    assert lines[11] == "          on 2 images: noise, the same each time"
    assert lines[12:] == ["report    out/rgb.parity.json", "run it    out/rgb.yaml"]
    text = Path("out/rgb.yaml").read_text()
    assert "\n  colour: rgb  # assumed\n" in text
    assert "\n  mean:  # option\n" in text
    assert "\nlabels:  # option\n- red\n" in text
    model = engines.load("out/rgb.yaml")
    assert (model.labels, model.manifest.threshold) == (("red", "green", "blue"), 0.7)
    assert (model.manifest.licence, model.manifest.summary) == ("MIT", "bright pixels")
    assert json.loads(Path("out/rgb.parity.json").read_text())["passed"]
    shown = mirante("models", "show", "out/rgb.yaml").out
    assert "source     net.onnx (ONNX); mirante models import" in shown


def test_every_option_reaches_the_manifest(network: str, mirante: Run) -> None:
    outcome = mirante(
        *IMPORT[:-2],
        *("--labels", "a,b", "--task", "segment", "--decoder", "sigmoid"),
        *("--option", "planes={planes: [a, b, null]}", "--option", "logits=true"),
        *("--size", "48x32", "--layout", "nchw", "--colour", "bgr", "--scale", "2", "--pad", "7"),
        *("--mean", "1,2,3", "--std", "4", "--resize", "letterbox-centre", "--iou", "0.3"),
        *("--dynamic", "none"),
    )
    assert outcome.status == 0, outcome.err
    manifest = engines.manifest.read(Path("out/rgb.yaml"))
    assert manifest.input.model_dump(exclude_defaults=True, exclude={"name", "size"}) == {
        "colour": "bgr",
        "scale": 2,
        "mean": (1, 2, 3),
        "std": (4, 4, 4),
        "resize": "letterbox-centre",
        "pad": 7,
    }
    assert manifest.options == {"planes": {"planes": ["a", "b", None]}, "logits": True}
    assert manifest.iou == 0.3
    assert "one image per call, as requested" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--labels", "none/names.txt"), 2, "labels: no file none/names.txt"),
        (("--size", "48"), 2, 'size: expected WIDTHxHEIGHT, such as 640x640, got "48"'),
        (("--size", "64x64"), 2, "size: the network has 48x32"),
        (("--scale", "1/x"), 2, "scale: expected a number, got '1/x'"),
        (("--mean", "1,2"), 2, "mean: expected a number or three, got '1,2'"),
        (("--option", "logits"), 2, "option: expected such as logits=true, got 'logits'"),
        (("--option", "planes={"), 2, "option planes: not YAML: '{'"),
        (("--extra", "size=wide"), 2, "extra: expected a name and =size_wh or =size_hw"),
        (("--dynamic", "all"), 2, "dynamic: expected batch, size, none, got all"),
        (("--frames", "nowhere.mp4"), 1, "nowhere.mp4: no such file"),
        (("--colour", "grey"), 2, "colour"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    network: str, mirante: Run, arguments: tuple[str, ...], status: int, said: str
) -> None:
    outcome = mirante(*IMPORT, *arguments)
    assert (outcome.status, outcome.out) == (status, "")
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert not Path("out").exists() or list(Path("out").iterdir()) == []


def test_a_framework_that_is_missing_is_named_with_its_extra(
    network: str, mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    Path("net.keras").touch()
    Path("net.pt").touch()
    for source, library, extra in (
        ("net.keras", "tensorflow", "convert"),
        ("net.pt", "torch", "train"),
        ("nets:make", "torch", "train"),
    ):
        outcome = mirante("models", "import", source, "--name", "rgb", "--out", "out")
        assert outcome.status == 1
        assert f"{library} is missing" in outcome.err
        assert f'pip install "mirante[{extra}]"' in outcome.err


def test_a_module_in_the_folder_of_the_command_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirante: Run
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("a_net_of_mine.py").write_text(
        "from torch import nn\n\n\ndef make():\n"
        "    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())\n"
    )
    outcome = mirante(
        *("models", "import", "a_net_of_mine:make", "--name", "kind", "--out", "out"),
        *("--size", "32x32", "--legacy"),
    )
    assert outcome.status == 0, outcome.err
    assert "by torch.onnx, legacy exporter; any number of images per call" in outcome.out
    assert engines.load("out/kind.yaml").task == "classify"


def test_another_number_of_labels_is_told_with_both(network: str, mirante: Run) -> None:
    outcome = mirante(*IMPORT, "--labels", "a,b,c,d,e")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines() == [
        "mirante: labels: 5 by the option (a, b, c, …), but 3 by the outputs",
        "  sigmoid: planes is (1, 3, 32, 48): 3 planes; from -3.97 to 4.25: logits, the sigmoid is "
        "still to be applied",
        "  what helps: 3 names in --labels",
    ]
    assert (
        "not argmax, sigmoid, class_ids: " in mirante(*IMPORT, "--labels", "a,b,c,d,e", "--why").err
    )


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("test-boxes", "--to", "litert"), 2, "source: missing, and required: test-boxes is"),
        (("test-boxes", "--to", "phone"), 2, 'no target "phone"; known: executorch, litert'),
        (("test-boxes", "--to", "litert", "--source", "net.onnx"), 1, "ONNX is not converted for"),
        (("nowhere", "--to", "litert"), 2, 'no model "nowhere"'),
    ],
)
def test_what_is_not_exported(
    network: str, mirante: Run, arguments: tuple[str, ...], status: int, said: str
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    outcome = mirante("models", "export", *arguments, "--out", "phones")
    assert outcome.status == status, outcome.err
    assert said in outcome.err
    assert not Path("phones").exists() or list(Path("phones").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--colour", "xyz"), "input: colour: expected 'rgb', 'bgr' or 'grey', got 'xyz'"),
        (("--scale", "0"), "input: scale: expected greater than 0, got 0.0"),
        (("--scale", "1/0"), "scale: expected a number, got '1/0'"),
        (("--std", "0"), "input: std: expected no 0, got [0.0, 0.0, 0.0]"),
    ],
)
def test_an_input_that_cannot_be_is_refused_by_its_key(
    mirante: Run, options: tuple[str, ...], words: str
) -> None:
    source = [str(WEIGHTS / "street.onnx"), "--size", "320x320"]
    outcome = mirante("models", "import", *source, "--name", "d", "--out", "out", *options)
    assert (outcome.status, outcome.err) == (2, f"mirante: {words}\n")
