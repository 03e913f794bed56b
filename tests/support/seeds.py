"""Seeds of tests by chance."""

from __future__ import annotations

from typing import Any

import pytest


def seeds(few: int, of: int) -> list[Any]:
    """Return some for each run; those beyond are tried with ``--full`` alone."""
    more = [pytest.param(seed, marks=pytest.mark.full) for seed in range(few, of)]
    return [*range(few), *more]
