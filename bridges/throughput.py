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
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np
import typer

from bridges.carrying import Carrier
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
    from multiprocessing.queues import Queue

Kind = Literal["events", "detections"]
CAMERAS, OBJECTS, BATCH = 4, 8, 500


def _files(url: str, folder: Path, kind: Kind) -> Bridge:
    del url
    from bridges.files.bridge import FilesBridge
    from bridges.files.options import Files

    return FilesBridge(Files(folder=folder, kinds=(kind,)))


def _parquet(url: str, folder: Path, kind: Kind) -> Bridge:
    del url
    from bridges.files.bridge import FilesBridge
    from bridges.files.options import Files

    return FilesBridge(Files(folder=folder, kinds=(kind,), format="parquet"))


def _kafka(url: str, folder: Path, kind: Kind) -> Bridge:
    del url, folder
    from bridges.kafka.bridge import KafkaBridge
    from bridges.kafka.options import Kafka

    mock = ("test.mock.num.brokers=1",)
    return KafkaBridge(Kafka(servers="", kinds=(kind,), properties=mock))


def _metropolis(url: str, folder: Path, kind: Kind) -> Bridge:
    del folder
    if kind != "detections":
        raise typer.BadParameter(f"expected detections for metropolis, got {kind!r}")
    from bridges.metropolis.bridge import MetropolisBridge
    from bridges.metropolis.options import Metropolis

    return MetropolisBridge(Metropolis(), Reading(redis=url))


def _webhook(url: str, folder: Path, kind: Kind) -> Bridge:
    del folder
    from bridges.webhook.delivery import HookBridge
    from bridges.webhook.load import parse_hooks

    if kind != "events":
        raise typer.BadParameter(f"webhook: expected --kind events, got {kind}")
    context = get_context("spawn")
    told: Queue[int] = context.Queue()
    context.Process(target=_receive, args=(told,), daemon=True).start()
    keys = {"url": f"http://127.0.0.1:{told.get()}/", "secret": "a secret of many letters"}
    hook = parse_hooks({"hooks": {"webhook": keys}}).hooks["webhook"]
    return HookBridge("webhook", hook, None, RedisUrl(url), threading.Event())


def _receive(told: Queue[int]) -> None:
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
        told.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


BRIDGES: dict[str, Callable[[str, Path, Kind], Bridge]] = {
    "files": _files,
    "parquet": _parquet,
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


def _fill(url: RedisUrl, kind: Kind, count: int) -> None:
    commands = []
    for i in range(count):
        camera, number = f"camera-{i % CAMERAS}", i // CAMERAS
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
    with RedisServer(0) as server, tempfile.TemporaryDirectory() as folder:
        _fill(RedisUrl(server.url), kind, count)
        stop = threading.Event()
        made = BRIDGES[bridge](server.url, Path(folder), kind)
        carrier = Carrier(made, Reading(redis=server.url, since_s=1e10), stop)
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
    kind: Annotated[Kind, typer.Option(help="Of entries.")] = "events",
    entries: Annotated[int, typer.Option(help="How many.", min=100)] = 20_000,
) -> None:
    """Measure how many entries a bridge carries a second, and what that takes."""
    if bridge not in BRIDGES:
        raise typer.BadParameter(f"expected one of {', '.join(BRIDGES)}, got {bridge!r}")
    rate, cpu_s = measure(bridge, kind, entries)
    typer.echo(f"{bridge}: {rate:,.0f} {kind}/s, {cpu_s:.3f} s of CPU for 1,000")


if __name__ == "__main__":
    typer.run(main)
