"""Cameras that publish with neither a source nor a model: what a reader of Redis is measured with.

``python -m benchmarks.line.published URL CAMERAS FPS`` runs them until its standard input ends.
Images, boxes and lanes are the synthetic camera's, so that whoever shows them can be checked; a
image is handed over only while somebody watches, as a worker does it.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mirante import Counts, FrameResult, Status
from mirante.keys import lease_key
from pipeline.cameras.synthetic import picture, truth
from pipeline.control.registry import Registry, connect
from plugins.outbox.outbox import Outbox

SIZE = (640, 360)
QUALITY = 70
GRAIN = 6  # of 255: gives the smooth drawing the bytes that streets have, 10 to 44 KB
TURN = 50  # frames until the images begin again
WORKER = "main"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One frame as it is published: its JPEG and its results."""

    jpeg: bytes
    result: FrameResult


def drawn_frames(count: int = TURN) -> list[Drawn]:
    """The first frames of the synthetic camera, each of 640x360 pixels and 24 KB."""
    noise = np.random.default_rng(5)
    found = []
    for n in range(count):
        boxes, lane = truth(n, *SIZE)
        result = FrameResult("", n, 0, 0, "arrival", *SIZE, detections=boxes, masks=(lane,))
        found.append(Drawn(_jpeg(picture(n, *SIZE), noise), result))
    return found


def _jpeg(image: NDArray[np.uint8], noise: np.random.Generator) -> bytes:
    grain = noise.normal(0, GRAIN, image.shape[:2]).astype(np.int16)[..., None]
    grained = np.clip(image.astype(np.int16) + grain, 0, 255).astype(np.uint8)
    made, jpeg = cv2.imencode(".jpg", grained[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert made
    return bytes(jpeg)


class PublishedCameras:
    """Cameras ``camera-01`` … that publish until stopped; a context manager.

    They are in the registry as those of a worker, whose name they hold, so that all that reads
    Redis takes them for real ones.

    Args:
        url: address of Redis.
        count: how many.
        fps: frames per second of each; they take turns, so that no two publish at once.
    """

    def __init__(self, url: str, count: int, fps: float) -> None:
        self.names = [f"camera-{n:02}" for n in range(1, count + 1)]
        self._outbox = Outbox(url)
        self._frames = drawn_frames()
        self._period_s = 1 / fps
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cameras")
        with connect(url) as client:
            registry = Registry(client, WORKER)
            for name in self.names:
                registry.put(name, {"url": f"test://?size={SIZE[0]}x{SIZE[1]}"})
            client.set(lease_key(WORKER), "{}")

    def __enter__(self) -> PublishedCameras:
        self._outbox.start()
        now_s = time.time()
        for name in self.names:
            self._outbox.status(
                Status(camera=name, state="running", reason="frames arrive", ts=now_s, since=now_s)
            )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._outbox.close()

    def _run(self) -> None:
        epoch = time.time_ns() // 1_000_000
        due_s, number = time.monotonic(), 0
        while True:
            for name in self.names:
                if self._stop.wait(max(0.0, due_s - time.monotonic())):
                    return
                due_s += self._period_s / len(self.names)
                self._publish(name, number, epoch)
            number += 1

    def _publish(self, name: str, number: int, epoch: int) -> None:
        """``ts`` is the moment at which it is handed over."""
        drawn = self._frames[number % len(self._frames)]
        now_ns = time.time_ns()
        result = replace(
            drawn.result,
            camera=name,
            seq=number,
            epoch=epoch,
            captured_ns=now_ns,
            counts=Counts(number + 1, number + 1, {}, 0),
        )
        self._outbox.publish(result)
        if self._outbox.watched(name):
            header = {"camera": name, "seq": number, "epoch": epoch, "ts": now_ns / 1e9}
            self._outbox.preview(name, drawn.jpeg, header | {"size": SIZE})


def main() -> None:
    """The module as a command."""
    url, count, fps = sys.argv[1:]
    with PublishedCameras(url, int(count), float(fps)):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
