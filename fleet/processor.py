"""Shares of this machine's processor time, between two readings of ``psutil.cpu_times()``."""

from __future__ import annotations

from typing import Any


def busy_share(before: Any, now: Any) -> float:
    """Return the share of all cores that were busy.

    Linux may count time of waiting for a disk back, so that it passes for less than none.
    """
    passed = sum(now) - sum(before)
    return (
        min(1.0, max(0.0, 1 - _of(("idle", "iowait"), before, now) / passed)) if passed > 0 else 0.0
    )


def stolen_share(before: Any, now: Any) -> float:
    """Return the share of the cores' time that the host took, which Linux alone tells."""
    passed = sum(now) - sum(before)
    return _of(("steal",), before, now) / passed if passed > 0 else 0.0


def _of(kinds: tuple[str, ...], before: Any, now: Any) -> float:
    """Return the seconds that passed of some kinds; none of those that are not told."""
    return float(sum(getattr(now, kind, 0.0) - getattr(before, kind, 0.0) for kind in kinds))
