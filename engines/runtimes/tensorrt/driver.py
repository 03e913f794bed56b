"""The version of NVIDIA's driver: TensorRT measures with it, and what it made is for that one."""

from __future__ import annotations

from typing import Any


def driver_of(cuda: Any) -> str:
    """Return the driver's version, such as ``580.95.05``, or ``of CUDA 13.0`` without NVML.

    Args:
        cuda: an ``engines.runtimes.tensorrt.cuda.Cuda``.

    Raises:
        CudaError: there is no driver.
    """
    if (told := driver_version()) is not None:
        return told
    number = int(cuda.call("for the driver's version", "cudaDriverGetVersion"))
    return f"of CUDA {number // 1000}.{number % 1000 // 10}"


def driver_version() -> str | None:
    """Return the version of NVIDIA's driver, by NVML; None where that is not there."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except (ImportError, RuntimeError, OSError):
        return None
    except pynvml.NVMLError:
        return None
    try:
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
