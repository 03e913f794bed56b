"""Frames in a GPU's memory: what a model and a stage get of them is what they get of planes here.

The kernel is compiled for the processor here; the host's own way is the reference.
"""

from __future__ import annotations

import inspect
import platform
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from gi.repository import Gst
from numpy.typing import NDArray

from engines.cuda import launching
from engines.cuda.compiling import Compiler
from engines.cuda.fill import FILL, Planes, fill, fill_region, slot_of, slot_of_region
from engines.cuda.launching import Kernels
from engines.cuda.view import Viewer
from engines.manifest import Input
from engines.placement import Size
from engines.preprocess import Preprocessor, arithmetic
from engines.runtimes.tensorrt.cuda import Cuda, CudaError
from plugins.colour.layout import Layout
from plugins.colour.planes import on_gpu
from plugins.frame import Converted, DeviceFrame, Frame, PlanarFrame
from tests.support.host_kernels import Host, built
from tests.support.patches import WEIGHTS

NUMBERS = {"bt709": 3, "bt601": 4, "bt2020": 6}  # GstVideoColorMatrix
COLOURS = list(product(WEIGHTS, (False, True)))
# Odd, even, one pixel high; to sizes that are larger, smaller, the same and odd.
SIZES = [(64, 48), (65, 49), (97, 33), (320, 180), (40, 1), (2, 2)]
FLOAT = np.dtype(np.float32)


@pytest.fixture(scope="module")
def host() -> Host:
    return built()


class Noise:
    """A frame of samples of every level, as the host has it (I420) and as a GPU has it (NV12).

    Args:
        size: width and height.
        weights: of the matrix, by name.
        full: its range.
        padding: samples behind the rows of the GPU's.
        bits: of a sample; more than 8 are I420_10LE or I420_12LE here and P010 or P012 there.
    """

    def __init__(
        self, size: Size, weights: str, full: bool, padding: int = 11, bits: int = 8
    ) -> None:
        width, height = size
        halved = -(-width // 2), -(-height // 2)
        rng = np.random.default_rng(width * 1000 + height)
        # Below 16 the host's two ways to convert BT.601 differ, and that of odd sizes is another.
        is_odd = bool(width % 2 or height % 2)
        least = 16 if (weights, full, bits) == ("bt601", False, 8) and is_odd else 0
        kind = np.uint8 if bits == 8 else np.uint16
        self.luma = rng.integers(least, 1 << bits, (height, width), kind)
        self.u, self.v = (rng.integers(0, 1 << bits, halved[::-1], kind) for _ in range(2))
        pitch, up = width + width % 2 + padding, 0 if bits == 8 else 16 - bits
        self.rows = np.full((height + halved[1], pitch), 0xEE, kind)
        self.rows[:height, :width] = self.luma << up
        self.rows[height:, : 2 * halved[0] : 2] = self.u << up
        self.rows[height:, 1 : 2 * halved[0] : 2] = self.v << up
        self.size, self.bits = size, bits
        self.colours = on_gpu(WEIGHTS[weights], full, bits)
        span = 1 if full else 2
        self._format = "I420" if bits == 8 else f"I420_{bits}LE"
        self._caps = f"colorimetry={span}:{NUMBERS[weights]}:0:0"

    def planes(self, address: int | None = None) -> Planes:
        """Return where the GPU has it; None for where it is here."""
        start = self.rows.ctypes.data if address is None else address
        pitch = self.rows.strides[0]
        chroma = start + self.size[1] * pitch
        return Planes.nv12(self.size, start, chroma, pitch, self.colours, self.bits)

    def here(self, part: tuple[int, int, int, int] | None = None) -> PlanarFrame:
        """Return it, or left, top, width, height of it, as the frame of a buffer."""
        left, top, width, height = part or (0, 0, *self.size)
        shape = f"video/x-raw,format={self._format},width={width},height={height}"
        layout = Layout(Gst.Caps.from_string(f"{shape},{self._caps}"))
        rows, columns = -(-height // 2), -(-width // 2)
        found = [self.luma[top : top + height, left : left + width]]
        down, across = slice(top // 2, top // 2 + rows), slice(left // 2, left // 2 + columns)
        found += [plane[down, across] for plane in (self.u, self.v)]
        planes = [np.ascontiguousarray(plane) for plane in found]
        return PlanarFrame(layout, lambda: planes, 7, Converted())


def on_host(frame: Frame, spec: Input, dtype: Any) -> NDArray[Any]:
    return Preprocessor(spec, np.dtype(dtype)).frame(frame)[0]


def by_kernel(host: Host, planes: Planes, spec: Input, dtype: Any) -> NDArray[Any]:
    """Return the middle one of three slots; the others stay as they are."""
    kind = np.dtype(dtype)
    slot, _ = slot_of(spec, kind, planes.size, 0)
    axes = (slot.size[1], slot.size[0], spec.channels)
    shape = axes if spec.layout == "nhwc" else (axes[2], *axes[:2])
    batch = np.full((3, *shape), 99, kind)
    address = batch[1:].ctypes.data
    host.run(fill(planes, slot_of(spec, kind, planes.size, address)[0]))
    assert (batch[[0, 2]] == 99).all()
    return batch[1:2]


def levels_apart(one: NDArray[Any], other: NDArray[Any], spec: Input) -> float:
    """Return the largest difference in levels of 0 to 255."""
    return float(all_apart(one, other, spec).max())


def all_apart(one: NDArray[Any], other: NDArray[Any], spec: Input) -> NDArray[np.float64]:
    """Return the difference of each value in levels."""
    gain, _ = arithmetic(spec, FLOAT)
    apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
    shape = (-1, 1, 1) if spec.layout == "nchw" else (-1,)
    found: NDArray[np.float64] = apart[0] / gain.reshape(shape)
    return found


def spec_of(**keys: Any) -> Input:
    return Input.model_validate({"name": "x", "size": (48, 40), **keys})


@pytest.mark.slow
def test_the_structure_is_that_of_the_kernel(host: Host) -> None:
    assert host.size_of(0) == FILL.itemsize


@pytest.mark.parametrize(("weights", "full"), COLOURS)
@pytest.mark.parametrize("size", SIZES)
def test_a_slot_is_what_the_host_makes(host: Host, size: Size, weights: str, full: bool) -> None:
    noise = Noise(size, weights, full)
    for resize, shape in product(
        ("stretch", "letterbox-centre", "letterbox-top-left"), ((48, 40), (131, 97), size)
    ):
        if min(shape) < 8:
            continue
        spec = spec_of(size=shape, resize=resize)
        expected = on_host(noise.here(), spec, FLOAT)
        found = by_kernel(host, noise.planes(), spec, FLOAT)
        assert levels_apart(found, expected, spec) <= 1, (resize, shape)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(48, 40), (131, 97), (32, 24), (160, 90)])
def test_planes_are_scaled_as_opencv_does(host: Host, size: Size, shape: Size) -> None:
    """Grey of full range has the levels of its luma; on ARM OpenCV has arithmetic of its own."""
    noise = Noise(size, "bt601", True)
    noise.rows[size[1] :] = 128
    found = by_kernel(host, noise.planes(), spec_of(size=shape, layout="nhwc"), np.uint8)[0]
    expected = cv2.resize(noise.luma, shape, interpolation=cv2.INTER_LINEAR)
    apart = np.abs(found.astype(int) - expected[..., None])
    assert apart.max() <= (0 if platform.machine() == "x86_64" else 1)


@pytest.mark.parametrize(("weights", "full"), COLOURS)
@pytest.mark.parametrize("bits", [10, 12])
def test_more_than_8_bits(host: Host, bits: int, weights: str, full: bool) -> None:
    """OpenCV rounds one of 40 samples of 16 bits the other way, by one of their own steps."""
    for size, shape in product(((64, 48), (97, 33)), ((48, 40), (131, 97), (32, 24))):
        noise, spec = Noise(size, weights, full, bits=bits), spec_of(size=shape, resize="stretch")
        expected = on_host(noise.here(), spec, FLOAT)
        apart = all_apart(by_kernel(host, noise.planes(), spec, FLOAT), expected, spec)
        assert apart.max() <= 2, (size, shape)
        assert np.mean(apart > 1) < 0.005, (size, shape)
    part, spec = (2, 4, 33, 21), spec_of(size=(33, 21), resize="stretch")
    found = by_kernel(host, noise.planes().part(*part), spec, FLOAT)
    assert levels_apart(found, on_host(noise.here(part), spec, FLOAT), spec) <= 1
    region = (-7.3, -20.1, 90.2, 31.7)
    expected, _ = Preprocessor(spec, FLOAT).region(noise.here().pixels, region)
    tensor = np.zeros((1, 3, 21, 33), np.float32)
    slot, _ = slot_of_region(spec, FLOAT, noise.size, region, tensor.ctypes.data)
    host.run(fill_region(noise.planes(), slot, region))
    apart = all_apart(tensor, expected, spec)
    assert apart.max() < 2.001
    assert np.mean(apart > 1.001) < 0.001


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.int32])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colour", ["rgb", "bgr", "grey"])
def test_every_kind_of_tensor(host: Host, dtype: Any, layout: str, colour: str) -> None:
    noise = Noise((97, 33), "bt709", False)
    keys: dict[str, Any] = {"layout": layout, "colour": colour, "resize": "letterbox-centre"}
    is_float = np.dtype(dtype).kind == "f"
    if is_float:
        one = colour == "grey"
        keys |= {"scale": 1 / 255, "mean": 0.5 if one else (0.485, 0.456, 0.406)}
        keys |= {"std": 0.25 if one else (0.229, 0.224, 0.225)}
    spec = spec_of(**keys)
    expected, found = (
        on_host(noise.here(), spec, dtype),
        by_kernel(host, noise.planes(), spec, dtype),
    )
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    # What a type keeps of a value of 2 is a part of a level; the host rounds its product besides.
    assert levels_apart(found, expected, spec) <= 1 + 128 * (
        2 * np.finfo(dtype).eps if is_float else 0
    )
    assert np.mean(found == expected) > 0.5


def test_sizes_that_follow_the_image_and_networks_that_resize_themselves(host: Host) -> None:
    noise = Noise((97, 33), "bt601", False)
    for keys in ({"multiple": 8, "resize": "letterbox-top-left"}, {"frame": (64, 56)}):
        spec = spec_of(**keys)
        found = by_kernel(host, noise.planes(), spec, FLOAT)
        assert levels_apart(found, on_host(noise.here(), spec, FLOAT), spec) <= 1


@pytest.mark.parametrize("part", [(0, 0, 64, 48), (2, 4, 33, 21), (62, 46, 2, 2), (10, 0, 1, 47)])
def test_a_part_is_a_frame_of_its_own(host: Host, part: tuple[int, int, int, int]) -> None:
    noise, spec = Noise((64, 48), "bt709", False), spec_of(resize="letterbox-centre")
    found = by_kernel(host, noise.planes().part(*part), spec, FLOAT)
    assert levels_apart(found, on_host(noise.here(part), spec, FLOAT), spec) <= 1


REGIONS = [(20.0, 10.0, 60.0, 40.0), (-7.3, -20.1, 90.2, 31.7), (50.5, 40.25, 97.0, 70.0)]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("size", [(64, 48), (97, 33)])
@pytest.mark.parametrize(("weights", "full"), COLOURS)
def test_a_region_is_what_the_host_makes(
    host: Host, weights: str, full: bool, size: Size, region: tuple[float, float, float, float]
) -> None:
    noise, spec = Noise(size, weights, full), spec_of(scale=1 / 255, mean=0.5, std=0.25)
    expected, at = Preprocessor(spec, FLOAT).region(noise.here().pixels, region)
    tensor = np.full((1, 3, 40, 48), 99, np.float32)
    address = tensor.ctypes.data
    slot, place = slot_of_region(spec, FLOAT, size, region, address)
    assert place == at
    host.run(fill_region(noise.planes(), slot, region))
    # Of pixels that differ by 1 all four may, and their mean lie between two levels.
    apart = all_apart(tensor, expected, spec)
    assert apart.max() < 2.001
    assert np.mean(apart > 1.001) < 0.001


def test_no_region_for_networks_that_resize_themselves() -> None:
    with pytest.raises(ValueError, match=r"input.frame: expected none to run on crops"):
        slot_of_region(spec_of(frame=(64, 56)), FLOAT, (64, 48), (0, 0, 8, 8), 0)


@pytest.mark.parametrize("part", [(1, 0, 4, 4), (0, 0, 65, 4), (0, 46, 4, 3), (-2, 0, 4, 4)])
def test_a_part_beyond_the_frame_is_refused(part: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="part: expected "):
        Noise((64, 48), "bt709", False).planes().part(*part)


def test_the_order_of_threads_does_not_matter(host: Host) -> None:
    noise, spec = Noise((97, 33), "bt709", False), spec_of(resize="letterbox-centre")
    found = []
    for backwards in (False, True):
        tensor = np.zeros((3, 40, 48), np.float32)
        slot, _ = slot_of(spec, FLOAT, noise.size, tensor.ctypes.data)
        host.run(fill(noise.planes(), slot), backwards)
        found.append(tensor)
    assert np.array_equal(found[0], found[1])


class Gpu:
    """A GPU whose memory is the host's and whose kernels are those of the processor."""

    def __init__(self, host: Host) -> None:
        # Here, as both need cuda-bindings, without which the kernels above are tested still.
        from tests.support.simulated_cuda import SimulatedCuda
        from tests.support.simulated_driver import SimulatedDriver

        self.memory = SimulatedCuda()
        self.driver = SimulatedDriver(self.memory, host)
        self.cuda = Cuda(self.memory)


@pytest.fixture
def gpu(host: Host, kernel_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gpu]:
    monkeypatch.setenv("MIRANTE_HOME", str(kernel_home))
    try:
        Compiler()
    except ImportError as error:
        pytest.skip(str(error))
    made = Gpu(host)
    yield made
    assert made.memory.faults == []
    assert made.memory.open() == {}
    assert made.driver.modules == 0


def test_pixels_come_to_the_host_once_and_only_when_asked_for(gpu: Gpu) -> None:
    from engines.runtimes.tensorrt.cuda import DeviceMemory, PinnedMemory, Stream

    noise = Noise((97, 33), "bt709", False)
    size = noise.rows.nbytes
    there, sent, stream = (
        DeviceMemory(gpu.cuda, size),
        PinnedMemory(gpu.cuda, size),
        Stream(gpu.cuda),
    )
    sent.view((size,), np.dtype(np.uint8))[:] = noise.rows.reshape(-1)
    stream.upload(sent, there, size)
    stream.synchronize()
    kernels = Kernels(gpu.cuda, gpu.driver)
    viewer, converted = Viewer(gpu.cuda, kernels), Converted()
    planes = noise.planes(there.pointer)
    one, other = (DeviceFrame(planes, viewer, 7, converted) for _ in range(2))
    assert (one.memory, Frame(np.zeros((1, 1, 3), np.uint8)).memory) == ("cuda", "host")
    assert one.size == (97, 33)
    assert gpu.driver.ran == []
    pixels = one.pixels
    assert other.pixels is pixels
    assert gpu.driver.ran == ["fill_slot"]
    assert np.abs(pixels.astype(int) - noise.here().pixels.astype(int)).max() <= 1
    with pytest.raises(ValueError, match="read-only"):
        pixels[:] = 1
    assert np.array_equal(one.crop((5, 6, 20, 30), one.size), pixels[6:30, 5:20])
    assert gpu.driver.ran == ["fill_slot"] * 2, "the part was made of the whole, at its own size"
    # A model without device tensors gets an image of its own size, and the whole stays there.
    spec = spec_of(resize="letterbox-centre")
    fresh = DeviceFrame(planes, viewer, 8, converted)
    tensor = on_host(fresh, spec, FLOAT)
    assert levels_apart(tensor, on_host(noise.here(), spec, FLOAT), spec) <= 1
    assert gpu.driver.ran == ["fill_slot"] * 3
    assert np.array_equal(one.pixels, pixels)  # not those of the smaller one
    viewer.close()
    kernels.close()
    for memory in (there, sent):
        memory.free()
    stream.close()


def test_what_the_driver_refuses_is_told_and_given_back(gpu: Gpu) -> None:
    code = gpu.driver.CUresult
    gpu.driver.refuse["cuModuleLoadData"] = code.CUDA_ERROR_NO_BINARY_FOR_GPU
    with pytest.raises(CudaError, match=r"CUDA was asked to load kernels: .*NO_BINARY_FOR_GPU"):
        Kernels(gpu.cuda, gpu.driver)
    gpu.driver.refuse.clear()
    kernels = Kernels(gpu.cuda, gpu.driver)
    gpu.memory.refuse["cudaMallocHost"] = gpu.memory.cudaError_t.cudaErrorMemoryAllocation
    viewer = Viewer(gpu.cuda, kernels)
    with pytest.raises(CudaError, match="the memory is full"):
        viewer.rgb(Noise((8, 8), "bt709", False).planes(), (8, 8))
    viewer.close()
    kernels.close()


def test_the_simulation_takes_what_the_bindings_take(gpu: Gpu) -> None:
    """Of the driver itself no call can be tried: its library comes with the driver alone."""
    driver = pytest.importorskip("cuda.bindings.driver")
    said = Path(launching.__file__).read_text()
    called = set(re.findall(r'"(cu[A-Z]\w+)"', said)) | {"cuGetErrorString"}
    counts = {name: len(inspect.signature(getattr(driver, name)).parameters) for name in called}
    assert counts == {
        "cuModuleLoadData": 1,
        "cuModuleGetFunction": 2,
        "cuLaunchKernel": 11,
        "cuGraphExecKernelNodeSetParams": 3,
        "cuInit": 1,
        "cuModuleUnload": 1,
        "cuGetErrorString": 1,
    }
    assert called <= {name for name in dir(gpu.driver) if name.startswith("cu")}
