from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pipeline.worker_file import WorkerFile, folder, live_worker, redis_address


def test_order_in_which_redis_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert redis_address() == "redis://127.0.0.1:6379"
    with WorkerFile("main", "redis://worker"):
        assert redis_address() == "redis://worker"
        monkeypatch.setenv("MIRANTE_REDIS_URL", "redis://variable")
        assert redis_address() == "redis://variable"
        assert redis_address("redis://option") == "redis://option"
    assert live_worker() is None


def test_only_its_owner_can_read_it() -> None:
    with WorkerFile("main", "redis://me:hunter2@h"):
        file = folder() / "worker-main.json"
        assert file.stat().st_mode & 0o777 == 0o600
        assert json.loads(file.read_text())["redis"] == "redis://me:hunter2@h"


def test_a_worker_that_was_killed_does_not_count() -> None:
    code = (
        "import os; from pipeline.worker_file import WorkerFile\n"
        "WorkerFile('main', 'redis://dead').__enter__(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (folder() / "worker-main.json").exists()
    assert live_worker() is None
    with WorkerFile("other", "redis://alive"):
        assert live_worker() == "redis://alive"
