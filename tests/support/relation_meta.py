"""Writes results to buffers and reads them back, on a GStreamer that has analytics; prints JSON.

Run by tests in the Python of that GStreamer: see ``newer_gstreamer.py``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import GLib, Gst

from mirante.detections import Attribute, Detections
from mirante.frame import FrameResult
from mirante.keypoints import Skeleton
from mirante.mask import Mask
from plugins.elements import register
from plugins.meta.library import Analytics, length_of, meta_of
from plugins.meta.mirror import Mirror
from tests.support.recorded_stages import counted

SIZE = (64, 48)  # of the buffer; the source frame is twice that
EMPTY = FrameResult("gate", 0, 0, 0, "arrival", 128, 96)


def plane(*places: tuple[int, int]) -> Any:
    pixels = np.zeros((4, 6), np.bool_)
    for row, column in places:
        pixels[row, column] = True
    return pixels


FRAME = (0.0, 0.0, 128.0, 96.0)
ROAD = Mask.from_planes(("road", "lane"), np.stack([plane((0, 0)), plane((1, 5))]), FRAME, "m")
BOTH = Mask.from_planes(
    ("face", "hair"), np.stack([plane((2, 2), (2, 3)), plane((2, 2))]), (10.0, 20.0, 40.0, 60.0)
)
WHOLE = Detections(
    np.array([[10, 20, 40, 60], [50, 60, 90, 90], [1, 2, 127, 95]], np.float32),
    np.array([0.5, 0.75, 1.0], np.float32),
    np.array([1, 0, 1], np.int32),
    ("car", "person"),
    np.array([7, -1, 2**40], np.int64),
    ({"age": Attribute("old", 0.25)}, {}, {}),
    ((BOTH,), (), ()),
    np.array([[[12, 30, 0.5], [0, 0, 0]], np.zeros((2, 3)), [[2, 4, 1], [8, 6, 0.25]]], np.float32),
    np.array([[0] * 5, [70, 76, 36, 24, 0.5], [0] * 5], np.float32),
    {1: Skeleton(("nose", "chin"))},
)


def told(result: FrameResult) -> dict[str, Any]:
    """What a result holds, as JSON has it."""
    found = result.detections

    def masks(of: Any) -> Any:
        return [[m.labels, m.planes.astype(int).tolist(), np.round(m.xyxy).tolist()] for m in of]

    return {
        "names": [found.labels[i] for i in found.class_id],
        "boxes": found.xyxy.tolist(),
        "scores": found.score.tolist(),
        "tracks": None if found.track_id is None else found.track_id.tolist(),
        "attributes": [dict(found.attributes_of(i)) for i in range(len(found))],
        "masks": [masks(found.masks_of(i)) for i in range(len(found))],
        "points": [
            {name: point.tolist() for name, point in found.keypoints_of(i).items()}
            for i in range(len(found))
        ],
        "rotated": None if found.rotated is None else np.round(found.rotated, 2).tolist(),
        "frame": masks(result.masks),
    }


def reread(buffer: Gst.Buffer) -> FrameResult:
    """What another line reads from a buffer."""
    return Mirror().read(buffer, 1, EMPTY, SIZE)


def there_and_back() -> Any:
    buffer = Gst.Buffer.new()
    Mirror().show(buffer, 1, replace(EMPTY, detections=WHOLE, masks=(ROAD,)), SIZE)
    return told(reread(buffer))


def theirs_among_ours() -> Any:
    """What others write before and after ours is kept, and not taken for ours."""
    buffer, mirror, lengths = Gst.Buffer.new(), Mirror(), []
    meta = Analytics.buffer_add_analytics_relation_meta(buffer)
    meta.add_od_mtd(GLib.quark_from_string("dog"), 1, 2, 3, 4, 0.5)
    for found in (WHOLE.of("car"), WHOLE.of("car"), WHOLE.of("person").select([1])):
        mirror.show(buffer, 1, replace(EMPTY, detections=found), SIZE)
        lengths.append(length_of(meta_of(buffer)))
    meta_of(buffer).add_od_mtd(GLib.quark_from_string("cat"), 1, 2, 3, 4, 0.5)
    own = replace(EMPTY, detections=WHOLE.of("person").select([1]))
    read = mirror.read(buffer, 1, own, SIZE)
    again = mirror.read(buffer, 1, read, SIZE)
    mirror.show(buffer, 1, replace(EMPTY, detections=Detections.empty()), SIZE)
    return [
        told(reread(buffer.copy()))["names"],
        told(read)["names"],
        told(again)["names"],
        lengths,
    ]


def refused() -> Any:
    dog = GLib.quark_from_string("dog")
    strange: list[Callable[[Any], Any]] = [
        lambda meta: meta.add_od_mtd(dog, 1, 2, 3, 4, 55.0),
        lambda meta: meta.add_od_mtd(dog, 1, 2, 3, 4, float("nan")),
        lambda meta: meta.add_od_mtd(dog, 10, 5, -20, 4, 0.5),
        lambda meta: meta.add_oriented_od_mtd(dog, 1, 2, 30, 40, float("nan"), 0.5),
    ]
    said = []
    for write in strange:
        buffer = Gst.Buffer.new()
        write(Analytics.buffer_add_analytics_relation_meta(buffer))
        try:
            said.append(str(told(reread(buffer))))
        except ValueError as error:
            said.append(str(error))
    return said


def large_tracks() -> Any:
    """The tracks that are read of numbers of 64 bits, and what is written of these."""
    there, back = [], []
    for number in (0, 2**63 - 1, 2**63, 2**64 - 2):
        buffer, mirror = Gst.Buffer.new(), Mirror()
        meta = Analytics.buffer_add_analytics_relation_meta(buffer)
        _, box = meta.add_od_mtd(GLib.quark_from_string("dog"), 1, 2, 3, 4, 0.5)
        _, track = meta.add_tracking_mtd(number, 0)
        meta.set_relation(Analytics.RelTypes.RELATE_TO, box.id, track.id)
        found = reread(buffer).detections
        assert found.track_id is not None
        there += found.track_id.tolist()
        written = Gst.Buffer.new()
        mirror.show(written, 1, replace(EMPTY, detections=found), SIZE)
        back.append(meta_of(written).get_tracking_mtd(1)[1].get_info().tracking_id)
    return [there, back]


def untimed() -> Any:
    """Objects that mirmeta reads of buffers that have neither time nor number."""
    pipeline = Gst.parse_launch(
        "appsrc name=source ! mirmeta ! mirstage python=tests.support.recorded_stages:Counted "
        "! fakesink"
    )
    source = pipeline.get_by_name("source")
    source.set_property(
        "caps", Gst.Caps.from_string("video/x-raw,format=RGB,width=64,height=48,framerate=0/1")
    )
    pipeline.set_state(Gst.State.PLAYING)
    for _ in range(3):
        buffer = Gst.Buffer.new_wrapped(bytes(64 * 48 * 3))
        meta = Analytics.buffer_add_analytics_relation_meta(buffer)
        meta.add_od_mtd(GLib.quark_from_string("dog"), 1, 2, 3, 4, 0.5)
        source.emit("push-buffer", buffer)
    source.emit("end-of-stream")
    ends = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.WARNING
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, ends)
    pipeline.set_state(Gst.State.NULL)
    assert message is not None
    assert message.type == Gst.MessageType.EOS, message.parse_warning()
    return counted


def behind_a_tee() -> Any:
    """How long the meta of each branch's buffers is: what one branch adds the other has not."""
    standing = 'mirstage python=tests.support.recorded_stages:Standing options={"at":[40,45]}'
    pipeline = Gst.parse_launch(
        "videotestsrc num-buffers=3 ! video/x-raw,format=RGB,width=61,height=48 ! tee name=t "
        f"t. ! queue ! {standing} ! fakesink name=a t. ! queue ! fakesink name=b"
    )
    lengths: dict[str, list[int]] = {"a": [], "b": []}

    def note(pad: Gst.Pad, info: Gst.PadProbeInfo) -> Any:
        meta = meta_of(info.get_buffer())
        lengths[pad.get_parent_element().get_name()].append(length_of(meta))
        return Gst.PadProbeReturn.OK

    for name in lengths:
        pad = pipeline.get_by_name(name).get_static_pad("sink")
        pad.add_probe(Gst.PadProbeType.BUFFER, note)
    pipeline.set_state(Gst.State.PLAYING)
    ends = Gst.MessageType.EOS | Gst.MessageType.ERROR | Gst.MessageType.WARNING
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, ends)
    pipeline.set_state(Gst.State.NULL)
    assert message is not None
    assert message.type == Gst.MessageType.EOS, message.parse_warning()
    return lengths


def by_default() -> Any:
    return Gst.ElementFactory.make("mirtrack").get_property("meta")


if __name__ == "__main__":
    Gst.init(None)
    register()
    cases = (
        *(there_and_back, theirs_among_ours, refused, large_tracks, untimed),
        *(behind_a_tee, by_default),
    )
    json.dump({case.__name__: case() for case in cases}, sys.stdout)
