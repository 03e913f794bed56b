"""Keras and TensorFlow: ``.keras``, ``.h5``, SavedModel folders, frozen graphs."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engines.builder.onnx_file import load_onnx
from engines.convert import ConvertError, first_lines, library
from engines.convert.asked import Asked
from engines.convert.network import EXACT, IMAGES, OUTPUT, arrays, rename, tidy_names
from engines.runtimes import Tensors

OPSET = 17
_SIGNATURE = "serving_default"


def tensorflow() -> Any:
    """TensorFlow, which then keeps its notes about the processor to itself.

    Raises:
        ImportError: it is missing; names the extra.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # which adds up in another order each time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports
        found = library("tensorflow", "convert")
        found.get_logger().setLevel(logging.ERROR)
    return found


class TensorFlowNetwork:
    """A callable that takes tensors and returns a row of them.

    Args:
        call: the network.
        specs: a ``tf.TensorSpec`` of each input.
        inputs, outputs: their names.
        source: for messages.
        framework: ``Keras`` or ``TensorFlow``.
    """

    tolerance = EXACT
    how = "tf2onnx"

    def __init__(
        self,
        call: Callable[..., Sequence[Any]],
        specs: Sequence[Any],
        inputs: Sequence[str],
        outputs: Sequence[str],
        source: str,
        framework: str,
    ) -> None:
        self._tf = tensorflow()
        self.library = f"tensorflow {self._tf.__version__}"
        self.framework, self._source = framework, source
        self.inputs, self.outputs = list(inputs), list(outputs)
        self._specs = list(specs)
        # The lambda of a SavedModel holds a function, and that none of its variables.
        self.kept: Any = None
        self.lite_converter: Callable[[], Any] = self._no_converter
        self._call = self._tf.function(lambda *tensors: tuple(call(*tensors)), autograph=False)

    def write(self, path: Path) -> None:
        """Writes the ONNX file by tf2onnx.

        Raises:
            ConvertError: tf2onnx cannot; its words.
        """
        convert = library("tf2onnx.convert", "convert")
        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model, _ = convert.from_function(
                    self._call, input_signature=self._specs, opset=OPSET
                )
            except Exception as error:  # of TensorFlow and tf2onnx, of all kinds
                raise ConvertError(
                    f"{self._source}: tf2onnx cannot convert it: {first_lines(error)}"
                ) from error
        rename(model, self.inputs, self.outputs)
        load_onnx().save(model, str(path))

    def _no_converter(self) -> Any:
        raise ConvertError(f"{self._source}: no converter of TensorFlow Lite takes it")

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, computed by TensorFlow."""
        tensors = [
            self._tf.constant(feeds[name], spec.dtype)
            for name, spec in zip(self.inputs, self._specs, strict=True)
        ]
        try:
            values = arrays(self._call(*tensors))
        except Exception as error:  # TensorFlow's own
            raise ConvertError(
                f"{self._source}: tensorflow cannot run it: {first_lines(error)}"
            ) from error
        return dict(zip(self.outputs, values, strict=True))


def open_keras(asked: Asked) -> TensorFlowNetwork:
    """A ``.keras`` or ``.h5`` file.

    Raises:
        ImportError: Keras or TensorFlow is missing.
        ConvertError: Keras refuses the file, or it is no model of one call.
    """
    tf = tensorflow()
    model = load_keras(Path(asked.source))
    specs = [tf.TensorSpec(each.shape, each.dtype, name=each.name) for each in model.inputs]
    inputs = tidy_names([each.name for each in model.inputs], IMAGES)
    outputs = _output_names(model)

    def call(*tensors: Any) -> list[Any]:
        given = tensors[0] if len(tensors) == 1 else list(tensors)
        return list(tf.nest.flatten(model(given, training=False)))

    found = TensorFlowNetwork(call, specs, inputs, outputs, asked.source, "Keras")
    found.library = f"keras {library('keras', 'convert').__version__}, {found.library}"
    found.lite_converter = lambda: tf.lite.TFLiteConverter.from_keras_model(model)
    return found


def load_keras(path: Path) -> Any:
    """The Keras model of a file; what was needed to train it is left out.

    Raises:
        ImportError, ConvertError: as ``open_keras``.
    """
    tensorflow()
    keras = library("keras", "convert")
    if keras.backend.backend() != "tensorflow":
        raise ConvertError(f"KERAS_BACKEND: expected tensorflow, got {keras.backend.backend()}")
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises of all kinds
        raise ConvertError(f"{path}: keras refuses it: {first_lines(error)}") from error
    if not getattr(model, "inputs", None):
        raise ConvertError(
            f"{path}: a model without declared inputs; call it once on an image and save it again"
        )
    return model


def _output_names(model: Any) -> list[str]:
    structure = getattr(model, "output", None)  # a Sequential has none
    if isinstance(structure, dict):
        return sorted(str(key) for key in structure)  # the order in which they are flattened
    # As Keras itself names them in a SavedModel and in TF Lite.
    return [f"{OUTPUT}_{i}" for i in range(len(model.outputs))]


def open_saved_model(asked: Asked) -> TensorFlowNetwork:
    """A SavedModel folder, by its signature ``serving_default`` or its only one.

    Raises:
        ImportError: TensorFlow is missing.
        ConvertError: TensorFlow refuses it, or it has several signatures.
    """
    tf = tensorflow()
    try:
        loaded = tf.saved_model.load(asked.source)
    except Exception as error:  # TensorFlow's own
        raise ConvertError(
            f"{asked.source}: tensorflow refuses it: {first_lines(error)}"
        ) from error
    known = dict(loaded.signatures)
    if _SIGNATURE not in known and len(known) != 1:
        raise ConvertError(
            f"{asked.source}: expected a signature {_SIGNATURE}, got {', '.join(known) or 'none'}"
        )
    function = known.get(_SIGNATURE) or next(iter(known.values()))
    specs = function.structured_input_signature[1]
    names, outputs = list(specs), sorted(function.structured_outputs)

    def call(*tensors: Any) -> list[Any]:
        found = function(**dict(zip(names, tensors, strict=True)))
        return [found[name] for name in outputs]

    network = TensorFlowNetwork(
        call, list(specs.values()), names, outputs, asked.source, "TensorFlow"
    )
    network.kept = loaded
    network.lite_converter = lambda: tf.lite.TFLiteConverter.from_saved_model(asked.source)
    return network


def open_frozen(asked: Asked) -> TensorFlowNetwork:
    """A frozen graph, ``.pb``; its inputs and outputs are those named, else its ends.

    Raises:
        ImportError: TensorFlow is missing.
        ConvertError: it is no graph, or its ends are not plain.
    """
    tf = tensorflow()
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(Path(asked.source).read_bytes())
    except Exception as error:  # protobuf's DecodeError is of no public module
        raise ConvertError(
            f"{asked.source}: expected a frozen graph: {first_lines(error)}"
        ) from error
    inputs, outputs = ends(graph)
    inputs, outputs = list(asked.inputs) or inputs, list(asked.outputs) or outputs
    if not inputs or not outputs:
        raise ConvertError(f"{asked.source}: no inputs or outputs found; name --inputs, --outputs")
    function = _pruned(tf, graph, inputs, outputs, asked.source)
    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name=name)
        for name, tensor in zip(tidy_names(inputs, IMAGES), function.inputs, strict=True)
    ]
    network = TensorFlowNetwork(
        lambda *tensors: tf.nest.flatten(function(*tensors)),
        specs,
        tidy_names(inputs, IMAGES),
        tidy_names(outputs, OUTPUT),
        asked.source,
        "TensorFlow",
    )
    network.lite_converter = lambda: tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        asked.source, tidy_names(inputs, IMAGES), tidy_names(outputs, OUTPUT)
    )
    return network


def ends(graph: Any) -> tuple[list[str], list[str]]:
    """The tensors that a graph waits for, and those that nothing in it takes."""
    taken = {name.lstrip("^").partition(":")[0] for node in graph.node for name in node.input}
    idle = ("Const", "NoOp", "Placeholder", "Assert")
    inputs = [node.name for node in graph.node if node.op == "Placeholder"]
    outputs = [n.name for n in graph.node if n.name not in taken and n.op not in idle]
    return [f"{name}:0" for name in inputs], [f"{name}:0" for name in outputs]


def _pruned(tf: Any, graph: Any, inputs: list[str], outputs: list[str], source: str) -> Any:
    whole = [name if ":" in name else f"{name}:0" for name in inputs]
    ends_ = [name if ":" in name else f"{name}:0" for name in outputs]
    try:
        wrapped = tf.compat.v1.wrap_function(
            lambda: tf.compat.v1.import_graph_def(graph, name=""), []
        )
        element = wrapped.graph.as_graph_element
        return wrapped.prune([element(n) for n in whole], [element(n) for n in ends_])
    except (KeyError, ValueError) as error:
        known_in, known_out = ends(graph)
        raise ConvertError(
            f"{source}: {first_lines(error)}; its ends are {', '.join(known_in)} and "
            f"{', '.join(known_out)}"
        ) from error
