"""The inputs that kernels are timed on, and the results that the host computes from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu.on_device import OnDevice
from engines.cuda.boxes import Sifted, Table, sift
from engines.cuda.fill import Planes, fill, fill_region, slot_of, slot_of_region
from engines.cuda.launching import Launch
from engines.cuda.masks import Packed, Scores, pack
from engines.manifest import Input
from engines.placement import Placement, Size
from engines.preprocess import Preprocessor
from plugins.colour.planes import on_gpu, yuv_planes

BT709 = 0.2126, 0.0722
_HALF = np.dtype(np.float16)


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of the kernels' inputs.

    Attributes:
        frame: width and height of a decoded frame.
        slot: side of a detector's input.
        scores: channels, height and width of a segmenter's output.
        table: rows and columns of a detector's output, of which four are the box.
    """

    frame: Size = (1920, 1080)
    slot: int = 640
    scores: tuple[int, int, int] = (19, 512, 1024)
    table: tuple[int, int] = (8400, 84)


@dataclass(frozen=True, slots=True)
class Case:
    """A kernel, or several that belong together, and what they are to do.

    Attributes:
        what: in words.
        launches: of the kernels.
        moved: bytes that must be read or written, each once.
        prepare: makes the memory as it is before a frame.
        wrong: says in what the result is not that of the host; empty where it is.
    """

    what: str
    launches: Sequence[Launch]
    moved: int
    wrong: Callable[[], str]
    prepare: Callable[[], object] = lambda: None


def cases(device: OnDevice, sizes: Sizes) -> Iterator[Case]:
    """Yield a case for each kernel and the types that matter; their memory is the device's."""
    frame = _Frame(device, sizes.frame)
    for name in ("float16", "uint8"):
        yield _filled(device, frame, sizes.slot, np.dtype(name))
    yield _region(device, frame, sizes.slot)
    for competes in (True, False):
        yield _packed(device, sizes.scores, competes)
    yield _sifted(device, sizes.table)


class _Frame:
    """A decoded frame, NV12 in BT.709: noise over a slope, on the host and on the GPU."""

    def __init__(self, device: OnDevice, size: Size) -> None:
        width, height = size
        chance = np.random.default_rng(0)
        slope = np.linspace(30, 200, width)[None] + chance.integers(-8, 9, (height, width))
        self.size = size
        self.luma = slope.astype(np.uint8)
        self.chroma = chance.integers(40, 216, (height // 2, width // 2, 2), np.uint8)
        rows = np.concatenate([self.luma, self.chroma.reshape(height // 2, width)])
        address = device.put(rows)
        self.bytes = rows.nbytes
        colours = on_gpu(BT709, False)
        self.planes = Planes.nv12(size, address, address + height * width, width, colours)

    def rgb(self, size: Size) -> NDArray[np.uint8]:
        """Return it as the host scales and converts it."""
        halved = -(-size[0] // 2), -(-size[1] // 2)
        luma, u, v = (
            np.asarray(cv2.resize(plane, to), np.uint8)
            for plane, to in (
                (self.luma, size),
                *((np.ascontiguousarray(self.chroma[..., i]), halved) for i in range(2)),
            )
        )
        rgb = np.empty((size[1], size[0], 3), np.uint8)
        yuv_planes(size, (1, 1), BT709, False).convert([luma, u, v], rgb)
        return rgb


def _input(side: int, dtype: np.dtype[Any]) -> Input:
    scale = 1.0 if dtype.kind == "u" else 1 / 255
    return Input(name="x", size=(side, side), scale=scale, resize="letterbox-centre")


def _filled(device: OnDevice, frame: _Frame, side: int, dtype: np.dtype[Any]) -> Case:
    spec = _input(side, dtype)
    size = side * side * 3 * dtype.itemsize
    address = device.room(size)
    slot, at = slot_of(spec, dtype, frame.size, address)

    def wrong() -> str:
        got = device.get(address, (1, 3, side, side), dtype)
        return _apart(got, _expected(frame, spec, dtype, at), spec, most=1.0)

    what = f"fill_slot, {_by(frame.size)} NV12 to {_by((side, side))} {dtype}"
    return Case(what, [fill(frame.planes, slot)], frame.bytes + size, wrong)


def _expected(frame: _Frame, spec: Input, dtype: np.dtype[Any], at: Placement) -> NDArray[Any]:
    """Return the tensor of a frame that the host scaled before: ``Preprocessor`` only places it."""
    left, top, right, bottom = at.content
    return Preprocessor(spec, dtype).frame(frame.rgb((right - left, bottom - top)))[0]


def _region(device: OnDevice, frame: _Frame, side: int) -> Case:
    width, height = frame.size
    region = width * 0.3, height * 0.2, width * 0.3 + side / 2, height * 0.2 + side / 2
    spec, size = _input(side, _HALF), side * side * 3 * _HALF.itemsize
    address = device.room(size)
    slot, _ = slot_of_region(spec, _HALF, frame.size, region, address)

    def wrong() -> str:
        got = device.get(address, (1, 3, side, side), _HALF)
        expected = Preprocessor(spec, _HALF).region(frame.rgb(frame.size), region)[0]
        return _apart(got, expected, spec, most=2.0)

    what = f"fill_region, {_by((side // 2, side // 2))} to {_by((side, side))} {_HALF}"
    moved = side // 2 * (side // 2) * 3 // 2 + size
    return Case(what, [fill_region(frame.planes, slot, region)], moved, wrong)


def _packed(device: OnDevice, axes: tuple[int, int, int], competes: bool) -> Case:
    channels, height, width = axes
    scores = np.random.default_rng(1).normal(size=axes).astype(_HALF)
    cuts, plane_of = np.full(channels, 0.5, np.float32), np.arange(channels, dtype=np.int32)
    bits = device.room(channels * height * -(-width // 8))
    to = Packed(
        bits,
        device.put(plane_of),
        0 if competes else device.put(cuts),
        device.put(np.zeros(1, np.uint32)),
    )
    source = Scores(device.put(scores), _HALF, channels, height, width)
    best = scores.argmax(axis=0)
    planes = np.arange(channels)[:, None, None] == best if competes else scores >= cuts[0]
    expected = np.packbits(planes, axis=-1)

    def wrong() -> str:
        apart = int((device.get(bits, expected.shape, np.uint8) != expected).sum())
        return f"{apart} of {expected.size} bytes are others" if apart else ""

    how = "largest" if competes else "threshold"
    what = f"pack_masks, {how} of {channels} channels of {_by((width, height))} {_HALF}"
    launches = [pack(source, (0, 0, width, height), to)]
    return Case(what, launches, scores.nbytes + expected.nbytes, wrong)


def _sifted(device: OnDevice, axes: tuple[int, int]) -> Case:
    rows, columns = axes
    chance = np.random.default_rng(2)
    table = chance.uniform(0, 0.2, axes).astype(_HALF)
    reaching = np.sort(chance.choice(rows, max(1, rows // 80), replace=False)).astype(np.int32)
    table[reaching, 4 + reaching % (columns - 4)] = 0.9
    source = Table(device.put(table), _HALF, rows, columns, 4, columns - 4)
    counts = device.put(np.zeros(3, np.uint32))
    to = Sifted(
        thresholds=device.put(np.full(columns - 4, 0.5, np.float32)),
        keys=device.room(4 * rows),
        picked=device.room(4 * rows),
        kept=device.room(4 * rows * columns),
        counts=counts,
        limit=min(rows, 3000),
    )

    def wrong() -> str:
        kept = int(device.get(counts, (3,), np.uint32)[0])
        picked = device.get(to.picked, (rows,), np.int32)[:kept]
        if not np.array_equal(picked, reaching):
            return f"expected the {len(reaching)} rows that reach, got {kept} others"
        copied = device.get(to.kept, axes, np.float32)[:kept]
        return "" if np.array_equal(copied, table[reaching]) else "rows are copied wrongly"

    what = f"score_rows, pick_rows, copy_rows, {rows} rows of {columns} {_HALF}"
    moved = table.nbytes + 4 * rows + len(reaching) * columns * (2 + 4)
    empty = np.zeros(3, np.uint32)
    return Case(what, sift(source, to), moved, wrong, lambda: device.put(empty, counts))


def _apart(got: NDArray[Any], expected: NDArray[Any], spec: Input, most: float) -> str:
    """Return by how many levels of 255 tensors differ, where that is more than ``most``."""
    apart = np.abs(got.astype(np.float64) - expected.astype(np.float64)) / spec.scale
    worst = float(apart.max())
    # float16 has steps of half a level near 255 of 255.
    return "" if worst <= most + 0.3 else f"up to {worst:.1f} levels of 255 apart"


def _by(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
