"""``mirante up --gpus``: which GPUs, which cameras, and processes that are kept each on its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pynvml
import pytest

from pipeline.config.settings import Settings
from pipeline.worker.gpu_workers import plans_of, run_gpu_workers
from pipeline.worker.gpus import VISIBLE, Gpu, chosen_gpus
from pipeline.worker.kept_processes import KeptProcess, Plan
from pipeline.worker.load import space_of
from pipeline.worker.shares import shared_out
from tests.support.outcome import Run

READY = "import os, socket, sys, time\nfrom pipeline.service import tell\ntell('READY=1')\n"
SOON = (0.01, 0.05)


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that tells of three GPUs."""
    monkeypatch.delenv(VISIBLE, raising=False)
    fakes = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 3,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}{handle}",
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(pynvml, name, fake)


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.mark.usefixtures("three_gpus")
def test_gpus_are_chosen_by_their_number_or_all() -> None:
    assert chosen_gpus("all") == [Gpu(0, "GPU-00"), Gpu(1, "GPU-11"), Gpu(2, "GPU-22")]
    assert chosen_gpus("2,0") == [Gpu(2, "GPU-22"), Gpu(0, "GPU-00")]


def test_gpus_that_this_process_may_not_use_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "GPU-7, MIG-8")
    assert chosen_gpus("all") == [Gpu(0, "GPU-7"), Gpu(1, "MIG-8")]
    monkeypatch.setenv(VISIBLE, "")
    with pytest.raises(ValueError, match="CUDA_VISIBLE_DEVICES leaves none"):
        chosen_gpus("all")


@pytest.mark.usefixtures("three_gpus")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'expected all, or numbers such as 0,2, got ""'),
        ("0;1", 'expected all, or numbers such as 0,2, got "0;1"'),
        ("-1", 'got "-1"'),
        ("3", "3 — expected one of this machine's GPUs, 0 to 2"),
        ("1,1", "1 is there twice"),
    ],
)
def test_gpus_that_are_none_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chosen_gpus(text)


def test_a_machine_without_a_gpu_is_told(mirante: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("cameras: {}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VISIBLE, "-1")
        status, _, err = mirante("up", str(tmp_path / "c.yaml"), "--gpus", "all")
    assert status == 2
    assert "--gpus: all — this machine has no NVIDIA GPU" in err


def test_cameras_are_shared_out_evenly_and_sessions_stay_whole() -> None:
    settings = Settings.model_validate(
        {
            "cameras": {
                **{f"drawn-{n}": {"url": "test://"} for n in range(3)},
                **{f"door-{n}": {"url": "rtsp://h/door"} for n in range(3)},
                "yard": {"url": "rtsp://h/yard"},
            }
        }
    )
    shares = shared_out(settings.cameras, 2)
    assert shares[0] == ["door-0", "door-1", "door-2", "yard"]
    assert shares[1] == ["drawn-0", "drawn-1", "drawn-2"]
    assert shared_out({}, 2) == [[], []]


def test_each_worker_has_its_gpu_its_name_and_a_port() -> None:
    settings = Settings.model_validate(
        {"worker": "east", "cameras": {"a": {"url": "test://"}, "b": {"url": "test://"}}}
    )
    gpus = [Gpu(0, "GPU-00"), Gpu(2, "GPU-22")]
    plans = list(plans_of(settings, gpus, Path("c.yaml"), True, "redis://127.0.0.1:1"))
    assert [plan.name for plan in plans] == ["east-0", "east-2"]
    assert plans[1].variables == {
        VISIBLE: "GPU-22",
        "MIRANTE_WORKER": "east-2",
        "MIRANTE_DASHBOARD__PORT": "null",
        "MIRANTE_METRICS__PORT": "9466",
        "MIRANTE_REDIS__URL": "redis://127.0.0.1:1",
    }
    assert list(plans[1].command)[-5:] == ["up", "c.yaml", "--share", "b", "--standby"]
    settings = Settings.model_validate({"fleet": {"join": True}})
    shares = [
        float(plan.variables["MIRANTE_FLEET__CORES"])
        for plan in plans_of(settings, gpus, Path("c.yaml"))
    ]
    assert sum(shares) == pytest.approx(space_of(0.0).free, abs=0.01)


@contextmanager
def kept(program: str, silent_s: float | None = None, **variables: str) -> Iterator[KeptProcess]:
    plan = Plan("main-0", [sys.executable, "-c", program], variables)
    with KeptProcess(plan, silent_s, SOON) as process:
        yield process


def heard(process: KeptProcess) -> bool:
    process.listen()
    return process.is_ready


def test_a_worker_that_ends_is_started_again_and_ends_on_request() -> None:
    with kept(READY + "time.sleep(600)") as process:
        until(lambda: heard(process))
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: heard(process) and process.pid not in (None, first))
        second = process.pid
        assert second is not None
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_a_configuration_that_is_refused_is_not_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with kept("import sys; sys.exit(2)") as process:
        until(lambda: process.is_refused)
        assert process.pid is None
    with kept(READY + "sys.exit(2)") as process:
        # It was ready, so something else is wrong with it, though nobody listened before it ended.
        until(lambda: "ended with status 2; it starts again" in caplog.text)
        assert process.was_ready


def test_a_fleet_s_worker_is_given_its_file_each_time_and_is_not_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = os.memfd_create("worker.yaml")
    os.write(file, b"13")
    program = "import sys; sys.exit(int(open(sys.argv[1]).read()) - 11)"
    plan = Plan("a", [sys.executable, "-S", "-c", program, f"/proc/self/fd/{file}"], {}, (file,))
    with KeptProcess(plan, pause_s=SOON, gives_up=False) as process:
        until(lambda: caplog.text.count("worker a ended with status 2; it starts again") > 1)
        assert not process.is_refused
    os.close(file)


def test_a_worker_that_hangs_is_killed(caplog: pytest.LogCaptureFixture) -> None:
    with kept(READY + "time.sleep(600)", silent_s=0.2) as process:
        until(lambda: heard(process))
        first = process.pid
        until(lambda: heard(process) and process.pid not in (None, first))
    assert "worker main-0 has said nothing for" in caplog.text


@pytest.mark.redis
@pytest.mark.slow
def test_two_workers_share_a_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path
) -> None:
    """Real workers, of GPUs that are none: this machine's cameras run on its processor."""
    from mirante.keys import lease_key
    from pipeline.control.registry import Registry, connect
    from pipeline.worker.redis_server import RedisServer

    del home
    config = tmp_path / "c.yaml"
    drawn = "{url: 'test://?size=160x96&fps=1', stages: []}"
    cameras = ", ".join(f"{name}: {drawn}" for name in "abcd")
    with RedisServer(port=0) as server, connect(server.url) as client:
        config.write_text(
            f"{{redis: {{url: '{server.url}'}}, metrics: {{port: null}}, "
            f"dashboard: {{port: null}}, cameras: {{{cameras}}}}}"
        )
        from pipeline.config.load import load_settings

        Registry(client, settings=load_settings(config)).publish_config()  # of ``mirante up``
        monkeypatch.setattr("pipeline.worker.gpu_workers.heartbeat", lambda: ready.append)
        ready: list[object] = []
        stop, statuses = threading.Event(), list[int]()
        gpus = [Gpu(0, "GPU-00"), Gpu(1, "GPU-11")]
        settings = load_settings(config)
        run = threading.Thread(
            target=lambda: statuses.append(run_gpu_workers(settings, gpus, config, stop=stop))
        )
        run.start()
        try:
            until(lambda: ready or not run.is_alive(), 100)
            until(lambda: {e.worker for e in Registry(client).cameras().values()} == NAMES, 100)
            entries = Registry(client).cameras()
        finally:
            stop.set()
            run.join()
        assert statuses == [0]
        assert sorted(entries) == ["a", "b", "c", "d"]
        assert [name for name in NAMES if client.exists(lease_key(name))] == []


NAMES = {"main-0", "main-1"}
