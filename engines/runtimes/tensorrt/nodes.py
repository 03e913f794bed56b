"""The kernels in a recorded graph, whose parameters are set to those of the next call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engines.cuda.launching import Kernels, Launch
from engines.runtimes.tensorrt.cuda import Graph, Stream


class Nodes:
    """The nodes of a graph that were kernels, in the order in which they were queued.

    What changes from frame to frame, the address of a surface or the part of a mask that shows the
    image, is set in the graph; it is not recorded again.

    Args:
        launch: queues a kernel.
    """

    def __init__(self, launch: Callable[[Launch, Stream], None]) -> None:
        self._launch = launch
        self._nodes: list[Any] = []
        self._set: list[Launch] = []

    def launch(self, work: Launch, stream: Stream) -> None:
        """Queue a kernel where the stream is recorded, and note its node.

        Raises:
            CudaError: it cannot be queued or recorded.
        """
        self._launch(work, stream)
        self._nodes.append(stream.last_node())
        self._set.append(work)

    def set(self, graph: Graph, launches: Sequence[Launch], kernels: Kernels) -> None:
        """Set what is another than in the graph's last launch.

        Args:
            graph: that was recorded, not launched at the moment.
            launches: as many as were queued, in their order.
            kernels: with which they were.

        Raises:
            CudaError: the driver refuses.
        """
        for place, (node, work) in enumerate(zip(self._nodes, launches, strict=True)):
            if not work.is_same(self._set[place]):
                kernels.set_node(graph.executable, node, work)
                self._set[place] = work
