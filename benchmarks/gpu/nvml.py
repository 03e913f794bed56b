"""The little of NVML that a bench needs: the GPU's name, its memory and its power.

By the driver's own library, which needs no package.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from benchmarks.gpu.figures import Watts

LIBRARY = "libnvidia-ml.so.1"
EVERY_S = 0.1
_TEXT = 96  # characters of a name


class NvmlError(RuntimeError):
    """There is no NVIDIA driver here, or NVML refuses."""


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


def _load() -> Any:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise NvmlError(f"no NVIDIA driver is here ({error})") from error


class Nvml:
    """NVML with one GPU, the one that CUDA uses where GPUs are in the order of their buses.

    Args:
        library: ``libnvidia-ml.so.1``, or what behaves like it.

    Raises:
        NvmlError: there is no driver or GPU.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = _load() if library is None else library
        self._library.nvmlErrorString.restype = ctypes.c_char_p
        self._call("to begin", "nvmlInit_v2")
        try:
            self._device = self._find()
        except NvmlError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def describe(self) -> str:
        """Return such as ``NVIDIA L4 (sm89), 23034 MiB, driver 580.95``.

        Raises:
            NvmlError: it does not tell.
        """
        name, driver = (ctypes.create_string_buffer(_TEXT) for _ in range(2))
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._of_device("nvmlDeviceGetName", name, _TEXT)
        self._call("for the driver's version", "nvmlSystemGetDriverVersion", driver, _TEXT)
        self._of_device(
            "nvmlDeviceGetCudaComputeCapability", ctypes.byref(major), ctypes.byref(minor)
        )
        mib = self._memory().total // 2**20
        architecture = f"sm{major.value}{minor.value}"
        return f"{name.value.decode()} ({architecture}), {mib} MiB, driver {driver.value.decode()}"

    def used_bytes(self) -> int:
        """Return the bytes of the GPU's memory that are in use, by whomever.

        Raises:
            NvmlError: it does not tell.
        """
        return int(self._memory().used)

    def watts(self) -> float:
        """Return the power that the GPU takes.

        Raises:
            NvmlError: it does not tell, as of a slice of a GPU.
        """
        milliwatts = ctypes.c_uint()
        self._of_device("nvmlDeviceGetPowerUsage", ctypes.byref(milliwatts))
        return milliwatts.value / 1e3

    def close(self) -> None:
        """Let go of the library."""
        self._library.nvmlShutdown()

    def _find(self) -> Any:
        device = ctypes.c_void_p()
        chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0].strip()
        asked, found = f"for GPU {chosen or 0}", ctypes.byref(device)
        if chosen and not chosen.isdecimal():  # GPU-…, or MIG-…
            self._call(asked, "nvmlDeviceGetHandleByUUID", chosen.encode(), found)
        else:
            self._call(asked, "nvmlDeviceGetHandleByIndex_v2", int(chosen or 0), found)
        return device

    def _memory(self) -> _Memory:
        memory = _Memory()
        self._of_device("nvmlDeviceGetMemoryInfo", ctypes.byref(memory))
        return memory

    def _of_device(self, function: str, *arguments: Any) -> None:
        self._call(f"of the GPU ({function})", function, self._device, *arguments)

    def _call(self, asked: str, function: str, *arguments: Any) -> None:
        code = getattr(self._library, function)(*arguments)
        if code:
            words = self._library.nvmlErrorString(code)
            raise NvmlError(f"NVML was asked {asked}: {words.decode()}")


class Meter:
    """Reads the GPU's power on a thread, until closed.

    Attributes:
        why: it cannot; empty where it does.

    Args:
        nvml: opens NVML.
    """

    def __init__(self, nvml: Callable[[], Nvml] = Nvml) -> None:
        self.why, self.gpu = "", ""
        self._nvml: Nvml | None = None
        self._read: list[float] = []
        self._began_s = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watts")
        try:
            self._nvml = nvml()
            self.gpu = self._nvml.describe()
            self._read.append(self._nvml.watts())
        except NvmlError as error:
            self.why = str(error)
            return
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._nvml is not None:
            self._nvml.close()

    def take(self) -> Watts | None:
        """Return the power since the last call of this; None where it cannot be read."""
        now_s, read = time.monotonic(), self._read
        seconds, self._began_s, self._read = now_s - self._began_s, now_s, []
        if not read:
            return None
        return Watts(mean=sum(read) / len(read), most=max(read), seconds=seconds)

    def _run(self) -> None:
        assert self._nvml is not None
        while not self._ended.wait(EVERY_S):
            try:
                self._read.append(self._nvml.watts())
            except NvmlError as error:
                self.why = str(error)
                return
