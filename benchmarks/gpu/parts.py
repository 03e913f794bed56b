"""The parts of ``mirante bench gpu``: each runs in a process of its own."""

from __future__ import annotations

from typing import NamedTuple


class Part(NamedTuple):
    """A part.

    Attributes:
        measure: "module:function", which takes a ``Job`` and a ``Here`` and yields ``Figure``.
        share: of the time, beside those of the other parts.
        needs: names of ``benchmarks.gpu.needs.CHECKS``, without which it cannot run.
    """

    measure: str
    share: float
    needs: tuple[str, ...]


PARTS = {
    "kernels": Part("benchmarks.gpu.kernels:measure", 25, ("gpu", "nvrtc")),
    "decode": Part("benchmarks.gpu.decoding:measure", 60, ("driver",)),
    "engines": Part("benchmarks.gpu.building:measure", 150, ("gpu", "runtime")),
    "speed": Part("benchmarks.gpu.speed:measure", 60, ("gpu", "runtime")),
    "batcher": Part("benchmarks.gpu.callers:measure", 35, ("gpu", "runtime")),
    "line": Part(
        "benchmarks.gpu.streams:measure", 130, ("gpu", "runtime", "gstreamer", "sender", "redis")
    ),
}
