"""Rotated clips and photos, and what each exit of a camera shows of a masked image."""

from __future__ import annotations

import json
import struct
import threading
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import gi
import numpy as np
import pytest
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from engines.pictures import read_frame
from mirante.frame import FrameResult
from pipeline.cameras.graph import stages_text
from pipeline.cameras.state import State, Transition
from pipeline.config.camera import Camera, CameraOptions
from pipeline.gst.camera import CameraRunner
from pipeline.gst.clips import encode_pictures
from pipeline.gst.floor import trim_clip
from pipeline.gst.frames import shown_frame
from pipeline.gst.view import tell_exif
from pipeline.worker.trials import run_trial
from plugins.elements import register
from plugins.ledger import Ledger
from plugins.line import Line
from tests.support import recorded_stages
from tests.support.outcome import Run
from tests.support.watched import Watched

Image = NDArray[np.uint8]
QUARTERS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255,) * 3}
register()

# a, b, c, d of the matrix in an MP4, by what it does; the last two are damaged.
MATRICES: dict[str, tuple[float, float, float, float]] = {
    "0": (1, 0, 0, 1),
    "90": (0, 1, -1, 0),
    "180": (-1, 0, 0, -1),
    "270": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside down, mirrored": (1, 0, 0, -1),
    "45": (0.7, 0.7, -0.7, 0.7),
    "nothing": (0, 0, 0, 0),
}


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A clip whose quarters are red, green, blue and white, with the rotations of MATRICES."""
    folder = tmp_path_factory.mktemp("phone")
    image = np.zeros((70, 90, 3), np.uint8)
    for colour, (y, x) in zip(QUARTERS.values(), product((0, 35), (0, 45)), strict=True):
        image[y : y + 35, x : x + 45] = colour
    encode_pictures([image] * 3, 10, folder / "plain.mp4")
    plain = (folder / "plain.mp4").read_bytes()
    at = plain.index(b"tkhd") + 44  # behind version, times, layer and volume
    clips = {}
    for name, (a, b, c, d) in MATRICES.items():
        matrix = (*(int(each * 65536) for each in (a, b)), 0, *(int(e * 65536) for e in (c, d)))
        packed = struct.pack(">9i", *matrix, 0, 0, 0, 1 << 30)
        clips[name] = folder / f"{name}.mp4"
        clips[name].write_bytes(plain[:at] + packed + plain[at + len(packed) :])
    return clips


def photo(path: Path, orientation: int, order: str = ">") -> Path:
    """A JPEG of the same quarters whose Exif data say how to turn it."""
    image = np.zeros((64, 96, 3), np.uint8)
    for colour, (y, x) in zip(QUARTERS.values(), product((0, 32), (0, 48)), strict=True):
        image[y : y + 32, x : x + 48] = colour[::-1]
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    tiff = struct.pack(f"{order}2sHI", b"MM" if order == ">" else b"II", 42, 8)
    tiff += struct.pack(f"{order}HHHIHxxI", 1, 0x112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + tiff
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    return path


def quarters(image: Image) -> list[str]:
    """The colours of an image's quarters, row by row."""
    height, width = image.shape[:2]
    found = []
    for y, x in product((height // 4, height * 3 // 4), (width // 4, width * 3 // 4)):
        near = {name: np.abs(image[y, x].astype(int) - c).max() for name, c in QUARTERS.items()}
        near["black"] = int(image[y, x].max())
        found.append(min(near, key=lambda name: near[name]))
    return found


SHOWN = {
    "0": ["red", "green", "blue", "white"],
    "90": ["blue", "red", "white", "green"],
    "180": ["white", "blue", "green", "red"],
    "270": ["green", "white", "red", "blue"],
    "mirrored": ["green", "red", "white", "blue"],
    "upside down, mirrored": ["blue", "white", "red", "green"],
    "nothing": ["red", "green", "blue", "white"],
    "45": ["red", "green", "blue", "white"],
}


def test_a_clip_cut_short_for_a_benchmark_is_turned_like_it(
    phone: dict[str, Path], tmp_path: Path
) -> None:
    cut = trim_clip(phone["90"], 2, tmp_path)
    assert quarters(shown_frame(cut, 1, CameraOptions())) == SHOWN["90"]
    with pytest.raises(ValueError, match=r"frame: 2; expected 0 to 1, as .* has"):
        shown_frame(cut, 2, CameraOptions())


EXIF = {1: "0", 2: "mirrored", 3: "180", 4: "upside down, mirrored", 6: "90", 8: "270"}
EXIF |= {0: "0", 9: "0"}  # damaged
RECORD = "mirstage python=tests.support.recorded_stages:Record ! numbersink"


def up(url: str, **options: Any) -> tuple[Image, tuple[int, int]]:
    """The last frame that the stages of a camera got, and the size in its result."""
    with Watched("phone", url, RECORD, pace="every_frame", **options) as camera:
        camera.wait(State.STOPPED)
    _, image, result = recorded_stages.seen[-1]
    return image, (result.width, result.height)


@pytest.mark.slow
@pytest.mark.parametrize("name", MATRICES)
def test_a_clip_of_a_phone_is_upright_in_up_and_in_run_once(
    phone: dict[str, Path], name: str
) -> None:
    image, size = up(f"file:{phone[name]}")
    assert quarters(image) == SHOWN[name]
    assert size == image.shape[1::-1] == ((70, 90) if name in {"90", "270"} else (90, 70))
    assert np.array_equal(shown_frame(phone[name], 2, CameraOptions()), image)


@pytest.mark.slow
@pytest.mark.parametrize("orientation", EXIF)
def test_a_photo_is_upright(orientation: int, tmp_path: Path) -> None:
    path = photo(tmp_path / "photo.jpg", orientation, "<>"[orientation % 2])
    image, _ = up(f"file:{path}")
    assert quarters(image) == quarters(read_frame(path)) == SHOWN[EXIF[orientation]]


def test_each_image_of_an_mjpeg_stream_says_how_it_is_turned(tmp_path: Path) -> None:
    launch = "appsrc name=source caps=image/jpeg ! jpegdec name=decode ! appsink name=out"
    pipeline = Gst.parse_launch(launch)
    tell_exif(pipeline.get_by_name("decode"))
    tags: list[str] = []

    def note(_pad: Any, info: Any) -> Any:
        if info.get_event().type == Gst.EventType.TAG:
            tags.append(info.get_event().parse_tag().get_string(Gst.TAG_IMAGE_ORIENTATION)[1])
        return Gst.PadProbeReturn.OK

    out = pipeline.get_by_name("out")
    out.get_static_pad("sink").add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, note)
    pipeline.set_state(Gst.State.PLAYING)
    told = []
    for orientation in (0, 6, 6, 8, 0):
        jpeg = photo(tmp_path / "photo.jpg", orientation).read_bytes()
        pipeline.get_by_name("source").emit("push-buffer", Gst.Buffer.new_wrapped(jpeg))
        assert out.emit("try-pull-sample", 60 * Gst.SECOND)
        told.append([tag for tag in tags if tag is not None])
        tags.clear()
    pipeline.set_state(Gst.State.NULL)
    assert told == [[], ["rotate-90"], [], ["rotate-270"], ["rotate-0"]]


def test_chroma_stays_in_its_place_where_a_crop_is_odd(phone: dict[str, Path]) -> None:
    whole = shown_frame(phone["0"], 0, CameraOptions())
    cut = shown_frame(phone["0"], 0, CameraOptions(crop=[0.13, 0.13, 0.87, 0.87]))
    assert np.abs(cut.astype(int) - whole[10:60, 12:78]).max() <= 2


OPTIONS: dict[str, Any] = {
    "rotate": 180,  # on top of 90: the clip's 270
    "mirror": True,  # white green, blue red
    "crop": [0, 0, 1, 0.8],
    "mask": [[[0.5, 0], [1, 0], [1, 0.5], [0.5, 0.5]]],
}
LEFT_OVER = ["white", "black", "blue", "red"]


@pytest.mark.slow
@pytest.mark.usefixtures("tried_here")
def test_nothing_is_seen_unpainted_in_stages_trial_and_run_once(
    phone: dict[str, Path], mirante: Run, tmp_path: Path
) -> None:
    clip = phone["90"]
    image, size = up(f"file:{clip}", **OPTIONS)
    assert (quarters(image), size) == (LEFT_OVER, (70, 72))
    assert not image[:45, 35:].any()
    small, _ = up(f"file:{clip}", width=35, height=640, **OPTIONS)
    assert small.shape == (36, 35, 3)
    assert not small[:23, 18:].any()

    trial = run_trial("phone", Camera(url=f"file:{clip}", stages=[], **OPTIONS))
    (tmp_path / "trial.jpg").write_bytes(trial.jpeg)
    tried = read_frame(tmp_path / "trial.jpg")
    assert (trial.size, quarters(tried)) == ((70, 72), LEFT_OVER)
    assert tried[:40, 40:].max() < 48  # blocks on the edge ring

    config, target = tmp_path / "mirante.yaml", tmp_path / "once.png"
    camera = {"url": f"file:{clip}", "stages": [], **OPTIONS}
    config.write_text(json.dumps({"cameras": {"phone": camera}}))
    arguments = ("--config", str(config), "--picture", str(target), "--json")
    outcome = mirante("run-once", str(clip), *arguments)
    assert outcome.status == 0, outcome.err
    assert json.loads(outcome.out)["size"] == [70, 72]
    once = read_frame(target)
    assert quarters(once) == LEFT_OVER
    assert not once[:45, 35:].any()


class Sent:
    """Takes what an outbox takes, for somebody who watches."""

    def __init__(self) -> None:
        self.images: list[bytes] = []
        self.sizes: list[tuple[int, int]] = []
        self.published = 0

    def watched(self, _camera: str) -> bool:
        return True

    def preview(self, _camera: str, jpeg: bytes, header: dict[str, Any]) -> None:
        self.images.append(jpeg)
        self.sizes.append(tuple(header["size"]))

    def publish(self, result: FrameResult, *_: object) -> None:
        self.sizes.append((result.width, result.height))
        self.published += 1


def test_the_preview_is_painted(phone: dict[str, Path], tmp_path: Path) -> None:
    url = f"file:{phone['90']}"
    spec = Camera.model_validate({"url": url, "pace": "every_frame", "stages": [], **OPTIONS})
    sent: Any = Sent()
    ended = threading.Event()
    line = Line(Ledger("phone"), outbox=sent)
    runner = CameraRunner(
        "phone", spec, stages_text("phone", spec, 1), line, lambda change: _note(change, ended)
    )
    runner.start()
    assert ended.wait(60)
    runner.stop()
    assert sent.published
    assert set(sent.sizes) == {(70, 72)}
    (tmp_path / "preview.jpg").write_bytes(sent.images[0])
    image = read_frame(tmp_path / "preview.jpg")
    assert quarters(image) == LEFT_OVER
    assert image[:40, 40:].max() < 48


def _note(change: Transition, ended: threading.Event) -> None:
    if change.state == State.STOPPED:
        ended.set()
