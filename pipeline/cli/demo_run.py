"""``mirante demo``: four cameras through the built-in RTSP server, and an account at the end."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from engines.console import is_fancy, print_table
from pipeline.cli.live import LiveStatus, dropped_words
from pipeline.config.choosing import begin
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import WorkerState
from pipeline.control.spec import shown
from pipeline.demo.road import draw_road
from pipeline.demo.rtsp_process import rtsp_cameras
from pipeline.demo.scenes import CACHE, DRAWN_ROAD, DRAWN_YARD, SCENES, demo_settings
from pipeline.demo.tally import Tally
from pipeline.demo.yard import draw_yard
from pipeline.gst.camera import CameraRunner
from pipeline.logs import configure_logs
from pipeline.worker.dashboard_process import EXTRA, is_installed
from pipeline.worker.process import run_worker
from pipeline.worker.redis_server import is_free_port
from pipeline.worker.worker import Worker

PAGE_PORT = 8600


def run_demo(seconds: float | None) -> int:
    """Runs until Ctrl-C or for ``seconds``; returns the exit status."""
    console = Console()
    stop = threading.Event()
    workers: list[Worker] = []
    choices = [begin("objects"), begin("faces")]  # while the clips are looked for
    clips = find_clips(console)
    with ExitStack() as around:
        urls = around.enter_context(rtsp_cameras(clips, CACHE))
        found = [choice.result() for choice in choices]
        port = page_port(console)
        settings = demo_settings(urls, {choice.finds: choice.runs for choice in found}, port)
        run = {scene.model for scene in SCENES if scene.name in urls}
        for choice in found:
            if choice.is_less and choice.finds in run:
                _say(console, choice.account())
        tally = Tally(settings.cameras)
        live = around.enter_context(LiveStatus(console)) if is_fancy() else None
        configure_logs(settings.log)

        def on_start(worker: Worker, url: str, page: str | None) -> None:
            way = f"open {page} — or, in another terminal" if page else "in another terminal"
            _say(console, f"{way}: ./run tail street")
            workers.append(worker)
            tally.start(url)
            with connect(url) as client:
                registry = Registry(client, settings.worker)
                for name, camera in settings.cameras.items():
                    registry.put(
                        name, shown(camera)
                    )  # as if added on the page: zones can be edited
            if seconds is not None:
                timer = threading.Timer(seconds, stop.set)
                timer.daemon = True
                timer.start()

        run_worker(
            settings.model_copy(update={"cameras": {}}),
            CameraRunner,
            stop=stop,
            on_start=on_start,
            on_tick=lambda worker: live.show(worker.state()) if live else None,
            on_end=tally.stop,
        )
    console.print("every frame accounted for:")
    print_account(workers[0].state(), tally)
    return 0


def page_port(console: Console) -> int | None:
    """Return the page's port, 0 for a free one, or None, which is said, where it is not here."""
    if is_installed():
        return PAGE_PORT if is_free_port(PAGE_PORT) else 0
    _say(console, f"no dashboard, as it is not installed: {EXTRA}")
    return None


def find_clips(console: Console) -> dict[str, Path]:
    """The clips that are here by scene, saying what is not; the yard is drawn, and the road where
    none is filmed.

    Args:
        console: where it is said.
    """
    *_, yard, road = SCENES
    if yard.clip() is None:
        draw_yard(DRAWN_YARD)
    if road.clip() is None:
        _say(
            console,
            "road: no clip filmed from a car is here, so a road is drawn (once, some seconds)",
        )
        draw_road(DRAWN_ROAD)
    clips = {scene.name: clip for scene in SCENES if (clip := scene.clip()) is not None}
    for scene in SCENES:
        if scene.name not in clips:
            files = " or ".join(map(str, scene.clips))
            _say(console, f"{scene.name}: no clip {files}; the synthetic camera stands in")
    return clips


def _say(console: Console, words: str) -> None:
    console.print(words, markup=False, highlight=False, soft_wrap=True)


def print_account(state: WorkerState, tally: Tally) -> None:
    """Print what became of the frames of the cameras that were counted, a row for each."""
    headings = ("camera", "decoded", "published", "dropped", "failed", "detections", "masks")
    rows = []
    for name, _, counts in state.accounts():
        if (seen := tally.cameras.get(name)) is None:
            continue  # added while the demo ran: nobody counted what was received of it
        rows.append(
            (
                name,
                str(counts.decoded),
                str(counts.published),
                dropped_words(counts),
                str(counts.failed),
                str(seen.detections),
                str(seen.masks),
                f"{seen.mask_bytes / seen.masks:.0f}" if seen.masks else "-",
                str(seen.events),
                seen.latency_words(),
            )
        )
    print_table((*headings, "bytes/mask", "events", "latency p50/p95"), rows)
