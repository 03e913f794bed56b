"""A tiny network that finds pure colours by weights, and requests for engines of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from onnx import helper

import engines
from engines.builder.request import Request
from tests.support.built_engines import ask, save_pictures
from tests.support.onnx_networks import floats, save
from tests.support.simulated_engines import Machine, be

LABELS = ["red", "green", "blue"]


def pictures() -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Rectangles of the three colours, each somewhere else."""
    found = np.full((2, 32, 32, 3), 40, np.uint8)
    for index, rgb in enumerate(found):
        for channel in range(3):
            rgb[4 + 8 * channel : 10 + 8 * channel, 4 + 6 * index : 20, channel] = 250
    return list(found)


def network(folder: Path, gain: float = 20.0, name: str = "colours", most: float = 30.0) -> str:
    """A network that finds pure colours, by weights that training would set; its manifest."""
    node = helper.make_node
    weights = np.full((3, 3, 1, 1), -0.1, np.float32)
    weights[range(3), range(3)] = 1
    nodes = [
        node("Conv", ["image", "weight", "bias"], ["seen"]),
        node("Mul", ["seen", "gain"], ["steep"]),
        node("Clip", ["steep", "least", "most"], ["planes"]),
    ]
    constants = {
        "weight": weights,
        "bias": np.full(3, -0.5, np.float32),
        "gain": np.full((1, 3, 1, 1), gain, np.float32),
        "least": np.array(-30, np.float32),
        "most": np.array(most, np.float32),
    }
    shape = [1, 3, 32, 32]
    save(
        folder / f"{name}.onnx",
        nodes,
        constants,
        [floats("image", shape)],
        [floats("planes", shape)],
    )
    keys = {
        "name": name,
        "task": "segment",
        "file": f"{name}.onnx",
        "licence": "Apache-2.0",
        "input": {"name": "image", "size": [32, 32], "scale": 1 / 255},
        "decoder": "sigmoid",
        "options": {"logits": True, "planes": {"planes": LABELS}},
        "labels": LABELS,
        "threshold": 0.5,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(keys))
    return str(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """The machine on which the test runs; all that its GPU gave must be given back."""
    made = on(Machine(), tmp_path / "home", monkeypatch)
    yield made
    made.close()


def on(machine: Machine, home: Path, patch: pytest.MonkeyPatch) -> Machine:
    patch.setenv("MIRANTE_HOME", str(home))
    return be(machine, patch)


@pytest.fixture
def model(tmp_path: Path) -> str:
    return network(tmp_path)


def asked(model: str, **keys: Any) -> Request:
    where = save_pictures(Path(model).with_name("pictures.npz"), pictures())
    return ask(model, "tensorrt", frames=where, **keys)


def planes(manifest: str) -> list[Any]:
    """What a model gives before it is decoded; two gains differ there."""
    session = engines.load(manifest)._session
    found = []
    for rgb in pictures():  # an engine does the preprocessing itself
        is_engine = session.inputs["image"].dtype == np.uint8
        fed = rgb if is_engine else (rgb.astype(np.float32) / 255).transpose(2, 0, 1)
        found.append(session.run({"image": fed[None]})["planes"])
    return found
