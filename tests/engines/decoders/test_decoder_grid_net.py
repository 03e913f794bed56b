"""The first YOLO's grid out of a network: PyTorch, exported, run by ONNX Runtime, decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import engines
from engines.found import Boxes
from tests.support import support_table as support
from tests.support.plain_reference import Row, assert_same, best_class, from_centre, suppress

torch = pytest.importorskip("torch", reason="the network is made by PyTorch")
LABELS = ["cat", "dog", "emu"]


def export(path: Path) -> None:
    """5 * 5 cells of two boxes and three classes from 64x64 pixels, all through a sigmoid."""
    torch.manual_seed(1)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 8, stride=8),
        torch.nn.LeakyReLU(0.1),
        torch.nn.Flatten(),
        torch.nn.Linear(8 * 8 * 8, 5 * 5 * 13),
        torch.nn.Sigmoid(),
        torch.nn.Unflatten(1, (5, 5, 13)),
    )
    shape = torch.zeros(1, 3, 64, 64)
    names = {"input_names": ["image"], "output_names": ["grid"]}
    torch.onnx.export(net.eval(), (shape,), str(path), dynamo=False, **names)


@pytest.mark.filterwarnings("ignore:You are using the legacy:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The feature will be removed:DeprecationWarning")
def test_the_grid_of_a_network_equals_the_plain_reference(tmp_path: Path) -> None:
    export(tmp_path / "grid.onnx")
    manifest = {
        "name": "grid",
        "task": "detect",
        "file": "grid.onnx",
        "licence": "Apache-2.0",
        "input": {"name": "image", "size": [64, 64], "scale": 1 / 255},
        "decoder": "yolov1",
        "options": {"grid": 5},
        "labels": LABELS,
        "threshold": 0.27,
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(manifest))
    model = engines.load(str(tmp_path / "grid.yaml"))
    rgb = np.random.default_rng(2).integers(0, 255, (64, 64, 3), np.uint8)
    found = model(rgb).detections

    session = engines.model.session_of(model.manifest, 1)
    tensor = rgb.transpose(2, 0, 1)[None].astype(np.float32) / 255
    rows: list[Row] = []
    for at, cell in enumerate(session.run({"image": tensor})["grid"].reshape(25, 13).tolist()):
        for x, y, w, h, confidence in (cell[:5], cell[5:10]):
            best = best_class([confidence * c for c in cell[10:]], [0.27] * 3)
            if best is not None:
                centre = ((at % 5 + x) / 5 * 64, (at // 5 + y) / 5 * 64)
                rows.append((*best, from_centre(*centre, w * w * 64, h * h * 64)))
    expected = [
        (score, index, (max(b[0], 0), max(b[1], 0), min(b[2], 64), min(b[3], 64)))
        for score, index, b in suppress(rows, model.manifest.iou)
    ]
    assert len(expected) > 3
    assert_same(Boxes(found.xyxy, found.score, found.class_id), expected)
    support.record("YOLOv1 grid", "PyTorch", "onnxruntime", "fp32")
