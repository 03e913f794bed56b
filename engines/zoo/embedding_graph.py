"""The graph of test-embedding: a vector of an image's colours, as a network of faces gives one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from engines.zoo.graph import save

SIDE, CELL = 64, 16  # pixels of the image, and of each of its 4 * 4 cells


def embedding(folder: Path) -> Path:
    """test-embedding: the mean red, green and blue of 4 * 4 cells about their middle, (1, 48)."""
    node = helper.make_node
    nodes = [
        node("AveragePool", ["image"], ["means"], kernel_shape=[CELL] * 2, strides=[CELL] * 2),
        node("Sub", ["means", "middle"], ["about_middle"]),
        node("Flatten", ["about_middle"], ["embedding"], axis=1),
    ]
    constants = {"middle": np.array(127.5, np.float32)}
    numbers = 3 * (SIDE // CELL) ** 2
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, numbers])]
    return save("test-embedding", nodes, constants, outputs, folder, (SIDE, SIDE))
