"""Addresses of several servers, and where a command of a cluster goes. No server runs."""

from __future__ import annotations

import gc
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from mirante.redis_url import RedisUrl
from mirante.servers.cluster import Cluster
from mirante.servers.connections import CLASSES, Pool
from mirante.servers.nodes import Nodes
from mirante.servers.several import Several
from mirante.servers.slots import REDIRECTS, Course, Node, Slots, slot_of, units

SECRET = "s3cr3t%2Fpw"
A, B, C = ("a", 1), ("b", 2), ("c", 3)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            f"redis+sentinel://bob:{SECRET}@h:1,[::1]:2,g/main?sentinel_password={SECRET}&db=3",
            "redis+sentinel://***@h:1,[::1]:2,g:26379/main",
        ),
        ("rediss+sentinel://h/my%20own?ssl_cert_reqs=none", "rediss+sentinel://h:26379/my%20own"),
        (f"redis+cluster://:{SECRET}@h:1,g", "redis+cluster://***@h:1,g:6379"),
        ("rediss+cluster://h:1/0?db=0", "rediss+cluster://h:1"),
    ],
)
def test_several_servers_are_shown_without_credentials(text: str, shown: str) -> None:
    url = RedisUrl(text)
    assert (str(url), f"{url!r}") == (shown, f"RedisUrl({shown!r})")
    said = url.explain(redis.RedisError(f"x {text}"))
    assert "s3cr3t" not in said
    assert "bob" not in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("redis+sentinel://h:1", "expected the name of the service.*/SERVICE"),
        ("redis+sentinel://h:1/", "expected the name of the service"),
        ("redis+sentinel://h:1/main/0", "expected the name of the service.*db=N"),
        ("redis+sentinel:///main", "expected host:port,host:port"),
        (f"redis+sentinel://bob:{SECRET}@h:1,/main", "expected host:port,host:port"),
        ("redis+sentinel://h:70000/main", "expected host:port"),
        (f"redis+sentinel://bob:a,{SECRET}/@h:1/main", "%2C"),
        ("redis+cluster://h:1/2", "a cluster has database 0 alone, got '2'"),
        ("redis+cluster://h:1?db=7", "a cluster has database 0 alone, got '7'"),
        ("redis+cluster://h:1?sentinel_password=s3cr3t", "is of redis.sentinel:// alone"),
        ("redis+clusters://h:1", "expected redis://.*redis.sentinel://.*redis.cluster://"),
    ],
)
def test_an_address_that_is_none_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        RedisUrl(text)
    assert "s3cr3t" not in str(caught.value)


def test_servers_and_sentinels_have_logins_of_their_own() -> None:
    several = Several(
        "rediss+sentinel://u:p%40@h:1,g:2/main?db=3&sentinel_username=s&sentinel_password=q%2F"
        "&ssl_ca_certs=ca.pem"
    )
    assert several.of_server(("x", 9)) == "rediss://u:p%40@x:9?db=3&ssl_ca_certs=ca.pem"
    sentinel = "rediss://s:q%2F@{}?ssl_ca_certs=ca.pem"
    assert several.of_sentinels() == [sentinel.format("h:1"), sentinel.format("g:2")]
    assert Several("redis+sentinel://u:p@h/m").of_sentinels() == ["redis://h:26379"]


@pytest.mark.parametrize(
    "command",
    [
        ("XADD", "mirante:{gate}:masks", "*"),
        ("XINFO STREAM", "mirante:{gate}:masks"),
        ("XINFO", "GROUPS", b"mirante:{gate}:masks"),
        ("EVALSHA", "sha", 2, "mirante:{gate}:owner", "mirante:{gate}:masks", "x"),
        ("XREAD", "COUNT", 1, "BLOCK", 5, "STREAMS", "mirante:{gate}:masks", "0"),
        ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "mirante:{gate}:masks", ">"),
        ("memory", "usage", "mirante:{gate}:masks"),
    ],
)
def test_a_command_goes_where_its_key_is(command: tuple[Any, ...]) -> None:
    assert slot_of(command) == key_slot(b"gate")


def test_commands_without_keys_go_anywhere() -> None:
    assert {slot_of(c) for c in [("PING",), ("INFO", "memory"), ("SCAN", 0), ("EXEC",)]} == {None}


def test_a_transaction_stays_together() -> None:
    made = list(units([("GET", "a"), ("MULTI",), ("GET", "gate"), ("EXEC",), ("PING",)]))
    assert [(unit.at, len(unit.commands), unit.slot) for unit in made] == [
        (0, 1, key_slot(b"a")),
        (1, 3, key_slot(b"gate")),
        (4, 1, None),
    ]


def slots(*spans: tuple[int, int, Node]) -> Slots:
    return Slots(
        [[first, last, [host.encode(), port, b"id"]] for first, last, (host, port) in spans], A
    )


def fly(course: Course, answer: Any) -> list[tuple[Node, tuple[Any, ...]]]:
    """Carry out a course; return what was sent to whom."""
    sent = []
    while parts := course.parts():
        for node, own in parts.items():
            wire = [command for unit in own for command in unit.wire]
            sent += [(node, command) for command in wire]
            course.answered(node, own, [answer(node, command) for command in wire])
    return sent


LOW, HIGH = "b", "a"  # their slots are 3300 and 15495
KNOWN = ((0, 8000, A), (8001, 16383, B))


def test_each_node_gets_its_own_and_replies_keep_their_order() -> None:
    course = Course(slots(*KNOWN), [("GET", HIGH), ("GET", LOW), ("SET", HIGH, 1)])
    sent = fly(course, lambda node, command: (node, command[0]))
    assert [node for node, _ in sent] == [B, B, A]
    assert course.replies == [(B, "GET"), (A, "GET"), (B, "SET")]


@pytest.mark.parametrize(
    "error",
    [redis.exceptions.MovedError("3300 c:3"), redis.ResponseError("MOVED 3300 c:3")],
    ids=["newer redis-py", "older"],
)
def test_a_moved_slot_is_followed_and_remembered(error: redis.RedisError) -> None:
    known = slots(*KNOWN)
    course = Course(known, [("MULTI",), ("GET", LOW), ("EXEC",), ("GET", HIGH)])
    sent = fly(course, lambda n, c: error if n == A and c[0] == "GET" else (n, c[0]))
    assert [node for node, _ in sent] == [A, A, A, B, C, C, C]
    assert course.replies == [(C, "MULTI"), (C, "GET"), (C, "EXEC"), (B, "GET")]
    assert course.stale
    assert known.owner(3300) == C


def test_an_asked_slot_is_followed_once() -> None:
    known = slots(*KNOWN)
    asked = redis.exceptions.AskError("3300 c:3")
    course = Course(known, [("GET", LOW)])
    sent = fly(course, lambda n, c: asked if n == A else b"7")
    assert sent == [(A, ("GET", LOW)), (C, ("ASKING",)), (C, ("GET", LOW))]
    assert course.replies == [b"7"]
    assert known.owner(3300) == A


def test_a_circle_of_redirects_ends() -> None:
    course = Course(slots(*KNOWN), [("GET", LOW)])
    sent = fly(course, lambda n, c: redis.exceptions.MovedError(f"3300 x:{n[1] % 2 + 1}"))
    assert len(sent) == REDIRECTS + 1
    assert isinstance(course.replies[0], redis.exceptions.MovedError)


def test_a_slot_that_nobody_has_has_an_error() -> None:
    course = Course(slots((8001, 16383, B)), [("GET", LOW), ("GET", HIGH)])
    fly(course, lambda n, c: n)
    assert "CLUSTERDOWN" in str(course.replies[0])
    assert course.replies[1] == B


def test_a_node_that_is_away_fails_its_own_commands_alone() -> None:
    course = Course(slots(*KNOWN), [("GET", LOW), ("GET", HIGH), ("PUBSUB", "NUMSUB", "x")])
    error = redis.ConnectionError("gone")
    for node, own in course.parts().items():
        if node == A:
            course.failed(own, error)
        else:
            course.answered(node, own, [B, [b"x", 2]])
    assert course.parts() == {}
    assert course.replies == [error, B, [b"x", 2]]


def test_listeners_of_all_nodes_are_summed_up() -> None:
    course = Course(slots(*KNOWN), [("PUBSUB", "NUMSUB", "x", "y")])
    fly(course, lambda n, c: [b"x", 1, b"y", n[1]])
    assert course.replies == [[b"x", 2, b"y", 3]]


def test_a_host_that_is_not_told_is_the_one_that_was_asked() -> None:
    for told in (b"", None, b"?"):
        assert Slots([[0, 16383, [told, 5, b"id"]]], A).owner(1) == ("a", 5)


def test_a_connection_that_another_thread_closes_is_a_broken_one() -> None:
    ours, theirs = socket.socketpair()
    connection: Any = CLASSES["redis"]()
    connection._sock = ours  # where redis-py looks first
    connection._parser.on_disconnect()
    with theirs, pytest.raises(redis.ConnectionError, match="closed"):
        connection.can_read(0)
    connection.disconnect()


def test_two_threads_that_ask_for_one_node_get_one_client() -> None:
    both = threading.Barrier(2)

    def connect(node: Node) -> redis.Redis:
        both.wait(60)  # each is connecting before the other has connected
        return redis.Redis(host=node[0], port=node[1])

    nodes = Nodes[redis.Redis]([A], connect)
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(nodes.client, [A, A])
    assert first is second
    assert nodes.clients() == [first]


class Unplugged(redis.Connection):
    """A connection to nothing, which remembers whether it was closed."""

    closed = demoted = False

    def connect(self) -> None:
        """Connect to nothing."""

    def can_read(self, *_args: Any, **_options: Any) -> bool:
        """Nothing ever comes."""
        return False

    def disconnect(self, *_args: Any, **_options: Any) -> None:
        """Remember it."""
        self.closed = True


class Shrunk(Cluster):
    """A cluster that a node has left."""

    def _send(self, node: Node, _commands: object) -> Any:
        reply = [[0, 16383, [b"a", 1, b"id"]]]
        return SimpleNamespace(land=lambda: [reply])


def test_a_node_that_leaves_is_forgotten_and_what_is_in_use_is_closed_later() -> None:
    pools = {node: Pool(connection_class=Unplugged) for node in (A, B)}
    cluster = Shrunk([A], lambda node: redis.Redis.from_pool(pools[node]))
    cluster._nodes.client(B)
    held: list[Any] = [pools[B].get_connection(), pools[B].get_connection()]
    idle, used = held
    pools[B].release(idle)
    cluster._read_slots()
    gc.collect()
    assert len(cluster._nodes.clients()) == 1
    assert (idle.closed, used.closed) == (True, False)
    pools[B].release(used)
    assert used.closed, "nobody will close it later"
