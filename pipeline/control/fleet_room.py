"""Whether a fleet takes one more camera, as its keeper said last."""

from __future__ import annotations

import redis

from pipeline.control.beats import beats
from pipeline.control.changing import RegistryError
from pipeline.control.entries import Needs
from pipeline.control.fleet_report import DRAINED, FleetReport, MemberReport, reported
from pipeline.control.needs import meets, words_of


class FleetFullError(RegistryError):
    """A fleet takes no further camera; says how many it has."""


def check_fleet(client: redis.Redis, needs: Needs | None = None) -> None:
    """Refuse a camera for a fleet that there is not, or that is full.

    While its keeper is away, or nothing was measured yet, nobody knows: then it is taken, and waits
    where it has to. So does one that needs what no worker offers yet.

    Args:
        client: a Redis client that answers bytes.
        needs: what the camera needs of its worker; None for nothing.

    Raises:
        FleetFullError: it is full, or all workers that offer what the camera needs are.
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
    if report.state == "running" and needs is not None and words_of(needs):
        able = {worker for worker, said in beats(client).items() if meets(said, needs)}
        members = [m for m in report.workers if m.name in able and m.state == "running"]
        if members and not _may_fit(report, members):
            count = sum(member.cameras for member in members)
            raise FleetFullError(
                f"all workers that offer {words_of(needs)} are full: {count} of {count} cameras "
                "fit. Add one, or remove a camera"
            )


def _may_fit(report: FleetReport, members: list[MemberReport]) -> bool:
    """Return whether a machine of some workers has room, or may have."""
    nodes = {member.node for member in members}
    found = [node.more for node in report.nodes if node.name in nodes]
    return not found or any(more != 0 for more in found)


def full_words(report: FleetReport) -> str:
    """Return how many cameras a full fleet has, and what ran out, in words."""
    limit = f"; {report.limited_by} runs out first" if report.limited_by else ""
    if report.limited_by == DRAINED:
        limit = "; all of its workers are drained"
    waiting = report.cameras - report.placed
    more = f", {waiting} more wait{'s' if waiting == 1 else ''}" if waiting > 0 else ""
    return (
        f"the fleet is full: {report.placed} of {report.placed} cameras fit{more}{limit}. Add a "
        "worker, or remove a camera"
    )
