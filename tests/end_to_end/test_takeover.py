"""Two workers of one name, as processes: one is frozen, one is killed, one waits in its place."""

from __future__ import annotations

import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import mirante

Started = Callable[..., Any]
STANDBY = "standby: another worker runs this name"


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


class Logged:
    """A command that writes its log into a file."""

    def __init__(self, started: Started, file: Path, command: str) -> None:
        self.process = started("sh", "-c", f"exec {command} > {file} 2>&1")
        self._file = file

    def log(self) -> str:
        return self._file.read_text() if self._file.exists() else ""


def readiness(log: str) -> str:
    """What ``/readyz`` of the worker answers that logged its address."""
    found = re.search(r"metrics at (http://[\d.:]+)", log)
    assert found
    try:
        with urllib.request.urlopen(f"{found[1]}/readyz", timeout=60) as reply:
            return f"{reply.status} {reply.read().decode()}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"


def test_a_frozen_worker_is_replaced_and_stands_by(
    started: Started, redis_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    cameras = {"gate": {"url": "test://?size=320x180&fps=10", "stages": []}}
    # What the first worker publishes is read in the end, and each takes over when it is time.
    settings: dict[str, Any] = {"redis": {"url": redis_url, "retention": {"detections_s": 600}}}
    settings |= {"metrics": {"port": 0}, "cameras": cameras}
    config.write_text(yaml.safe_dump(settings))
    first = Logged(started, tmp_path / "first.log", f"mirante up {config}")
    wait_for(lambda: "camera gate: running" in first.log())
    second = Logged(started, tmp_path / "second.log", f"mirante up --standby {config}")
    wait_for(lambda: STANDBY in second.log())
    assert readiness(second.log()) == f"503 {STANDBY}\n"
    first.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: "camera gate: running" in second.log())
    wait_for(lambda: readiness(second.log()) == "200 ready\n")
    first.process.send_signal(signal.SIGCONT)
    wait_for(lambda: STANDBY in first.log())
    assert readiness(first.log()) == f"503 {STANDBY}\n"
    second.process.kill()
    wait_for(lambda: first.log().count("camera gate: running") == 2)
    with mirante.subscribe("gate", since="0", redis=redis_url, timeout_s=60.0) as subscription:
        seen: list[mirante.Frame] = []
        for frame in subscription:
            seen.append(frame)
            if len({one.epoch for one in seen}) == 3:
                break
        assert dict(subscription.lost) == {}
    epochs = list(dict.fromkeys(frame.epoch for frame in seen))
    assert [frame.epoch for frame in seen] == sorted(frame.epoch for frame in seen)
    assert len(epochs) == 3
