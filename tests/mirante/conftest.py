"""A real Redis server, and an outbox before it."""

from __future__ import annotations

from pathlib import Path

import pytest

import mirante.aio
import mirante.client.subscription
from tests.support.redis_fixtures import any_server, folder, outbox, server, shared_server, until

__all__ = ["any_server", "folder", "outbox", "server", "shared_server", "until"]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is not there refuses at once; one that has no turn on a busy machine answers
    late, and subscriptions that end soon would take it for one that is away.
    """
    for module in (mirante.aio, mirante.client.subscription):
        monkeypatch.setattr(module, "REPLY_S", 60.0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with a server in it, or with a folder for one."""
    for item in items:
        names = {"any_server", "folder", "server"} & set(getattr(item, "fixturenames", ()))
        if names and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.redis)
