"""The GPU that decoded frames lie on: CUDA and our kernels, once a process."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from engines.cuda.launching import Kernels, ask_driver
from engines.cuda.view import Viewer
from engines.runtimes.tensorrt.cuda import Cuda


class Gpu:
    """CUDA's runtime and driver, with our kernels loaded; stays until the process ends.

    Args:
        cuda: the runtime.
        driver: ``cuda.bindings.driver``, or what behaves like it.

    Raises:
        CudaError: there is no GPU or driver, or it refuses something.
        ImportError: cuda-bindings or NVRTC are not installed; names the extra.

    Attributes:
        context: handle of the GPU's primary context, in which the runtime works.
    """

    def __init__(self, cuda: Cuda, driver: Any) -> None:
        self.cuda, self.driver = cuda, driver
        self.kernels = Kernels(cuda, driver)
        device = ask_driver(driver, "for the GPU", "cuDeviceGet", cuda.index)
        self.context = int(
            ask_driver(driver, "for its context", "cuDevicePrimaryCtxRetain", device)
        )

    def viewer(self) -> Viewer:
        """Return what brings frames to the host, for one thread; to be closed."""
        return Viewer(self.cuda, self.kernels)


def _open() -> Gpu:
    cuda = Cuda()
    from cuda.bindings import driver

    return Gpu(cuda, driver)


@cache
def _opened() -> Gpu:
    return _open()


_opening = threading.Lock()


def gpu() -> Gpu:
    """Return the process's GPU, opened on first use; errors are those of ``Gpu``, each time."""
    with _opening:
        return _opened()


def why_not() -> str:
    """Return why frames cannot stay on a GPU here, in words; empty where they can."""
    try:
        gpu()
    except (ImportError, RuntimeError) as error:
        return str(error)
    return ""


class Viewers:
    """The viewers of one line, one for each thread that looks at its frames. Safe between
    threads.
    """

    def __init__(self) -> None:
        self._made: dict[str, Viewer] = {}
        self._lock = threading.Lock()

    def of(self, thread: str) -> Viewer:
        """Return the viewer of a thread, by any name; made on first use.

        Raises:
            CudaError: the GPU has no stream left.
        """
        with self._lock:
            if thread not in self._made:
                self._made[thread] = gpu().viewer()
            return self._made[thread]

    def close(self) -> None:
        """Give their memory back, once no thread uses one."""
        with self._lock:
            for viewer in self._made.values():
                viewer.close()
            self._made.clear()
