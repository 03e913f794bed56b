"""Networks that others wrote, random weights: segmenters, classifiers, a two-stage detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engines
from tests.support import support_table as support
from tests.support.conversions import axes, imported, photographs, worst

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("networks")]

HERE = "tests.support.torchvision_beside_cpu"
ABC = ("a", "b", "c")


@pytest.fixture
def networks() -> Any:
    """The module of the networks; it takes seconds to import, which only these tests are to pay."""
    return pytest.importorskip(HERE, reason="torchvision is not installed")


@pytest.mark.parametrize(
    ("make", "library", "architecture"),
    [
        ("smp_unet", "segmentation_models_pytorch", "U-Net (segmentation-models-pytorch)"),
        pytest.param(
            "segformer", "segmentation_models_pytorch", "SegFormer", marks=pytest.mark.full
        ),
    ],
)
def test_segmenters(make: str, library: str, architecture: str, tmp_path: Path) -> None:
    pytest.importorskip(library)
    made = imported(
        f"{HERE}:{make}",
        tmp_path / "out",
        size=(64, 64),
        labels=ABC,
        decoder="argmax",
        legacy=True,  # dynamo takes them too, and five times as long; it takes ViT below
        frames=photographs(tmp_path),
    )
    assert worst(made) < 1e-4
    assert axes(made, "images")[0] == "batch"
    assert made.about["onnx"]["batch"] == "any number of images per call"
    seen = [value for name, value in made.about["task"]["figures"].items() if "iou" in name]
    assert len(seen) > 1  # more than one class, each where PyTorch has it
    assert min(seen) > 0.99
    support.record(architecture, "PyTorch", "onnxruntime", "fp32")


@pytest.mark.parametrize(
    ("make", "library", "architecture"),
    [
        ("mobilenet", "torchvision", "MobileNet"),
        pytest.param("vit", "timm", "ViT", marks=pytest.mark.full),
    ],
)
def test_classifiers(
    make: str, library: str, architecture: str, tmp_path: Path, networks: Any
) -> None:
    pytest.importorskip(library)
    made = imported(
        f"{HERE}:{make}",
        tmp_path / "out",
        size=(64, 64),
        legacy=make == "mobilenet",
        frames=photographs(tmp_path, 6),
    )
    assert worst(made) < 1e-4
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.task, manifest.decoder) == ("classify", "softmax")
    assert made.about["task"]["figures"]["attributes"] == 6
    assert made.about["task"]["figures"]["same label"] == 1
    rgb = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)
    (attribute,) = engines.load(str(made.manifest))(rgb).attributes.values()
    with networks.torch.no_grad():
        chance = getattr(networks, make)().eval()(
            networks.torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255
        )
    best = chance.softmax(1)[0]
    assert attribute["made"].label == f"class_{int(best.argmax())}"
    assert attribute["made"].score == pytest.approx(float(best.max()), abs=1e-5)
    support.record(architecture, "PyTorch", "onnxruntime", "fp32")


def test_a_two_stage_detector(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"size": (256, 192), "labels": ABC, "threshold": 0.1}
    made = imported(
        f"{HERE}:faster_rcnn",
        tmp_path / "out",
        dynamic="none",
        legacy=True,  # its selection of boxes has no form in dynamo
        frames=photographs(tmp_path),
        **asked,
    )
    manifest = engines.manifest.read(made.manifest)
    assert (manifest.task, manifest.decoder) == ("detect", "end_to_end")
    assert manifest.options["first_class"] == 1  # 0 is the background
    figures = made.about["task"]["figures"]
    assert figures["boxes"] >= 10
    assert (figures["missing"], figures["extra"]) == (0, 0)
    assert figures["iou min"] > 0.99
    support.record("Faster R-CNN", "PyTorch", "onnxruntime", "fp32")


def test_operators_of_the_detector_are_those_of_the_papers(networks: Any) -> None:
    """What stands in for compiled operators, on boxes and an image worked out by hand."""
    tensor = networks.torch.tensor
    boxes = tensor([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]], dtype=networks.torch.float)
    assert networks.nms(boxes, tensor([0.6, 0.9, 0.5]), 0.5).tolist() == [1, 2]
    assert networks.nms(boxes, tensor([0.6, 0.9, 0.5]), 0.9).tolist() == [1, 0, 2]
    ramp = networks.torch.arange(8.0).repeat(8, 1)[None, None]
    found = networks.roi_align(ramp, tensor([[0, 2.0, 2.0, 6.0, 6.0]]), 1.0, 2, 2, 2, True)
    # The left half of columns 2 to 6 has its middle at x = 3, half a pixel off the pixel centres.
    assert found[0, 0].tolist() == [[2.5, 4.5], [2.5, 4.5]]
