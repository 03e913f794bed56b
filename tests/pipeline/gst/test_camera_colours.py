"""Known patches through the encodings and the ways that cameras send them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from queue import Empty
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mirante.faults import FaultCode
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera, CameraOptions
from pipeline.demo.rtsp_process import rtsp_cameras
from pipeline.gst.camera import CameraRunner
from pipeline.gst.clips import encode_pictures, prepare_clip
from pipeline.gst.frames import shown_frame
from plugins.ledger import Ledger
from plugins.line import Line
from tests.support.http_camera import http_camera
from tests.support.make_patch_clips import CLIPS, FOLDER, UNNAMED
from tests.support.patches import PATCHES, patches_of, picture
from tests.support.recorded_stages import shown
from tests.support.watched import Watched

STAGES = "mirstage python=tests.support.recorded_stages:Show ! fakesink sync=false"
GREY = np.repeat((PATCHES @ [0.299, 0.587, 0.114])[:, None], 3, 1)
WORST = 3  # of 255 levels


def first_frame(url: str, **options: Any) -> NDArray[np.uint8]:
    """The first frame that the stages of a camera see."""
    ended: list[Transition] = []
    found = threading.Event()

    def on_change(change: Transition) -> None:
        if change.state not in {State.CONNECTING, State.RUNNING}:
            ended.append(change)
            found.set()

    while not shown.empty():
        shown.get()
    spec = Camera(url=url, pace="every_frame", **options)
    runner = CameraRunner("patches", spec, STAGES, Line(Ledger("patches")), on_change)
    runner.start()
    try:
        for _ in range(300):
            try:
                return shown.get(timeout=0.2)
            except Empty:
                if found.is_set() and ended[0].code == FaultCode.NO_DECODER:
                    pytest.skip(ended[0].reason)
                assert not found.is_set() or not shown.empty(), ended[0].reason
        raise AssertionError("no frame came")
    finally:
        runner.stop()


def check(rgb: NDArray[np.uint8], truth: NDArray[np.float64] = PATCHES) -> None:
    errors = np.abs(patches_of(rgb) - truth).max(1)
    assert errors.max() <= WORST, errors.round(1).tolist()


@pytest.mark.parametrize("name", CLIPS)
def test_patches_are_true(name: str) -> None:
    rgb = first_frame(f"file:{FOLDER / name}")
    assert rgb.shape == (
        (360, 640, 3) if "-hd" in name else (16, 64, 3) if "raw" in name else (64, 128, 3)
    )
    check(rgb, GREY if "grey" in name else PATCHES)


def test_what_is_encoded_here_is_true_at_any_size(tmp_path: Path) -> None:
    encode_pictures([picture(1280, 720)] * 2, 10, tmp_path / "hd.mp4")
    check(first_frame(f"file:{tmp_path / 'hd.mp4'}"))


@pytest.mark.parametrize("name", ["h264-full-709.mp4", "h265-2020-hd.mp4", "prores-709.mov"])
def test_a_frame_of_run_once_has_the_same_colours(name: str) -> None:
    check(shown_frame(FOLDER / name, 1, CameraOptions()))


def test_a_clip_that_the_server_encodes_keeps_its_colours(tmp_path: Path) -> None:
    clip = prepare_clip(FOLDER / "vp9-full-709.mp4", tmp_path)
    assert clip.parent == tmp_path
    check(first_frame(f"file:{clip}"))


@pytest.mark.parametrize("name", UNNAMED)
def test_a_format_without_a_name_ends_the_stream_and_not_the_process(
    name: str,
) -> None:
    """Without the guard most of these runs ended in a segmentation fault."""
    with Watched("grey", f"file:{FOLDER / name}", STAGES) as camera:
        _, reason = camera.wait(State.FAILED)
    expected = {
        "h265-grey10.mp4": "H.265 in grey of 10 bits is not decoded here: expected 8 bits",
        "ffv1-grey12.mkv": "not a readable video: Internal data stream error.",
    }
    assert reason == expected[name]
    with pytest.raises(
        OSError, match=r"is not decoded here|expected a clip that GStreamer can read"
    ):
        shown_frame(FOLDER / name, 0, CameraOptions())


def test_mjpeg_over_http_is_true() -> None:
    jpeg = cv2.imencode(".jpg", picture(128, 64)[..., ::-1])[1].tobytes()
    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    parts = repeat(head.encode() + jpeg + b"\r\n")
    kind = "multipart/x-mixed-replace; boundary=frame"
    with http_camera() as camera:
        camera.manners["/"] = lambda request: request.stream(parts, 20, Content_Type=kind)
        check(first_frame(camera.url("/")))


@pytest.fixture(scope="module")
def rtsp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    clips = {"mjpeg": FOLDER / "mjpeg-420.avi", "full": FOLDER / "h264-full-709.mp4"}
    with rtsp_cameras(clips, tmp_path_factory.mktemp("cache")) as urls:
        yield urls


@pytest.mark.parametrize("name", ["mjpeg", "full"])
def test_full_range_over_rtsp_is_true(rtsp: dict[str, str], name: str) -> None:
    check(first_frame(rtsp[name]))


@pytest.mark.parametrize(
    ("window", "shade"),
    [(None, lambda grey: grey), ([5140, 51400], lambda grey: (grey - 20) * 255 / 180)],
)
def test_the_thermal_range_of_a_camera(
    window: list[int] | None, shade: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    """A grey of n is n x 257 of 65,535."""
    rgb = first_frame(f"file:{FOLDER / 'ffv1-grey16.mkv'}", thermal_range=window)
    check(rgb, shade(GREY).clip(0, 255))


@pytest.mark.parametrize("width", [128, 120])
def test_the_thermal_range_of_images(width: int, tmp_path: Path) -> None:
    """A png of 16 bits; in the second width its rows are no multiple of four bytes long."""
    grey = np.rint(GREY[:, 0] * 257).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "one.png"), np.tile(np.repeat(grey, width // 8), (64, 1))[:, 1:])
    rgb = first_frame(f"images:{tmp_path}", thermal_range=[5140, 51400])
    assert rgb.shape == (64, width - 1, 3)
    check(rgb, ((GREY - 20) * 255 / 180).clip(0, 255))
