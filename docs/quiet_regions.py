"""Measures what regions and tiles find, and what they take, in docs/quiet.md.

    .venv/bin/python docs/quiet_regions.py CLIP [SECONDS]

The middle of the clip, of a camera that stands still, is shown at its own size in the middle of a
still image of 1920x1080 that is made of the clip's median. What the model finds there at full
resolution is the reference: of its boxes those are counted that each way finds in the same frame,
from the third second on, as the gate learns before that what moves.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst
from numpy.typing import NDArray
from quiet_street import run

from benchmarks.line.clips import pictures
from engines.agreement import IOU, overlaps
from engines.fit import thresholds
from engines.manifest import find
from engines.model import Model, opened
from mirante.detections import Detections
from mirante.frame import FrameResult
from pipeline.cameras.graph import stages_text
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox

MODEL, FPS, ROUNDS = "yolox-street", 10, 1
WIDTH, HEIGHT = 1920, 1080
LIVE = 0.5  # of the clip's sides
LEARNT = round(2.5 * FPS)  # frames until the gate knows what moves
SURE = 0.5  # score of the reference, from which an object counts
SIZES = {"under 48 px": (0, 48), "48 to 96": (48, 96), "over 96": (96, 9999)}  # height
WAYS: Mapping[str, Mapping[str, Any]] = {
    "off": {},
    "`regions: auto`": {"regions": "auto"},
    "`tiles: 2x2`": {"tiles": "2x2"},
    "`tiles: auto`": {"tiles": "auto"},
}
Image = NDArray[np.uint8]
ENCODED = (
    "appsrc name=source format=time max-buffers=4 block=true caps=video/x-raw,format=RGB,"
    f"width={WIDTH},height={HEIGHT},framerate={FPS}/1 ! videoconvert ! openh264enc gop-size=20 "
    "bitrate=12000000 ! h264parse ! mp4mux ! filesink location={path}"
)


@dataclass
class Seen:
    """Objects that one way of looking found, by the number of the frame, and its cost."""

    found: dict[int, Detections] = field(default_factory=dict)
    cpu_ms: list[float] = field(default_factory=list)
    regions: int = 0


def frames_of(clip: Path, seconds: float) -> list[Image]:
    """Return RGB frames of the clip, as many a second as the scene has."""
    every = max(1, round(cv2.VideoCapture(str(clip)).get(cv2.CAP_PROP_FPS) / FPS))
    return list(islice(pictures(clip, round(seconds * FPS) * every), 0, None, every))


def live_part(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the part of the scene that shows a clip of a size: left, top, width, height."""
    width, height = size
    across, down = round(width * LIVE) & ~1, round(height * LIVE) & ~1
    left = WIDTH // width // 2 * width + (width - across) // 2
    return left, HEIGHT // height // 2 * height + (height - down) // 2, across, down


def scene(frames: list[Image]) -> Iterator[Image]:
    """Yield the frames of 1920x1080: one part is the middle of the clip, the others are still."""
    still = np.median(np.stack(frames[::5]), axis=0).astype(np.uint8)
    height, width = still.shape[:2]
    row = np.concatenate([still] * -(-WIDTH // width), axis=1)
    wide = np.concatenate([row] * -(-HEIGHT // height))[:HEIGHT, :WIDTH]
    left, top, across, down = live_part((width, height))
    x, y = left % width, top % height
    for frame in frames:
        image = wide.copy()
        image[top : top + down, left : left + across] = frame[y : y + down, x : x + across]
        yield image


def reference(path: Path, frames: int) -> dict[int, Detections]:
    """Return what the model finds at full resolution, by the number of the frame."""
    found = find(MODEL)
    larger = found.input.model_copy(update={"size": (WIDTH, WIDTH)})
    manifest, session = opened(found.model_copy(update={"input": larger}), 2)
    model = Model(manifest, session, thresholds(manifest, None))
    return {at: model(image).detections for at, image in enumerate(pictures(path, frames))}


def look(path: Path, keys: Mapping[str, Any], seen: Seen) -> None:
    """Run a camera with a way of looking over the scene."""

    def on_publish(result: FrameResult) -> None:
        seen.found[result.seq] = result.detections
        seen.regions += bool(result.regions)

    stages = [{"model": MODEL, **keys}, {"track": "bytetrack"}]
    said = {"url": f"file:{path}", "pace": "every_frame", "gate": "on", "stages": stages}
    spec = Camera.model_validate(said)
    line = Line(Ledger("camera", on_publish), Outbox("redis://127.0.0.1:1"))
    began_s, seen.regions = time.process_time(), 0
    runner = CameraRunner("camera", spec, stages_text("camera", spec, 1), line, lambda _: None)
    runner.start()
    while not runner.finished:
        time.sleep(0.2)
    runner.stop()
    seen.cpu_ms.append((time.process_time() - began_s) * 1e3 / len(seen.found))


def shares(truth: Mapping[int, Detections], seen: Seen, size: tuple[int, int]) -> list[str]:
    """Return the cells: of each size how many are found, and boxes that the reference lacks."""
    there, got, extra = dict.fromkeys(SIZES, 0), dict.fromkeys(SIZES, 0), 0
    counted = {number: every for number, every in truth.items() if number >= LEARNT}
    for number, every in counted.items():
        found = _within(seen.found.get(number, Detections.empty(every.labels)), size)
        sure = _within(every.select(every.score >= SURE), size)
        extra += int((~_matched(found, every) & (found.score >= SURE)).sum())
        tall, is_found = sure.xyxy[:, 3] - sure.xyxy[:, 1], _matched(sure, found)
        for name, (low, high) in SIZES.items():
            some = (tall >= low) & (tall < high)
            there[name] += int(some.sum())
            got[name] += int((some & is_found).sum())
    cells = [f"{100 * got[name] / n:.0f} % of {n}" if (n := there[name]) else "-" for name in SIZES]
    return [*cells, f"{extra / len(counted):.2f}"]


def _within(found: Detections, size: tuple[int, int]) -> Detections:
    """Return the objects in the part that is not still."""
    left, top, across, down = live_part(size)
    middle = (found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2 - (left, top)
    inside = (middle > 0) & (middle < (across, down))
    return found.select(np.flatnonzero(inside[:, 0] & inside[:, 1]))


def _matched(some: Detections, others: Detections) -> NDArray[np.bool_]:
    """Return which objects are among others: (n,)."""
    same = some.class_id[:, None] == others.class_id[None]
    return np.asarray(((overlaps(some.xyxy, others.xyxy) >= IOU) & same).any(axis=1))


def main() -> None:
    """Measure each way in rounds, one after another."""
    clip, seconds = Path(sys.argv[1]), float(sys.argv[2] if len(sys.argv) > 2 else 20)
    Gst.init(None)
    cv2.setNumThreads(1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "scene.mp4"
        pipeline = Gst.parse_launch(ENCODED.format(path=path))
        frames = frames_of(clip, seconds)
        size = frames[0].shape[1], frames[0].shape[0]
        run(pipeline, scene(frames), FPS)
        truth, ways = reference(path, len(frames)), {name: Seen() for name in WAYS}
        for _ in range(ROUNDS):
            for name, keys in WAYS.items():
                look(path, keys, ways[name])
    print("| | CPU, ms a frame | regions, % |", " | ".join(SIZES), "| extra boxes a frame |")  # noqa: T201
    for name, seen in ways.items():
        share = 100 * seen.regions / (len(seen.found) - LEARNT)
        cells = [f"{np.median(seen.cpu_ms):.1f}", f"{share:.0f}", *shares(truth, seen, size)]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
