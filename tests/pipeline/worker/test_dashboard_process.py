"""The dashboard as a child: bound before, told in secret, started again on the same socket."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from pipeline.config.dashboard import Dashboard
from pipeline.config.settings import Log
from pipeline.listening import bind
from pipeline.worker import dashboard_process
from pipeline.worker.dashboard_process import DashboardError, DashboardProcess
from pipeline.worker.redis_server import RedisServer

SECRET = "hunter2"
QUIET = Log.model_validate({"level": "warning"})


def settings(**keys: Any) -> Dashboard:
    return Dashboard.model_validate({"port": 0} | keys)


def answer(running: DashboardProcess, path: str) -> int:
    return httpx.get(f"{running.url}/{path}", timeout=60).status_code


def children() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children():
        with suppress(psutil.Error):  # it has just ended
            found += [each] if "dashboard" in each.cmdline() else []
    return found


@pytest.fixture
def address(redis_server: RedisServer) -> Iterator[str]:
    """The server's, with a user and a password."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.execute_command("ACL", "SETUSER", "dash", "on", f">{SECRET}", "~*", "&*", "+@all")
        yield redis_server.url.replace("//", f"//dash:{SECRET}@")
        client.acl_deluser("dash")


def test_a_child_that_was_killed_is_started_again_under_the_same_address(
    address: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What it is told is seen by nobody. Accounts that others can read let nobody in, and stop
    nothing.
    """
    home.mkdir()
    file = home / "dashboard.json"
    file.write_text("{}")
    os.chmod(file, 0o644)  # noqa: PTH101
    with DashboardProcess(settings(secret=SECRET), address, QUIET) as running:
        running.wait_ready()
        (child,) = children()
        assert SECRET not in " ".join(child.cmdline())
        assert SECRET not in str(child.environ())
        assert answer(running, "livez") == 200
        assert answer(running, "api/v1/cameras") == 503
        file.chmod(0o600)
        assert answer(running, "api/v1/cameras") == 200
        child.send_signal(signal.SIGKILL)
        # The socket stays open meanwhile: what asks now waits for the next child.
        assert answer(running, "livez") == 200
        (another,) = children()
        assert another.pid != child.pid
        port = int(running.url.rpartition(":")[2])
    assert not another.is_running()
    with closing(socket.create_server(("127.0.0.1", port))):
        pass  # the port is free again
    assert (
        f"nobody can be let in: {file} can be read by others: chmod 600" in capfd.readouterr().err
    )


def test_a_taken_port_is_said_before_anything_starts() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match=rf"dashboard.port: {port} — Address already in use"):
            bind(settings(port=port))
    with pytest.raises(OSError, match=r"dashboard.host: 192\.0\.2\.1, .* address of this machine"):
        bind(settings(host="192.0.2.1"))


def test_another_address_without_users_is_refused(redis_server: RedisServer) -> None:
    with (
        DashboardProcess(settings(host="0.0.0.0"), redis_server.url, QUIET) as running,
        pytest.raises(DashboardError, match="dashboard user"),
    ):
        running.wait_ready()
    assert children() == []


def test_where_it_is_not_installed_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard_process, "_LIBRARIES", ("fastapi", "of_nobody"))
    with (
        DashboardProcess(settings(), "redis://127.0.0.1:1", QUIET) as running,
        pytest.raises(DashboardError, match=r"not installed: .*mirante\[dashboard\].*port: null"),
    ):
        running.wait_ready()
