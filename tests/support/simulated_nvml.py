"""NVML as ``benchmarks.gpu.nvml`` calls it, with a GPU that takes what a test says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pynvml


class SimulatedNvml:
    """The functions of ``pynvml``.

    Attributes:
        refuse: codes of the error that a function raises instead of working, by its name.
        milliwatts, used: what is read.
        begun: how often it was begun, less how often ended.
        chosen: the device that was asked for.
    """

    def __init__(self) -> None:
        self.refuse: dict[str, int] = {}
        self.milliwatts, self.used = 72_500, 3 << 30
        self.begun = 0
        self.chosen: int | str = -1

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("nvml"):
            raise AttributeError(name)
        answer = getattr(self, f"_{name}")

        def call(*arguments: Any) -> Any:
            if name in self.refuse:
                raise pynvml.NVMLError(self.refuse[name])
            return answer(*arguments)

        return call

    def _nvmlInit(self) -> None:  # noqa: N802
        self.begun += 1

    def _nvmlShutdown(self) -> None:  # noqa: N802
        self.begun -= 1

    def _nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        self.chosen = index
        return "handle"

    def _nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        self.chosen = uuid
        return "handle"

    def _nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return "580.1"

    def _nvmlDeviceGetName(self, device: str) -> str:  # noqa: N802
        assert device == "handle"
        return "Simulated L4"

    def _nvmlDeviceGetCudaComputeCapability(self, _device: str) -> tuple[int, int]:  # noqa: N802
        return 8, 9

    def _nvmlDeviceGetMemoryInfo(self, _device: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(total=24 << 30, used=self.used)

    def _nvmlDeviceGetPowerUsage(self, _device: str) -> int:  # noqa: N802
        return self.milliwatts
