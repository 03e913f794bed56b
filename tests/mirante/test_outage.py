"""An outage of Redis is one line in the log, and one at its end."""

from __future__ import annotations

import logging

import pytest
import redis

from mirante.outage import Outage
from mirante.redis_url import RedisUrl
from mirante.refusal import WORDS, eviction, refusal

URL = RedisUrl("redis://:s3cr3t@h:1")
OOM = redis.exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")


def caused(cause: OSError) -> redis.ConnectionError:
    error = redis.ConnectionError("x")
    error.__context__ = cause
    return error


LOST = caused(ConnectionResetError())
GONE = caused(ConnectionRefusedError())


@pytest.fixture
def outage(caplog: pytest.LogCaptureFixture) -> Outage:
    caplog.set_level(logging.INFO)
    return Outage(URL, logging.getLogger("t"), "results wait")


def test_one_line_for_all_users_and_one_at_the_end(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        for user in ("outbox", "registry", "report"):
            assert "out of memory" in outage.failed(OOM, user)
    outage.served("outbox")
    outage.failed(OOM, "outbox")
    for user in ("outbox", "registry", "report"):
        outage.served(user)
        outage.served("nobody")
    assert [r.message for r in caplog.records] == [
        f"Redis redis://***@h:1: {WORDS['OOM']}; results wait",
        "Redis redis://***@h:1: back, after 0 s",
    ]
    outage.failed(OOM)
    assert len(caplog.records) == 3, "the next outage is another one"


def test_a_broken_connection_waits_for_the_reason(
    outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    outage.failed(LOST, "outbox")
    outage.failed(LOST, "registry")
    assert caplog.records == []
    for _ in range(3):
        outage.failed(GONE, "registry")
        outage.failed(LOST, "outbox")
    outage.failed(redis.BusyLoadingError("loading"), "outbox")
    outage.failed(OOM, "outbox")
    outage.failed(redis.AuthenticationError("invalid username-password pair"), "outbox")
    lines = [r.message.removeprefix("Redis redis://***@h:1: ") for r in caplog.records]
    assert [line[:10] for line in lines] == ["connection", "is out of ", "wrong user"]
    assert "nothing listens there" in lines[0]


def test_a_blink_says_nothing(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    outage.failed(LOST)
    outage.served()
    assert caplog.records == []


def test_a_mistake_is_said_with_its_place(outage: Outage, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        outage.failed(KeyError("x"))
    [record] = caplog.records
    assert record.exc_info is not None


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OOM, "OOM"),
        (
            redis.exceptions.ReadOnlyError("You can't write against a read only replica."),
            "READONLY",
        ),
        (redis.exceptions.MasterDownError("Link with MASTER is down"), "MASTERDOWN"),
        (redis.exceptions.ClusterDownError("Hash slot not served"), "CLUSTERDOWN"),
        (redis.ResponseError("MISCONF Errors writing to the AOF file: No space left"), "MISCONF"),
        (redis.ResponseError("NOREPLICAS Not enough good replicas to write."), "NOREPLICAS"),
        (redis.ResponseError("BUSY Redis is busy running a script."), "BUSY"),
        (redis.exceptions.ExecAbortError("Transaction discarded because of: OOM command"), "OOM"),
        (redis.ResponseError("Command # 1 (HSET a b) of pipeline caused error: OOM x"), "OOM"),
        (
            redis.ResponseError(
                "Error running script (call to f_1): @user_script:3: @user_script: 3: "
                "-READONLY You can't write against a read only replica."
            ),
            "READONLY",
        ),
        (
            redis.ResponseError("Command # 1 (HSET c ROOM: x) of pipeline caused error: WRONGTYPE"),
            None,
        ),
        (redis.ResponseError("BUSYGROUP Consumer Group name already exists"), None),
        (redis.exceptions.NoPermissionError("no permissions to run OOM"), None),
        (redis.ConnectionError("OOM"), None),
        (b"OOM", None),
        (None, None),
    ],
)
def test_which_errors_refuse_writes(error: object, code: str | None) -> None:
    assert refusal(error) == code
    if code:
        assert isinstance(error, Exception)
        assert URL.explain(error) == f"Redis {URL}: {WORDS[code]}"
        assert f"({code})" in WORDS[code]


def test_policies_that_evict() -> None:
    assert eviction(None) == eviction("") == eviction("noeviction") == ""
    for policy in ("allkeys-lru", "volatile-ttl", "allkeys-random"):
        assert f"maxmemory-policy {policy}" in eviction(policy)
