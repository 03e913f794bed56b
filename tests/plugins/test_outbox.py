"""The outbox on a real server: what stands in the streams, and in which order."""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mirante import Counts, Mask, Status
from mirante.keys import Kind, key
from mirante.wire import WireError
from plugins.outbox.outbox import Outbox
from plugins.outbox.retention import Retention
from plugins.outbox.ring import HELD
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries
from tests.support.simulated_camera import LANES, frame

Until = Callable[..., Any]
DETECTIONS = key("gate", "detections")
DOT = Mask.from_planes(("dot",), np.ones((1, 1, 1), bool), (0, 0, 1, 1), "n")


def ids(server: RedisChild, kind: Any = "detections") -> list[tuple[int, int]]:
    found = entries(server.client(), key("gate", kind))
    return [(int(i.split(b"-")[0]), int(i.split(b"-")[1])) for i, _ in found]


def sent(outbox: Outbox, camera: str = "gate") -> int:
    return outbox.state.sent.get(camera, 0)


def test_an_entry_of_each_kind(server: RedisChild, outbox: Outbox, until: Until) -> None:
    result = frame(7, masks=(LANES,))
    outbox.publish(result)
    outbox.status(Status(camera="gate", state="running", reason="ok", ts=time.time(), since=1.0))
    until(lambda: server.client().exists(key("gate", "status")) and sent(outbox))
    [(name, fields)] = entries(server.client(), DETECTIONS)
    assert name == b"%d-7" % (result.captured_ns // 1_000_000)
    assert fields.keys() == {b"json", b"sent"}
    assert 0 <= float(fields[b"sent"]) - result.captured_ns / 1e9 < 10
    message = json.loads(fields[b"json"])
    assert (message["seq"], message["masks"], len(message["objects"])) == (7, 1, 3)
    [(masks_name, masks)] = entries(server.client(), key("gate", "masks"))
    assert masks_name == name
    assert masks.keys() == {b"json", b"sent", b"m0"}
    [(_, status)] = entries(server.client(), key("gate", "status"))
    assert json.loads(status[b"json"])["state"] == "running"
    assert server.client().ttl(DETECTIONS) > 80_000


def test_ids_never_fall(server: RedisChild, outbox: Outbox, until: Until) -> None:
    base_ns = time.time_ns()
    steps_ms = [0, 33, 20, -500, 40, 40]  # a camera's clock that is set back
    for number, step_ms in enumerate(steps_ms):
        outbox.publish(frame(number, captured_ns=base_ns + step_ms * 1_000_000))
    for number in range(3):  # the camera was added again: it counts from 0
        outbox.publish(frame(number, epoch=2_000, captured_ns=base_ns + 40_000_000))
    until(lambda: sent(outbox) == 9)
    found = ids(server)
    assert found == sorted(set(found))
    assert [number for _, number in found] == [0, 1, 2, 3, 4, 5, 0, 1, 2]


def test_a_stream_of_an_earlier_run_with_a_later_clock(server: RedisChild, until: Until) -> None:
    ahead_ms = int(time.time() * 1000) + 3_600_000
    server.client().xadd(DETECTIONS, {"json": "{}"}, id=f"{ahead_ms}-900")
    outbox = Outbox(server.url)
    for number in range(5):
        outbox.publish(frame(number, masks=(LANES,)))
    outbox.start()
    until(lambda: sent(outbox) == 5)
    outbox.publish(frame(5))
    until(lambda: sent(outbox) == 6)
    assert outbox.state.refused == {"gate": 0}
    assert ids(server)[1:] == [(ahead_ms + 1, number) for number in range(6)]
    assert ids(server, "masks") == ids(server)[1:6]
    outbox.close()


def test_another_publisher_is_noticed_and_counted(
    server: RedisChild, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    lost: list[int] = []
    outbox = Outbox(server.url, on_lost=lambda camera, frames: lost.append(frames))
    outbox.start()
    outbox.publish(frame(0))
    until(lambda: sent(outbox) == 1)
    ahead_ms = int(time.time() * 1000) + 60_000
    server.client().xadd(DETECTIONS, {"json": "{}"}, id=f"{ahead_ms}-0")
    for number in (1, 2):
        outbox.publish(frame(number))
    until(lambda: sum(lost) == 2)
    until(lambda: "another publisher" in outbox.state.words)
    assert outbox.state.refused == outbox.state.lost == {"gate": 2}
    assert "another publisher writes its streams" in caplog.text
    outbox.publish(frame(3, captured_ns=(ahead_ms + 5) * 1_000_000))
    until(lambda: sent(outbox) == 2)
    until(lambda: outbox.state.words == "")
    outbox.close()


@pytest.mark.own_redis
def test_an_answer_that_was_lost_is_not_taken_for_another_publisher(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    """The server stands still with a batch in its socket: it is asked again, and has it already."""
    outbox.publish(frame(0))
    until(lambda: sent(outbox) == 1)
    server.freeze(True)
    for number in range(1, 200):
        outbox.publish(frame(number))
    until(lambda: "does not answer" in outbox.state.words)
    server.freeze(False)
    until(lambda: sent(outbox) == 200)
    assert [number for _, number in ids(server)] == list(range(200))
    assert outbox.state.refused == outbox.state.lost == {"gate": 0}


@pytest.mark.own_redis
def test_data_that_redis_lost_are_sent_again(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    for number in range(50):
        outbox.publish(frame(number, masks=(LANES,)))
    until(lambda: sent(outbox) == 50)
    before = ids(server)
    server.kill()
    outbox.publish(frame(50))
    until(lambda: not outbox.state.connected)
    server.start()
    until(lambda: len(ids(server)) == 51)
    assert ids(server)[:50] == before
    assert ids(server, "masks") == before
    assert outbox.state.lost == {"gate": 0}


def test_a_key_of_another_type_holds_up_only_its_camera(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    server.client().set(DETECTIONS, "something else")
    outbox.publish(frame(0))
    outbox.publish(frame(0, camera="yard"))
    until(lambda: sent(outbox, "yard") == 1)
    until(lambda: "gate" in outbox.state.words and "no stream" in outbox.state.words)
    assert sent(outbox) == 0
    server.client().delete(DETECTIONS)
    until(lambda: sent(outbox) == 1)
    until(lambda: outbox.state.words == "")


@pytest.mark.parametrize("rate_hz", [50, 400])
def test_streams_are_bounded_by_time_whatever_the_rate(
    server: RedisChild, until: Until, rate_hz: int
) -> None:
    retention = Retention(detections_s=1.0, masks_s=0.5)
    outbox = Outbox(server.url, retention)
    outbox.start()
    begun_s, number = time.monotonic(), 0
    last_s = pause_s = 0.0  # a busy machine pauses the test
    while (elapsed_s := time.monotonic() - begun_s) < 3:
        last_s, pause_s = elapsed_s, max(pause_s, elapsed_s - last_s)
        if number < elapsed_s * rate_hz:
            outbox.publish(frame(number, masks=(DOT,)))
            number += 1
        else:
            time.sleep(0.001)
    until(lambda: sent(outbox) == number)
    client = server.client()
    keeps_s: dict[Kind, float] = {"detections": 1.0, "masks": 0.5}
    for kind, keep_s in keeps_s.items():
        (oldest, _), *_, (_, newest) = found = entries(client, key("gate", kind))
        # As old as it was when the last was sent, which a busy machine does late.
        age_s = float(newest[b"sent"]) - int(oldest.split(b"-")[0]) / 1000
        assert age_s > keep_s * 0.8 - pause_s, "trimmed too early"
        assert age_s < keep_s + 0.8 + pause_s, "kept for too long"
        assert len(found) < rate_hz * (keep_s + 0.8 + pause_s)
    outbox.close()


def test_trimming_goes_on_when_ids_stand_still(server: RedisChild, until: Until) -> None:
    """IDs hang on an earlier run whose clock was an hour ahead: age is not read from them."""
    ahead_ms = int(time.time() * 1000) + 3_600_000
    server.client().xadd(DETECTIONS, {"json": "{}"}, id=f"{ahead_ms}-900")
    outbox = Outbox(server.url, Retention(detections_s=0.5, masks_s=0.5))
    outbox.start()
    for number in range(400):
        outbox.publish(frame(number))
        time.sleep(0.005)
    until(lambda: sent(outbox) == 400)
    assert server.client().xlen(DETECTIONS) < 250
    outbox.close()


def test_close_sends_what_is_left(server: RedisChild) -> None:
    outbox = Outbox(server.url)
    for number in range(300):
        outbox.publish(frame(number))
    outbox.start()
    assert outbox.close(60) == 0
    assert len(ids(server)) == 300


def test_close_without_redis_counts_what_is_left(folder: Any) -> None:
    lost: dict[str, int] = {}
    outbox = Outbox(f"unix://{folder}/none", on_lost=lost.__setitem__)
    outbox.start()
    for number in range(20):
        outbox.publish(frame(number))
    assert outbox.close(0.3) == 20
    assert lost == outbox.state.lost == {"gate": 20}
    outbox.publish(frame(20))
    assert outbox.state.lost == {"gate": 21}


def test_states_outlast_the_ring(folder: Any, until: Until) -> None:
    server = RedisChild(folder)
    outbox = Outbox(server.url, ring_s=0.2)
    outbox.start()
    for attempt in range(5):
        outbox.status(
            Status(camera="gate", state="reconnecting", reason="refused", ts=1.0, since=1.0)
            if attempt
            else Status(camera="gate", state="connecting", reason="", ts=1.0, since=1.0)
        )
        outbox.publish(frame(attempt))
    until(lambda: outbox.state.lost == {"gate": 5})
    server.start()
    until(lambda: server.client().xlen(key("gate", "status")) == 5)
    outbox.close()
    server.kill()


def test_bytes_bound_the_ring_too(folder: Any) -> None:
    lost: dict[str, int] = {}

    def on_lost(camera: str, frames: int) -> None:
        lost[camera] = lost.get(camera, 0) + frames

    outbox = Outbox(f"unix://{folder}/none", ring_bytes=100_000, on_lost=on_lost)
    for number in range(200):
        outbox.publish(frame(number, camera=("gate", "yard")[number % 2]))
    kept = outbox.state.depth
    assert 30 < kept < 100
    assert lost["gate"] + lost["yard"] == 200 - kept
    assert abs(lost["gate"] - lost["yard"]) <= 1
    outbox.close(0.1)


def test_what_cannot_be_written_is_the_callers_to_count(folder: Any) -> None:
    outbox = Outbox(f"unix://{folder}/none")
    with pytest.raises(WireError, match="encoding"):
        outbox.publish(frame(0, masks=(LANES,)), "gif")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="camera: expected"):
        outbox.publish(frame(0, camera="a b"))
    assert outbox.state.lost == {}


def test_pictures_go_out_only_while_watched(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    assert not outbox.watched("gate")
    listener = server.client().pubsub(ignore_subscribe_messages=True)
    listener.subscribe(key("gate", "preview"))
    listener.get_message(timeout=1)
    until(lambda: outbox.watched("gate"))
    assert not outbox.watched("yard")
    outbox.preview("gate", b"\xff\xd8jpeg", {"seq": 7, "size": [1280, 720]})
    message = until(lambda: listener.get_message(timeout=0.1))["data"]
    length = int.from_bytes(message[:4], "big")
    assert json.loads(message[4 : 4 + length]) == {"seq": 7, "size": [1280, 720]}
    assert message[4 + length :] == b"\xff\xd8jpeg"
    listener.close()
    until(lambda: not outbox.watched("gate"))


def test_counts_reach_the_message_as_they_are(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    counts = Counts(20, 11, {"rate": 5, "queue": 3}, 1)
    outbox.publish(frame(19, counts=counts))
    until(lambda: sent(outbox) == 1)
    [(_, fields)] = entries(server.client(), DETECTIONS)
    found = json.loads(fields[b"json"])["counts"]
    assert found == {
        "decoded": 20,
        "published": 11,
        "dropped": {"rate": 5, "queue": 3},
        "failed": 1,
        "damaged": 0,
        "skipped": {},
    }


def test_what_is_sent_at_once_is_bounded(server: RedisChild, until: Until) -> None:
    """A slow network takes a part of what waits in the time that one command has."""
    noise = np.random.default_rng(1).random((1, 1000, 2000)) > 0.5
    mask = Mask.from_planes(("noise",), noise, (0, 0, 1280, 720), "n")  # 250 kB
    outbox = Outbox(server.url)
    for number in range(24):
        outbox.publish(frame(number, masks=(mask,)))
    server.client().config_resetstat()
    outbox.start()
    until(lambda: sent(outbox) == 24)
    outbox.close()
    assert server.client().info("commandstats")["cmdstat_evalsha"]["calls"] >= 5
    assert [number for _, number in ids(server)] == list(range(24))


def test_a_frame_of_more_masks_than_a_script_takes_is_refused(
    server: RedisChild, outbox: Outbox, until: Until
) -> None:
    with pytest.raises(WireError, match="expected up to 3000 fields of an entry, got 3001"):
        outbox.publish(frame(0, masks=(DOT,) * 3000))
    outbox.publish(frame(1, masks=(DOT,) * 2999))
    until(lambda: sent(outbox) == 1)
    until(lambda: outbox.state.words == "")  # told behind the number


def test_results_that_may_wait_go_together_and_others_take_them_along(
    server: RedisChild, outbox: Outbox, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.outbox.ring.HOLD_S", 3600.0)
    outbox.publish(frame(0))
    until(lambda: outbox.state.depth == 0)
    for number in range(1, HELD):
        outbox.publish(frame(number), holds=True)
    outbox.publish(frame(0, camera="yard"))
    until(lambda: sent(outbox, "yard") == 1 and sent(outbox) == HELD)
    outbox.publish(frame(HELD), holds=True)
    turn, turns = outbox._sender._turn, list[None]()
    monkeypatch.setattr(outbox._sender, "_turn", lambda: turns.append(turn()))
    until(lambda: len(turns) >= 3)
    assert sent(outbox) == HELD, "the sender has looked, and it still may wait"
    for number in range(1, HELD):
        outbox.publish(frame(HELD + number), holds=True)
    until(lambda: sent(outbox) == 2 * HELD)
    outbox.publish(frame(2 * HELD), holds=True)
    assert outbox.close(60) == 0
    assert len(ids(server)) == 2 * HELD + 1
