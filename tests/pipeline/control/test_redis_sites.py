"""Lease, registry, requests, reports and commands over Sentinel and a cluster, and a failover."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from mirante.keys import CAMERAS
from pipeline.cli.app import run
from pipeline.control.credentials import Credentials
from pipeline.control.lease import WorkerLease
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import publish, reports
from pipeline.control.rpc import Requests, ask
from tests.support.api_server import REPORT
from tests.support.redis_child import RedisChild
from tests.support.redis_sites import (
    ClusterSite,
    SentinelSite,
    asked,
    eventually,
    is_primary,
    started,
)

pytestmark = pytest.mark.redis

Site = SentinelSite | ClusterSite


@pytest.fixture(scope="module", params=[SentinelSite, ClusterSite], ids=["sentinel", "cluster"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory(prefix="mr") as short,
        started(request.param(Path(short))) as made,
    ):
        yield made


def follows(call: Callable[[], object], within_s: float = 60.0) -> object:
    """Return what a call gives that may fail while another primary takes over."""
    end_s = time.monotonic() + within_s
    while True:
        try:
            return call()
        except redis.RedisError:
            assert time.monotonic() < end_s, "it does not follow"
            time.sleep(0.1)


def check(client: redis.Redis, registry: Registry, lease: WorkerLease, name: str) -> None:
    """All that control does with Redis, once."""
    assert follows(lease.take)
    follows(lambda: registry.put(name, {"url": "test://"}))
    assert name in dict(follows(registry.changes) or {})  # type: ignore[call-overload]
    registry.pause(name)
    assert registry.cameras()[name].paused
    publish(client, REPORT)
    assert list(reports(client)) == ["main"]
    requests = Requests(client, "main", {"swap": lambda request: request["model"].encode()})
    asking = threading.Thread(target=lambda: answers.append(ask(client, "swap", "main", REQUEST)))
    answers: list[bytes] = []
    asking.start()
    while not answers and asking.is_alive():
        requests.poll()
        time.sleep(0.02)
    assert answers == [b"street"]


REQUEST = {"model": "street", "to": None}


def test_a_demoted_server_is_left(site: Site) -> None:
    """An address of one server that leads to another by now, as behind a virtual one."""
    if isinstance(site, ClusterSite):
        pytest.skip("a cluster redirects")
    eventually(lambda: any(asked(s, "ROLE")[0] == b"slave" for s in site.servers))
    [replica] = [s for s in site.servers if asked(s, "ROLE")[0] == b"slave"]
    with connect(f"redis://127.0.0.1:{replica.port}") as client:
        first = client.client_id()
        with pytest.raises(redis.exceptions.ReadOnlyError):
            client.set("x", 1)
        assert client.client_id() != first
        with pytest.raises(redis.exceptions.ReadOnlyError), client.pipeline() as pipe:
            pipe.set("x", 1)
            pipe.execute()
        assert client.client_id() > first + 1


def test_control_goes_on_after_a_failover(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(site.url) as client:
        registry = Registry(client, credentials=Credentials(tmp_path / "credentials.json"))
        lease = WorkerLease(client, "main")
        check(client, registry, lease, "before")
        site.fail_over()
        if isinstance(site, SentinelSite):  # what the old primary takes until then, Redis loses
            eventually(lambda: sum(map(is_primary, site.servers)) == 1)
        check(client, registry, lease, "after")
        lease.release()
    assert run(["camera", "list", "--redis", site.url]) == 0
    listed = capsys.readouterr().out
    assert "before" in listed
    assert "after" in listed
    holders = [s for s in site.servers if asked(s, "ROLE")[0] == b"master"]
    assert {b"before", b"after"} in [_names(server) for server in holders]


def _names(server: RedisChild) -> set[bytes]:
    try:
        return set(asked(server, "HKEYS", CAMERAS))
    except redis.ResponseError:  # MOVED
        return set()
