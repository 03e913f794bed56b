"""``mirante fleet status``."""

from __future__ import annotations

import time

import msgspec
import redis
import typer

from engines.console import print_table
from fleet.report import Each, average, fits_of, whole_of
from pipeline.control.beats import beats, cores_of
from pipeline.control.fleet_report import FleetReport, NodeReport, reported
from pipeline.control.registry import UnknownCameraError, connect, no_camera
from pipeline.control.reports import CameraReport, WorkerReport, reports
from pipeline.control.room import Fit

MIB = 1 << 20
MOVES = 10  # shown; --json has all that are kept


def show(address: str, like: str | None, *, as_json: bool) -> bool:
    """Print how a fleet is; return whether its keeper runs.

    Args:
        address: of Redis.
        like: a camera; how many more fit is by its cost, not by that of all on average.
        as_json: the report as it is.

    Raises:
        UnknownCameraError: no worker of the fleet runs ``like``.
        redis.RedisError: Redis does not answer.
    """
    with connect(address) as client:
        report = reported(client)
        if report is None:
            typer.echo(
                "no fleet: no keeper has run on this Redis in the last day (mirante fleet up)"
            )
            return False
        if like is not None:
            report = _like(client, report, like)
    if as_json:
        typer.echo(msgspec.json.encode(report).decode())
    else:
        _print(report, like)
    return report.state == "running"


def _like(client: redis.Redis, report: FleetReport, camera: str) -> FleetReport:
    """Return a report of which the room is for cameras like one."""
    states = {member.name: member.state for member in report.workers}
    found = [each for name, each in reports(client).items() if name in states]
    each = cost_of(camera, found)
    works = [worker for worker in found if states[worker.worker] != "gone"]
    draining = {name for name, state in states.items() if state == "draining"}
    there = {worker.worker for worker in works}
    beating = {name: beat for name, beat in beats(client).items() if name in there}
    cores = cores_of(beating, draining)
    nodes = {member.name: member.node for member in report.workers}
    fits = fits_of(works, each, draining, cores, nodes)
    ceiling = None if report.redis_more is None else Fit(report.redis_more, "Redis")
    whole = whole_of(fits.values(), ceiling)
    return msgspec.structs.replace(
        report,
        more=whole and whole.more,
        limited_by="" if whole is None else whole.limited_by,
        each_percent=each and round(100 * each.processor, 1),
        each_bytes=each and round(each.memory),
    )


def cost_of(camera: str, workers: list[WorkerReport]) -> Each | None:
    """Return what a camera takes: its own threads' time, and memory and GPU as the average.

    Raises:
        UnknownCameraError: none of the workers runs it.
    """
    running: dict[str, CameraReport] = {
        name: each for worker in workers for name, each in worker.cameras.items()
    }
    if camera not in running:
        raise UnknownCameraError(no_camera(camera, running))
    mean, percent = average(workers), running[camera].cpu_percent
    return None if mean is None or not percent else mean._replace(processor=percent / 100)


def _print(report: FleetReport, like: str | None) -> None:
    for line in lines_of(report, like):
        typer.echo(line)
    typer.echo()
    machines = ["machine", "workers", "cameras", "CPU", "memory", "GPU", "more fit", "limited by"]
    print_table(machines, [_node(each) for each in report.nodes])
    typer.echo()
    rows = [
        [
            member.name,
            member.node or "unknown",
            member.state,
            f"{member.running} of {member.cameras}",
            "unknown" if member.load_percent is None else f"{member.load_percent:.0f} %",
        ]
        for member in report.workers
    ]
    print_table(["worker", "machine", "state", "cameras", "of a core"], rows)
    if report.waiting:
        typer.echo()
        print_table(["without a worker", "why"], [[w.camera, w.why] for w in report.waiting])
    if report.moves:
        typer.echo()
        moves = [
            [f"{time.time() - m.at:.0f} s ago", m.camera, m.source or "-", m.target or "-", m.why]
            for m in report.moves[:MOVES]
        ]
        print_table(["moved", "camera", "from", "to", "why"], moves)


def lines_of(report: FleetReport, like: str | None) -> list[str]:
    """Return what there is to say before the tables."""
    keeper = report.keeper or "a process that does not say which"
    waiting = report.cameras - report.placed
    lines = [
        f"keeper    {keeper}"
        if report.state == "running"
        else f"keeper    gone for {time.time() - report.at:.0f} s: cameras stay where they are",
        f"cameras   {report.cameras}, {waiting or 'none'} without a worker; {report.moved} moves",
    ]
    if report.more is None or report.each_percent is None:
        return [*lines, "room      not measured yet"]
    blind = [node.name for node in report.nodes if node.gpus and node.gpu_percent is None]
    if blind:
        words = "no GPU there tells how busy it is, as slices of MIG do not"
        lines.append(f"GPU       not counted on {', '.join(blind)}: {words}")
    size = f" and {report.each_bytes / MIB:.0f} MiB" if report.each_bytes else ""
    each = f"like {like}" if like else "like these, on average"
    takes = f"each takes {report.each_percent:.1f} % of a core{size}"
    return [*lines, f"room      {report.more} more {each} ({report.limited_by}); {takes}"]


def _node(node: NodeReport) -> list[str]:
    used, whole = (size / MIB / 1024 for size in (node.memory_used_bytes, node.memory_bytes))
    gpu = "not told" if node.gpu_percent is None else f"{node.gpu_percent:.0f} %"
    return [
        node.name,
        f"{node.workers}",
        f"{node.cameras}",
        f"{node.cpu_percent:.0f} % of {node.cores} cores",
        f"{used:.1f} of {whole:.1f} GiB",
        gpu if node.gpus else "none",
        "unknown" if node.more is None else f"{node.more}",
        node.limited_by,
    ]
