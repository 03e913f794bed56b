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
_TAKES = dict.fromkeys(("score_rows", "pick_rows", "copy_rows"), SIFT)
_TAKES |= {"fill_slot": FILL, "fill_region": FILL, "pack_masks": PACK}


class SimulatedDriver:
    """The functions that ``engines.cuda.launching`` calls.

    Attributes:
        refuse: codes that a function answers instead of working, by its name.
        ran: names of the kernels that ran.
        modules: how many are loaded.
    """

    CUresult = Code

    def __init__(self, gpu: SimulatedCuda, host: Host) -> None:
        self.refuse: dict[str, Any] = {}
        self.ran: list[str] = []
        self.modules = 0
        self._gpu, self._host = gpu, host
        self._names: dict[int, str] = {}
        self._handles = itertools.count(1)

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
        return (Code.CUDA_SUCCESS, handle)

    def cuLaunchKernel(  # noqa: N802
        self, function: int, *rest: int
    ) -> tuple[Any, ...]:
        grid, block, (shared, stream, addresses, extra) = rest[:3], rest[3:6], rest[6:]
        assert shared == extra == 0
        kernel = self._names[function]
        kind = _TAKES[kernel]
        at = ctypes.c_uint64.from_address(addresses).value
        parameters = np.frombuffer(ctypes.string_at(at, kind.itemsize), kind)[0].copy()
        work = Launch(kernel, grid, block, np.array(parameters, kind))  # type: ignore[arg-type]

        def run() -> None:
            self.ran.append(kernel)
            self._host.run(work)

        touched = frozenset(
            int(parameters[name]) for name in kind.names or () if kind[name] == np.uint64
        )
        self._gpu.enqueue(stream, Work(run, touched))
        return (Code.CUDA_SUCCESS,)

    def cuModuleUnload(self, module: bytes) -> tuple[Any, ...]:  # noqa: N802
        self.modules -= 1
        return (Code.CUDA_SUCCESS,)

    def cuGetErrorString(self, error: Any) -> tuple[Any, ...]:  # noqa: N802
        return (Code.CUDA_SUCCESS, f"in words, {error.name}".encode())  # the real one has a driver
