"""A converted graph made fit: axes fixed or open as asked, checked, tried with two images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engines.builder.builders import BuildError
from engines.builder.graphs import Feeds, clone, inputs_of, shape_of
from engines.builder.onnx_file import load_onnx
from engines.builder.shapes import batched
from engines.convert import ConvertError, first_lines
from engines.convert.asked import Asked
from engines.fed import is_constant

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The input that takes images.

    Attributes:
        name: of the tensor.
        layout: ``nchw`` or ``nhwc``.
        size: width and height in pixels.
        dtype: of the tensor.
        channels: 3, or 1 of a network that sees grey.
    """

    name: str
    layout: str
    size: tuple[int, int]
    dtype: np.dtype[Any]
    channels: int = 3


def picture_input(model: Any, asked: Asked) -> Picture:
    """Return the input that takes images, and their layout in it.

    Raises:
        ConvertError: none does, or several may.
        ValueError: its size or layout is not told, or told otherwise than the file has it.
    """
    inputs = inputs_of(model)
    extra = dict(asked.input.extra or {})
    others = {name: each for name, each in inputs.items() if name not in extra}
    name = asked.input.name or (next(iter(others)) if len(others) == 1 else None)
    shapes = ", ".join(f"{each} {shape_of(info)}" for each, info in inputs.items())
    if unknown := set(extra) - set(inputs):
        raise ValueError(f"extra: no input {', '.join(sorted(unknown))}; the file has {shapes}")
    if name is None or name not in others or set(others) != {name}:
        raise ValueError(
            f"input: expected one image and the others in --extra, such as {_example(inputs)}; "
            f"the file has {shapes}"
        )
    shape = shape_of(others[name])
    if len(shape) != 4:
        raise ConvertError(f"input {name}: expected 4 axes of images, the file has {shape}")
    channels = _channels(name, shape, asked)
    layout = _layout(name, shape, asked, channels)
    onnx = load_onnx()
    kind = onnx.helper.tensor_dtype_to_np_dtype(others[name].type.tensor_type.elem_type)
    return Picture(name, layout, _size(name, shape, layout, asked), np.dtype(kind), channels)


# What further inputs of known names take.
_KNOWN = {
    "im_shape": "size_hw",  # Paddle's
    "scale_factor": "1,1",
    "image_shape": "size_hw",  # of the first YOLOs in ONNX
    "orig_target_sizes": "size_wh",  # of DETR's descendants
}


def _example(inputs: Mapping[str, Any]) -> str:
    """What may stand behind --extra for this file."""
    known = [f"{name}={_KNOWN[name]}" for name in inputs if name in _KNOWN]
    return " --extra ".join(known) or "NAME=size_wh or NAME=0.5"


def _channels(name: str, shape: Shape, asked: Asked) -> int:
    """Three, or one where the file has one and not three, or leaves them open and grey is asked."""
    ends = (shape[1], shape[3])
    is_grey = asked.input.colour == "grey"
    found = 3 if 3 in ends else 1 if 1 in ends else 1 if is_grey else 3
    if found == 3 and is_grey:
        raise ValueError(f"colour: grey, but {name} {shape} has 3 channels")
    if found == 1 and asked.input.colour not in (None, "grey"):
        raise ValueError(f"colour: expected grey, as {name} {shape} has one channel")
    return found


def _layout(name: str, shape: Shape, asked: Asked, channels: int) -> str:
    fits = [
        layout
        for layout, axis in (("nchw", 1), ("nhwc", 3))
        if shape[axis] == channels or (shape[axis] is None and channels not in (shape[1], shape[3]))
    ]
    if asked.layout is not None:
        if asked.layout not in fits:
            raise ValueError(f"layout: {asked.layout} has no {channels} channels in {name} {shape}")
        return asked.layout
    if len(fits) != 1:
        raise ValueError(f"layout: expected nchw or nhwc, as {name} {shape} tells neither")
    return fits[0]


def _size(name: str, shape: Shape, layout: str, asked: Asked) -> tuple[int, int]:
    height, width = shape[2:] if layout == "nchw" else shape[1:3]
    if asked.size is None:
        hint = asked.hinted_size or (None, None)
        sides = width or hint[0], height or hint[1]
        if sides[0] is None or sides[1] is None:
            raise ValueError(f"size: missing, and required as {name} {shape} has none")
        return sides[0], sides[1]
    for declared, wanted in ((width, asked.size[0]), (height, asked.size[1])):
        if declared not in (None, wanted):
            raise ValueError(
                f"size: the network has {width}x{height} in {name} {shape}, got "
                f"{asked.size[0]}x{asked.size[1]}"
            )
    return asked.size


def settle(model: Any, picture: Picture, asked: Asked) -> Any:
    """A copy whose axes are fixed or open as asked, checked, its shapes inferred.

    The first axis is fixed to one here, unless the file has it open; ``open_batch`` opens it.

    Raises:
        ConvertError: the graph is not valid.
        ValueError: sizes shall stay open that the network has fixed.
    """
    copy = clone(model)
    for name, each in inputs_of(copy).items():
        if asked.is_of_one:
            _close_first_axis(each)
        if name == picture.name:
            _settle_sides(each.type.tensor_type.shape.dim, picture, asked.dynamic == "size")
    for node in copy.graph.node:
        del node.metadata_props[:]  # lines of the source, and the folders where they lay
    return _inferred(copy)


def _settle_sides(dims: Any, picture: Picture, stay_open: bool) -> None:
    sides = [2, 3] if picture.layout == "nchw" else [1, 2]
    dims[1 if picture.layout == "nchw" else 3].dim_value = picture.channels
    for axis, length in zip(sides, reversed(picture.size), strict=True):
        if not stay_open:
            dims[axis].dim_value = length
        elif dims[axis].HasField("dim_value"):
            fixed = [dims[side].dim_value for side in reversed(sides)]
            raise ValueError(f"dynamic: size, but the network has {fixed[0]}x{fixed[1]} fixed")


def _inferred(model: Any) -> Any:
    """With the shapes of now, the outputs' too; checked."""
    onnx = load_onnx()
    del model.graph.value_info[:]
    ranks = {each.name: len(shape_of(each)) for each in model.graph.output}
    for each in model.graph.output:
        each.type.tensor_type.ClearField("shape")
    try:
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        for each in model.graph.output:
            if not each.type.tensor_type.HasField("shape"):
                dims = each.type.tensor_type.shape.dim
                dims.extend(onnx.TensorShapeProto.Dimension() for _ in range(ranks[each.name]))
        onnx.checker.check_model(model)
    except Exception as error:  # onnx raises its own and bare RuntimeErrors
        raise ConvertError(f"the graph is not valid: {first_lines(error)}") from error
    return model


def open_batch(model: Any, feeds: Sequence[Feeds], asked: Asked) -> tuple[Any, str]:
    """The graph with any number of images in a call, and what became of it in words.

    It is tried out with two images. A network that takes one alone stays so, and it is told why.
    """
    if asked.is_of_one:
        return model, "one image per call, as requested"
    if fed := [name for name, value in (asked.input.extra or {}).items() if is_constant(value)]:
        return _alone(model), f"one image per call, as {', '.join(fed)} is the same for each"
    # Of networks of open size two images may not be equally large.
    like_first = [each for each in feeds if _shapes(each) == _shapes(feeds[0])]
    try:
        return batched(model, like_first), "any number of images per call"
    except BuildError as error:
        said = str(error).rpartition("of two")[2].lstrip(",: ") or str(error)
        return _alone(model), f"one image per call; it fails with two: {said:.160}"


def _alone(model: Any) -> Any:
    copy = clone(model)
    for each in inputs_of(copy).values():
        _close_first_axis(each)
    return copy


def _close_first_axis(info: Any) -> None:
    """One image, where that axis is open; inputs of one axis have none for images."""
    dims = info.type.tensor_type.shape.dim
    if len(dims) > 1 and not dims[0].HasField("dim_value"):
        dims[0].dim_value = 1


def _shapes(feeds: Feeds) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in feeds.items()}
