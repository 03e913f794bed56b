"""The calls of CUDA: each error in words, and recordings that do not leave a stream unusable."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from engines.runtimes.tensorrt import cuda
from engines.runtimes.tensorrt.cuda import (
    Cuda,
    CudaError,
    DeviceMemory,
    Event,
    PinnedMemory,
    Rows,
    Stream,
)
from tests.support.simulated_cuda import Code, SimulatedCuda, real

F32, U8 = np.dtype(np.float32), np.dtype(np.uint8)


@pytest.fixture
def gpu() -> SimulatedCuda:
    return SimulatedCuda()


def test_copies_there_and_back(gpu: SimulatedCuda) -> None:
    here = Cuda(gpu)
    sent, got, there = PinnedMemory(here, 24), PinnedMemory(here, 24), DeviceMemory(here, 24)
    stream = Stream(here)
    sent.view((2, 3), F32)[...] = [[1, 2, 3], [4, 5, 6]]
    stream.upload(sent, there, 24)
    stream.download(there, got, 24)
    assert got.view((6,), F32)[0] != 1  # not yet
    stream.synchronize()
    assert got.view((2, 3), F32).tolist() == [[1, 2, 3], [4, 5, 6]]
    for thing in (sent, got, there):
        thing.free()
    stream.close()
    assert gpu.open() == {}


def test_a_graph_replays_with_its_addresses(gpu: SimulatedCuda) -> None:
    here = Cuda(gpu)
    sent, got, there = PinnedMemory(here, 4), PinnedMemory(here, 4), DeviceMemory(here, 4)
    stream = Stream(here)

    def work() -> None:
        stream.upload(sent, there, 4)
        stream.download(there, got, 4)

    graph = stream.capture(work)
    for value in (3.0, 4.0):
        sent.view((1,), F32)[0] = value
        stream.launch(graph)
        stream.synchronize()
        assert got.view((1,), F32)[0] == value
    there.free()
    stream.launch(graph)
    with pytest.raises(CudaError, match="must be started again"):
        stream.synchronize()
    graph.free()
    assert gpu.open() == {"host": 2, "streams": 1}


def test_a_part_of_each_row_is_copied(gpu: SimulatedCuda) -> None:
    here = Cuda(gpu)
    sent, got, there = PinnedMemory(here, 24), PinnedMemory(here, 24), DeviceMemory(here, 24)
    stream = Stream(here)
    sent.view((24,), U8)[:], got.view((24,), U8)[:] = range(24), 99
    stream.upload(sent, there, 24)
    stream.download_rows(there, got, Rows(first=2, length=3, apart=8, count=2))
    stream.synchronize()
    assert got.view((3, 8), U8).tolist() == [
        [99, 99, 2, 3, 4, 99, 99, 99],
        [99, 99, 10, 11, 12, 99, 99, 99],
        [99] * 8,
    ]
    for thing in (sent, got, there):
        thing.free()
    stream.close()
    assert gpu.open() == {}


def test_events_order_streams_and_tell_times(gpu: SimulatedCuda) -> None:
    here = Cuda(gpu)
    there, got = DeviceMemory(here, 4), PinnedMemory(here, 4)
    first, second = Stream(here), Stream(here)
    start, end = (Event(here, timed=True) for _ in range(2))
    start.record(first)
    first.clear(there, 4)
    end.record(first)
    second.wait(end.handle)  # or it would read what is not written yet
    end.wait()
    second.download(there, got, 4)
    second.synchronize()
    assert got.view((4,), U8).tolist() == [0] * 4
    assert end.ms_since(start) >= 0
    for each in (start, end, first, second):
        each.close()
    for memory in (there, got):
        memory.free()
    assert gpu.open() == {}
    assert gpu.faults == []


@pytest.mark.parametrize("breaks", [True, False])
def test_a_recording_that_fails_leaves_the_stream_usable(gpu: SimulatedCuda, breaks: bool) -> None:
    here = Cuda(gpu)
    stream = Stream(here)

    def work() -> None:
        if breaks:
            DeviceMemory(here, 4)
        raise KeyError("something else")

    with pytest.raises(CudaError if breaks else KeyError):
        stream.capture(work)
    stream.synchronize()
    assert gpu.open() == {"streams": 1}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (Code.cudaErrorMemoryAllocation, "for 3.0 MiB of the GPU's memory: the memory is full"),
        (Code.cudaErrorNoDevice, "no NVIDIA GPU is here"),
        (Code.cudaErrorInvalidValue, r"invalid argument \(cudaErrorInvalidValue\)"),
    ],
)
def test_errors_are_told_in_words(gpu: SimulatedCuda, code: Code, said: str) -> None:
    gpu.refuse["cudaMalloc"] = code
    with pytest.raises(CudaError, match=said) as raised:
        DeviceMemory(Cuda(gpu), 3 << 20)
    assert raised.value.name == code.name


def test_without_a_driver_it_says_so() -> None:
    code, count = real.cudaGetDeviceCount()
    if code == Code.cudaSuccess and count:
        assert re.fullmatch(r"sm\d+", Cuda().gpu().architecture)
    else:
        with pytest.raises(CudaError, match=r"no NVIDIA (driver|GPU) is here"):
            Cuda().gpu()


def test_the_bindings_take_arguments_of_these_types() -> None:
    """Without a driver each call ends in an error code, after its arguments were converted."""
    if real.cudaGetDeviceCount()[0] != Code.cudaErrorInsufficientDriver:
        pytest.skip("a driver is here, and these addresses are none")
    stream, graph, executable = real.cudaStream_t(0), real.cudaGraph_t(0), real.cudaGraphExec_t(0)
    kind = real.cudaMemcpyKind.cudaMemcpyHostToDevice
    mode = real.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    for function, *arguments in (
        ("cudaMalloc", 16),
        ("cudaMallocHost", 16),
        ("cudaFree", 4096),
        ("cudaFreeHost", 4096),
        ("cudaStreamCreateWithFlags", real.cudaStreamNonBlocking),
        ("cudaMemcpyAsync", 4096, 8192, 16, kind, stream),
        ("cudaMemsetAsync", 4096, 0, 16, stream),
        ("cudaMemcpy2DAsync", 4096, 256, 8192, 256, 16, 2, kind, stream),
        ("cudaEventCreateWithFlags", real.cudaEventDisableTiming),
        ("cudaEventRecord", real.cudaEvent_t(0), 0),
        ("cudaEventSynchronize", real.cudaEvent_t(0)),
        ("cudaEventElapsedTime", real.cudaEvent_t(0), real.cudaEvent_t(0)),
        ("cudaEventDestroy", real.cudaEvent_t(0)),
        ("cudaStreamWaitEvent", stream, 4096, 0),
        ("cudaStreamGetCaptureInfo", stream),
        ("cudaSetDevice", 0),
        ("cudaStreamBeginCapture", stream, mode),
        ("cudaStreamEndCapture", stream),
        ("cudaGraphInstantiate", graph, 0),
        ("cudaGraphLaunch", executable, stream),
        ("cudaStreamSynchronize", stream),
        ("cudaGetDeviceProperties", 0),
    ):
        with pytest.raises(CudaError):
            Cuda().call("for nothing", function, *arguments)


def test_the_simulation_takes_what_the_bindings_take() -> None:
    functions = {name for name in vars(SimulatedCuda) if re.fullmatch(r"cuda[A-Z]\w+", name)}
    called = set(re.findall(r'"(cuda[A-Z]\w+)"', Path(cuda.__file__).read_text()))
    kinds = {"cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost"}
    called = {name for name in called if not name.startswith("cudaError")} - kinds
    assert called <= functions
    for name in functions:
        mine = getattr(SimulatedCuda, name)
        if inspect.isfunction(mine):
            theirs = inspect.signature(getattr(real, name)).parameters
            assert len(inspect.signature(mine).parameters) - 1 == len(theirs), name
    for name in cuda._HELP:
        assert hasattr(Code, name), name
