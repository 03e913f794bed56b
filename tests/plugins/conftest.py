"""Runs launch lines with our elements in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from mirante import Counts
from plugins.element import FrameHandler, elements_of
from plugins.elements import register
from tests.support.gated import infer_small
from tests.support.redis_fixtures import any_server, folder, outbox, server, shared_server, until

__all__ = ["any_server", "folder", "launch", "outbox", "server", "shared_server", "until"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with a server in it, or with a folder for one."""
    for item in items:
        names = {"folder", "server"} & set(getattr(item, "fixturenames", ()))
        if names and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.redis)


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits at the end of a line for a Redis that is not there."""
    monkeypatch.setattr("plugins.line.FLUSH_S", 0.1)


@dataclass
class Ended:
    """How a pipeline ended: an error in words or none, its warnings, its account."""

    counts: Counts
    error: str | None = None
    warnings: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def infer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The element that finds what the drawn street of ``tests.support.gated`` shows."""
    return infer_small(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def launch() -> Callable[..., Ended]:
    Gst.init(None)
    register()

    def run(text: str, timeout_s: float = 60.0) -> Ended:
        pipeline = Gst.parse_launch(text)
        pipeline.set_state(Gst.State.PLAYING)
        ended = Ended(Counts())
        wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.WARNING
        try:
            while True:
                message = pipeline.get_bus().timed_pop_filtered(int(timeout_s * Gst.SECOND), wanted)
                assert message is not None, "the pipeline said nothing in time"
                if message.type == Gst.MessageType.WARNING:
                    ended.warnings.append(message.parse_warning()[0].message)
                    continue
                if message.type == Gst.MessageType.ERROR:
                    ended.error = message.parse_error()[0].message
                return ended
        finally:
            pipeline.set_state(Gst.State.NULL)
            ours = [each for each in elements_of(pipeline) if isinstance(each, FrameHandler)]
            ended.counts = ours[0].ledger.counts()[0]

    return run
