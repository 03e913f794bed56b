"""PyTorch in: state dicts, torch.export, TorchScript; by dynamo and by the legacy exporter."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engines
from engines.convert import ConvertError, GapError
from engines.convert.asked import Asked, InputKeys
from engines.convert.importing import import_model
from engines.refusal import RefusalError
from tests.support import convert_networks
from tests.support import support_table as support
from tests.support.conversions import axes, imported, worst

torch = pytest.importorskip("torch", reason="torch is not installed")

pytestmark = pytest.mark.slow
pytest.importorskip("onnxscript", reason="onnxscript is not installed")

PLANES = "tests.support.convert_networks:planes"
DOTS = "tests.support.convert_networks:dots"
SCORES = "tests.support.convert_networks:scores"
AB = ("a", "b")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def fails(source: str | Path, out: Path, **asked: Any) -> str:
    """What is said of an import that is refused, of which nothing stays behind."""
    with pytest.raises((ValueError, RuntimeError)) as raised:
        import_model(Asked(source=str(source), name="made", out=out, **asked))
    assert not out.exists() or list(out.iterdir()) == []
    return str(raised.value)


@pytest.mark.parametrize("source", [DOTS, pytest.param(PLANES, marks=pytest.mark.full)])
def test_a_state_dict_by_dynamo(source: str, tmp_path: Path, out: Path) -> None:
    network = getattr(convert_networks, source.partition(":")[2])().eval()
    torch.save(network.state_dict(), tmp_path / "planes.pth")
    made = imported(
        *(tmp_path / "planes.pth", out),
        network=source,
        size=(64, 48),
        labels=AB,
        decoder="sigmoid",
    )
    assert worst(made) < 1e-5
    assert axes(made, "images") == ["batch", 3, 48, 64]
    assert made.about["onnx"]["by"] == "torch.onnx, dynamo"
    manifest = engines.manifest.read(made.manifest)
    assert manifest.source == f"planes.pth in {source} (PyTorch); mirante models import"
    assert manifest.input.size == (64, 48)
    assert (manifest.task, manifest.decoder, manifest.threshold) == ("segment", "sigmoid", 0.5)
    assert manifest.licence == "LicenseRef-unknown"
    assert str(Path.cwd()).encode() not in made.onnx.read_bytes()  # no folders of this machine
    rgb = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    with torch.no_grad():
        logits = network(torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255)
    (mask,) = engines.load(str(made.manifest))(rgb).masks
    for index, label in enumerate(AB):
        assert np.array_equal(mask.plane(label), (logits[0, index] >= 0).numpy())


def test_any_width_and_class_count_by_the_legacy_exporter(out: Path) -> None:
    made = imported(
        "tests.support.convert_networks:wide",
        out,
        size=(64, 64),
        labels=tuple("abcd"),
        decoder="argmax",
        legacy=True,
    )
    assert worst(made) < 1e-5
    assert made.about["onnx"]["by"] == "torch.onnx, legacy exporter"
    assert axes(made, "images")[0] == "batch"
    assert engines.manifest.read(made.manifest).threshold is None
    support.record("U-Net (ours)", "PyTorch", "onnxruntime", "fp32")


def test_sizes_stay_open_as_asked(out: Path) -> None:
    keys: dict[str, Any] = {"size": (64, 64), "labels": AB, "decoder": "sigmoid"}
    made = imported(DOTS, out, dynamic="size", legacy=True, **keys)
    named = axes(made, "images")
    assert [type(axis) for axis in named] == [str, int, str, str]
    text = made.manifest.read_text().replace("- 64\n  - 64", "- 96\n  - 32")
    made.manifest.write_text(text)
    (mask,) = engines.load(str(made.manifest))(np.zeros((32, 96, 3), np.uint8)).masks
    assert mask.plane("a").shape == (32, 96)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 3},
        lambda state: {"model": {"state_dict": state}, "optimizer": {"lr": 0.1}},
        lambda state: {f"_orig_mod.{k}": v for k, v in state.items()},
        lambda state: {k: v for k, v in state.items() if "num_batches" not in k},
    ],
)
def test_what_training_scripts_put_around_weights(wrapped: Any, tmp_path: Path) -> None:
    from engines.convert.weights import fit_weights

    trained = convert_networks.scores()
    with torch.no_grad():
        trained.bias.add_(3)
    torch.save(wrapped(trained.state_dict()), tmp_path / "w.pt")
    network = convert_networks.scores()
    fit_weights(network, tmp_path / "w.pt")
    assert torch.equal(network.bias, trained.bias)


def test_other_weights_are_named(tmp_path: Path, out: Path) -> None:
    state = convert_networks.scores().state_dict()
    state["head.weight"] = state.pop("layer.bias")
    state["layer.weight"] = torch.zeros(4, 3, 5, 5)
    torch.save(state, tmp_path / "w.pth")
    said = fails(tmp_path / "w.pth", out, network=SCORES, size=(32, 32))
    assert "missing: layer.bias; unexpected: head.weight; of another shape: layer.weight " in said
    assert "(4, 3, 5, 5) where the network has (4, 3, 3, 3)" in said


def test_a_file_that_would_run_code_is_not_read(tmp_path: Path, out: Path) -> None:
    torch.save(torch.nn.Conv2d(3, 4, 3), tmp_path / "whole.pt")
    said = fails(tmp_path / "whole.pt", out, network=SCORES, size=(32, 32))
    assert "it holds code (torch.nn.modules.conv.Conv2d), which would run" in said
    assert "expected weights alone, as torch.save(model.state_dict(), …) writes them" in said
    assert "it holds code" in fails(tmp_path / "whole.pt", out)  # before a network is asked for
    (tmp_path / "broken.pth").write_bytes(b"not a file of weights")
    said = fails(tmp_path / "broken.pth", out, network=SCORES, size=(32, 32))
    assert "expected weights alone" in said


@pytest.mark.parametrize("is_zip", [True, False])
def test_weights_are_told_from_code(tmp_path: Path, is_zip: bool) -> None:
    from engines.convert.weights import code_in

    net = torch.nn.Linear(2, 2)
    around = {
        "model": net.state_dict(),
        "optimizer": torch.optim.Adam(net.parameters()).state_dict(),
        "best": np.float64(0.5),
        "args": {"half": torch.float16, "on": torch.device("cpu"), "names": {"a", "b"}},
        "ema": torch.nn.Parameter(torch.zeros(2, dtype=torch.bfloat16)),
    }
    path = tmp_path / "w.pth"
    torch.save(around, path, _use_new_zipfile_serialization=is_zip)
    assert code_in(path) == ""
    torch.save({"model": net}, path, _use_new_zipfile_serialization=is_zip)
    assert code_in(path) == "torch.nn.modules.linear.Linear"
    path.write_bytes(b"no pickle")
    assert code_in(path) == ""


@pytest.mark.parametrize(
    ("source", "asked", "said"),
    [
        ("w.pth", {"size": (32, 32)}, "network: missing, and required: w.pth holds weights alone"),
        (SCORES, {}, "size: missing, and required for PyTorch"),
        ("tests.support.convert_networks:none", {"size": (32, 32)}, "has no attribute 'none'"),
        (
            "tests.support.convert_networks:no_module",
            {"size": (32, 32)},
            "expected a torch.nn.Module, got int",
        ),
        (
            "tests.support.convert_networks:failing",
            {"size": (32, 32)},
            "it fails: no configuration found",
        ),
        (PLANES, {"size": (40, 40)}, "the network does not take (1, 3, 40, 40) float32"),
        ("nowhere.pth", {}, "no such file; expected one of .onnx, .pt"),
        ("here.weights", {}, "unknown suffix; expected one of .onnx"),
        ("folder", {}, "expected a SavedModel folder, with saved_model.pb in it"),
    ],
)
def test_what_is_asked_does_not_fit(
    source: str, asked: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(convert_networks.scores().state_dict(), "w.pth")
    Path("here.weights").touch()
    Path("folder").mkdir()
    assert said in fails(source, tmp_path / "out", **asked)


def test_a_program_of_one_picture(tmp_path: Path, out: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = (torch.rand(1, 3, 32, 32),)
        program = torch.export.export(convert_networks.scores().eval(), example)
        torch.export.save(program, tmp_path / "net.pt2")
    made = imported(tmp_path / "net.pt2", out)
    assert axes(made, "images") == ["batch", 3, 32, 32]  # opened afterwards, and tried with two
    assert made.about["onnx"]["batch"] == "any number of images per call"


def test_the_library_of_dynamo_is_named(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    asked = Asked(source=SCORES, name="made", out=out, size=(32, 32))
    with pytest.raises(ImportError, match=r'onnxscript is missing .*"mirante\[convert\]"'):
        import_model(asked)
    assert list(out.iterdir()) == []


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program of torch.export for any number of images of one size."""
    batch = {0: torch.export.Dim("batch")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(
            convert_networks.scores().eval(), (torch.rand(2, 3, 40, 56),), dynamic_shapes=(batch,)
        )
        torch.export.save(exported, tmp_path / "net.pt2")
    return tmp_path / "net.pt2"


def test_a_program_of_torch_export(program: Path, out: Path) -> None:
    made = imported(program, out)  # which says its size itself
    assert worst(made) < 1e-5
    assert axes(made, "images") == ["batch", 3, 40, 56]
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.task, manifest.decoder) == ("classify", "softmax")
    assert manifest.labels == tuple(f"class_{i}" for i in range(4))


@pytest.mark.full  # as of Keras and ONNX files, once it is converted
def test_a_program_of_another_size(program: Path, out: Path) -> None:
    assert "size: the network has 56x40" in fails(program, out, size=(64, 64))


@pytest.mark.parametrize("how", ["script", "trace"])
def test_torchscript(how: str, tmp_path: Path, out: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, but in use
        script = (
            torch.jit.script(network)
            if how == "script"
            else torch.jit.trace(network, torch.rand(1, 3, 32, 32))
        )
        script.save(str(tmp_path / "net.pt"))
    made = imported(tmp_path / "net.pt", out, size=(32, 32))
    assert worst(made) < 1e-5
    assert made.about["onnx"]["by"] == "torch.onnx, legacy exporter"  # dynamo takes none


def test_several_outputs_keep_their_names_and_the_size_is_fixed_as_asked(out: Path) -> None:
    made = imported(
        "tests.support.convert_networks:several",
        out,
        size=(32, 32),
        dynamic="none",
        labels=("drivable", "lane"),
        decoder="argmax",
        input=InputKeys(mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2)),
    )
    assert set(made.about["outputs"]) == {"road", "lane"}
    assert axes(made, "images") == [1, 3, 32, 32]
    assert made.about["onnx"]["batch"] == "one image per call, as requested"
    assert made.about["onnx"]["by"] == "torch.onnx, dynamo"
    manifest = engines.manifest.read(made.manifest)
    assert manifest.options["planes"] == {"road": [None, "drivable"], "lane": [None, "lane"]}
    assert manifest.input.std == (0.2, 0.2, 0.2)


@pytest.mark.parametrize("legacy", [True, pytest.param(False, marks=pytest.mark.full)])
def test_channels_last(legacy: bool, out: Path) -> None:
    made = imported(
        "tests.support.convert_networks:channels_last",
        out,
        size=(48, 32),
        legacy=legacy,
        input=InputKeys(layout="nhwc"),
    )
    assert axes(made, "images") == ["batch", 32, 48, 3]
    assert engines.manifest.read(made.manifest).input.layout == "nhwc"


def test_two_readings_of_one_network_are_both_told(out: Path) -> None:
    asked = Asked(source=DOTS, name="made", out=out, size=(64, 64), labels=AB, legacy=True)
    with pytest.raises(RefusalError, match=r"(?s)several fit.*argmax.*sigmoid"):
        import_model(asked)


def test_a_branch_is_refused_by_dynamo_which_names_the_other_way(out: Path) -> None:
    said = fails("tests.support.convert_networks:branching", out, size=(32, 32))
    assert "cannot export it (torch.onnx, dynamo): " in said
    assert said.endswith("try --legacy, the older exporter, or --dynamic none")


def test_a_conversion_that_computes_something_else_is_refused(out: Path, tmp_path: Path) -> None:
    # The tracer sees noise, and follows the branch of noise; these images are dark.
    np.savez(tmp_path / "dark.npz", np.full((32, 32, 3), 3, np.uint8))
    asked = Asked(
        source="tests.support.convert_networks:branching",
        name="made",
        out=out,
        size=(32, 32),
        legacy=True,
        frames=str(tmp_path / "dark.npz"),
    )
    with pytest.raises(GapError, match=r"output output \(1, 4\): \S+, which is \S+ of its magnit"):
        import_model(asked)
    assert list(out.iterdir()) == []
    assert issubclass(GapError, ConvertError)
