"""Events of an object that walks through a camera's image, over a restart of the worker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from mirante.counts import Series, keys_between, read
from mirante.keys import key
from pipeline.config.settings import Settings
from pipeline.control.registry import Registry, connect
from pipeline.gst.camera import CameraRunner
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.worker import Worker
from tests.support.images import decode_image
from tests.support.recorded_stages import walked
from tests.support.redis_entries import entries
from tests.support.running_worker import running

DOOR = {"from": [0.15, 1], "to": [0.15, 0]}


def until(holds: Callable[[], object]) -> None:
    until_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until_s, "it did not come to that within 60 s"
        time.sleep(0.05)


def camera() -> dict[str, Any]:
    """A camera of which all but the upper edge of the image is blacked out."""
    dropping = {"python": "tests.support.recorded_stages:Record", "options": {"drop": [7, 8, 20]}}
    walking = {
        "python": "tests.support.recorded_stages:Walking",
        "options": {"name": "gate", "walk_s": 15.0, "goes_on": 15},
    }
    zones = {"zones": {}, "lines": {"door": {**DOOR, "after_s": 0}}}
    return {
        "url": "test://?size=320x180&fps=10",
        "mask": [[[0, 0.1], [1, 0.1], [1, 1], [0, 1]]],
        "stages": [walking, {"track": "bytetrack", "lost_s": 1.0}, zones, dropping],
        "events": {"update_s": 1, "nothing_seen": {"person": 2}},
    }


@pytest.mark.redis
def test_the_life_of_an_object_across_a_restart(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.worker.memories.RECALL_S", 60.0)
    with connect(redis_server.url) as client:

        def happened() -> dict[bytes, dict[str, Any]]:
            found = entries(client, key("gate", "events"))
            return {entry: json.loads(fields[b"json"]) for entry, fields in found}

        def has(kind: str) -> bool:
            return kind in [event["kind"] for event in happened().values()]

        with running(Worker(Settings(), redis_server.url, CameraRunner)) as worker:
            until(lambda: worker.state().outbox.connected)
            begin_s = time.time()
            walked.pop("gate", None)
            Registry(client).add("gate", camera())
            until(lambda: has("line-crossed"))
        with running(Worker(Settings(), redis_server.url, CameraRunner)) as worker:
            until(lambda: has("nothing-seen"))
            state = worker.state().cameras["gate"]
        events, images = happened(), dict(entries(client, key("gate", "images")))
        hours = keys_between("gate", int(begin_s), int(begin_s) + 60, "hour")
        counted = read([(at, client.hgetall(name)) for name, at in hours.items()], "hour")
    once = [each for each in events.values() if each["kind"] != "object-update"]
    assert [each["kind"] for each in once] == [
        *("object-new", "line-crossed", "object-end", "nothing-seen")
    ]
    assert len({each["id"] for each in events.values()}) == len(events) > len(once)
    new, crossed, end, silence = once
    assert {each["track_id"] for each in events.values() if each is not silence} == {1}
    first_s, *_, last_s = walked["gate"]
    # Between two workers it is measured by the clock of the machine, not of the frames.
    told_s = last_s - new["ts"]
    assert told_s < end["dwell_s"] < last_s - first_s + 1.0, "from its first frame, before told"
    assert end["epoch"] > new["epoch"]
    assert len(end["path"]) > 3
    for entry, event in events.items():
        assert event["image"], event["kind"]
        shown = decode_image(images[entry][b"jpeg"])
        assert shown[shown.shape[0] // 4 :].max() < 20, "it is blacked out"
    assert {series: sum(values.values()) for series, values in counted.items()} == {
        Series("new", "", "person"): 1,
        Series(crossed["direction"], "door", "person"): 1,
    }
    assert state.events["object-end"] == state.events["nothing-seen"] == 1
