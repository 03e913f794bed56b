"""What workers of tests report, they report once, and not each second."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports outlive a test that has no turn for seconds on a busy machine."""
    monkeypatch.setattr("pipeline.control.reports.KEPT_MS", 600_000)
