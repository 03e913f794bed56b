"""The image of a clip, decoded from what a camera sent."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from mirante import Counts, Detections, FrameResult
from mirante.clips import Clip
from mirante.wire import encode
from pipeline.config.camera import Camera
from pipeline.control.clip_store import ClipStore
from pipeline.gst.clips import read_clip
from pipeline.gst.shown import ShownImages
from pipeline.worker.clips import rule_of
from plugins.clips.recorder import Recorder
from plugins.clips.ring import Packet, Stream
from plugins.clips.shown import Hiding, Image, ShownVideo
from plugins.clips.timeline import DEPTH
from plugins.elements import register
from tests.support import ROOT
from tests.support.played import file_of, kept, played
from tests.support.wire_frames import some_event

register()
FILE = ROOT / "tests/support/numbers/numbers_b3.h264.mp4"
NUMBERS = read_clip(FILE)
BEGAN_NS = 1_795_925_694_500_000_000
BEST = 38  # of the images sent


def found(number: int) -> Detections:
    """Two objects, of which the second is the event's: largest in one image."""
    width = 60 if number == BEST else 40
    boxes = np.array([[10, 10, 190, 90], [110, 0, 110 + width, 40]], np.float32)
    tracks = np.array([6, 7], np.int64)
    labels = ("person", "face")
    score, class_id = np.array([0.9, 0.9], np.float32), np.array([0, 1], np.int32)
    return Detections(boxes, score, class_id, labels, tracks)


def made(store: ClipStore, blur: list[str], before_s: float, after_s: float) -> Clip:
    """A clip of an event in image 32."""
    clips = {"before_s": before_s, "after_s": after_s, "on": ["line-crossed"]}
    keys = {"url": "rtsp://h/main", "preview": {"blur": blur}, "clips": clips}
    spec = Camera.model_validate(keys)
    recorder = Recorder("gate", rule_of(spec), store)
    recorder.decoder = partial(ShownImages, spec)
    stream, sent = Stream(NUMBERS.caps), NUMBERS.loop()
    pictures = [next(sent) for _ in range(50)]
    for each in pictures:
        at_ns = BEGAN_NS + each.pts_ns
        recorder.ring.put(Packet(each.data, stream, each.key, (0, each.pts_ns), at_ns))
    shown = sorted(BEGAN_NS + each.pts_ns for each in pictures)
    for number, at_ns in enumerate(shown):
        whole = FrameResult(
            *("gate", number, 1, at_ns, "arrival", 192, 96),
            detections=found(number),
            counts=Counts(number + 1, number + 1, {}, 0),
        )
        recorder.published(whole, encode(whole))
    happened = some_event(ts=shown[32] / 1e9, track_id=7, label="face", clip="")
    assert recorder.marked(happened).clip
    return kept(store, "gate")


@pytest.mark.parametrize("blur", [[], ["face"]])
def test_it_shows_the_object_of_the_event_at_its_best(blur: list[str], tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 36_500)
    clip = made(store, blur, 1, 1)
    assert (clip.image, clip.is_shown, clip.causes[0].track_id) == (True, bool(blur), 7)
    image = cv2.imread(str(file_of(store, clip, "jpg")))
    assert image is not None
    off = [np.abs(image[:, :, ::-1].astype(int) - each.pixels) for each in played(FILE)]
    beside = [float(each[:, :90].mean()) for each in off]
    best = BEST % len(off)
    assert beside.index(min(beside)) == best
    assert (off[best][:40, 110:170].mean() > 10) == bool(blur), "blurred as the clip is"


@pytest.mark.parametrize("seconds", [0.1, 1])
def test_the_results_of_its_time_lie_beside_a_clip_however_short(
    seconds: float, tmp_path: Path
) -> None:
    store = ClipStore(tmp_path, 1 << 30, 36_500)
    clip = made(store, [], seconds, seconds)
    sidecar = msgspec.json.decode(file_of(store, clip, "json").read_bytes())
    assert (clip.frames < DEPTH) == (seconds < 1)
    assert len(sidecar["frames"]) >= clip.frames


class Given:
    """A decoder that gives images of some times, whatever it is sent."""

    def __init__(self, *times_ns: int) -> None:
        self._times = list(times_ns)
        self.is_over = True

    def push(self, packet: Packet, pts_ns: int, dts_ns: int) -> None:
        """Take it."""

    def end(self) -> None:
        """Nothing more comes."""

    def pull(self, timeout_s: float) -> Image | None:
        """Return the next."""
        return Image(np.zeros((144, 176, 3), np.uint8), self._times.pop(0)) if self._times else None

    def close(self) -> None:
        """Nothing is open."""


def test_images_without_a_time_of_their_own_end_no_clip(tmp_path: Path) -> None:
    no_time, ms = 2**64 - 1, 1_000_000
    times = (no_time, 0, 0, 40 * ms, 33 * ms, no_time, 80 * ms, 120 * ms)
    video = ShownVideo(tmp_path / "clip.mp4", Given(*times), Hiding([]), BEGAN_NS)
    video.close()
    assert video.frames == 4
    assert len(played(tmp_path / "clip.mp4")) == 4
