"""Image files as a camera: mixed formats and sizes, damaged ones, and a folder that is watched."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from mirante.faults import FaultCode
from pipeline.cameras.state import State
from pipeline.cameras.synthetic import picture
from pipeline.gst.image_feed import decoded
from tests.support.images import sized
from tests.support.watched import Watched

pytestmark = pytest.mark.slow


def encoded(number: int, suffix: str, size: tuple[int, int] = (160, 90)) -> bytes:
    return bytes(cv2.imencode(suffix, picture(number, *size)[..., ::-1])[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Numbers 0 to 5; 3 and 4 are larger, 4 is cut off."""
    for n in range(6):
        suffix = ".jpg" if n % 2 else ".png"
        content = encoded(n, suffix, (160, 90) if n < 3 else (321, 181))
        (tmp_path / f"{n:05d}{suffix}").write_bytes(content[:2000] if n == 4 else content)
    return tmp_path


def test_every_image_once_but_for_one_that_is_damaged(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Watched("folder", f"images:{folder}", pace="every_frame") as camera:
        _, change = camera.wait_for(lambda change: change.state == State.STOPPED)
    assert change.code == FaultCode.END_OF_FILE
    assert camera.seen.numbers == [0, 1, 2, 3, 5]
    assert [size for *_, size in camera.seen.frames] == [(160, 90)] * 3 + [(321, 181)] * 2
    counts, pending = camera.ledger.counts()
    assert (counts.decoded, counts.published, pending) == (6, 5, 0)
    assert counts.dropped["damaged"] == 1
    assert "00004.png: cut off: the end of the image is missing" in caplog.text


def test_a_pattern_in_a_loop_at_a_rate(folder: Path) -> None:
    with Watched("loop", f"images:{folder}/%05d.jpg", fps=20, loop=True) as camera:
        camera.seen.wait(7)
    at_s = camera.seen.times_s
    counts, _ = camera.ledger.counts()
    numbers = [number for number in camera.seen.numbers if number is not None]
    assert numbers == camera.seen.numbers
    assert set(numbers) == {1, 3, 5}
    left_out = [(later - before) // 2 % 3 - 1 for before, later in pairwise(numbers)]
    assert sum(each % 3 for each in left_out) <= counts.dropped["queue"]
    assert at_s[6] - at_s[0] > 6 / 20 - 0.1
    assert counts.dropped["rate"] == 0


def test_a_folder_that_is_watched(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("watched")
    with Watched("watched", f"images:{empty}", watch=True, watchdog_s=0.5) as camera:
        _, reason = camera.wait(State.RUNNING)
        part = empty / "7.jpg.part"
        part.write_bytes(encoded(7, ".jpg"))
        part.rename(empty / "7.jpg")
        camera.seen.wait(1)
        content = encoded(8, ".png")
        with (empty / "8.png").open("wb") as file:
            for at in range(0, len(content), len(content) // 4 + 1):
                assert camera.seen.numbers == [7]
                file.write(content[at : at + len(content) // 4 + 1])
                file.flush()
                time.sleep(0.6)  # it looks twice meanwhile
        camera.seen.wait(2)
    assert reason == f"waiting for images in {empty}"
    assert camera.seen.numbers == [7, 8]
    assert camera.states == [State.CONNECTING, State.RUNNING, State.RUNNING, State.STOPPED]


WORDS = {
    "no": (FaultCode.NO_FILE, "no such file: {folder}/no"),
    "*.bmp": (FaultCode.NO_FILE, "no images in {folder}/*.bmp"),
    "%05d.txt": (
        FaultCode.UNREADABLE,
        "not a readable video: none of its images, 1: {folder}/00001.txt: not a JPEG or PNG image",
    ),
}


@pytest.mark.parametrize("name", WORDS)
def test_a_place_without_images_says_so(name: str, folder: Path) -> None:
    (folder / "00001.txt").write_text("not an image")
    with Watched("nothing", f"images:{folder}/{name}") as camera:
        _, change = camera.wait_for(lambda change: change.state == State.FAILED)
    code, words = WORDS[name]
    assert (change.code, change.reason) == (code, words.format(folder=folder))


def test_a_watched_folder_that_is_gone_says_so(folder: Path, tmp_path: Path) -> None:
    with Watched("gone", f"images:{folder}", watch=True) as camera:
        camera.seen.wait(5)
        folder.rename(tmp_path.parent / "moved")
        _, change = camera.wait_for(lambda change: change.state == State.FAILED)
    assert (change.code, change.reason) == (FaultCode.NO_FILE, f"no such file: {folder}")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_images_are_decoded_as_they_are(suffix: str) -> None:
    truth = np.zeros((40, 60, 3), np.uint8)
    truth[:] = (20, 120, 240)
    read = decoded(bytes(cv2.imencode(suffix, truth)[1]))
    assert np.abs(read.astype(int) - truth).max() <= 3


def test_images_that_are_damaged_are_refused() -> None:
    content = bytearray(encoded(1, ".png"))
    content[200] ^= 0xFF
    with pytest.raises(ValueError, match="damaged: it cannot be decoded"):
        decoded(bytes(content))
    with pytest.raises(ValueError, match="up to 134217728 pixels, got 60000x60000"):
        decoded(sized(encoded(1, ".png"), 60_000, 60_000))
    with pytest.raises(ValueError, match="cannot be read: Permission denied"):
        decoded(PermissionError(13, "Permission denied"))
