"""The private Redis: a real child."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from pipeline.worker.redis_server import RedisServer, RedisServerError

pytestmark = [pytest.mark.redis, pytest.mark.own_redis]


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_answers_keeps_nothing_and_ends(tmp_path: Path) -> None:
    with RedisServer(port=0) as server:
        pid = server.pid
        assert pid
        with redis.Redis.from_url(server.url) as client:
            assert client.config_get("save")["save"] == ""
            assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
            assert client.config_get("bind")["bind"] == "127.0.0.1"
    assert not is_running(pid)


def test_takes_another_port_where_its_own_is_taken(redis_server: RedisServer) -> None:
    with RedisServer(port=redis_server.port) as second:
        assert second.port != redis_server.port
        with redis.Redis.from_url(second.url) as client:
            assert client.ping()


def test_takes_another_port_where_somebody_was_faster() -> None:
    server = RedisServer(port=0)
    chosen = server.port
    with socket.create_server(("127.0.0.1", chosen)), server:
        assert server.port != chosen
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()


def test_comes_back_on_the_same_port(redis_server: RedisServer) -> None:
    first = redis_server.pid
    assert first
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: redis_server.pid not in {None, first})
    with redis.Redis.from_url(redis_server.url) as client:

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        wait_for(answers)


def test_dies_with_a_parent_that_is_killed() -> None:
    code = (
        "import time; from pipeline.worker.redis_server import RedisServer\n"
        "print(RedisServer(port=0).start().pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    wait_for(lambda: not is_running(child))


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.worker.redis_server.shutil.which", lambda name: None)
    with pytest.raises(RedisServerError, match="apt-get install redis-server"):
        RedisServer(port=0).start()


def test_does_not_start_tells_its_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho '7:M 29 Nov 2026 04:15:03.250 # Out of memory'; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RedisServerError, match="does not start: Out of memory"):
        RedisServer(port=0).start()
