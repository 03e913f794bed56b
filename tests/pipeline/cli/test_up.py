"""``mirante up`` as a process: a synthetic camera, cameras added at run time, a clean end."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.control.worker_file import live_worker
from tests.support.outcome import Run

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SMALL = "test://?size=320x180&fps=2"
CONFIG = f"""
metrics: {{port: 0}}
dashboard: {{port: null}}
log: {{format: json}}
cameras:
  yard:
    url: {SMALL}
    stages: [{{model: test-boxes}}, {{model: test-lane}}]
"""


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


class Worker:
    """A worker in a process of its own, its log in a file."""

    def __init__(self, folder: Path) -> None:
        self.log_file = folder / "log.jsonl"
        file = folder / "mirante.yaml"
        file.write_text(CONFIG)
        code = "from pipeline.cli import main; main()"
        with self.log_file.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, "up", str(file)], stderr=log, stdout=log
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def fetch(self, path: str) -> str:
        found = re.search(r"http://127.0.0.1:\d+", self.log)
        assert found
        try:
            with urllib.request.urlopen(found[0] + path, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.code}: {error.read().decode()}"

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    running = Worker(tmp_path)
    try:
        wait_for(lambda: '"camera yard: running' in running.log or running.process.poll())
        assert running.process.poll() is None, running.log
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def state_of(camera: str, listing: str) -> str:
    row = next(
        (re.split("  +", line) for line in listing.splitlines() if line.startswith(camera)), []
    )
    return row[1] if row else "none"


def test_cameras_come_and_go_while_it_runs(worker: Worker, mirante: Run, tmp_path: Path) -> None:
    check_metrics(worker)
    url = "rtsp://admin:hunter2@127.0.0.1:9/x"
    assert mirante("camera", "add", "gate", url).status == 0
    assert mirante("camera", "add", "shed", SMALL, "--model", "test-boxes").status == 0
    wait_for(lambda: state_of("shed", mirante("camera", "list").out) == "running")
    wait_for(lambda: state_of("gate", mirante("camera", "list").out) in {"reconnecting", "failed"})
    seen = mirante("tail", "shed", "--count", "2", "--pictures", "0")
    assert len(re.findall(r"1 red \(1.00\), 1 green \(1.00\), 1 blue \(1.00\)", seen.out)) == 2
    assert mirante("camera", "remove", "gate").status == 0
    wait_for(lambda: '"camera gate: stopped' in worker.log)
    assert worker.log.count('"camera yard: connecting') == 1, "another camera was touched"
    check_second_worker(worker, mirante, tmp_path / "second.yaml")
    assert worker.end(signal.SIGINT) == 0
    assert live_worker() is None
    assert "hunter2" not in worker.log
    assert [json.loads(line)["level"] for line in worker.log.splitlines()]


def check_metrics(worker: Worker) -> None:
    """Frames balance, and it says that it is ready."""
    assert worker.fetch("/livez") == "alive\n"
    wait_for(lambda: worker.fetch("/readyz") == "ready\n")
    text = worker.fetch("/metrics")
    counts = {
        name: sum(
            map(float, re.findall(rf"^mirante_frames_{name}{{.*}} (.*)$", text, re.MULTILINE))
        )
        for name in (
            "decoded_total",
            "published_total",
            "dropped_total",
            "failed_total",
            "in_flight",
        )
    }
    decoded = counts.pop("decoded_total")
    assert decoded == sum(counts.values()) > 0


def check_second_worker(worker: Worker, mirante: Run, config: Path) -> None:
    """Another of the name is refused."""
    address = live_worker()
    assert address
    config.write_text(f"{CONFIG}redis: {{url: '{address}'}}\n")
    second = mirante("up", str(config))
    assert second.status == 1
    assert f'worker "main" runs already: process {worker.process.pid} on' in second.err
    assert "Traceback" not in second.err
    assert live_worker() == address, "commands no longer find the first worker"
