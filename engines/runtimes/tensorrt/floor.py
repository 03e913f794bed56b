"""The bare loop: an engine as fast as its library runs it, with nothing of ours around.

What ``trtexec`` measures: inputs that are there already, a launch and a wait per call, one stream
and context for each lane. What a session reaches of it is what our runtime leaves over.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from engines.runtimes import RefusedError
from engines.runtimes.tensorrt.cuda import (
    Cuda,
    CudaError,
    DeviceMemory,
    Graph,
    PinnedMemory,
    Stream,
)
from engines.runtimes.tensorrt.engine import Engine, Shape
from engines.runtimes.tensorrt.library import Library
from engines.runtimes.tensorrt.library import library as library_of
from engines.runtimes.tensorrt.plan import check_plan, read_plan

_WARM_UP = 3  # calls: the first allocates, the second is recorded
_MOST = {"f": 1, "u": 256}  # of the noise that inputs are, by kind of number


@dataclass(frozen=True, slots=True)
class Floor:
    """What the bare loop reached.

    Attributes:
        pictures_per_s: images through the engine.
        ms: of a call from launch to done, in the median, which beside others includes their turn.
        p99_ms: the same, of the slowest but for one in a hundred.
        batch: images of a call.
        lanes: streams at once.
        copies: inputs and outputs cross the bus in each call.
        graphs: each call is the launch of one CUDA graph.
        calls: that were measured.
        seconds: that they took.
    """

    pictures_per_s: float
    ms: float
    p99_ms: float
    batch: int
    lanes: int
    copies: bool
    graphs: bool
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """What is measured.

    Attributes:
        batch: images of a call; None for what the engine was made fast for.
        lanes: streams at once.
        seconds: how long; with 0 each lane runs once.
        copies: let inputs and outputs cross the bus in each call.

    Raises:
        ValueError: naming key, value and what was expected.
    """

    batch: int | None = None
    lanes: int = 2
    seconds: float = 3.0
    copies: bool = True

    def __post_init__(self) -> None:
        if self.batch is not None and self.batch < 1:
            raise ValueError(f"batch: expected 1 or more, got {self.batch}")
        if not 1 <= self.lanes <= 16:
            raise ValueError(f"lanes: expected 1 to 16, got {self.lanes}")
        if not 0 <= self.seconds <= 3600:
            raise ValueError(f"seconds: expected 0 to 3600, got {self.seconds}")


def measure_floor(
    path: Path,
    runtime: str = "tensorrt",
    load: Load = Load(),
    library: Library | None = None,
    cuda: Cuda | None = None,
) -> Floor:
    """Run an engine bare and return how fast that was.

    Args:
        path: the engine's file.
        runtime: ``tensorrt``, ``tensorrt-lean`` or ``tensorrt-rtx``.
        load: what is measured.
        library: of that runtime; None for the one installed.
        cuda: CUDA; None for the one here.

    Raises:
        ImportError: the library or cuda-bindings are not installed; names the extra.
        RefusedError: the file is no engine, damaged, or for another version or GPU.
        RuntimeError: there is no GPU or driver, its memory is full, or it fails.
        ValueError: the engine takes no such batch.
    """
    library = library or library_of(runtime)
    cuda = cuda or Cuda()
    plan = read_plan(path)
    check_plan(plan, path, library.runtime, library.version)
    engine = Engine(library, path, plan, cuda.gpu())
    shapes = _shapes(engine, load.batch)
    with library.heard() as messages:
        try:
            took, seconds, graphs = _measured(engine, cuda, shapes, load)
        except RefusedError:
            raise
        except RuntimeError as error:
            raise RuntimeError("; ".join((f"{path}: {error}", *messages))) from error
    batch = min((shape[0] for shape in shapes.values() if shape), default=1)
    return Floor(
        pictures_per_s=len(took) * batch / seconds,
        ms=1000 * median(took),
        p99_ms=1000 * float(np.percentile(took, 99)),
        batch=batch,
        lanes=load.lanes,
        copies=load.copies,
        graphs=graphs,
        calls=len(took),
        seconds=seconds,
    )


def _measured(
    engine: Engine, cuda: Cuda, shapes: dict[str, Shape], load: Load
) -> tuple[list[float], float, bool]:
    """Return the seconds of each call, those of all together, and whether graphs were launched."""
    ways: list[_Way] = []
    try:
        for _ in range(load.lanes):
            ways.append(_Way(engine, cuda, shapes, load.copies))  # noqa: PERF401 closed one by one
        for way in ways:
            way.warm_up()
        took, seconds = _loop(ways, load.seconds)
        return took, seconds, engine.library.is_rtx or all(way.has_graph for way in ways)
    finally:
        for way in ways:
            way.close()


def _shapes(engine: Engine, batch: int | None) -> dict[str, Shape]:
    shapes = {}
    for name, profile in engine.profiles.items():
        shape = profile.likeliest if batch is None else (batch, *profile.likeliest[1:])
        if not profile.holds(shape):
            raise ValueError(f"batch: input {name} takes {profile}, got {shape}")
        shapes[name] = shape
    return shapes


def _loop(ways: list[_Way], seconds: float) -> tuple[list[float], float]:
    """Return the seconds of each call, and of all: a lane gets its next call at once."""
    took: list[float] = []
    begun = time.perf_counter()
    busy: deque[tuple[_Way, float]] = deque()
    for way in ways:
        busy.append((way, time.perf_counter()))
        way.launch()
    while busy:
        way, launched = busy.popleft()
        way.wait()
        now = time.perf_counter()
        took.append(now - launched)
        if now - begun < seconds:
            busy.append((way, now))
            way.launch()
    return took, max(time.perf_counter() - begun, 1e-9)


class _Way:
    """A stream with a context, buffers and, on TensorRT, a recorded graph of its own."""

    def __init__(self, engine: Engine, cuda: Cuda, shapes: dict[str, Shape], copies: bool) -> None:
        self._engine, self._cuda, self._copies = engine, cuda, copies
        self._host: dict[str, PinnedMemory] = {}
        self._device: dict[str, DeviceMemory] = {}
        self._scratch: DeviceMemory | None = None
        self._stream: Stream | None = None
        self._graph: Graph | None = None
        self._context: Any = None
        try:
            self._stream = Stream(cuda)
            self._context = engine.context()
            if not engine.library.is_rtx:
                self._scratch = DeviceMemory(cuda, engine.scratch_bytes)
                self._context.set_device_memory(self._scratch.pointer, self._scratch.capacity)
            self._place(shapes)
        except BaseException:
            self.close()
            raise

    @property
    def has_graph(self) -> bool:
        """Whether a call is one launch."""
        return self._graph is not None

    def warm_up(self) -> None:
        """Bring the inputs to the GPU, and do once what is done in the first calls only."""
        for name in self._engine.inputs:
            self._queue.upload(self._host[name], self._device[name], self._host[name].capacity)
        for call in range(_WARM_UP):
            if call == 1 and not self._engine.library.is_rtx:
                try:
                    self._graph = self._queue.capture(self._enqueue)
                except RuntimeError:  # told by Floor.graphs: some engines allocate in each call
                    self._graph = None
            self.launch()
            self.wait()

    def launch(self) -> None:
        """Queue a call."""
        if self._graph is None:
            self._enqueue()
        else:
            self._queue.launch(self._graph)

    def wait(self) -> None:
        """Wait until all calls are done."""
        self._queue.synchronize()

    def close(self) -> None:
        """Give everything back."""
        if self._stream is not None:
            with suppress(CudaError):  # what failed is told by whoever waited for it
                self._stream.synchronize()
        if self._graph is not None:
            self._graph.free()
        self._context = None
        for host in self._host.values():
            host.free()
        for device in self._device.values():
            device.free()
        if self._scratch is not None:
            self._scratch.free()
        if self._stream is not None:
            self._stream.close()

    @property
    def _queue(self) -> Stream:
        assert self._stream is not None
        return self._stream

    def _place(self, shapes: dict[str, Shape]) -> None:
        """Give each tensor its memory; inputs are noise, on which a GPU works as on images."""
        noise = np.random.default_rng(0)
        for name, shape in shapes.items():
            if not self._context.set_input_shape(name, shape):
                raise RuntimeError(f"refuses {name} {shape}")
        for name, info in {**self._engine.inputs, **self._engine.outputs}.items():
            shape = shapes.get(name) or tuple(map(int, self._context.get_tensor_shape(name)))
            if min(shape, default=0) < 0:
                raise RefusedError(f"{self._engine.path}: the size of {name} depends on the data")
            size = int(np.prod(shape, dtype=np.int64)) * info.dtype.itemsize
            self._host[name] = PinnedMemory(self._cuda, size)
            self._device[name] = DeviceMemory(self._cuda, size)
            if name in shapes:
                most = _MOST.get(info.dtype.kind, 2)
                values = (noise.random(shape) * most).astype(info.dtype)
                self._host[name].view(shape, info.dtype)[...] = values
            if not self._context.set_tensor_address(name, self._device[name].pointer):
                raise RuntimeError(f"refuses the memory for {name}")

    def _enqueue(self) -> None:
        if self._copies:
            for name in self._engine.inputs:
                self._queue.upload(self._host[name], self._device[name], self._host[name].capacity)
        if not self._context.execute_async_v3(self._queue.handle):
            raise RuntimeError("execute_async_v3 failed")
        if self._copies:
            for name in self._engine.outputs:
                self._queue.download(
                    self._device[name], self._host[name], self._host[name].capacity
                )
