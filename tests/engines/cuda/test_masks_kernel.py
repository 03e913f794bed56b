"""Planes packed by the kernel are bit for bit those that the decoders and ``Mask`` make."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.cuda.masks import PACK, Packed, Scores, pack
from engines.decoders import Spec, argmax, sigmoid
from engines.placement import Size, place
from mirante.mask import Mask
from tests.support.host_kernels import Host, built

pytestmark = pytest.mark.slow

GUARD = 0xA5


@pytest.fixture(scope="module")
def host() -> Host:
    return built()


def scores_of(channels: int, size: Size, dtype: str, last: bool) -> NDArray[np.float32]:
    """Return scores of few levels, so that many are equal."""
    rng = np.random.default_rng(channels)
    shape = (1, size[1], size[0], channels) if last else (1, channels, size[1], size[0])
    return (rng.integers(-8, 9, shape) / 4).astype(dtype)


def packed(
    host: Host,
    outputs: dict[str, NDArray[np.float32]],
    planes: dict[str, list[str | None]],
    labels: tuple[str, ...],
    window: tuple[int, int, int, int],
    cuts: NDArray[np.float32] | None = None,
    last: bool = False,
) -> tuple[NDArray[np.uint8], int]:
    """Return the bits of all planes, and how many scores are not finite."""
    left, top, right, bottom = window
    shape = (len(labels), bottom - top, -(-(right - left) // 8))
    room = np.full(int(np.prod(shape)) + 2, GUARD, np.uint8)
    bad = np.zeros(1, np.uint32)
    for name, named in planes.items():
        tensor = outputs[name]
        channels, height, width = (tensor[0].transpose(2, 0, 1) if last else tensor[0]).shape
        plane_of = np.array([-1 if n is None else labels.index(n) for n in named], np.int32)
        least = np.zeros(channels, np.float32)
        if cuts is not None:
            least[plane_of >= 0] = cuts[plane_of[plane_of >= 0]]
        work = pack(
            Scores(tensor.ctypes.data, tensor.dtype, channels, height, width, last),
            window,
            Packed(
                room[1:].ctypes.data,
                plane_of.ctypes.data,
                0 if cuts is None else least.ctypes.data,
                bad.ctypes.data,
            ),
        )
        host.run(work)
        before = room.copy()
        host.run(work, backwards=True)
        assert np.array_equal(room, before)
    assert room[0] == room[-1] == GUARD
    return room[1:-1].reshape(shape), int(bad[0]) // 2


def test_the_structure_is_that_of_the_kernel(host: Host) -> None:
    assert host.size_of(1) == PACK.itemsize


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("channels", "size"), [(2, (16, 4)), (5, (37, 11)), (151, (23, 9))])
def test_the_largest_channel_has_the_pixel(
    host: Host, channels: int, size: Size, dtype: str, last: bool
) -> None:
    planes: dict[str, list[str | None]] = {"x": [None, *(f"c{i}" for i in range(1, channels))]}
    labels = tuple(reversed([str(name) for name in planes["x"][1:]]))
    outputs = {"x": scores_of(channels, size, dtype, last)}
    spec = Spec(labels, np.full(len(labels), np.nan, np.float32), 0.5, size)
    found = argmax.decode(outputs, spec, planes=planes, channels="last" if last else "first")
    window = (0, 0, *size)
    bits, bad = packed(host, outputs, planes, labels, window, last=last)
    assert np.array_equal(bits, Mask.from_planes(labels, found.planes, (0, 0, 1, 1)).bits)
    assert bad == 0


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_each_channel_has_its_threshold(host: Host, dtype: str, last: bool) -> None:
    planes: dict[str, list[str | None]] = {"x": ["a", None, "b"], "y": ["c"]}
    labels, size = ("b", "c", "a"), (29, 13)
    outputs = {name: scores_of(len(each), size, dtype, last) for name, each in planes.items()}
    cuts = np.array([0.25, 0.5, 0.75], np.float32)  # the middle one is a score: reached, not passed
    outputs["y"][...] = np.where(outputs["y"] > 1, outputs["y"], 0)
    spec = Spec(labels, cuts, 0.5, size)
    found = sigmoid.decode(
        outputs, spec, planes=planes, channels="last" if last else "first", logits=True
    )
    least = np.log(cuts / (1 - cuts))
    bits, bad = packed(host, outputs, planes, labels, (0, 0, *size), least, last)
    assert np.array_equal(bits, Mask.from_planes(labels, found.planes, (0, 0, 1, 1)).bits)
    assert 0 < np.unpackbits(bits[1]).sum() < size[0] * size[1] * 1.1
    assert bad == 0


@pytest.mark.parametrize("resize", ["letterbox-centre", "letterbox-top-left", "stretch"])
@pytest.mark.parametrize("cells", [(64, 64), (21, 16)])
def test_of_a_letterbox_only_the_image_is_packed(host: Host, resize: str, cells: Size) -> None:
    at = place((97, 55), (64, 64), resize)  # type: ignore[arg-type]
    planes: dict[str, list[str | None]] = {"x": ["a", "b", None]}
    outputs = {"x": scores_of(3, cells, "float32", False)}
    spec = Spec(("a", "b"), np.full(2, np.nan, np.float32), 0.5, (64, 64))
    shown, region = at.without_padding(argmax.decode(outputs, spec, planes=planes).planes)
    bits, _ = packed(host, outputs, planes, ("a", "b"), at.window(cells))
    assert np.array_equal(bits, Mask.from_planes(("a", "b"), shown, region).bits)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_scores_that_are_no_numbers_are_counted(host: Host, dtype: str) -> None:
    outputs = {"x": scores_of(3, (19, 5), dtype, False)}
    outputs["x"][0, 1, 2, [0, 9, 18]] = np.nan, np.inf, -np.inf
    names: dict[str, list[str | None]] = {"x": ["a", None, "b"]}
    assert packed(host, outputs, names, ("a", "b"), (0, 0, 19, 5))[1] == 3
    cuts = np.zeros(2, np.float32)
    assert packed(host, outputs, names, ("a", "b"), (0, 0, 19, 5), cuts)[1] == 3


def test_what_cannot_be_packed_is_refused() -> None:
    to = Packed(0, 0, 0, 0)
    with pytest.raises(ValueError, match=r"window: expected one inside 8x4, got \(0, 0, 9, 4\)"):
        pack(Scores(0, np.dtype(np.float32), 2, 4, 8), (0, 0, 9, 4), to)
    with pytest.raises(ValueError, match="dtype: expected float32, float16, got int32"):
        pack(Scores(0, np.dtype(np.int32), 2, 4, 8), (0, 0, 8, 4), to)
