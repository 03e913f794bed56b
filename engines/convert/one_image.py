"""Networks exported for several images in a call, made to take one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.graphs import clone, inputs_of, run, shape_of
from engines.builder.onnx_file import load_onnx
from engines.builder.shapes import shapes_of
from engines.builder.simplify import noise
from engines.convert import ConvertError, first_lines
from engines.convert.network import Runs
from engines.runtimes import Tensors

_BROADCAST = ("Add", "Sub", "Mul", "Div", "Pow", "Concat", "Where", "Max", "Min")


def one_image(network: Runs, model: Any) -> tuple[Runs, Any, str]:
    """A network of several images as one of one: what runs it, its graph, and that in words.

    Words are empty where it takes one, or any number.

    Args:
        network: what runs the source.
        model: its ``onnx.ModelProto``.

    Raises:
        ConvertError: the graph does not allow one.
    """
    shapes = {name: shape_of(each) for name, each in inputs_of(model).items()}
    images = max((shape[0] or 1 for shape in shapes.values() if len(shape) == 4), default=1)
    if images == 1:
        return network, model, ""
    batched = frozenset(name for name, shape in shapes.items() if shape and shape[0] == images)
    made = of_one(model, images)
    try:
        run(made, noise(made))
    except Exception as error:  # ONNX Runtime's own are of no public class
        raise ConvertError(
            f"it takes {images} images per call, and its graph does not allow one: "
            f"{first_lines(error, 160)}; export it with a batch of 1"
        ) from error
    return ManyAsOne(network, images, batched), made, f"; {images} images per call made one"


def of_one(model: Any, images: int) -> Any:
    """A copy whose first axes of ``images`` are 1, in its inputs and where it says so inside.

    That is in the targets of Reshape and Expand, and in constants that are the same for each image.
    Whether it then computes the same is found out by running both.
    """
    onnx = load_onnx()
    copy = clone(model)
    known = shapes_of(model)
    constants = _constants(copy)
    added = []
    for node in copy.graph.node:
        for place, name in enumerate(node.input):
            if name not in constants:
                continue
            array = onnx.numpy_helper.to_array(constants[name])
            made = _of_one(node, place, array, known.get(node.input[0], ()), images)
            if made is not None:
                # A name of its own, as other nodes may share the constant.
                node.input[place] = f"{node.output[0]}.{place}.one"
                added.append(onnx.numpy_helper.from_array(made, node.input[place]))
    copy.graph.initializer.extend(added)
    for each in inputs_of(copy).values():
        dims = each.type.tensor_type.shape.dim
        if dims and dims[0].dim_value == images:
            dims[0].dim_value = 1
    for each in copy.graph.output:
        for dim in each.type.tensor_type.shape.dim:
            dim.Clear()
    del copy.graph.value_info[:]
    return copy


def _constants(model: Any) -> dict[str, Any]:
    """The tensors that are given, as initializers or by nodes, by name."""
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = node.attribute[0].t
    return found


def _of_one(
    node: Any, place: int, array: NDArray[Any], source: tuple[int | None, ...], images: int
) -> NDArray[Any] | None:
    """The constant at a place of a node as one image needs it; None where it stays."""
    if node.op_type in ("Reshape", "Expand") and place == 1:
        first = int(array[0]) if array.size else 0
        if not source or not source[0] or source[0] % images or first < 1 or first % images:
            return None
        return np.concatenate([[first // images], array[1:]]).astype(np.int64)
    is_for_each = array.ndim > 1 and array.shape[0] == images
    if node.op_type in _BROADCAST and is_for_each and bool(np.all(array == array[:1])):
        return array[:1]
    return None


class ManyAsOne:
    """A network for several images, fed one, and turned about for the others.

    Networks in which the others count are found out by that.

    Args:
        network: anything that runs.
        images: how many it takes.
        batched: the inputs that have an axis for them.
    """

    def __init__(self, network: Runs, images: int, batched: frozenset[str]) -> None:
        self._network, self._images, self._batched = network, images, batched

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, as far as it is the first image's."""
        many = {
            name: self._many(array) if name in self._batched else array
            for name, array in feeds.items()
        }
        return {name: self._first(array) for name, array in self._network.run(many).items()}

    def _many(self, array: NDArray[Any]) -> NDArray[Any]:
        others = np.flip(array, axis=-1) if array.ndim == 4 else array
        return np.concatenate([array, *[others] * (self._images - 1)])

    def _first(self, array: NDArray[Any]) -> NDArray[Any]:
        if not array.ndim or len(array) % self._images:
            return array
        return array[: len(array) // self._images]
