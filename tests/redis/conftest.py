"""Real servers, and what every test of an outbox begins with."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis_child import RedisChild

from plugins.outbox.outbox import Outbox


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test with a folder for a server in it starts one."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "folder" in getattr(
            item, "fixturenames", ()
        ):
            item.add_marker(pytest.mark.redis)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mr") as short:  # a socket's path is 107 bytes at most
        yield Path(short)


@pytest.fixture
def server(folder: Path) -> Iterator[RedisChild]:
    child = RedisChild(folder).start()
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

    def wait(condition: Callable[[], Any], timeout_s: float = 15.0) -> Any:
        end_s = time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            if value := condition():
                return value
            time.sleep(0.01)
        raise AssertionError(f"not within {timeout_s} s")

    return wait
