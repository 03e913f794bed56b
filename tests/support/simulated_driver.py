"""CUDA's driver beside ``SimulatedCuda``: its kernels are those compiled for the processor here."""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import numpy as np
import pytest

from engines.cuda.boxes import SIFT
from engines.cuda.fill import FILL
from engines.cuda.launching import Launch
from engines.cuda.masks import PACK
from tests.support.host_kernels import Host
from tests.support.simulated_cuda import SimulatedCuda, Work

real = pytest.importorskip("cuda.bindings.driver", reason="cuda-bindings are not installed")
Code = real.CUresult
CONTEXT = 0xC0DE  # handle of the primary context
_TAKES = dict.fromkeys(("score_rows", "pick_rows", "copy_rows"), SIFT)
_TAKES |= {"fill_slot": FILL, "fill_region": FILL, "pack_masks": PACK}


class SimulatedDriver:
    """The functions that ``engines.cuda.launching`` calls.

    Attributes:
        refuse: codes that a function answers instead of working, by its name.
        ran: names of the kernels that ran.
        modules: how many are loaded.
        nodes_set: how often the work of a recorded kernel was changed.
    """

    CUresult = Code
    CUDA_KERNEL_NODE_PARAMS = real.CUDA_KERNEL_NODE_PARAMS

    def __init__(self, gpu: SimulatedCuda, host: Host) -> None:
        self.refuse: dict[str, Any] = {}
        self.ran: list[str] = []
        self.modules = self.nodes_set = 0
        self._gpu, self._host = gpu, host
        self._names: dict[int, str] = {}
        self._handles = itertools.count(1)

    def cuInit(self, flags: int) -> tuple[Any, ...]:  # noqa: N802
        assert flags == 0
        return (Code.CUDA_SUCCESS,)

    def cuDeviceGet(self, ordinal: int) -> tuple[Any, ...]:  # noqa: N802
        assert ordinal == 0
        return (Code.CUDA_SUCCESS, ordinal)

    def cuDevicePrimaryCtxRetain(self, device: int) -> tuple[Any, ...]:  # noqa: N802
        if "cuDevicePrimaryCtxRetain" in self.refuse:
            return (self.refuse["cuDevicePrimaryCtxRetain"], None)
        return (Code.CUDA_SUCCESS, real.CUcontext(CONTEXT))

    def cuModuleLoadData(self, image: bytes) -> tuple[Any, ...]:  # noqa: N802
        if "cuModuleLoadData" in self.refuse:
            return (self.refuse["cuModuleLoadData"], None)
        assert image.startswith(b"\x7fELF")
        self.modules += 1
        return (Code.CUDA_SUCCESS, image)

    def cuModuleGetFunction(self, module: bytes, name: bytes) -> tuple[Any, ...]:  # noqa: N802
        if name not in module:
            return (Code.CUDA_ERROR_NOT_FOUND, None)
        handle = next(self._handles)
        self._names[handle] = name.decode()
        return (Code.CUDA_SUCCESS, real.CUfunction(handle))

    def cuLaunchKernel(  # noqa: N802
        self, function: Any, *rest: int
    ) -> tuple[Any, ...]:
        grid, block, (shared, stream, addresses, extra) = rest[:3], rest[3:6], rest[6:]
        assert shared == extra == 0
        self._gpu.enqueue(stream, self._work(function, grid, block, addresses))
        return (Code.CUDA_SUCCESS,)

    def cuGraphExecKernelNodeSetParams(  # noqa: N802
        self, executable: int, node: int, given: Any
    ) -> tuple[Any, ...]:
        if "cuGraphExecKernelNodeSetParams" in self.refuse:
            return (self.refuse["cuGraphExecKernelNodeSetParams"],)
        assert given.sharedMemBytes == 0
        grid = given.gridDimX, given.gridDimY, given.gridDimZ
        block = given.blockDimX, given.blockDimY, given.blockDimZ
        work = self._work(given.func, grid, block, int(given.kernelParams))
        self.nodes_set += 1
        is_set = self._gpu.set_node(executable, node, work)
        return (Code.CUDA_SUCCESS if is_set else Code.CUDA_ERROR_INVALID_VALUE,)

    def _work(
        self, function: Any, grid: tuple[int, ...], block: tuple[int, ...], addresses: int
    ) -> Work:
        kernel = self._names[int(function)]
        kind = _TAKES[kernel]
        at = ctypes.c_uint64.from_address(addresses).value
        parameters = np.frombuffer(ctypes.string_at(at, kind.itemsize), kind)[0].copy()
        work = Launch(kernel, grid, block, np.array(parameters, kind))  # type: ignore[arg-type]

        pointers = [name for name in kind.names or () if kind[name] == np.uint64]

        def run() -> None:
            self.ran.append(kernel)
            for name in pointers:
                if parameters[name]:
                    self._gpu.memory(int(parameters[name]), 1)
            self._host.run(work)

        # Two may read a surface at once.
        written = [name for name in pointers if name not in ("luma", "u", "v")]
        return Work(run, frozenset(int(parameters[name]) for name in written))

    def cuModuleUnload(self, module: bytes) -> tuple[Any, ...]:  # noqa: N802
        self.modules -= 1
        return (Code.CUDA_SUCCESS,)

    def cuGetErrorString(self, error: Any) -> tuple[Any, ...]:  # noqa: N802
        return (Code.CUDA_SUCCESS, f"in words, {error.name}".encode())  # the real one has a driver
