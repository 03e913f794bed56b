"""MobileNet and ViT as classifiers of boxes say what PyTorch says of the same crop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import engines
from mirante import Detections
from tests.support import support_table as support

torch = pytest.importorskip("torch", reason="the networks are PyTorch's")

pytestmark = pytest.mark.slow

LABELS = ["van", "bus", "taxi", "tram", "lorry"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize(
    ("architecture", "made"),
    [("MobileNetV3", "mobilenet"), pytest.param("ViT", "vit", marks=pytest.mark.full)],
)
def test_a_box_gets_what_pytorch_says_of_its_crop(
    architecture: str, made: str, tmp_path: Path
) -> None:
    if made == "vit":
        pytest.importorskip("timm", reason="the vision transformer is timm's")
    networks = "tests.support.torchvision_beside_cpu"
    net = getattr(
        pytest.importorskip(networks, reason="torchvision is not installed"), made
    )().eval()
    shape = torch.zeros(1, 3, 64, 64)
    path = str(tmp_path / "net.onnx")
    torch.onnx.export(net, (shape,), path, dynamo=False, input_names=["image"])
    manifest = {
        "name": "kind",
        "task": "classify",
        "file": "net.onnx",
        "licence": "Apache-2.0",
        "input": {"name": "image", "size": [64, 64], "scale": 1 / 255},
        "decoder": "softmax",
        "labels": LABELS,
    }
    (tmp_path / "kind.yaml").write_text(yaml.safe_dump(manifest))
    rgb = np.random.default_rng(3).integers(0, 255, (100, 160, 3), np.uint8)
    corner = np.array([[16, 20], [90, 30]], np.float32)
    xyxy = np.hstack([corner, corner + 64])  # the tensor's size: nothing is resampled
    boxes = Detections(xyxy, np.ones(2, np.float32), np.zeros(2, np.int32), ("vehicle",))
    model = engines.load(str(tmp_path / "kind.yaml"), on="vehicle")
    said = model(rgb, detections=boxes).attributes
    for index, (left, top) in enumerate(corner.astype(int)):
        crop = rgb[top : top + 64, left : left + 64].transpose(2, 0, 1)[None] / np.float32(255)
        with torch.no_grad():
            shares = net(torch.from_numpy(crop)).softmax(dim=1)[0]
        best = int(shares.argmax())
        assert said[index]["kind"].label == LABELS[best]
        assert said[index]["kind"].score == pytest.approx(float(shares[best]), abs=1e-4)
    support.record(f"{architecture}, on boxes", "PyTorch", "onnxruntime", "fp32")
