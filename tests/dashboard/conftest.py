"""The application over a private Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import argon2
import pytest

from dashboard.access import passwords
from pipeline.worker.redis_server import RedisServer
from tests.support import MEASURES
from tests.support.api_server import Bench, serving
from tests.support.guarded_app import Clock


@pytest.fixture(autouse=True, scope="session")
def shipped_hasher() -> Iterator[argon2.PasswordHasher]:
    """Hashes passwords in no time, and gives what does so elsewhere."""
    shipped = passwords._hasher
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", argon2.PasswordHasher(time_cost=1, memory_cost=1024))
        yield shipped


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of sessions and of limits."""
    clock = Clock()
    ours = ("dashboard.access.attempts.time", "dashboard.access.slowed.time")
    for module in ("limits.storage.memory.time", *ours):
        monkeypatch.setattr(module, SimpleNamespace(time=clock))
    return clock


@pytest.fixture
def bench(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Bench]:
    """The API of a machine without variables of ours."""
    for name in [name for name in os.environ if name.upper().startswith("MIRANTE_")]:
        if name != MEASURES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    with serving(redis_server, tmp_path) as made:
        yield made
