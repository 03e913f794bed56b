"""One call at a time through an engine: a stream, buffers that grow, contexts and graphs."""

from __future__ import annotations

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cuda.around import Around, Bytes, Kept, Places
from engines.cuda.launching import Kernels, Launch
from engines.runtimes import RefusedError, Tensors
from engines.runtimes.tensorrt.buffers import Blocks, Buffers, apart, block_name
from engines.runtimes.tensorrt.cuda import Cuda, CudaError, DeviceMemory, Graph, Stream
from engines.runtimes.tensorrt.engine import Engine, Shape
from engines.runtimes.tensorrt.nodes import Nodes

log = logging.getLogger(__name__)

_SHAPES_KEPT = 16  # contexts and graphs of a lane, least recently used go first


@dataclass(slots=True)
class _Prepared:
    """A context made ready for inputs of one shape each, and for one kind of work around it.

    A recorded graph holds the context's state, so a context that has one is not changed again
    (NVIDIA's developer guide: one context per captured graph).
    """

    context: Any
    shapes: dict[str, Shape] = field(default_factory=dict)
    graph: Graph | None = None
    nodes: Nodes | None = None
    ran: bool = False
    records: bool = True

    def drop_graph(self) -> None:
        if self.graph is not None:
            self.graph.free()
            self.graph = self.nodes = None


@dataclass(slots=True)
class _Call:
    """One call: the inputs that the host feeds, and what the GPU does around the network.

    ``before`` and ``after`` are the launches, known once all addresses are.
    """

    feeds: Tensors
    arounds: Sequence[Around] = ()
    kernels: Kernels | None = None
    before: list[Launch] = field(default_factory=list)
    after: list[Launch] = field(default_factory=list)

    @property
    def first(self) -> Around:
        """The work for the first image, which is of the same kind as that for all others."""
        return self.arounds[0] if self.arounds else Around()

    def launch(self, work: Launch, stream: Stream) -> None:
        assert self.kernels is not None, "there is work for kernels, and there are none"
        self.kernels.launch(work, stream)

    def shape_of(self, name: str) -> Shape:
        fill = self.first.fill
        if fill is not None and fill.name == name:
            return (len(self.arounds), *fill.shape)
        return self.feeds[name].shape


class Lane:
    """The buffers and stream of one call at a time.

    The first call with some shapes runs as it is, since TensorRT allocates in it; the second is
    recorded as a CUDA graph, copies and kernels included, and it and all later ones are one launch
    each. What kernels do for another frame is set in the graph before. TensorRT-RTX records by
    itself, so there is one context and no graph here.
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
        self._buffers = Buffers(cuda, self._forget_addresses)
        self._prepared: OrderedDict[Hashable, _Prepared] = OrderedDict()
        self._spare: list[Any] = []

    def run(self, feeds: Tensors) -> dict[str, NDArray[Any]]:
        """Every output by name, in arrays of its own.

        Raises:
            RuntimeError: the library or CUDA refuses; the lane can be used again unless it says
                otherwise.
        """
        return self._outputs(self._finish(_Call(feeds)))

    def run_around(self, feeds: Tensors, arounds: Sequence[Around], kernels: Kernels) -> list[Kept]:
        """Run a batch with work on the GPU around the network; return what came back of each image.

        Args:
            feeds: the inputs that no kernel fills.
            arounds: the work for each image; all have one key.
            kernels: loaded into the GPU.

        Raises:
            RuntimeError: as of ``run``.
        """
        call = _Call(feeds, arounds, kernels)
        ready = self._finish(call)
        if call.first.reads:
            return self._kept(arounds)
        outputs = self._outputs(ready)
        return [
            Kept(outputs={name: each[i : i + 1] for name, each in outputs.items()})
            for i in range(len(arounds))
        ]

    def close(self) -> None:
        """Frees all of it."""
        self._forget_addresses()
        self._spare.clear()
        self._buffers.free()
        if self._scratch is not None:
            self._scratch.free()
        self._stream.close()

    def _finish(self, call: _Call) -> _Prepared:
        """Bring what is fed into place, and run the call to its end."""
        self._cuda.here()
        ready = self._ready(call)
        for name, array in call.feeds.items():
            info = self._engine.inputs[name]
            self._buffers.host(name).view(ready.shapes[name], info.dtype)[...] = array
        for index, blocks in enumerate(self._blocks(call.arounds)):
            for row, around in zip(blocks.rows, call.arounds, strict=True):
                given = around.reads[index].given
                row[: len(given)] = given
        with self._engine.library.heard() as messages:
            try:
                self._aim(call, ready)
                self._execute(ready, call)
                self._stream.synchronize()
            except RuntimeError as error:
                self._drain()
                said = "; ".join((str(error), *messages))
                raise RuntimeError(f"{self._engine.path}: {said}") from error
        return ready

    def _blocks(self, arounds: Sequence[Around]) -> list[Blocks]:
        """Return the blocks of each read."""
        reads = arounds[0].reads if arounds else ()
        return [
            self._buffers.blocks(index, read.block, len(arounds))
            for index, read in enumerate(reads)
        ]

    def _aim(self, call: _Call, ready: _Prepared) -> None:
        """Say what the kernels are to do, at the addresses that there are by now."""
        for i, around in enumerate(call.arounds):
            if around.fill is not None:
                slots = self._places(around.fill.name, ready)
                call.before.append(around.fill.launch(slots.of(i)))
                if around.fill.ready is not None:  # not in the graph: it is another each time
                    self._stream.wait(around.fill.ready)
        outputs = {name: self._places(name, ready) for name in self._engine.outputs}
        for index, blocks in enumerate(self._blocks(call.arounds)):
            reads = [around.reads[index] for around in call.arounds]
            places = Places(blocks.address, blocks.apart)
            call.after += reads[0].launches(reads, outputs, places)

    def _places(self, name: str, ready: _Prepared) -> Places:
        shape = ready.shapes[name]
        images = shape[0] if shape else 1
        return Places(self._buffers.device(name).pointer, self._size(name, shape) // max(images, 1))

    def _outputs(self, ready: _Prepared) -> dict[str, NDArray[Any]]:
        return {
            name: self._buffers.host(name).view(ready.shapes[name], info.dtype).copy()
            for name, info in self._engine.outputs.items()
        }

    def _kept(self, arounds: Sequence[Around]) -> list[Kept]:
        """Return what came back of each image, where it is too much for one copy the rest too."""
        blocks, more = self._blocks(arounds), False
        parts: list[list[Bytes]] = []
        for i, around in enumerate(arounds):
            parts.append([])
            for read, each in zip(around.reads, blocks, strict=True):
                row, (back, first) = each.rows[i], (read.block.back, read.block.first)
                if rest := read.rest(row[back:first]):
                    each.download_rest(self._stream, i, rest)
                    more = True
                parts[-1].append(row[back : first + rest])
        if more:
            self._stream.synchronize()
        return [Kept(tuple(part.copy() for part in each)) for each in parts]

    def _drain(self) -> None:
        """After an error: what was queued before it still uses the buffers."""
        with contextlib.suppress(CudaError):  # it has been told
            self._stream.synchronize()

    def _execute(self, ready: _Prepared, call: _Call) -> None:
        if ready.graph is None and ready.ran and ready.records and not self._is_rtx:
            self._record(ready, call)
        elif ready.graph is not None and ready.nodes is not None and call.kernels is not None:
            try:
                ready.nodes.set(ready.graph, [*call.before, *call.after], call.kernels)
            except CudaError as error:
                ready.drop_graph()
                self._go_without(ready, error)
        if ready.graph is not None:
            self._stream.launch(ready.graph)
        else:
            self._enqueue(ready, call, call.launch)
            ready.ran = True

    def _record(self, ready: _Prepared, call: _Call) -> None:
        nodes = ready.nodes = Nodes(call.launch)
        try:
            ready.graph = self._stream.capture(
                lambda: self._enqueue(ready, call, nodes.launch), keeps=call.kernels is not None
            )
        except RuntimeError as error:
            self._go_without(ready, error)

    def _go_without(self, ready: _Prepared, error: RuntimeError) -> None:
        ready.records = False
        log.warning("%s: runs without CUDA graphs: %s", self._engine.path, error)

    def _enqueue(
        self, ready: _Prepared, call: _Call, launch: Callable[[Launch, Stream], None]
    ) -> None:
        blocks = self._blocks(call.arounds)
        for name in call.feeds:
            size = self._size(name, ready.shapes[name])
            self._stream.upload(self._buffers.host(name), self._buffers.device(name), size)
        for each in blocks:
            each.upload(self._stream)
        for work in call.before:
            launch(work, self._stream)
        if not ready.context.execute_async_v3(self._stream.handle):
            raise RuntimeError("execute_async_v3 failed")
        for work in call.after:
            launch(work, self._stream)
        for each in blocks:
            each.download(self._stream)
        for name in self._engine.outputs if not blocks else ():
            size = self._size(name, ready.shapes[name])
            self._stream.download(self._buffers.device(name), self._buffers.host(name), size)

    def _ready(self, call: _Call) -> _Prepared:
        inputs = {name: call.shape_of(name) for name in self._engine.inputs}
        key = (tuple(inputs.values()), call.first.key)
        if key in self._prepared:
            self._prepared.move_to_end(key)
            return self._prepared[key]
        ready = _Prepared(self._take_context())
        try:
            self._shape(ready, inputs)
            self._grow(ready.shapes, call)
            for name in ready.shapes:
                if not ready.context.set_tensor_address(name, self._buffers.device(name).pointer):
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

    def _grow(self, shapes: Mapping[str, Shape], call: _Call) -> None:
        """Makes every buffer large enough; the host has only what it feeds and what comes back."""
        sizes = {name: self._size(name, shape) for name, shape in shapes.items()}
        on_host = [*call.feeds]
        for index, read in enumerate(call.first.reads):
            sizes[block_name(index)] = apart(read.block) * len(call.arounds)
            on_host.append(block_name(index))
        if not call.first.reads:
            on_host += self._engine.outputs
        self._buffers.grow(sizes, on_host)

    def _forget_addresses(self) -> None:
        """Before memory moves: graphs go, and their contexts are made ready again when needed."""
        for prepared in self._prepared.values():
            prepared.drop_graph()
            self._spare.append(prepared.context)
        self._prepared.clear()

    def _size(self, name: str, shape: Shape) -> int:
        info = self._engine.inputs.get(name) or self._engine.outputs[name]
        return int(np.prod(shape, dtype=np.int64)) * info.dtype.itemsize
