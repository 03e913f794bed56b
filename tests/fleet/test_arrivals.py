"""Cameras that their new worker cannot reach, with a real Redis and reports that the test makes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from fleet.members import LOST_S
from mirante.faults import FaultCode
from mirante.keys import CAMERAS, CAMERAS_VERSION, owner_key
from pipeline.control.memory import FOREIGN_S
from pipeline.control.registry import Place, connect
from pipeline.control.reports import CameraReport, publish
from pipeline.worker.redis_server import RedisServer
from tests.support.api_server import REPORT
from tests.support.fleet_site import Site

pytestmark = pytest.mark.redis


class Reporting(Site):
    """Workers that take a camera over with its first image, where they reach it.

    Attributes:
        faults: by worker, the fault of every camera that it is given.
        claims: workers that take over without an image.
    """

    faults: dict[str, FaultCode]
    claims: frozenset[str] = frozenset()

    def arrive(self) -> None:
        """Publish what is reached, and report all."""
        entries = self.registry.cameras()
        for name, entry in entries.items():
            if entry.worker and (entry.worker not in self.faults or entry.worker in self.claims):
                self.client.set(owner_key(name), f"{entry.worker}:x.1")
        for worker in self.workers:
            code = self.faults.get(worker)
            said = CameraReport(
                state="reconnecting" if code else "running",
                reason="",
                counts=None,
                in_flight=0,
                detections=0,
                code=code,
                cpu_percent=10.0,
            )
            own = {name: said for name, entry in entries.items() if entry.worker == worker}
            publish(self.client, msgspec.structs.replace(REPORT, worker=worker, cameras=own))


@pytest.fixture
def site(redis_server: RedisServer) -> Iterator[Reporting]:
    with connect(redis_server.url) as client:
        site = Reporting(client)
        site.faults = {}
        for worker in "abc":
            site.join(worker)
        site.add("gate")
        site.pass_by(6)
        yield site


def moved_from(site: Reporting, fault: FaultCode) -> str:
    """Have the camera leave its worker for one of those that cannot reach it; return the first."""
    first = site.places()["gate"]
    site.faults = {worker: fault for worker in site.workers if worker != first}
    other = min(site.faults)
    site.client.set(owner_key("gate"), f"{first}:x.1")
    site.registry.assign({"gate": Place(other, first)})
    site.keeper._arrivals.note("gate", first, site.keeper.reports, site.now_s)
    return first


def test_a_camera_that_is_out_of_reach_goes_back_and_was_never_away(site: Reporting) -> None:
    first = moved_from(site, FaultCode.NO_ROUTE)
    site.pass_by(5)
    assert site.places() == {"gate": first}
    assert site.keeper.moves[0].why.endswith("could not reach it")
    assert site.pass_by(30) == 0
    assert site.client.get(owner_key("gate")) == f"{first}:x.1".encode()


def test_one_that_was_taken_over_and_is_dark_goes_back(site: Reporting) -> None:
    site.claims = frozenset("abc")
    first = moved_from(site, FaultCode.CAMERA_FULL)
    assert site.pass_by(14) == 0, "it may come once the other session ends"
    site.pass_by(6)
    assert site.places() == {"gate": first}


def test_where_the_one_before_is_gone_a_third_is_tried_and_no_more(site: Reporting) -> None:
    first = site.places()["gate"]
    site.faults = {worker: FaultCode.UNREACHABLE for worker in site.workers if worker != first}
    site.pass_by(30, but=first)
    given = [move.target for move in reversed(site.keeper.moves)][1:]
    assert sorted(given) == sorted(site.faults), "each once"


def test_a_camera_that_still_has_the_session_of_one_that_died_is_waited_for(
    site: Reporting,
) -> None:
    first = site.places()["gate"]
    site.claims = frozenset("abc")
    site.faults = {worker: FaultCode.CAMERA_FULL for worker in site.workers if worker != first}
    site.pass_by(40, but=first)
    assert len(site.keeper.moves) == 2


def test_what_redis_lost_and_no_worker_puts_back_the_keeper_does(site: Reporting) -> None:
    site.workers.clear()
    site.pass_by(LOST_S + 1)
    site.client.delete(CAMERAS, CAMERAS_VERSION)
    site.pass_by(1)
    assert site.places() == {}
    site.pass_by(FOREIGN_S)
    assert list(site.places()) == ["gate"]
