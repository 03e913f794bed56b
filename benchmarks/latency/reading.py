"""Readers of results: one for Mirante's line, one for the loops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import redis

import mirante
from benchmarks.latency.figures import Read
from benchmarks.latency.numbers import TIMING
from benchmarks.line.loops import stream_of

BLOCK_S = 0.5


class _Message(msgspec.Struct):
    """A message from a loop."""

    number: int | None
    infer: float
    objects: list[dict[str, Any]]


@contextmanager
def reading(variant: str, url: str, cameras: int) -> Iterator[Sequence[Read]]:
    """Read what a variant publishes from now on, on a thread; yield the results so far."""
    read: list[Read] = []
    follow = _subscription if variant == "line" else _streams
    results, stop = follow(url, cameras)
    # Each is in the list as soon as it came.
    thread = threading.Thread(target=lambda: read.extend(results), name="reader")
    thread.start()
    try:
        yield read
    finally:
        stop()
        thread.join()


def _subscription(url: str, cameras: int) -> tuple[Iterator[Read], Callable[[], None]]:
    """Return the results of the line's cameras, and a function that ends them."""
    places = {f"bench{camera}": camera for camera in range(cameras)}
    frames = mirante.subscribe(places, redis=url, block_s=BLOCK_S)

    def results() -> Iterator[Read]:
        for frame in frames:
            now_ns, timings = time.monotonic_ns(), frame.timings
            number, infer_ms = int(timings[TIMING]), timings["infer"]
            yield Read(places[frame.camera], number, now_ns, infer_ms)

    return results(), frames.close


def _streams(url: str, cameras: int) -> tuple[Iterator[Read], Callable[[], None]]:
    """Return the results of a loop's cameras, and a function that ends them."""
    places = {stream_of(camera).encode(): camera for camera in range(cameras)}
    stop = threading.Event()

    def results() -> Iterator[Read]:
        after: dict[Any, Any] = dict.fromkeys(places, b"$")
        decoder = msgspec.json.Decoder(_Message)
        with redis.Redis.from_url(url, protocol=2) as client:
            while not stop.is_set():
                answer: Any = client.xread(after, block=int(BLOCK_S * 1e3))
                for stream, entries in answer:
                    for entry_id, fields in entries:
                        message = decoder.decode(fields[b"json"])
                        now_ns, after[stream] = time.monotonic_ns(), entry_id
                        if message.number is not None:
                            yield Read(places[stream], message.number, now_ns, message.infer)

    return results(), stop.set
