"""Workers that only say that they work: ``python -m fleet.simulation.workers URL JSON``.

Each holds its name, follows the registry, reports and publishes by the code of a real worker; no
camera is behind it. What they all do all the time, beating and looking whether cameras changed, is
one exchange for those of a process, as is what a worker publishes. They end when standard input
does, without a word when the process is killed.
"""

from __future__ import annotations

import logging
import secrets
import sys
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Self

import msgspec
import numpy as np
import redis

from fleet.simulation.messages import numbered, street
from mirante import Counts, Status
from mirante.keys import FLEET_BEATS
from mirante.outage import Outage
from mirante.redis_url import RedisUrl, exchange
from pipeline.cameras.synthetic import picture
from pipeline.config.settings import Settings
from pipeline.control.beats import BEAT_S, Beat
from pipeline.control.entries import Desired
from pipeline.control.outbox_report import OutboxReport
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import CameraReport, WorkerReport, WorkerState, publish
from pipeline.control.room import KEPT, RoomReport, Space
from pipeline.control.versioned import LOOK
from pipeline.worker.reporter import EVERY_S, Reporter
from pipeline.worker.tenancy import Standing, Tenancy
from pipeline.worker.worker import TICK_S
from plugins.outbox.fence import RENEW_S
from plugins.outbox.outbox import Outbox

log = logging.getLogger(__name__)

CORES = 8.0  # of the machine on which each worker pretends to be
GIB = 1 << 30
IMAGE = (640, 360)  # of what people watch
ROOM = CORES * (1 - KEPT)
CAMERA_BYTES = 50 << 20
TAKE_S = 0.05  # between two looks at what others left of cameras that are taken over
PATIENCE_S = (
    10.0  # with Redis, so that a machine that is too small makes all slow, and breaks nothing
)
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
    """One worker; ``work`` is to be called when ``due_s`` has come.

    Args:
        url: address of Redis.
        client: of Redis, which workers of a process share.
        name: of the worker.
        node: the machine that it says to be on.
        pace: of it.
        base: a report, of which the cameras are made anew.

    Attributes:
        name: of the worker.
        seen: what a look at the version of all cameras found last; empty before the first.
        due_s: when it has something to do, on ``time.monotonic``.
    """

    def __init__(
        self, url: str, client: redis.Redis, name: str, node: str, pace: Pace, base: WorkerReport
    ) -> None:
        self.name, self._pace, self._client = name, pace, client
        self._tenancy = Tenancy(client, name)
        self._registry = Registry(client, name)
        self._outbox = Outbox(url, tenure=self._tenancy.tenure)
        self._base = msgspec.structs.replace(base, worker=name, host=node, started=time.time())
        self._frame = street()
        self._numbers: dict[str, int] = {}
        self._epochs: dict[str, int] = {}
        self._new: set[str] = set()  # cameras without a result yet, which is published at once
        self._taking: set[str] = set()  # over from other workers, as of their first frame
        self._beat = Beat(run=secrets.token_hex(8), number=0, node=node, cores=ROOM)
        self.seen: tuple[object, ...] = ()
        now_s, part = time.monotonic(), zlib.crc32(name.encode()) % 1000 / 1000
        self._publish_s = now_s + part / pace.fps
        self._report_s = now_s + part * EVERY_S * pace.rarely
        self.due_s = self._turn_s = now_s

    @property
    def works(self) -> bool:
        """It has its name."""
        return self._tenancy.standing is Standing.HELD

    def beat(self) -> tuple[object, ...]:
        """Return the command that says that it works."""
        self._beat = msgspec.structs.replace(self._beat, number=self._beat.number + 1)
        return ("HSET", FLEET_BEATS, self.name, msgspec.json.encode(self._beat))

    def work(self) -> None:
        """Do what is due.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        now_s = time.monotonic()
        self.due_s = now_s + 1.0  # again, if something fails
        if self._tenancy.poll() is not Standing.HELD:
            return
        if now_s >= self._report_s:
            self._report_s = now_s + EVERY_S * self._pace.rarely
            publish(self._client, self._report())
        is_due = now_s >= self._publish_s
        if is_due:
            self._publish_s = max(self._publish_s + 1 / self._pace.fps, now_s)
        for camera in list(self._numbers) if is_due else sorted(self._new):
            self._publish(camera)
        if is_due or self._new or now_s >= self._turn_s:
            self._turn_s = now_s + RENEW_S  # of claims
            self._outbox.turn()
            self._new &= self._taking
        for camera in self._outbox.moved().keys() & self._numbers.keys():
            self._stop(camera)
            self._outbox.resign(camera)
        again_s = now_s + TAKE_S if self._new else self._turn_s
        self.due_s = min(again_s, self._publish_s, self._report_s)

    def follow(self) -> None:
        """Take what changed of the registry.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        changed = self._registry.changes()
        if changed is not None:
            self._follow(changed)
            self.due_s = 0.0

    def close(self) -> None:
        """End as a worker does that is stopped."""
        self._outbox.close(1.0)
        with suppress(redis.RedisError):
            self._tenancy.release()

    def _follow(self, entries: Mapping[str, Desired]) -> None:
        """Begin and end cameras; those that others take over go on until these publish."""
        wanted = {name for name, entry in entries.items() if not entry.paused}
        for camera in self._numbers.keys() - wanted - self._registry.leaving:
            self._stop(camera)
            self._outbox.leave(camera)
        now_s = time.time()
        for camera in sorted(wanted - self._numbers.keys()):
            entry = entries[camera]
            takes_over = entry.before not in ("", self.name)
            self._outbox.share(camera, entry.fleet, entry.fleet and takes_over)
            if entry.fleet and takes_over:
                self._taking.add(camera)
            self._new.add(camera)
            self._numbers[camera], self._epochs[camera] = 0, int(now_s * 1000)
            said = {"state": "running", "reason": "frames arrive", "ts": now_s, "since": now_s}
            self._outbox.status(msgspec.convert({"camera": camera, **said}, Status))

    def _stop(self, camera: str) -> None:
        del self._numbers[camera], self._epochs[camera]
        self._taking.discard(camera)
        self._new.discard(camera)

    def _publish(self, camera: str) -> None:
        if camera in self._taking:
            if self._outbox.take_over(camera, 0.0) is None:
                return  # asked for: the next turn brings it
            self._taking.discard(camera)
        number = self._numbers[camera]
        self._numbers[camera] = number + 1
        frame = numbered(self._frame, camera, number, self._epochs[camera])
        self._outbox.publish(frame)
        if self._outbox.watched(camera):
            header = {"camera": camera, "seq": frame.seq, "epoch": frame.epoch, "ts": frame.ts}
            self._outbox.preview(camera, image(), header | {"size": IMAGE})

    def _report(self) -> WorkerReport:
        used = sum(map(cost_of, self._numbers))
        space = Space(
            cores=CORES,
            used=used,
            memory_bytes=32 * GIB,
            memory_free_bytes=28 * GIB - CAMERA_BYTES * len(self._numbers),
        )
        each = used / len(self._numbers) if self._numbers else None
        room = RoomReport(
            cameras=len(self._numbers),
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
            memory_used_bytes=4 * GIB + CAMERA_BYTES * len(self._numbers),
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


class Beats:
    """Says of workers that they work, on a thread of its own as a real worker does; a context
    manager.

    Args:
        url: address of Redis.
        workers: of this process.
    """

    def __init__(self, url: str, workers: Sequence[SyntheticWorker]) -> None:
        self._url, self._workers = url, workers
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        with connect(self._url, PATIENCE_S) as client:
            while not self._over.wait(BEAT_S):
                said = [worker.beat() for worker in self._workers if worker.seen]
                with suppress(redis.RedisError):
                    exchange(client, said)


def look(client: redis.Redis, workers: Sequence[SyntheticWorker]) -> None:
    """Have workers look whether cameras changed, and those that see it read what.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    replies = exchange(client, [command for _ in workers for command in LOOK])
    for number, worker in enumerate(workers):
        fields, is_there = replies[2 * number : 2 * number + 2]
        for reply in (fields, is_there):
            if isinstance(reply, redis.RedisError):
                raise reply
        if (seen := (*fields, is_there)) != worker.seen:
            worker.follow()
            worker.seen = seen


def _end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> None:
    """The module as a command."""
    url, said = sys.argv[1:]
    crew = _read_crew.decode(said)
    over = threading.Event()
    with connect(url, PATIENCE_S) as client:
        base = base_report(client)
        workers = [
            SyntheticWorker(url, client, name, crew.nodes[name], crew.pace, base)
            for name in crew.names
        ]
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        threading.Thread(target=_end, args=(over,), daemon=True).start()
        with Beats(url, workers):
            run(client, workers, crew.pace, over)
        for worker in workers:
            worker.close()


def run(
    client: redis.Redis, workers: Sequence[SyntheticWorker], pace: Pace, over: threading.Event
) -> None:
    """Have workers do what is due, until it is over."""
    look_s = 0.0
    while not over.is_set():
        try:
            if time.monotonic() >= look_s:
                look_s = time.monotonic() + TICK_S * pace.rarely
                look(client, [worker for worker in workers if worker.works])
            for worker in workers:
                if worker.due_s <= time.monotonic() and not over.is_set():
                    worker.work()
        except redis.RedisError as error:
            log.warning("a worker goes on later: %s", error)
        due_s = min(look_s, *(worker.due_s for worker in workers))
        over.wait(min(_MOST_S, max(_LEAST_S, due_s - time.monotonic())))


if __name__ == "__main__":
    main()
