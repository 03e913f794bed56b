"""Explain why TensorRT refuses a graph, naming the node and what helps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_INT8 = (
    "quantize with int8 only, symmetric (zero point 0), weights per channel, bias left in float "
    "(onnxruntime.quantization: QDQ, QInt8, ActivationSymmetric, WeightSymmetric, "
    "QuantizeBias=False; mirante engines build --precision int8 does so)"
)
_SELECTS = (
    "end the graph at boxes + scores (or at a TopK of fixed k) and leave the selection to the "
    "decoder: mirante engines build does so for the layouts it knows"
)
# The first that matches is the recipe; what it finds as "node" is the node that is meant.
_RECIPES = tuple(
    (re.compile(pattern, re.DOTALL), recipe)
    for pattern, recipe in (
        (r"Failed to open file: (?P<file>\S+)", "the weights lie in that file beside the graph: "
         "keep it there, or save the model in one file"),
        (r"Failed to parse the ONNX model|MODEL_DESERIALIZE_FAILED", "the file is damaged or no "
         "ONNX model"),
        (r"Input file cannot be found", "file not found"),
        (r"Non-zero zero point", _INT8),
        (r"unsupported input type of UINT8|input has type Int32 but must have type FP8", _INT8),
        (r"(NonMaxSuppression|NMS|NonZero|RoiAlign|ROIAlign).*"
         r"(has no runners|plugin|[Pp]lugin not found)", _SELECTS),
        (r"has type UInt8 but must have type", "nothing but Cast takes uint8: put the Cast to "
         "float first, then Transpose, Resize and the rest"),
        (r"must have same input types|has type \w+ but must have type|same type",
         "types are as the graph says, nothing is converted by itself: put a Cast there, or "
         "convert the whole graph (mirante engines build --precision fp16)"),
        (r"Failed to convert ONNX date type|Unsupported ONNX data type", "TensorRT has no such "
         "type: feed float, int or bool"),
        (r"Antialiasing is not supported", "export the Resize without antialias"),
        (r"K exceeds the maximum value", "a TopK takes at most 3840: request fewer"),
        (r"more than 1 outputs for MaxPool|mode than 1 outputs", "export the pooling without its "
         "indices"),
        (r"Plugin not found", "TensorRT does not know this operation: use opset 17 to 20 and "
         "without operations of other libraries, or end the graph before it"),
        (r"insufficient driver|driver version is insufficient|no CUDA-capable device",
         "that takes an NVIDIA driver and GPU; --runtime tensorrt-rtx --target sm89 takes none"),
        (r"graph_jit.*CUDA_SUCCESS", "an engine that takes other weights (refit) is built where a "
         "GPU is, with TensorRT-RTX too"),
        (r"[Oo]ut of memory|OutOfMemory|MEM_ALLOC_FAILED", "the GPU's memory is full: stop what "
         "else runs on it, or build with a smaller largest batch or workspace_mib"),
        (r"has no runners|Could not find any implementation", "the library has no kernel for "
         "this node: export it from other operations, or end the graph before it"),
        (r"UNSUPPORTED_NODE|^false$", "TensorRT does not have this operation: replace it, or "
         "end the graph before it"),
    )
)  # fmt: skip
_NO_RUNNERS = re.compile(r"^(?P<node>.+?) has no runners")
_IMPLEMENTATION = re.compile(r"Could not find any implementation for node (?P<node>.+?)\.")
_LAYER = re.compile(r"^(?:I\w+Layer )?(?P<node>[^:()]+): (?P=node): ")
_PARSING = re.compile(r"While parsing node number (?P<index>\d+) \[\S+ -> \"(?P<output>[^\"]*)\"\]")
# Where in its source, and how it wraps what it says.
_PLACE = re.compile(r" In \w+ at /_src/[^)]*|(?:\[\w+\.cpp::\w+::\d+\]|^\w+\.cpp:\d+:) ?")
_WRAPPINGS = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"^(?:\w+::\w+: )?Error Code \d+: [\w ]+ \((?P<inside>.*)\)$",
        r"^Assertion failed: (?:[^:]|::)*: (?P<inside>\S.*)$",
        r"^Assertion \S+ failed\. (?P<inside>.*)$",
        r'^.*&& "(?P<inside>[^"]*)"$',
    )
)
_IS_ERROR = re.compile(r"Error Code|Assertion|[Ff]ailed")
# What follows from an error told already.
_FOLLOWS = re.compile(
    r"catchCudaError|ModelImporter\.cpp:1[45]\d|^Invalid Node|Begin node|End node"
)


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of the parser.

    Attributes:
        index: of the node in the graph; below 0 where it is about no node.
        name: of the node, often empty.
        operation: such as ``Conv``.
        words: what is said of it.
    """

    index: int
    name: str
    operation: str
    words: str


def explain(
    onnx: Path, problems: Sequence[Problem], messages: Sequence[str], layers: Mapping[str, str]
) -> str:
    """Why a graph is refused, in one message.

    Args:
        onnx: the file.
        problems: errors of the parser; none where it took the graph and the builder did not.
        messages: what the library logged, warnings and errors.
        layers: the kind of each layer by its name.
    """
    if problems:
        # Later ones follow from the first, as those of a node whose input could not be made.
        return f"{onnx}: {_of_parser(problems[0], messages)}"
    errors = [message for message in messages if _IS_ERROR.search(message)] or list(messages)
    said = [(line, message) for message in errors if (line := _said(message))]
    words, message = said[0] if said else ("the library gives no reason", "")
    node = _node(words)
    where = f"node {node}{_kind(node, layers)}: " if node else ""
    return f"{onnx}: {where}{_with_recipe(words, f'{_kind(node, layers)} {words} {message}')}"


def _of_parser(problem: Problem, messages: Sequence[str]) -> str:
    said = "; ".join(line for part in problem.words.splitlines() if (line := _said(part)))
    files = [message for message in messages if "Failed to open file" in message]
    said = "; ".join([_said(message) for message in files] or [said or "not supported"])
    if problem.index < 0:
        return _with_recipe(said, said)
    name = problem.name or _output_of(problem.index, messages)
    where = f"node {name or problem.index} ({problem.operation})"
    words = "not supported" if said == "false" else said
    return f"{where}: {_with_recipe(words, f'{problem.operation} {said} UNSUPPORTED_NODE')}"


def _output_of(index: int, messages: Sequence[str]) -> str:
    """A node without a name is known by its first output, which the log tells."""
    for message in messages:
        found = _PARSING.search(message)
        if found and int(found["index"]) == index:
            return f'that makes "{found["output"]}"'
    return ""


def _said(message: str) -> str:
    if _FOLLOWS.search(message):
        return ""
    words = " ".join(_PLACE.sub("", message).split())
    for wrapping in _WRAPPINGS:
        if found := wrapping.search(words):
            words = found["inside"]
    return words


def _node(words: str) -> str:
    for pattern in (_NO_RUNNERS, _IMPLEMENTATION, _LAYER):
        if found := pattern.search(words):
            return found["node"].strip()
    return ""


def _kind(node: str, layers: Mapping[str, str]) -> str:
    """Its kind; the builder names what it fuses after all that went in."""
    names = [name for name in layers if name and name in node]
    return f" ({layers[max(names, key=len)]})" if names else ""


def _with_recipe(words: str, searched: str) -> str:
    recipe = next((recipe for pattern, recipe in _RECIPES if pattern.search(searched)), "")
    return f"{words.rstrip('.!?')}. What helps: {recipe}" if recipe else words
