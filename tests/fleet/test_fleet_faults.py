"""What consumers see of workers that are frozen, killed and ended: processes as they are hosted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import psutil
import pytest
import redis

from fleet.draining import cameras_on
from fleet.hosting import HostedWorker, settings_of
from fleet.keeping import keep
from fleet.processor import stolen_share
from fleet.watching import Seen, Watch
from mirante.keys import owner_key
from mirante.redis_url import exchange
from pipeline.control.beats import beats
from pipeline.control.entries import Needs
from pipeline.control.registry import Registry, connect
from pipeline.worker.redis_server import RedisServer
from plugins.outbox.fence import owner_of

pytestmark = [pytest.mark.redis, pytest.mark.timeout(600)]
SPEC = {"url": "test://?size=320x180&fps=10", "stages": []}
CAMERAS = ("gate", "yard")


class Site:
    """Two workers, a keeper and two cameras."""

    def __init__(self, url: str, around: ExitStack) -> None:
        self.client: redis.Redis = around.enter_context(connect(url))
        for camera in CAMERAS:
            Registry(self.client).add(camera, SPEC, Needs())
        self.watch = around.enter_context(Watch(url, CAMERAS))
        over = threading.Event()
        keeper = threading.Thread(target=keep, args=(url, over))
        keeper.start()
        around.callback(keeper.join)
        around.callback(over.set)
        self.hosted = {}
        for name in "ab":
            self.hosted[name] = HostedWorker(url, settings_of(name, name, 1.0))
            around.callback(self.hosted[name].close)
        around.callback(self.clear)  # or the last worker waits for others to take its cameras

    def clear(self) -> None:
        for camera in CAMERAS:
            Registry(self.client).remove(camera)

    def wait(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 240
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.1)

    def published(self) -> bool:
        """Every camera publishes now."""
        since_s = time.time()
        self.wait(lambda: all(seen.at_s[-1:] > [since_s] for seen in self.watch.seen.values()))
        return True


@pytest.fixture
def site(redis_server: RedisServer) -> Iterator[Site]:
    with ExitStack() as around:
        yield Site(redis_server.url, around)


def test_each_camera_has_one_publisher_whatever_ends(site: Site) -> None:
    site.wait(lambda: len(beats(site.client)) == 2 and not cameras_on(site.client, ""))
    site.published()
    frozen = "a" if cameras_on(site.client, "a") else "b"
    other = "b" if frozen == "a" else "a"
    pid = site.hosted[frozen].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        site.wait(lambda: set(cameras_on(site.client, other)) == set(CAMERAS))
        site.published()
    finally:
        os.kill(pid, signal.SIGCONT)
    number = beats(site.client)[frozen].number
    site.wait(lambda: beats(site.client)[frozen].number > number)
    run, killed = beats(site.client)[other].run, site.hosted[other].pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    site.wait(lambda: not cameras_on(site.client, other) or beats(site.client)[other].run != run)
    site.published()
    site.wait(lambda: beats(site.client)[other].run != run)
    site.published()
    leaving = Registry(site.client).cameras()["gate"].worker
    ended = site.hosted[leaving].pid
    assert ended is not None
    process = psutil.Process(ended)
    process.terminate()
    site.wait(lambda: not process.is_running())
    (stays,) = {"a", "b"} - {leaving}
    owners = exchange(site.client, [("GET", owner_key(camera)) for camera in CAMERAS])
    assert {owner_of(owner or b"") for owner in owners} == {stays}
    assert [seen.stale() for seen in site.watch.seen.values()] == [0, 0]


def test_what_is_stale_and_what_is_a_pause() -> None:
    seen = Seen([10.0, 10.1, 10.4, 10.5], [1, 1, 3, 2])
    assert seen.stale() == 1
    assert seen.longest(10.0, 11.0) == pytest.approx((0.3, 10.1))
    assert seen.longest(11.0, 12.0) == (1.0, 11.0)


@pytest.mark.full
@pytest.mark.slow
def test_ray_starts_a_fleet_that_outlives_a_node() -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: ./run fleet up")
    from fleet.faults import made, node_killed

    with ExitStack() as around:
        site = made(around, nodes=2, cameras=2)
        outcome = node_killed(site)
        keepers = ray.get([keeper.pid.remote() for keeper in site.fleet.keepers])
        assert len({psutil.Process(pid).ppid() for pid in keepers}) == 2, "on one node"
    assert outcome.again_s is not None
    assert outcome.stale == 0


class Linux(NamedTuple):
    user: float
    steal: float


class Other(NamedTuple):
    user: float
    idle: float


@pytest.mark.parametrize(("kind", "share"), [(Linux, 0.25), (Other, 0.0)])
def test_what_the_host_takes_is_told_where_it_can_be(kind: Any, share: float) -> None:
    assert stolen_share(kind(10, 2), kind(13, 3)) == share
