"""What engines of TensorRT can be asked for besides, and what of it goes together."""

from __future__ import annotations

from dataclasses import dataclass

ON_GPU = ("tensorrt", "tensorrt-lean", "tensorrt-rtx")
CALIBRATED = ("int8", "fp8")  # precisions whose scales images set
_DLA_CORES = 4  # no machine has more


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuOptions:
    """A request's part that only TensorRT has.

    Attributes:
        runtime: that the engine is for.
        precision: of it.
        batch: most images in one call; None for the usual.
        refit: other weights can be put into it.
        compatible: later versions run it.
        dla: core of a Jetson's accelerator.
    """

    runtime: str
    precision: str
    batch: int | None = None
    refit: bool = False
    compatible: bool = False
    dla: int | None = None

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            ValueError: naming key, value and what was expected.
        """
        if self.precision == "fp8" and self.runtime not in ON_GPU:
            raise ValueError(f"precision: fp8 is for {', '.join(ON_GPU)}, got {self.runtime}")
        if self.compatible and self.runtime != "tensorrt":
            raise ValueError(f"compatible: expected with tensorrt, got {self.runtime}")
        if self.refit:
            self._check_refit()
        if self.dla is not None:
            self._check_dla(self.dla)

    def _check_refit(self) -> None:
        if self.runtime not in ("tensorrt", "tensorrt-rtx"):
            raise ValueError(f"refit: expected with tensorrt or tensorrt-rtx, got {self.runtime}")
        if self.precision in CALIBRATED:
            raise ValueError(
                f"refit: expected with fp32 or fp16, got {self.precision}, "
                "whose scales depend on the weights"
            )
        if self.compatible or self.dla is not None:
            other = "compatible" if self.compatible else f"dla {self.dla}"
            raise ValueError(f"refit: expected without compatible and dla, got {other}")

    def _check_dla(self, core: int) -> None:
        if not 0 <= core < _DLA_CORES:
            raise ValueError(f"dla: expected 0 to {_DLA_CORES - 1}, got {core}")
        if (self.runtime, self.precision) != ("tensorrt", "fp16"):
            raise ValueError(
                f"dla: expected with tensorrt and fp16, got {self.runtime} and {self.precision}"
            )
        if self.batch not in (None, 1):
            raise ValueError(f"dla: expected with batch 1, got {self.batch}")
