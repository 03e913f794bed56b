"""Kernels on a GPU: loaded once, started by name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cuda.compiling import KERNELS, cubin
from engines.runtimes.tensorrt.cuda import Cuda, CudaError, Stream

Extent = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Launch:
    """A kernel and what it is to do.

    Attributes:
        kernel: its name.
        grid: blocks in x, y and z.
        block: threads of a block in x, y and z.
        parameters: a scalar of the structure that the kernel takes.
    """

    kernel: str
    grid: Extent
    block: Extent
    parameters: NDArray[np.void]

    def is_same(self, other: Launch) -> bool:
        """Return whether both are the same work."""
        if self is other:
            return True
        one, two = (
            (each.kernel, each.grid, each.block, each.parameters.tobytes())
            for each in (self, other)
        )
        return one == two


def launch_over(
    kernel: str,
    width: int,
    height: int,
    block: tuple[int, int],
    parameters: NDArray[np.void],
    images: int = 1,
) -> Launch:
    """Return the launch of a thread for each of ``width`` times ``height`` places of each image."""
    grid = (-(-width // block[0]), -(-height // block[1]), images)
    return Launch(kernel, grid, (*block, 1), parameters)


class Kernels:
    """All kernels, compiled for the GPU here and loaded into it; to be closed.

    Args:
        cuda: CUDA's runtime.
        driver: ``cuda.bindings.driver``, or what behaves like it.

    Raises:
        CudaError: there is no GPU or driver, or it refuses a kernel.
        ImportError: cuda-bindings or NVRTC are not installed; names the extra.
        CompileError: NVRTC refuses a source.
    """

    def __init__(self, cuda: Cuda, driver: Any = None) -> None:
        self._cuda = cuda
        self._driver = import_module("cuda.bindings.driver") if driver is None else driver
        architecture = cuda.gpu().architecture
        self._call("to begin", "cuInit", 0)  # before anything is compiled for nobody
        self._module = self._call("to load kernels", "cuModuleLoadData", cubin(architecture))
        try:
            self._functions = {
                name: self._call(f"for {name}", "cuModuleGetFunction", self._module, name.encode())
                for name in KERNELS
            }
        except BaseException:
            self.close()
            raise

    def launch(self, work: Launch, stream: Stream) -> None:
        """Queue a kernel; its parameters are copied before this returns.

        Raises:
            CudaError: it cannot be queued.
        """
        self._cuda.here()  # the driver's functions do not make it the thread's by themselves
        addresses = np.array([work.parameters.ctypes.data], np.uint64)
        asked = f"to run {work.kernel}"
        function = self._functions[work.kernel]
        rest = (0, stream.handle, addresses.ctypes.data, 0)  # shared bytes, …, extra
        self._call(asked, "cuLaunchKernel", function, *work.grid, *work.block, *rest)

    def set_node(self, graph: Any, node: Any, work: Launch) -> None:
        """Put other work into a node of a recorded graph; it holds from the next launch on.

        Args:
            graph: executable.
            node: of the graph that this was made of, where a kernel of ours was recorded.
            work: copied before this returns.

        Raises:
            CudaError: it cannot be set.
        """
        self._cuda.here()
        addresses = np.array([work.parameters.ctypes.data], np.uint64)
        given = self._driver.CUDA_KERNEL_NODE_PARAMS()
        given.func = self._functions[work.kernel]
        given.gridDimX, given.gridDimY, given.gridDimZ = work.grid
        given.blockDimX, given.blockDimY, given.blockDimZ = work.block
        given.sharedMemBytes, given.kernelParams = 0, addresses.ctypes.data
        asked = f"to set {work.kernel} in a graph"
        self._call(asked, "cuGraphExecKernelNodeSetParams", int(graph), int(node), given)

    def close(self) -> None:
        """Unload them, after their last work is done."""
        self._cuda.here()
        self._call("to unload kernels", "cuModuleUnload", self._module)

    def _call(self, asked: str, function: str, *arguments: Any) -> Any:
        return ask_driver(self._driver, asked, function, *arguments)


def ask_driver(driver: Any, asked: str, function: str, *arguments: Any) -> Any:
    """Call a function of CUDA's driver, and return its first answer, or None.

    Args:
        driver: ``cuda.bindings.driver``, or what behaves like it.
        asked: what for, in words that follow "CUDA was asked".
        function: its name.

    Raises:
        CudaError: it fails.
    """
    code, *answers = getattr(driver, function)(*arguments)
    if code != driver.CUresult.CUDA_SUCCESS:
        _, text = driver.cuGetErrorString(code)
        words = text.decode() if isinstance(text, bytes) else str(text)
        raise CudaError(code.name, f"CUDA was asked {asked}: {words} ({code.name})")
    return answers[0] if answers else None
