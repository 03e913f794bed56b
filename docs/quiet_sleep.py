"""Measures what a quiet camera costs asleep and awake, in docs/quiet.md.

    .venv/bin/python docs/quiet_sleep.py

Sends a street with grain, 1920x1080 at 25 frames a second and a key frame every 2 s, over RTSP from
another process. Prints the processor time that the camera takes, in % of a core, for each way: that
of the process, and that of the camera's own threads, as the dashboard shows it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst
from numpy.typing import NDArray
from quiet_street import QUALITY, run, still

from pipeline.cameras.graph import stages_text
from pipeline.config.camera import Camera
from pipeline.demo.rtsp_process import rtsp_cameras
from pipeline.gst.camera import CameraRunner
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox

SIZE, FPS, SECONDS = (1920, 1080), 25, 8
WARM_S, MEASURED_S = 32, 60
# Sizes settle over the first seconds of constant quality, and the clip is looped.
EVEN = QUALITY.replace("pass=qual", "pass=quant")
WAYS = {
    "gate off": {"gate": "off"},
    "sleep off": {"sleep": "off"},
    "sleep auto": {},
}


def images() -> Iterator[NDArray[np.uint8]]:
    """Yield the street in I420: a loop of it is one street, with grain that never repeats in it."""
    width, height = SIZE
    random = np.random.default_rng(1)
    street, chroma = still(random, SIZE), np.full((height // 2, width), 128, np.uint8)
    for _ in range(SECONDS * FPS):
        grain = random.normal(0, 1.5, street.shape).astype(np.float32)
        yield np.vstack([np.clip(street + grain, 0, 255).astype(np.uint8), chroma])


def encode(target: Path) -> None:
    """Write the clip."""
    width, height = SIZE
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={FPS}/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=source format=time block=true max-buffers=4 caps={caps} ! {EVEN} "
        f"! h264parse ! mp4mux ! filesink location={target}"
    )
    run(pipeline, images(), FPS)


def measure(url: str, options: dict[str, str]) -> str:
    """Return what one way costs, in words."""
    line = Line(Ledger("street"), Outbox("redis://127.0.0.1:1"))
    spec = Camera.model_validate({"url": url, "stages": [{"model": "test-boxes"}], **options})
    text = stages_text("street", spec, 1)
    runner = CameraRunner("street", spec, text, line, lambda _change: None)
    runner.start()
    time.sleep(WARM_S)
    before, began_s, wall_s = line.ledger.counts()[0], time.process_time(), time.monotonic()
    own_s, woke = line.threads.seconds(), line.calm.wakes.total()
    time.sleep(MEASURED_S)
    taken_s, counts = time.process_time() - began_s, line.ledger.counts()[0]
    wall_s, own_s = time.monotonic() - wall_s, line.threads.seconds() - own_s
    runner.stop()
    decoded = counts.decoded - before.decoded
    return (
        f"{100 * taken_s / wall_s:.1f} % of a core, {100 * own_s / wall_s:.1f} by its own threads, "
        f"{decoded / wall_s:.1f} frames/s decoded, {line.calm.wakes.total() - woke} wakes "
        f"{dict(line.calm.wakes)}"
    )


def main() -> None:
    """Measure each way, one after the other."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "street.mp4"
        encode(path)
        with rtsp_cameras({"street": path}, Path(folder)) as urls:
            for name, options in WAYS.items():
                print(f"{name}: {measure(urls['street'], options)}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
