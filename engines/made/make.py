"""Make the cheaper network that a manifest asks for of a published file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from engines.builder.frames import read_pictures
from engines.head import Head
from engines.made.check import Reader, check_larger, check_same, check_sizes, noise
from engines.made.classes import cut_classes
from engines.made.graph import Graph, RefusedError, copy_of, declare_outputs, open_model, run
from engines.made.layouts import scores_of
from engines.made.proto import declared, input_of
from engines.made.sizes import free_sizes
from engines.made.wish import Wish, axes_of
from engines.manifest import Input, Manifest, ManifestError
from engines.placement import Size

log = logging.getLogger(__name__)

_PICTURES = 4


@dataclass(frozen=True, slots=True)
class Made:
    """The answer.

    Attributes:
        content: the ONNX file; None where the source itself is to be used.
        cut: of each part, whether its classes are cut in the network, else they must be when its
            outputs are decoded.
        reasons: why they are not, of those parts.
    """

    content: bytes | None
    cut: tuple[bool, ...]
    reasons: tuple[str, ...]


def make(manifest: Manifest, model: Any, wanted: Wish) -> Made:
    """Make the network.

    Classes that the graph does not let go stay in it, and the log says why.

    Raises:
        ManifestError: it cannot have the size or multiple.
    """
    log.info("model %s: making the network that its manifest asks for", manifest.name)
    size = _size(manifest.input, model)
    made, cut, reasons = model, [], []
    for part, classes in zip(manifest.parts, wanted.classes, strict=True):
        cut.append(bool(classes))
        if classes:
            try:
                made = _without_classes(part, manifest.input, made, size)
            except RefusedError as error:
                cut[-1] = False
                reasons.append(str(error))
                log.info(
                    "model %s: classes are cut when its outputs are decoded, not in the network: "
                    "%s",
                    manifest.name,
                    error,
                )
    if wanted.frees_size:
        made = _with_free_size(Reader(manifest.with_classes_cut(cut)), made, size)
    if made is model:
        return Made(None, tuple(cut), tuple(reasons))
    declare_outputs(made, noise(made, manifest.input, size))
    return Made(made.SerializeToString(deterministic=True), tuple(cut), tuple(reasons))


def _size(spec: Input, model: Any) -> Size:
    """Return the size that the file has, or where that is free, the one that is asked for."""
    shape = declared(input_of(model, spec.name))
    height, width = (shape[axis] for axis in axes_of(spec))
    return width or spec.size[0], height or spec.size[1]


def _without_classes(part: Head, spec: Input, model: Any, size: Size) -> Any:
    feeds = noise(model, spec, size)
    before = run(open_model(model), feeds)
    ranks = {name: each.ndim for name, each in before.items()}
    scores = scores_of(part.decoder, part.options, ranks)
    graph = Graph(copy_of(model), feeds)
    cuts = cut_classes(graph, scores, sorted(part.cut), len(part.network_labels))
    graph.tidy()
    check_same(before, run(open_model(graph.model), feeds), cuts)
    return graph.model


def _with_free_size(reader: Reader, model: Any, size: Size) -> Any:
    spec = reader.manifest.input
    feeds = noise(model, spec, size)
    try:
        graph = Graph(copy_of(model), feeds)
        free_sizes(graph, spec.name, axes_of(spec))
        graph.tidy()
        before, after = open_model(model), open_model(graph.model)
        check_same(run(before, feeds), run(after, feeds))
        pictures = read_pictures(None, _PICTURES)
        check_larger(reader, (before, after), model, size, pictures)
    except RefusedError as error:
        key, expected, got = "size", str([*size]), f", got {[*spec.size]}"
        if spec.multiple:
            key, expected, got = "multiple", "none", ""
        raise ManifestError(
            f"model {reader.manifest.name}: input.{key}: expected {expected}, as {spec.name} has a "
            f"fixed size {size[::-1]} in the file{got}; it cannot be made free: {error}"
        ) from error
    try:
        check_sizes(reader, after, model)
    except RefusedError as error:
        key, value = ("multiple", spec.multiple) if spec.multiple else ("size", list(spec.size))
        raise ManifestError(
            f"model {reader.manifest.name}: input.{key}: the network does not take {value}; {error}"
        ) from error
    return graph.model
