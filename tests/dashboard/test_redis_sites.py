"""The dashboard over Sentinel and over a cluster: API, streams, live images, before and after."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from dashboard.live.bundle import Bundle
from dashboard.live.redis_feed import RedisFeed
from mirante.redis_url import RedisUrl
from tests.support.api_server import Bench, serving
from tests.support.redis_sites import ClusterSite, SentinelSite, asked, eventually, started

pytestmark = pytest.mark.redis
Site = SentinelSite | ClusterSite


@pytest.fixture(scope="module", params=[SentinelSite, ClusterSite], ids=["sentinel", "cluster"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory(prefix="mr") as short,
        started(request.param(Path(short))) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def bench(site: Site) -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory(prefix="mr") as short,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("MIRANTE_HOME", short)
        with serving(cast(Any, site), Path(short)) as made:
            yield made


def added(bench: Bench, name: str) -> bool:
    """Add a camera; a request in the moment of a failover is refused in words, and not done."""
    answer = bench.http.post("/api/v1/cameras", json={"name": name, "url": "test://"})
    assert answer.status_code in {201, 409, 503}, answer.text
    assert "Redis" in answer.text or answer.status_code != 503
    return answer.status_code == 201


def latest(bench: Bench, name: str) -> int:
    answer = bench.http.get(f"/api/v1/results/{name}/latest")
    return int(answer.json()["seq"]) if answer.status_code == 200 else -1


def first_event(bench: Bench, name: str) -> str:
    """Read a camera's stream of results, while it goes on: what it wrote last to a primary that has
    just been replaced is sent again with its next frame.
    """
    url, over = f"/api/v1/results/{name}/stream", threading.Event()

    def publish() -> None:
        while not over.wait(0.2):
            bench.frame(name)

    camera = threading.Thread(target=publish)
    camera.start()
    try:
        with bench.http.stream("GET", url, headers={"Last-Event-ID": "0"}) as lines:
            return next(line for line in lines.iter_lines() if line.startswith("event: "))
    finally:
        over.set()
        camera.join()


async def seen_live(bench: Bench, names: list[str], site: Site) -> set[str]:
    """Return the cameras of which an image came with its results."""
    given: list[Bundle] = []
    feed = RedisFeed(RedisUrl(site.url), given.append)
    task = asyncio.create_task(feed.run())
    feed.watch(frozenset(names))
    for _ in range(1200):
        for name in names:
            if bench.outbox.watched(name):
                made = bench.frame(name)
                head = {"camera": name, "seq": made.seq, "epoch": made.epoch}
                bench.outbox.preview(name, b"jpeg", head)
        if {one.camera for one in given} == set(names):
            break
        await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return {one.camera for one in given}


def check(bench: Bench, site: Site, names: list[str]) -> None:
    """All that the dashboard shows comes from every camera's server."""
    bench.worker()
    for name in names:
        assert bench.until(lambda name=name: added(bench, name) or known(bench, name))
        made = bench.frame(name)
        bench.until(lambda name=name, seq=made.seq: latest(bench, name) == seq)
        assert first_event(bench, name) == "event: detections"
    bench.until(lambda: set(names) <= {c["name"] for c in bench.services.sampler.cameras()})
    told = bench.http.get("/api/v1/system").raise_for_status().json()["redis"]
    assert (told["connected"], told["url"]) == (True, site.url)
    assert told["version"]
    assert {stream["camera"] for stream in told["streams"]} >= set(names)
    assert asyncio.run(seen_live(bench, names, site)) == set(names)
    gc.collect()  # a connection left open fails this test, not one after it


def known(bench: Bench, name: str) -> bool:
    return bench.http.get(f"/api/v1/cameras/{name}").status_code == 200


def names_of(site: Site, prefix: str) -> list[str]:
    return site.cameras(prefix) if isinstance(site, ClusterSite) else [f"{prefix}0", f"{prefix}1"]


def test_everything_is_shown_and_goes_on_after_a_failover(bench: Bench, site: Site) -> None:
    names = names_of(site, "before")
    check(bench, site, names)
    site.fail_over()
    if isinstance(site, SentinelSite):  # over once the old primary is a replica
        eventually(lambda: [asked(s, "ROLE")[0] for s in site.servers].count(b"slave") == 1)
    bench.until(lambda: bench.http.get("/readyz").status_code == 200)
    assert all(bench.until(lambda name=name: known(bench, name)) for name in names)
    check(bench, site, [*names, *names_of(site, "after")])
