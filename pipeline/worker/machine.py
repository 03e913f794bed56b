"""Measure a process and its machine: CPU, memory, NVIDIA GPUs."""

from __future__ import annotations

import os
import resource
import threading
import time
from typing import Any

import psutil
import pynvml

from pipeline.control.disks import own_disks
from pipeline.control.reports import DiskReport, GpuReport, MachineReport, ProcessReport
from pipeline.worker.gpus import VISIBLE

DISKS_EVERY_S = 30.0


class Machine:
    """Measures this process and its machine. CPU shares are those since the call before."""

    def __init__(self) -> None:
        self._disks_due_s = 0.0
        self._found_disks: tuple[DiskReport, ...] = ()
        self._looking: threading.Thread | None = None
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
                fds=self._process.num_fds(),
                fds_most=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            )

    def machine(self) -> MachineReport:
        """The machine."""
        memory = psutil.virtual_memory()
        return MachineReport(
            cpu_percent=psutil.cpu_percent(),
            cores=os.cpu_count() or 1,
            memory_bytes=memory.total,
            memory_used_bytes=memory.total - memory.available,
            disks=self._disks(),
        )

    def _disks(self) -> tuple[DiskReport, ...]:
        """Where this process writes, as it was a while ago: a share that hangs stops nothing."""
        looking = self._looking
        if time.monotonic() >= self._disks_due_s and (looking is None or not looking.is_alive()):
            self._disks_due_s = time.monotonic() + DISKS_EVERY_S
            self._looking = threading.Thread(target=self._look, name="disks", daemon=True)
            self._looking.start()
        return self._found_disks

    def _look(self) -> None:
        self._found_disks = own_disks()

    def gpus(self) -> tuple[GpuReport, ...]:
        """The GPUs that were there at the start and still answer."""
        return tuple(gpu for handle in self._gpus if (gpu := _gpu(handle)) is not None)


def gpu_count() -> int:
    """Return how many GPUs by NVIDIA this process sees."""
    return len(_gpu_handles())


def _gpu_handles() -> list[Any]:
    """Those that this process was given by their UUIDs, else all; none where there is no driver."""
    given = os.environ.get(VISIBLE, "").split(",")
    try:
        pynvml.nvmlInit()
        if all(name.startswith("GPU-") for name in given):
            return [pynvml.nvmlDeviceGetHandleByUUID(name.encode()) for name in given]
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
