"""A real Redis server for each test of a bridge."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.redis_fixtures import folder, outbox, server, shared_server, until

__all__ = ["folder", "outbox", "server", "shared_server", "until"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with a server in it."""
    for item in items:
        names = {"folder", "server"} & set(getattr(item, "fixturenames", ()))
        if names and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.redis)
