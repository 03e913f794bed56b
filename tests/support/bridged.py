"""A bridge that runs in a thread, and events and states published for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from bridges.carrying import Carrier
from bridges.parcel import Bridge, Parcel
from bridges.reading import Reading
from mirante import Event, Status
from mirante.client.plan import SubscribedKind
from mirante.keys import Kind, key
from pipeline.control.bridge_reports import BridgeReport, bridges
from tests.support.redis_child import RedisChild

RETRY_S = (0.01, 0.05)


@contextmanager
def running(run: Callable[[], None], stop: threading.Event) -> Iterator[None]:
    """Run in a thread until the block is left, which sets ``stop``; raise what it raised."""
    raised = list[BaseException]()

    def noted() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 raised where the block ends
            raised.append(error)

    thread = threading.Thread(target=noted)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if raised:
        raise raised[0]


@contextmanager
def carried(bridge: Bridge, server: RedisChild, **options: Any) -> Iterator[Carrier]:
    """Run a bridge until the block is left; raise what it raised.

    Args:
        bridge: where to.
        server: the Redis.
        **options: fields of ``Reading``; what is in Redis already is read too.
    """
    stop = threading.Event()
    reading = Reading(**{"redis": server.url, "since_s": 1e9, **options})
    carrier = Carrier(bridge, reading, stop, RETRY_S)
    with running(carrier.run, stop):
        yield carrier


def event(number: int, camera: str = "gate", **facts: Any) -> Event:
    """Return event ``number`` of a camera: a person who enters the zone door."""
    said: dict[str, Any] = {
        "kind": "zone-entered",
        "ts": 1_763_899_000.0 + number,
        "seq": number,
        "epoch": 1_000,
        "track_id": 7,
        "label": "person",
        "score": 0.9,
        "bbox": (10, 20, 100, 200),
        "zone": "door",
        "reason": "person entered door",
    }
    return Event(id=f"{camera}-{number}", camera=camera, **said | facts)


def write(server: RedisChild, item: Event | Status, number: int, jpeg: bytes = b"") -> None:
    """Write an event, with its image, or a state as a worker does.

    Args:
        server: the Redis.
        item: to be written.
        number: of the entry, which must grow for each camera.
        jpeg: image of an event.
    """
    kind: Kind = "events" if isinstance(item, Event) else "status"
    client, entry = server.client(), f"{round(item.ts * 1000)}-{number}"
    client.xadd(key(item.camera, kind), {"json": msgspec.json.encode(item), "sent": 1.0}, id=entry)
    if jpeg:
        client.xadd(key(item.camera, "images"), {"jpeg": jpeg, "sent": 1.0}, id=entry)


def status(camera: str = "gate", state: Any = "running", ts: float = 1_763_899_000.0) -> Status:
    """Return a state of a camera."""
    return Status(camera=camera, state=state, reason="frames arrive", ts=ts, since=ts)


def report(server: RedisChild, name: str) -> BridgeReport | None:
    """Return what a bridge reported last."""
    return next((each for each in bridges(server.client()) if each.name == name), None)


class Refusing:
    """A bridge whose other side takes nothing."""

    kind, target = "refusing", "nowhere"
    kinds: tuple[SubscribedKind, ...] = ("events",)

    def open(self) -> None:
        """Nothing to do."""

    def deliver(self, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            parcel.dead("never")

    def close(self) -> None:
        """Nothing to do."""
