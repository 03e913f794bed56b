"""A worker opens one session for cameras of one stream, whatever is done to one of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from pipeline.config.settings import Settings
from pipeline.control.registry import Registry, connect
from pipeline.gst.camera import CameraRunner
from pipeline.gst.clips import read_clip
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.worker import Worker
from tests.support import ROOT
from tests.support.rtsp_manners import Manners, MannersServer
from tests.support.running_worker import running

CLIP = ROOT / "tests/support/numbers/numbers_b0.h264.mp4"


def until(holds: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until_s, "it did not come to that within 60 s"
        time.sleep(0.05)


@pytest.mark.redis
@pytest.mark.rtsp
def test_pausing_one_leaves_the_other_with_a_session(redis_server: RedisServer) -> None:
    with MannersServer(Manners(read_clip(CLIP))) as camera, connect(redis_server.url) as client:
        keys = {"url": camera.url(), "stages": []}
        settings = Settings.model_validate({"cameras": {"gate": keys, "yard": keys}})
        worker = Worker(settings, redis_server.url, CameraRunner)

        def published(name: str) -> int:
            camera = worker.state().cameras.get(name)  # none while it is built again
            return camera.counts.published if camera is not None and camera.counts else 0

        with running(worker):
            until(lambda: {"gate", "yard"} <= worker.state().cameras.keys())
            until(lambda: published("gate") > 3 and published("yard") > 3)
            assert len(camera.plays) == 1
            registry = Registry(client, settings=settings)
            registry.pause("gate")
            until(lambda: worker.state().cameras["gate"].state == "stopped")
            before = published("yard")
            until(lambda: published("yard") > before + 3)
            registry.resume("gate")
            until(lambda: published("gate") > 3)
            assert len(camera.plays) <= 2, "one anew if gate had opened the first"
            ledgers = [running.ledger for running in worker.cameras.values()]
    for ledger in ledgers:
        counts, pending = ledger.counts()
        assert counts.balanced
        assert pending == 0
