"""The application over a private Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import Bench, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test with a bench in it starts a server."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "bench" in getattr(
            item, "fixturenames", ()
        ):
            item.add_marker(pytest.mark.redis)


@pytest.fixture
def bench(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Bench]:
    """The API of a machine without variables of ours."""
    for name in [name for name in os.environ if name.upper().startswith("MIRANTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    with serving(redis_server, tmp_path) as made:
        yield made
