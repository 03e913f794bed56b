"""``mirante bench clips``: what a camera's memory for clips costs while nothing happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import psutil
import typer
from numpy.typing import NDArray

from benchmarks.line.clips import kept
from benchmarks.machine import describe_machine
from engines.console import print_table
from mirante.home import home
from pipeline.cameras.state import State
from pipeline.config.camera import Camera
from pipeline.config.clips import Clips
from pipeline.control.clip_store import ClipStore
from pipeline.demo.rtsp_process import rtsp_cameras
from pipeline.gst.camera import CameraRunner
from pipeline.gst.packets import PacketTap
from pipeline.worker.clips import rule_of
from plugins.clips.recorder import Recorder
from plugins.ledger import Ledger
from plugins.line import Line

SIZE, FPS, FRAMES = (1920, 1080), 25, 250
START_S = 60.0


def run_clips(seconds: float, rounds: int) -> None:
    """Print CPU and memory of a 1080p25 RTSP camera with and without, run in turns."""
    typer.echo(describe_machine())
    clip = kept(home("cache") / "bench" / f"moving-{SIZE[1]}p{FPS}.mp4", _pictures(), FPS)
    mbit = clip.stat().st_size * 8 / (FRAMES / FPS) / 1e6
    typer.echo(f"\n{SIZE[0]}x{SIZE[1]}, {FPS} frames/s, {mbit:.1f} Mbit/s; {rounds} rounds")
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    own_us: list[float] = []
    with rtsp_cameras({"camera": clip}, home("cache") / "bench") as urls:
        for n in range(2 * rounds):
            keeps = bool(n % 2) ^ bool(n // 2 % 2)  # neither always goes first
            cpu, mib, tap_us = _measured(next(iter(urls.values())), seconds, keeps)
            found[keeps].append((cpu, mib))
            own_us += [tap_us] if keeps else []
    rows = [
        (
            "with" if keeps else "without",
            *(f"{median(each):.2f}" for each in zip(*runs, strict=True)),
        )
        for keeps, runs in found.items()
    ]
    print_table(("clips", "% of a core", "MiB kept"), rows)
    pairs = [yes[0] - no[0] for no, yes in zip(found[False], found[True], strict=True)]
    typer.echo(
        f"difference: median {median(pairs):+.2f} % of a core, from {min(pairs):+.2f} to "
        f"{max(pairs):+.2f}; of that in the probe itself {median(own_us):.0f} µs an image, "
        f"{median(own_us) * FPS / 1e4:.2f} % of a core"
    )


def _measured(url: str, seconds: float, keeps: bool) -> tuple[float, float, float]:
    """Return % of a core, MiB that the camera keeps, and µs of the probe for an image."""
    spec = Camera.model_validate({"url": url, "clips": Clips()})
    recorder = Recorder("bench", rule_of(spec), ClipStore(Path("/nonexistent"), 1, 1))
    line = Line(Ledger("bench"))
    if keeps:
        line.clips, line.rings = recorder, (recorder.ring,)
    runs = threading.Event()
    runner = CameraRunner("bench", spec, "fakesink", line, lambda change: _note(change.state, runs))
    runner.start()
    try:
        if not runs.wait(START_S):
            raise RuntimeError(runner.reason)
        time.sleep(spec.clips.before_s + 4 if spec.clips else 0)  # until the memory is full
        with _TimedProbe() as took:
            process = psutil.Process()
            before, began_s = process.cpu_times(), time.monotonic()
            time.sleep(seconds)
            after, elapsed_s = process.cpu_times(), time.monotonic() - began_s
        cpu_s = after.user + after.system - before.user - before.system
        return 100 * cpu_s / elapsed_s, recorder.ring.bytes / 2**20, took.each_us
    finally:
        runner.stop()


def _note(state: State, runs: threading.Event) -> None:
    if state == State.RUNNING:
        runs.set()


class _TimedProbe:
    """Adds up what the probe takes of its thread; the times of calls, not of the machine."""

    def __init__(self) -> None:
        self.calls, self.ns = 0, 0

    @property
    def each_us(self) -> float:
        """Microseconds of a call."""
        return self.ns / 1e3 / max(1, self.calls)

    def __enter__(self) -> _TimedProbe:
        self._arrived = arrived = PacketTap.arrived

        def timed(tap: PacketTap, *arguments: Any) -> None:
            began_ns = time.thread_time_ns()
            arrived(tap, *arguments)
            self.ns += time.thread_time_ns() - began_ns
            self.calls += 1

        type.__setattr__(PacketTap, "arrived", timed)
        return self

    def __exit__(self, *_: object) -> None:
        type.__setattr__(PacketTap, "arrived", self._arrived)


def _pictures() -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a clip in which everything moves."""
    width, height = SIZE
    chance = np.random.default_rng(1)
    small = chance.integers(0, 256, (height // 8, width // 4, 3), np.uint8)
    wide = np.asarray(cv2.resize(small, (2 * width, height)), np.uint8)
    for n in range(FRAMES):
        left = n * width // FRAMES
        yield np.ascontiguousarray(wide[:, left : left + width])
