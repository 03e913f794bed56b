"""Measure a process and its machine: CPU, memory, NVIDIA GPUs."""

from __future__ import annotations

import os
from typing import Any

import psutil
import pynvml

from pipeline.control.reports import GpuReport, MachineReport, ProcessReport


class Machine:
    """Measures this process and its machine. CPU shares are those since the call before."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.process()
        self.machine()  # the first call of either measures nothing
        self._gpus = _gpu_handles()

    def process(self) -> ProcessReport:
        """This process."""
        with self._process.oneshot():
            return ProcessReport(
                cpu_percent=self._process.cpu_percent(),
                rss_bytes=self._process.memory_info().rss,
                threads=self._process.num_threads(),
            )

    def machine(self) -> MachineReport:
        """The machine."""
        memory = psutil.virtual_memory()
        return MachineReport(
            cpu_percent=psutil.cpu_percent(),
            cores=os.cpu_count() or 1,
            memory_bytes=memory.total,
            memory_used_bytes=memory.total - memory.available,
        )

    def gpus(self) -> tuple[GpuReport, ...]:
        """The GPUs that were there at the start and still answer."""
        return tuple(gpu for handle in self._gpus if (gpu := _gpu(handle)) is not None)


def _gpu_handles() -> list[Any]:
    """None where there is no driver."""
    try:
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def _gpu(handle: Any) -> GpuReport | None:
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        return GpuReport(
            name=pynvml.nvmlDeviceGetName(handle),
            utilisation_percent=_utilisation(handle),
            memory_bytes=int(memory.total),
            memory_used_bytes=int(memory.used),
        )
    except pynvml.NVMLError:  # lost, or being reset
        return None


def _utilisation(handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except pynvml.NVMLError_NotSupported:
        return None
