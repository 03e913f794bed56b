"""Measures what a quiet camera costs asleep and awake, in docs/quiet.md.

    .venv/bin/python docs/quiet_sleep.py

Sends a street with grain, 1920x1080 at 25 frames a second and a key frame every 2 s, over RTSP from
another process. Prints the processor time that the camera takes, in % of a core, for each way.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.graph import stages_text
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from pipeline.gst.clips import read_clip
from pipeline.gst.rtsp_server import RtspServer, looped
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox

SIZE, FPS, SECONDS = (1920, 1080), 25, 8
WARM_S, MEASURED_S = 32, 60
WAYS = {
    "gate off": {"gate": "off"},
    "sleep off": {"sleep": "off"},
    "sleep auto": {},
}
ENCODER = (
    "x264enc speed-preset=veryfast key-int-max=50 bframes=0 pass=qual quantizer=26 "
    "option-string=scenecut=0"
)


def encode(target: Path) -> None:
    """Write the street: a loop of it is one street, with grain that never repeats within it."""
    width, height = SIZE
    random = np.random.default_rng(1)
    small = random.uniform(40, 200, (height // 40, width // 40)).astype(np.float32)
    street = cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC)
    caps = f"video/x-raw,format=I420,width={width},height={height},framerate={FPS}/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=source format=time block=true max-buffers=4 caps={caps} ! {ENCODER} "
        f"! h264parse ! mp4mux ! filesink location={target}"
    )
    pipeline.set_state(Gst.State.PLAYING)
    source = pipeline.get_by_name("source")
    chroma = np.full((height // 2, width), 128, np.uint8)
    for number in range(SECONDS * FPS):
        grain = random.normal(0, 1.5, street.shape).astype(np.float32)
        image = np.clip(street + grain, 0, 255).astype(np.uint8)
        buffer = Gst.Buffer.new_wrapped(np.vstack([image, chroma]).tobytes())
        buffer.pts, buffer.duration = number * Gst.SECOND // FPS, Gst.SECOND // FPS
        source.emit("push-buffer", buffer)
    source.emit("end-of-stream")
    pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)


def serve(path: Path, pipe: Any) -> None:
    """Send the clip for ever."""
    server = RtspServer()
    server.mount("street", looped(read_clip(path)))
    server.start()
    pipe.send(server.url("street"))
    threading.Event().wait()


def measure(url: str, options: dict[str, str]) -> str:
    """Return what one way costs, in words."""
    line = Line(Ledger("street"), Outbox("redis://127.0.0.1:1"))
    spec = Camera.model_validate({"url": url, "stages": [{"model": "test-boxes"}], **options})
    text = stages_text("street", spec, 1)
    runner = CameraRunner("street", spec, text, line, lambda _change: None)
    runner.start()
    time.sleep(WARM_S)
    before, began_s, wall_s = line.ledger.counts()[0], time.process_time(), time.monotonic()
    time.sleep(MEASURED_S)
    taken_s, counts = time.process_time() - began_s, line.ledger.counts()[0]
    wall_s = time.monotonic() - wall_s
    runner.stop()
    decoded = counts.decoded - before.decoded
    return f"{100 * taken_s / wall_s:.1f} % of a core, {decoded / wall_s:.1f} frames/s decoded"


def main() -> None:
    """Measure each way, one after the other."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "street.mp4"
        encode(path)
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(target=serve, args=(path, theirs))
        server.start()
        try:
            url = ours.recv()
            for name, options in WAYS.items():
                print(f"{name}: {measure(url, options)}", flush=True)  # noqa: T201
        finally:
            server.terminate()
            server.join()


if __name__ == "__main__":
    main()
