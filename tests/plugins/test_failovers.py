"""A failover under cameras that publish and subscribers that read: nothing is lost or doubled."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mirante.keys import key
from tests.support.load import Follower, Load, loaded
from tests.support.redis_child import RedisChild
from tests.support.redis_sites import ClusterSite, SentinelSite, asked, eventually, started

pytestmark = pytest.mark.redis

CAMERAS = ("north", "south")


@pytest.fixture(scope="module")
def sentinels() -> Iterator[SentinelSite]:
    with (
        tempfile.TemporaryDirectory(prefix="mr") as folder,
        started(SentinelSite(Path(folder))) as site,
    ):
        yield site


@pytest.fixture(scope="module")
def cluster() -> Iterator[ClusterSite]:
    with (
        tempfile.TemporaryDirectory(prefix="mr") as folder,
        started(ClusterSite(Path(folder))) as site,
    ):
        yield site


def assert_all_came_once(load: Load, reader: Follower, group: Follower) -> None:
    assert load.lost == 0
    assert load.published - reader.got.keys() == set()
    assert (reader.doubled, reader.lost, reader.maskless) == (0, 0, 0)
    assert load.published - group.got.keys() == set()  # what it acknowledged last may come again
    assert (group.lost, group.maskless) == (0, 0)


def run(load: Load, seconds: float) -> None:
    """Let the cameras publish for a while."""
    before = len(load.published)
    time.sleep(seconds)
    assert len(load.published) > before


def test_sentinel_chooses_another_while_the_old_primary_works_on(sentinels: SentinelSite) -> None:
    names = [f"chosen-{name}" for name in CAMERAS]
    with loaded(sentinels.url, names) as (load, reader, group):
        sentinels.fail_over()
        run(load, 3)
    assert_all_came_once(load, reader, group)
    assert load.published - in_stream(dict.fromkeys(names, sentinels.primary())) == set()


def test_the_primary_that_sentinel_watches_is_killed(sentinels: SentinelSite) -> None:
    eventually(lambda: len({s for s in sentinels.servers if asked(s, "ROLE")[0] == b"slave"}) == 1)
    names = [f"killed-{name}" for name in CAMERAS]
    with loaded(sentinels.url, names) as (load, reader, group):
        sentinels.primary().kill()
        run(load, 4)
    assert_all_came_once(load, reader, group)


def in_stream(servers: Mapping[str, RedisChild]) -> set[tuple[str, int]]:
    """Return camera and number of every frame that the camera's server has."""
    return {
        (name, int(entry_id.partition(b"-")[2]))
        for name, server in servers.items()
        for entry_id, _ in asked(server, "XRANGE", key(name, "detections"), "-", "+")
    }


def test_a_shard_fails_over_by_hand(cluster: ClusterSite) -> None:
    names = cluster.cameras("moved")
    with loaded(cluster.url, names) as (load, reader, group):
        old = cluster.owner(names[0])
        cluster.fail_over()
        eventually(lambda: cluster.owner(names[0]) is not old)  # as each server learns of it
        run(load, 1.5)
    assert_all_came_once(load, reader, group)
    assert load.published - in_stream({name: cluster.owner(name) for name in names}) == set()


def test_a_slot_moves_to_another_shard(cluster: ClusterSite) -> None:
    names = cluster.cameras("sent")
    with loaded(cluster.url, names) as (load, reader, group):
        cluster.move_slot(names[1], cluster.owner(names[2]))
        eventually(lambda: cluster.owner(names[1]) is cluster.owner(names[2]))
        run(load, 1.5)
    assert_all_came_once(load, reader, group)
    assert load.published - in_stream({name: cluster.owner(name) for name in names}) == set()


def test_the_primary_of_a_shard_is_killed_and_the_others_go_on(cluster: ClusterSite) -> None:
    names = cluster.cameras("killed")
    with loaded(cluster.url, names) as (load, reader, group):
        replica = cluster.replica()
        replica.freeze(True)  # nobody takes the place until the others have gone on
        try:
            cluster.owner(names[0]).kill()
            killed_s = time.time()
            both = (reader.sent_s, group.sent_s)
            eventually(lambda: min(s[n] for s in both for n in names[1:]) > killed_s + 0.5)
            assert max(s[names[0]] for s in both) < killed_s
        finally:
            replica.freeze(False)
        run(load, 3)
    assert_all_came_once(load, reader, group)
