"""Metrics of a fleet, as its keeper tells of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from pipeline.control.fleet_report import FleetReport, MemberState

Family = CounterMetricFamily | GaugeMetricFamily


def families(fleet: FleetReport) -> Iterator[Family]:
    """Yield the metric families of a fleet."""
    yield GaugeMetricFamily(
        "mirante_fleet_keeper",
        "1 while a keeper decides which worker has which camera.",
        fleet.state == "running",
    )
    states = Counter(worker.state for worker in fleet.workers)
    workers = GaugeMetricFamily("mirante_fleet_workers", "Workers in each state.", labels=["state"])
    for state in get_args(MemberState):
        workers.add_metric([state], states[state])
    yield workers
    cameras = GaugeMetricFamily(
        "mirante_fleet_cameras",
        "Cameras that have a worker (placed), and those that have none (waiting), paused ones too.",
        labels=["state"],
    )
    cameras.add_metric(["placed"], fleet.placed)
    cameras.add_metric(["waiting"], fleet.cameras - fleet.placed)
    yield cameras
    yield CounterMetricFamily(
        "mirante_fleet_moves",
        "Cameras given to another worker; from 0 again with each keeper that begins.",
        fleet.moved,
    )
    if fleet.more is not None:
        yield GaugeMetricFamily(
            "mirante_fleet_room", "Cameras like those of the fleet that fit besides.", fleet.more
        )
