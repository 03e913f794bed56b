"""``mirante demo``: three cameras through the built-in RTSP server, and an account at the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from engines.console import is_fancy, print_table
from pipeline.cli.live import LiveStatus, dropped_words
from pipeline.config.choosing import begin
from pipeline.config.settings import Settings
from pipeline.config.standard import FACE, WANTED
from pipeline.control.reports import WorkerState
from pipeline.demo.road import draw_road
from pipeline.demo.rtsp_process import rtsp_cameras
from pipeline.demo.tally import Tally
from pipeline.gst.camera import CameraRunner
from pipeline.logs import configure_logs
from pipeline.worker.process import run_worker
from pipeline.worker.redis_server import is_free_port
from pipeline.worker.worker import Worker

CACHE = Path(".cache/demo")
DRAWN_ROAD = CACHE / "road.mp4"
PAGE_PORT = 8600


@dataclass(frozen=True, slots=True)
class Scene:
    """One camera of the demo.

    Attributes:
        clips: what it sees, the first that is here; the synthetic camera where none is.
        stages: the models it runs; None for what any camera runs that names none.
        fps: frames analysed per second on two cores; more cores, more frames.
    """

    name: str
    clips: tuple[Path, ...]
    stages: tuple[dict[str, str], ...] | None
    fps: float

    def clip(self) -> Path | None:
        """The clip that is shown."""
        return next((clip for clip in self.clips if clip.exists()), None)


SCENES = (
    Scene("street", (CACHE / "vtest.avi",), None, 10),
    Scene(
        "face",
        (CACHE / "carphone.mp4",),
        ({"model": WANTED["faces"]}, {"model": "face", "on": FACE}),
        10,
    ),
    Scene("road", (Path("../shared/clips/lanes.mp4"), DRAWN_ROAD), ({"model": "road"},), 10),
)
SYNTHETIC = ({"model": "test-boxes"}, {"model": "test-lane"})


def run_demo(seconds: float | None) -> int:
    """Runs until Ctrl-C or for ``seconds``; returns the exit status."""
    console = Console()
    stop = threading.Event()
    workers: list[Worker] = []
    begin("objects")  # for the worker, while the clips are looked for
    choice = begin("faces")
    clips = find_clips(console)
    with ExitStack() as around:
        urls = around.enter_context(rtsp_cameras(clips, CACHE))
        settings = demo_settings(urls, choice.result().runs)
        if "face" in urls and choice.result().is_less:
            _say(console, choice.result().account())
        tally = Tally(settings.cameras)
        live = around.enter_context(LiveStatus(console)) if is_fancy() else None
        configure_logs(settings.log)

        def on_start(worker: Worker, url: str, page: str | None) -> None:
            _say(console, f"open {page} — or, in another terminal: ./run tail street")
            workers.append(worker)
            tally.start(url)
            if seconds is not None:
                timer = threading.Timer(seconds, stop.set)
                timer.daemon = True
                timer.start()

        run_worker(
            settings,
            CameraRunner,
            stop=stop,
            on_start=on_start,
            on_tick=lambda worker: live.show(worker.state()) if live else None,
            on_end=tally.stop,
        )
    console.print("every frame accounted for:")
    _print_account(workers[0].state(), tally)
    return 0


def find_clips(console: Console) -> dict[str, Path]:
    """The clips that are here by scene, saying what is not; the road is drawn where none is filmed.

    Args:
        console: where it is said.
    """
    *_, road = SCENES
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


def demo_settings(urls: Mapping[str, str], faces: str) -> Settings:
    """The demo's configuration.

    Args:
        urls: addresses of the scenes whose clips are here.
        faces: the model that finds faces here.
    """
    share = max(1.0, (os.cpu_count() or 1) / 2)
    synthetic = {"url": "test://?fps=10", "stages": list(SYNTHETIC)}
    cameras = {
        scene.name: {"url": urls[scene.name], "fps": scene.fps * share, **_stages(scene, faces)}
        if scene.name in urls
        else synthetic
        for scene in SCENES
    }
    return Settings.model_validate(
        {
            "worker": "demo",
            "metrics": {"port": None},
            "dashboard": {
                "port": PAGE_PORT if is_free_port(PAGE_PORT) else 0,
                "local_targets": True,  # its own cameras are there
            },
            "log": {"level": "warning"},
            "cameras": cameras,
        }
    )


def _stages(scene: Scene, faces: str) -> dict[str, list[dict[str, str]]]:
    """The key ``stages`` of a scene that names some."""
    if scene.stages is None:
        return {}
    here = {WANTED["faces"]: faces}
    return {"stages": [s | {"model": here.get(s["model"], s["model"])} for s in scene.stages]}


def _say(console: Console, words: str) -> None:
    console.print(words, markup=False, highlight=False, soft_wrap=True)


def _print_account(state: WorkerState, tally: Tally) -> None:
    headings = ("camera", "decoded", "published", "dropped", "failed", "detections", "masks")
    rows = []
    for name, _, counts in state.accounts():
        seen = tally.cameras[name]
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
                seen.latency_words(),
            )
        )
    print_table((*headings, "bytes/mask", "latency p50/p95"), rows)
