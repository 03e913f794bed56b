"""PyTorch out to phones: LiteRT by litert-torch, ExecuTorch; each against ONNX Runtime."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import engines
from engines.convert import ConvertError, GapError
from engines.convert import phones as exports
from engines.convert.phones import Exported, Made, export_model
from engines.manifest import WEIGHTS
from tests.support import support_table as support
from tests.support.conversions import imported, photographs
from training.own import is_own, rebuild

torch = pytest.importorskip("torch", reason="torch is not installed")

pytestmark = pytest.mark.slow

LIBRARIES = {"litert": "litert_torch", "executorch": "executorch.exir"}
PLANES: dict[str, Any] = {"size": (64, 64), "labels": ("a", "b"), "decoder": "sigmoid"}
CLASSES: dict[str, Any] = {"size": (64, 64), "legacy": True}
NETWORKS = [
    ("litert", "U-Net (ours)", "tests.support.convert_networks:planes", PLANES),
    ("litert", "MobileNet", "tests.support.torchvision_beside_cpu:mobilenet", CLASSES),
    ("litert", "ViT", "tests.support.torchvision_beside_cpu:vit", CLASSES),
    ("executorch", "MobileNet", "tests.support.torchvision_beside_cpu:mobilenet", CLASSES),
    ("executorch", "ViT", "tests.support.torchvision_beside_cpu:vit", CLASSES),
]


@pytest.mark.parametrize("name", ["street", "road", "face"])
def test_our_networks_are_built_again_from_their_files(name: str) -> None:
    path = WEIGHTS / f"{name}.onnx"
    assert is_own(path)
    network = rebuild(path)
    noise = np.random.default_rng(0).random((1, 3, 96, 128), dtype=np.float32)
    expected = onnxruntime.InferenceSession(path).run(None, {"images": noise})[0]
    with torch.no_grad():
        got = network(torch.from_numpy(noise)).numpy()
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()


def test_others_networks_are_not_taken_for_ours(tmp_path: Path) -> None:
    made = imported(
        "tests.support.convert_networks:scores", tmp_path / "in", size=(32, 32), legacy=True
    )
    assert not is_own(made.onnx)
    assert rebuild(made.onnx) is None


def export(source: str, to: str, folder: Path, **asked: Any) -> Exported:
    pytest.importorskip(LIBRARIES[to], reason=f"{LIBRARIES[to]} is not installed")
    made = imported(source, folder / "in", **asked)
    found = export_model(str(made.manifest), to, folder / "out", frames=photographs(folder))
    assert found.about["passed"]
    return found


@pytest.mark.filterwarnings("ignore")  # of libraries that are loaded for the first time here
@pytest.mark.parametrize(("to", "architecture", "source", "asked"), NETWORKS)
def test_networks(
    to: str, architecture: str, source: str, asked: dict[str, Any], tmp_path: Path
) -> None:
    if "torchvision" in source:
        pytest.importorskip(
            "tests.support.torchvision_beside_cpu", reason="torchvision is not installed"
        )
        pytest.importorskip("timm", reason="timm is not installed")
    found = export(source, to, tmp_path, **asked)
    gaps = [gap["relative"] for gap in found.about["outputs"].values()]
    assert max(gaps) < 1e-4
    if to == "litert":
        assert found.manifest is not None
        model = engines.load(str(found.manifest))
        model(np.zeros((64, 64, 3), np.uint8))
    else:
        assert found.manifest is None
        assert found.file.suffix == ".pte"
    support.record(architecture, "PyTorch", to, "fp32")


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_our_own(tmp_path: Path) -> None:
    pytest.importorskip("executorch.exir", reason="executorch is not installed")
    found = export_model("face", "executorch", tmp_path, frames=photographs(tmp_path, 6))
    assert found.about["source"] == "face.onnx, built again"
    assert found.about["task"]["figures"]["iou of face"] > 0.99
    support.record("U-Net (ours)", "PyTorch", "executorch", "fp32")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("to", LIBRARIES)
def test_a_two_stage_detector_is_refused(to: str, tmp_path: Path) -> None:
    pytest.importorskip(
        "tests.support.torchvision_beside_cpu", reason="torchvision is not installed"
    )
    asked: dict[str, Any] = {"size": (256, 192), "labels": ("a", "b", "c"), "dynamic": "none"}
    with pytest.raises(ConvertError, match=rf"{to.removesuffix('rt')}\S* \S+ cannot convert it"):
        export(
            *("tests.support.torchvision_beside_cpu:faster_rcnn", to, tmp_path),
            threshold=0.1,
            legacy=True,
            **asked,
        )
    why = "the number of its boxes depends on the image"
    support.record("Faster R-CNN", "PyTorch", to, "fp32", why)


@pytest.mark.parametrize("to", LIBRARIES)
def test_a_library_that_is_missing_is_named(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, LIBRARIES[to], None)
    with pytest.raises(ImportError, match=r'is missing .*pip install "mirante\[phones\]"'):
        export_model("face", to, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_computes_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Brighter:
        """A converter that adds one to what it should compute."""

        def __init__(self, network: Any) -> None:
            self.network = network

        def run(self, feeds: Any) -> Any:
            return {name: values + 1 for name, values in self.network.run(feeds).items()}

    def convert(network: Any, _manifest: Any, path: Path) -> Made:
        path.write_bytes(b"a file")
        return Made("brighter 1.0", ".bin", Brighter(network))

    monkeypatch.setattr(exports, "convert", convert, raising=False)
    monkeypatch.setitem(exports.TARGETS, "brighter", "engines.convert.phones:convert")
    with pytest.raises(GapError, match=r"face\.bin by brighter 1\.0: computes something else than"):
        export_model("face", "brighter", tmp_path)
    assert list(tmp_path.iterdir()) == []
