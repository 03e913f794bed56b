"""Each way in which Redis says no: its own words, no credentials in them, and recovery."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mirante
from mirante.keys import key
from plugins.outbox.outbox import Outbox
from tests.support.ports import free_port
from tests.support.redis_child import RedisChild
from tests.support.simulated_camera import frame

Until = Callable[..., Any]
PASSWORD = "s3cr3t-pw"
USER = "eavesdropper"  # in no word of a log and no name of a folder

pytestmark = pytest.mark.own_redis


@pytest.fixture
def open_outbox(until: Until, caplog: pytest.LogCaptureFixture) -> Any:
    """An outbox with a frame in it, watched until it says ``words`` and then mended."""
    caplog.set_level(logging.DEBUG)
    made: list[Outbox] = []

    def open_(url: str, words: str, mend: Callable[[], Any]) -> Outbox:
        outbox = Outbox(url)
        made.append(outbox)
        outbox.publish(frame(0))
        outbox.start()
        until(lambda: words in outbox.state.words)
        outbox.publish(frame(1))
        assert outbox.state.sent == {"gate": 0}
        mend()
        until(lambda: outbox.state.sent == {"gate": 2})
        until(lambda: outbox.state.words == "" and outbox.state.connected)
        assert outbox.state.lost == {"gate": 0}
        assert words in caplog.text
        assert PASSWORD not in caplog.text
        assert USER not in caplog.text
        return outbox

    yield open_
    for outbox in made:
        outbox.close(1)


def user(server: RedisChild, rules: str) -> None:
    """Sets rules of the user."""
    server.client().execute_command("ACL", "SETUSER", USER, *rules.split())


def with_user(server: RedisChild, password: str = PASSWORD) -> str:
    return server.url.replace("://", f"://{USER}:{password}@")


def test_wrong_password(server: RedisChild, open_outbox: Any) -> None:
    user(server, "on >other ~* &* +@all")
    open_outbox(
        with_user(server),
        "wrong user name or password",
        lambda: user(server, f">{PASSWORD}"),
    )


def test_a_password_is_asked_for(server: RedisChild, open_outbox: Any) -> None:
    keeper = server.client()
    keeper.config_set("requirepass", PASSWORD)
    keeper.auth(PASSWORD)
    open_outbox(
        server.url,
        "asks for a password and none is configured",
        lambda: keeper.config_set("requirepass", ""),
    )


@pytest.mark.parametrize("denied", ["-xadd", "-xinfo", "-expire", "resetkeys ~mirante:{yard}:*"])
def test_an_access_list(server: RedisChild, open_outbox: Any, denied: str) -> None:
    user(server, f"on >{PASSWORD} ~* &* +@all")
    user(server, denied)
    open_outbox(with_user(server), "no permission (ACL)", lambda: user(server, "~* +@all"))


def test_a_camera_without_permission_does_not_hold_up_another(
    server: RedisChild, until: Until
) -> None:
    user(server, f"on >{PASSWORD} ~mirante:{{yard}}:* &* +@all")
    outbox = Outbox(with_user(server))
    outbox.start()
    for number in range(20):
        outbox.publish(frame(number))
        outbox.publish(frame(number, camera="yard"))
    until(lambda: outbox.state.sent == {"gate": 0, "yard": 20})
    until(lambda: outbox.state.words.startswith("gate: Redis unix://***@"))
    outbox.close(0.3)


def test_a_read_only_replica(server: RedisChild, open_outbox: Any) -> None:
    client = server.client()
    client.replicaof("127.0.0.1", free_port())
    client.config_set("replica-serve-stale-data", "yes")
    open_outbox(server.url, "read-only replica", lambda: client.replicaof("NO", "ONE"))


def test_out_of_memory(server: RedisChild, open_outbox: Any) -> None:
    client = server.client()
    client.config_set("maxmemory", "1")
    open_outbox(server.url, "out of memory", lambda: client.config_set("maxmemory", "0"))


def test_out_of_memory_in_the_middle_loses_no_frame(server: RedisChild, until: Until) -> None:
    client = server.client()
    outbox = Outbox(server.url)
    outbox.start()
    for number in range(600):
        outbox.publish(frame(number))
        if number % 100 == 50:
            client.config_set("maxmemory", "1" if number // 100 % 2 == 0 else "0")
    client.config_set("maxmemory", "0")
    until(lambda: outbox.state.sent == {"gate": 600})
    assert client.xlen(key("gate", "detections")) == 600
    outbox.close()


def test_nothing_listens(folder: Path, open_outbox: Any) -> None:
    server = RedisChild(folder, port=free_port())
    open_outbox(server.url, "connection refused", server.start)
    server.kill()


def test_no_socket(folder: Path, open_outbox: Any) -> None:
    server = RedisChild(folder)
    open_outbox(server.url, "no such socket", server.start)
    server.kill()


def test_no_answer(server: RedisChild, open_outbox: Any) -> None:
    server.freeze(True)
    open_outbox(server.url, "does not answer", lambda: server.freeze(False))


def test_a_subscriber_with_a_wrong_password_is_told_at_once(server: RedisChild) -> None:
    user(server, "on >other ~* &* +@all")
    with pytest.raises(mirante.SubscribeError, match="wrong user name or password") as caught:
        next(mirante.subscribe("gate", redis=with_user(server)))
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_subscriber_without_permission_is_told_which(server: RedisChild) -> None:
    user(server, f"on >{PASSWORD} ~* &* +@all -xread")
    with pytest.raises(mirante.SubscribeError, match=r"no permission \(ACL\).*xread"):
        next(mirante.subscribe("gate", redis=with_user(server)))
