"""``mirante bench line``: runs the variants in turn, in processes of their own, and compares them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from engines.store import resolve_file
from pipeline.bench.machine import describe_machine
from pipeline.bench.variants import Job
from pipeline.gst.floor import trim_clip
from pipeline.redis_server import RedisServer

FLAT_OVER = (1, 2, 4, 8)  # cameras


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of the command."""

    clip: Path
    model: str
    cameras: int
    frames: int
    rounds: int
    rate: float
    seconds: float


def run_bench(plan: Plan) -> None:
    """Measures and prints; a Redis and the cameras are its own."""
    console = Console()
    resolve_file(__import__("engines").load(plan.model).manifest)
    clip = trim_clip(plan.clip, plan.frames, Path(".cache/bench"))
    with RedisServer(port=0) as server:
        job = Job(str(clip), plan.model, plan.cameras, plan.frames, server.url)
        console.print(describe_machine())
        console.print(throughput(job, plan.rounds))
        console.print(latency(job, plan))
        console.print(flatness(job, plan))
