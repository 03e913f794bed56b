from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from outcome import Outcome, Run

from pipeline.cli.app import run
from pipeline.worker.redis_server import RedisServer


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user who has run nothing yet, on a machine without variables of ours."""
    for name in [name for name in os.environ if name.upper().startswith("MIRANTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path / "home"


@pytest.fixture
def mirante(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs one command in this process."""

    def call(*arguments: str) -> Outcome:
        capfd.readouterr()
        status = run(list(arguments))
        return Outcome(status, *capfd.readouterr())

    return call


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with RedisServer(port=0) as server:
        yield server
