"""A real Redis server, and an outbox before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.redis_fixtures import any_server, folder, outbox, server, shared_server, until

__all__ = ["any_server", "folder", "outbox", "server", "shared_server", "until"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with a server in it, or with a folder for one."""
    for item in items:
        names = {"any_server", "folder", "server"} & set(getattr(item, "fixturenames", ()))
        if names and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.redis)
