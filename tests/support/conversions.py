"""Imports models in tests, and looks at what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import engines
from engines.builder.frames import shipped_pictures
from engines.convert.asked import Asked
from engines.convert.importing import Imported, import_model

# What became of each axis of a tensor in an ONNX file: its length, or its name.
Axes = list[int | str]


def imported(source: str | Path, out: Path, **asked: Any) -> Imported:
    """Imports, and checks what every import leaves behind."""
    made = import_model(Asked(source=str(source), name="made", out=out, **asked))
    assert sorted(path.name for path in out.iterdir()) == [
        *("made.onnx", "made.parity.json", "made.yaml")
    ]
    about = json.loads(made.report.read_text())
    assert about == made.about
    assert about["passed"]
    assert about["missed"] == []
    engines.load(str(made.manifest))
    return made


def worst(made: Imported) -> float:
    """The largest gap of any output, as a share of its magnitude."""
    return max(gap["relative"] for gap in made.about["outputs"].values())


def axes(made: Imported, name: str) -> Axes:
    """Of an input or output of the ONNX file."""
    graph = onnx.load(made.onnx).graph
    (info,) = [each for each in (*graph.input, *graph.output) if each.name == name]
    return [dim.dim_value or dim.dim_param for dim in info.type.tensor_type.shape.dim]


def photographs(folder: Path, count: int = 3) -> str:
    """A file of some of the images that ship with the project."""
    pictures = shipped_pictures()
    step = len(pictures) // count
    path = folder / "photographs.npz"
    np.savez(path, *pictures[::step][:count])
    return str(path)
