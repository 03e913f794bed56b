"""Fixtures of a real Redis server, and of an outbox before it; a conftest imports them."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.outbox.outbox import Outbox
from tests.support.redis_child import RedisChild
from tests.support.redis_kinds import KINDS, program


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mr") as short:  # a socket's path is 107 bytes at most
        yield Path(short)


@pytest.fixture(scope="session")
def shared_server() -> Iterator[RedisChild]:
    """The server of the whole run."""
    with tempfile.TemporaryDirectory(prefix="mr") as short:
        child = RedisChild(Path(short)).start()
        yield child
        child.kill()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[RedisChild]:
    """An empty server: that of the run, or one of the test's own where it is marked own_redis."""
    if request.node.get_closest_marker("own_redis"):
        child = RedisChild(request.getfixturevalue("folder")).start()
        yield child
        child.kill()
        return
    child = request.getfixturevalue("shared_server")
    child.client().flushall()
    yield child
    child.hang_up()


@pytest.fixture(params=KINDS)
def any_server(request: pytest.FixtureRequest, folder: Path) -> Iterator[RedisChild]:
    """An own, empty server of each kind that is supported, one after the other."""
    child = RedisChild(folder, program=program(request.param)).start()
    yield child
    child.kill()


@pytest.fixture
def outbox(server: RedisChild) -> Iterator[Outbox]:
    made = Outbox(server.url)
    made.start()
    yield made
    made.close(1)


@pytest.fixture
def until() -> Callable[..., Any]:
    """Waits for something to come true, and gives it."""

    def wait(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            if value := condition():
                return value
            time.sleep(0.01)
        raise AssertionError(f"not within {timeout_s} s")

    return wait
