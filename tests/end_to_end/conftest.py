"""The whole line as processes of its own, on a Redis of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from engines.store.models import default_mirror
from pipeline.worker.redis_server import RedisServer
from tests.support import ROOT

Process = subprocess.Popen[str]
TIMED_OUT = (124, 137)  # what timeout(1) ends with


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def redis_url() -> Iterator[str]:
    with RedisServer(port=0) as server:
        yield server.url


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user's, in the project's folder, with the venv first on PATH and no variables of ours."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MIRANTE_")}
    return clean | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GST_PLUGIN_PATH": "plugins",
        "GST_REGISTRY": str(tmp_path / "registry.bin"),
        "MIRANTE_HOME": str(tmp_path / "home"),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "MIRANTE_DASHBOARD__PORT": "null",  # the tests that want one say so
        "NO_COLOR": "1",
        "PYTHONPATH": f"{ROOT / 'docs/examples'}:{ROOT}",
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command in the project's folder to its end."""

    def call(
        *words: str | Path, timeout_s: float = 90, **more: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=ROOT,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return call


@pytest.fixture
def launch(
    run: Callable[..., subprocess.CompletedProcess[str]], redis_url: str
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a gst-launch-1.0 line to its end, up to three times, each on an empty Redis.

    GStreamer 1.22 now and then loses the end: where gst-launch sets PLAYING while decodebin's
    ASYNC_DONE is still being handled on another thread, the pipeline takes itself for not playing,
    keeps its sink's end of stream to itself, and gst-launch waits for ever, all frames done.
    """

    def call(
        *words: str | Path, timeout_s: int = 40, **more: str
    ) -> subprocess.CompletedProcess[str]:
        for _ in range(3):
            with redis.Redis.from_url(redis_url) as client:
                client.flushall()
            ended = ("timeout", "--kill-after=5", str(timeout_s), *words)
            done = run(*ended, timeout_s=timeout_s + 20, **more)
            if done.returncode not in TIMED_OUT:
                break
        return done

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
            process.communicate()


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
