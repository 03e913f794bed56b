"""Counts what a subscriber receives, by reading the streams as any consumer would."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import numpy as np
import redis

from mirante.keys import camera_of, key
from mirante.wire.messages import DetectionsMessage
from pipeline.control.registry import connect

_read_message = msgspec.json.Decoder(DetectionsMessage)
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Received:
    """The results received from one camera."""

    frames: int = 0
    detections: int = 0
    masks: int = 0
    mask_bytes: int = 0
    events: int = 0
    latency_ms: list[float] = field(default_factory=list)
    beyond_inference_ms: list[float] = field(default_factory=list)

    def latency_words(self) -> str:
        """``12/34 ms``, from capture to the reader; ``-`` where nothing came."""
        if not self.latency_ms:
            return "-"
        p50, p95 = np.percentile(self.latency_ms, [50, 95])
        return f"{p50:.0f}/{p95:.0f} ms"


class Tally:
    """Reads the detections, masks and events of some cameras on a thread of its own.

    Raw entries rather than ``mirante.subscribe``, since the size of a mask on the wire is counted.
    """

    def __init__(self, cameras: Iterable[str]) -> None:
        self.cameras = {name: Received() for name in cameras}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, url: str) -> None:
        """Begins to read what is published from now on."""
        client = connect(url)
        after = {
            key(name, kind): _last_id(client, key(name, kind))
            for name in self.cameras
            for kind in ("detections", "masks", "events")
        }
        self._thread = threading.Thread(
            target=self._read, args=(client, after), name="tally", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Reads what is there already, and stops."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _read(self, client: redis.Redis, after: dict[str, bytes]) -> None:
        drained = False
        while not drained:
            stopping = self._stop.is_set()
            try:
                answer = client.xread(after, count=256, block=200)  # type: ignore[arg-type]
                drained = stopping and not answer
            except redis.RedisError as error:
                log.debug("%s", error)
                drained = self._stop.wait(0.2)
                continue
            received_s = time.time()
            streams = answer.items() if isinstance(answer, dict) else answer
            for stream, batches in cast(Any, streams):
                entries = batches[0] if isinstance(answer, dict) else batches
                for entry_id, fields in entries:
                    after[stream.decode()] = entry_id
                    self._count(stream.decode(), fields, received_s)

    def _count(self, stream: str, fields: dict[bytes, bytes], received_s: float) -> None:
        camera = self.cameras[camera_of(stream)]
        if stream.endswith(":masks"):
            sizes = [len(data) for name, data in fields.items() if name not in {b"json", b"sent"}]
            camera.masks += len(sizes)
            camera.mask_bytes += sum(sizes)
            return
        if stream.endswith(":events"):
            camera.events += 1
            return
        message = _read_message.decode(fields[b"json"])
        latency_ms = (received_s - message.ts) * 1e3
        camera.frames += 1
        camera.detections += len(message.objects)
        camera.latency_ms.append(latency_ms)
        camera.beyond_inference_ms.append(latency_ms - message.timings.get("infer", 0.0))


def _last_id(client: redis.Redis, stream: str) -> bytes:
    newest = cast(list[tuple[bytes, Any]], client.xrevrange(stream, count=1))
    return newest[0][0] if newest else b"0-0"
