"""Our kernels on this GPU: whether they do what the host does, and how long they take.

Beside the time in which this GPU copies as many bytes as a kernel cannot do without reading and
writing once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field

from benchmarks.gpu.figures import Figure
from benchmarks.gpu.here import Here
from benchmarks.gpu.job import Job
from benchmarks.gpu.kernel_cases import Case, Sizes, cases
from benchmarks.gpu.on_device import OnDevice
from engines.runtimes.tensorrt.cuda import DeviceMemory


@dataclass(frozen=True, slots=True)
class Effort:
    """The amount of work that is timed.

    Attributes:
        sizes: of what kernels work on.
        copied: bytes of each copy that bandwidth is measured by.
        times: a kernel runs in each round, one behind the other.
        rounds: medians are over these.
    """

    sizes: Sizes = field(default_factory=Sizes)
    copied: int = 256 << 20
    times: int = 50
    rounds: int = 15


def measure(_job: Job, here: Here, effort: Effort = Effort()) -> Iterator[Figure]:
    """Tell the bandwidth of the GPU's memory, and time each kernel."""
    cuda = here.cuda()
    with (
        closing(here.kernels(cuda)) as kernels,
        closing(OnDevice(cuda, kernels, effort.times, effort.rounds)) as device,
    ):
        bytes_per_us = _bandwidth(device, effort.copied)
        yield Figure(
            what="copying within the GPU's memory",
            value=bytes_per_us / 1e3,
            unit="GB/s",
            note="bytes read and bytes written",
        )
        for case in cases(device, effort.sizes):
            yield _figure(device, case, bytes_per_us)


def _bandwidth(device: OnDevice, size: int) -> float:
    """Return the bytes that a copy reads and writes in a microsecond."""
    source, target = (DeviceMemory(device.cuda, size) for _ in range(2))
    try:
        return 2 * size / device.us(lambda: device.copy(source, target, size))
    finally:
        source.free()
        target.free()


def _figure(device: OnDevice, case: Case, bytes_per_us: float) -> Figure:
    case.prepare()
    device.run(case.launches)
    if wrong := case.wrong():
        return Figure(what=case.what, note=f"its result is not the host's: {wrong}")
    us = device.us(lambda: device.queue(case.launches))
    return Figure(
        what=case.what,
        value=us,
        unit="µs",
        beside=case.moved / bytes_per_us,
        of="copying as many bytes",
        note=f"{case.moved / us / 1e3:.0f} GB/s; the host's result",
        more={"bytes": float(case.moved)},
    )
