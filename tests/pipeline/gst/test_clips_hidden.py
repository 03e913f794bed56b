"""Clips of cameras that hide something: it is nowhere in them, and never are they plain."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mirante import Detections
from mirante.wire import encode
from pipeline.cameras.sharing import SharedSessions
from pipeline.config.camera import Camera
from pipeline.control.clip_store import ClipStore
from pipeline.gst.clips import read_clip
from pipeline.worker.clips import rule_of
from plugins.clips.mp4 import VideoError
from plugins.clips.recorder import NoClipError, Recorder
from tests.support import ROOT
from tests.support.played import file_of, kept, played
from tests.support.rtsp_manners import Manners, MannersServer
from tests.support.watched import Watched

BARS = ROOT / "tests/support/numbers/numbers_b0.h264.mp4"
LEFT = [[[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]]
FACE = Detections(
    np.array([[100, 0, 190, 40]], np.float32),
    np.array([0.9], np.float32),
    np.array([0], np.int32),
    ("face",),
)
CLIPS = {"before_s": 1, "after_s": 1}


@pytest.fixture(scope="module")
def server() -> Iterator[MannersServer]:
    with MannersServer(Manners(read_clip(BARS))) as server:
        yield server


@contextmanager
def recorded(
    server: MannersServer, store: ClipStore, detections: Detections | None, **keys: Any
) -> Iterator[Recorder]:
    """A camera whose frames' results are all the same; None: it publishes none."""
    spec = Camera.model_validate({"url": server.url(), "clips": CLIPS, **keys})
    recorder = Recorder("gate", rule_of(spec), store)
    options = {name: getattr(spec, name) for name in spec.model_fields_set - {"url", "clips"}}
    ended = threading.Event()
    with Watched("gate", server.url(), clips=recorder, **options) as camera:

        def publish() -> None:
            done = 0
            while not ended.wait(0.02):
                for _, result, _ in camera.seen.frames[done:]:
                    done += 1
                    if detections is not None:
                        found = replace(result, detections=detections)
                        recorder.published(found, encode(found))

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            camera.seen.wait(20)
            yield recorder
        finally:
            ended.set()
            thread.join()


def detail(pixels: NDArray[np.uint8], part: tuple[slice, slice]) -> float:
    """How much neighbouring pixels of a part of an image differ."""
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)[part].astype(float)
    return float(max(np.abs(np.diff(grey, axis=axis)).mean() for axis in (0, 1)))


@pytest.mark.rtsp
def test_what_is_blacked_out_and_blurred_is_so_in_clip_and_image(
    server: MannersServer, tmp_path: Path
) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30)
    with recorded(server, store, FACE, mask=LEFT, preview={"blur": ["face"]}) as recorder:
        recorder.request(None, None)
        clip = kept(store, "gate")
    assert (clip.is_shown, clip.codec, clip.image) == (True, "h264", True)
    jpeg = cv2.imread(str(file_of(store, clip, "jpg")))
    assert jpeg is not None
    frames = played(file_of(store, clip))
    assert len(frames) == clip.frames >= 18
    left, face = (slice(None), slice(0, 84)), (slice(0, 16), slice(104, 186))
    sharp = min(detail(each.pixels, face) for each in played(BARS))
    assert sharp > 5
    for pixels in (*(each.pixels for each in frames), jpeg):
        assert pixels[left].max() < 40
        assert pixels[:, 100:].max() > 100
        assert detail(np.asarray(pixels, np.uint8), face) < sharp / 2


@pytest.mark.rtsp
def test_images_near_no_result_are_blurred_as_a_whole(
    server: MannersServer, tmp_path: Path
) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30)
    with recorded(server, store, None, preview={"blur": ["face"]}) as recorder:
        recorder.request(None, None)
        clip = kept(store, "gate")
    number = (slice(0, 16), slice(None))
    sharp = min(detail(each.pixels, number) for each in played(BARS))
    assert all(detail(each.pixels, number) < sharp / 2 for each in played(file_of(store, clip)))


@pytest.mark.rtsp
def test_a_clip_shows_what_the_camera_shows(server: MannersServer, tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30)
    keys = {"rotate": 90, "crop": [0, 0.5, 1, 1], "width": 64}
    with recorded(server, store, Detections.empty(), **keys) as recorder:
        recorder.request(None, None)
        clip = kept(store, "gate")
    assert clip.size == (96, 96), "as shown, and not scaled to the analysis size"
    assert played(file_of(store, clip))[0].pixels.shape == (96, 96, 3)


@pytest.mark.rtsp
def test_clips_are_refused_where_nothing_can_hide_it(
    server: MannersServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30)
    refuse = {**CLIPS, "private": "refuse"}
    with (
        recorded(server, store, None, mask=LEFT, clips=refuse) as recorder,
        pytest.raises(NoClipError, match="private is refuse"),
    ):
        recorder.request(None, None)
    with recorded(server, store, None, mask=LEFT) as recorder:
        monkeypatch.setattr("plugins.clips.recording.encoder", lambda: None)
        with pytest.raises(VideoError, match="nothing here encodes"):
            recorder.request(None, None)
    assert not list(tmp_path.rglob("*.mp4"))


@pytest.mark.rtsp
def test_a_camera_that_follows_has_clips_of_the_session_that_it_follows(
    server: MannersServer, tmp_path: Path
) -> None:
    store, shared = ClipStore(tmp_path, 1 << 30, 30), SharedSessions()
    spec = Camera.model_validate({"url": server.url(), "clips": CLIPS})
    recorder = Recorder("next", rule_of(spec), store)
    with Watched("lead", server.url(), shared=shared) as lead:
        lead.seen.wait(2)
        with Watched("next", server.url(), shared=shared, clips=recorder) as camera:
            camera.seen.wait(15)
            recorder.request(None, None)
            clip = kept(store, "next")
    assert not clip.is_shown
    assert len(played(file_of(store, clip))) == clip.frames >= 12
