"""What the bridge to MQTT makes of what a broker had kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from bridges.mqtt.board import Camera, Frame
from bridges.mqtt.broker import Broker, Sent
from bridges.mqtt.discovery import announced_at, device
from bridges.mqtt.live import Live
from bridges.mqtt.options import Options
from mirante.redis_url import RedisUrl
from mirante.zones import ZoneCount
from tests.support.bridged import status


class Noted(Broker):
    """Takes everything."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []
        self.heard: set[str] = set()

    def publish(self, topic: str, payload: bytes, *_: Any, **__: Any) -> Sent:
        self.said.append((topic, payload))
        return Sent(None)  # type: ignore[arg-type] # nobody asks what became of it

    def subscribe(self, *topics: str) -> None:
        self.heard |= set(topics)

    def unsubscribe(self, *topics: str) -> None:
        self.heard -= set(topics)


@contextmanager
def live(**options: Any) -> Iterator[tuple[Live, Noted]]:
    broker = Noted()
    own = Options(**{"url": "mqtt://h", "discovery": "", **options})
    made = Live(broker, own, RedisUrl("redis://127.0.0.1:1"), ("*",), own.classes)
    yield made, broker
    made.close()


def camera(name: str = "gate") -> Camera:
    return Camera(name, None, status(name), msgspec.convert({"objects": []}, Frame))


def kept(made: Live, **said: bytes) -> None:
    """Hear what a broker had kept, ``_`` for ``/``."""
    for topic, payload in said.items():
        made.heard(f"mirante/{topic.replace('_', '/')}", payload, True)
    made._listen()
    made._bury()


def test_what_others_keep_below_the_prefix_stays() -> None:
    with live() as (made, broker):
        made._begin()
        subscribed = set(broker.heard)
        kept(made, lamp_state=b"ON", lamp_counts_on=b"ON", tv_state=b'{"state":"on"}')
        kept(made, lamp_brightness=b"7")
        assert (broker.said, broker.heard) == ([], subscribed)
        kept(made, roof_state=b'{"camera":"roof","state":"running"}', hall_counts_person=b"2")
        assert broker.heard - subscribed == {"mirante/roof/#", "mirante/hall/#"}
        kept(made, roof_zones_door_inside=b"1", roof_note=b"of somebody else")
        assert broker.said == [("mirante/roof/zones/door/inside", b"")]
        made._look.cameras["roof"] = camera("roof")
        made._bury()
        assert "mirante/roof/#" not in broker.heard, "it would hear itself for ever"


def test_what_went_unseen_of_a_camera_is_cleared() -> None:
    with live(classes=("person",)) as (made, broker):
        made._look.cameras["gate"] = camera()
        made._begin()
        topics = {"gate_counts_car": b"3", "gate_counts_person": b"3",
                  "gate_zones_old_inside": b"2", "gate_zones_old_state": b"ON"}  # fmt: skip
        kept(made, **topics)
        made._show(made._look.cameras["gate"])
        cleared = {topic for topic, payload in broker.said if not payload}
        gone = ("counts/car", "zones/old/inside", "zones/old/state")
        assert cleared == {f"mirante/gate/{each}" for each in gone}
        assert ("mirante/gate/counts/person", b"0") in broker.said


def test_what_commands_said_of_a_model_that_is_no_more_is_cleared() -> None:
    with live() as (made, broker):
        made._look.cameras["gate"] = camera()
        made._begin()
        assert {"mirante/+/threshold/+/state", "mirante/+/pause/state"} <= broker.heard
        kept(made, gate_threshold_old_state=b"0.4", gate_pause_state=b"OFF")
        made._show(made._look.cameras["gate"])  # commands are no longer allowed either
        cleared = {topic for topic, payload in broker.said if not payload}
        assert cleared == {"mirante/gate/threshold/old/state", "mirante/gate/pause/state"}


def test_a_camera_that_goes_takes_all_with_it() -> None:
    with live() as (made, broker):
        made._remove("gate")
        made._bury()
        assert "mirante/gate/#" in broker.heard
        assert not [topic for topic, _ in broker.said if topic.endswith("config")]


def test_frames_are_no_more_than_asked_for() -> None:
    with live(detections_fps=0.001) as (made, broker):
        one = camera()
        for number in range(3):
            one.entry = one.text = b"%d" % number
            made._show(one)
        said = [payload for topic, payload in broker.said if topic == "mirante/gate/detections"]
        assert said == [b"0"]


def test_entities_of_a_zone_that_went_unseen_go() -> None:
    with live(discovery="homeassistant") as (made, broker):
        one = made._look.cameras["gate"] = camera()
        assert one.frame is not None
        one.frame.zones["old"] = ZoneCount(inside=1, entered=4, left=3)
        topic = announced_at("homeassistant", "gate")
        before = msgspec.json.encode(device(one, made._topics))
        one.frame.zones.clear()
        made._begin()
        made._show(one)
        made.heard(topic, before, True)
        made._listen()
        made._recall_s = 1e-9  # over
        made._listen()
        made._show(one)
        made._show(one)
        said = [msgspec.json.decode(payload) for place, payload in broker.said if place == topic]
        first, removing, last = (each["components"] for each in said)
        assert removing["zone_old"] == {"platform": "binary_sensor"}
        assert first == last
        assert "zone_old" not in last
        assert topic not in broker.heard
