"""Networks of one channel: what they are fed is the luma."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

import engines
from engines.convert.asked import InputKeys
from tests.support.conversions import axes, imported, photographs
from tests.support.onnx_networks import floats, save

make: Any = helper.make_node


def grey_mask(path: Path, layout: str = "nchw") -> Path:
    """A plane that is sure where its one channel is bright."""
    shape: list[int | str | None]
    shape = ["n", 1, 64, 64] if layout == "nchw" else ["n", 64, 64, 1]
    nodes = [
        make("Sub", ["x", "half"], ["c"]),
        make("Mul", ["c", "steep"], ["l"]),
        make("Sigmoid", ["l"], ["mask"]),
    ]
    constants = {"half": np.array([0.5], np.float32), "steep": np.array([20], np.float32)}
    return save(path, nodes, constants, [floats("x", shape)], [floats("mask", shape)])


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_network_that_sees_grey(tmp_path: Path, layout: str) -> None:
    source = grey_mask(tmp_path / "net.onnx", layout)
    made = imported(source, tmp_path / "out", labels=("bright",), frames=photographs(tmp_path))
    spec = engines.manifest.read(made.manifest).input
    assert (spec.colour, spec.layout, spec.channels) == ("grey", layout, 1)
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:32] = (0, 255, 0)  # of which the luma is 0.587
    rgb[32:] = (255, 0, 255)  # 0.413
    (mask,) = engines.load(str(made.manifest))(rgb).masks
    assert mask.plane("bright")[:32].all()
    assert not mask.plane("bright")[32:].any()


def test_grey_has_one_mean_and_one_std(tmp_path: Path) -> None:
    source = grey_mask(tmp_path / "net.onnx")
    keys = InputKeys(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    made = imported(source, tmp_path / "out", labels=("bright",), input=keys)
    spec = engines.manifest.read(made.manifest).input
    assert (spec.mean, spec.std) == ((0.5,), (0.25,))


MODULE = """
from torch import nn


def make():
    return nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Sigmoid())
"""


def test_a_module_of_pytorch_that_sees_grey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    (tmp_path / "a_grey_net.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    made = imported(
        "a_grey_net:make",
        tmp_path / "out",
        size=(48, 32),
        labels=("a", "b"),
        decoder="sigmoid",
        input=InputKeys(colour="grey"),
        legacy=True,
    )
    assert axes(made, "images")[1:] == [1, 32, 48]
    assert engines.manifest.read(made.manifest).input.colour == "grey"
