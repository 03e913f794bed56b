"""Detectors of random weights whose heads are exported as those of real families are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml
from numpy.typing import NDArray
from onnx import helper

from tests.support.onnx_networks import floats, save

LABELS = ("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train")
SIZE = (96, 64)  # width and height
STRIDES = (8, 16)


class Net:
    """Nodes and constants on their way to a file."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        self.width, self.height = size
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._random = np.random.default_rng(5)

    def add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: Any, dtype: Any = np.int64) -> str:
        self.constants[name] = np.array(value, dtype)
        return name

    def random(self, name: str, *shape: int) -> str:
        size = np.prod(shape[1:]) if len(shape) > 1 else 1
        drawn = self._random.normal(0, 1 / np.sqrt(size), shape)
        self.constants[name] = drawn.astype(np.float32)
        return name

    def conv(self, source: str, name: str, before: int, after: int) -> str:
        weights = [self.random(f"{name}.w", after, before, 1, 1), self.random(f"{name}.b", after)]
        return self.add("Conv", [source, *weights], name)

    def pixels(self, source: str, name: str) -> str:
        """Lengths of 0 to 48 pixels, whatever the size of the input."""
        part = self.add("Sigmoid", [source], f"{name}.part")
        return self.add("Mul", [part, self.constant(f"{name}.px", 48, np.float32)], name)

    def positions(self, source: str, stride: int) -> str:
        """(1, 4, h, w): x and y of each cell of ``source`` in pixels, and zeros, of any size."""
        first = [self.constant(f"zero.{what}", [value]) for what, value in (("from", 0), ("to", 1))]
        plane = self.add("Slice", [source, *first, first[1]], "plane")
        none = self.add("Mul", [plane, self.constant("nothing", 0, np.float32)], "none")
        step = self.add("Add", [none, self.constant("step", stride, np.float32)], "steps")
        axes = [self.constant(f"along.{axis}", axis) for axis in (3, 2)]
        at = [self.add("CumSum", [step, axis], f"at.{axis}", exclusive=1) for axis in axes]
        return self.add("Concat", [*at, none, none], "positions", axis=1)

    def features(self, stride: int) -> str:
        """(1, 8, h, w): colours averaged over cells, mixed."""
        kernel = {"kernel_shape": [stride] * 2, "strides": [stride] * 2}
        mean = self.add("AveragePool", ["images"], f"mean{stride}", **kernel)
        middle, scale = (
            self.constant(f"{name}{stride}", value, np.float32)
            for name, value in (("middle", 128), ("scale", 1 / 32))
        )
        small = self.add("Sub", [mean, middle], f"centred{stride}")
        small = self.add("Mul", [small, scale], f"small{stride}")
        return self.conv(small, f"f{stride}", 3, 8)


def _flat(net: Net, stride: int, channels: int, source: str) -> str:
    cells = net.width // stride * (net.height // stride)
    target = net.constant(f"{source}.to", [1, channels, cells])
    return net.add("Reshape", [source, target], f"{source}.flat")


def yolox(net: Net) -> dict[str, Any]:
    """With a pyramid: sizes are multiples of 16."""
    levels = []
    coarse = net.features(16)
    twice = net.constant("twice", [1, 1, 2, 2], np.float32)
    larger = net.add("Resize", [coarse, "", twice], "larger", mode="nearest")
    joined = net.add("Concat", [net.features(8), larger], "joined", axis=1)
    for s, f in zip(STRIDES, (net.conv(joined, "fine", 16, 8), coarse), strict=True):
        box = net.conv(f, f"box{s}", 8, 4)
        sure = net.add("Sigmoid", [net.conv(f, f"obj{s}", 8, 1)], f"sure{s}")
        classes = net.add("Sigmoid", [net.conv(f, f"cls{s}", 8, len(LABELS))], f"sig{s}")
        joined = net.add("Concat", [box, sure, classes], f"all{s}", axis=1)
        levels.append(_flat(net, s, 5 + len(LABELS), joined))
    whole = net.add("Concat", levels, "whole", axis=2)
    net.add("Transpose", [whole], "output", perm=[0, 2, 1])
    return {"decoder": "yolox", "options": {"strides": [*STRIDES]}}


def yolov8(net: Net) -> dict[str, Any]:
    """Boxes and classes in one tensor that is split, as Ultralytics' are; the grid is applied."""
    levels = []
    for s in STRIDES:
        f = net.features(s)
        parts = [net.conv(f, f"box{s}", 8, 4), net.conv(f, f"cls{s}", 8, len(LABELS))]
        joined = net.add("Concat", parts, f"all{s}", axis=1)
        levels.append(_flat(net, s, 4 + len(LABELS), joined))
    whole = net.add("Concat", levels, "whole", axis=2)
    net.constant("lengths", [4, len(LABELS)])
    net.nodes.append(
        helper.make_node("Split", [whole, "lengths"], ["raw boxes", "raw classes"], axis=1)
    )
    at = net.constant("anchors", _anchors(net), np.float32)
    boxes = net.add("Add", [net.add("Exp", ["raw boxes"], "grown"), at], "boxes")
    classes = net.add("Sigmoid", ["raw classes"], "classes")
    net.add("Concat", [boxes, classes], "output", axis=1)
    return {"decoder": "yolov8"}


def _anchors(net: Net) -> NDArray[np.float32]:
    parts = []
    for s in STRIDES:
        row, column = np.mgrid[: net.height // s, : net.width // s].reshape(2, -1)
        parts.append(np.stack([column * s, row * s, np.full_like(row, 2 * s), row * 0 + 2 * s]))
    return np.concatenate(parts, axis=1)[None].astype(np.float32)


def yolov5(net: Net) -> dict[str, Any]:
    """Three boxes a cell in the channels, taken apart by slices."""
    n = 5 + len(LABELS)
    levels = []
    for s in STRIDES:
        width, height = net.width // s, net.height // s
        raw = net.conv(net.features(s), f"raw{s}", 8, 3 * n)
        target = net.constant(f"five{s}", [1, 3, n, height, width])
        five = net.add("Reshape", [raw, target], f"raw5{s}")
        five = net.add("Transpose", [five], f"turned{s}", perm=[0, 1, 3, 4, 2])
        sure = net.add("Sigmoid", [five], f"sig{s}")
        parts = []
        for name, start, end in (("xy", 0, 2), ("wh", 2, 4), ("rest", 4, 2**31 - 1)):
            bounds = [
                net.constant(f"{name}{s}.{what}", [value])
                for what, value in (("start", start), ("end", end), ("axis", 4))
            ]
            parts.append(net.add("Slice", [sure, *bounds], f"{name}{s}"))
        pixels = net.constant(f"pixels{s}", 64, np.float32)
        parts[:2] = [net.add("Mul", [each, pixels], f"{each}.px") for each in parts[:2]]
        joined = net.add("Concat", parts, f"all{s}", axis=4)
        flat = net.constant(f"rows{s}", [1, -1, n])
        levels.append(net.add("Reshape", [joined, flat], f"rows of {s}"))
    net.add("Concat", levels, "output", axis=1)
    return {"decoder": "yolov5"}


def gfl(net: Net) -> dict[str, Any]:
    for s in STRIDES:
        f = net.features(s)
        net.add("Sigmoid", [net.conv(f, f"cls{s}", 8, len(LABELS))], f"scores{s}")
        net.conv(f, f"sides{s}", 8, 32)
    options = {
        "scores": [f"scores{s}" for s in STRIDES],
        "distances": [f"sides{s}" for s in STRIDES],
        "strides": [*STRIDES],
    }
    return {"decoder": "gfl", "options": options}


def _tensorflow(net: Net) -> tuple[str, str]:
    """Rows of boxes and of logits as TensorFlow lays them out, the channels last."""
    tables: dict[str, list[str]] = {"boxes": [], "logits": []}
    for s in STRIDES:
        f = net.features(s)
        for name, width in (("boxes", 4), ("logits", 1 + len(LABELS))):
            raw = net.conv(f, f"{name}{s}", 8, 2 * width)
            last = net.add("Transpose", [raw], f"{name}{s}.last", perm=[0, 2, 3, 1])
            cells = net.width // s * (net.height // s)
            target = net.constant(f"{name}{s}.to", [1, cells * 2, width])
            tables[name].append(net.add("Reshape", [last, target], f"{name}{s}.rows"))
    boxes, logits = (net.add("Concat", each, f"all {n}", axis=1) for n, each in tables.items())
    return boxes, logits


def boxes_scores(net: Net, activation: str = "sigmoid") -> dict[str, Any]:
    boxes, logits = _tensorflow(net)
    net.pixels(boxes, "boxes")
    net.add("Identity", [logits], "scores")
    options = {"activation": activation, "background": "first"}
    return {"decoder": "boxes_scores", "options": options | {"format": "cxcywh"}}


def softmax_scores(net: Net) -> dict[str, Any]:
    return boxes_scores(net, "softmax")


def _queries(net: Net) -> tuple[str, str]:
    """(1, n, 8) features and (1, n, 4) positions."""
    f = net.features(16)
    flat = [_flat(net, 16, n, each) for n, each in ((8, f), (4, net.positions(f, 16)))]
    queries, at = (net.add("Transpose", [each], f"{each}.rows", perm=[0, 2, 1]) for each in flat)
    return queries, at


def detr(net: Net) -> dict[str, Any]:
    queries, at = _queries(net)
    logits = net.add("MatMul", [queries, net.random("head.w", 8, len(LABELS) + 1)], "product")
    net.add("Add", [logits, net.random("head.b", len(LABELS) + 1)], "pred_logits")
    boxes = net.add("MatMul", [queries, net.random("box.w", 8, 4)], "raw boxes")
    net.add("Add", [net.pixels(boxes, "lengths"), at], "pred_boxes")
    return {"decoder": "detr", "options": {"first_class": 1, "normalised": False}}


def best_only(net: Net) -> dict[str, Any]:
    """Ends at the likeliest class of each box: no class can be taken out."""
    rows, at = _queries(net)
    sure = net.add("Sigmoid", [net.add("MatMul", [rows, net.random("w", 8, 7)], "raw")], "sure")
    net.add("ReduceMax", [sure], "scores", axes=[2], keepdims=0)
    net.add("ArgMax", [sure], "labels", axis=2, keepdims=0)
    boxes = net.add("MatMul", [rows, net.random("box.w", 8, 4)], "raw boxes")
    centres = net.add("Add", [net.pixels(boxes, "lengths"), at], "centres")
    spread = [[1, 0, 1, 0], [0, 1, 0, 1], [-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5]]
    shift = net.constant("corners", spread, np.float32)
    net.add("MatMul", [centres, shift], "boxes")
    return {"decoder": "end_to_end"}


HEADS: dict[str, Callable[[Net], dict[str, Any]]] = {
    each.__name__: each
    for each in (yolox, yolov8, yolov5, gfl, boxes_scores, softmax_scores, detr, best_only)
}
# The number of axes of each output.
OUTPUTS = {
    "gfl": {"scores8": 4, "scores16": 4, "sides8": 4, "sides16": 4},
    "boxes_scores": {"boxes": 3, "scores": 3},
    "softmax_scores": {"boxes": 3, "scores": 3},
    "detr": {"pred_logits": 3, "pred_boxes": 3},
    "best_only": {"boxes": 3, "labels": 2, "scores": 2},
}


def write_head(folder: Path, head: str, exported: tuple[int, int] = SIZE, **keys: Any) -> Path:
    """Write the network of a head, exported at a size, and its manifest; return the latter.

    Further keys are the manifest's, those of ``input`` beside its own.
    """
    net = Net(exported)
    told = HEADS[head](net)
    outputs = [
        floats(name, [None] * rank) for name, rank in OUTPUTS.get(head, {"output": 3}).items()
    ]
    for each in outputs:
        if each.name == "labels":
            each.type.tensor_type.elem_type = onnx.TensorProto.INT64
    images = floats("images", [1, 3, net.height, net.width])
    file = save(folder / f"{head}{net.width}.onnx", net.nodes, net.constants, [images], outputs)
    manifest: dict[str, Any] = {
        "name": head,
        "task": "detect",
        "file": file.name,
        "licence": "MIT",
        "input": {"name": "images", "size": [*exported], "resize": "letterbox-top-left"},
        "labels": [*LABELS],
        "threshold": 0.1,
        **told,
    }
    manifest["input"] |= keys.pop("input", {})
    path = folder / f"{head}{len([*folder.glob('*.yaml')])}.yaml"
    path.write_text(yaml.safe_dump(manifest | keys))
    return path
