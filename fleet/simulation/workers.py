"""Workers that only say that they work: ``python -m fleet.simulation.workers URL JSON``.

Each holds its name, follows the registry, reports and publishes by the code of a real worker; no
camera is behind it. They end when standard input does, without a word when the process is killed.
"""

from __future__ import annotations

import logging
import secrets
import sys
import threading
import time
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import msgspec
import numpy as np
import redis

from fleet.simulation.messages import numbered, street
from mirante import Counts, Status
from mirante.outage import Outage
from mirante.redis_url import RedisUrl
from pipeline.cameras.synthetic import picture
from pipeline.config.settings import Settings
from pipeline.control.beats import BEAT_S, Beat, beat
from pipeline.control.entries import Desired
from pipeline.control.outbox_report import OutboxReport
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import CameraReport, WorkerReport, WorkerState, publish
from pipeline.control.room import KEPT, RoomReport, Space
from pipeline.worker.reporter import EVERY_S, Reporter
from pipeline.worker.tenancy import Standing, Tenancy
from pipeline.worker.worker import TICK_S
from plugins.outbox.outbox import Outbox

log = logging.getLogger(__name__)

CORES = 8.0  # of the machine on which each worker pretends to be
GIB = 1 << 30
IMAGE = (640, 360)  # of what people watch
ROOM = CORES * (1 - KEPT)
CAMERA_BYTES = 50 << 20
TAKE_S = 0.2  # that taking a camera over may hold up the other workers of the process
_LEAST_S, _MOST_S = 0.01, 0.05  # of a pause between two looks at all workers


def cost_of(camera: str) -> float:
    """Return the cores that a camera pretends to take: 0.05 to 0.35, always the same."""
    return 0.05 + 0.3 * (zlib.crc32(camera.encode()) % 1000) / 1000


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a worker does what it does.

    Attributes:
        fps: frames a second that each camera publishes.
        rarely: times by which it looks at the registry, and reports, more rarely than a real one.
    """

    fps: float
    rarely: float


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers of one process.

    Attributes:
        names: of the workers.
        pace: of each.
        nodes: by worker, the machine that it says to be on.
    """

    names: tuple[str, ...]
    pace: Pace
    nodes: Mapping[str, str]


_read_crew = msgspec.json.Decoder(Crew)


class SyntheticWorker:
    """One worker; ``step`` is to be called often.

    Args:
        url: address of Redis.
        name: of the worker.
        node: the machine that it says to be on.
        pace: of it.
        base: a report, of which the cameras are made anew.
    """

    def __init__(self, url: str, name: str, node: str, pace: Pace, base: WorkerReport) -> None:
        self._name, self._pace = name, pace
        self._client = connect(url)
        self._tenancy = Tenancy(self._client, name)
        self._registry = Registry(self._client, name)
        self._outbox = Outbox(url, tenure=self._tenancy.tenure)
        self._base = msgspec.structs.replace(base, worker=name, host=node, started=time.time())
        self._frame = street()
        self._numbers: dict[str, int] = {}
        self._due_s: dict[str, float] = {}
        self._epochs: dict[str, int] = {}
        self._poll_s = self._report_s = self._beat_s = time.monotonic()
        self._taking: set[str] = set()  # over from other workers, as of their first frame
        self._beat = Beat(run=secrets.token_hex(8), number=0, node=node, cores=ROOM)
        self._outbox.start()

    def step(self) -> float:
        """Do what is due; return when the next thing is, on ``time.monotonic``."""
        now_s = time.monotonic()
        if now_s >= self._beat_s and self._tenancy.standing is Standing.HELD:
            self._beat_s = now_s + BEAT_S
            self._beat = msgspec.structs.replace(self._beat, number=self._beat.number + 1)
            with suppress(redis.RedisError):
                beat(self._client, self._name, self._beat)
        if now_s >= self._poll_s:
            self._poll_s = now_s + TICK_S * self._pace.rarely
            with suppress(redis.RedisError):
                self._poll()
        for camera, due_s in self._due_s.items():
            if now_s >= due_s:
                self._due_s[camera] = max(due_s + 1 / self._pace.fps, now_s)
                self._publish(camera)
        return min([self._poll_s, self._beat_s, *self._due_s.values()])

    def close(self) -> None:
        """End as a worker does that is stopped."""
        self._outbox.close(1.0)
        with suppress(redis.RedisError):
            self._tenancy.release()
        self._client.close()

    def _poll(self) -> None:
        if self._tenancy.poll() is not Standing.HELD:
            return
        if time.monotonic() >= self._report_s:
            self._report_s = time.monotonic() + EVERY_S * self._pace.rarely
            publish(self._client, self._report())
        changed = self._registry.changes()
        if changed is not None:
            self._follow(changed)
        for camera in self._outbox.moved().keys() & self._due_s.keys():
            self._stop(camera)
            self._outbox.resign(camera)

    def _follow(self, entries: Mapping[str, Desired]) -> None:
        """Begin and end cameras; those that others take over go on until these publish."""
        wanted = {name for name, entry in entries.items() if not entry.paused}
        for camera in self._due_s.keys() - wanted - self._registry.leaving:
            self._stop(camera)
            self._outbox.leave(camera)
        now_s = time.time()
        for camera in sorted(wanted - self._due_s.keys()):
            entry = entries[camera]
            takes_over = entry.before not in ("", self._name)
            self._outbox.share(camera, entry.fleet, entry.fleet and takes_over)
            if entry.fleet and takes_over:
                self._taking.add(camera)
            self._numbers[camera], self._epochs[camera] = 0, int(now_s * 1000)
            self._due_s[camera] = time.monotonic()
            said = {"state": "running", "reason": "frames arrive", "ts": now_s, "since": now_s}
            self._outbox.status(msgspec.convert({"camera": camera, **said}, Status))

    def _stop(self, camera: str) -> None:
        del self._due_s[camera], self._numbers[camera], self._epochs[camera]
        self._taking.discard(camera)

    def _publish(self, camera: str) -> None:
        if camera in self._taking:
            if self._outbox.take_over(camera, TAKE_S) is None:
                return
            self._taking.discard(camera)
        number = self._numbers[camera]
        self._numbers[camera] = number + 1
        frame = numbered(self._frame, camera, number, self._epochs[camera])
        self._outbox.publish(frame)
        if self._outbox.watched(camera):
            header = {"camera": camera, "seq": frame.seq, "epoch": frame.epoch, "ts": frame.ts}
            self._outbox.preview(camera, image(), header | {"size": IMAGE})

    def _report(self) -> WorkerReport:
        used = sum(map(cost_of, self._due_s))
        space = Space(
            cores=CORES,
            used=used,
            memory_bytes=32 * GIB,
            memory_free_bytes=28 * GIB - CAMERA_BYTES * len(self._due_s),
        )
        each = used / len(self._due_s) if self._due_s else None
        room = RoomReport(
            cameras=len(self._due_s),
            camera_percent=None if each is None else 100 * each,
            free_percent=100 * space.free,
            more=None if each is None else space.holds(each, CAMERA_BYTES).more,
            camera_bytes=None if each is None else CAMERA_BYTES,
            memory_left_bytes=space.memory_left_bytes,
        )
        machine = msgspec.structs.replace(
            self._base.machine,
            cores=int(CORES),
            cpu_percent=100 * used / CORES,
            memory_bytes=32 * GIB,
            memory_used_bytes=4 * GIB + CAMERA_BYTES * len(self._due_s),
        )
        return msgspec.structs.replace(
            self._base,
            at=time.time(),
            machine=machine,
            room=room,
            cameras={camera: _of_camera(camera, n) for camera, n in self._numbers.items()},
        )


def _of_camera(camera: str, number: int) -> CameraReport:
    cores = cost_of(camera)
    return CameraReport(
        state="running",
        reason="frames arrive",
        counts=Counts(2 * number, number, {"rate": number}, 0),
        in_flight=0,
        detections=8 * number,
        cpu_s=cores * number,
        cpu_percent=round(100 * cores, 1),
    )


@cache
def image() -> bytes:
    """Return a JPEG as a worker shows it of a street: with grain, of about 24 KB."""
    import cv2

    grain = np.random.default_rng(5).normal(0, 6, (IMAGE[1], IMAGE[0], 1)).astype(np.int16)
    drawn = np.clip(picture(0, *IMAGE).astype(np.int16) + grain, 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 70])[1])


def base_report(client: redis.Redis) -> WorkerReport:
    """Return the report of a real worker of this machine that has no cameras: its models too."""
    outbox = OutboxReport(connected=True, words="", depth=0, sent=0, lost={}, refused=0)
    state = WorkerState(outbox=outbox, cameras={}, models=(), builds={})
    outage = Outage(RedisUrl("redis://127.0.0.1"), log, "")
    return Reporter(client, Settings(), lambda: state, outage, lambda: False).report()


def _end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> None:
    """The module as a command."""
    url, said = sys.argv[1:]
    crew = _read_crew.decode(said)
    with connect(url) as client:
        base = base_report(client)
    workers = [SyntheticWorker(url, name, crew.nodes[name], crew.pace, base) for name in crew.names]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    over = threading.Event()
    threading.Thread(target=_end, args=(over,), daemon=True).start()
    while not over.is_set():
        due_s = min(worker.step() for worker in workers)
        over.wait(min(_MOST_S, max(_LEAST_S, due_s - time.monotonic())))
    for worker in workers:
        worker.close()


if __name__ == "__main__":
    main()
