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
from tests.support import MEASURES
from tests.support.late import ReadLate, is_late
from tests.support.outcome import Outcome, Run
from tests.support.spread import Spread, put_in_order

if "PYTEST_XDIST_WORKER" in os.environ:  # cores are shared: threads of OpenMP would spin
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# No worker measures in the background which runtime is fastest, but where a test is about that.
os.environ[MEASURES] = "null"
# No test fetches a file from elsewhere: the address is refused at once, with a network or without.
os.environ |= {"https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1,localhost"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes run tests: three a core, as tests wait for more than half of their
    time, or two, as quick ones do not; fewer where memory is small, as each may come to hold
    PyTorch, TensorFlow or OpenVINO.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    each = 2 if "not slow" in config.option.markexpr else 3
    return max(1, min(each * (os.cpu_count() or 1), 8, memory // (2 << 30)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread:
    """Return what shares the files out."""
    spread = Spread(config, log)
    config.pluginmanager.register(spread)
    return spread


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


SERVERS = {
    "redis_server": "redis",
    "new_server": "rtsp",
}  # fixtures, and how their tests are marked


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, and spread their files over the run."""
    put_in_order(items)
    for item in items:
        for fixture in SERVERS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(SERVERS[fixture])


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach what tests start: a shell ignores it for what runs in its background.

    A process of a run reads files of tests when their turn comes.
    """
    if is_late(config):
        config.pluginmanager.register(ReadLate(put_in_order))
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
def kernel_home(run_folder: Path) -> Path:
    """A home in which the whole run compiles the kernels of GPUs once."""
    return run_folder / "kernels"


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
