"""One call at a time through an engine: a stream, buffers that grow, contexts and graphs."""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.runtimes import RefusedError, Tensors
from engines.runtimes.tensorrt.cuda import (
    Cuda,
    CudaError,
    DeviceMemory,
    Graph,
    PinnedMemory,
    Stream,
)
from engines.runtimes.tensorrt.engine import Engine, Shape

log = logging.getLogger(__name__)

_SHAPES_KEPT = 16  # contexts and graphs of a lane, least recently used go first


@dataclass(slots=True)
class _Buffer:
    """A tensor on either side."""

    host: PinnedMemory
    device: DeviceMemory

    def free(self) -> None:
        self.host.free()
        self.device.free()


@dataclass(slots=True)
class _Prepared:
    """A context made ready for inputs of one shape each.

    A recorded graph holds the context's state, so a context that has one is not changed again
    (NVIDIA's developer guide: one context per captured graph).
    """

    context: Any
    shapes: dict[str, Shape] = field(default_factory=dict)
    graph: Graph | None = None
    ran: bool = False
    records: bool = True

    def drop_graph(self) -> None:
        if self.graph is not None:
            self.graph.free()
            self.graph = None


class Lane:
    """The buffers and stream of one call at a time.

    The first call with some shapes runs as it is, since TensorRT allocates in it; the second is
    recorded as a CUDA graph, copies included, and it and all later ones are one launch each.
    TensorRT-RTX records by itself, so there is one context and no graph here.
    """

    def __init__(self, engine: Engine, cuda: Cuda) -> None:
        self._engine, self._cuda = engine, cuda
        self._is_rtx = engine.library.is_rtx
        self._scratch = None if self._is_rtx else DeviceMemory(cuda, engine.scratch_bytes)
        try:
            self._stream = Stream(cuda)
        except CudaError:
            if self._scratch is not None:
                self._scratch.free()
            raise
        self._buffers: dict[str, _Buffer] = {}
        self._prepared: OrderedDict[tuple[Shape, ...], _Prepared] = OrderedDict()
        self._spare: list[Any] = []

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, in arrays of its own.

        Raises:
            RuntimeError: the library or CUDA refuses; the lane can be used again unless it says
                otherwise.
        """
        ready = self._ready({name: feeds[name].shape for name in self._engine.inputs})
        for name, info in self._engine.inputs.items():
            self._buffers[name].host.view(ready.shapes[name], info.dtype)[...] = feeds[name]
        with self._engine.library.heard() as messages:
            try:
                self._execute(ready)
                self._stream.synchronize()
            except RuntimeError as error:
                self._drain()
                said = "; ".join((str(error), *messages))
                raise RuntimeError(f"{self._engine.path}: {said}") from error
        return {
            name: self._buffers[name].host.view(ready.shapes[name], info.dtype).copy()
            for name, info in self._engine.outputs.items()
        }

    def close(self) -> None:
        """Frees all of it."""
        self._forget_addresses()
        self._spare.clear()
        for buffer in self._buffers.values():
            buffer.free()
        self._buffers.clear()
        if self._scratch is not None:
            self._scratch.free()
        self._stream.close()

    def _drain(self) -> None:
        """After an error: what was queued before it still uses the buffers."""
        with contextlib.suppress(CudaError):  # it has been told
            self._stream.synchronize()

    def _execute(self, ready: _Prepared) -> None:
        if ready.graph is None and ready.ran and ready.records and not self._is_rtx:
            self._record(ready)
        if ready.graph is not None:
            self._stream.launch(ready.graph)
        else:
            self._enqueue(ready)
            ready.ran = True

    def _record(self, ready: _Prepared) -> None:
        try:
            ready.graph = self._stream.capture(lambda: self._enqueue(ready))
        except RuntimeError as error:
            ready.records = False
            log.warning("%s: runs without CUDA graphs: %s", self._engine.path, error)

    def _enqueue(self, ready: _Prepared) -> None:
        for name in self._engine.inputs:
            buffer = self._buffers[name]
            self._stream.upload(buffer.host, buffer.device, self._size(name, ready.shapes[name]))
        if not ready.context.execute_async_v3(self._stream.handle):
            raise RuntimeError("execute_async_v3 failed")
        for name in self._engine.outputs:
            buffer = self._buffers[name]
            self._stream.download(buffer.device, buffer.host, self._size(name, ready.shapes[name]))

    def _ready(self, inputs: Mapping[str, Shape]) -> _Prepared:
        key = tuple(inputs.values())
        if key in self._prepared:
            self._prepared.move_to_end(key)
            return self._prepared[key]
        ready = _Prepared(self._take_context())
        try:
            self._shape(ready, inputs)
            self._grow(ready.shapes)
            for name, buffer in self._buffers.items():
                if not ready.context.set_tensor_address(name, buffer.device.pointer):
                    raise RuntimeError(f"{self._engine.path}: refuses the memory for {name}")
        except BaseException:
            self._spare.append(ready.context)
            raise
        self._prepared[key] = ready
        return ready

    def _take_context(self) -> Any:
        """A context that no graph holds."""
        kept = 1 if self._is_rtx else _SHAPES_KEPT
        while len(self._prepared) >= kept:
            _, oldest = self._prepared.popitem(last=False)
            oldest.drop_graph()
            self._spare.append(oldest.context)
        if self._spare:
            return self._spare.pop()
        context = self._engine.context()
        if self._scratch is not None:
            context.set_device_memory(self._scratch.pointer, self._scratch.capacity)
        return context

    def _shape(self, ready: _Prepared, inputs: Mapping[str, Shape]) -> None:
        with self._engine.library.heard() as messages:
            for name, shape in inputs.items():
                if not ready.context.set_input_shape(name, shape):
                    raise RuntimeError(
                        f"{self._engine.path}: refuses {name} {shape}: {'; '.join(messages)}"
                    )
        ready.shapes = dict(inputs)
        for name in self._engine.outputs:
            shape = tuple(int(axis) for axis in ready.context.get_tensor_shape(name))
            if min(shape, default=0) < 0:
                raise RefusedError(
                    f"{self._engine.path}: the size of {name} depends on the data; "
                    "end the graph at boxes + scores, before what selects"
                )
            ready.shapes[name] = shape

    def _grow(self, shapes: Mapping[str, Shape]) -> None:
        """Makes every buffer large enough."""
        for name, shape in shapes.items():
            size, old = self._size(name, shape), self._buffers.get(name)
            if old is None or old.device.capacity < size:
                self._forget_addresses()
                if old is not None:
                    del self._buffers[name]
                    old.free()
                self._buffers[name] = self._buffer(size)

    def _buffer(self, size: int) -> _Buffer:
        host = PinnedMemory(self._cuda, size)
        try:
            return _Buffer(host, DeviceMemory(self._cuda, size))
        except CudaError:
            host.free()
            raise

    def _forget_addresses(self) -> None:
        """Before memory moves: graphs go, and their contexts are made ready again when needed."""
        for prepared in self._prepared.values():
            prepared.drop_graph()
            self._spare.append(prepared.context)
        self._prepared.clear()

    def _size(self, name: str, shape: Shape) -> int:
        info = self._engine.inputs.get(name) or self._engine.outputs[name]
        return int(np.prod(shape, dtype=np.int64)) * info.dtype.itemsize
