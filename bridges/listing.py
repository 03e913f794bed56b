"""``mirante bridge list``."""

from __future__ import annotations

from engines.console import print_table
from pipeline.control.bridge_reports import BridgeReport, bridges
from pipeline.control.registry import connect

_WELL = {"connecting", "running", "away"}  # it runs, whatever its other side does


def show(address: str, name: str | None) -> bool:
    """Print a row for each bridge; return whether the one named runs, or True where none is.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    with connect(address) as client:
        found = bridges(client)
    print_table(
        [
            "bridge",
            "kind",
            "target",
            "state",
            "behind",
            "delivered",
            "failed",
            "given up",
            "reason",
        ],
        [_row(each) for each in found],
    )
    return name is None or any(each.name == name and each.state in _WELL for each in found)


def _row(report: BridgeReport) -> list[str]:
    lag = "unknown" if report.lag is None else f"{report.lag}"
    counts = [str(each) for each in (report.delivered, report.failed, report.dead)]
    return [report.name, report.kind, report.target, report.state, lag, *counts, report.words]
