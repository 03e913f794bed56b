"""Cut classes out of a network: the channels that score them, back to the layers that make them.

A cut is followed from the outputs towards the inputs. Each node says which part of its inputs it
needs for a part of its outputs; at a convolution or a product of matrices the rows of the weights
are taken, and there it ends. Whatever else is met is refused, and nothing has changed then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from engines.made.axes import Cut, reads
from engines.made.graph import Graph, RefusedError
from engines.made.layouts import Scores
from engines.made.nodes import RULES


class _Part(NamedTuple):
    """The part of a tensor that one of its readers needs; None for all of it."""

    cut: Cut | None
    is_asked: bool  # else a node that only ever reads this part, whatever is cut


def cut_classes(
    graph: Graph, scores: Sequence[Scores], kept: Sequence[int], labels: int
) -> dict[str, Cut]:
    """Leave the scores of ``kept`` alone, which rise, of so many ``labels``.

    Returns:
        What stays of each output that is cut.

    Raises:
        RefusedError: the graph does not allow it, naming the node that is in the way. It may be
            changed in part.
    """
    asked = {each.output: _asked(graph, each, kept, labels) for each in scores}
    cuts = _followed(graph, asked)
    for node in graph.nodes:
        if node.op_type in RULES:
            RULES[node.op_type].edit(graph, node, cuts)
    return asked


def _followed(graph: Graph, asked: Mapping[str, Cut]) -> dict[str, Cut]:
    """Return what stays of each tensor that is cut, from the outputs to the weights."""
    cuts: dict[str, Cut] = {}
    parts = {each.name: [_Part(asked.get(each.name), True)] for each in graph.model.graph.output}
    for node in reversed(graph.nodes):
        outputs = [_together(graph, name, parts.get(name, [])) for name in node.output]
        cuts |= {name: cut for name, cut in zip(node.output, outputs, strict=True) if cut}
        for name, part in zip(node.input, _needed(graph, node, outputs), strict=True):
            # The shape of a tensor is said of whatever is left of it.
            if name and name not in graph.constants and node.op_type != "Shape":
                parts.setdefault(name, []).append(part)
    for each in graph.model.graph.input:
        if _together(graph, each.name, parts.get(each.name, [])):
            raise RefusedError(f"input {each.name} itself would be cut")
    return cuts


def _asked(graph: Graph, scores: Scores, kept: Sequence[int], labels: int) -> Cut:
    shape = graph.shapes[scores.output]
    axis = scores.axis % len(shape)
    if shape[axis] < scores.first + labels:
        raise RefusedError(f"{scores.output} has {shape[axis]} channels for {labels} labels")
    after = range(scores.first + labels, shape[axis])
    index = [*range(scores.first), *(scores.first + number for number in kept), *after]
    return Cut(axis, tuple(index))


def _needed(graph: Graph, node: Any, outputs: list[Cut | None]) -> list[_Part]:
    """Return what a node needs of each of its inputs."""
    whole = [_Part(None, True)] * len(node.input)
    if not any(outputs):
        part = reads(graph, node)
        return [_Part(part, False), *whole[1:]] if part else whole
    if node.op_type not in RULES or node.domain not in ("", "ai.onnx"):
        raise RefusedError(f"the cut does not pass {node.op_type} {node.name or node.output[0]}")
    cuts = RULES[node.op_type].needs(graph, node, outputs)
    return [_Part(cut, True) for cut in cuts]


def _together(graph: Graph, name: str, parts: Sequence[_Part]) -> Cut | None:
    """Return the part of a tensor that all its readers need; None for all of it.

    Readers may need different parts, such as the boxes and the scores, which then follow each
    other; whatever the tensor holds for neither goes too.
    """
    asked = [part.cut for part in parts if part.is_asked]
    if not any(asked):
        return None
    if not all(part.cut for part in parts):
        raise RefusedError(f"all of {name} is read elsewhere too")
    cuts = list(dict.fromkeys(part.cut for part in parts if part.cut))
    cuts.sort(key=lambda cut: min(cut.kept))
    index = tuple(number for cut in cuts for number in cut.kept)
    if len({cut.axis for cut in cuts}) > 1 or len(set(index)) < len(index):
        raise RefusedError(f"readers of {name} need parts of it that overlap")
    if index == tuple(np.arange(graph.shapes[name][cuts[0].axis])):
        return None
    return Cut(cuts[0].axis, index)
