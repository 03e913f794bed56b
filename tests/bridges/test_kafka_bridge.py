"""The bridge to Kafka, before librdkafka's own mock cluster: no broker can be installed here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError

from bridges.kafka.bridge import KafkaBridge
from bridges.kafka.options import PASSWORD, Kafka, properties_of
from bridges.parcel import AwayError, Parcel
from mirante.terms import VERSION
from tests.support.bridged import carried, event, write
from tests.support.mock_kafka import MockKafka
from tests.support.parcels import event_parcels, frame_parcel, states, status_parcel
from tests.support.redis_child import RedisChild

SOON = ("reconnect.backoff.ms=20", "reconnect.backoff.max.ms=50")
MOMENT_S = 0.3  # that a delivery waits in vain


@pytest.fixture(scope="module")
def brokers() -> Iterator[MockKafka]:
    with MockKafka() as made:
        yield made


@contextmanager
def bridge(brokers: MockKafka, wait_s: float = 60.0, **options: Any) -> Iterator[KafkaBridge]:
    kinds: Any = ("events", "detections", "status")
    given = {"servers": brokers.servers, "kinds": kinds, "properties": SOON} | options
    made = KafkaBridge(Kafka(**given), wait_s)
    made.open()
    try:
        yield made
    finally:
        made.close()


def delivered(made: KafkaBridge, parcels: list[Parcel]) -> None:
    made.deliver(parcels)
    assert states(parcels) == {"done"}


def test_messages_with_key_time_and_headers(brokers: MockKafka) -> None:
    parcels = [*event_parcels(2), frame_parcel(), status_parcel("yard")]
    with bridge(brokers, topic="all.{kind}") as made:
        delivered(made, parcels)
    event, _ = brokers.read("all.events", 2)
    [frame] = brokers.read("all.detections", 1)
    [status] = brokers.read("all.status", 1)
    assert (event.key(), frame.key(), status.key()) == (b"gate", b"gate", b"yard")
    assert json.loads(event.value())["id"] == "gate-0"
    assert [o["label"] for o in json.loads(frame.value())["objects"]] == ["car", "person"]
    assert json.loads(status.value())["state"] == "running"
    assert dict(frame.headers()) == {
        "content-type": b"application/json",
        "kind": b"detections",
        "version": VERSION.encode(),
        "entry_id": str(parcels[2].held.entry_id).encode(),
    }
    assert frame.timestamp()[1] == parcels[2].held.entry_id.ms


def test_the_order_of_each_camera_is_kept_over_partitions(brokers: MockKafka) -> None:
    brokers.create("spread", partitions=4)
    cameras = ("gate", "yard", "roof", "dock", "lane")
    parcels = [
        parcel for i in range(12) for camera in cameras for parcel in event_parcels(1, camera, i)
    ]
    with bridge(brokers, topic="spread") as made:
        delivered(made, parcels)
    found = brokers.read("spread", len(parcels))
    assert len({message.partition() for message in found}) > 1
    for camera in cameras:
        own = [message for message in found if message.key() == camera.encode()]
        assert len({message.partition() for message in own}) == 1
        assert [json.loads(m.value())["seq"] for m in own] == list(range(12))


def test_brokers_away_and_back(brokers: MockKafka) -> None:
    """Nothing is acknowledged meanwhile; each is produced once, however often it comes."""
    before, during = event_parcels(2), event_parcels(6, first=2)
    with bridge(brokers, MOMENT_S, topic="away") as made:
        _until_done(made, before)
        brokers.go_down()
        for _ in range(4):
            with pytest.raises(AwayError, match=r"\w"):
                made.deliver(during)
            assert states(during) == {"waits"}
        brokers.come_up()
        _until_done(made, during)
    found = brokers.read("away", 8)
    assert [json.loads(message.value())["seq"] for message in found] == list(range(8))


def test_brokers_that_answer_late(brokers: MockKafka) -> None:
    parcels = event_parcels(3)
    with bridge(brokers, 0.05, topic="late") as made:
        brokers.slow_down(1000)  # far more than a delivery waits, whoever has no turn meanwhile
        try:
            with pytest.raises(AwayError, match=r"no acknowledgement within 0\.05 s"):
                made.deliver(parcels)
            _until_done(made, parcels)
        finally:
            brokers.slow_down(0)
    assert len(brokers.read("late", 3)) == 3


def test_what_is_too_large_goes_to_the_dead_letters(brokers: MockKafka) -> None:
    large, small = frame_parcel(), event_parcels(1)
    large.item.timings.update({f"stage {i}": 1.0 for i in range(200)})  # type: ignore[union-attr]
    with bridge(brokers, topic="large", properties=("message.max.bytes=2000",)) as made:
        made.deliver([large, *small])
    assert (large.state, small[0].state) == ("dead", "done")
    assert "too large" in large.words.lower()


def test_of_a_batch_that_is_refused_for_its_size_one_message_is_given_up(
    brokers: MockKafka,
) -> None:
    """Brokers refuse the batch as a whole, then what is too large by itself."""
    first, parcels = event_parcels(1), event_parcels(5, first=1)
    with bridge(brokers, MOMENT_S, topic="batch") as made:
        _until_done(made, first)
        brokers.go_down()  # what waits for them goes in one batch, however slowly it is produced
        with pytest.raises(AwayError):
            made.deliver(parcels)
        brokers.refuse(KafkaError.MSG_SIZE_TOO_LARGE, 0, 0, KafkaError.MSG_SIZE_TOO_LARGE)
        brokers.come_up()
        _until_done(made, parcels)
        assert [parcel.state for parcel in parcels] == ["done", "done", "dead", "done", "done"]
        assert "too large" in parcels[2].words.lower()
        _until_done(made, event_parcels(2, first=6))
    found = [json.loads(message.value())["seq"] for message in brokers.read("batch", 7)]
    assert found == [0, 1, 2, 4, 5, 6, 7]


def test_a_producer_that_failed_for_good_is_replaced(brokers: MockKafka) -> None:
    with bridge(brokers, topic="anew") as made:
        delivered(made, event_parcels(1))
        before = made._producer
        made._is_broken = True
        delivered(made, event_parcels(1, first=1))
        assert made._producer is not before
    assert len(brokers.read("anew", 2)) == 2


def _until_done(made: KafkaBridge, parcels: list[Parcel]) -> None:
    """Deliver as the carrier does, as often as that takes; the test's own limit ends it."""
    left = parcels
    while left:
        with suppress(AwayError):
            made.deliver(left)
        left = [parcel for parcel in left if parcel.state == "waits"]


LOGIN: dict[str, Any] = {"security": "sasl_ssl", "user": "mirante"}


def test_login_and_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PASSWORD, "secret")
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    options = Kafka(servers="a:9093", ca=ca, cert=ca, **LOGIN)
    made = properties_of(options)
    assert made["security.protocol"] == "sasl_ssl"
    assert made["sasl.mechanisms"] == "SCRAM-SHA-512"
    assert (made["sasl.username"], made["sasl.password"]) == ("mirante", "secret")
    names = ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location")
    assert [made[name] for name in names] == [str(ca)] * 3  # a file may hold certificate and key
    assert made["enable.idempotence"] is True
    assert "secret" not in repr(options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"topic": "mirante {kind}"}, r"--topic: expected up to 249 .* got 'mirante \{kind\}'"),
        (LOGIN, r"--security sasl_ssl: expected --user, and a password in MIRANTE_KAFKA_PASSWORD"),
        ({"user": "me"}, r"--user: expected --security sasl_ssl or sasl_plaintext"),
        ({"ca": Path("ca.pem")}, r"--ca ca\.pem: expected --security ssl or sasl_ssl with it"),
        ({"security": "ssl", "ca": Path("none.pem")}, r"--ca: expected a file, got none\.pem"),
        ({"security": "ssl", "key": Path(__file__)}, r"--key: expected --cert with it"),
        ({"properties": ("linger.ms",)}, r"--property: expected NAME=VALUE, got 'linger\.ms'"),
        ({"properties": ("acks=0",)}, r"--property: acks is the bridge's own, got 'acks=0'"),
        ({"properties": ("delivery.timeout.ms=9",)}, r"delivery\.timeout\.ms is the bridge"),
        ({"properties": ("linger=5",)}, r"kafka: No such configuration property: \"linger\""),
    ],
)
def test_what_is_refused(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], words: str
) -> None:
    monkeypatch.delenv(PASSWORD, raising=False)
    with pytest.raises(ValueError, match=words):
        KafkaBridge(Kafka(**{"servers": "127.0.0.1:1"} | options)).open()


def test_from_redis_while_brokers_go_and_come(
    brokers: MockKafka,
    server: RedisChild,
    until: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Two runs; brokers are away in the first, and for a while in the second. The bridge says so,
    and librdkafka not each time that it tries.
    """
    made = Kafka(servers=brokers.servers, topic="line", properties=SOON)
    brokers.go_down()
    for number in range(4):
        write(server, event(number), number)
    with carried(KafkaBridge(made, MOMENT_S), server) as carrier:
        until(lambda: carrier.account.state == "away")
        assert carrier.account.delivered == 0
    brokers.come_up()
    with carried(KafkaBridge(made, MOMENT_S), server) as carrier:
        until(lambda: carrier.account.delivered == 4)
        brokers.go_down()
        for number in range(4, 8):
            write(server, event(number), number)
        until(lambda: carrier.account.state == "away")
        brokers.come_up()
        until(lambda: carrier.account.delivered == 8)
    found = [json.loads(message.value())["seq"] for message in brokers.read("line", 8)]
    assert found == list(range(8))
    assert {each.name for each in caplog.records} == {"mirante.bridge"}


def test_what_is_on_its_way_at_the_end_does_not_come_again(
    brokers: MockKafka,
    server: RedisChild,
    until: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bridges.kafka.bridge._LEAVE_S", 60.0)  # on a busy machine
    made = Kafka(servers=brokers.servers, topic="end", properties=SOON)
    write(server, event(0), 0)
    try:
        with carried(KafkaBridge(made, MOMENT_S), server) as carrier:
            until(lambda: carrier.account.delivered == 1)
            brokers.slow_down(2000)
            failed = carrier.account.failed
            write(server, event(1), 1)
            write(server, event(2), 2)
            until(lambda: carrier.account.failed > failed)
        assert carrier.account.delivered > 1, "acknowledged while the bridge ended"
    finally:
        brokers.slow_down(0)
    write(server, event(3), 3)
    with carried(KafkaBridge(made), server) as carrier:
        until(lambda: carrier.account.delivered)
    found = [json.loads(message.value())["seq"] for message in brokers.read("end", 4)]
    assert found == list(range(4))
