"""What one camera may take in Redis: held while it publishes, restarts, and sends again."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from mirante import Mask
from mirante.keys import Kind, key
from plugins.outbox.outbox import Outbox
from plugins.outbox.retention import Retention
from tests.support.redis_child import RedisChild
from tests.support.simulated_camera import LANES, frame

Until = Callable[..., Any]
MIB = 1 << 20
NOISE = Mask.from_planes(
    ("noise",), np.random.default_rng(3).random((1, 480, 640)) > 0.5, (0, 0, 1280, 720), "n"
)


class Site:
    """An outbox of one camera, and what its streams take."""

    def __init__(self, server: RedisChild, until: Until, number: int = 0) -> None:
        self.client = server.client()
        self.server, self.number, self._until = server, number, until

    @contextmanager
    def publisher(self, **max_mib: int) -> Iterator[Outbox]:
        retention = Retention(max_mib={"detections": 32, "masks": 64, **max_mib})
        outbox = Outbox(self.server.url, retention)
        outbox.start()
        try:
            yield outbox
        finally:
            outbox.close(5)

    def publish(
        self, outbox: Outbox, frames: int, masks: tuple[Mask, ...] = (NOISE,), camera: str = "gate"
    ) -> None:
        """Publishes some, and waits until Redis has them."""
        before = outbox.state.sent.get(camera, 0)
        for _ in range(frames):
            outbox.publish(frame(self.number, camera, masks=masks))
            self.number += 1
        self._until(lambda: outbox.state.sent.get(camera, 0) == before + frames)

    def mib(self, kind: Kind = "masks", camera: str = "gate") -> float:
        return (self.client.memory_usage(key(camera, kind), samples=0) or 0) / MIB

    def length(self, kind: Kind = "masks") -> int:
        return int(self.client.xlen(key("gate", kind)))


@pytest.fixture
def site(server: RedisChild, until: Until) -> Site:
    return Site(server, until)


def test_a_camera_with_large_masks_does_not_fill_redis(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with site.publisher(masks=1) as outbox:
        for _ in range(10):
            site.publish(outbox, 20)
            assert site.mib() <= 1.01
        assert site.mib() > 0.9
        [(camera, kinds)] = outbox.state.cut.items()
        assert (camera, list(kinds)) == ("gate", ["masks"])
        assert kinds["masks"].entries + site.length() == 200
        assert (kinds["masks"].max_mib, kinds["masks"].kept_s < 20) == (1, True)
        assert site.length("detections") == 200, "small ones stay for their time"
    [line] = [r.message for r in caplog.records if "max_mib" in r.message]
    assert line.startswith("gate: its masks of 20 s take more than 1 MiB (max_mib): the oldest ")


def test_small_entries_are_held_as_exactly(site: Site) -> None:
    with site.publisher(detections=1) as outbox:
        site.publish(outbox, 2000, ())
        assert 0.9 < site.mib("detections") <= 1.01
        cut = outbox.state.cut["gate"]["detections"].entries
        # Where nodes of Redis end is followed nearly: what is cut may differ by part of one.
        stream = site.client.xinfo_stream(key("gate", "detections"))
        node = math.ceil(stream["length"] / stream["radix-tree-keys"])
        assert cut + stream["length"] == pytest.approx(2000, abs=node)


@pytest.mark.parametrize("before", [1, 4], ids=lambda mib: f"after {mib} MiB")
def test_a_restarted_worker_knows_what_its_streams_hold(site: Site, before: int) -> None:
    with site.publisher(masks=before) as outbox:
        site.publish(outbox, 150)
    held = site.length()
    with site.publisher(masks=1) as outbox:
        site.publish(outbox, 1)
        assert 0.9 < site.mib() <= 1.01, "with its first write"
        assert outbox.state.cut["gate"]["masks"].entries > 0
        if before == 1:
            assert outbox.state.cut["gate"]["masks"].entries + site.length() == held + 1
        site.publish(outbox, 30)
        assert 0.9 < site.mib() <= 1.01


def test_what_is_sent_again_counts_too(site: Site, until: Until) -> None:
    with site.publisher(masks=1) as outbox:
        site.publish(outbox, 60)
        site.client.flushall()
        site.publish(outbox, 1)
        until(lambda: site.length("detections") == 61)
        assert 0.9 < site.mib() <= 1.01
        site.server.hang_up()
        site.client = site.server.client()
        site.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        site.publish(outbox, 40)
        assert 0.9 < site.mib() <= 1.01


def test_a_camera_may_have_limits_of_its_own(site: Site) -> None:
    with site.publisher(masks=1) as outbox:
        outbox.limit("yard", {"detections": None, "masks": 3})
        for camera in ("gate", "yard"):
            site.publish(outbox, 120, camera=camera)
        assert site.mib() <= 1.01
        assert 2.7 < site.mib(camera="yard") <= 3.03
        outbox.limit("yard", {"detections": None, "masks": None})
        site.publish(outbox, 1, camera="yard")
        assert site.mib(camera="yard") <= 1.01


def test_a_full_redis_gets_room_again_as_results_grow_old(server: RedisChild, until: Until) -> None:
    client = server.client()
    outbox = Outbox(server.url, Retention(detections_s=1.0, masks_s=1.0), ring_s=120)
    outbox.start()
    try:
        for number in range(40):
            outbox.publish(frame(number, masks=(NOISE,)))
        until(lambda: outbox.state.sent.get("gate", 0) == 40)
        client.config_set("maxmemory", client.info("memory")["used_memory"])
        outbox.publish(frame(40, masks=(NOISE,)))
        until(lambda: "OOM" in outbox.state.words)
        for number in range(41, 60):
            outbox.publish(frame(number, masks=(LANES,)))
        until(lambda: outbox.state.connected and outbox.state.sent["gate"] == 60)
        assert outbox.state.lost.get("gate", 0) == 0
    finally:
        client.config_set("maxmemory", 0)
        outbox.close(1)
