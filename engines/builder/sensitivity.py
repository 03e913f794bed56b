"""Measure which layers lose most by fewer bits, and leave these as they were in what is quantised.

A layer is measured by itself: fed what the network as it was feeds it, through its pairs. Behind a
normalisation of a channel that hardly varies stand weights of a hundred and biases of thousands
that cancel out; what rounding adds is then many times what is left. MobileNetV2 has such a layer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.builder.builders import BuildError
from engines.builder.graphs import Feeds, clone, drop_unread_constants, names_read, opened
from engines.builder.onnx_file import load_onnx

_PAIRS = ("QuantizeLinear", "DequantizeLinear")


class Quantised:
    """A network and what was made of it with quantize-dequantize pairs around some of its layers.

    Args:
        model: as it was, each node with a name.
        small: with pairs; its nodes keep their names, and their outputs too.
    """

    def __init__(self, model: Any, small: Any) -> None:
        self._model, self._small = model, small
        before = {node.name: node for node in model.graph.node}
        self._layers = {
            node.name: before[node.name]
            for node in small.graph.node
            if node.name in before and list(node.input) != list(before[node.name].input)
        }

    @property
    def layers(self) -> int:
        """The number of layers that compute with fewer bits."""
        return len(self._layers)

    def signal_to_noise(self, feeds: Iterable[Feeds]) -> dict[str, float]:
        """Return, by layer, how far its values stand out of what rounding adds, in dB.

        Of a convolution only what varies within a channel counts.

        Args:
            feeds: what the network is fed for some images, batch 1.

        Raises:
            BuildError: it cannot be run.
        """
        if not self._layers:  # asked for no outputs, ONNX Runtime gives all
            return {}
        power = {name: np.zeros(2) for name in self._layers}
        try:
            session = opened(self._side_by_side())
            outputs = [self._outputs(name) for name in self._layers]
            for each in feeds:
                values = session.run([one for pair in outputs for one in pair], dict(each))
                for name, exact, rough in zip(self._layers, values[::2], values[1::2], strict=True):
                    power[name] += _powers(exact, rough)
        except Exception as error:  # ONNX Runtime's own are of no public class
            said = " ".join(str(error).split())
            raise BuildError(f"the network cannot be run with fewer bits: {said:.400}") from error
        return {name: _decibels(signal, noise) for name, (signal, noise) in power.items()}

    def without(self, names: Collection[str]) -> Any:
        """Return a copy with fewer bits in which these layers are as they were."""
        made = self._with_all_constants()
        for node in made.graph.node:
            if node.name in names:
                del node.input[:]
                node.input.extend(self._layers[node.name].input)
        _drop_unused(made.graph)
        return made

    def _with_all_constants(self) -> Any:
        """Return a copy with fewer bits that has the constants of the network as it was, too."""
        made = clone(self._small)
        there = {tensor.name for tensor in made.graph.initializer}
        made.graph.initializer.extend(
            tensor for tensor in self._model.graph.initializer if tensor.name not in there
        )
        return made

    def _outputs(self, name: str) -> tuple[str, str]:
        output = str(self._layers[name].output[0])
        return output, f"{output}.small"

    def _side_by_side(self) -> Any:
        """Return the network as it was, with a second of each layer that reads through pairs."""
        both = self._with_all_constants()
        del both.graph.node[:]
        both.graph.node.extend(self._model.graph.node)
        made = {output for node in self._model.graph.node for output in node.output}
        for node in self._small.graph.node:
            if node.name in self._layers:
                second = both.graph.node.add()
                second.CopyFrom(node)
                second.name, second.output[0] = f"{node.name}.small", f"{node.output[0]}.small"
            elif node.op_type in _PAIRS and node.output[0] not in made:
                both.graph.node.add().CopyFrom(node)
        shown = {output.name for output in both.graph.output}
        asked = {one for name in self._layers for one in self._outputs(name)} - shown
        both.graph.output.extend(
            load_onnx().helper.make_empty_tensor_value_info(name) for name in sorted(asked)
        )
        return both


def _decibels(signal: float, noise: float) -> float:
    """Return the ratio of two powers; the least there is where one of them is beyond any number."""
    if not np.isfinite((signal, noise)).all():
        return float("-inf")
    return float(10 * np.log10(max(signal, 1e-30) / max(noise, 1e-30)))


def _powers(exact: NDArray[Any], rough: NDArray[Any]) -> NDArray[np.float64]:
    """Of what a layer gives, and of what rounding adds to it."""
    signal, noise = exact.astype(np.float64), rough.astype(np.float64)
    with np.errstate(invalid="ignore"):  # of float16 that overflows
        noise = noise - signal
        if signal.ndim == 4:
            signal = signal - signal.mean(axis=(0, 2, 3), keepdims=True)
        return np.array([(signal**2).sum(), (noise**2).sum()])


def _drop_unused(graph: Any) -> None:
    """Take out pairs and constants that nothing reads."""
    while True:
        read = names_read(graph)
        dead = [
            node for node in graph.node if node.op_type in _PAIRS and node.output[0] not in read
        ]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    drop_unread_constants(graph)
