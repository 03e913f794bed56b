"""A run of tests goes on after a process of it ended."""

import subprocess
import sys
from pathlib import Path

from tests.support import ROOT

FILES = 8


def test_a_run_ends_though_a_process_of_it_died(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.support.spread import Spread\n"
        "def pytest_xdist_make_scheduler(config, log):\n    return Spread(config, log)\n"
    )
    for file in range(FILES):
        (tmp_path / f"test_{file}.py").write_text("def test_a(): pass\ndef test_b(): pass\n")
    (tmp_path / "test_5.py").write_text(
        "import os\ndef test_a(): pass\ndef test_b(): os._exit(3)\ndef test_c(): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-n", "2", str(tmp_path)],
        env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "crashed while running 'test_5.py::test_b'" in done.stdout
    assert f"1 failed, {2 * FILES} passed" in done.stdout
