"""Dead consumers and old notes of groups go; entries that somebody still has to handle never do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import mirante
from mirante.client.leftovers import tidy
from mirante.keys import key
from plugins.outbox.outbox import Outbox
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.simulated_camera import frame

Until = Callable[..., Any]
STREAM, NOTES = key("gate", "detections"), key("gate", "groups")
OLD_LINE = (
    "ACL SETUSER old on >PASSWORD ~mirante:* +ping +select +xread +xrange +xrevrange +xinfo|stream "
    "+xinfo|groups +scan +xgroup|create +xreadgroup +xack +xautoclaim +zadd +zrange +multi +exec"
)


def publish(outbox: Outbox, until: Until, numbers: Any, **facts: Any) -> None:
    before, numbers = outbox.state.sent.get("gate", 0), list(numbers)
    for number in numbers:
        outbox.publish(frame(number, **facts))
    until(lambda: outbox.state.sent["gate"] == before + len(numbers))


def join(server: RedisChild, consumer: str | None = None, **options: Any) -> Any:
    own = {"consumer": consumer} if consumer else {}
    facts = {"redis": server.url, "since": "0", "timeout_s": 0.4, "block_s": 0.1, **own, **options}
    return mirante.subscribe("gate", group="alarm", **facts)


def consumers(server: RedisChild) -> dict[str, int]:
    """Pending entries by consumer."""
    found = server.client().xinfo_consumers(STREAM, "alarm")
    return {each["name"].decode(): each["pending"] for each in found}


def test_restarts_leave_no_consumers_and_lose_nothing(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(200))
    seen = set()
    for _ in range(12):
        died = join(server, claim_s=60)
        for frame_ in died:
            seen.add(frame_.seq)
            if frame_.seq % 5 == 4:
                break  # as a process does that is killed: nothing is closed
    held = consumers(server)
    assert len(held) == 12
    assert all(held.values())
    time.sleep(0.4)
    with join(server, "heir", claim_s=0.3, timeout_s=3.0) as heir:
        seen |= {frame_.seq for frame_ in heir}
        assert consumers(server) == {}, "it ended, and left nothing either"
    assert seen == set(range(200))


def test_a_consumer_with_entries_stays(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, range(20))
    with join(server, "busy") as busy:
        next(busy)
        client = server.client()
        client.xgroup_createconsumer(STREAM, "alarm", "idle")
        assert consumers(server) == {"busy": 16, "idle": 0}
        client.execute_command(*tidy(STREAM, "alarm", 60.0))
        assert consumers(server) == {"busy": 16, "idle": 0}, "nobody was silent for long"
        client.execute_command(*tidy(STREAM, "alarm", 0.0))
        assert consumers(server) == {"busy": 16}
    assert consumers(server) == {"busy": 16}
    with join(server, "busy") as busy:
        assert [f.seq for f in busy] == list(range(20)), "all of them come to it again"
    assert consumers(server) == {}


def test_one_that_was_removed_goes_on(server: RedisChild, outbox: Outbox, until: Until) -> None:
    publish(outbox, until, range(3))
    with join(server, "slow", timeout_s=60) as slow:
        assert [next(slow).seq for _ in range(3)] == [0, 1, 2]
        slow.ack()
        client = server.client()
        client.xack(STREAM, "alarm", *[i for i, _ in entries(client, STREAM)])
        client.execute_command(*tidy(STREAM, "alarm", 0.0))
        assert consumers(server) == {}
        publish(outbox, until, range(3, 6))
        assert [next(slow).seq for _ in range(3)] == [3, 4, 5]


def test_notes_expire_and_those_of_trimmed_epochs_go(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    client, now_ms = server.client(), int(time.time() * 1000)
    epochs = [now_ms - 50_000, now_ms - 30_000, now_ms - 10_000]
    for number, epoch in enumerate(epochs):
        publish(outbox, until, [number], epoch=epoch, captured_ns=(epoch + 5) * 1_000_000)
    with join(server) as consumer:
        assert len(list(consumer)) == 3
    assert client.exists(NOTES)
    until(lambda: 86_000 < client.ttl(NOTES) <= client.ttl(STREAM))  # its publisher lives

    def noted() -> list[int]:
        found: Any = client.zrange(NOTES, 0, -1)
        return [int(name.rpartition(b"/")[2]) for name in found]

    client.zadd(NOTES, {f"other/{epochs[0]}": 7})
    client.execute_command(*tidy(STREAM, "alarm", 60.0))
    assert sorted(set(noted())) == epochs, "the stream has entries of each"
    client.xtrim(STREAM, maxlen=1, approximate=False)
    client.execute_command(*tidy(STREAM, "alarm", 60.0))
    assert sorted(noted()) == [epochs[0], epochs[2]], "the other group has no later one"


@pytest.mark.parametrize("step", ["close", "again"])
def test_without_the_right_to_tidy_all_else_works(
    server: RedisChild, outbox: Outbox, until: Until, step: str
) -> None:
    publish(outbox, until, range(5))
    server.client().execute_command(*OLD_LINE.split())
    url = server.url.replace("://", "://old:PASSWORD@")
    with join(server, "a", redis=url) as consumer:
        assert [f.seq for f in consumer] == list(range(5))
    if step == "again":
        with join(server, "a", redis=url) as consumer:
            assert list(consumer) == []
    assert consumers(server) == {"a": 0}
    server.client().acl_deluser("old")
