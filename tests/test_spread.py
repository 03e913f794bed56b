"""A run of tests goes on after a process of it ended."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import ROOT
from tests.support.spread import Spread

FILES = 8


@dataclass(eq=False)
class Process:
    """A process as a scheduler knows it, and the tests that it was given."""

    given: list[int] = field(default_factory=list)
    shutting_down: bool = False
    is_dead: bool = False
    gateway: Any = field(default_factory=lambda: SimpleNamespace(id="gw"))

    def send_runtest_some(self, indices: list[int]) -> None:
        if self.is_dead:
            raise OSError("cannot send (already closed?)")
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.mark.parametrize("is_dead", [False, True])
def test_what_a_dead_process_left_is_given_to_the_next(is_dead: bool) -> None:
    """It is given two tests: with one it waits for another, and reports nothing."""
    files = enumerate(("abc", "abc", "ab"))
    tests = [f"test_{file}.py::{name}" for file, names in files for name in names]
    one, dying, replacing = (Process() for _ in range(3))
    option = SimpleNamespace(loadscopereorder=False)
    config: Any = SimpleNamespace(getvalue=lambda _: ["2*popen"], option=option)
    spread = Spread(config)
    nodes: list[Any] = [one, dying, replacing]
    for node in nodes[:2]:
        spread.add_node(node)
        spread.add_node_collection(node, tests)
    spread.schedule()
    assert (one.given, dying.given) == ([0, 1, 2], [3, 4, 5])
    dying.is_dead = is_dead  # before its first report is read, or after
    spread.mark_test_complete(nodes[1], 3)
    assert dying.given == ([3, 4, 5] if is_dead else [3, 4, 5, 6, 7])
    spread.mark_test_complete(nodes[0], 0)
    assert one.shutting_down, "no file is left for it"
    spread.add_node(nodes[2])  # for another that died; it does not know the tests yet
    assert spread.remove_node(nodes[1]) == tests[4]
    assert replacing.given == []
    spread.add_node_collection(nodes[2], tests)
    spread.schedule()
    assert replacing.given == [5, 6, 7]
    assert one.given == [0, 1, 2]


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
