"""``mirante demo``: three cameras through the built-in RTSP server, and an account at the end."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from engines.manifest import find
from engines.store import ModelUnavailableError, resolve_file
from pipeline.cli.console import is_fancy, print_table
from pipeline.cli.live import LiveStatus, dropped_words
from pipeline.config.settings import Settings
from pipeline.logs import configure_logs
from pipeline.metrics import WorkerSnapshot
from pipeline.rtsp_process import rtsp_cameras
from pipeline.tally import Tally
from pipeline.worker import Worker, run_worker

CACHE = Path(".cache/demo")
ROAD = Path("../shared/clips/lanes.mp4")


@dataclass(frozen=True, slots=True)
class Scene:
    """One camera of the demo.

    Attributes:
        clip: what it sees; the synthetic camera where there is no such file.
        stages: the models it runs.
        fps: frames analysed per second on two cores; more cores, more frames.
    """

    name: str
    clip: Path
    stages: tuple[dict[str, str], ...]
    fps: float


SCENES = (
    Scene("street", CACHE / "vtest.avi", ({"model": "yolox-nano"},), 10),
    Scene(
        "face",
        CACHE / "carphone.mp4",
        ({"model": "yunet"}, {"model": "unet-face", "on": "face"}),
        6,
    ),
    Scene("road", ROAD, ({"model": "twinlitenet"},), 2.5),
)
SYNTHETIC = ({"model": "test-boxes"}, {"model": "test-lane"})


def run_demo(seconds: float | None) -> int:
    """Runs until Ctrl-C or for ``seconds``; returns the exit status."""
    console = Console()
    stop = threading.Event()
    workers: list[Worker] = []
    clips = {scene.name: scene.clip for scene in SCENES if scene.clip.exists()}
    with ExitStack() as around:
        settings = demo_settings(around.enter_context(rtsp_cameras(clips, CACHE)), console)
        tally = Tally(settings.cameras)
        live = around.enter_context(LiveStatus(console)) if is_fancy() else None
        configure_logs(settings.log)

        def on_start(worker: Worker, url: str) -> None:
            console.print(f"results are on {url}; in another terminal: ./run tail street")
            workers.append(worker)
            tally.start(url)
            if seconds is not None:
                timer = threading.Timer(seconds, stop.set)
                timer.daemon = True
                timer.start()

        run_worker(
            settings,
            stop=stop,
            on_start=on_start,
            on_tick=lambda worker: live.show(worker.snapshot()) if live else None,
            on_end=tally.stop,
        )
    console.print("every frame accounted for:")
    _print_account(workers[0].snapshot(), tally)
    return 0


def demo_settings(urls: Mapping[str, str], console: Console) -> Settings:
    """The demo's configuration: what can be shown here, saying plainly what cannot.

    Args:
        urls: addresses of the scenes whose clips are here.
        console: where it is said.
    """
    share = max(1.0, (os.cpu_count() or 1) / 2)
    cameras: dict[str, object] = {}
    for scene in SCENES:
        missing = "" if scene.name in urls else f"the clip {scene.clip} is not here"
        missing = missing or _missing_models(scene)
        if missing:
            console.print(
                f"{scene.name}: {missing}\n  The synthetic camera stands in, with its own models.",
                markup=False,
                highlight=False,
            )
            cameras[scene.name] = {"url": "test://?fps=10", "stages": list(SYNTHETIC)}
            continue
        camera = {"url": urls[scene.name], "stages": list(scene.stages), "fps": scene.fps * share}
        cameras[scene.name] = camera
    return Settings.model_validate(
        {
            "worker": "demo",
            "metrics": {"port": None},
            "log": {"level": "warning"},
            "cameras": cameras,
        }
    )


def _missing_models(scene: Scene) -> str:
    """Why its models cannot be had and what to do, or nothing."""
    try:
        for stage in scene.stages:
            resolve_file(find(stage["model"]))
    except ModelUnavailableError as error:
        return str(error)
    return ""


def _print_account(snapshot: WorkerSnapshot, tally: Tally) -> None:
    headings = ("camera", "decoded", "published", "dropped", "failed", "detections", "masks")
    rows = []
    for name, camera in snapshot.cameras.items():
        seen, counts = tally.cameras[name], camera.counts
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
