"""Who has a worker's name, and when another may take it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from mirante.keys import lease_key
from pipeline.control import process_identity
from pipeline.control.entries import Desired
from pipeline.control.lease import LeaseTakenError, WorkerLease, is_held, usual
from pipeline.control.process_identity import is_alive, own_identity
from pipeline.control.registry import connect
from pipeline.worker.redis_server import RedisServer

pytestmark = pytest.mark.redis
KEY = lease_key("main")
LASTS_MS = 60_000  # longer than a lease, so that none ends here by itself
TELL = (
    "import json, os; from pipeline.control.process_identity import own_identity; "
    "print(json.dumps([os.getpid(), own_identity()]), flush=True); input()"
)


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


@pytest.fixture
def told() -> Any:
    """Start a process and return it, its number and its identity as it tells them."""
    started = []

    def start(*wrap: str) -> tuple[subprocess.Popen[str], int, dict[str, str]]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen([*wrap, sys.executable, "-c", TELL], **pipes)  # type: ignore[call-overload]
        started.append(process)
        pid, identity = json.loads(process.stdout.readline())
        return process, pid, identity

    yield start
    for process in started:
        process.communicate("\n")


def held_by(client: redis.Redis, ms: int | None = LASTS_MS, **holder: object) -> None:
    client.set(KEY, json.dumps({"host": socket.gethostname(), "token": "x", **holder}), px=ms)


def test_one_worker_has_a_name(client: redis.Redis) -> None:
    first, second = WorkerLease(client, "main"), WorkerLease(client, "main")
    assert first.acquire()
    assert first.take()
    assert is_held(client, "main")
    assert not second.take()
    assert second.holder == f"process {os.getpid()} on {socket.gethostname()}"
    second.release()
    assert first.take()
    client.flushall()
    assert first.take(), "Redis lost it and nobody else took it"
    first.release()
    assert not is_held(client, "main")
    assert second.take()
    assert not first.take()


def test_a_live_worker_of_this_machine_is_seen_at_once(client: redis.Redis, told: Any) -> None:
    _, pid, identity = told()
    held_by(client, pid=pid, **identity)
    with pytest.raises(LeaseTakenError, match=rf'"main" runs already: process {pid} on'):
        WorkerLease(client, "main").acquire()


@pytest.mark.parametrize("ended", ["gone", "not waited for", "its number is another's"])
def test_a_dead_worker_of_this_machine_is_replaced_at_once(
    client: redis.Redis, told: Any, ended: str
) -> None:
    process, pid, identity = told()
    if ended == "its number is another's":
        identity["started"] = "1"
    else:
        process.kill()
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        if ended == "gone":
            process.wait()
    held_by(client, pid=pid, **identity)
    assert WorkerLease(client, "main").acquire()


ELSEWHERE = {
    "another machine": {"boot": "another"},
    "another container": {"spaces": "pid:[1] time:[1]"},
    "an earlier version": None,
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_worker_elsewhere_is_known_by_its_renewing(client: redis.Redis, where: str) -> None:
    """Its number says nothing here, though a process has it, or none, or this one."""
    changes = ELSEWHERE[where]
    identity = {} if changes is None else own_identity() | changes
    for pid in (os.getpid(), os.getppid(), 2**22 + 1):
        lease = WorkerLease(client, "main")
        held_by(client, LASTS_MS - 3000, pid=pid, **identity)
        assert not lease.acquire()
        assert not lease.acquire()
        client.pexpire(KEY, LASTS_MS)
        with pytest.raises(LeaseTakenError, match="free 10 s later"):
            lease.acquire()
        lease = WorkerLease(client, "main")
        assert not lease.acquire()
        client.delete(KEY)  # it died, and its lease ended
        assert lease.acquire()


@pytest.mark.parametrize("value", ["{}", "[]", "no JSON"])
def test_a_name_that_somebody_holds_for_ever(client: redis.Redis, value: str) -> None:
    client.set(KEY, value)
    with pytest.raises(LeaseTakenError, match=r"process \? on an unknown host"):
        WorkerLease(client, "main").acquire()


def test_an_answer_that_is_long_in_coming_is_no_renewal(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a machine that is overloaded: who has the name may be dead all the same."""
    held_by(client, pid=1, boot="another")
    lease, pttl, late_s = WorkerLease(client, "main"), client.pttl, 0.0
    assert not lease.acquire()

    def late(key: str) -> Any:
        nonlocal late_s
        left_ms = pttl(key)
        late_s = 2.0
        return left_ms

    monkeypatch.setattr(client, "pttl", late)
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late_s)
    monkeypatch.setattr("pipeline.control.lease.time", clock)
    assert not lease.acquire()


def test_another_who_takes_the_name_meanwhile_is_alive(client: redis.Redis) -> None:
    lease = WorkerLease(client, "main")
    held_by(client, pid=1, boot="another")
    assert not lease.acquire()
    held_by(client, pid=2, boot="another")
    with pytest.raises(LeaseTakenError):
        lease.acquire()


@pytest.mark.skipif(
    shutil.which("unshare") is None or os.geteuid() != 0, reason="needs unshare, and to be root"
)
@pytest.mark.parametrize("mounted", [["--mount-proc"], []])
def test_processes_of_a_container_are_not_judged(told: Any, mounted: list[str]) -> None:
    """Where its /proc is that of the host, a process there cannot tell who it is at all."""
    _, pid, identity = told("unshare", "--pid", "--fork", *mounted)
    assert is_alive(pid, identity) is None
    assert bool(identity) == bool(mounted)
    assert identity != own_identity()


def test_a_process_that_is_hidden_is_not_called_dead(
    told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with /proc mounted hidepid=2, for processes of another user."""
    _, pid, identity = told()
    assert is_alive(pid, identity) is True
    own_stat = process_identity._stat

    def stat(number: int) -> tuple[str, str]:
        if number == pid:
            raise FileNotFoundError
        return own_stat(number)

    monkeypatch.setattr(process_identity, "_stat", stat)
    assert is_alive(pid, identity) is None
    assert is_alive(2**22 + 1, identity) is False


@pytest.mark.parametrize(
    ("running", "worker"),
    [
        ([], "main"),
        (["east"], "east"),
        (["east", "west"], "main"),
        (["main", "main-0"], "main"),
        (["main-0", "main-1"], "main-1"),
        (["east-0", "east-1"], "east-0"),
    ],
)
def test_a_camera_that_names_no_worker(running: list[str], worker: str) -> None:
    known = [Desired(f"c{n}", {"url": "test://"}, "api", "main-0") for n in range(2)]
    assert usual(running, known) == worker
