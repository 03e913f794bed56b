"""What engines of TensorRT can be asked for besides, and what of it goes together."""

from __future__ import annotations

from typing import Protocol

ON_GPU = ("tensorrt", "tensorrt-lean", "tensorrt-rtx")
CALIBRATED = ("int8", "fp8")  # precisions whose scales images set
_DLA_CORES = 4  # no machine has more


class GpuOptions(Protocol):
    """The part of a request, or of a configuration, that only TensorRT has."""

    @property
    def runtime(self) -> str | None:
        """The one that the engine is for."""

    @property
    def precision(self) -> str:
        """Of the engine."""

    @property
    def batch(self) -> int | None:
        """Most images in one call; None for the usual."""

    @property
    def refit(self) -> bool:
        """Other weights can be put into it."""

    @property
    def compatible(self) -> bool:
        """Later versions run it."""

    @property
    def dla(self) -> int | None:
        """Core of a Jetson's accelerator."""


def check(asked: GpuOptions) -> None:
    """Refuse what does not go together.

    Raises:
        ValueError: naming key, value and what was expected.
    """
    if asked.precision == "fp8" and asked.runtime not in ON_GPU:
        raise ValueError(f"precision: fp8 is for {', '.join(ON_GPU)}, got {asked.runtime}")
    if asked.compatible and asked.runtime != "tensorrt":
        raise ValueError(f"compatible: expected with tensorrt, got {asked.runtime}")
    if asked.refit:
        _check_refit(asked)
    if asked.dla is not None:
        _check_dla(asked, asked.dla)


def _check_refit(asked: GpuOptions) -> None:
    if asked.runtime not in ("tensorrt", "tensorrt-rtx"):
        raise ValueError(f"refit: expected with tensorrt or tensorrt-rtx, got {asked.runtime}")
    if asked.precision in CALIBRATED:
        raise ValueError(
            f"refit: expected with fp32 or fp16, got {asked.precision}, "
            "whose scales depend on the weights"
        )
    if asked.compatible or asked.dla is not None:
        other = "compatible" if asked.compatible else f"dla {asked.dla}"
        raise ValueError(f"refit: expected without compatible and dla, got {other}")


def _check_dla(asked: GpuOptions, core: int) -> None:
    if not 0 <= core < _DLA_CORES:
        raise ValueError(f"dla: expected 0 to {_DLA_CORES - 1}, got {core}")
    if (asked.runtime, asked.precision) != ("tensorrt", "fp16"):
        raise ValueError(
            f"dla: expected with tensorrt and fp16, got {asked.runtime} and {asked.precision}"
        )
    if asked.batch not in (None, 1):
        raise ValueError(f"dla: expected with batch 1, got {asked.batch}")
