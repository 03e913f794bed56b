"""A real Redis server, and an outbox before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.redis_fixtures import folder, outbox, server, until

__all__ = ["folder", "outbox", "server", "until"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with a folder for a server in it, which starts one."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "folder" in getattr(
            item, "fixturenames", ()
        ):
            item.add_marker(pytest.mark.redis)
