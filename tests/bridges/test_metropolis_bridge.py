"""The bridge to ``mdx-raw`` on a real Redis, and cameras that VST adds and removes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridges.metropolis.bridge import MetropolisBridge
from bridges.metropolis.options import Metropolis, sensors_in
from bridges.metropolis.schema import frame_class
from bridges.parcel import AwayError
from bridges.reading import Reading
from mirante.keys import key
from mirante.wire import encode
from pipeline.control.registry import Registry
from tests.support.bridged import carried
from tests.support.parcels import MS, frame_parcel, states
from tests.support.redis_child import RedisChild
from tests.support.tcp_proxy import BOTH, TcpProxy
from tests.support.wire_frames import some_frame

VST = "vst_events"


def made(server: RedisChild, **options: Any) -> MetropolisBridge:
    return MetropolisBridge(Metropolis(**options), Reading(redis=server.url))


def publish(server: RedisChild, seq: int, camera: str = "gate") -> None:
    """Write a frame and its masks as a worker does."""
    coded = encode(some_frame(seq=seq, camera=camera))
    assert coded.masks is not None
    for kind, fields in (("masks", coded.masks), ("detections", coded.detections)):
        entry: dict[Any, Any] = {**fields, "sent": b"1.0"}
        server.client().xadd(key(camera, kind), entry, f"{MS + seq}-{seq}")  # type: ignore[arg-type]


def written(server: RedisChild, stream: str = "mdx-raw") -> list[dict[bytes, bytes]]:
    entries: Any = server.client().xrange(stream)
    return [fields for _, fields in entries]


def test_from_redis_to_mdx_raw_over_two_runs(server: RedisChild, until: Callable[..., Any]) -> None:
    for first in (0, 3):
        for seq in range(first, first + 3):
            publish(server, seq)
        bridge = made(server, layout="key-value", sensors=sensors_in(["gate=Sensor_1"]))
        with carried(bridge, server) as carrier:
            until(lambda carrier=carrier: carrier.account.delivered == 3)
    entries = written(server)
    assert {(entry[b"key"], entry[b"headers"]) for entry in entries} == {(b"Sensor_1", b"{}")}
    frames = [frame_class().FromString(entry[b"value"]) for entry in entries]
    assert [int(frame.id) for frame in frames] == list(range(6))
    assert all(frame.segmentation.mask for frame in frames)


def test_minimal_json_in_the_field_metadata(server: RedisChild) -> None:
    bridge = made(server, schema="minimal", stream="other", most=2)
    assert bridge.kinds == ("detections",)
    parcels = [frame_parcel(seq) for seq in range(300)]
    bridge.deliver(parcels)
    bridge.close()
    assert states(parcels) == {"done"}
    entries = written(server, "other")
    assert 2 <= len(entries) < 300, "about as many as it keeps"
    assert list(entries[-1]) == [b"metadata"]
    assert json.loads(entries[-1][b"metadata"])["id"] == "299"


def test_an_answer_that_is_lost_doubles_nothing(server: RedisChild) -> None:
    """Written, and cut off before the answer; then away for a while; then all of it again."""
    with TcpProxy(Path(server.socket)) as proxy:
        bridge = made(server, to=proxy.url)
        bridge._client = bridge._url.client(60)
        parcels = [frame_parcel(seq) for seq in range(3)]
        bridge.deliver(parcels[:1])
        bridge._client.close()
        bridge._client = bridge._url.client(0.3)
        proxy.hold("replies")
        with pytest.raises(AwayError):
            bridge.deliver(parcels[1:])
        proxy.hold(*BOTH)
        with pytest.raises(AwayError):
            bridge.deliver(parcels[1:])
        assert states(parcels[1:]) == {"waits"}
        proxy.hold()
        bridge._client.close()
        bridge._client = bridge._url.client(60)
        bridge.deliver(parcels[1:])
        again = [frame_parcel(seq) for seq in range(4)]
        bridge.deliver(again)  # as after a bridge that was killed
        bridge.close()
    frames = [frame_class().FromString(entry[b"metadata"]) for entry in written(server)]
    assert [int(frame.id) for frame in frames] == [0, 1, 2, 3]


def test_a_stream_that_is_something_else(server: RedisChild) -> None:
    server.client().set("mdx-raw", "text")
    bridge = made(server)
    parcels = [frame_parcel()]
    with pytest.raises(AwayError, match=r"WRONGTYPE"):
        bridge.deliver(parcels)
    bridge.close()
    assert states(parcels) == {"waits"}


def said(change: str, camera: str = "cam-1", **more: str) -> str:
    event = {"camera_id": camera, "camera_name": "door", "change": change, **more}
    return json.dumps({"alert_type": "camera_status_change", "event": event, "source": "vst"})


def test_cameras_come_and_go_by_vst(
    server: RedisChild,
    home: Path,
    until: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    client, registry = server.client(), Registry(server.client())
    client.xadd(VST, {"value": said("camera_add", camera_url="rtsp://10.0.0.7/a")})
    with carried(made(server, cameras_from=VST), server):
        until(lambda: "cam-1" in registry.cameras())
        with caplog.at_level(logging.ERROR, "mirante.bridge"):
            client.xadd(VST, {"metadata": "no JSON"})
            client.xadd(VST, {"metadata": said("camera_add", "cam-2")})
            client.xadd(VST, {"metadata": said("camera_offline")})
            secret = said("camera_add", "cam-3", camera_url="rtsp://u:${HOME}@10.0.0.9/a")
            client.xadd(VST, {"value": secret})
            moved = said("camera_streaming", camera_url="rtsp://10.0.0.8/a")
            client.xadd(VST, {"sensor.id": moved})
            until(lambda: registry.cameras()["cam-1"].spec["url"] == "rtsp://10.0.0.8/a")
        errors = [each for each in caplog.records if each.levelno >= logging.ERROR]
        assert [each.name for each in errors] == ["mirante.bridge"] * 3, caplog.text
        assert "event.camera_url: missing" in caplog.text
        assert "expected an address without ${…}" in caplog.text
        assert list(registry.cameras()) == ["cam-1"]
    client.xadd(VST, {"value": said("camera_remove")})
    client.xadd(VST, {"value": said("camera_remove", "never-was")})
    with carried(made(server, cameras_from=VST), server):
        until(lambda: not registry.cameras())
        until(lambda: _pending(server) == 0)


def _pending(server: RedisChild) -> int:
    """Entries of VST that are not acknowledged, or not read."""
    groups: Any = server.client().xinfo_groups(VST)
    return sum(group["pending"] + (group["lag"] or 0) for group in groups)


@pytest.mark.parametrize("text", ["gate", "gate=", "a b=Sensor_1", "=x"])
def test_sensors_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=rf"--sensor: expected CAMERA=ID, got '{text}'"):
        sensors_in([text])
