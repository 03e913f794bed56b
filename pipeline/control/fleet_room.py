"""Whether a fleet takes one more camera, as its keeper said last."""

from __future__ import annotations

import redis

from pipeline.control.changing import RegistryError
from pipeline.control.fleet_report import FleetReport, reported


class FleetFullError(RegistryError):
    """A fleet takes no further camera; says how many it has."""


def check_fleet(client: redis.Redis) -> None:
    """Refuse a camera for a fleet that there is not, or that is full.

    While its keeper is away, or nothing was measured yet, nobody knows: then it is taken, and waits
    where it has to.

    Raises:
        FleetFullError: it is full.
        RegistryError: no keeper of a fleet has said anything within a day.
        redis.RedisError: Redis does not answer.
    """
    report = reported(client)
    if report is None:
        raise RegistryError(
            "there is no fleet on this Redis: nobody gives its cameras to workers; start one with: "
            "mirante fleet up"
        )
    if report.state == "running" and report.more == 0:
        raise FleetFullError(full_words(report))


def full_words(report: FleetReport) -> str:
    """Return how many cameras a full fleet has, and what ran out, in words."""
    limit = f"; {report.limited_by} runs out first" if report.limited_by else ""
    waiting = report.cameras - report.placed
    more = f", {waiting} more wait{'s' if waiting == 1 else ''}" if waiting > 0 else ""
    return (
        f"the fleet is full: {report.placed} of {report.placed} cameras fit{more}{limit}. Add a "
        "worker, or remove a camera"
    )
