"""A machine so busy that a worker's reports, and answers of Redis, come late."""

from __future__ import annotations

import pytest

from pipeline.control.registry import connect


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports, which tests make once, stay; a Redis that has no turn for seconds is not away."""
    monkeypatch.setattr("pipeline.control.reports.KEPT_MS", 600_000)
    monkeypatch.setattr(connect, "__defaults__", (60.0,))
