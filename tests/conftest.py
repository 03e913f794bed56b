"""What tests of every room may ask for."""

from __future__ import annotations

import gc
import logging
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from engines.store.models import default_mirror
from pipeline.cli.app import run
from pipeline.config import choosing
from pipeline.worker.redis_server import RedisServer
from tests.support import MEASURES, ROOT
from tests.support.outcome import Outcome, Run
from tests.support.spread import TOGETHER, Spread, together

if "PYTEST_XDIST_WORKER" in os.environ:  # cores are shared: threads of OpenMP would spin
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No worker measures in the background which runtime is fastest, but where a test is about that.
os.environ[MEASURES] = "null"
# No test fetches a file from elsewhere: the address is refused at once, with a network or without.
os.environ |= {"https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1,localhost"}


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run tests: two a core, as tests wait for half of their time; fewer
    where memory is small, as each comes to hold PyTorch, TensorFlow and OpenVINO.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(2 * (os.cpu_count() or 1), 8, memory // (2 << 30)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    """Return what shares the files out."""
    return Spread(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from what reading the tests makes, all of which stays.

    It would look through all tests again and again while they are read, and through them and
    PyTorch each time that much is made after.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let each process of a run begin to read a folder at another file.

    What first reads a file of tests compiles it, and keeps that for the others: processes that read
    in step would each compile all files.
    """
    report = yield
    if "PYTEST_XDIST_WORKER" in os.environ and isinstance(collector, pytest.Directory):
        found = report.result
        process = int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw"))
        first = len(found) * process // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
        report.result = found[first:] + found[:first]
    return report


SERVERS = {
    "redis_server": "redis",
    "new_server": "rtsp",
}  # fixtures, and how their tests are marked


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, and spread the files of each room over the whole run.

    What waits then runs beside what computes. Folders that one process runs begin one after another
    in the first two thirds, the browser's first.
    """
    files = sorted({item.path for item in items})
    rooms: dict[str, list[Path]] = {}
    for file in files:
        rooms.setdefault(file.relative_to(ROOT / "tests").parts[0], []).append(file)
    share = {file: i / len(room) for room in rooms.values() for i, file in enumerate(room)}
    for file in files:
        if folder := together(file.relative_to(ROOT).as_posix()):
            share[file] = TOGETHER.index(folder) / len(TOGETHER) * 2 / 3
    items.sort(key=lambda item: (share[item.path], item.path))
    for item in items:
        for fixture in SERVERS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(SERVERS[fixture])


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: a shell ignores it for what runs in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _nothing_chosen() -> None:
    """What cameras without stages run is chosen anew in each test, as in a process of its own."""
    choosing._begun.clear()


@pytest.fixture
def as_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """``engine.runtime`` is what a configuration says, and auto by default."""
    monkeypatch.delenv(MEASURES, raising=False)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user who has run nothing yet, on a machine without variables of ours."""
    for name in [name for name in os.environ if name.upper().startswith("MIRANTE_")]:
        if name != MEASURES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path / "home"


@pytest.fixture
def weights(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of public weights; skips the test where there is none."""
    monkeypatch.undo()
    folder = default_mirror()
    if folder is None or not folder.is_dir():
        pytest.skip("no public weights: set MIRANTE_MODEL_MIRROR to a folder that holds them")
    monkeypatch.setenv("MIRANTE_HOME", str(home))
    monkeypatch.setenv("MIRANTE_MODEL_MIRROR", str(folder))
    return folder


@pytest.fixture
def mirante(home: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs one command in this process."""
    del home
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def call(*arguments: str) -> Outcome:
        capfd.readouterr()
        status = run(list(arguments))
        return Outcome(status, *capfd.readouterr())

    yield call
    for handler in set(root.handlers) - set(handlers):  # what logs into an output that is closed
        root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole run, for what one of its processes makes for all."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """The server of the whole run."""
    with RedisServer(port=0) as server:
        yield server


@pytest.fixture
def redis_server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    """An empty server: that of the run, or one of the test's own where it is marked own_redis."""
    if request.node.get_closest_marker("own_redis"):
        with RedisServer(port=0) as server:
            yield server
        return
    server = request.getfixturevalue("shared_redis")
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    yield server
