"""A real Redis server for each test of a bridge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.redis_child import RedisChild
from tests.support.redis_fixtures import folder, outbox, server, shared_server, until

if TYPE_CHECKING:
    from tests.support.api_server import Bench

__all__ = ["folder", "outbox", "server", "shared_server", "until"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with a server in it."""
    for item in items:
        names = {"folder", "server"} & set(getattr(item, "fixturenames", ()))
        if names and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.redis)


@pytest.fixture
def site(server: RedisChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A dashboard with a token of each role."""
    from tests.support.mcp_calls import guarded_site

    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path))
    monkeypatch.setattr("pipeline.control.reports.KEPT_MS", 600_000)  # its worker reports once
    patient = ("bridges.mcp.paired.WAIT_S", "dashboard.api.snapshot.WAIT_S")
    for limit in (*patient, "dashboard.redis_clients.TIMEOUT_S"):
        monkeypatch.setattr(limit, 60.0)  # on a busy machine
    with guarded_site(server, tmp_path) as made:
        yield made
