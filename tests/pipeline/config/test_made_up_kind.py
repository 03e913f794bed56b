"""A stage kind needs one row in the table of kinds: everything else is made from it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.redis


def test_a_made_up_kind_is_found_everywhere() -> None:
    """In a process of its own, whose table has the row before anything else is imported."""
    run = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.tally_row"]
    done = subprocess.run(
        [*run, "-p", "no:cacheprovider", "tests/support/tally_places.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
