"""Common behaviour of bridges: nothing lost or doubled, reports, one per name, dead letters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import AuthenticationError

from bridges.carrying import Carrier
from bridges.parcel import AwayError, Parcel
from bridges.reading import Reading
from mirante.client.plan import SubscribedKind
from mirante.keys import bridge_key, key
from pipeline.control.lease import LeaseTakenError
from tests.support.bridged import carried, event, report, status, write
from tests.support.outcome import Outcome, Run
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries

Until = Callable[..., Any]


class Sink:
    """A bridge whose other side is a list.

    Attributes:
        got: IDs of events, states of cameras.
        refuses: what raises instead.
        most: how many are taken of each delivery.
    """

    kind, target = "sink", "list://here"
    kinds: tuple[SubscribedKind, ...] = ("events", "status")

    def __init__(self) -> None:
        self.got: list[str] = []
        self.away, self.most, self.closed = "", 1000, 0
        self.largest = 0

    def open(self) -> None:
        """Nothing to do."""

    def deliver(self, parcels: list[Parcel]) -> None:
        self.largest = max(self.largest, len(parcels))
        if self.away:
            raise AwayError(self.away)
        for parcel in parcels[: self.most]:
            item: Any = parcel.item
            if getattr(item, "label", "") == "poison":
                parcel.dead("cannot be taken")
                continue
            self.got.append(getattr(item, "id", None) or f"{item.camera} {item.state}")
            parcel.done()

    def close(self) -> None:
        self.closed += 1


def names(*numbers: int, camera: str = "gate") -> list[str]:
    return [f"{camera}-{number}" for number in numbers]


def test_all_arrives_once_and_goes_on_where_it_stopped(server: RedisChild, until: Until) -> None:
    sink = Sink()
    for number in range(3):
        write(server, event(number), number)
    with carried(sink, server):
        until(lambda: sink.got == names(0, 1, 2))
        write(server, event(0, "yard"), 0)
        write(server, status(), 1)
        until(lambda: set(sink.got[3:]) == {"yard-0", "gate running"})
        told = until(  # its age may be of an entry that was read behind the count of the others
            lambda: (
                (r := report(server, "sink")) and (r.delivered, r.lag, r.lag_s) == (5, 0, 0) and r
            )
        )
        assert (told.state, told.kind, told.target) == ("running", "sink", "list://here")
        assert (told.group, told.cameras) == ("bridge-sink", 2)
    stopped = report(server, "sink")
    assert stopped is not None
    assert (stopped.state, stopped.delivered, sink.closed) == ("stopped", 5, 1)
    write(server, event(3), 3)
    again = Sink()
    with carried(again, server):
        until(lambda: again.got)
    assert again.got == names(3)


def test_one_that_is_away_gets_all_of_it_later_in_order(server: RedisChild, until: Until) -> None:
    sink = Sink()
    sink.away, sink.most = "nobody there", 7
    with carried(sink, server):
        for number in range(200):
            write(server, event(number), number)
        told = until(  # all may be there before the first delivery fails
            lambda: (r := report(server, "sink")) and (r.state, r.lag) == ("away", 200) and r
        )
        assert (told.words, told.last_error) == ("nobody there", "nobody there")
        assert told.failed > 0
        assert told.lag_s > 1000, "the age of the oldest"
        sink.away = ""
        until(lambda: len(sink.got) == 200)
    assert sink.got == names(*range(200))
    assert sink.largest <= 64, "what waits is in Redis, not in memory"


def test_what_was_not_acknowledged_comes_the_next_time(server: RedisChild, until: Until) -> None:
    sink = Sink()
    sink.most = 1
    for number in range(5):
        write(server, event(number), number)
    with carried(sink, server):
        until(lambda: sink.got)
        sink.away = "gone"
    again = Sink()
    with carried(again, server):
        until(lambda: len(sink.got + again.got) >= 5)
    assert sink.got + again.got == names(*range(5))


def test_what_is_never_taken_is_kept_with_why(server: RedisChild, until: Until) -> None:
    sink = Sink()
    write(server, event(0, label="poison"), 0)
    write(server, event(1), 1)
    with carried(sink, server, name="other"):
        until(lambda: sink.got == names(1))
        until(lambda: (r := report(server, "other")) and r.dead == 1)
    [(_, fields)] = entries(server.client(), bridge_key("other", "dead"))
    assert fields[b"words"] == b"cannot be taken"
    assert fields[b"stream"] == key("gate", "events").encode()
    assert b'"id":"gate-0"' in fields[b"json"]


def test_what_is_given_up_and_cannot_be_kept_waits(server: RedisChild, until: Until) -> None:
    sink = Sink()
    server.client().set(bridge_key("sink", "dead"), "not a stream")
    write(server, event(0, label="poison"), 0)
    write(server, event(1), 1)
    with carried(sink, server):
        told = until(lambda: (r := report(server, "sink")) and r.state == "away" and r)
        assert "what is given up cannot be kept: " in told.words
        assert (told.dead, sink.got) == (0, names(1))
    stopped = report(server, "sink")
    assert stopped is not None
    assert (stopped.lag, stopped.lag_s > 1000) == (1, True), "what waits goes on to age"
    with carried(sink, server):
        until(lambda: (r := report(server, "sink")) and r.state == "away")
        server.client().delete(bridge_key("sink", "dead"))
        until(lambda: (r := report(server, "sink")) and (r.dead, r.lag) == (1, 0))
    assert len(entries(server.client(), bridge_key("sink", "dead"))) == 1
    assert sink.got == names(1)


def test_one_that_is_away_says_so_before_there_is_anything(
    server: RedisChild, until: Until
) -> None:
    sink = Sink()
    sink.away = "nobody there"
    with carried(sink, server):
        told = until(lambda: (r := report(server, "sink")) and r.state == "away" and r)
        assert told.words == "nobody there"
        sink.away = ""
        until(lambda: report(server, "sink").state == "running")  # type: ignore[union-attr]


def test_a_camera_that_came_while_it_was_down(server: RedisChild, until: Until) -> None:
    with carried(Sink(), server, since_s=None):
        until(lambda: (r := report(server, "sink")) and r.state == "running")
    now_s = time.time()
    write(server, event(0, "old", ts=now_s - 7200), 0)
    write(server, event(0, "yard", ts=now_s + 1), 0)
    again = Sink()
    with carried(again, server, since_s=None):
        until(lambda: again.got == names(0, camera="yard"))
        until(lambda: (r := report(server, "sink")) and (r.cameras, r.lag) == (2, 0))
    assert len(again.got) == 1


def test_what_waits_is_as_old_as_it_is(server: RedisChild, until: Until) -> None:
    sink, now_s = Sink(), time.time()
    write(server, event(0, "yard"), 0)
    with carried(sink, server):
        until(lambda: sink.got)
        sink.away = "nobody there"
        write(server, event(0, ts=now_s), 0)
        until(lambda: (r := report(server, "sink")) and (r.delivered, r.lag) == (1, 1))
        write(server, event(1, "yard", ts=now_s), 1)
        told = until(lambda: (r := report(server, "sink")) and r.lag == 2 and r)
        assert told.lag_s < 86_400, "not as old as the entry before"


def test_one_whose_name_is_taken_ends_though_its_other_side_is_away(
    server: RedisChild, until: Until
) -> None:
    sink = Sink()
    sink.away = "nobody there"
    write(server, event(0), 0)
    with pytest.raises(RuntimeError, match="runs elsewhere"), carried(sink, server) as carrier:
        until(lambda: carrier.account.state == "away")
        server.client().set(bridge_key("sink", "lease"), '{"host": "there", "pid": 7}')
        until(lambda: carrier.account.state == "failed")
    assert report(server, "sink").state != "failed"  # type: ignore[union-attr]


def test_a_redis_that_is_away_at_the_start_is_waited_for(
    folder: Path, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    sink, server = Sink(), RedisChild(folder)
    with carried(sink, server) as carrier:
        until(lambda: "begins when it is back" in caplog.text)
        assert (carrier.account.state, sink.closed) == ("connecting", 0)
        server.start()
        try:
            write(server, event(0), 0)
            until(lambda: sink.got == names(0))
            until(lambda: (r := report(server, "sink")) and r.delivered == 1)
        finally:
            server.kill()
    [line] = [each.message for each in caplog.records if "begins when" in each.message]
    assert line == f"Redis {server.url}: no such socket; sink begins when it is back"


def test_one_that_waits_for_redis_can_be_stopped(
    folder: Path, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    sink = Sink()
    with carried(sink, RedisChild(folder)):
        until(lambda: "begins when it is back" in caplog.text)
    assert (sink.got, sink.closed) == ([], 1)


def test_a_redis_that_refuses_this_client_is_not_waited_for(server: RedisChild) -> None:
    address = server.url.replace("://", "://nobody:wrong@")
    with pytest.raises(AuthenticationError), carried(Sink(), server, redis=address):
        pass


def test_what_is_acknowledged_while_it_ends_does_not_come_again(
    server: RedisChild, until: Until
) -> None:
    class Late(Sink):
        """Its other side acknowledges at the very end."""

        def deliver(self, parcels: list[Parcel]) -> None:
            self.parcels = parcels
            raise AwayError("not yet")

        def close(self) -> None:
            super().close()
            super().deliver(self.parcels)

    late = Late()
    write(server, event(0), 0)
    with carried(late, server) as carrier:
        until(lambda: carrier.account.failed and late.parcels)  # it is asked with none before
    stopped = report(server, "sink")
    assert stopped is not None
    assert (late.got, stopped.delivered, stopped.lag) == (names(0), 1, 0)


def test_a_filter_and_cameras(server: RedisChild, until: Until) -> None:
    sink = Sink()
    for number, label in enumerate(("person", "car", "person")):
        write(server, event(number, label=label), number)
        write(server, event(number, "yard", label=label), number)
    with carried(sink, server, cameras=("g*",), where="label = person"):
        until(lambda: len(sink.got) == 2)
        until(lambda: (r := report(server, "sink")) and r.lag == 0)
    assert sink.got == names(0, 2)


def test_a_second_of_the_same_name_is_refused(server: RedisChild) -> None:
    server.client().set(bridge_key("sink", "lease"), '{"host": "there", "pid": 7}')
    words = 'bridge "sink" runs already: process 7 on there; stop it, .*option --name'
    with pytest.raises(LeaseTakenError, match=words), carried(Sink(), server):
        pass
    assert report(server, "sink") is None, "it does not speak for the other"


def test_one_that_ends_without_a_word_is_gone(server: RedisChild, until: Until) -> None:
    with carried(Sink(), server):
        until(lambda: (r := report(server, "sink")) and r.state == "running")

        def is_gone() -> bool:  # which it may contradict before it is looked at
            server.client().delete(bridge_key("sink", "lease"))
            return report(server, "sink").state == "gone"  # type: ignore[union-attr]

        until(is_gone)
        until(lambda: report(server, "sink").state == "running")  # type: ignore[union-attr]


def test_one_that_breaks_says_so(server: RedisChild, until: Until) -> None:
    class Broken(Sink):
        def deliver(self, parcels: list[Parcel]) -> None:
            raise KeyError("a mistake of ours")

    write(server, event(0), 0)
    with pytest.raises(KeyError), carried(Broken(), server):
        until(lambda: (r := report(server, "sink")) and r.state == "failed")
    assert "a mistake of ours" in report(server, "sink").words  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "a b"}, "--name: expected 1 to 64 letters.*got 'a b'"),
        ({"where": "lable = x"}, 'got "lable"'),
        ({"cameras": ("a b",)}, "camera: expected 1 to 64 letters"),
    ],
)
def test_options_are_checked(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Carrier(Sink(), Reading(redis="redis://127.0.0.1:1", **options), threading.Event())


def test_the_command_that_lists_them_tells_health(
    server: RedisChild, until: Until, mirante: Run
) -> None:
    def listed(*name: str) -> Outcome:
        return mirante("bridge", "list", *name, "--redis", server.url)

    assert listed("sink").status == 1
    with carried(Sink(), server):
        until(lambda: (r := report(server, "sink")) and r.state == "running")
        outcome = listed("sink")
        assert outcome.status == 0, outcome.err
        assert "list://here" in outcome.out
    stopped = listed("sink")
    assert (stopped.status, "stopped" in stopped.out) == (1, True)
    assert listed().status == 0
