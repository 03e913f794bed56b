"""Webhooks to a real HTTP server: one that is away, slow, refuses, redirects, or speaks TLS."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridges.reading import Reading
from bridges.webhook.delivery import HookBridge
from bridges.webhook.given import Given
from bridges.webhook.posting import Answer
from bridges.webhook.running import hooks_of
from mirante.keys import bridge_key, key
from pipeline.config.messages import ConfigError
from pipeline.control.rpc import NoAnswerError, ask_bridge
from tests.support.bridged import event, report, write
from tests.support.hooked import hooked
from tests.support.outcome import Run
from tests.support.ports import free_port
from tests.support.receiver import Received, Receiver, Reply, receiving
from tests.support.redis_child import RedisChild

Until = Callable[..., Any]
JPEG = b"\xff\xd8 an image \xff\xd9"


def ids(*numbers: int, camera: str = "gate") -> list[str]:
    return [f"{camera}-{number}" for number in numbers]


def dead(server: RedisChild, hook: str) -> list[tuple[str, str]]:
    """The dead letters of a hook: the event's ID, and why."""
    entries: Any = server.client().xrange(bridge_key(f"webhook-{hook}", "dead"))
    return [(json.loads(f[b"json"])["id"], f[b"words"].decode()) for _, f in entries]


def test_each_address_gets_its_own_events_once_and_goes_on_where_it_stopped(
    server: RedisChild, folder: Path, until: Until
) -> None:
    with receiving() as all_of_it, receiving() as some:
        some_hook: dict[str, Any] = {"url": some.url, "cameras": ["yard*"], "where": "label = car"}
        hooks = {"all": {"url": f"{all_of_it.url}/x?y=1"}, "some": some_hook}
        with hooked(server.url, folder, **hooks):
            for number in range(3):
                write(server, event(number), number)
                write(server, event(number, "yard", label="car"), number)
            write(server, event(3, "yard"), 3)
            until(lambda: len(all_of_it.got) == 7 and len(some.got) == 3)
            until(lambda: (r := report(server, "webhook-all")) and r.delivered == 7 and not r.lag)
        assert some.ids == ids(0, 1, 2, camera="yard")
        assert [each for each in all_of_it.ids if "gate" in each] == ids(0, 1, 2)
        assert [each for each in all_of_it.ids if "yard" in each] == ids(0, 1, 2, 3, camera="yard")
        assert all_of_it.got[0].path == "/x?y=1"
        write(server, event(4), 4)
        with hooked(server.url, folder, **hooks):
            until(lambda: len(all_of_it.got) == 8)
        assert all_of_it.ids[7:] == ids(4)
        told = report(server, "webhook-some")
        assert told is not None
        assert (told.target, told.state, told.lag) == (some.url, "stopped", 0)


def test_one_that_is_down_gets_all_of_it_later_in_order(
    server: RedisChild, folder: Path, until: Until
) -> None:
    """Refused connections, then 503 and 429, then taken: the same IDs each time."""
    receiver, port = Receiver(), free_port()
    hook = {"url": f"http://127.0.0.1:{port}"}
    with hooked(server.url, folder, a=hook):
        for number in range(100):
            write(server, event(number), number)
        told = until(  # it may be away before all are written
            lambda: (r := report(server, "webhook-a")) and (r.state, r.lag) == ("away", 100) and r
        )
        assert told.dead == 0
        assert "refused" in told.words
        receiver.replies.extend([Reply(503), Reply(429), Reply(500), Reply(408)])
        with receiving(receiver, port=port):
            until(lambda: len(receiver.got) == 100)
    assert receiver.ids == ids(*range(100))
    assert [each.headers["ce-id"] for each in receiver.tries[:5]] == ids(0) * 5


def test_an_event_that_is_never_taken_holds_its_own_camera_alone(
    server: RedisChild, folder: Path, until: Until
) -> None:
    """Far more than a lane holds waits behind it, and what is taken is not sent again."""

    def usual(got: Received) -> Reply:
        is_poison = got.headers["ce-id"] == "gate-0" and is_down.is_set()
        return Reply(503, (("retry-after", "0"),)) if is_poison else Reply()

    is_down = threading.Event()
    is_down.set()
    with receiving() as receiver:
        receiver.usual = usual
        for number in range(80):
            write(server, event(number), number)
        with hooked(server.url, folder, a={"url": receiver.url}):
            until(lambda: len(receiver.tries) > 3)
            for number in range(80):
                write(server, event(number, "yard"), number)
            until(lambda: receiver.ids == ids(*range(80), camera="yard"))
            told = until(
                lambda: (
                    (r := report(server, "webhook-a")) and (r.lag, r.delivered) == (80, 80) and r
                )
            )
            assert told.state == "away"
            assert told.words == "gate: 503 Service Unavailable: ok"
            [pending] = server.client().xinfo_groups(key("gate", "events"))
            assert 32 <= pending["pending"] <= 48, "the rest is not read"
            until(
                lambda: server.client().info("clients")["blocked_clients"]
            )  # it asks no more often
            is_down.clear()
            until(lambda: (r := report(server, "webhook-a")) and r.state == "running" and not r.lag)
    assert receiver.ids[80:] == ids(*range(80))


def test_cameras_that_wait_for_their_next_try_hold_up_none_however_many_they_are(
    server: RedisChild, folder: Path, until: Until
) -> None:
    many = 80

    def usual(got: Received) -> Reply:
        is_ill = got.headers["ce-id"].startswith("gate")
        return Reply(503, (("retry-after", "600"),)) if is_ill else Reply()

    with receiving() as receiver:
        receiver.usual = usual
        for number in range(many):
            write(server, event(0, f"gate{number}"), number)
        with hooked(server.url, folder, a={"url": receiver.url}):
            until(lambda: len(receiver.tries) == many)
            write(server, event(0, "yard"), 0)
            until(lambda: receiver.ids == ids(0, camera="yard"))


def test_an_event_that_is_given_up_takes_none_along_while_others_are_taken(
    server: RedisChild, folder: Path, until: Until
) -> None:
    """What comes behind it has its own time."""
    with receiving() as receiver:
        once = {"gate-1"}

        def usual(got: Received) -> Reply:
            name = got.headers["ce-id"]
            fails = name == "gate-0" or name in once
            once.discard(name)
            return Reply(500 if fails else 200)

        receiver.usual = usual
        with hooked(server.url, folder, a={"url": receiver.url, "give_up_s": 1}):
            write(server, event(0), 0)
            until(lambda: len(receiver.tries) > 1)  # and so it is known to fail
            write(server, event(0, "yard"), 0)
            until(lambda: receiver.ids == ids(0, camera="yard"))
            write(server, event(1), 1)
            until(lambda: "gate-1" in receiver.ids)
            assert not once
    [(_, words)] = dead(server, "a")
    assert words.startswith("500 Internal Server Error: ok; nothing of gate was taken for ")


def test_what_is_on_its_way_at_the_end_does_not_come_again(
    server: RedisChild, folder: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, close = threading.Event(), HookBridge.close

    def answer_late(bridge: HookBridge) -> None:
        until(lambda: bridge._over)
        time.sleep(0.5)  # an end that did not wait would be over before the answer
        go.set()

    def closing(bridge: HookBridge) -> None:
        answers = threading.Thread(target=answer_late, args=(bridge,))
        answers.start()
        close(bridge)
        answers.join()

    monkeypatch.setattr(HookBridge, "close", closing)
    with receiving() as receiver:
        receiver.usual = lambda _got: Reply(after=go)
        for number in range(3):
            write(server, event(number), number)
            write(server, event(number, "yard"), number)
        with hooked(server.url, folder, a={"url": receiver.url}):
            until(lambda: len(receiver.tries) == 2)
        assert sorted(receiver.ids) == ["gate-0", "yard-0"]
        told = report(server, "webhook-a")
        assert told is not None
        assert (told.delivered, told.lag) == (2, 4)
        with hooked(server.url, folder, a={"url": receiver.url}):
            until(lambda: len(receiver.got) == 6)
    for camera in ("gate", "yard"):
        assert [each for each in receiver.ids if camera in each] == ids(0, 1, 2, camera=camera)


def test_a_mistake_of_ours_is_not_silent(
    server: RedisChild, folder: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Answer:
        raise KeyError("a mistake")

    monkeypatch.setattr(HookBridge, "send_once", broken)
    write(server, event(0), 0)
    hook = {"url": "http://127.0.0.1:1"}
    with pytest.raises(RuntimeError, match="a mistake"), hooked(server.url, folder, a=hook):
        until(lambda: (r := report(server, "webhook-a")) and r.state == "failed")


def test_a_slow_address_holds_no_other_and_a_camera_no_other(
    server: RedisChild, folder: Path, until: Until
) -> None:
    go = threading.Event()
    with receiving() as slow, receiving() as quick:
        slow.usual = lambda got: Reply(after=go if got.headers["ce-id"] == "gate-0" else None)
        with hooked(server.url, folder, slow={"url": slow.url}, quick={"url": quick.url}):
            write(server, event(0), 0)
            write(server, event(0, "yard"), 0)
            until(lambda: slow.tries)
            for number in range(1, 20):
                write(server, event(number), number)
            until(lambda: len(quick.got) == 21)
            assert "gate-0" not in slow.ids
            go.set()
            until(lambda: len(slow.got) == 21)
        assert [each for each in slow.ids if "gate" in each] == ids(*range(20))


def test_what_is_refused_for_good_is_kept_shown_and_sent_again_when_told(
    server: RedisChild, folder: Path, until: Until, mirante: Run
) -> None:
    with receiving() as receiver:
        receiver.replies.append(Reply(400, body=b"no such <thing>"))
        receiver.replies.append(Reply(301, (("location", f"{receiver.url}/elsewhere"),)))
        with hooked(server.url, folder, a={"url": receiver.url}):
            for number in range(3):
                write(server, event(number), number)
            until(lambda: receiver.ids == ids(2))
            until(lambda: (r := report(server, "webhook-a")) and r.dead == 2)
        assert len(receiver.tries) == 3, "neither tried again nor redirected"
        (first, why), (second, where) = dead(server, "a")
        assert (first, why) == ("gate-0", "400 Bad Request: no such <thing>")
        assert second == "gate-1"
        assert where.startswith("301 Moved Permanently; redirects are not followed")

        command = ["bridge", "webhook", "--hooks", str(folder / "hooks.yaml")]
        command += ["--redis", server.url]
        shown = mirante(*command, "--dead")
        assert shown.status == 0, shown.err
        assert shown.out.splitlines()[0].split("  ")[2:] == ["gate", "zone-entered", first, why]
        receiver.replies.append(Reply(400))
        again = mirante(*command, "--redeliver")
        assert "1 delivered, 1 refused again and kept" in again.out
        assert receiver.ids == ids(2, 1)
        assert [each for each, _ in dead(server, "a")] == ["gate-0"]
        receiver.replies.append(Reply(503))
        again = mirante(*command, "--redeliver")
        assert (again.status, "webhook-a: 0 delivered; then: 503" in again.err) == (1, True)
        assert len(dead(server, "a")) == 1


def test_failures_that_last_make_dead_letters_until_something_is_taken(
    server: RedisChild, folder: Path, until: Until
) -> None:
    with receiving() as receiver:
        receiver.usual = lambda _got: Reply(500)
        with hooked(server.url, folder, a={"url": receiver.url, "give_up_s": 0.2}):
            for number in range(3):
                write(server, event(number), number)
            until(lambda: len(dead(server, "a")) == 3)
            receiver.usual = lambda _got: Reply()
            write(server, event(3), 3)
            until(lambda: receiver.got)
    (_, words), *_ = dead(server, "a")
    assert words.startswith("500 Internal Server Error: ok; nothing of gate was taken for ")
    assert receiver.ids == ids(3)


def test_a_receiver_that_asks_to_wait_is_not_asked_before(
    server: RedisChild, folder: Path, until: Until
) -> None:
    asked = list[float]()
    with receiving() as receiver:

        def usual(_got: object) -> Reply:
            asked.append(time.monotonic())
            return Reply(429, (("retry-after", "1"),)) if len(asked) == 1 else Reply()

        receiver.usual = usual
        with hooked(server.url, folder, a={"url": receiver.url}):
            write(server, event(0), 0)
            until(lambda: receiver.got)
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 1


def test_an_image_goes_along(server: RedisChild, folder: Path, until: Until) -> None:
    with receiving() as receiver:
        write(server, event(0, image=True), 0, JPEG)
        write(server, event(1, image=True), 1)  # its image was trimmed already
        with hooked(server.url, folder, a={"url": receiver.url, "image": "attach"}):
            until(lambda: len(receiver.got) == 2)
    with_image, without = receiver.got
    assert with_image.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert JPEG in with_image.body
    assert without.headers["content-type"] == "application/json"


def test_a_test_is_sent_by_the_bridge_and_by_the_command(
    server: RedisChild, folder: Path, until: Until, mirante: Run
) -> None:
    client = server.client()
    with pytest.raises(NoAnswerError, match='"webhook-a" is not running'):
        ask_bridge(client, "hook", "webhook-a", {}, 5)
    with receiving() as receiver:
        receiver.usual = lambda _got: Reply(403, body=b"who\n are you?")
        with hooked(server.url, folder, a={"url": receiver.url}):
            until(lambda: report(server, "webhook-a"))
            told = json.loads(ask_bridge(client, "hook", "webhook-a", {}, 60))
        assert (told["status"], told["head"], told["taken"]) == (403, "who are you?", False)
        assert told["words"] == "403 Forbidden: who are you?"
        sent = json.loads(receiver.tries[0].body)
        assert (sent["kind"], sent["camera"]) == ("test", "test")
        assert receiver.tries[0].headers["ce-type"] == "mirante.test"
        receiver.usual = lambda _got: Reply()
        command = ("bridge", "webhook", receiver.url, "--test", "--redis", server.url)
        assert f"webhook  {receiver.url}  200 OK  " in mirante(*command).out


def test_tokens_in_addresses_are_logged_nowhere(
    server: RedisChild, folder: Path, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving() as receiver:
        receiver.replies.append(Reply(500))
        receiver.replies.append(Reply(400))
        with hooked(server.url, folder, a={"url": f"{receiver.url}/hunter2"}):
            write(server, event(0), 0)
            write(server, event(1), 1)
            until(lambda: receiver.got)
            until(lambda: (r := report(server, "webhook-a")) and r.dead == 1)
    assert "webhook-a" in caplog.text
    assert "hunter2" not in caplog.text
    assert "hunter2" not in str(report(server, "webhook-a"))


def test_a_file_and_options_do_not_mix(tmp_path: Path, mirante: Run) -> None:
    file = tmp_path / "hooks.yaml"
    file.write_text("hooks: {a: {url: 'http://h/'}}")
    wrong: tuple[tuple[list[str], str], ...] = (
        ([], "expected a URL, or --hooks FILE"),
        (["http://h/", "--hooks", str(file)], "a URL: expected it in the file of --hooks"),
        (["--hooks", str(file), "--where", "label = a"], "--where: expected each hook's own"),
        (["--hooks", str(file), "--camera", "a"], "--camera: expected each hook's own"),
        (["ftp://h/"], "hooks.webhook.url: "),
        (["http://h/", "--links", "https://d"], "--links: expected --image link with it"),
        (["http://h/", "--preset", "telegram"], "expected a chat for telegram"),
        (["http://h/", "--where", "labl = x"], "expected a field of events"),
    )
    for arguments, words in wrong:
        done = mirante("bridge", "webhook", "--redis", "redis://127.0.0.1:1", *arguments)
        assert (done.status, words in done.err) == (2, True), done.err
    with pytest.raises(ConfigError):
        hooks_of(Given(url="http://h/", image="link"), Reading())
