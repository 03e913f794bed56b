"""Durable groups on a real server: each entry to one consumer, at least once, and loss counted."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import mirante
from mirante import Gap
from mirante.keys import key
from plugins.outbox.outbox import Outbox
from tests.support.awaited import await_readers, once_awaited
from tests.support.redis_child import RedisChild
from tests.support.simulated_camera import LANES, frame

Until = Callable[..., Any]
STREAM = key("gate", "detections")


def publish(outbox: Outbox, until: Until, numbers: Any, **facts: Any) -> None:
    before = outbox.state.sent.get("gate", 0)
    numbers = list(numbers)
    for number in numbers:
        outbox.publish(frame(number, **facts))
    until(lambda: outbox.state.sent["gate"] == before + len(numbers))


def join(server: RedisChild, consumer: str, **options: Any) -> Any:
    facts = {"redis": server.url, "since": "0", "timeout_s": 0.4, "block_s": 0.1, **options}
    return mirante.subscribe("gate", group="alarm", consumer=consumer, **facts)


def pending(server: RedisChild) -> int:
    return int(server.client().xpending(STREAM, "alarm")["pending"])


def trim(server: RedisChild, keep: int) -> None:
    server.client().xtrim(STREAM, maxlen=keep, approximate=False)


def test_an_item_is_acknowledged_when_the_next_one_is_asked_for(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(5))
    with join(server, "a") as consumer:
        assert [next(consumer).seq for _ in range(3)] == [0, 1, 2]
        assert pending(server) == 5
    assert pending(server) == 3  # 2 was handed out; nobody said that it was dealt with


def test_it_looks_before_it_ends_however_slow_the_way_to_that_is(
    server: RedisChild, outbox: Outbox, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(outbox, until, range(5))
    with join(server, "a", timeout_s=0.05) as consumer:
        perform = consumer._perform

        def late(step: Any) -> Any:
            time.sleep(0.03)  # for each of three answers before what is new is asked for
            return perform(step)

        monkeypatch.setattr(consumer, "_perform", late)
        assert [f.seq for f in consumer] == list(range(5))


def test_resuming_gives_again_what_was_not_acknowledged(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(40))
    with join(server, "a") as consumer:
        taken = [next(consumer).seq for _ in range(20)]
        consumer.ack()
    assert taken == list(range(20))
    with join(server, "a") as consumer:
        assert [f.seq for f in consumer] == list(range(20, 40))
    assert pending(server) == 0
    publish(outbox, until, range(40, 45))
    with join(server, "a") as consumer:
        assert [(f.seq, f.lost_before) for f in consumer] == [(n, 0) for n in range(40, 45)]


def test_consumers_share_the_entries(server: RedisChild, outbox: Outbox, until: Until) -> None:
    got: list[tuple[str, int, Any]] = []

    def consume(name: str) -> None:
        with consumers[name] as consumer:
            got.extend((name, f.seq, f.lost_before) for f in consumer)

    consumers = {name: join(server, name, timeout_s=None) for name in "abc"}
    threads = [threading.Thread(target=consume, args=(name,)) for name in consumers]
    for thread in threads:
        thread.start()
    try:
        await_readers(server, 3)
        for start in range(0, 300, 10):
            publish(outbox, until, range(start, start + 10))
        until(lambda: len(got) >= 300 and not pending(server))
    finally:  # or they follow for ever
        for consumer in consumers.values():
            consumer.close()
        for thread in threads:
            thread.join()
    assert Counter(seq for _, seq, _ in got) == Counter(range(300))
    assert len({name for name, _, _ in got}) > 1
    assert all(lost == 0 for _, _, lost in got)
    assert pending(server) == 0


def test_what_a_dead_consumer_held_goes_to_another(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(8), masks=(LANES,))
    dead = join(server, "dead")
    assert next(dead).seq == 0
    publish(outbox, until, range(8, 12))
    kinds = ("detections", "masks")
    with join(server, "heir", claim_s=0.3, timeout_s=60, kinds=kinds) as consumer:
        got = list(itertools.islice(consumer, 12))  # what it held beyond them would be pending
        consumer.ack()
    assert sorted(f.seq for f in got) == list(range(12))
    assert all(f.lost_before == 0 for f in got)
    assert [len(f.masks) for f in got if f.seq < 8] == [1] * 8
    assert pending(server) == 0


def test_held_entries_that_were_trimmed_count_as_lost(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(8))
    dead = join(server, "dead")
    assert next(dead).seq == 0
    trim(server, 3)
    gaps: list[Gap] = []
    with join(server, "heir", claim_s=0.3, timeout_s=60, on_gap=gaps.append) as consumer:
        got = [f.seq for f in itertools.islice(consumer, 3)]
        consumer.ack()
    assert pending(server) == 0
    assert got == [5, 6, 7]
    assert sum(g.frames or 0 for g in gaps) == 5
    assert consumer.lost == {"gate": 5}
    assert all(g.before == "" for g in gaps)


def test_ones_own_entries_that_were_trimmed_count_as_lost(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(8))
    with join(server, "a") as consumer:
        next(consumer)
    trim(server, 3)
    with join(server, "a") as consumer:
        assert [f.seq for f in consumer] == [5, 6, 7]
        assert consumer.lost == {"gate": 5}
    assert pending(server) == 0


def test_entries_trimmed_while_nobody_read_count_as_lost(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(10))
    with join(server, "a") as consumer:
        assert len(list(consumer)) == 10
    publish(outbox, until, range(10, 60))
    trim(server, 20)
    gaps: list[Gap] = []
    with join(server, "b", on_gap=gaps.append) as consumer:
        got = list(consumer)
    assert [f.seq for f in got] == list(range(40, 60))
    assert [f.lost_before for f in got] == [30] + [0] * 19
    assert [(g.frames, g.before) for g in gaps] == [(30, got[0].entry_id)]


def test_loss_is_counted_once_by_consumers_that_come_back_together(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(10))
    with join(server, "a") as consumer:
        assert len(list(consumer)) == 10
    publish(outbox, until, range(10, 200))
    trim(server, 100)
    lost: list[int] = []
    barrier = threading.Barrier(3)

    def consume(name: str) -> None:
        with join(server, name, timeout_s=1) as consumer:
            barrier.wait()
            lost.extend(f.lost_before for f in consumer)

    threads = [threading.Thread(target=consume, args=(name,)) for name in "bcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lost) == 100
    assert sum(lost) == 90


def test_what_the_publisher_lost_is_seen_by_one_consumer(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, [0, 1, 5, 6])
    with join(server, "a") as consumer:
        assert [(f.seq, f.lost_before) for f in consumer] == [(0, 0), (1, 0), (5, 3), (6, 0)]


def test_what_a_new_primary_lacks_is_not_lost_to_whoever_has_it(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(10))
    with join(server, "a", timeout_s=60) as consumer:
        got = list(itertools.islice(consumer, 10))
        client: Any = server.client()  # replication had not come so far
        client.xdel(STREAM, *(frame.entry_id for frame in got[5:]))
        for member, _ in client.zrange(key("gate", "groups"), 0, -1, withscores=True):
            client.zadd(key("gate", "groups"), {member: 5})
        publish(outbox, until, range(10, 12))
        got += itertools.islice(consumer, 2)
    assert [(f.seq, f.lost_before) for f in got] == [(number, 0) for number in range(12)]


def test_a_new_group_begins_with_what_is_new(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    publish(outbox, until, range(5))
    consumer = join(server, "a", since=None, timeout_s=60)
    with once_awaited(server, publish, outbox, until, range(5, 8)):
        got = list(itertools.islice(consumer, 3))
    assert [(f.seq, f.lost_before) for f in got] == [(5, 0), (6, 0), (7, 0)]


@pytest.mark.parametrize("keep", [True, False], ids=["aof", "data-lost"])
def test_redis_restarted_under_a_group(folder: Any, until: Until, keep: bool) -> None:
    server = RedisChild(folder, "--appendonly", "yes" if keep else "no").start()
    outbox = Outbox(server.url)
    outbox.start()
    publish(outbox, until, range(10))
    with join(server, "a", timeout_s=60) as consumer:
        got = [next(consumer).seq for _ in range(10)]
        server.kill()
        for number in range(10, 20):
            outbox.publish(frame(number))
        threading.Timer(0.5, server.start).start()
        while got[-1] != 19:
            got.append(next(consumer).seq)
    assert Counter(got) == Counter(range(20))
    assert consumer.lost == {}
    outbox.close()
    server.kill()


def test_an_entry_that_is_no_message_is_not_delivered_for_ever(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    server.client().xadd(STREAM, {"json": "{"}, id="1-0")
    publish(outbox, until, [0])
    with join(server, "a") as consumer:
        assert [f.seq for f in consumer] == [0]
    assert pending(server) == 0
