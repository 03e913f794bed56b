"""Distribution of test files among processes."""

from __future__ import annotations

from contextlib import suppress

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# Each is one process's: a browser is started once, and PyTorch, TensorFlow and TensorRT, which take
# seconds to import and to warm up, are loaded once.
TOGETHER = (
    "tests/browser/",
    "tests/engines/builder/",
    "tests/engines/convert/",
    "tests/training/",
)


def together(path: str) -> str | None:
    """Return the folder of ``TOGETHER`` that a file is in, by its path from the project's root."""
    return next((each for each in TOGETHER if path.startswith(each)), None)


class Spread(LoadFileScheduling):
    """Gives each process one file after another; those of a folder in ``TOGETHER`` are one."""

    def _split_scope(self, nodeid: str) -> str:
        return together(nodeid) or super()._split_scope(nodeid)

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
        if node in self.registered_collections:  # else it is given work when it knows the tests
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
                died_of = next(iter(left))
                del left[died_of]
            if left:
                self.workqueue[scope] = left
        for other in self.assigned_work:
            self._reschedule(other)
        return died_of
