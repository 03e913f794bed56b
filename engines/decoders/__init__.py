"""Decoders: pure functions from a network's output tensors to a kind of findings.

A decoder is ``(outputs, spec, *, option=…) -> Found``. Its options are its keyword-only arguments:
the manifest's ``options`` are checked against their annotations once, at load.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from engines.found import Boxes as Boxes
from engines.found import Found, as_found
from engines.names import resolve
from mirante.nearest import nearest

DECODERS = {
    "argmax": "engines.decoders.argmax:decode",
    "boxes_scores": "engines.decoders.boxes_scores:decode",
    "class_ids": "engines.decoders.class_ids:decode",
    "embedding": "engines.decoders.embedding:decode",
    "detr": "engines.decoders.detr:decode",
    "end_to_end": "engines.decoders.end_to_end:decode",
    "gfl": "engines.decoders.gfl:decode",
    "mask_rcnn": "engines.decoders.mask_rcnn:decode",
    "movenet": "engines.decoders.movenet:decode",
    "rows": "engines.decoders.rows:decode",
    "rows_obb": "engines.decoders.rows_obb:decode",
    "selected": "engines.decoders.selected:decode",
    "rows_pose": "engines.decoders.rows_pose:decode",
    "rows_seg": "engines.decoders.rows_seg:decode",
    "sigmoid": "engines.decoders.sigmoid:decode",
    "simcc": "engines.decoders.simcc:decode",
    "softmax": "engines.decoders.softmax:decode",
    "ssd": "engines.decoders.ssd:decode",
    "yolact": "engines.decoders.yolact:decode",
    "yolov1": "engines.decoders.yolov1:decode",
    "yolov5": "engines.decoders.yolov5:decode",
    "yolov5_seg": "engines.decoders.yolov5_seg:decode",
    "yolov8": "engines.decoders.yolov8:decode",
    "yolov8_obb": "engines.decoders.yolov8_obb:decode",
    "yolov8_pose": "engines.decoders.yolov8_pose:decode",
    "yolov8_seg": "engines.decoders.yolov8_seg:decode",
    "yolox": "engines.decoders.yolox:decode",
    "yunet": "engines.decoders.yunet:decode",
}


Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Spec:
    """The facts that a decoder has besides the tensors.

    Attributes:
        labels: class names of a detector or classifier, plane names of a segmenter.
        threshold: (len(labels),) float32, least score of each.
        iou: boxes of one class that overlap more than this are one object.
        size: width and height of the input tensor in pixels.
        keypoints: names of the key points, in the network's order.
    """

    labels: tuple[str, ...]
    threshold: NDArray[np.float32]
    iou: float
    size: tuple[int, int]
    keypoints: tuple[str, ...] = ()


Decoder = Callable[[Outputs, Spec], Found]


class OptionError(ValueError):
    """A decoder does not take such an option, or not such a value."""


def bind(name: str, options: Mapping[str, Any]) -> Decoder:
    """The decoder of that name, or of ``"package.module:function"``, with its options set.

    Raises:
        UnknownNameError: no such decoder.
        OptionError: naming the option, its value and what was expected.
    """
    function = resolve("decoder", name, DECODERS)
    hints = get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    known = {p.name: p for p in parameters if p.kind is p.KEYWORD_ONLY}
    for missing in [n for n, p in known.items() if p.default is p.empty and n not in options]:
        raise OptionError(f"options.{missing}: missing, and required by decoder {name}")
    chosen = {key: _value(name, key, options[key], known, hints) for key in options}
    decode = partial(function, **chosen)
    return lambda outputs, spec: as_found(decode(outputs, spec))


def _value(
    decoder: str, key: str, value: Any, known: Mapping[str, Any], hints: Mapping[str, Any]
) -> Any:
    if key not in known:
        hint = nearest(key, known, "known:")
        raise OptionError(f"options.{key}: decoder {decoder} has no such option; {hint}")
    try:
        return TypeAdapter(hints.get(key, Any)).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("options", key, *first["loc"]))
        expected = first["msg"].removeprefix("Input should ").removeprefix("be ")
        raise OptionError(f"{where}: expected {expected}, got {first['input']!r}") from None


def output(outputs: Outputs, name: str) -> NDArray[Any]:
    """One output by name.

    Raises:
        OptionError: the network has no such output.
    """
    if name not in outputs:
        raise OptionError(f'no output "{name}"; the network has {", ".join(outputs)}')
    return outputs[name]


def sole(outputs: Outputs, name: str | None) -> NDArray[Any]:
    """The output of that name, or where none is named, the only one.

    Raises:
        OptionError: there are several, or none of that name.
    """
    if name is not None:
        return output(outputs, name)
    if len(outputs) != 1:
        raise OptionError(f"options.output: expected one of {', '.join(outputs)}, got none")
    return next(iter(outputs.values()))
