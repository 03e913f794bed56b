"""An RTSP camera in a process of its own, with faults to choose from.

usage: camera_server.py PORT CLIP OTHER_CLIP [PASSWORD]
"""

from __future__ import annotations

import itertools
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.cameras.synthetic import picture
from pipeline.gst.clips import Clip, Picture, read_clip
from pipeline.gst.rtsp_server import RtspServer, Stream, looped

SIZELESS = "video/x-h264,stream-format=byte-stream,alignment=au"
PAY = "h264parse ! rtph264pay pt=96 config-interval=-1 aggregate-mode=zero-latency"
SOUND = "audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay1 pt=8"
YUV = "videoconvert ! video/x-raw,format=I420"
LIVE_FPS = 10


def stall(clip: Clip) -> Iterator[Picture | None]:
    """Two seconds of video in a session, then nothing more, with the session left open."""
    yield from (p for p in clip.pictures if p.pts_ns < 2_000_000_000)
    yield None


def end(clip: Clip) -> Iterator[Picture]:
    yield from (p for p in clip.pictures if p.pts_ns < 2_000_000_000)


def corrupt(clip: Clip) -> Iterator[Picture]:
    """A quarter of the images between key frames have 40 bytes overwritten."""
    chance = random.Random(1)
    for sent in clip.loop():
        data = bytearray(sent.data)
        if not sent.key and chance.random() < 0.25:
            for _ in range(40):
                data[chance.randrange(8, len(data))] ^= 0x5A
        yield replace(sent, data=bytes(data))


def resize(small: Clip, large: Clip) -> Iterator[Picture]:
    """Turns of two clips of different sizes, a second each, from a key frame on."""
    second = [[p for p in clip.pictures if p.pts_ns < 1_000_000_000] for clip in (small, large)]
    offset_ns = 0
    for part in itertools.cycle(second):
        for sent in part:
            yield replace(sent, pts_ns=sent.pts_ns + offset_ns, dts_ns=sent.dts_ns + offset_ns)
        offset_ns += 1_000_000_000


def clock() -> Iterator[Picture]:
    """Images whose number is the time at which they were made: Unix ms, modulo 2**32."""
    for n in itertools.count():
        image = picture(time.time_ns() // 1_000_000 % 2**32, 320, 176)
        yield Picture(image.tobytes(), 0, 0, key=True)
        time.sleep(0 if n == 0 else 1 / LIVE_FPS)


def h264(pictures: Callable[[], Iterator[Picture | None]], behind: str = "") -> Stream:
    return Stream(SIZELESS, pictures, PAY + behind)


def main(port: int, clip_path: Path, other_path: Path, password: str) -> None:
    server = RtspServer(port)
    clip, other = read_clip(clip_path), read_clip(other_path)
    raw = f"video/x-raw,format=RGB,width=320,height=176,framerate={LIVE_FPS}/1"
    encode = f"{YUV} ! openh264enc gop-size={LIVE_FPS} ! {PAY}"
    streams = {
        "good": looped(clip),
        "stall": h264(lambda: stall(clip)),
        "end": h264(lambda: end(clip)),
        "corrupt": h264(lambda: corrupt(clip)),
        "lossy": h264(clip.loop, " ! identity drop-probability=0.1"),
        "resize": h264(lambda: resize(clip, other)),
        "clock": Stream(raw, clock, encode, live=True),
        "mjpeg": Stream(raw, clock, f"{YUV} ! jpegenc ! rtpjpegpay pt=26", live=True),
        "h265": looped(read_clip(Path(__file__).parent / "numbers.h265.mp4")),
        "sound": replace(looped(clip), beside=SOUND),
    }
    for name, stream in streams.items():
        server.mount(name, stream)
    server.mount("locked", looped(clip), ("viewer", password))
    server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), (*sys.argv, "right")[4])
