"""The memory of streams as it is followed here, and as a real Redis measures it."""

from __future__ import annotations

import random
from itertools import count

import pytest
import redis

from mirante.keys import EntryId
from plugins.outbox.weight import MEASURE, Sized, Weight, size_of, sizes_of
from tests.support.redis_child import RedisChild

LIMIT = 1 << 20
NONE = EntryId(0, 0)
SIZES = [[400], [1000], [2300], [4200], [20_500], [200_000], [100, 3000, 50_000]]


def written(client: redis.Redis, weight: Weight, sizes: list[int], total: int) -> int:
    """Write entries until ``total`` bytes; return how many."""
    rng, number, sent = random.Random(7), count(), 0
    while sent < total:
        batch = []
        for _ in range(rng.randint(1, 8)):
            n = next(number)
            fields = {"json": rng.randbytes(rng.choice(sizes))}
            sent += len(fields["json"])
            batch.append((EntryId(1_764_374_400_000 + 33 * n, n), fields))
        coming = [(entry_id, size_of(fields)) for entry_id, fields in batch]
        horizon = weight.horizon(coming, LIMIT) or NONE
        for entry_id, fields in batch:
            more = ("sent", "1764374400.123456", "json", fields["json"])
            client.execute_command("XADD", "s", "MINID", "~", str(horizon), str(entry_id), *more)
        for entry_id, size in coming:
            weight.add(entry_id, size)
        weight.trim(horizon, NONE)
        if sent > LIMIT // 2:
            assert (client.memory_usage("s", samples=0) or 0) <= LIMIT * 1.01
    return next(number)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_stream_stays_below_its_limit_and_near_it(server: RedisChild, sizes: list[int]) -> None:
    client, weight = server.client(), Weight()
    entries = written(client, weight, sizes, 2 * LIMIT)
    used, largest = client.memory_usage("s", samples=0) or 0, max(sizes)
    assert LIMIT * 0.8 - 3 * largest < used <= LIMIT * 1.01
    kept = int(client.xlen("s"))
    assert weight.cut + kept == pytest.approx(entries, abs=2)
    reply = client.execute_command("EVAL", MEASURE, 1, "s", "+")
    found: list[Sized] = []
    while reply:
        found = sizes_of(reply) + found
        reply = client.execute_command("EVAL", MEASURE, 1, "s", f"({found[0][0]}")
    assert len(found) == kept
    again = Weight()
    assert weight.last is not None
    again.begin(found, weight.last, LIMIT)
    assert again.total == pytest.approx(weight.total, rel=0.02), "as a worker that begins sees it"


def test_one_entry_that_is_larger_than_the_limit_stays_alone() -> None:
    weight = Weight()
    for n in range(3):
        entry = (EntryId(n + 1, 0), 2 * LIMIT)
        horizon = weight.horizon([entry], LIMIT) or NONE
        weight.add(*entry)
        weight.trim(horizon, NONE)
        assert horizon == entry[0]
        assert weight.cut == n


def test_a_batch_that_is_larger_than_the_limit_keeps_its_end() -> None:
    weight = Weight()
    batch = [(EntryId(n + 1, 0), 300_000) for n in range(10)]
    horizon = weight.horizon(batch, LIMIT)
    assert horizon == EntryId(8, 0), "three of them fit"
    for entry in batch:
        weight.add(*entry)
    assert weight.trim(horizon, NONE) == 7


def test_what_goes_by_its_age_is_not_counted() -> None:
    weight = Weight()
    for n in range(100):
        weight.add(EntryId(n + 1, 0), 5000)
    assert weight.trim(EntryId(51, 0), EntryId(51, 0)) == 0
    assert weight.trim(EntryId(61, 0), EntryId(51, 0)) == 10
    before = weight.total
    assert weight.horizon([(EntryId(200, 0), 1000)], LIMIT) is None
    assert weight.total == before
