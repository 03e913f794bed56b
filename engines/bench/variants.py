"""Models in runtimes, made ready to be timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.bench.batches import check_batch, stacked, with_batch_axis
from engines.bench.flops import count_flops
from engines.bench.made import Made, make
from engines.inside.graph import Graph
from engines.inside.parting import difference
from engines.inside.values import Arrays, feeds_of
from engines.manifest import find
from engines.runtimes import Session, open_session
from engines.store import resolve_file

REFERENCE = "onnxruntime"


class Variant(NamedTuple):
    """What is timed: a model, what runs it and how; ``batch`` pictures a call."""

    model: str
    runtime: str
    precision: str
    threads: int
    batch: int

    @property
    def reference(self) -> Variant:
        """The same by ONNX Runtime in float32."""
        return self._replace(runtime=REFERENCE, precision="fp32")


class Source:
    """A model and what it is fed.

    Args:
        model: zoo name, or path of a manifest; its file is ONNX.
        frames: pictures, (height, width, 3) uint8 RGB.
        folder: where copies of the file may be written.

    Raises:
        ValueError, RuntimeError, ImportError: there is no such model, or its file is no ONNX file.
    """

    def __init__(self, model: str, frames: Sequence[NDArray[np.uint8]], folder: Path) -> None:
        self.manifest = find(model)
        self.model = model
        self.graph = Graph(resolve_file(self.manifest))
        self.frames = frames
        self.folder = folder
        self.feeds: list[Arrays] = [
            # Copies, as a preprocessor has one tensor for all its pictures.
            {name: array.copy() for name, array in feeds_of(self.manifest, self.graph, rgb).items()}
            for rgb in frames
        ]

    @cached_property
    def flops(self) -> int:
        """Operations for one picture."""
        return count_flops(self.graph, self.feeds[0])

    @cached_property
    def batched(self) -> Path:
        """The file, or a copy of it, that takes several pictures a call.

        Raises:
            BatchError: the network does not.
        """
        path = with_batch_axis(self.graph, self.folder / f"{self.manifest.name}-batched.onnx")
        check_batch(path, self.feeds)
        return path

    def path(self, batch: int) -> Path:
        """The file for so many pictures a call.

        Raises:
            BatchError: it does not take more than one.
        """
        return self.graph.path if batch == 1 else self.batched

    def stacked(self, batch: int) -> Arrays:
        """What is fed in one call."""
        return stacked(self.feeds, batch)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A variant that runs.

    Attributes:
        session: loaded.
        feeds: for one call.
        flops: operations of one call.
        made: the engine's file.
        parity: in words, how close its outputs are to those of ONNX Runtime.
    """

    session: Session
    feeds: Arrays
    flops: int
    made: Made
    parity: str

    def call(self) -> None:
        """One inference."""
        self.session.run(self.feeds)


def prepare(source: Source, variant: Variant) -> Prepared:
    """Builds what has to be built, loads it and compares what it gives with ONNX Runtime.

    Raises:
        ValueError, RuntimeError, ImportError, OSError: it cannot be; the message says why.
    """
    path, feeds = source.path(variant.batch), source.stacked(variant.batch)
    made = make(source.manifest, path, variant.runtime, variant.precision, source.frames)
    session = open_session(variant.runtime, made.path, variant.threads)
    parity = made.parity
    if not parity:
        expected = open_session(REFERENCE, path, 1).run(feeds)
        parity = _words(expected, session.run(feeds))
    return Prepared(session, feeds, source.flops * variant.batch, made, parity)


def _words(expected: Arrays, got: Arrays) -> str:
    """The largest difference of an output, as a share of that output's magnitude."""
    common = [name for name in expected if name in got]
    apart = [difference(name, expected[name], got[name]) for name in common]
    return f"{max((each.relative for each in apart), default=np.inf):.1e}"
