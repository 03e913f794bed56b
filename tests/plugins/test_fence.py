"""Two publishers of one camera: who may write, and how the camera is handed over."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from mirante import Counts, Status
from mirante.client.account import Tally
from mirante.keys import key, lease_key, owner_key
from mirante.trails import Trail
from mirante.wire import decode
from plugins.ledger import Ledger
from plugins.outbox.fence import OWNER_MS, Tenure
from plugins.outbox.lane import REFUSED
from plugins.outbox.outbox import Outbox
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.simulated_camera import LANES, frame

Until = Callable[..., Any]
DETECTIONS = key("gate", "detections")
EPOCHS = {"a": 1_000, "b": 2_000}
TRAIL = Trail(1_000, (4, 3), [0], [0], [], [], *[b""] * 5)


class Publisher:
    """A worker as its outbox knows it: a name, and a lease that a test gives and takes."""

    def __init__(self, server: RedisChild, who: str, worker: str = "main") -> None:
        self.who, self.published = who, 0
        self.tenure = Tenure(worker, lease_key(worker), f'{{"token": "{who}"}}')
        self._client = server.client()
        self.outbox = Outbox(server.url, tenure=self.tenure)
        self.outbox.start()

    def take_name(self) -> None:
        self._client.set(self.tenure.key, self.tenure.value)

    def publish(self, frames: int = 1) -> None:
        for _ in range(frames):
            self.published += 1
            counts = Counts(self.published, self.published, {}, 0)
            self.outbox.publish(
                frame(self.published - 1, epoch=EPOCHS[self.who], counts=counts, masks=(LANES,))
            )

    def publish_again(self) -> int:
        """Publish one more; return how many were sent so far."""
        self.publish()
        return self.sent

    @property
    def sent(self) -> int:
        return self.outbox.state.sent.get("gate", 0)

    @property
    def refused(self) -> int:
        return self.outbox.state.refused.get("gate", 0)


@pytest.fixture
def made() -> Any:
    """Makes publishers and closes them."""
    publishers: list[Publisher] = []

    def make(*args: Any) -> Publisher:
        publishers.append(Publisher(*args))
        return publishers[-1]

    yield make
    for publisher in publishers:
        publisher.outbox.close(0.5)


def owned_by(server: RedisChild, worker: str) -> bool:
    owner = server.client().get(owner_key("gate"))
    return isinstance(owner, bytes) and owner.startswith(f"{worker}:".encode())


def tallies(server: RedisChild) -> list[Tally]:
    found = entries(server.client(), DETECTIONS)
    return [Tally.of(decode(fields[b"json"])) for _, fields in found]


def test_the_first_write_of_a_worker_that_lost_its_name_is_refused(
    server: RedisChild, made: Any, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    stale, current = made(server, "a"), made(server, "b")
    stale.take_name()
    stale.publish(5)
    until(lambda: stale.sent == 5)
    current.take_name()
    current.publish()
    until(lambda: current.sent == 1)
    stale.publish(3)
    stale.outbox.status(Status(camera="gate", state="running", reason="", ts=1.0, since=1.0))
    stale.outbox.trail("gate", TRAIL)
    until(lambda: stale.tenure.doubted)
    assert stale.outbox.resign() == 3
    assert stale.outbox.state.lost == stale.outbox.state.refused == {"gate": 3}
    current.publish()
    until(lambda: current.sent == 2)
    expected = [Tally(1_000, n) for n in range(1, 6)] + [Tally(2_000, 1), Tally(2_000, 2)]
    assert tallies(server) == expected
    assert not server.client().exists(key("gate", "status"), key("gate", "tracks"))
    current.outbox.trail("gate", TRAIL)
    until(lambda: server.client().xlen(key("gate", "tracks")) == 1)


def test_a_worker_that_has_its_name_again_begins_anew(
    server: RedisChild, made: Any, until: Until
) -> None:
    first, second = made(server, "a"), made(server, "b")
    for turn in range(1, 4):
        for publisher in (first, second):
            publisher.take_name()
            publisher.publish(2)
            until(lambda p=publisher, n=2 * turn: p.sent == n)
    assert [tally.epoch for tally in tallies(server)] == [1_000, 1_000, 2_000, 2_000] * 3
    assert first.refused == second.refused == 0


def test_the_camera_of_another_worker_is_refused_until_that_one_leaves_it(
    server: RedisChild, made: Any, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    owner, other = made(server, "a", "main"), made(server, "b", "second")
    owner.take_name()
    other.take_name()
    owner.publish()
    until(lambda: owner.sent == 1)
    for count in range(1, 4):
        other.publish()
        until(lambda n=count: other.refused == n)
    words = 'gate: another publisher writes its streams: worker "main"'
    until(lambda: other.outbox.state.words == words)  # told behind the number
    assert caplog.text.count(words) == 1
    assert other.sent == 0
    for reason in ("told in vain", "told at last"):
        other.outbox.status(
            Status(camera="gate", state="running", reason=reason, ts=1.0, since=1.0)
        )
        until(lambda: other.outbox._ring.lanes["gate", "status"].denied)
    owner.publish()
    until(lambda: owner.sent == 2)
    owner.outbox.leave("gate")
    until(lambda: other.publish_again() >= 1)
    assert owned_by(server, "second")
    until(lambda: other.outbox.state.words == "")
    [(_, status)] = entries(server.client(), key("gate", "status"))
    assert json.loads(status[b"json"])["reason"] == "told at last"
    owner.publish()
    until(lambda: owner.refused == 1)


def test_a_camera_whose_owner_died_is_free_when_its_token_expires(
    server: RedisChild, made: Any, until: Until
) -> None:
    other = made(server, "b", "second")
    other.take_name()
    client = server.client()
    client.set(owner_key("gate"), "main:of-one-that-died.1")
    other.publish()
    until(lambda: other.refused == 1)
    client.pexpire(owner_key("gate"), 200)
    until(lambda: other.publish_again() >= 1)
    assert owned_by(server, "second")
    assert 0 < client.pttl(owner_key("gate")) <= OWNER_MS


def test_an_owner_that_publishes_nothing_keeps_its_camera(
    server: RedisChild, made: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.outbox.fence.RENEW_S", 0.1)
    owner = made(server, "a")
    owner.take_name()
    owner.publish()
    until(lambda: owner.sent == 1)
    client = server.client()
    for _ in range(2):
        client.pexpire(owner_key("gate"), 5_000)
        until(lambda: client.pttl(owner_key("gate")) > 5_000)


@pytest.mark.parametrize("emptied", ["everything", "the token"])
def test_redis_that_forgot_the_owner(
    server: RedisChild, made: Any, until: Until, emptied: str
) -> None:
    """Nothing is lost and nothing doubled; what Redis lost besides is sent again."""
    stale, owner = made(server, "a"), made(server, "b")
    stale.take_name()
    stale.publish(3)
    until(lambda: stale.sent == 3)
    owner.take_name()
    owner.publish(20)
    until(lambda: owner.sent == 20)
    if emptied == "everything":
        server.client().flushall()
        stale.publish()
        until(lambda: stale.tenure.doubted)
        owner.take_name()
    else:
        server.client().delete(owner_key("gate"))
        stale.publish()
        until(lambda: stale.tenure.doubted)
    owner.publish(5)
    until(lambda: owner.sent == 25)
    of_stale = [] if emptied == "everything" else [Tally(1_000, n) for n in range(1, 4)]
    assert tallies(server) == of_stale + [Tally(2_000, n) for n in range(1, 26)]
    assert stale.sent == 3


def test_a_late_command_of_a_broken_connection_finds_another_token(
    server: RedisChild, made: Any, until: Until
) -> None:
    """A claim and a write that the network held back are run after the camera was handed over."""
    owner = made(server, "a")
    owner.take_name()
    owner.publish()
    until(lambda: owner.sent == 1)
    client = server.client()
    before = client.get(owner_key("gate"))
    fence = owner.outbox._sender._fence
    _, claim = fence.claim("gate", begun=True)
    fields = (1, "2", "9999999999999-0", "json", "{}")
    head = fence.write("gate", [key("gate", "groups")], [DETECTIONS], whole=True)
    write = (*head, 0, "0", "0-0", 1, 2, "MINID", "0", *fields)
    client.execute_command(*claim)
    assert client.execute_command(*write)[0] == 0
    owner.publish()
    until(lambda: owner.sent == 2)
    assert client.get(owner_key("gate")) != before
    assert [tally.handed for tally in tallies(server)] == [1, 2]


def test_lines_without_a_worker(server: RedisChild, until: Until) -> None:
    """The one that began last writes; the one before is refused while that one lives."""
    first, second = Outbox(server.url), Outbox(server.url)
    first.start()
    first.publish(frame(0))
    until(lambda: first.state.sent == {"gate": 1})
    second.start()
    second.publish(frame(0, epoch=2_000))
    until(lambda: second.state.sent == {"gate": 1})
    first.publish(frame(1))
    until(lambda: first.state.refused == {"gate": 1})
    until(lambda: "a line without a worker" in first.state.words)  # told behind the number
    second.close()
    until(lambda: owned_by(server, ""))

    def sent_again() -> int:
        first.publish(frame(2))
        return first.state.sent["gate"]

    until(lambda: sent_again() >= 2)
    first.close()


def test_epochs_grow_though_the_clock_went_back(server: RedisChild, until: Until) -> None:
    """The proof of loss rests on it: an epoch that was there before is not a new one."""

    def publish(outbox: Outbox, number: int, epoch: int) -> None:
        counts = Counts(number, number, {}, 0)
        outbox.publish(frame(number, epoch=epoch, counts=counts, masks=(LANES,)))

    before = Outbox(server.url)
    before.start()
    publish(before, 500, 5_000)
    until(lambda: before.state.sent == {"gate": 1})
    before.close()
    after = Outbox(server.url)
    publish(after, 100, 4_000)
    after.start()
    until(lambda: after.state.sent == {"gate": 1})
    publish(after, 101, 4_000)
    publish(after, 1, 3_000)  # the camera was added again
    publish(after, 1, 9_000)
    until(lambda: after.state.sent == {"gate": 4})
    found = [(tally.epoch, tally.handed) for tally in tallies(server)]
    assert found == [(5_000, 500), (5_001, 100), (5_001, 101), (5_002, 1), (9_000, 1)]
    masks = [json.loads(f[b"json"]) for _, f in entries(server.client(), key("gate", "masks"))]
    assert [message["epoch"] for message in masks] == [epoch for epoch, _ in found]
    listener = server.client().pubsub(ignore_subscribe_messages=True)
    listener.subscribe(key("gate", "preview"))
    until(lambda: after.watched("gate"))
    after.preview("gate", b"jpeg", {"epoch": 4_000, "seq": 101})
    image = until(lambda: listener.get_message(timeout=0.1))["data"]
    assert re.search(rb'"epoch": ?5001', image)
    listener.close()
    after.close()


def test_refused_frames_are_no_losses(server: RedisChild, made: Any, until: Until) -> None:
    """A worker that ran beside the owner and takes over counts from where it took over."""
    owner = made(server, "a")
    owner.take_name()
    owner.publish()
    until(lambda: owner.sent == 1)
    ledger = Ledger("gate")
    outbox = Outbox(server.url, on_refused=lambda _, frames: ledger.lost(frames, REFUSED))
    outbox.start()

    def publish(pts: int) -> int:
        ledger.decoded(pts, time.time_ns(), "arrival", (160, 90))
        result = ledger.publish(pts)
        assert result is not None
        outbox.publish(result)
        return outbox.state.sent.get("gate", 0)

    numbers = iter(range(10**6))
    until(lambda: publish(next(numbers)) or outbox.state.refused["gate"] >= 20)
    owner.outbox.close()
    until(lambda: publish(next(numbers)) >= 5)
    found = [tally for tally in tallies(server) if tally.epoch == ledger.epoch]
    assert [tally.handed for tally in found] == list(range(1, len(found) + 1))
    assert ledger.counts()[0].dropped[REFUSED] >= 20
    outbox.close()
