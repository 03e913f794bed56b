"""Several pictures in one call, where a network takes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engines.inside.basic import open_session
from engines.inside.graph import Graph, load_onnx
from engines.inside.parting import difference
from engines.inside.values import Arrays

TOLERANCE = 1e-3  # of the output's magnitude; kernels for more pictures add up in another order


class BatchError(RuntimeError):
    """A network takes no batches; the message says why."""


def stacked(feeds: Sequence[Arrays], count: int) -> Arrays:
    """``count`` feeds as one, along the first axis; they are gone round when there are fewer."""
    chosen = [feeds[index % len(feeds)] for index in range(count)]
    return {name: np.concatenate([each[name] for each in chosen]) for name in chosen[0]}


def with_batch_axis(graph: Graph, path: Path) -> Path:
    """The file itself if its batch is dynamic, else a copy at ``path`` that says that it is.

    Whether the copy computes the same is for ``check_batch`` to find out.
    """
    if all(graph.shapes[name][1].startswith("?") for name in graph.inputs):
        return graph.path
    onnx = load_onnx()
    model = onnx.load(str(graph.path))
    del model.graph.value_info[:]
    for each in (*model.graph.input, *model.graph.output):
        if each.name not in graph.weights and each.type.tensor_type.shape.dim:
            each.type.tensor_type.shape.dim[0].dim_param = "batch"
    for each in model.graph.output:  # what they are is found out anew
        each.type.tensor_type.ClearField("shape")
    onnx.save(model, str(path))
    return path


def check_batch(path: Path, feeds: Sequence[Arrays]) -> None:
    """Two pictures in one call give what each gives alone.

    Raises:
        BatchError: they do not.
    """
    try:
        session = open_session(path, 1)
        both = session.run(stacked(feeds, 2))
        alone = [session.run(each) for each in (feeds[0], feeds[1 % len(feeds)])]
    except Exception as error:  # ONNX Runtime's own are of no public class
        said = str(error).strip().splitlines()[0]
        raise BatchError(f"takes one picture a call: {said:.200}") from error
    for name, array in both.items():
        apart = difference(name, np.concatenate([each[name] for each in alone]), array)
        if apart.relative > TOLERANCE:
            raise BatchError(f"takes one picture a call; of two the output differs: {apart.words}")
