"""A segmenter's head on a GPU: scores to bits, which alone are copied."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from engines.cuda.around import Block, Bytes, Places, Read
from engines.cuda.kinds import FLOATS
from engines.cuda.launching import Launch
from engines.cuda.masks import Packed, Scores, pack
from engines.decoders import Spec
from engines.decoders.sigmoid import cuts_of
from engines.finite import check_count
from engines.found.planes import PackedPlanes
from engines.head import Head
from engines.placement import Placement, Size
from engines.runtimes import TensorInfo

Window = tuple[int, int, int, int]
_WORD = 4  # bytes of an int32, a float32
_PLACES = 128  # of images in the memory of lanes, for which launches are kept


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """An output: where its constants are in a block, and what they are.

    Attributes:
        name: of the output.
        scores: with no address.
        plane_of: (channels,) int32; cuts: (channels,) float32, of none where channels compete.
        at: byte of a block where these two begin.
    """

    name: str
    scores: Scores
    plane_of: NDArray[np.int32]
    cuts: NDArray[np.float32]
    at: int

    @property
    def constants(self) -> Bytes:
        return np.concatenate([self.plane_of.view(np.uint8), self.cuts.view(np.uint8)])


class MaskReader:
    """Reads the planes of ``argmax`` and ``sigmoid``.

    A block holds the constants of each output, the number of values that are not finite in each,
    and the bits.
    """

    def __init__(self, model: str, labels: int, cells: Size, sources: list[_Source]) -> None:
        self._model, self._labels, self._cells, self._sources = model, labels, cells, sources
        self._counts_at = sources[-1].at + len(sources[-1].constants)
        self._bits_at = self._counts_at + _WORD * len(sources)
        zeros = np.zeros(_WORD * len(sources), np.uint8)
        self.given = np.concatenate([*(source.constants for source in sources), zeros])
        self._at = lru_cache(maxsize=_PLACES)(self._launches)
        width, height = cells
        size = self._bits_at + labels * height * -(-width // 8)
        self.block = Block(self._bits_at, self._counts_at, size, size)
        facts = [(s.name, s.scores, len(s.cuts)) for s in sources]
        self.key: Hashable = ("masks", labels, tuple(facts))

    @classmethod
    def of(
        cls, model: str, head: Head, spec: Spec, outputs: Mapping[str, TensorInfo]
    ) -> Self | None:
        """Return the reader of a head; None where it does not fit: see ``readers_of``."""
        planes: dict[str, list[str | None]] = head.options["planes"]
        cuts: NDArray[np.float32] | None = None
        if head.decoder == "sigmoid":
            cuts = cuts_of(spec, bool(head.options["logits"]))
        named = [label for labels in planes.values() for label in labels if label is not None]
        last = head.options.get("channels", "first") == "last"
        sources: list[_Source] = []
        at = 0
        for name, channels in planes.items():
            scores = _scores(outputs.get(name), last)
            if scores is None or scores.channels != len(channels):
                return None
            number = dict[str | None, int](zip(spec.labels, range(len(spec.labels)), strict=True))
            plane_of = np.array([number.get(each, -1) for each in channels], np.int32)
            least = np.zeros(0, np.float32)
            if cuts is not None:
                least = np.where(plane_of < 0, 0, cuts[plane_of]).astype(np.float32)
            sources.append(_Source(name, scores, plane_of, least, at))
            at += len(sources[-1].constants)
        sizes = {(source.scores.width, source.scores.height) for source in sources}
        if sorted(named) != sorted(spec.labels) or len(sizes) != 1:
            return None
        return cls(model, len(spec.labels), sizes.pop(), sources)

    def read(self, at: Placement) -> _MaskRead:
        """See ``Reader``."""
        return _MaskRead(self, at.window(self._cells))

    def found(self, kept: Bytes, at: Placement) -> PackedPlanes:
        """See ``Reader``."""
        left, top, right, bottom = at.window(self._cells)
        width, height = right - left, bottom - top
        counts = kept[: self._bits_at - self._counts_at].view(np.uint32)
        for source, bad in zip(self._sources, counts, strict=True):
            values = source.scores.channels * width * height
            check_count(self._model, source.name, int(bad), values)
        shape = self._labels, height, -(-width // 8)
        bits = kept[self._bits_at - self._counts_at :][: int(np.prod(shape))]
        return PackedPlanes(bits.reshape(shape), width, self._cells)

    def launches(
        self, outputs: Mapping[str, Places], image: int, block: int, window: Window
    ) -> list[Launch]:
        """Return the launches of an image of the batch that a window of the cells shows."""
        starts = (outputs[source.name].of(image) for source in self._sources)
        return self._at(tuple(starts), block, window)

    def _launches(self, starts: tuple[int, ...], block: int, window: Window) -> list[Launch]:
        found = []
        for index, (source, start) in enumerate(zip(self._sources, starts, strict=True)):
            constants = block + source.at
            cuts = constants + source.plane_of.nbytes if source.cuts.size else 0
            bad = block + self._counts_at + _WORD * index
            to = Packed(block + self._bits_at, constants, cuts, bad)
            found.append(pack(source.scores.at(start), window, to))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _MaskRead:
    """The read of one image: see ``Read``."""

    reader: MaskReader
    window: Window

    @property
    def key(self) -> Hashable:
        return self.reader.key

    @property
    def block(self) -> Block:
        return self.reader.block

    @property
    def given(self) -> Bytes:
        return self.reader.given

    def launches(
        self, images: Sequence[Read], outputs: Mapping[str, Places], blocks: Places
    ) -> list[Launch]:
        found = []
        for i, image in enumerate(images):
            assert isinstance(image, _MaskRead)
            found += image.reader.launches(outputs, i, blocks.of(i), image.window)
        return found

    def rest(self, kept: Bytes) -> int:
        del kept
        return 0


def _scores(info: TensorInfo | None, last: bool) -> Scores | None:
    """Return an output of planes without its address; None where it is not one of known size."""
    if info is None or info.dtype.name not in FLOATS or len(info.shape) != 4:
        return None
    axes: Any = info.shape[1:]
    if None in axes:
        return None
    channels, height, width = (axes[2], axes[0], axes[1]) if last else axes
    return Scores(0, info.dtype, channels, height, width, last)
