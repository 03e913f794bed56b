"""An image's way through a network: prepared on the host and copied, or on the GPU all the way."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from engines.batcher import Batcher
from engines.decoders import Spec
from engines.fed import besides
from engines.finite import check_finite
from engines.found import Found
from engines.head import Head
from engines.image import Image, image_of
from engines.manifest import Input
from engines.placement import Placement, Region
from engines.preprocess import Preprocessor
from engines.runtimes import Session, Tensors

if TYPE_CHECKING:  # which is loaded where a network runs on a GPU
    from engines.cuda.around import Around
    from engines.cuda.gpu_work import GpuWork

Pixels = NDArray[np.uint8]
Timings = dict[str, float]
Seen = tuple[Placement, Tensors | list[Found]]


class Runner:
    """Belongs to one thread, as its buffers do.

    Args:
        name: the model's, for errors.
        spec: how images are fed.
        session: of the network.
        heads: what is read of its outputs, each with what its decoder knows.

    Raises:
        ValueError: the network's input cannot hold what ``spec`` makes.
    """

    def __init__(
        self, name: str, spec: Input, session: Session, heads: Sequence[tuple[Head, Spec]]
    ) -> None:
        self._name, self._spec = name, spec
        self._session = cast(Any, session)  # which may have more calls than one
        self._preprocess = Preprocessor(spec, session.inputs[spec.name].dtype)
        self._gpu: GpuWork | None = None
        if getattr(session, "works_around", False):
            from engines.cuda.gpu_work import GpuWork

            self._gpu = GpuWork(name, spec, heads, self._session)

    def uses_gpu(self, image: Pixels | Image) -> bool:
        """Return whether ``run`` leaves more to the GPU than the network itself."""
        return self._gpu is not None and self._gpu.helps(image_of(image))

    def run(
        self,
        image: Image,
        regions: Sequence[Region | None],
        timings: Timings,
        by_s: float | None = None,
    ) -> Iterator[Seen]:
        """Run the network on an image or regions of it; on a GPU several are one call.

        Args:
            image: as it is analysed.
            regions: in its pixels; None for all of it.
            timings: milliseconds in ``preprocess`` and ``infer`` are added.
            by_s: as of a model's call.

        Yields:
            Where each lies in the input, and the outputs; or what each head finds, of all that the
            network knows, where the GPU has read them.
        """
        if self._gpu is None or not self._gpu.helps(image):
            for region in regions:
                yield self.outputs(image, region, timings, by_s)
            return
        most = getattr(self._session, "max_batch", 1)
        for first in range(0, len(regions), most):
            some = regions[first : first + most]
            yield from self._on_gpu(self._gpu, image, some, timings, by_s)

    def _on_gpu(
        self,
        gpu: GpuWork,
        image: Image,
        regions: Sequence[Region | None],
        timings: Timings,
        by_s: float | None,
    ) -> Iterator[Seen]:
        started = time.perf_counter()
        feeds: list[Tensors] = []
        places: list[Placement] = []
        arounds: list[Around] = []
        for region in regions:
            fed, there = {}, gpu.filled(image, region)
            if there is None:
                (tensor, at), fill = self._fed(image, region), None
                # The next region overwrites it.
                fed[self._spec.name] = tensor if len(regions) == 1 else tensor.copy()
            else:
                fill, at = there
            feeds.append({**fed, **besides(self._spec.extra, at.size, self._session.inputs)})
            places.append(at)
            arounds.append(gpu.around(fill, at))
        ready = time.perf_counter()
        kept = self._session.run_around(_together(feeds), arounds, by_s)
        _note(timings, started, ready)
        for each, at in zip(kept, places, strict=True):
            check_finite(self._name, each.outputs)
            found = gpu.found(each, at)
            yield at, each.outputs if found is None else found

    def outputs(
        self,
        image: Pixels | Image,
        region: Region | None,
        timings: Timings,
        by_s: float | None = None,
    ) -> tuple[Placement, Tensors]:
        """Do the same on the host as far as the network lets it; always returns outputs."""
        started = time.perf_counter()
        tensor, at = self._fed(image, region)
        spec, session = self._spec, self._session
        feeds = {spec.name: tensor, **besides(spec.extra, at.size, session.inputs)}
        ready = time.perf_counter()
        others_wait = isinstance(session, Batcher)
        found: Tensors = session.run(feeds, by_s) if others_wait else session.run(feeds)
        check_finite(self._name, found)
        _note(timings, started, ready)
        return at, found

    def _fed(self, image: Pixels | Image, region: Region | None) -> tuple[NDArray[Any], Placement]:
        """The tensor of an image, or a region of it, and where that lies in it."""
        if region is None:
            return self._preprocess.frame(image)
        return self._preprocess.region(image_of(image).pixels, region)


def _together(feeds: Sequence[Tensors]) -> Tensors:
    """Return what several images are fed as one batch."""
    first = feeds[0]
    if len(feeds) == 1:
        return first
    return {name: np.concatenate([each[name] for each in feeds]) for name in first}


def _note(timings: Timings, started: float, ready: float) -> None:
    timings["preprocess"] += (ready - started) * 1e3
    timings["infer"] += (time.perf_counter() - ready) * 1e3
