"""Measures what it costs to skip frames while tracked objects alone move, in docs/quiet.md.

    .venv/bin/python docs/quiet_skip.py CLIP…

Analyses each clip at 12 frames a second or fewer with yolox-street and tracks: with all frames
looked at, and for each number of frames that may be skipped in a row. Prints how many frames were
looked at, the processor time with decoding, and how the objects fit those of the first way: IDF1,
objects with another number than before, those that never have one, and how much later they have it.
"""

from __future__ import annotations

import sys
import time
from statistics import fmean

import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from benchmarks.objects.identity import Numbered, judge
from engines.agreement import IOU, overlaps
from mirante.frame import FrameResult
from plugins.bindings import structure_of
from plugins.element import give_line
from plugins.elements import register
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox
from plugins.rate import RateLimit

FPS, SKIPS = 12.0, (0, 2, 5)
HEAD = "clip", "skip", "looked %", "CPU %", "IDF1", "switches", "never", "later s", "most s"
GRAPH = (
    'filesrc location="{clip}" ! decodebin ! videoconvert ! video/x-raw,format=I420 '
    "! mirgate name=gate most-tracked={skip} ! mirrgb "
    "! video/x-raw,format=RGB,width=[1,640],height=[1,640],pixel-aspect-ratio=1/1 "
    "! mirinfer model=yolox-street threads=1 ! mirtrack ! mirpublish"
)

Way = tuple[list[FrameResult], float]  # frames, and CPU seconds


def analysed(clip: str, skip: int) -> Way:
    """Return what is published of a clip, whose time is its own, and the processor time."""
    frames: list[FrameResult] = []
    line = Line(Ledger("clip", frames.append), Outbox("redis://127.0.0.1:1"))
    pipeline = Gst.parse_launch(GRAPH.format(clip=clip, skip=skip))
    give_line(pipeline, line)
    limit = RateLimit(FPS)

    def on_frame(pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        pts, shape = info.get_buffer().pts, structure_of(pad.get_current_caps())
        if not limit.admits(pts):
            return Gst.PadProbeReturn.DROP
        size = shape.get_int("width")[1], shape.get_int("height")[1]
        line.ledger.decoded(pts, 10**18 + pts, "rtcp", size)
        line.ledger.admitted(pts)
        line.ledger.taken(pts)
        return Gst.PadProbeReturn.OK

    sink = pipeline.get_by_name("gate").get_static_pad("sink")
    sink.add_probe(Gst.PadProbeType.BUFFER, on_frame)
    began_s = time.process_time()
    pipeline.set_state(Gst.State.PLAYING)
    ends = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(Gst.CLOCK_TIME_NONE, ends)
    took_s = time.process_time() - began_s
    pipeline.set_state(Gst.State.NULL)
    if message.type == Gst.MessageType.ERROR:
        raise SystemExit(f"{clip}: {message.parse_error()[0].message}")
    return frames, took_s


def numbered(frame: FrameResult) -> Numbered:
    """Return the objects of a frame that have a number."""
    found = frame.detections
    if found.track_id is None:
        return Numbered(np.empty(0, np.int64), np.empty((0, 4)))
    has = found.track_id > 0
    return Numbered(found.track_id[has], found.xyxy[has].astype(np.float64))


def delays(all_looked: list[Numbered], some: list[Numbered]) -> list[int | None]:
    """Return for each object how many frames later it has a number; None where it never has."""
    begun: dict[int, int] = {}
    found: dict[int, int] = {}
    for at, (real, said) in enumerate(zip(all_looked, some, strict=True)):
        alike = overlaps(real.xyxy, said.xyxy).max(axis=1, initial=0.0) >= IOU
        for number, has in zip(real.numbers.tolist(), alike.tolist(), strict=True):
            begun.setdefault(number, at)
            if has:
                found.setdefault(number, at)
    return [found[number] - at if number in found else None for number, at in begun.items()]


def row(skip: int, way: Way, first: list[FrameResult]) -> list[str]:
    """Return the cells of a line of the table."""
    frames, took_s = way
    truth, said = [numbered(each) for each in first], [numbered(each) for each in frames]
    score, late = judge(truth, said), delays(truth, said)
    came = [each for each in late if each is not None]
    span_s = (frames[-1].captured_ns - frames[0].captured_ns) / 1e9
    return [
        str(skip),
        f"{100 * sum(not each.skipped for each in frames) / len(frames):.0f}",
        f"{100 * took_s / span_s:.1f}",
        f"{score.idf1:.3f}",
        str(score.switches),
        f"{late.count(None)} of {len(late)}",
        f"{fmean(came) / FPS if came else 0:.2f}",
        f"{max(came, default=0) / FPS:.2f}",
    ]


def main() -> None:
    """Measure and print."""
    Gst.init(None)
    register()
    sys.stdout.write(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}\n")
    for clip in sys.argv[1:]:
        ways = {skip: analysed(clip, skip) for skip in SKIPS}
        for skip, way in ways.items():
            cells = [clip.rpartition("/")[2], *row(skip, way, ways[0][0])]
            sys.stdout.write(f"| {' | '.join(cells)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
