"""What ``mirante doctor --deep`` says of clocks, also where asking for them takes its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from pipeline.cli.deep import server, workers
from pipeline.cli.deep.server import off_words
from pipeline.control.registry import connect
from pipeline.control.reports import publish
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import REPORT


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def test_how_far_a_clock_is_off() -> None:
    assert off_words(0.0123) == "12 ms ahead of"
    assert off_words(-75.25) == "75.2 s behind"


@pytest.mark.parametrize(
    ("asked_s", "answered_s", "level"),
    [(99.9, 100.1, "ok"), (96.0, 100.1, "ok"), (100.0, 104.0, "ok"), (101.5, 101.6, "wrong")],
    ids=["at once", "it was asked late", "its answer came late", "it is off"],
)
def test_a_late_answer_is_no_wrong_clock(
    monkeypatch: pytest.MonkeyPatch, asked_s: float, answered_s: float, level: str
) -> None:
    moments = iter((asked_s, answered_s))
    monkeypatch.setattr(server, "time", SimpleNamespace(time=lambda: next(moments)))
    asked: Any = SimpleNamespace(time=lambda: (100, 0))
    [found] = server._clock(asked)
    assert found.level == level


@pytest.mark.redis
def test_a_report_that_is_looked_at_slowly_is_of_no_wrong_clock(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pttl = client.pttl

    def late(name: str) -> Any:
        left_ms = pttl(name)
        time.sleep(1.5)
        return left_ms

    report, at_s = REPORT, 0.0
    while time.time() - at_s > 0.3:
        at_s = time.time()
        report = replace(REPORT, at=at_s)
        publish(client, report)
    monkeypatch.setattr(client, "pttl", late)
    assert workers._clock(client, report).level == "ok"
