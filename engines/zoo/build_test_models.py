"""Builds the networks that see the synthetic camera's image exactly: test-boxes, test-lane, ….

They hold no weights, only arithmetic on colours: a red rectangle is where red exceeds green and
blue by half the range. ``python -m engines.zoo.build_test_models [FOLDER]`` writes the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from engines.zoo.boxes_graph import boxes
from engines.zoo.cells_graph import instances, pose
from engines.zoo.embedding_graph import embedding
from engines.zoo.graph import save
from engines.zoo.heads_graph import heads
from engines.zoo.oriented_graph import oriented


def lane(folder: Path) -> Path:
    """test-lane: how far red and blue both exceed green, 0..1 per pixel: the magenta band."""
    node = helper.make_node
    nodes = [
        node("Split", ["image", "thirds"], ["red", "green", "blue"], axis=1),
        node("Min", ["red", "blue"], ["magenta"]),
        node("Sub", ["magenta", "green"], ["difference"]),
        node("Div", ["difference", "full"], ["ratio"]),
        node("Clip", ["ratio", "zero", "one"], ["lane"]),
    ]
    constants = {
        "thirds": np.array([1, 1, 1], np.int64),
        "full": np.array(255, np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
    }
    shape: list[str | int | None] = [1, 1, "height", "width"]
    outputs = [helper.make_tensor_value_info("lane", TensorProto.FLOAT, shape)]
    return save("test-lane", nodes, constants, outputs, folder)


BUILDS = (boxes, lane, oriented, heads, instances, pose, embedding)


def main() -> None:
    """Writes all files into the folder given, or beside this file."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for build in BUILDS:
        sys.stdout.write(f"{build(folder)}\n")


if __name__ == "__main__":
    main()
