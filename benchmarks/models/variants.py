"""Models in runtimes, made ready to be timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.models.batches import stacked, write_batched
from benchmarks.models.flops import count_flops
from benchmarks.models.made import Made, built, needs_building
from benchmarks.models.plan import REFERENCE, Variant
from engines.inspect.graph import Graph
from engines.inspect.parting import difference
from engines.inspect.values import Arrays, fed, feeds_of
from engines.made import network_of
from engines.manifest import Input, find
from engines.runtimes import Session, open_session


class Source:
    """A model and what it is fed.

    Args:
        model: zoo name, or path of a manifest; its file is ONNX.
        frames: images, (height, width, 3) uint8 RGB.
        folder: where copies of the file, and of the images, may be written.
        clip: what engines are calibrated on and compared with; None for ``frames``.

    Raises:
        ValueError, RuntimeError, ImportError: there is no such model, or its file is no ONNX file.
    """

    def __init__(
        self,
        model: str,
        frames: Sequence[NDArray[np.uint8]],
        folder: Path,
        clip: Path | None = None,
    ) -> None:
        self.manifest, path = network_of(find(model))
        self.model = model
        self.graph = Graph(path)
        self.frames = frames
        self.folder = folder
        self.clip = clip
        self.feeds = [feeds_of(self.manifest, self.graph, rgb) for rgb in frames]

    @cached_property
    def _flops(self) -> dict[bool, int]:
        """Operations for one image, with the letterbox cut to it (True) or whole."""
        whole = self.manifest.model_copy(
            update={"input": self.manifest.input.model_copy(update={"multiple": None})}
        )
        return {
            True: count_flops(self.graph, self.feeds[0]),
            False: count_flops(self.graph, feeds_of(whole, self.graph, self.frames[0])),
        }

    def flops(self, spec: Input) -> int:
        """Operations for one image in an engine of that input."""
        return self._flops[spec.multiple is not None or self.manifest.input.multiple is None]

    @cached_property
    def _pictures(self) -> Path:
        if self.clip is not None:
            return self.clip
        path = self.folder / "pictures.npz"
        np.savez(path, *self.frames)
        return path

    @cached_property
    def batched(self) -> Path:
        """A copy of the file that takes several images per call.

        Raises:
            BuildError: the network does not.
        """
        path = self.folder / f"{self.manifest.name}-batched.onnx"
        write_batched(self.graph, self.feeds, path)
        return path

    def make(self, variant: Variant) -> Made:
        """The engine of a variant.

        Raises:
            BuildError: the network takes one image a call, or as ``built``.
        """
        if needs_building(variant.runtime, variant.precision):
            _, runtime, precision, _, batch = variant
            return built(self.model, runtime, precision, batch, self._pictures)
        path = self.graph.path if variant.batch == 1 else self.batched
        return Made(self.manifest, path, path.stat().st_size)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A variant that runs.

    Attributes:
        session: loaded.
        images: what is fed for each of some images.
        feeds: for one call.
        flops: operations of one call.
        made: the engine.
        parity: in words, how close what it gives is to ONNX Runtime's.
    """

    session: Session
    pictures: Sequence[Arrays]
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
    made = source.make(variant)
    session = open_session(variant.runtime, made.path, variant.threads)
    if made.parity:
        pictures = [fed(made.manifest.input, session.inputs, rgb) for rgb in source.frames]
    else:
        pictures = source.feeds
    feeds = stacked(pictures, variant.batch)
    parity = made.parity or _words(
        open_session(REFERENCE, made.path, 1).run(feeds), session.run(feeds)
    )
    return Prepared(
        session, pictures, feeds, source.flops(made.manifest.input) * variant.batch, made, parity
    )


def _words(expected: Arrays, got: Arrays) -> str:
    """The largest difference of an output, as a share of that output's magnitude."""
    common = [name for name in expected if name in got]
    apart = [difference(name, expected[name], got[name]) for name in common]
    return f"{max((each.relative for each in apart), default=np.inf):.1e}"
