"""``mirante bench line``: the variants in turn, in processes of their own, side by side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import psutil
import typer

from benchmarks.line.clips import CACHE, folder_of, kept, pictures
from benchmarks.line.job import Job, Measured
from benchmarks.line.peers import PEERS, peer_text, programs_of_peers
from benchmarks.line.plan import LEAST_FRAMES, Plan
from benchmarks.line.pyav import open_pyav
from benchmarks.machine import describe_machine
from benchmarks.models.rounds import turns
from engines.console import print_table
from engines.manifest import find
from pipeline.demo.rtsp_process import rtsp_cameras
from pipeline.demo.tally import Received, Tally
from pipeline.gst.floor import trim_clip
from pipeline.worker.redis_server import DIE_WITH_PARENT, RedisServer

FLAT_OVER = (1, 2, 4, 8)  # cameras
WIDE, WIDE_FPS, LIVE_FPS = (1920, 1080), 25, 10.0
_VARIANTS, _BY_PYAV = "benchmarks.line.variants", {"pyav_loop", "openvino_queue"}
LOOPS = {
    "pyav_loop": "loop: PyAV + ONNX Runtime + pipelined Redis",
    "cv2_loop": "loop: OpenCV + ONNX Runtime + pipelined Redis",
}


def run_bench(plan: Plan) -> None:
    """Measure and print, with a Redis and cameras of its own.

    Raises:
        ValueError: the clip has too few frames.
        RuntimeError: it is no H.264 MP4; or a variant fails.
    """
    typer.echo(describe_machine())
    clip = trim_clip(plan.clip, plan.frames, folder_of(plan.clip))
    plan = replace(plan, frames=frames_of(clip, plan))
    with RedisServer(port=0) as server:
        job = Job(str(clip), plan.model, plan.cameras, plan.frames, server.url)
        assert server.pid is not None
        _print_throughput(job, plan, server.pid)
        _print_latency(job, plan, server.pid)
        _print_flatness(job, plan, server.pid)
        _print_decoding(job, plan, server.pid)


def frames_of(trimmed: Path, plan: Plan) -> int:
    """Return how many frames the trimmed clip has; say so where they are fewer than asked for.

    Raises:
        ValueError: too few of them.
    """
    frames = int(cv2.VideoCapture(str(trimmed)).get(cv2.CAP_PROP_FRAME_COUNT))
    if frames < LEAST_FRAMES:
        raise ValueError(f"{plan.clip}: {frames} frames; expected {LEAST_FRAMES} at least")
    if frames < plan.frames:
        typer.echo(f"{plan.clip}: {frames} frames, not {plan.frames}: all are measured", err=True)
    return frames


def _print_throughput(job: Job, plan: Plan, redis_pid: int) -> None:
    """The line, its floor, and loops; in turn, so that a slow minute meets them all."""
    loops = loops_of(plan.model)
    programs = programs_of_peers() if plan.peers and loops else {}
    names = ["line", "small", "decode", "engine", *loops, *programs]
    small = max(find(plan.model).input.size)
    for cameras in (1, plan.cameras) if plan.cameras > 1 else (1,):
        taken: dict[str, list[Measured]] = {name: [] for name in names}
        for _, name in turns(names, plan.rounds):
            each = replace(job, cameras=cameras, threads=1)
            if name in PEERS:
                taken[name] += measure_peer(name, programs, each, redis_pid)
                continue
            if name == "small":
                each = replace(each, width=small)
            taken[name].append(_measure("line" if name == "small" else name, each, redis_pid))
        floors = [_sum(d, e) for d, e in zip(taken["decode"], taken["engine"], strict=True)]
        columns = {
            "mirante line": taken["line"],
            f"mirante line, width and height {small}": taken["small"],
            "floor: decode + scale, then bare engine calls": floors,
            **{LOOPS[name]: taken[name] for name in loops},
            **{PEERS[name].words: taken[name] for name in programs},
        }
        typer.echo(
            f"\nthroughput: {cameras} cameras of {Path(job.clip).name}, {job.model}, every frame, "
            f"one thread an inference; medians of {plan.rounds} rounds"
        )
        headings = ("", "frames/s", "CPU ms/frame", "of it Redis", "RSS MiB", "line / it")
        print_table(
            headings, [throughput_row(name, runs, taken["line"]) for name, runs in columns.items()]
        )


def loops_of(model: str) -> list[str]:
    """Return the loops that can run beside the line."""
    if find(model).decoder != "yolox":
        typer.echo(f"loops are left out: they read YOLOX alone, not {model}", err=True)
        return []
    return [name for name in LOOPS if name != "pyav_loop" or open_pyav() is not None]


def throughput_row(name: str, runs: list[Measured], line: list[Measured]) -> tuple[str, ...]:
    """Return the medians of runs, and of the line's CPU per frame over theirs, round by round."""
    return (
        name,
        f"{median(run.fps for run in runs):.1f}",
        f"{median(run.cpu_ms for run in runs):.2f}",
        f"{median(run.redis_ms for run in runs):.2f}",
        f"{median(run.rss_mib for run in runs):.0f}",
        f"{median(ours.cpu_ms / run.cpu_ms for run, ours in zip(runs, line, strict=True)):.2f}",
    )


def _print_latency(job: Job, plan: Plan, redis_pid: int) -> None:
    received = _live(job, plan, plan.cameras, redis_pid)[1]
    # The first frames met models that were still loading; as many as were measured come last.
    frames = int(plan.rate * plan.seconds / plan.cameras)
    latency = [ms for camera in received for ms in camera.latency_ms[-frames:]]
    beyond = [ms for camera in received for ms in camera.beyond_inference_ms[-frames:]]
    typer.echo(
        f"\nlatency: {plan.cameras} RTSP cameras, {plan.rate} frames/s in all, capture (RTCP) to "
        f"subscriber, {len(latency)} frames"
    )
    rows = [
        (name, *(f"{value:.1f}" for value in np.percentile(values, [50, 95, 99])))
        for name, values in (("capture → subscriber", latency), ("… beyond inference", beyond))
    ]
    print_table(("ms", "p50", "p95", "p99"), rows)


def _print_flatness(job: Job, plan: Plan, redis_pid: int) -> None:
    typer.echo(f"\nCPU per frame at {plan.rate} frames/s in all, one thread per inference")
    single = replace(job, threads=1)
    runs = {
        cameras: median(
            _live(single, plan, cameras, redis_pid)[0].cpu_ms for _ in range(plan.rounds)
        )
        for cameras in FLAT_OVER
    }
    rows = [
        (str(cameras), f"{cpu_ms:.1f}", f"{cpu_ms / runs[FLAT_OVER[0]] - 1:+.0%}")
        for cameras, cpu_ms in runs.items()
    ]
    print_table(("cameras", "CPU ms/frame", "against 1"), rows)


def _print_decoding(job: Job, plan: Plan, redis_pid: int) -> None:
    """A camera without stages beside bare decoding, in turns."""
    clip = folder_of(plan.clip) / f"{plan.clip.stem}-{WIDE[0]}x{WIDE[1]}.mp4"
    kept(clip, pictures(plan.clip, 2 * WIDE_FPS, WIDE), WIDE_FPS)
    taken: dict[str, list[Measured]] = {"received": [], "live": []}
    with rtsp_cameras({"camera": clip}, CACHE) as urls:
        live = replace(
            job, model="", cameras=1, urls=tuple(urls.values()), seconds=plan.seconds, fps=LIVE_FPS
        )
        for _, name in turns(taken, plan.rounds):
            taken[name].append(_measure(name, live, redis_pid))
    bare, ours = ([run.of_a_core for run in runs] for runs in taken.values())
    typer.echo(
        f"\none RTSP camera, {WIDE[0]}x{WIDE[1]}, {WIDE_FPS} frames/s; medians of {plan.rounds} "
        "rounds"
    )
    over = median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
    rows = [
        ("received and decoded, no more", f"{median(bare):.1f}", "1.00"),
        (f"line without stages, {LIVE_FPS:g} frames/s", f"{median(ours):.1f}", f"{over:.2f}"),
    ]
    print_table(("", "% of a core", "of decoding"), rows)


def _live(job: Job, plan: Plan, cameras: int, redis_pid: int) -> tuple[Measured, list[Received]]:
    """Some RTSP cameras that send ``plan.rate`` frames a second between them."""
    clip = _slow_clip(plan, cameras)
    with rtsp_cameras({f"camera{i}": clip for i in range(cameras)}, CACHE) as urls:
        live = replace(job, cameras=cameras, urls=tuple(urls.values()), seconds=plan.seconds)
        tally = Tally(f"bench{i}" for i in range(cameras))
        tally.start(job.redis)
        measured = _measure("live", live, redis_pid)
        tally.stop()
    wanted = plan.rate * plan.seconds
    if measured.frames < 0.9 * wanted:
        typer.echo(f"overloaded: {measured.frames} of {wanted:.0f} frames; lower --rate", err=True)
    return measured, list(tally.cameras.values())


def _slow_clip(plan: Plan, cameras: int) -> Path:
    """The clip at the rate of one camera. Without B-frames, which live cameras do not send: at
    two frames a second a decoder would hold them back for seconds.
    """
    fps = max(1, plan.rate // cameras)
    target = folder_of(plan.clip) / f"{plan.clip.stem}-{plan.frames}-{fps}fps.mp4"
    return kept(target, pictures(plan.clip, plan.frames), fps)


def _measure(variant: str, job: Job, redis_pid: int) -> Measured:
    return _run(variant, [sys.executable, "-m", _VARIANTS, variant, job.text()], redis_pid)


def measure_peer(
    name: str, programs: dict[str, list[str]], job: Job, redis_pid: int
) -> list[Measured]:
    """Return a run of a peer; none, and its program taken away, where it fails: it is not ours."""
    if name not in programs:
        return []
    try:
        return [_run(name, [*programs[name], name, peer_text(job)], redis_pid)]
    except RuntimeError as error:
        typer.echo(f"{PEERS[name].words} is left out: {error}", err=True)
        del programs[name]
        return []


def _run(variant: str, command: list[str], redis_pid: int) -> Measured:
    before_s = cpu_s(redis_pid)
    done = subprocess.run(
        [*DIE_WITH_PARENT, *command],
        capture_output=True,
        text=True,
        check=False,
        env=environment_of(variant),
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        raise RuntimeError(f"{variant}: {said[-1]}")
    time.sleep(0.2)  # until the last of its memory and sockets is gone
    redis_s = cpu_s(redis_pid) - before_s
    return replace(Measured(**json.loads(done.stdout.splitlines()[-1])), redis_s=redis_s)


def environment_of(variant: str) -> dict[str, str]:
    """Return the environment of a variant's process."""
    pyav = open_pyav() if variant in _BY_PYAV else None
    return {**os.environ, **({} if pyav is None else {"PYTHONPATH": str(pyav)})}


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _sum(decode: Measured, engine: Measured) -> Measured:
    """Both halves of the floor one after the other, for the same frames."""
    return Measured(
        engine.frames,
        decode.wall_s + engine.wall_s,
        decode.cpu_s + engine.cpu_s,
        max(decode.rss_mib, engine.rss_mib),
    )
