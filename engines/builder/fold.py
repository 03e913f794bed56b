"""Preprocessing as the first nodes of a graph: uint8 images in, on a GPU for next to nothing.

On a CPU it is left outside: OpenCV resizes in a tenth of the time that the graph takes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.builder.builders import BuildError
from engines.builder.graphs import clone, inputs_of
from engines.builder.onnx_file import load_onnx
from engines.builder.shapes import scale_to
from engines.builder.uint8 import cast_first, is_cast_first
from engines.manifest import Input
from engines.placement import place

FOLDED = {"layout": "nhwc", "colour": "rgb", "scale": 1.0, "mean": (0, 0, 0), "std": (1, 1, 1)}
LUMA = (0.299, 0.587, 0.114)  # of Rec. 601, as OpenCV has it


def fold(model: Any, spec: Input) -> tuple[Any, Input]:
    """The network behind the preprocessing that ``spec`` describes, and what it is fed now.

    The input has the same name and takes (n, height, width, 3) uint8 RGB: of ``size``, or where
    ``spec`` has a ``frame``, of that; the graph then resizes (bilinear, between pixel centres, as
    OpenCV does, but without rounding to whole numbers) and pads.

    Args:
        model: whose input has a fixed height and width: those that ``spec`` makes.
        spec: the input as the network takes it, and ``frame`` where the graph shall resize.

    Returns:
        A copy of the model, and the input of its manifest.

    Raises:
        BuildError: it takes uint8 and computes with it.
    """
    onnx = load_onnx()
    copy = cast_first(clone(model))
    given = inputs_of(copy)[spec.name]
    keys = {**FOLDED, "multiple": spec.multiple if spec.frame else None}
    if _is_fed_pixels(given, spec):
        return copy, spec.model_copy(update=keys)
    if not _takes_float(copy, spec.name):
        raise BuildError(
            f"input {spec.name}: the network computes in uint8, so preprocessing cannot be put "
            "before it; use --no-fold"
        )
    inner = f"{spec.name}.folded"
    for node in copy.graph.node:
        for place_, name in enumerate(node.input):
            if name == spec.name:
                node.input[place_] = inner
    kind = given.type.tensor_type.elem_type
    # A network of uint8 casts it first, so that it takes float32 as well.
    is_uint8 = kind == onnx.TensorProto.UINT8
    chain = _Chain(spec.name, onnx.TensorProto.FLOAT if is_uint8 else kind)
    _preprocess(chain, spec)
    chain.nodes[-1].output[0] = inner
    copy.graph.initializer.extend(chain.constants)
    nodes = [*chain.nodes, *copy.graph.node]
    del copy.graph.node[:]
    copy.graph.node.extend(nodes)
    batch = given.type.tensor_type.shape.dim[0]
    width, height = spec.frame or _tensor_size(spec)
    first = batch.dim_param or batch.dim_value
    given.CopyFrom(
        onnx.helper.make_tensor_value_info(
            spec.name, onnx.TensorProto.UINT8, [first, height, width, 3]
        )
    )
    return copy, spec.model_copy(update=keys)


def _is_fed_pixels(given: Any, spec: Input) -> bool:
    """Return whether the network takes uint8 RGB images as they are."""
    is_uint8 = given.type.tensor_type.elem_type == load_onnx().TensorProto.UINT8
    return is_uint8 and (spec.layout, spec.colour, spec.frame) == ("nhwc", "rgb", None)


def _takes_float(model: Any, name: str) -> bool:
    """Return whether it takes float, or uint8 that it casts before all else."""
    kind = inputs_of(model)[name].type.tensor_type.elem_type
    return bool(kind != load_onnx().TensorProto.UINT8 or is_cast_first(model, name))


def _tensor_size(spec: Input) -> tuple[int, int]:
    if spec.frame is None:
        return spec.size
    return place(spec.frame, spec.size, spec.resize, spec.multiple).size


@dataclass
class _Chain:
    """Nodes, each fed with what the one before gives."""

    last: str
    kind: int
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)

    def add(self, op: str, *arrays: Any, **attributes: Any) -> None:
        onnx = load_onnx()
        name = f"folded.{len(self.nodes)}.{op.lower()}"
        inputs = [self.last]
        for index, array in enumerate(arrays):
            inputs.append("" if array is None else f"{name}.{index}")
            if array is not None:
                self.constants.append(onnx.numpy_helper.from_array(array, inputs[-1]))
        self.nodes.append(onnx.helper.make_node(op, inputs, [name], name, **attributes))
        self.last = name


def _preprocess(chain: _Chain, spec: Input) -> None:
    # Nothing but Cast takes uint8 in TensorRT: it comes first.
    chain.add("Cast", to=chain.kind)
    planar = spec.layout == "nchw" or spec.frame is not None
    if planar:
        chain.add("Transpose", perm=[0, 3, 1, 2])
    if spec.frame is not None:
        _resize(chain, spec)
    if spec.colour == "bgr":
        chain.add("Gather", np.array([2, 1, 0], np.int64), axis=1 if planar else 3)
    dtype = load_onnx().helper.tensor_dtype_to_np_dtype(chain.kind)
    if spec.colour == "grey":
        axis, luma = (1, (1, 3, 1, 1)) if planar else (3, (1, 1, 1, 3))
        chain.add("Mul", np.array(LUMA, dtype).reshape(luma))
        chain.add("ReduceSum", np.array([axis], np.int64), keepdims=1)
    gain = spec.scale / spec.per_channel(spec.std)
    bias = -spec.per_channel(spec.mean) / spec.per_channel(spec.std)
    channels = spec.channels
    shape = (1, channels, 1, 1) if planar else (1, 1, 1, channels)
    if np.any(gain != 1):
        chain.add("Mul", gain.astype(dtype).reshape(shape))
    if np.any(bias != 0):
        chain.add("Add", bias.astype(dtype).reshape(shape))
    if planar and spec.layout == "nhwc":
        chain.add("Transpose", perm=[0, 2, 3, 1])


def _resize(chain: _Chain, spec: Input) -> None:
    assert spec.frame is not None
    at = place(spec.frame, spec.size, spec.resize, spec.multiple)
    left, top, right, bottom = at.content
    width, height = right - left, bottom - top
    if (width, height) != spec.frame:
        scales = [1, 1, scale_to(spec.frame[1], height), scale_to(spec.frame[0], width)]
        chain.add(
            "Resize",
            None,
            np.array(scales, np.float32),
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
    if (width, height) != at.size:
        dtype = load_onnx().helper.tensor_dtype_to_np_dtype(chain.kind)
        after = [0, 0, at.size[1] - bottom, at.size[0] - right]
        pads = np.array([0, 0, top, left, *after], np.int64)
        chain.add("Pad", pads, np.array(spec.pad, dtype), mode="constant")
