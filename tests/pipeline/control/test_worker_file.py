from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.control.worker_file import WorkerFile, folder, live_worker, redis_address


def test_order_in_which_redis_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert redis_address() == "redis://127.0.0.1:6379"
    with WorkerFile("main", "redis://worker"):
        assert redis_address() == "redis://worker"
        monkeypatch.setenv("MIRANTE_REDIS__URL", "redis://service")
        (tmp_path / "password").write_text("hunter2\n")
        monkeypatch.setenv("MIRANTE_REDIS__PASSWORD_FILE", str(tmp_path / "password"))
        assert redis_address() == "redis://:hunter2@service"
        monkeypatch.setenv("MIRANTE_REDIS_URL", "redis://variable")
        assert redis_address() == "redis://variable"
        assert redis_address("redis://option") == "redis://option"
    assert live_worker() is None


def test_of_several_workers_the_named_one_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    with WorkerFile("yard", "redis://yard"), WorkerFile("main", "redis://main"):
        assert redis_address(worker="yard") == "redis://yard"
        assert redis_address(worker="main") == "redis://main"
        assert redis_address(worker="ya*") == redis_address()
        assert redis_address("redis://option", "yard") == "redis://option"
        monkeypatch.setenv("MIRANTE_REDIS_URL", "redis://variable")
        assert redis_address(worker="yard") == "redis://variable"


def test_only_its_owner_can_read_it() -> None:
    with WorkerFile("main", "redis://me:hunter2@h"):
        file = folder() / "worker-main.json"
        assert file.stat().st_mode & 0o777 == 0o600
        assert json.loads(file.read_text())["redis"] == "redis://me:hunter2@h"


def test_a_worker_that_was_killed_does_not_count() -> None:
    code = (
        "import os; from pipeline.control.worker_file import WorkerFile\n"
        "WorkerFile('main', 'redis://dead').__enter__(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (folder() / "worker-main.json").exists()
    assert live_worker() is None
    with WorkerFile("other", "redis://alive"):
        assert live_worker() == "redis://alive"


def test_a_second_worker_leaves_the_file_to_the_first() -> None:
    with WorkerFile("main", "redis://first"):
        with WorkerFile("main", "redis://second"):
            assert live_worker() == "redis://first"
        assert live_worker() == "redis://first"
    with WorkerFile("main", "redis://third"):
        assert live_worker() == "redis://third"
    assert live_worker() is None


def test_a_worker_that_starts_waits_for_readers() -> None:
    with WorkerFile("main", "redis://first"):
        pass
    with (folder() / "worker-main.json").open() as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)  # as a reader's probe
        assert live_worker() is None, "a reader is taken for a worker"
        threading.Timer(0.2, fcntl.flock, (reader, fcntl.LOCK_UN)).start()
        with WorkerFile("main", "redis://second"):
            assert live_worker() == "redis://second"


def test_no_address_is_left_behind() -> None:
    with WorkerFile("main", "redis://me:hunter2@h"):
        pass
    assert "hunter2" not in "".join(file.read_text() for file in folder().iterdir())


@pytest.mark.parametrize(
    ("folder_", "reason"),
    [("/proc/here", "No such file or directory"), ("/dev/null", "Not a directory")],
)
def test_a_worker_runs_where_it_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, folder_: str, reason: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder_)
    with WorkerFile("main", "redis://worker"):
        assert live_worker() is None
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        f"{folder_}/mirante/worker-main.json cannot be written: {reason}; commands on this machine "
        "need --redis or MIRANTE_REDIS_URL"
    )


def test_a_user_without_a_home_has_no_file(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr("mirante.home.NOWHERE", Path("/dev/null"))
    with WorkerFile("main", "redis://worker"):
        pass
    assert "/dev/null/.cache/mirante/run/worker-main.json cannot be written" in caplog.text


def test_a_worker_of_a_service_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = tmp_path / "run-mirante"
    monkeypatch.setattr("pipeline.control.worker_file.SERVICES", service)
    with monkeypatch.context() as unit:
        unit.delenv("XDG_RUNTIME_DIR")
        unit.setenv("RUNTIME_DIRECTORY", str(service))
        file = WorkerFile("street", "redis://service").__enter__()
    assert live_worker() == "redis://service"
    file.__exit__(None, None, None)
    assert live_worker() is None
