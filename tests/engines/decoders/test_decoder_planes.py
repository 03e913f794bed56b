"""Segmenters that end at class numbers, or at logits of a quarter of the size as SegFormer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper

import engines
from engines.decoders import OptionError, bind
from tests.support.decoded import planes_of, spec
from tests.support.onnx_networks import floats, save

IDS = np.random.default_rng(1).integers(0, 4, (6, 8))
PLANES: dict[str, list[str | None]] = {"out": [None, "emu", "cat", "dog"]}
QUARTER: dict[str, Any] = {
    "name": "quarter",
    "task": "segment",
    "licence": "Apache-2.0",
    "input": {"name": "image", "size": [128, 128], "scale": 1 / 255, "resize": "letterbox-centre"},
    "labels": ["red", "green", "blue"],
}
COLOURS = [None, "red", "green", "blue"]


@pytest.mark.parametrize("shape", [(1, 6, 8), (1, 1, 6, 8), (1, 6, 8, 1), (6, 8)])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32])
def test_class_ids_are_planes(shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    found = bind("class_ids", {"planes": PLANES})({"out": IDS.reshape(shape).astype(dtype)}, spec())
    for label, plane in zip(("cat", "dog", "emu"), planes_of(found), strict=True):
        np.testing.assert_array_equal(plane, PLANES["out"].index(label) == IDS)


def test_a_class_id_without_a_name_is_an_error() -> None:
    with pytest.raises(
        OptionError, match=r"options\.planes\.out: expected numbers 0 to 3, got 0 t"
    ):
        bind("class_ids", {"planes": PLANES})({"out": IDS[None] + 1 * (IDS == 3)}, spec())
    with pytest.raises(OptionError, match=r"expected an output \(1, h, w\), got \(2, 6, 8\)"):
        bind("class_ids", {"planes": PLANES})({"out": np.stack([IDS, IDS])}, spec())


def quarter_net(path: Path, ends_at_ids: bool) -> None:
    """Logits of background, red, green, blue at a quarter of 128x128; or the largest's number."""
    nodes = [
        helper.make_node("AveragePool", ["image"], ["mean"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["mean", "weight", "bias"], ["logits"]),
    ]
    weight = np.array([[0, 0, 0], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], np.float32).reshape(
        4, 3, 1, 1
    )
    constants: dict[str, NDArray[Any]] = {
        "weight": weight,
        "bias": np.array([0.5, 0, 0, 0], np.float32),
    }
    outputs = [floats("logits", [1, 4, 32, 32])]
    if ends_at_ids:
        nodes.append(helper.make_node("ArgMax", ["logits"], ["ids"], axis=1, keepdims=0))
        outputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, 32, 32])]
    save(path, nodes, constants, [floats("image", [1, 3, 128, 128])], outputs)


@pytest.mark.parametrize("ends_at_ids", [False, True])
def test_planes_of_a_quarter_of_the_size_are_placed_in_the_frame(
    tmp_path: Path, ends_at_ids: bool
) -> None:
    quarter_net(tmp_path / "net.onnx", ends_at_ids)
    name = "ids" if ends_at_ids else "logits"
    data = QUARTER | {
        "file": "net.onnx",
        "decoder": "class_ids" if ends_at_ids else "argmax",
        "options": {"planes": {name: COLOURS}},
    }
    (tmp_path / "quarter.yaml").write_text(yaml.safe_dump(data))
    rgb: NDArray[np.uint8] = np.zeros((180, 320, 3), np.uint8)
    rgb[40:120, 60:200, 1] = 255
    (mask,) = engines.load(str(tmp_path / "quarter.yaml"))(rgb).masks
    placed = mask.on_frame("green", 320, 180)
    truth = rgb[..., 1] > 0
    assert (placed & truth).sum() / (placed | truth).sum() > 0.85
    assert not mask.on_frame("red", 320, 180).any()
