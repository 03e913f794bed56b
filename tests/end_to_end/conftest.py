"""The whole line as processes of its own, on a Redis of its own."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engines.store.models import default_mirror
from pipeline.worker.redis_server import RedisServer
from tests.support import MEASURES, ROOT, ports

Process = subprocess.Popen[str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    return redis_server.url


@pytest.fixture(scope="session")
def registry(run_folder: Path) -> Path:
    """What GStreamer knows of its plugins: asked for once a run, as a user's machine does."""
    return run_folder / "registry.bin"


@pytest.fixture
def environment(tmp_path: Path, registry: Path) -> dict[str, str]:
    """A user's, in the project's folder, with the venv first on PATH and no variables of ours."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MIRANTE_")}
    return clean | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GST_PLUGIN_PATH": "plugins",
        "GST_REGISTRY": str(registry),
        "MIRANTE_HOME": str(tmp_path / "home"),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "MIRANTE_DASHBOARD__PORT": "null",  # the tests that want one say so
        MEASURES: "null",
        "NO_COLOR": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONPATH": f"{ROOT / 'docs/examples'}:{ROOT}",
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command in the project's folder to its end; after ``timeout_s`` the test fails."""

    def call(
        *words: str | Path, timeout_s: float = 90, **more: str
    ) -> subprocess.CompletedProcess[str]:
        with subprocess.Popen(
            words,
            cwd=ROOT,
            env=environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGABRT)  # each Python says where it is
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=3)
                os.killpg(process.pid, signal.SIGKILL)  # a shell's children hold the pipes
                out, err = process.communicate(timeout=10)
                command = shlex.join(map(str, words))
                pytest.fail(f"not ended after {timeout_s} s: {command}\n{out}{err}")
            finally:
                process.kill()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    return call


@pytest.fixture
def started(environment: dict[str, str]) -> Iterator[Callable[..., Process]]:
    """Starts a command that runs until the test ends."""
    processes: list[Process] = []

    def start(*words: str | Path, **more: str) -> Process:
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=10)


@pytest.fixture
def weights() -> str:
    """The folder of public weights."""
    mirror = default_mirror()
    if mirror is None:
        pytest.skip("the public weights are not here (MIRANTE_MODEL_MIRROR)")
    return str(mirror)


@pytest.fixture
def clips() -> Path:
    """The folder of real clips."""
    folder = ROOT.parent / "shared/clips"
    if not folder.is_dir():
        pytest.skip("the real clips are not here (shared/clips beside the checkout)")
    return folder


@pytest.fixture
def free_port() -> int:
    return ports.free_port()
