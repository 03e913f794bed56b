"""NVML's library as ``benchmarks.gpu.nvml`` calls it, with a GPU that takes what a test says."""

from __future__ import annotations

from typing import Any

NOT_SUPPORTED, NOT_FOUND = 3, 6


class SimulatedNvml:
    """The functions of ``libnvidia-ml.so.1``.

    Attributes:
        refuse: codes that a function answers instead of working, by its name.
        milliwatts, used: what is read.
        begun: how often it was begun, less how often ended.
        chosen: of the device.
    """

    class _Words:
        restype: Any = None

        def __call__(self, code: int) -> bytes:
            return {NOT_SUPPORTED: b"Not Supported", NOT_FOUND: b"Not Found"}[code]

    def __init__(self) -> None:
        self.refuse: dict[str, int] = {}
        self.milliwatts, self.used = 72_500, 3 << 30
        self.begun = 0
        self.chosen: int | bytes = -1
        self.nvmlErrorString = self._Words()

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("nvml"):
            raise AttributeError(name)
        answer = getattr(self, f"_{name}")

        def call(*arguments: Any) -> int:
            if name in self.refuse:
                return self.refuse[name]
            answer(*arguments)
            return 0

        return call

    def _nvmlInit_v2(self) -> None:  # noqa: N802
        self.begun += 1

    def _nvmlShutdown(self) -> None:  # noqa: N802
        self.begun -= 1

    def _nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> None:  # noqa: N802
        self.chosen, handle._obj.value = index, 7

    def _nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> None:  # noqa: N802
        self.chosen, handle._obj.value = uuid, 7

    def _nvmlDeviceGetName(self, device: Any, name: Any, size: int) -> None:  # noqa: N802
        assert (device.value, size) == (7, len(name))
        name.value = b"Simulated L4"

    def _nvmlSystemGetDriverVersion(self, text: Any, _size: int) -> None:  # noqa: N802
        text.value = b"580.1"

    def _nvmlDeviceGetCudaComputeCapability(  # noqa: N802
        self, _device: Any, major: Any, minor: Any
    ) -> None:
        major._obj.value, minor._obj.value = 8, 9

    def _nvmlDeviceGetMemoryInfo(self, _device: Any, memory: Any) -> None:  # noqa: N802
        memory._obj.total, memory._obj.used = 24 << 30, self.used

    def _nvmlDeviceGetPowerUsage(self, _device: Any, milliwatts: Any) -> None:  # noqa: N802
        milliwatts._obj.value = self.milliwatts
