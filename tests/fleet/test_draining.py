"""Workers that give their cameras away, with a real Redis and beats that the test makes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec
import pytest

from fleet.cli import drain as drain_command
from fleet.draining import (
    Running,
    cameras_on,
    check_kept,
    drain,
    leave,
    running_on,
    workers_of,
)
from mirante.keys import FLEET_DRAINED, owner_key, report_key
from pipeline.control.beats import end
from pipeline.control.changing import RegistryError
from pipeline.control.registry import Place, Registry, connect
from pipeline.control.reports import publish
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import REPORT
from tests.support.fleet_site import SPEC, Site

pytestmark = pytest.mark.redis


@pytest.fixture
def site(redis_server: RedisServer) -> Iterator[Site]:
    with connect(redis_server.url) as client:
        yield Site(client)


def test_what_is_drained_gives_its_cameras_away(site: Site) -> None:
    site.join("a")
    site.join("b")
    site.add(*(f"c{number}" for number in range(12)))
    site.pass_by(2)
    drain(site.client, "a")
    site.pass_by(0.25)
    assert len(cameras_on(site.client, "a")) >= 2, "a few at a time"
    site.pass_by(3)
    assert cameras_on(site.client, "a") == []
    drain(site.client, "a", undo=True)
    drain(site.client, "b-node")
    site.pass_by(4)
    assert cameras_on(site.client, "b-node") == []
    with pytest.raises(
        ValueError, match=r'"c" is not a worker or node .*; known: a, a-node, b, b-node'
    ):
        drain(site.client, "c")


def test_a_worker_that_leaves_has_cameras_again_once_it_begins_again(site: Site) -> None:
    for worker in "ab":
        site.join(worker)
        publish(site.client, msgspec.structs.replace(REPORT, worker=worker, host=f"pod-{worker}"))
    site.add("c1", "c2", "c3", "c4")
    site.pass_by(4)
    assert leave(site.client, "pod-a") == ["a"]
    running = Running(site.client, partial(workers_of, site.client, "pod-a"))
    assert len(running.look()) == 2
    site.pass_by(4)
    assert (running.look(), cameras_on(site.client, "pod-a")) == ([], [])
    with pytest.raises(ValueError, match='"b" is not drained; drained: a'):
        drain(site.client, "b", undo=True)
    site.join("a", run="another")
    site.pass_by(20)
    assert len(cameras_on(site.client, "a")) == 2
    assert not site.client.exists(FLEET_DRAINED)


@pytest.mark.parametrize("name", ["a", "a-node", "pod-a"])
def test_who_was_to_leave_may_stay(site: Site, name: str) -> None:
    site.join("a")
    publish(site.client, msgspec.structs.replace(REPORT, worker="a", host="pod-a"))
    site.pass_by(1)
    leave(site.client, "pod-a")
    drain(site.client, name, undo=True)
    assert not site.client.exists(FLEET_DRAINED)
    with pytest.raises(ValueError, match=f'"{name}" is not drained; drained: none'):
        drain(site.client, name, undo=True)


def test_nothing_is_left_of_one_that_left_and_ended(site: Site) -> None:
    site.join("a")
    publish(site.client, msgspec.structs.replace(REPORT, worker="a", host="pod-a"))
    site.pass_by(1)
    leave(site.client, "pod-a")
    site.pass_by(1)
    assert site.client.exists(FLEET_DRAINED)
    end(site.client, "a")
    site.pass_by(1, but="a")
    assert not site.client.exists(FLEET_DRAINED)


def test_one_whose_report_is_late_is_waited_for(site: Site) -> None:
    """It has cameras, though nobody knows its host any more."""
    site.join("a")
    publish(site.client, msgspec.structs.replace(REPORT, worker="a", host="pod-a"))
    site.add("c1")
    site.pass_by(2)
    running = Running(site.client, partial(workers_of, site.client, "pod-a"))
    assert running.look() == ["c1"]
    site.client.delete(report_key("a"))
    site.add("c2")  # by which it is looked for anew
    assert running.look() == ["c1"]


def test_a_host_is_drained_by_its_name_too(site: Site) -> None:
    """As a pod's, which is neither its worker's nor its node's."""
    site.join("a")
    publish(site.client, msgspec.structs.replace(REPORT, worker="a", host="pod-a"))
    site.pass_by(1)
    drain(site.client, "pod-a")
    assert site.client.smembers(FLEET_DRAINED) == {b"a"}
    drain(site.client, "pod-a", undo=True)
    assert not site.client.exists(FLEET_DRAINED)


def test_what_is_never_moved_is_not_waited_for(site: Site) -> None:
    """A camera of its own file stays, and without a keeper all do."""
    site.join("a")
    site.pass_by(1)
    Registry(site.client, "a").put("own", SPEC)
    assert cameras_on(site.client, "a") == []
    with pytest.raises(RegistryError, match="no keeper runs, so its cameras stay where they are"):
        check_kept(site.client)


def test_a_drained_worker_has_a_camera_until_it_is_taken_over(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    for worker in "ab":
        site.join(worker)
    site.add("c1", "c2")
    site.pass_by(2)
    site.registry.assign({"c1": Place("b", "a"), "c2": Place("a")})
    site.client.set(owner_key("c1"), "a:x.1")
    assert (cameras_on(site.client, "a"), running_on(site.client, "a-node")) == (
        ["c2"],
        ["c1", "c2"],
    )
    url = f"redis://127.0.0.1:{site.client.connection_pool.connection_kwargs['port']}"
    with pytest.raises(RegistryError, match="no keeper runs"):
        drain_command("a", undo=False, wait=True, redis_url=url)
    site.registry.pause("c2")
    site.client.set(owner_key("c1"), "b:x.1")
    drain_command("a", undo=False, wait=True, redis_url=url)
    assert capsys.readouterr().out.endswith("a: is drained; it has 0 cameras now\n")
