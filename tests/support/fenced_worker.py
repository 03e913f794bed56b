"""A worker without GStreamer: its lease, its outbox, and a camera that is a thread.

``python -m tests.support.fenced_worker URL NAME MARK`` runs until its input ends; a line of input
stops it and starts it again, as a clean restart does. Its frames are MARK pixels wide. For each
start it prints a line of JSON: by what its lease and its claims are known; and when it ends, one of
the pauses of the machine (``Stalls``).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from functools import partial
from typing import Any

import redis

from mirante.redis_url import RedisUrl
from pipeline.control import lease
from pipeline.worker import tenancy
from pipeline.worker.tenancy import Standing, Tenancy
from plugins.ledger import Ledger
from plugins.outbox import fence
from plugins.outbox.lane import LOST, REFUSED
from plugins.outbox.outbox import Outbox
from tests.support.stalls import Stalls

LEASE_S = 0.4  # in the place of ten seconds
RENEW_S = 0.1
TICK_S = 0.03
FRAME_S = 0.04
CAMERA = "gate"


class Camera:
    """A thread that publishes frames with a true account."""

    def __init__(self, outbox: Outbox, mark: int) -> None:
        self.ledger = Ledger(CAMERA)
        self._outbox, self._mark = outbox, mark
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pts = 0
        while not self._stop.wait(FRAME_S):
            self.ledger.decoded(pts, time.time_ns(), "arrival", (self._mark, 90))
            self.ledger.admitted(pts)
            self.ledger.taken(pts)
            result = self.ledger.publish(pts)
            assert result is not None
            self._outbox.publish(result)
            pts += 1


class FencedWorker:
    """What ``pipeline.worker.worker.Worker`` does about its name, and no more."""

    def __init__(self, url: str, name: str, mark: int) -> None:
        self._mark = mark
        self._camera: Camera | None = None
        self._tenancy = Tenancy(RedisUrl(url).client(0.3), name, standby=True)
        self._outbox = Outbox(
            url,
            on_lost=self._on_lost,
            on_refused=partial(self._on_lost, reason=REFUSED),
            tenure=self._tenancy.tenure,
        )
        self._outbox.start()
        own: Any = self._outbox._sender._fence
        facts = {"mark": mark, "lease": self._tenancy.tenure.value, "claims": own._own}
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(TICK_S):
            try:
                standing = self._tenancy.poll()
            except redis.RedisError:
                continue
            if standing is Standing.HELD and self._camera is None:
                self._camera = Camera(self._outbox, self._mark)
            elif standing is Standing.STANDBY and self._camera is not None:
                self._camera.stop()
                self._camera = None
                self._outbox.resign()
        if self._camera is not None:
            self._camera.stop()
        self._outbox.close(0.5)
        try:
            self._tenancy.release()
        except redis.RedisError:
            return

    def _on_lost(self, _camera: str, frames: int, reason: str = LOST) -> None:
        if self._camera is not None:
            self._camera.ledger.lost(frames, reason)


def main() -> None:
    url, name, mark = sys.argv[1:]
    lease.LEASE_MS = fence.OWNER_MS = round(LEASE_S * 1000)
    lease.RENEW_S = fence.RENEW_S = RENEW_S
    tenancy.SPARE_S = LEASE_S
    over, stalls = False, Stalls()
    while not over:
        stop = threading.Event()
        thread = threading.Thread(target=FencedWorker(url, name, int(mark)).run, args=(stop,))
        thread.start()
        over = not sys.stdin.readline()
        stop.set()
        thread.join()
    stalls.close()
    sys.stdout.write(json.dumps({"pauses": stalls.pauses}) + "\n")


if __name__ == "__main__":
    main()
