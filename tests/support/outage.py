"""Redis killed under four cameras: what is lost, what is doubled, who stalled.

``python -m tests.support.outage`` runs the outages of the README and prints the figures.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mirante.keys import key
from plugins.ledger import Ledger
from plugins.outbox.outbox import Outbox
from tests.support import ROOT
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.simulated_camera import SimulatedCamera
from tests.support.stalls import Stalls

CAMERAS = ("north", "east", "south", "west")


@dataclass
class Report:
    """What came of one outage.

    Attributes:
        published: frames handed to the outbox.
        in_stream: detections' entries that ended in Redis.
        received: frames that a subscriber got, live through the outage.
        doubled: frames that it got more than once.
        provable: frames that it was told are missing (``lost_before``).
        counted: frames that the outbox counted as lost.
        announced: frames that the cameras' last messages say the outbox lost.
        maskless: entries of ``in_stream`` whose masks are missing.
        stalls_s: durations of all calls of ``publish``.
        paused_s: the longest time for which the machine kept a thread waiting that was due.
    """

    published: int
    in_stream: int
    received: int
    doubled: int
    provable: int
    counted: int
    announced: int
    maskless: int
    stalls_s: list[float]
    paused_s: float

    def __str__(self) -> str:
        stalls = sorted(self.stalls_s)
        return (
            f"published {self.published}, in the streams {self.in_stream}, "
            f"received {self.received}, doubled {self.doubled}, "
            f"proved missing {self.provable}, counted lost {self.counted}, "
            f"announced lost {self.announced}, without masks {self.maskless}; "
            f"publish() p50 {stalls[len(stalls) // 2] * 1e3:.2f} ms, "
            f"p99 {stalls[int(len(stalls) * 0.99)] * 1e3:.2f} ms, max {stalls[-1] * 1e3:.2f} ms"
        )


class Received(NamedTuple):
    """What matters here of a frame."""

    camera: str
    seq: int
    entry_id: str
    lost_before: int


class Listener:
    """A subscriber of all cameras in a process of its own, as subscribers are."""

    def __init__(self, url: str, folder: Path) -> None:
        self._file = folder / "received"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.outage_listener", url, self._file, *CAMERAS],
            cwd=ROOT,
        )

    def frames(self, ends: set[tuple[str, str]]) -> list[Received]:
        """What it got, once it has got the entries ``ends`` (camera and ID)."""
        until_s, got = time.monotonic() + 60, list[Received]()
        while time.monotonic() < until_s:
            lines = self._file.read_text().splitlines() if self._file.exists() else []
            got = [Received(*json.loads(line)) for line in lines if line.endswith("]")]
            if ends <= {(frame.camera, frame.entry_id) for frame in got}:
                break
            time.sleep(0.05)
        self._process.terminate()
        self._process.wait()
        return got


def outage(
    folder: Path,
    before_s: float,
    down_s: float,
    after_s: float,
    keep: bool,
    ring_s: float = 30.0,
    fsync: str = "everysec",
    fps: float = 15.0,
) -> Report:
    """Kills Redis with SIGKILL for ``down_s``; ``keep``: it has an AOF, else nothing."""
    aof = ("--appendonly", "yes", "--appendfsync", fsync) if keep else ("--appendonly", "no")
    server = RedisChild(folder, *aof).start()
    ledgers = {name: Ledger(name) for name in CAMERAS}
    outbox = Outbox(
        server.url, ring_s=ring_s, on_lost=lambda camera, frames: ledgers[camera].lost(frames)
    )
    outbox.start()
    pauses = Stalls()
    listener = Listener(server.url, folder)
    cameras = [SimulatedCamera(name, outbox, ledgers[name], fps) for name in CAMERAS]
    for camera in cameras:
        camera.start()
    time.sleep(before_s)
    server.kill()
    time.sleep(down_s)
    server.start()
    deadline_s = time.monotonic() + 60  # frames tell of all that is lost once nothing waits
    while outbox.state.depth > len(CAMERAS) or not outbox.state.connected:
        assert time.monotonic() < deadline_s, outbox.state
        time.sleep(0.01)
    time.sleep(after_s)
    for camera in cameras:
        camera.stop()
    pauses.close()
    outbox.close(60)
    report = _report(cameras, outbox, listener, server, pauses.longest_s)
    server.kill()
    return report


def _report(
    cameras: list[SimulatedCamera],
    outbox: Outbox,
    listener: Listener,
    server: RedisChild,
    paused_s: float,
) -> Report:
    client = server.client()
    kept = {name: entries(client, key(name, "detections")) for name in CAMERAS}
    masks = {name: {i for i, _ in entries(client, key(name, "masks"))} for name in CAMERAS}
    last = [json.loads(found[-1][1][b"json"]) for found in kept.values()]
    ends = {(name, found[-1][0].decode()) for name, found in kept.items()}
    frames = listener.frames(ends)
    got = [(frame.camera, frame.seq) for frame in frames]
    return Report(
        sum(len(camera.published) for camera in cameras),
        sum(map(len, kept.values())),
        len(set(got)),
        len(got) - len(set(got)),
        sum(frame.lost_before or 0 for frame in frames),
        sum(outbox.state.lost.values()),
        sum(message["counts"]["dropped"].get("outbox", 0) for message in last),
        sum(i not in masks[name] for name, found in kept.items() for i, _ in found),
        [stall_s for camera in cameras for stall_s in camera.stalls_s],
        paused_s,
    )


RUNS = {
    "kill -9, 8 s, AOF everysec": {"before_s": 3, "down_s": 8, "after_s": 4, "keep": True},
    "kill -9, 3 s, data lost": {"before_s": 3, "down_s": 3, "after_s": 4, "keep": False},
    "kill -9, 8 s, ring of 4 s": {
        "before_s": 3,
        "down_s": 8,
        "after_s": 4,
        "keep": True,
        "ring_s": 4.0,
    },
}


if __name__ == "__main__":
    for name, facts in RUNS.items():
        with tempfile.TemporaryDirectory(prefix="mr") as short:
            print(f"{name}: {outage(Path(short), **facts, fps=30.0)}", flush=True)  # type: ignore[arg-type]
