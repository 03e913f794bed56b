"""Small networks of random weights for any batch, read as real ones are, and frames for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from engines.cuda.fill import Planes
from engines.image import Pixels
from engines.manifest import Manifest
from engines.placement import Size
from engines.runtimes.tensorrt.cuda import Cuda, DeviceMemory, PinnedMemory, Stream
from tests.support.onnx_networks import floats, save

SIZE = (64, 48)  # width and height of the input
LABELS = ("a", "b", "c", "d")
MATRIX = np.array([[1, 0, 1.5, -192], [1, -0.2, -0.5, 90], [1, 1.8, 0, -230]], np.float64)
# Columns of a table before its classes, and what its decoder is told.
FAMILIES: dict[str, int] = {"yolov8": 4, "yolov5": 5, "yolox": 5}


def detector(path: Path, family: str, strides: tuple[int, ...] = (2, 4)) -> Path:
    """Write a network of a convolution a stride, whose scores are sigmoids: (n, columns, cells), or
    (n, cells, columns) but for YOLOv8's.
    """
    columns = FAMILIES[family] + len(LABELS)
    random = np.random.default_rng(3)
    node = helper.make_node
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, NDArray[Any]] = {"flat": np.array([0, columns, -1], np.int64)}
    for stride in strides:
        shape = columns, 3, stride, stride
        weights = random.normal(0, 1.2 / stride, shape).astype(np.float32)
        kernel: dict[str, Any] = {"kernel_shape": [stride] * 2, "strides": [stride] * 2}
        constants[f"w{stride}"] = weights
        nodes += [
            node("Conv", ["images", f"w{stride}"], [f"raw{stride}"], **kernel),
            node("Reshape", [f"raw{stride}", "flat"], [f"flat{stride}"]),
        ]
    ends = np.array([4, columns - 4], np.int64)
    constants |= {"ends": ends, "wide": np.array([9.0], np.float32)}
    nodes += [
        node("Concat", [f"flat{s}" for s in strides], ["all"], axis=2),
        node("Split", ["all", "ends"], ["boxes", "logits"], axis=1),
        node("Sigmoid", ["logits"], ["scores"]),
        node("Abs", ["boxes"], ["sides"]),
        node("Mul", ["sides", "wide"], ["pixels"]),
    ]
    boxes = "boxes" if family == "yolox" else "pixels"
    cells = sum(SIZE[0] // s * (SIZE[1] // s) for s in strides)
    if family == "yolov8":
        nodes.append(node("Concat", [boxes, "scores"], ["table"], axis=1))
        output = floats("table", ["n", columns, cells])
    else:
        nodes += [
            node("Concat", [boxes, "scores"], ["columns"], axis=1),
            node("Transpose", ["columns"], ["table"], perm=[0, 2, 1]),
        ]
        output = floats("table", ["n", cells, columns])
    return save(path, nodes, constants, [floats("images", ["n", 3, *SIZE[::-1]])], [output])


def segmenter(path: Path) -> Path:
    """Write a network with two outputs of planes at half the size, of four and of two channels."""
    random = np.random.default_rng(4)
    kernel: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes, outputs = [], []
    constants: dict[str, NDArray[Any]] = {}
    for name, channels in (("one", 4), ("two", 2)):
        constants[f"w.{name}"] = random.normal(0, 1, (channels, 3, 2, 2)).astype(np.float32)
        nodes.append(helper.make_node("Conv", ["images", f"w.{name}"], [name], **kernel))
        outputs.append(floats(name, ["n", channels, SIZE[1] // 2, SIZE[0] // 2]))
    return save(path, nodes, constants, [floats("images", ["n", 3, *SIZE[::-1]])], outputs)


def manifest_of(decoder: str, /, **keys: Any) -> Manifest:
    """Return the manifest of one of these networks."""
    said: dict[str, Any] = {"task": "detect", "labels": LABELS, "threshold": 0.55, "options": {}}
    if FAMILIES.get(decoder) == 5:
        said["threshold"] = 0.25  # products are lower
    if decoder == "yolox":
        said["options"] = {"strides": [2, 4]}
    if decoder in ("argmax", "sigmoid"):
        planes = {"one": [None, "a", "b", "c"], "two": ["d", None]}
        said = {"task": "segment", "labels": LABELS, "options": {"planes": planes}}
    if decoder == "sigmoid":
        said |= {"threshold": 0.6}
        said["options"] |= {"logits": True}
    fed = {"name": "images", "size": SIZE, "scale": 1 / 255, "resize": "letterbox-centre"}
    fixed = {"name": decoder, "file": "net.onnx", "licence": "MIT", "decoder": decoder}
    return Manifest.model_validate({**fixed, **said, "input": fed, **keys})


class GpuFrame:
    """A frame of noise in a GPU's memory, which nobody may bring to the host; to be freed.

    Args:
        cuda: of the GPU.
        size: width and height, even.
        seed: of the noise.
        shown: the size that it is analysed at; None for its own.
    """

    memory = "cuda"

    def __init__(self, cuda: Cuda, size: Size, seed: int, shown: Size | None = None) -> None:
        cuda.here()
        width, height = size
        rows = np.random.default_rng(seed).integers(0, 256, (height * 3 // 2, width), np.uint8)
        self.size, self.gpu = shown or size, cuda.index
        self.ready: int | None = None
        self._there, sent = DeviceMemory(cuda, rows.nbytes, "test"), PinnedMemory(cuda, rows.nbytes)
        stream = Stream(cuda)
        sent.view(rows.shape, rows.dtype)[:] = rows
        stream.upload(sent, self._there, rows.nbytes)
        stream.synchronize()
        sent.free()
        stream.close()
        start = self._there.pointer
        self.planes = Planes.nv12(size, start, start + width * height, width, (MATRIX, 0))

    @property
    def pixels(self) -> Pixels:
        raise AssertionError("the frame came to the host")

    def scaled(self, size: Size, room: Pixels) -> Pixels:
        raise AssertionError("the frame came to the host")

    def free(self) -> None:
        self._there.free()
