"""A kind of stage or source needs one row in its table: everything else is made from it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = [pytest.mark.redis, pytest.mark.timeout(280)]


def test_made_up_rows_are_found_everywhere() -> None:
    """In a process of its own, whose tables have them before anything else is imported."""
    places = ("tests/support/tally_places.py", "tests/support/made_up_source_places.py")
    run = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.made_up_rows"]
    done = subprocess.run(
        [*run, "-p", "no:cacheprovider", *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
