"""Requests to a worker over a real Redis."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import redis

from mirante.keys import WORKERS, answer_key, lease_key
from pipeline.control.registry import connect
from pipeline.control.rpc import AT_ONCE, NoAnswerError, RefusedError, Requests, What, ask
from pipeline.worker.redis_server import RedisServer
from tests.support.polled_requests import polled

pytestmark = pytest.mark.redis


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def test_an_answer_is_the_handler_s_bytes(client: redis.Redis) -> None:
    handlers: dict[Any, Any] = {
        "trial": lambda request: bytes(request["bytes"]),
        "swap": lambda request: b"swap",
    }
    with polled(Requests(client, "main", handlers)):
        assert ask(client, "trial", "main", {"bytes": [43, 0, 255, 45]}) == b"+\0\xff-"
        assert ask(client, "trial", "main", {"bytes": []}) == b""
        assert ask(client, "swap", "main", {}) == b"swap"
    assert client.keys("*") == []


def test_the_words_of_an_error_reach_whoever_asked(client: redis.Redis) -> None:
    def fail(request: dict[str, Any]) -> bytes:
        raise ValueError(f"no model\n {request['model']}")

    with polled(Requests(client, "main", {"swap": fail})):
        with pytest.raises(RefusedError, match=r"^no model “x”$"):
            ask(client, "swap", "main", {"model": "“x”"})
        with pytest.raises(RefusedError, match=r"^'model'$"):
            ask(client, "swap", "main", {})


def test_a_request_that_nobody_took_is_withdrawn(client: redis.Redis) -> None:
    with pytest.raises(NoAnswerError, match=r'worker "main" gave no answer within 0\.1 s; is it'):
        ask(client, "swap", "main", {}, timeout_s=0.1)
    assert client.keys("*") == []


def test_where_others_run_a_worker_that_does_not_is_said_at_once(client: redis.Redis) -> None:
    for name in ("north", "south"):
        client.sadd(WORKERS, name)
        client.set(lease_key(name), "{}")
    with pytest.raises(
        NoAnswerError, match=r'^worker "main" is not running; "north" and "south" are$'
    ):
        ask(client, "swap", "main", {}, timeout_s=3600)
    assert not client.keys("mirante:{mirante:asked}:*")


def test_a_request_whose_asker_was_killed_expires(client: redis.Redis) -> None:
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(ask, client, "swap", "main", {}, 60.0)
        wait_for(lambda: client.keys("*"))
        assert 0 < client.ttl("mirante:{mirante:asked}:swap:main") <= 60
        [entry] = client.lrange("mirante:{mirante:asked}:swap:main", 0, -1)
        client.flushall()
        client.rpush(answer_key(json.loads(entry)["id"]), b"-it need not wait")
        with pytest.raises(RefusedError, match="it need not wait"):
            asked.result()


@pytest.mark.parametrize("what", ["swap", "trial"])
def test_no_more_than_so_many_at_once_and_none_is_lost(what: What, client: redis.Redis) -> None:
    go, running, most = threading.Event(), threading.Semaphore(0), 0
    inside = 0
    lock = threading.Lock()

    def work(request: dict[str, Any]) -> bytes:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        running.release()
        assert go.wait(60)
        with lock:
            inside -= 1
        return str(request["n"]).encode()

    requests = Requests(client, "main", {what: work})
    with ThreadPoolExecutor() as pool, polled(requests):
        asked: list[Future[bytes]] = [
            pool.submit(ask, client, what, "main", {"n": n}) for n in range(4)
        ]
        for _ in range(AT_ONCE[what]):
            assert running.acquire(timeout=60)
        wait_for(lambda: waiting(client, what) == 4 - AT_ONCE[what])
        requests.poll()
        assert waiting(client, what) == 4 - AT_ONCE[what], "it took one that it has no thread for"
        go.set()
        assert [future.result() for future in asked] == [b"0", b"1", b"2", b"3"]
    assert most == AT_ONCE[what]


@pytest.mark.parametrize("entry", [b"\xff", b"[]", b"{}", b'{"id": "x", "request": 3}'])
def test_what_is_no_request_is_logged_and_the_next_one_answered(
    entry: bytes, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    client.rpush("mirante:{mirante:asked}:swap:main", entry)
    with polled(Requests(client, "main", {"swap": lambda request: b"done"})):
        assert ask(client, "swap", "main", {}) == b"done"
    assert 'a request for a swap is not {"id"' in caplog.text


@pytest.mark.own_redis
def test_the_loop_hears_that_redis_is_away(redis_server: RedisServer) -> None:
    requests = Requests(connect(redis_server.url), "main", {"swap": lambda request: b""})
    redis_server.stop()
    with pytest.raises(redis.RedisError):
        requests.poll()


def waiting(client: redis.Redis, what: What) -> Any:
    return client.llen(f"mirante:{{mirante:asked}}:{what}:main")


def wait_for(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.01)
