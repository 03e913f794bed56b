"""Several images in one call, where a network takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engines.builder.onnx_file import load_onnx
from engines.inspect.graph import Graph
from engines.inspect.values import Arrays


def stacked(feeds: Sequence[Arrays], count: int) -> Arrays:
    """``count`` feeds as one, along the first axis; they are gone round when there are fewer."""
    chosen = [feeds[index % len(feeds)] for index in range(count)]
    return {name: np.concatenate([each[name] for each in chosen]) for name in chosen[0]}


def write_batched(graph: Graph, feeds: Sequence[Arrays], path: Path) -> None:
    """Writes a copy of a network for the sizes that are fed, and any number of images per call.

    Raises:
        BuildError: the network takes one image a call.
        ImportError: a library for changing graphs is missing; names the extra.
    """
    from engines.builder.shapes import batched, fixed

    onnx = load_onnx()
    sizes = {name: (None, *array.shape[1:]) for name, array in feeds[0].items()}
    onnx.save(batched(fixed(onnx.load(str(graph.path)), sizes), feeds), str(path))
