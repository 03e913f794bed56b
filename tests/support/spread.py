"""Distribution of test files among processes."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from tests.support import ROOT
from tests.support.late import UNREAD, note

# The folders of a row are one process's: a browser is started once, and PyTorch, TensorFlow and
# TensorRT, which take seconds to import and to warm up, are loaded once.
TOGETHER = (
    ("tests/browser/",),
    (
        "tests/engines/convert/",
        "tests/training/",
        "tests/engines/decoders/test_decoder_grid_net.py",
    ),
    ("tests/engines/builder/",),
)

# Marks of files that take several times as long as others: begun late, one process would work on
# it alone.
LONG = re.compile(r"\bmark\.(slow|e2e|rtsp|timeout)\b")
LAST_LONG = 0.8  # of the run, after which only short files begin


def together(path: str) -> tuple[str, ...] | None:
    """Return the row of ``TOGETHER`` that a file is of, by its path from the project's root."""
    return next((each for each in TOGETHER if path.startswith(each)), None)


def put_in_order(items: list[pytest.Item]) -> None:
    """Spread the files of each room over the whole run.

    What waits then runs beside what computes. Folders that one process runs begin one after another
    in the first two thirds, the browser's first. The end is left to short files.
    """
    files = sorted({item.path for item in items})
    rooms: dict[str, list[Path]] = {}
    for file in files:
        rooms.setdefault(file.relative_to(ROOT / "tests").parts[0], []).append(file)
    share = {file: i / len(room) for room in rooms.values() for i, file in enumerate(room)}
    for file in files:
        if folders := together(file.relative_to(ROOT).as_posix()):
            share[file] = TOGETHER.index(folders) / len(TOGETHER) * 2 / 3
        elif LONG.search(file.read_text(encoding="utf-8")):
            share[file] *= LAST_LONG
    items.sort(key=lambda item: (share[item.path], item.path))


class Spread(LoadFileScheduling):
    """Gives each process one file after another; those of a row of ``TOGETHER`` are one."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        self._begun: dict[str, list[str]] = {}  # by the path of a file: its tests, in turn
        self._ended = 0

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Keep what a process would have died of."""
        self._begun.setdefault(nodeid.split("::", maxsplit=1)[0], []).append(nodeid)

    def mark_test_complete(
        self, node: WorkerController, item_index: int, duration: float = 0
    ) -> None:
        """Give a process its next file, and say how far the run is by files.

        Nobody knows how many tests there will be, as files are read late.
        """
        super().mark_test_complete(node, item_index, duration)
        self._ended += 1
        plugins = self.config.pluginmanager
        terminal, session = (plugins.get_plugin(name) for name in ("terminalreporter", "session"))
        if terminal and session and self.collection:
            all_files = len(self.collection)
            session.testscollected = terminal.reported_progress * all_files // self._ended

    def _split_scope(self, nodeid: str) -> str:
        folders = together(nodeid)
        return folders[0] if folders else super()._split_scope(nodeid)

    def schedule(self) -> None:
        """Share out files; also to a process that takes the place of one that died.

        A process holds a test back until it knows the next one or that there is none: xdist 3.8
        gives the new one a single file. Where that has a single test, nothing is reported of it,
        and the process is given nothing more.
        """
        super().schedule()
        for node in self.nodes:
            if self._pending_of(self.assigned_work[node]) < 2:
                self._reschedule(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node not in self.registered_collections:  # it is given work when it knows the tests
            return
        # One to run and one to hold back; xdist would hold back two, behind what may take long.
        if not self.workqueue or self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Give a process a file; ``remove_node`` takes it back from one that has just died."""
        with suppress(OSError):  # it cannot be sent
            super()._assign_work_unit(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """Share out what a process that ended left; return the test that it died of, if any.

        xdist 3.8 shares out its finished files too. A process that is given one has nothing to
        run, reports nothing and is given nothing more, and the run never ends. It also runs the
        test again that ended the process.
        """
        died_of = None
        for scope, unit in self.assigned_work.pop(node).items():
            left = {name: False for name, done in unit.items() if not done}
            if left and died_of is None:
                died_of = self._take_out(left)
            if left:
                self.workqueue[scope] = left
        for other in self.assigned_work:
            self._reschedule(other)
        return died_of

    def _take_out(self, left: dict[str, bool]) -> str:
        """Return the test that a process died of, and take it out of what it left.

        What follows it in a file that was read late is run by the next process that reads the file.
        Where no test had begun, reading the file ended the process: all of it is taken out.
        """
        first = next(iter(left))
        path, _, name = first.partition("::")
        if name == UNREAD and (begun := self._begun.pop(path, [])):
            note(self.config._tmp_path_factory.getbasetemp(), path, begun)
            return begun[-1]
        del left[first]
        self._ended += 1
        return first
