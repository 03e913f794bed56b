"""Files of tests that a process of a run reads when their turn comes, not all of them at first."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

import pytest

UNREAD = "all its tests"  # no name of a test
_COMPARE = ("lf", "failedfirst", "newfirst", "stepwise")  # options that look at all tests at once


def is_late(config: pytest.Config) -> bool:
    """Return whether a process reads its files late: one of a run in which no tests are named."""
    is_named = any("::" in each for each in config.args)
    is_compared = any(config.getoption(each, False) for each in _COMPARE)
    return hasattr(config, "workerinput") and not is_named and not is_compared


def note(folder: Path, path: str, begun: Iterable[str]) -> None:
    """Note the tests of a file that have begun, for the process that goes on with it.

    Args:
        folder: of the run.
        path: of the file, from the root.
        begun: IDs of the tests; those noted before stay.
    """
    noted = _noted(folder, path)
    noted.parent.mkdir(parents=True, exist_ok=True)
    with noted.open("a") as file:
        file.writelines(f"{each}\n" for each in begun)


def _noted(folder: Path, path: str) -> Path:
    return folder / "begun" / f"{path}.txt"


class Unread(pytest.Item):
    """The tests of a file that is not read yet; xdist shares it out like a test."""

    def read(self) -> list[pytest.Item]:
        """Return the tests of the file that are asked for, without those that ran in a process
        that died.
        """
        *_, folder, _file, _self = self.listchain()
        module = pytest.Module.from_parent(folder, path=self.path)
        gc.disable()  # what is imported stays
        try:
            tests = list(self.session.genitems(module))
        finally:
            gc.enable()
        self.config.hook.pytest_collection_modifyitems(
            session=self.session, config=self.config, items=tests
        )
        noted = _noted(Path(self.config.option.basetemp).parent, self.nodeid.split("::")[0])
        begun = set(noted.read_text().splitlines()) if noted.exists() else set()
        return [test for test in tests if test.nodeid not in begun]

    def runtest(self) -> None:
        raise NotImplementedError("its tests are run")


class UnreadFile(pytest.File):
    """A file in whose place are all its tests."""

    def collect(self) -> list[Unread]:
        return [Unread.from_parent(self, name=UNREAD)]


class ReadLate:
    """The plugin of a process that is given files.

    Args:
        order: puts all files in the order in which they are shared out.
    """

    def __init__(self, order: Callable[[list[pytest.Item]], None]) -> None:
        self._order = order

    @pytest.hookimpl
    def pytest_pycollect_makemodule(
        self, module_path: Path, parent: pytest.Collector
    ) -> UnreadFile:
        return UnreadFile.from_parent(parent, path=module_path)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> bool | None:
        if not isinstance(item, Unread):
            return None
        session = item.session
        place = session.items.index(item)
        tests = item.read()
        if not tests:  # what the file before left for this one
            session._setupstate.teardown_exact(nextitem)
        for number, test in enumerate(tests, 1):
            session.items[place] = test  # xdist looks whether it is what is reported
            following = tests[number] if number < len(tests) else nextitem
            item.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
            if session.shouldfail or session.shouldstop:
                break
        session.items[place] = item
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None]:
        """Leave out no file: -m and -k are for the tests of it."""
        files = [item for item in items if isinstance(item, Unread)]
        yield
        if files:
            items[:] = files
            self._order(items)
