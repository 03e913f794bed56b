"""What every test of an import has."""

from __future__ import annotations

import pytest

from engines.convert import watch


@pytest.fixture(autouse=True)
def without_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine an import takes longer than what it then tells of, on standard error."""
    monkeypatch.setattr(watch, "FIRST_WORD_S", 1e6)
