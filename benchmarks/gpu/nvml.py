"""The little of NVML that a bench needs: the GPU's name, its memory and its power."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import pynvml

from benchmarks.gpu.figures import Watts

EVERY_S = 0.1
OPEN_S, CLOSE_S = 20.0, 2.0  # waited for NVML: with a driver that hangs it may never answer


class NvmlError(RuntimeError):
    """There is no NVIDIA driver here, or NVML refuses."""


class Nvml:
    """NVML with one GPU, the one that CUDA uses where GPUs are in the order of their buses.

    Args:
        api: ``pynvml``, or what behaves like it.

    Raises:
        NvmlError: there is no driver or GPU.
    """

    def __init__(self, api: Any = pynvml) -> None:
        self._api = api
        try:
            api.nvmlInit()
        except pynvml.NVMLError as error:
            raise NvmlError(f"no NVIDIA driver is here ({error})") from error
        chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0].strip() or "0"
        try:
            if chosen.isdecimal():
                self._device = self._ask("nvmlDeviceGetHandleByIndex", int(chosen))
            else:  # GPU-…, or MIG-…
                self._device = self._ask("nvmlDeviceGetHandleByUUID", chosen)
        except NvmlError as error:
            self.close()
            raise NvmlError(f"GPU {chosen}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def describe(self) -> str:
        """Return such as ``NVIDIA L4 (sm89), 23034 MiB, driver 580.95``.

        Raises:
            NvmlError: it does not tell.
        """
        name, driver = self._of("nvmlDeviceGetName"), self._ask("nvmlSystemGetDriverVersion")
        architecture = "".join(map(str, self._of("nvmlDeviceGetCudaComputeCapability")))
        mib = self._of("nvmlDeviceGetMemoryInfo").total // 2**20
        return f"{name} (sm{architecture}), {mib} MiB, driver {driver}"

    def used_bytes(self) -> int:
        """Return the bytes of the GPU's memory that are in use, by whomever.

        Raises:
            NvmlError: it does not tell.
        """
        return int(self._of("nvmlDeviceGetMemoryInfo").used)

    def watts(self) -> float:
        """Return the power that the GPU takes.

        Raises:
            NvmlError: it does not tell, as of a slice of a GPU.
        """
        return float(self._of("nvmlDeviceGetPowerUsage")) / 1e3

    def close(self) -> None:
        """Let go of it."""
        self._api.nvmlShutdown()

    def _of(self, function: str) -> Any:
        return self._ask(function, self._device)

    def _ask(self, function: str, *arguments: Any) -> Any:
        try:
            return getattr(self._api, function)(*arguments)
        except pynvml.NVMLError as error:
            raise NvmlError(f"NVML was asked {function}: {error}") from error


class Meter:
    """Reads the GPU's power on a thread, until closed.

    Attributes:
        why: it cannot; empty where it does.

    Args:
        nvml: opens NVML.
    """

    def __init__(self, nvml: Callable[[], Nvml] = Nvml) -> None:
        self.why, self.gpu = "", ""
        self._open = nvml
        self._read: list[float] = []
        self._began_s = time.monotonic()
        self._known, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="watts", daemon=True)
        self._thread.start()
        if not self._known.wait(OPEN_S):
            self.why = f"NVML has not answered for {OPEN_S:g} s"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(CLOSE_S)

    def take(self) -> Watts | None:
        """Return the power since the last call of this; None where it cannot be read."""
        now_s, read = time.monotonic(), self._read
        seconds, self._began_s, self._read = now_s - self._began_s, now_s, []
        if not read:
            return None
        return Watts(mean=sum(read) / len(read), most=max(read), seconds=seconds)

    def _run(self) -> None:
        try:
            with self._open() as nvml:
                self.gpu = nvml.describe()
                self._read.append(nvml.watts())
                self._known.set()
                while not self._ended.wait(EVERY_S):
                    self._read.append(nvml.watts())
        except NvmlError as error:
            self.why = str(error)
        finally:
            self._known.set()
