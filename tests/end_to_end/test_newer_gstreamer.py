"""A camera, from its file to its results in Redis, on a newer GStreamer than the system's."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from mirante.keys import key
from tests.support import ROOT
from tests.support.newer_gstreamer import NewerGStreamer
from tests.support.redis_entries import entries

CLIP = ROOT / "tests/support/patch_clips/mjpeg-420.avi"


@pytest.mark.slow
@pytest.mark.redis
def test_a_camera_publishes_its_frames_on_debian_13s(redis_url: str, run_folder: Path) -> None:
    newer = NewerGStreamer(run_folder)
    said = newer.python("tests.support.newer_camera", redis_url, str(CLIP))
    assert said.startswith("GStreamer 1.26")
    with redis.Redis.from_url(redis_url) as client:
        assert entries(client, key("newer", "detections"))
