"""Frames that a decoder makes up: marked, dropped or kept, and counted."""

from __future__ import annotations

from pathlib import Path

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from pipeline.cameras.state import State
from pipeline.config.camera import Camera
from pipeline.gst.clips import read_clip
from pipeline.gst.intake import JpegEnds
from pipeline.worker.trials import run_trial
from tests.support.watched import Watched

pytestmark = pytest.mark.slow

JOINED, KEY, LAST = 10, 25, 80  # the stream begins here; its next key frame; its end


@pytest.fixture(scope="module")
def joined(clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream that is joined between two key frames, with the parameters that it needs."""
    pictures = read_clip(clips[0]).pictures
    assert [n for n, sent in enumerate(pictures) if sent.key][:2] == [0, KEY]
    start = b"\0\0\0\1"
    units = pictures[0].data.split(start)[1:]
    parameters = b"".join(start + unit for unit in units if unit[0] & 31 in {7, 8})
    path = tmp_path_factory.mktemp("joined") / "joined.h264"
    path.write_bytes(parameters + b"".join(sent.data for sent in pictures[JOINED:]))
    path.with_name("grey.h264").write_bytes(
        parameters + b"".join(sent.data for sent in pictures[JOINED:KEY])
    )
    return path


def test_frames_before_the_first_key_frame_are_marked_and_counted(joined: Path) -> None:
    with Watched("mark", f"file:{joined}", pace="every_frame") as camera:
        camera.wait(State.STOPPED)
    results = [result for _, result, _ in camera.seen.frames]
    damaged = [result.damaged for result in results]
    assert damaged == [True] * (KEY - JOINED) + [False] * (LAST - KEY)
    assert camera.seen.numbers[KEY - JOINED :] == list(range(KEY, LAST))
    assert results[-1].counts.damaged == KEY - JOINED
    assert results[-1].counts.balanced


def test_they_can_be_dropped(joined: Path) -> None:
    with Watched("drop", f"file:{joined}", pace="every_frame", damaged="drop") as camera:
        camera.wait(State.STOPPED)
    assert camera.seen.numbers == list(range(KEY, LAST))
    counts, in_flight = camera.ledger.counts()
    assert (counts.decoded, counts.published, in_flight) == (LAST - JOINED, LAST - KEY, 0)
    assert counts.dropped["damaged"] == counts.damaged == KEY - JOINED
    assert counts.balanced


def test_they_can_be_kept_as_if_they_were_whole(joined: Path) -> None:
    with Watched("keep", f"file:{joined}", pace="every_frame", damaged="keep") as camera:
        camera.wait(State.STOPPED)
    assert len(camera.seen.frames) == LAST - JOINED
    assert not any(result.damaged for _, result, _ in camera.seen.frames)


@pytest.mark.usefixtures("tried_here")
def test_a_trial_says_that_its_image_is_damaged_only_where_no_whole_one_comes(joined: Path) -> None:
    options = {"stages": [], "pace": "every_frame"}
    for file, ends in (("joined.h264", " s"), ("grey.h264", "damaged: no key frame has come yet")):
        url = f"file:{joined.with_name(file)}"
        trial = run_trial("gate", Camera.model_validate({"url": url} | options))
        assert trial.connected, trial.words
        assert trial.words.endswith(ends)


JPEG = b"\xff\xd8\xff\xe1thumbnail\xff\xd9\xff\xda" + bytes(9000)


@pytest.mark.parametrize(
    ("data", "cut"),
    [
        (JPEG + b"\xff\xd9", False),
        (JPEG + b"\xff\xd9" + b"\0" * 5000, False),  # what a camera writes behind it
        (JPEG, True),
        (b"\xff\xd8\xff\xda" + bytes(100), True),
        (b"no picture", False),  # the decoder says so
    ],
)
def test_a_jpeg_without_an_end_is_cut(data: bytes, cut: bool) -> None:
    ends = JpegEnds()
    assert not ends.is_cut(Gst.Buffer.new_wrapped(JPEG + b"\xff\xd9"))
    assert ends.is_cut(Gst.Buffer.new_wrapped(data)) is cut


def test_images_of_a_camera_that_never_writes_an_end_are_whole() -> None:
    ends = JpegEnds()
    assert not any(ends.is_cut(Gst.Buffer.new_wrapped(JPEG)) for _ in range(3))
