"""Pages without a screen: they watch every camera, say at once that they drew, and count.

``python -m benchmarks.dashboard.pages ADDRESS PAGES STALLED CAMERA…`` opens so many, and some more
that say nothing and read nothing once they have asked for all. Prints ``drawing`` once each that
reads has drawn; ends with its standard input, and then prints a line of JSON about each page.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.dashboard.figures import percentiles
from mirante.wire.framed import unframed


@dataclass
class Counted:
    """The counts of what one page received.

    Attributes:
        stalled: it does not read.
        frames, skipped, bytes: as the messages say.
        ms: p50 and p95 from publishing to arriving here.
    """

    stalled: bool
    frames: int = 0
    skipped: int = 0
    bytes: int = 0
    ms: tuple[float, float] = (0.0, 0.0)


class _Head(msgspec.Struct):
    type: str
    camera: str = ""
    number: int = 0
    skipped: int = 0
    parts: list[int] = []


class _Message(msgspec.Struct):
    ts: float


@dataclass
class _Page:
    counted: Counted
    late_ms: list[float] = field(default_factory=list)
    draws: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self, address: str, cameras: list[str], stop: asyncio.Event) -> None:
        """From its opening to the end."""
        async with connect(address, max_size=None, max_queue=1, ping_interval=None) as socket:
            await socket.send(json.dumps({"watch": cameras}))
            if self.counted.stalled:
                await stop.wait()
                socket.transport.abort()
                return
            reading = asyncio.ensure_future(self._read(socket))
            await stop.wait()
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
        self.counted.ms = percentiles(self.late_ms)

    async def _read(self, socket: ClientConnection) -> None:
        head_of, message_of = msgspec.json.Decoder(_Head), msgspec.json.Decoder(_Message)
        async for data in socket:
            assert isinstance(data, bytes)
            header, parts = unframed(data)
            head = head_of.decode(header)
            self.counted.bytes += len(data)
            if head.type != "frame":
                continue
            await socket.send(f'{{"drawn":{{"{head.camera}":{head.number}}}}}')
            jpeg, results = head.parts[:2]
            message = message_of.decode(parts[jpeg : jpeg + results])
            self.late_ms.append((time.time() - message.ts) * 1e3)
            self.counted.frames += 1
            self.draws.set()
            self.counted.skipped += head.skipped


async def _all(address: str, pages: list[_Page], cameras: list[str]) -> None:
    stop = asyncio.Event()
    looking = [asyncio.ensure_future(page.look(address, cameras, stop)) for page in pages]
    telling = asyncio.ensure_future(_tell([page for page in pages if not page.counted.stalled]))
    await asyncio.to_thread(sys.stdin.read)
    telling.cancel()
    stop.set()
    await asyncio.gather(*looking)


async def _tell(pages: list[_Page]) -> None:
    for page in pages:
        await page.draws.wait()
    sys.stdout.write("drawing\n")
    sys.stdout.flush()


def main() -> None:
    """The module as a command."""
    address, count, stalled, *cameras = sys.argv[1:]
    pages = [_Page(Counted(stalled=False)) for _ in range(int(count))]
    pages += [_Page(Counted(stalled=True)) for _ in range(int(stalled))]
    asyncio.run(_all(address, pages, cameras))
    for page in pages:
        sys.stdout.write(json.dumps(asdict(page.counted)) + "\n")


if __name__ == "__main__":
    main()
