"""What the bridges carry to is away for a minute: nothing is lost, doubled or out of order."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bridges.files.bridge import FilesBridge
from bridges.files.options import Files
from bridges.files.spool import Spool
from bridges.kafka.bridge import KafkaBridge
from bridges.kafka.options import Kafka
from bridges.metropolis.bridge import MetropolisBridge
from bridges.metropolis.options import Metropolis
from bridges.metropolis.schema import frame_class
from bridges.mqtt.bridge import MqttBridge
from bridges.mqtt.options import Options
from bridges.reading import Reading
from mirante.keys import key
from mirante.wire import encode
from tests.support.bridged import carried, event, report, write
from tests.support.hooked import hooked
from tests.support.mock_kafka import MockKafka
from tests.support.mosquitto import Mosquitto, heard
from tests.support.parcels import MS
from tests.support.ports import free_port
from tests.support.receiver import Receiver, receiving
from tests.support.redis_child import RedisChild
from tests.support.wire_frames import some_frame

AWAY_S, EVERY_S = 60.0, 0.2
BEFORE = 10  # items that are carried while all is well


class Side(NamedTuple):
    """What a bridge carries to.

    Attributes:
        name: of the bridge.
        runs: carries to it while this is entered.
        go: takes it away.
        back: brings it back.
        got: numbers of the items that it has, once the bridge has ended.
    """

    name: str
    runs: AbstractContextManager[Any]
    go: Callable[[], Any]
    back: Callable[[], Any]
    got: Callable[[], list[int]]


def number_of(text: str | bytes) -> int:
    return int(json.loads(text)["id"].removeprefix("gate-"))


def mqtt(server: RedisChild, folder: Path, ending: ExitStack) -> Side:
    broker = Mosquitto(folder).start()
    ending.callback(broker.stop)
    client = ending.enter_context(heard(broker))
    bridge = MqttBridge(Options(url=broker.url, snapshot_s=0.0), Reading(redis=server.url))

    def got() -> list[int]:
        return [number_of(each) for each in client.of("mirante/gate/events")]

    return Side("mqtt", carried(bridge, server), broker.stop, broker.start, got)


def webhook(server: RedisChild, folder: Path, ending: ExitStack) -> Side:
    receiver, port, serving = Receiver(), free_port(), ExitStack()
    ending.callback(serving.close)

    def back() -> None:
        serving.enter_context(receiving(receiver, port=port))

    back()
    hook = {"url": f"http://127.0.0.1:{port}", "first_s": 1, "most_s": 10, "timeout_s": 10}
    return Side(
        "webhook-a",
        hooked(server.url, folder, a=hook),
        serving.close,
        back,
        lambda: [number_of(each.body) for each in receiver.got],
    )


def kafka(server: RedisChild, _folder: Path, ending: ExitStack) -> Side:
    brokers = ending.enter_context(MockKafka())
    bridge = KafkaBridge(Kafka(servers=brokers.servers))

    def got() -> list[int]:
        return [number_of(each.value()) for each in brokers.read("mirante.events", 1)]

    return Side("kafka", carried(bridge, server), brokers.go_down, brokers.come_up, got)


def files(server: RedisChild, folder: Path, ending: ExitStack) -> Side:
    """A disk that is full: nothing more is written."""
    write, is_full = Spool.write, threading.Event()

    def written(self: Spool, records: Any) -> None:
        if is_full.is_set():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, records)

    ending.enter_context(pytest.MonkeyPatch.context()).setattr(Spool, "write", written)

    def got() -> list[int]:
        texts = [path.read_text() for path in sorted((folder / "events").glob("*.jsonl"))]
        return [number_of(line) for line in "".join(texts).splitlines()]

    bridge = FilesBridge(Files(folder=folder))
    return Side("files", carried(bridge, server), is_full.set, is_full.clear, got)


def metropolis(server: RedisChild, folder: Path, ending: ExitStack) -> Side:
    other = RedisChild(folder, "--appendonly", "yes", "--appendfsync", "always").start()
    ending.callback(other.kill)
    bridge = MetropolisBridge(Metropolis(to=other.url, masks=False), Reading(redis=server.url))

    def got() -> list[int]:
        entries: Any = other.client().xrange("mdx-raw")
        return [int(frame_class().FromString(each[b"metadata"]).id) for _, each in entries]

    return Side("metropolis", carried(bridge, server), other.kill, other.start, got)


def publish(server: RedisChild, number: int) -> None:
    """Write an event, and a frame, as a worker does."""
    write(server, event(number), number)
    fields: dict[Any, Any] = {**encode(some_frame(seq=number)).detections, "sent": b"1.0"}
    server.client().xadd(key("gate", "detections"), fields, f"{MS + number}-{number}")


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_minute_away(server: RedisChild, until: Callable[..., Any]) -> None:
    """All of them at once, each with what it really carries to, but for Kafka's mock brokers."""
    with ExitStack() as ending:
        sides = list[Side]()
        for make in (mqtt, webhook, kafka, files, metropolis):
            folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="mr")))
            sides.append(make(server, folder, ending))
        with ExitStack() as running:
            for side in sides:
                running.enter_context(side.runs)
            count = 0
            while count < BEFORE:
                publish(server, count)
                count += 1
            for side in sides:
                until(lambda name=side.name: has(server, name, "running", BEFORE))
                side.go()
            end_s = time.monotonic() + AWAY_S
            while time.monotonic() < end_s:
                publish(server, count)
                count += 1
                time.sleep(EVERY_S)
            for side in sides:
                until(lambda name=side.name: has(server, name, "away", BEFORE))
                side.back()
            for side in sides:
                until(lambda name=side.name: has(server, name, "running", count), 180)
        for side in sides:
            assert side.got() == list(range(count)), side.name


def has(server: RedisChild, name: str, state: str, delivered: int) -> bool:
    """Whether a bridge is in a state, and its other side has acknowledged so many items."""
    said = report(server, name)
    return said is not None and (said.state, said.delivered) == (state, delivered)
