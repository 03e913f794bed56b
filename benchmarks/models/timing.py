"""Variants timed side by side, with the machine's peak among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.models.peak import Peak, PeakKey
from benchmarks.models.plan import Variant
from benchmarks.models.rounds import in_turn, ratio
from benchmarks.models.variants import Prepared, Source, prepare


@dataclass(frozen=True, slots=True)
class Row:
    """The cost of one variant.

    Attributes:
        variant: what was timed.
        refusal: why it was not; then nothing else is set.
        call_ms: median over rounds of a call, of ``variant.batch`` images.
        speed: how many times as fast as ONNX Runtime in float32; None where that was not timed.
        share: of the measured peak, 0..1; None where there is none.
        build_s: seconds of building; None where nothing was built.
        bytes: of the engine's file.
        parity: how close its outputs are to those of ONNX Runtime.
    """

    variant: Variant
    refusal: str = ""
    call_ms: float = 0.0
    speed: float | None = None
    share: float | None = None
    build_s: float | None = None
    bytes: int = 0
    parity: str = ""

    @property
    def pictures_s(self) -> float:
        """Images a second, one call behind the other."""
        return 1e3 * self.variant.batch / self.call_ms if self.call_ms else 0.0


def prepare_all(
    sources: Mapping[str, Source], variants: Sequence[Variant], told: Callable[[str], None]
) -> tuple[dict[Variant, Prepared], dict[Variant, str]]:
    """Return the variants that run, and for the others the reason."""
    ready: dict[Variant, Prepared] = {}
    refusals: dict[Variant, str] = {}
    for variant in variants:
        told(" ".join(map(str, variant)))
        try:
            ready[variant] = prepare(sources[variant.model], variant)
        except (ImportError, ValueError, RuntimeError, OSError) as error:
            refusals[variant] = " ".join(str(error).split()) or type(error).__name__
    return ready, refusals


def measure(
    ready: Mapping[Variant, Prepared], peaks: Sequence[Peak], rounds: int
) -> tuple[list[Row], dict[PeakKey, float]]:
    """A row for each variant, and operations a second of the fastest products by what they are of.

    All are timed in turn, in each of the rounds.
    """
    calls: dict[Variant | int, Callable[[], object]] = {
        **{variant: each.call for variant, each in ready.items()},
        **{number: peak.call for number, peak in enumerate(peaks)},
    }
    taken = in_turn(calls, rounds)
    highest: dict[PeakKey, float] = {}
    for number, peak in enumerate(peaks):
        rate = peak.flops / min(taken[number]) * 1e3
        highest[peak.key] = max(rate, highest.get(peak.key, 0.0))
    rows = []
    for variant, each in ready.items():
        reference = taken.get(variant.reference)
        call_ms = median(taken[variant])
        peak_rate = _peak_of(variant, highest)
        rows.append(
            Row(
                variant,
                call_ms=call_ms,
                speed=ratio(taken[variant], reference) if reference else None,
                share=each.flops / call_ms * 1e3 / peak_rate if peak_rate else None,
                build_s=each.made.build_s,
                bytes=each.made.bytes,
                parity=each.parity,
            )
        )
    return rows, highest


def _peak_of(variant: Variant, highest: Mapping[PeakKey, float]) -> float | None:
    """In its own precision where that was measured, else in float32."""
    own, wide = (PeakKey(variant.threads, each) for each in (variant.precision, "fp32"))
    return highest.get(own, highest.get(wide))
