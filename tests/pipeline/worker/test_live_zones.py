"""Zones that change while their camera runs: no frame is lost, nothing restarts."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from mirante.keys import key
from pipeline.config.camera import Camera
from pipeline.config.settings import Settings
from pipeline.control.registry import Registry, connect
from pipeline.gst.camera import CameraRunner
from pipeline.worker.live import changed_live
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.worker import Worker
from tests.support.redis_entries import entries
from tests.support.running_worker import running

# Right half of the image: what stands at 80 of 160 pixels is at 0.75 of the whole image.
CROP = [0.5, 0, 1, 1]
STANDING = {"python": "tests.support.recorded_stages:Standing", "options": {"at": [80, 120]}}
AREA = {"polygon": [[0.6, 0.1], [0.9, 0.1], [0.9, 0.9], [0.6, 0.9]], "after_s": 0}
BESIDE = {"polygon": [[0.1, 0.1], [0.6, 0.1], [0.6, 0.9], [0.1, 0.9]], "after_s": 0}


def until(holds: Callable[[], object]) -> None:
    until_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until_s, "it did not come to that within 60 s"
        time.sleep(0.05)


def dropped(message: dict[str, Any]) -> Counter[str]:
    return Counter(message["counts"]["dropped"])


@pytest.mark.redis
def test_zones_change_between_two_frames(redis_server: RedisServer) -> None:
    keys = {"url": "test://?size=320x180&fps=3", "crop": CROP}
    before: list[Any] = [STANDING, {"zones": {"door": AREA, "beside": BESIDE}}]
    after: list[Any] = [STANDING, {"zones": {"door": AREA, "yard": AREA}}]
    worker = Worker(Settings(), redis_server.url, CameraRunner)
    with connect(redis_server.url) as client:
        registry = Registry(client)

        def messages() -> list[dict[str, Any]]:
            found = entries(client, key("gate", "detections"))
            return [json.loads(fields[b"json"]) for _, fields in found]

        with running(worker):
            until(lambda: worker.state().outbox.connected)
            registry.add("gate", {**keys, "stages": before})
            until(lambda: len(messages()) > 5)
            registry.edit("gate", {"stages": after})
            until(lambda: "yard" in messages()[-1]["zones"])
            count = len(messages())
            until(lambda: len(messages()) > count + 3)
        said = messages()
    assert len({message["epoch"] for message in said}) == 1
    for one, other in pairwise(said):  # a busy machine may drop some before the stages, no others
        between = dropped(other)["queue"] - dropped(one)["queue"]
        assert other["seq"] == one["seq"] + 1 + between
        assert dropped(other) == dropped(one) + Counter(queue=between)
        assert other["counts"]["failed"] == 0
    names = [tuple(message["zones"]) for message in said]
    change = names.index(("door", "yard"))
    assert set(names[:change]) == {("door", "beside")}
    assert set(names[change:]) == {("door", "yard")}
    for message in said:
        assert message["zones"]["door"] == message["zones"]["door"] | {"inside": 1, "entered": 1}
    assert said[change]["zones"]["yard"]["entered"] == 1
    assert {message["zones"]["beside"]["inside"] for message in said[:change]} == {0}


def test_what_else_changes_needs_another_graph() -> None:
    class Running:
        def __init__(self, **keys: Any) -> None:
            self.spec, self.live = camera(**keys), dict[str, str]()

    def camera(**keys: Any) -> Camera:
        zones = keys.pop("zones", {})
        stages = [STANDING, {"zones": zones, "lines": keys.pop("lines", {})}]
        return Camera.model_validate({"url": "test://", "stages": stages, **keys})

    running: Any = {"gate": Running()}
    for wanted in (camera(), camera(fps=3), camera(fps=3, zones={"door": AREA})):
        assert changed_live(running, {"gate": wanted}) == {}
    assert changed_live(running, {}) == {}
    assert running["gate"].live == {}
