"""A run of tests reads their files late, and goes on after a process of it ended."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import ROOT
from tests.support.spread import LONG, Spread, put_in_order

FILES = 8
CONFTEST = """
from tests.support import spread
from tests.support.late import ReadLate, is_late

def pytest_configure(config):
    if is_late(config):
        config.pluginmanager.register(ReadLate(lambda files: None))

def pytest_xdist_make_scheduler(config, log):
    made = spread.Spread(config, log)
    config.pluginmanager.register(made)
    return made
"""


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
    told = SimpleNamespace(reported_progress=6, testscollected=0)
    plugins = SimpleNamespace(get_plugin=lambda _: told)
    config: Any = SimpleNamespace(
        getvalue=lambda _: ["2*popen"], option=option, pluginmanager=plugins
    )
    spread = Spread(config)
    nodes: list[Any] = [one, dying, replacing]
    for node in nodes[:2]:
        spread.add_node(node)
        spread.add_node_collection(node, tests)
    spread.schedule()
    assert (one.given, dying.given) == ([0, 1, 2], [3, 4, 5])
    dying.is_dead = is_dead  # before its first report is read, or after
    spread.mark_test_complete(nodes[1], 3)
    assert dying.given == [3, 4, 5], "one to run and one to hold back"
    spread.mark_test_complete(nodes[1], 4)
    assert dying.given == ([3, 4, 5] if is_dead else [3, 4, 5, 6, 7])
    spread.mark_test_complete(nodes[0], 0)
    assert one.shutting_down, "no file is left for it"
    spread.add_node(nodes[2])  # for another that died; it does not know the tests yet
    assert told.testscollected == 6 * len(tests) // 3, "as many more for what is not ended"
    assert spread.remove_node(nodes[1]) == tests[5]
    assert replacing.given == []
    spread.add_node_collection(nodes[2], tests)
    spread.schedule()
    assert replacing.given == [6, 7]
    assert one.given == [0, 1, 2]


def test_a_run_ends_with_short_files() -> None:
    files: list[Any] = [SimpleNamespace(path=p) for p in (ROOT / "tests").rglob("test_*.py")]
    put_in_order(files)
    long = [bool(LONG.search(file.path.read_text())) for file in files]
    assert any(long)
    assert not any(long[-len(files) // 10 :])


BODY = """
import os
print('read', __name__, file=open('read.txt', 'a'))
def test_a(): pass
def test_b(): pass
"""


def run(folder: Path, *arguments: str, processes: int = 2) -> str:
    """Return what a run of so many processes says; it must have failed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-n", str(processes), "-rs", *arguments],
        env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One of files of tests that are read late."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for file in range(FILES):
        (tmp_path / f"test_{file}.py").write_text(BODY)
    return tmp_path


@pytest.mark.slow
def test_a_run_reads_files_late_and_ends_though_processes_of_it_died(folder: Path) -> None:
    """Each file is read once and by one process, and -m and -k are for its tests. What follows a
    test that ends its process runs in another one.
    """
    (folder / "test_0.py").write_text(BODY + "def test_never(): assert False\n")
    (folder / "test_4.py").write_text(BODY + "os._exit(3)\n")
    (folder / "test_5.py").write_text(BODY + "def test_c(): os._exit(3)\ndef test_d(): pass\n")
    (folder / "test_6.py").write_text(
        BODY + "import pytest\npytest.skip('no 6', allow_module_level=True)\n"
    )
    (folder / "test_7.py").write_text(BODY + "raise ValueError('bad 7')\n")
    (folder / "test_8.py").write_text("def test_never(): assert False\n")
    said = run(folder, "-k", "not never")
    for test in ("test_4.py::all its tests", "test_5.py::test_c"):
        assert f"crashed while running '{test}'" in said
    assert "no 6" in said
    assert "ValueError: bad 7" in said
    assert f"2 failed, {2 * 4 + 3} passed, 1 skipped, 1 error" in said
    read = (folder / "read.txt").read_text().splitlines()
    assert sorted(read) == sorted([*(f"read test_{file}" for file in range(FILES)), "read test_5"])


@pytest.mark.slow
def test_last_failed_and_named_tests_run_alone(folder: Path) -> None:
    (folder / "test_3.py").write_text(BODY + "def test_fails(): assert False\n")
    named = ("test_3.py::test_fails", "test_1.py::test_a")
    assert "1 failed, 1 passed in" in run(folder, *named, processes=1)
    assert "1 failed in" in run(folder, "--lf", processes=1)
