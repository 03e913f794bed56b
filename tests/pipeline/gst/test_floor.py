"""What the line is measured against: decoding alone, of a clip and of a camera."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.gst.clips import read_clip
from pipeline.gst.floor import prepare_decoding, receiving
from tests.support import ROOT
from tests.support.redis_sites import eventually
from tests.support.rtsp_manners import Manners, MannersServer

CLIP = ROOT / "tests/support/numbers/numbers_b0.h264.mp4"


def test_a_clip_is_decoded_to_its_end() -> None:
    prepare_decoding(CLIP, cameras=2, width=160)()


def test_a_file_that_is_no_clip_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"nothing of the kind, but a text.\n" * 100)
    with pytest.raises(RuntimeError, match="text file"):
        prepare_decoding(file, cameras=1)


@pytest.mark.rtsp
def test_frames_of_a_camera_are_counted() -> None:
    with MannersServer(Manners(read_clip(CLIP))) as server, receiving([server.url()]) as decoded:
        first = decoded()
        eventually(lambda: decoded() > first)
