"""Measure how many entries a bridge carries a second: ``python -m bridges.throughput BRIDGE``.

A private Redis is filled first, so that the bridge alone is measured, with its reading and its
acknowledgements. CPU is that of this process, of all threads; the other side's is in it where that
runs here too, as Kafka's mock brokers do.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np
import typer

from bridges.carrying import LANE, Carrier
from bridges.parcel import Bridge
from bridges.reading import Reading
from mirante.detections import Detections
from mirante.events import Event
from mirante.frame import Counts, FrameResult
from mirante.keys import key
from mirante.redis_url import RedisUrl, exchange
from mirante.wire import encode
from pipeline.worker.redis_server import RedisServer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Kind = Literal["events", "detections"]
CAMERAS, OBJECTS, BATCH = 4, 8, 500


@dataclass(frozen=True)
class Place:
    """Where a bridge is measured.

    Attributes:
        url: of Redis.
        folder: for files.
        ending: closes what was opened for it.
    """

    url: str
    folder: Path
    ending: ExitStack


def _files(form: Literal["jsonl", "parquet"], place: Place, kind: Kind) -> Bridge:
    from bridges.files.bridge import FilesBridge
    from bridges.files.options import Files

    return FilesBridge(Files(folder=place.folder, kinds=(kind,), format=form))


def _kafka(_place: Place, kind: Kind) -> Bridge:
    from bridges.kafka.bridge import KafkaBridge
    from bridges.kafka.options import Kafka

    mock = ("test.mock.num.brokers=1",)
    return KafkaBridge(Kafka(servers="", kinds=(kind,), properties=mock))


def _metropolis(place: Place, kind: Kind) -> Bridge:
    _check("metropolis", "detections", kind)
    from bridges.metropolis.bridge import MetropolisBridge
    from bridges.metropolis.options import Metropolis

    return MetropolisBridge(Metropolis(), Reading(redis=place.url))


def _webhook(place: Place, kind: Kind) -> Bridge:
    _check("webhook", "events", kind)
    from bridges.webhook.delivery import HookBridge
    from bridges.webhook.load import parse_hooks

    context = get_context("spawn")
    told, tells = context.Pipe(duplex=False)
    receiver = context.Process(target=_receive, args=(tells,), daemon=True)
    receiver.start()
    for end in (receiver.close, receiver.join, receiver.terminate, told.close, tells.close):
        place.ending.callback(end)
    keys = {"url": f"http://127.0.0.1:{told.recv()}/", "secret": "a secret of many letters"}
    hook = parse_hooks({"hooks": {"webhook": keys}}).hooks["webhook"]
    return HookBridge("webhook", hook, None, RedisUrl(place.url))


def _check(bridge: str, carried: Kind, kind: Kind) -> None:
    if kind != carried:
        raise typer.BadParameter(f"--kind: expected {carried} for {bridge}, got {kind}")


def _receive(tells: Connection) -> None:
    """Take requests, as the other side of ``webhook``."""

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(taken, "127.0.0.1", 0)
        tells.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


BRIDGES: dict[str, Callable[[Place, Kind], Bridge]] = {
    "files": partial(_files, "jsonl"),
    "parquet": partial(_files, "parquet"),
    "kafka": _kafka,
    "metropolis": _metropolis,
    "webhook": _webhook,
}


def _entry(kind: Kind, camera: str, number: int) -> bytes:
    ts = 1_763_899_667 + number / 25
    if kind == "events":
        return msgspec.json.encode(
            Event(
                id=f"{camera}-{number}",
                camera=camera,
                kind="zone-entered",
                ts=ts,
                seq=number,
                epoch=1,
                track_id=number + 1,
                label="person",
                score=0.9,
                bbox=(10, 20, 100, 200),
                zone="door",
                reason="person entered door",
            )
        )
    boxes = np.arange(OBJECTS * 4, dtype=np.float32).reshape(OBJECTS, 4) * 10
    made = Detections(
        boxes,
        np.full(OBJECTS, 0.9, np.float32),
        np.zeros(OBJECTS, np.int32),
        ("person", "car"),
        np.arange(1, OBJECTS + 1, dtype=np.int64),
    )
    result = FrameResult(
        camera, number, 1, round(ts * 1e9), "arrival", 1280, 720, made,
        counts=Counts(number + 1, number + 1),
    )  # fmt: skip
    return encode(result).detections["json"]


def fill(url: RedisUrl, kind: Kind, count: int, cameras: int = CAMERAS) -> None:
    """Write entries of ``camera-0``, ``camera-1``, … in turn; event ``n`` of one has the ID
    ``camera-0-n``.

    Raises:
        redis.RedisError: Redis does not answer, or refuses.
    """
    commands = []
    for i in range(count):
        camera, number = f"camera-{i % cameras}", i // cameras
        entry_id = f"{1_763_899_667_000 + number * 40}-{number}"
        fields = ("json", _entry(kind, camera, number), "sent", "1.0")
        commands.append(("XADD", key(camera, kind), entry_id, *fields))
    with url.client(10) as client:
        for at in range(0, count, BATCH):
            for reply in exchange(client, commands[at : at + BATCH]):
                if isinstance(reply, Exception):
                    raise reply


def measure(bridge: str, kind: Kind, count: int) -> tuple[float, float]:
    """Return entries per second, and seconds of CPU per 1,000 entries."""
    with (
        RedisServer(0) as server,
        tempfile.TemporaryDirectory() as folder,
        ExitStack() as ending,
    ):
        made = BRIDGES[bridge](Place(server.url, Path(folder), ending), kind)  # or it is refused
        fill(RedisUrl(server.url), kind, count)
        stop = threading.Event()
        lane = LANE if bridge == "webhook" else None
        carrier = Carrier(made, Reading(redis=server.url, since_s=1e10), stop, lane=lane)
        thread = threading.Thread(target=carrier.run)
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        thread.start()
        while carrier.account.delivered < count and thread.is_alive():
            time.sleep(0.02)
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        stop.set()
        thread.join()
        if carrier.account.delivered != count:
            raise RuntimeError(f"{carrier.account.delivered} of {count} entries were carried")
    return count / wall_s, cpu_s / count * 1000


def main(
    bridge: Annotated[str, typer.Argument(help=f"One of {', '.join(BRIDGES)}.")],
    kind: Annotated[Kind, typer.Option(help="Of the entries.")] = "events",
    entries: Annotated[int, typer.Option(help="Number of entries.", min=100)] = 20_000,
) -> None:
    """Measure how many entries a bridge carries a second, and what that takes."""
    if bridge not in BRIDGES:
        raise typer.BadParameter(f"expected one of {', '.join(BRIDGES)}, got {bridge!r}")
    rate, cpu_s = measure(bridge, kind, entries)
    typer.echo(f"{bridge}: {rate:,.0f} {kind}/s, {cpu_s:.3f} s of CPU for 1,000")


if __name__ == "__main__":
    typer.run(main)
