"""A model's share of the work on the GPU: how its images come into the network's input there, and
how its outputs are read there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import lru_cache, partial
from typing import Any, Protocol

import numpy as np

from engines.cuda.around import Around, Filled, Kept
from engines.cuda.fill import Planes, Slot, fill, fill_region, slot_of, slot_of_region
from engines.cuda.launching import Launch
from engines.cuda.reading import readers_of
from engines.decoders import Spec
from engines.found import Found
from engines.head import Head
from engines.image import Image
from engines.manifest import Input
from engines.placement import Placement, Region, Size
from engines.runtimes import TensorInfo, Tensors

_SIZES = 8  # of frames, and as many shapes of surfaces, that are kept in mind
_PLACES = ("luma", "u", "v")  # of planes, in a surface
_SHAPE = tuple(each.name for each in fields(Planes) if each.name not in (*_PLACES, "matrix"))


class AroundSession(Protocol):
    """A session that runs with kernels around its network."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]

    @property
    def gpu(self) -> int:
        """The index of the GPU that it is on."""

    def run_around(
        self, feeds: Tensors, arounds: Sequence[Around], by_s: float | None = None
    ) -> list[Kept]:
        """See ``engines.batcher.Batcher``."""


class OnGpu(Protocol):
    """An image in a GPU's memory: see ``plugins.frame.DeviceFrame``.

    Its planes may be of another size than it says: they are what was decoded.
    """

    size: Size
    planes: Planes
    ready: int | None
    gpu: int


def is_on(image: Image, gpu: int) -> bool:
    """Return whether an image lies in the memory of the GPU of this index."""
    return getattr(image, "memory", "host") == "cuda" and getattr(image, "gpu", None) == gpu


class GpuWork:
    """What a model has done on the GPU.

    Args:
        model: its name.
        spec: how its images are fed.
        heads: what is read from it.
        session: that runs it.
    """

    def __init__(
        self,
        model: str,
        spec: Input,
        heads: Sequence[tuple[Head, Spec]],
        session: AroundSession,
    ) -> None:
        self._spec, self._gpu = spec, session.gpu
        self._dtype: np.dtype[Any] = session.inputs[spec.name].dtype
        self._readers = readers_of(model, heads, session.outputs)
        self._whole = lru_cache(maxsize=_SIZES)(self._filler)

    def helps(self, image: Image) -> bool:
        """Return whether anything is done there for an image; else it goes the host's way."""
        return bool(self._readers) or is_on(image, self._gpu)

    def filled(self, image: Image, region: Region | None) -> tuple[Filled, Placement] | None:
        """Return how an image, or a region of it, comes into the input; None where it is not on
        this GPU.
        """
        if not is_on(image, self._gpu):
            return None
        there: OnGpu = image  # type: ignore[assignment]
        planes, spec = there.planes, self._spec
        if region is None:
            filler, at = self._whole(there.size)
            slot, aim = filler.slot, partial(filler.launch, planes)
        else:
            slot, at = slot_of_region(spec, self._dtype, there.size, region, 0)
            x, y = (of / to for of, to in zip(planes.size, there.size, strict=True))
            decoded = region[0] * x, region[1] * y, region[2] * x, region[3] * y
            aim = partial(_aimed, planes, slot, decoded)
        return Filled(spec.name, self._shape(slot.size), aim, there.ready), at

    def around(self, fill: Filled | None, at: Placement) -> Around:
        """Return the work for one image."""
        return Around(fill, tuple(reader.read(at) for reader in self._readers))

    def found(self, kept: Kept, at: Placement) -> list[Found] | None:
        """Return what each head finds; None where the outputs came to the host as they are.

        Raises:
            RuntimeError: values that were read are not finite.
        """
        if not self._readers:
            return None
        return [
            reader.found(part, at) for reader, part in zip(self._readers, kept.reads, strict=True)
        ]

    def _filler(self, size: Size) -> tuple[_Filler, Placement]:
        slot, at = slot_of(self._spec, self._dtype, size, 0)
        return _Filler(slot), at

    def _shape(self, size: Size) -> tuple[int, ...]:
        width, height = size
        channels = self._spec.channels
        if self._spec.layout == "nchw":
            return channels, height, width
        return height, width, channels


class _Filler:
    """Fills slots with whole frames. Those of one shape differ in addresses alone, and to set these
    takes a tenth of the time of making a launch anew.

    Attributes:
        slot: with no address.
    """

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self._made: dict[tuple[Any, ...], Launch] = {}

    def launch(self, planes: Planes, address: int) -> Launch:
        """Return the launch that fills the slot at an address."""
        key = (*(getattr(planes, name) for name in _SHAPE), planes.matrix.tobytes())
        like = self._made.get(key)
        if like is None:
            if len(self._made) == _SIZES:
                self._made.pop(next(iter(self._made)))
            like = self._made[key] = fill(planes, self.slot)
        work = like.parameters.copy()
        for name in _PLACES:
            work[name] = getattr(planes, name)
        work["tensor"] = address
        return Launch(like.kernel, like.grid, like.block, work)


def _aimed(planes: Planes, slot: Slot, region: Region, address: int) -> Launch:
    """Return the launch that fills a slot at an address with a region."""
    return fill_region(planes, replace(slot, address=address), region)
