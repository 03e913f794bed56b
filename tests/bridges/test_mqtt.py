"""The bridge to MQTT, over a real mosquitto and a real Redis."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridges.carrying import Carrier
from bridges.mqtt.bridge import MqttBridge
from bridges.mqtt.broker import Broker
from bridges.mqtt.look import Look
from bridges.mqtt.options import Options
from bridges.mqtt.snapshots import Snapshots
from bridges.reading import Reading
from mirante import Counts, FrameResult
from mirante.keys import key
from mirante.redis_url import RedisUrl
from mirante.wire.framed import framed
from mirante.zones import LineCount, ZoneCount, ZoneCounts
from pipeline.control.registry import Registry, connect
from plugins.outbox.outbox import Outbox
from tests.support import ROOT
from tests.support.bridged import carried, event, report, status, write
from tests.support.certificate import Authority
from tests.support.mosquitto import Heard, Mosquitto, heard
from tests.support.redis_child import RedisChild
from tests.support.simulated_camera import frame
from tests.support.small_broker import SmallBroker

Until = Callable[..., Any]
FAST = {"every_s": 0.1, "snapshot_s": 0.0}


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    with tempfile.TemporaryDirectory(prefix="mq") as folder:
        made = Mosquitto(Path(folder)).start()
        yield made
        made.stop()


@contextmanager
def bridged(
    broker: Mosquitto, server: RedisChild, role: str = "", **options: Any
) -> Iterator[Carrier]:
    """Run the bridge as fast as it can, as a user of Redis where one is named."""
    address = server.url.replace("://", f"://{role}:PASSWORD@") if role else server.url
    own = Options(**{"url": broker.url, **FAST, **options})
    bridge = MqttBridge(own, Reading(redis=address), reconnect_s=(0.05, 0.2), ack_s=1.0)
    with carried(bridge, server, redis=address) as carrier:
        yield carrier


def ids(client: Heard, camera: str = "gate") -> list[str]:
    return [msgspec.json.decode(each)["id"] for each in client.of(f"mirante/{camera}/events")]


def zoned(number: int, inside: int = 2) -> FrameResult:
    zones = {"door/1": ZoneCount(inside=inside, entered=5, left=3, dwell_s=7.4)}
    lines = {"gate": LineCount(in_=4, out=1)}
    counts = Counts(number + 1, number + 1, {}, 0)
    return frame(number, zones=ZoneCounts(zones, lines), counts=counts)


def test_events_and_states(
    broker: Mosquitto, server: RedisChild, outbox: Outbox, until: Until
) -> None:
    write(server, status(), 1)
    write(server, event(0), 0)
    outbox.publish(zoned(0))
    with heard(broker) as client:
        with bridged(broker, server, detections_fps=10.0, onvif=True):
            until(lambda: ids(client) == ["gate-0"])
            until(lambda: client.kept.get("mirante/gate/lines/gate/out"))
            kept = client.kept
            assert kept["mirante/available"] == b"online"
            assert msgspec.json.decode(kept["mirante/gate/state"])["state"] == "running"
            assert kept["mirante/gate/counts/person"] == b"2"
            assert kept["mirante/gate/counts/car"] == b"1"
            zone = "mirante/gate/zones/door%2F1"
            assert (kept[f"{zone}/inside"], kept[f"{zone}/entered"]) == (b"2", b"5")
            assert (kept[f"{zone}/dwell_s"], kept[f"{zone}/crowded"]) == (b"7", b"OFF")
            until(lambda: client.kept.get("mirante/gate/detections"))
            objects = msgspec.json.decode(kept["mirante/gate/detections"])["objects"]
            assert len(objects) == 3
            assert client.expiry["mirante/gate/events"] > 86_000
            until(lambda: client.of("mirante/gate/onvif-mx/VideoAnalytics/gate/mirante"))
            inside = "RuleEngine/FieldDetector/ObjectsInside/&gate/mirante/door"
            (ej,) = until(lambda: client.of(f"mirante/gate/onvif-ej/{inside}"))
            assert msgspec.json.decode(ej)["Data"]["IsInside"] == "true"
            assert len(until(lambda: client.of(f"mirante/gate/onvif-mx/Event/{inside}"))) == 1
            outbox.publish(zoned(1, inside=0))
            until(lambda: kept[f"{zone}/inside"] == b"0")
            said = msgspec.json.decode(client.of("mirante/gate/events")[0])
            assert said == msgspec.json.decode(msgspec.json.encode(event(0)))
        until(lambda: kept["mirante/available"] == b"offline")
    with heard(broker) as later:  # the broker keeps states, and neither events nor frames
        until(lambda: "mirante/gate/lines/gate/out" in later.kept)
        assert not {"mirante/gate/events", "mirante/gate/detections"} & later.kept.keys()


def test_a_broker_that_is_away_restarted_and_slow(
    broker: Mosquitto, server: RedisChild, outbox: Outbox, until: Until
) -> None:
    """Nothing is lost or out of order, and what waits is in Redis."""
    outbox.publish(zoned(0))
    with heard(broker) as client, bridged(broker, server):
        write(server, event(0), 0)
        until(lambda: ids(client) == ["gate-0"])
        broker.stop()
        for number in range(1, 150):
            write(server, event(number), number)
        # That no acknowledgement came may be said before.
        told = until(lambda: (r := report(server, "mqtt")) and "refused" in r.words and r.lag and r)
        assert (told.state, told.target) == ("away", broker.url)
        broker.start()
        until(lambda: len(ids(client)) >= 150)
        until(lambda: client.kept.get("mirante/gate/counts/person"), 30)
        assert broker.process is not None
        os.kill(broker.process.pid, signal.SIGSTOP)
        for number in range(150, 200):
            write(server, event(number), number)
        words = "no acknowledgement within 1 s"
        until(lambda: (r := report(server, "mqtt")) and r.state == "away" and r.words == words)
        os.kill(broker.process.pid, signal.SIGCONT)
        until(lambda: ids(client)[-1] == "gate-199")
        until(lambda: (r := report(server, "mqtt")) and r.state == "running" and r.lag == 0)
    found = ids(client)
    assert list(dict.fromkeys(found)) == [f"gate-{n}" for n in range(200)]
    assert len(found) == 200, "and none comes twice"


def test_a_message_that_is_too_large_is_given_up(
    server: RedisChild, until: Until, tmp_path: Path
) -> None:
    broker = Mosquitto(tmp_path, "allow_anonymous true", "max_packet_size 2000").start()
    write(server, event(0, reason="long " * 500), 0)
    write(server, event(1), 1)
    try:
        with heard(broker) as client, bridged(broker, server):
            until(lambda: ids(client) == ["gate-1"])
            until(lambda: (r := report(server, "mqtt")) and (r.dead, r.lag) == (1, 0))
    finally:
        broker.stop()


def test_no_more_is_on_its_way_than_the_broker_takes(until: Until) -> None:
    """On the first connection, and on the next one with all that waits."""
    said = [b"%d" % number for number in range(30)]
    with SmallBroker(most=3) as small:
        url = f"mqtt://127.0.0.1:{small.port}"
        broker = Broker(Options(url=url), "few", "will", reconnect_s=(0.05, 0.2))
        broker.start()
        try:
            small.accept()
            assert broker.wait_connected(60)
            sent = [broker.publish("t", payload) for payload in said]
            broker.subscribe("behind")
            assert [text for _, text in small.published()] == [b"online", b"0", b"1"]
            small.hang_up()
            until(lambda: not broker.is_connected)
            small.accept()
            assert broker.wait_connected(60)
            broker.subscribe("behind")
            found = list(small.published())
            assert [text for _, text in found] == [b"online", b"0", b"1"]
            while len(found) < len(said) + 2:  # "online" of each connection
                small.acknowledge(found[-3][0])
                found.append(small.message())
            for number, _ in found[-3:]:
                small.acknowledge(number)
            assert broker.wait(sent, 60)
        finally:
            broker.stop(0)
    assert [text for _, text in found] == [b"online", *said, b"online"]


def test_a_mistake_of_ours_is_not_silent(
    broker: Mosquitto, server: RedisChild, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Look) -> dict[str, Any]:
        raise KeyError("a mistake")

    monkeypatch.setattr(Look, "again", broken)
    with pytest.raises(RuntimeError, match="states are not kept any more"), bridged(broker, server):
        until(lambda: (r := report(server, "mqtt")) and r.state == "failed")


def test_cameras_come_and_go(broker: Mosquitto, server: RedisChild, until: Until) -> None:
    def announced(client: Heard, camera: str) -> dict[str, Any]:
        text = client.kept.get(f"homeassistant/device/mirante_{camera}/config")
        return msgspec.json.decode(text) if text else {}

    with heard(broker) as client, connect(server.url) as redis:
        registry = Registry(redis)
        server.client().xadd("mirante:{not a camera}:detections", {"json": "{}"})
        registry.add("yard", {"url": "test://"})
        with bridged(broker, server):
            write(server, status("yard"), 1)
            until(lambda: announced(client, "yard"))
            until(lambda: client.kept.get("mirante/yard/state"))
            registry.pause("yard")
            until(lambda: b"paused" in client.kept["mirante/yard/state"])
            registry.remove("yard")
            until(lambda: not client.kept["mirante/yard/state"])
            assert not announced(client, "yard")
            registry.add("roof", {"url": "test://"})
            write(server, status("roof"), 1)
            until(lambda: client.kept.get("mirante/roof/state"))
        registry.remove("roof")
        with bridged(broker, server):  # one that went meanwhile goes too
            until(lambda: not client.kept["mirante/roof/state"])
            until(lambda: not announced(client, "roof"))


def test_a_redis_that_lost_all_removes_no_camera(server: RedisChild) -> None:
    look = Look(RedisUrl(server.url), ("*",))
    with connect(server.url) as redis:
        registry = Registry(redis)
        registry.add("yard", {"url": "test://"})
        assert look.again() == {}
        server.client().flushall()
        assert look.again() == {}, "its worker comes back and says it again"
        registry.add("roof", {"url": "test://"})
        assert look.again().keys() == {"yard"}
        registry.remove("roof")
        assert look.again().keys() == {"roof"}
    look.close()


def test_will_and_snapshot(
    broker: Mosquitto, server: RedisChild, outbox: Outbox, until: Until
) -> None:
    write(server, status(), 1)
    outbox.publish(zoned(0))
    with heard(broker) as client, bridged(broker, server, snapshot_s=0.2):
        image, redis = framed({"seq": 1}, b"\xff\xd8jpeg"), server.client()
        until(lambda: redis.publish(key("gate", "preview"), b"\0\0\1\0no image"))

        def is_shown() -> bool:
            redis.publish(key("gate", "preview"), image)
            return client.kept.get("mirante/gate/snapshot") == b"\xff\xd8jpeg"

        until(is_shown)
        assert client.kept["mirante/available"] == b"online"


def test_an_image_of_each_camera_once_in_a_while(server: RedisChild, until: Until) -> None:
    class Once(threading.Event):
        """Is set by the first pause, and notes how long that was to be."""

        paused_s = 0.0

        def wait(self, timeout: float | None = None) -> bool:
            self.paused_s = timeout or 0.0
            self.set()
            return True

    shown: list[str] = []
    made = Snapshots(
        RedisUrl(server.url), 3600.0, lambda: ["gate"], lambda camera, _jpeg: shown.append(camera)
    )
    made._stop = stop = Once()
    made.start()
    image = framed({"seq": 1}, b"jpeg")
    redis = server.client()
    until(lambda: redis.publish(key("gate", "preview"), image))
    until(stop.is_set)
    made.close()
    assert shown == ["gate"]
    assert stop.paused_s > 3000


@pytest.fixture
def role(server: RedisChild) -> Iterator[str]:
    """The user of Redis that the pages give a bridge that obeys; it is refused nothing."""
    owner = server.client()
    for page, line in (("subscribing", "ACL SETUSER bridge on "), ("bridges/mqtt", "ACL SETUSER")):
        text = (ROOT / f"docs/{page}.md").read_text()
        (words,) = re.findall(rf"^{line}.*$", text, re.M)
        owner.execute_command(*words.split())
    owner.execute_command("ACL", "LOG", "RESET")
    yield "bridge"
    refused = [(e["reason"], e["object"]) for e in owner.acl_log(64) if e["username"] == "bridge"]
    owner.execute_command("ACL", "DELUSER", "bridge")
    assert refused == []


def test_commands(broker: Mosquitto, server: RedisChild, role: str, until: Until) -> None:
    stages = [{"model": "street"}, {"track": "bytetrack"}, {"model": "faces", "on": "person"},
              {"zones": {"door": {"polygon": [[0, 0], [1, 0], [1, 1]]}}}]  # fmt: skip
    with connect(server.url) as redis, heard(broker) as client:
        registry = Registry(redis)
        registry.add("gate", {"url": "test://", "stages": stages})

        def said(topic: str, payload: str, kept: bool = False) -> None:
            client.client.publish(f"mirante/gate/{topic}/set", payload, 1, kept)

        with bridged(broker, server):
            until(lambda: client.kept.get("homeassistant/device/mirante_gate/config"))
            said("pause", "ON")
            said("pause", "ON", kept=True)
        assert not registry.cameras()["gate"].paused, "off unless allowed"
        with bridged(broker, server, role, commands="operator"):
            until(lambda: client.kept.get("mirante/gate/zones/door/state") == b"ON")
            assert client.kept["mirante/gate/pause/state"] == b"OFF", "a kept command is none"
            said("pause", "ON")
            until(lambda: client.kept["mirante/gate/pause/state"] == b"ON")
            assert registry.cameras()["gate"].paused
            said("pause", "maybe")
            said("threshold/street", "0.7")
            said("zones/door", "OFF")
            until(lambda: client.kept["mirante/gate/zones/door/state"] == b"OFF")
            assert "threshold" not in registry.cameras()["gate"].spec["stages"][0], "of admins"
        until(lambda: client.kept["mirante/available"] == b"offline")
        client.kept.clear()  # of the bridge before
        with bridged(broker, server, role, commands="admin"):
            # It hears commands. States are not said again where it sees first that they are kept.
            until(lambda: "homeassistant/device/mirante_gate/config" in client.kept)
            said("threshold/plates", "0.9")
            said("threshold/street", "0.7")
            until(lambda: client.kept.get("mirante/gate/threshold/street/state") == b"0.7")
            said("zones/door", "ON")
            until(lambda: client.kept.get("mirante/gate/zones/door/state") == b"ON")
    after = registry.cameras()["gate"].spec["stages"]
    assert after == [{"model": "street", "threshold": 0.7}, *stages[1:]]


def test_tls_with_login_certificate_and_3_1_1(
    server: RedisChild, until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    names = "DNS:localhost,IP:127.0.0.1"
    certificate, key = authority.sign("broker", names)
    mine, my_key = authority.sign("bridge", names)
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "bridge", "right"],
        check=True,
        env={"PATH": "/usr/bin:/usr/sbin"},
        capture_output=True,
    )
    broker = Mosquitto(
        tmp_path,
        "allow_anonymous false",
        f"password_file {passwords}",
        f"cafile {authority.file}",
        f"certfile {certificate}",
        f"keyfile {key}",
        "require_certificate true",
    ).start()
    url = broker.url.replace("mqtt://127.0.0.1", "mqtts://bridge@localhost")
    own: dict[str, Any] = {"ca": authority.file, "cert": mine, "key": my_key}
    write(server, event(0), 0)
    try:
        monkeypatch.setenv("MIRANTE_MQTT_PASSWORD", "wrong")
        with bridged(broker, server, url=url, **own):
            words = until(lambda: (r := report(server, "mqtt")) and r.state == "away" and r.words)
            until(lambda: "not authorized" in report(server, "mqtt").words)  # type: ignore[union-attr]
            assert "wrong" not in words
        monkeypatch.delenv("MIRANTE_MQTT_PASSWORD")
        (tmp_path / "password").write_text("right\n")
        own["password_file"] = tmp_path / "password"
        with bridged(broker, server, url=url, cert=mine, key=my_key):
            until(lambda: "TLS: " in report(server, "mqtt").words)  # type: ignore[union-attr]
        with bridged(broker, server, url=url, protocol="3.1.1", **own):
            told = until(lambda: (r := report(server, "mqtt")) and r.delivered == 1 and r)
        assert told.target == url.replace("bridge@", "")
    finally:
        broker.stop()


def test_a_broker_that_refuses_events_gets_them_later(
    server: RedisChild, until: Until, tmp_path: Path
) -> None:
    rules = tmp_path / "rules"
    rules.write_text("topic read #\ntopic write mirante/available\n")
    broker = Mosquitto(tmp_path, "allow_anonymous true", f"acl_file {rules}").start()
    write(server, event(0), 0)
    try:
        with heard(broker) as client, bridged(broker, server):
            told = until(lambda: (r := report(server, "mqtt")) and r.state == "away" and r)
            assert told.words == "does not take events: not authorized"
            assert broker.process is not None
            rules.write_text("topic readwrite #\n")
            broker.process.send_signal(signal.SIGHUP)
            until(lambda: ids(client) == ["gate-0"])
    finally:
        broker.stop()
