"""A GPU whose memory is the host's and whose kernels are those of the processor, for a process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engines.cuda.compiling import Compiler
from engines.runtimes.tensorrt.cuda import Cuda
from plugins.device import gpu as device
from plugins.device.gpu import Gpu
from tests.support.host_kernels import built
from tests.support.simulated_cuda import SimulatedCuda
from tests.support.simulated_driver import SimulatedDriver


class AdoptingCuda(SimulatedCuda):
    """Takes memory of other libraries for memory of the GPU, too, and for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._adopted: dict[int, NDArray[np.uint8]] = {}

    def adopt(self, block: NDArray[np.uint8]) -> None:
        """Takes a block."""
        self._adopted[block.ctypes.data] = block

    def memory(self, pointer: int, size: int, kind: str = "device") -> NDArray[np.uint8]:
        """See ``SimulatedCuda``."""
        for start, block in list(self._adopted.items()):
            if start <= pointer and pointer + size <= start + len(block) and kind == "device":
                return block[pointer - start : pointer - start + size]
        return super().memory(pointer, size, kind)


class SimulatedGpu(Gpu):
    """Attributes: memory: its ``SimulatedCuda``."""

    def __init__(self) -> None:
        self.memory = AdoptingCuda()
        super().__init__(Cuda(self.memory), SimulatedDriver(self.memory, built()))

    @property
    def ran(self) -> list[str]:
        """Names of the kernels that ran."""
        found: list[str] = self.driver.ran
        return found


def _all_given_back(gpu: SimulatedGpu) -> None:
    """What was tried is taken down on threads of its own."""
    end_s = time.monotonic() + 20
    while left := gpu.memory.open():
        assert time.monotonic() < end_s, str(left)
        time.sleep(0.01)


@contextmanager
def simulated_gpu(home: Path) -> Iterator[SimulatedGpu]:
    """The GPU of this process for the time of a test: all that was taken of it is given back.

    Args:
        home: where compiled kernels are kept.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MIRANTE_HOME", str(home))
        try:
            Compiler()
        except ImportError as error:
            pytest.skip(str(error))
        made = SimulatedGpu()
        patched.setattr(device, "_open", lambda: made)
        device._opened.cache_clear()
        try:
            yield made
            made.kernels.close()
            assert made.memory.faults == [], made.memory.faults
            _all_given_back(made)
        finally:
            device._opened.cache_clear()
