"""Recognise a decoder as an import does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from engines.convert.recognise import Recognised, recognise
from engines.runtimes import TensorInfo, Tensors


def auto(
    outputs: Mapping[str, NDArray[Any]],
    labels: int | None,
    size: tuple[int, int] = (96, 64),
    task: str | None = None,
    ops: Mapping[str, str] | None = None,
) -> Recognised:
    session = Gives(outputs)
    names = None if labels is None else tuple(f"l{i}" for i in range(labels))
    return recognise(session, size, names, task, session.run({}), ops)


class Gives:
    """A session with these outputs."""

    inputs: Mapping[str, TensorInfo] = {}

    def __init__(self, outputs: Mapping[str, NDArray[Any]]) -> None:
        self.given = dict(outputs)
        self.outputs: Mapping[str, TensorInfo] = {
            n: TensorInfo(a.shape, a.dtype) for n, a in self.given.items()
        }

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        assert not feeds
        return self.given
