"""What the documents let each role do in Redis is enough for it, and no more, on each server."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from websockets.sync.client import connect as open_socket

import mirante
from mirante.counts import Digits
from mirante.events import Event
from mirante.keys import WORKERS, bridge_key, counts_key, key, memory_key
from mirante.redis_url import RedisUrl
from mirante.trails import Trail
from pipeline.config.settings import Settings
from pipeline.control.registry import Registry, connect
from pipeline.control.reports import reports
from pipeline.worker.worker import Worker
from plugins.outbox.outbox import Outbox
from tests.support import ROOT
from tests.support.api_server import Bench, serving
from tests.support.bridged import Refusing, carried, report, write
from tests.support.outcome import Run
from tests.support.ports import free_port
from tests.support.redis_child import RedisChild
from tests.support.redis_fixtures import until
from tests.support.redis_kinds import USUAL, program
from tests.support.redis_sites import SentinelSite, asked, eventually
from tests.support.running_worker import running
from tests.support.simulated_camera import LANES, frame

__all__ = ["until"]
pytestmark = pytest.mark.redis

STREAM = key("gate", "detections")
PAGES = ("docs/subscribing.md", "docs/security.md")
LINES = [
    line
    for page in PAGES
    for line in re.findall(r"^ACL SETUSER .*$", (ROOT / page).read_text(), re.M)
]
ROLES = {line.split()[2] for line in LINES}


class Site:
    """A server of one kind with a user for each role."""

    def __init__(self, kind: str, folder: Path, *options: str, port: int = 0) -> None:
        self.kind = kind
        self.server = RedisChild(folder, *options, port=port, program=program(kind)).start()
        self.owner = self.server.client()
        lines = {line.split()[2]: line for line in (LINES if kind == "redis-6.2" else LINES[::-1])}
        for line in lines.values():
            self.owner.execute_command(*line.split())

    def url(self, role: str) -> str:
        return self.server.url.replace("://", f"://{role}:PASSWORD@")

    @contextmanager
    def used_by(self, role: str) -> Iterator[str]:
        """Give the role's address, and see that it was refused nothing."""
        self.owner.execute_command("ACL", "LOG", "RESET")
        yield self.url(role)
        refused = [e for e in self.owner.acl_log(128) if e["username"] == role]
        if self.kind == "redis-6.2" and role == "dashboard":  # its audit log is a file alone there
            refused = [e for e in refused if e["object"] != "xadd"]
        assert [(e["reason"], e["context"], e["object"]) for e in refused] == []


@pytest.fixture(scope="module", params=USUAL)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="mr") as short:
        made = Site(request.param, Path(short))
        yield made
        made.server.kill()


def test_every_role_is_documented_and_tested() -> None:
    assert set(FORBIDDEN) == ROLES
    assert len(LINES) == len(ROLES) + 1  # the dashboard's for Redis 6.2
    assert "%R~" not in LINES[-1]


def test_a_publisher_publishes(site: Site, until: Callable[..., Any]) -> None:
    site.owner.flushdb()
    with site.used_by("publisher") as url:
        for first in (0, 3):  # begun anew it measures the streams that are there
            outbox = Outbox(url)
            outbox.start()
            for number in range(first, first + 3):
                outbox.publish(frame(number, masks=(LANES,)))
            assert outbox.recall("gate", 60) is not None
            event = Event(id=f"e{first}", camera="gate", kind="camera-lost", ts=1.0)
            counts = [Digits(counts_key("gate", "2026-11-29"), "new||person", 3, "1")]
            outbox.events("gate", first, [event], {event.id: b"jpeg"}, {"track": b""}, counts)
            outbox.trail("gate", Trail(first, (4, 3), [0], [0], [], [], *[b""] * 5))
            until(lambda made=outbox: made.state.sent.get("gate") == 3 and not made.state.depth)
            streams = (key("gate", "images"), key("gate", "tracks"))
            written = (*streams, memory_key("gate"), counts[0].key)
            assert site.owner.exists(*written) == len(written)
            assert outbox.state.words == ""
            outbox.close(2)
        outbox = Outbox(url)
        outbox.start()
        channel = site.server.client().pubsub()
        channel.subscribe(key("gate", "preview"))
        until(lambda: outbox.watched("gate"))
        channel.close()
        outbox.close(2)
        assert outbox.state.words == ""


def test_a_viewer_looks(site: Site, mirante: Run) -> None:
    publish(site)
    with site.used_by("viewer") as url:
        look(url, mirante)


def look(url: str, mirante: Run) -> None:
    """All that a viewer does, the page's examples of redis-cli among it."""
    assert frames(url, kinds=("detections", "masks", "status"))
    for name in ("*", "gate"):  # a name is looked for among the cameras, a pattern is not
        outcome = mirante("tail", name, "--count", "1", "--since", "60", "--redis", url)
        assert outcome.status == 0, outcome.err
    client = RedisUrl(url).client()
    examples = re.findall(r"^redis-cli (X.*)$", (ROOT / "docs/subscribing.md").read_text(), re.M)
    assert len(examples) >= 4
    for example in examples:
        plain = re.sub(r"\$\(.*\)", "-", example).replace("BLOCK 5000", "BLOCK 1")
        client.execute_command(*(word.strip("'") for word in plain.split()))
    assert client.execute_command("SCAN", 0, "MATCH", "mirante:{*}:detections")
    channel = RedisUrl(url).shaped_client().pubsub()
    channel.subscribe(key("gate", "preview"))
    assert channel.get_message(timeout=60) is not None
    channel.unsubscribe()
    channel.close()


def test_a_bridge_carries(site: Site, until: Callable[..., Any]) -> None:
    publish(site)
    write(site.server, Event(id="e", camera="gate", kind="zone-left", label="x", ts=1e9), 1)
    with site.used_by("bridge") as url:
        with carried(Refusing(), site.server, redis=url):
            until(lambda: (r := report(site.server, "refusing")) and r.dead == 1)
        assert site.owner.xlen(bridge_key("refusing", "dead")) == 1
        for words in ("XDEL mirante:x 1-1", "LPOP mirante:y", "RPUSH mirante:y a"):
            RedisUrl(url).client().execute_command(*words.split())


def frames(url: str, count: int = 1, **options: Any) -> list[Any]:
    """Read until so many have come: the time-out begins before anything is connected."""
    found = list[Any]()
    while len(found) < count:
        read = mirante.subscribe("*", redis=url, since="0", timeout_s=0.3, **options)
        found = [*(found if "group" in options else ()), *read]
    return found


def test_a_consumer_shares(site: Site) -> None:
    publish(site)
    with site.used_by("consumer") as url:
        options: dict[str, Any] = {"redis": url, "since": "0", "kinds": ("detections", "masks")}
        heirs = options | {"group": "alarm", "consumer": "heir"}
        heirs |= {"claim_s": 0.01, "timeout_s": 0.3, "block_s": 0.1}
        for cameras in ("gate", "*"):
            dead = mirante.subscribe(cameras, group="alarm", consumer="dead", **options)
            assert next(dead).camera == "gate"
            eventually(lambda: list(mirante.subscribe("gate", **heirs)))
            site.owner.execute_command("XGROUP", "DESTROY", STREAM, "alarm")
        site.owner.xtrim(STREAM, maxlen=0, approximate=False)
        epoch = time.time_ns() // 1_000_000
        publish_frames(site.server.url, epoch)
        eventually(lambda: list(mirante.subscribe("gate", **heirs)))
    # What is of no use any more went.
    assert site.owner.zrange(key("gate", "groups"), 0, -1) == [f"alarm/{epoch}".encode()]
    assert site.owner.xinfo_consumers(STREAM, "alarm") == []


def publish(site: Site) -> None:
    """Make a camera that has published, past any access list."""
    site.owner.flushdb()
    publish_frames(site.server.url, 1_000)


def publish_frames(url: str, epoch: int) -> None:
    """Publish three frames with masks, in their turn."""
    outbox = Outbox(url)
    outbox.start()
    for number in range(3):
        outbox.publish(frame(number, masks=(LANES,), epoch=epoch))
    outbox.close(60)
    assert outbox.state.sent == {"gate": 3}


def test_a_worker_and_the_dashboard(site: Site, home: Path, tmp_path: Path, mirante: Run) -> None:
    site.owner.flushdb()
    site.owner.sadd(WORKERS, "gone")  # a worker that died: whoever looks takes it out
    with (
        site.used_by("worker") as url,
        working(url),
        site.used_by("dashboard") as page,
        serving(site.server, tmp_path, "dashboard") as bench,
    ):
        use(bench)
        version = bench.http.get("/api/v1/system").json()["redis"]["version"]
        assert ("Valkey" in version) == (site.kind == "valkey-9")
        command(mirante, page)
    assert site.owner.smembers(WORKERS) == {b"main"}


def test_a_worker_may_all_that_its_own_page_does() -> None:
    rights = {line.split()[2]: set(line.split()[5:]) for line in LINES}
    for role in ("publisher", "viewer", "dashboard"):
        within = {right for right in rights[role] if not right.startswith("~mirante:")}
        assert within | {"~mirante:*"} <= rights["worker"]


@contextmanager
def working(url: str) -> Iterator[None]:
    from pipeline.gst.camera import CameraRunner

    camera = {"url": "test://?size=160x96&fps=5", "stages": [{"model": "test-boxes"}]}
    settings = Settings.model_validate({"redis": {"url": url}, "cameras": {"gate": camera}})
    with running(Worker(settings, url, CameraRunner)):
        yield


def use(bench: Bench) -> None:
    """All that the API and a page ask of Redis and of a worker."""
    api = partial(bench.http.request, timeout=60)
    bench.until(lambda: api("GET", "/api/v1/cameras/gate").is_success)
    bench.until(lambda: bench.camera()["counts"] and api("GET", "/api/v1/models").json()["zoo"])
    added = {"name": "yard", "url": "test://", "stages": []}
    assert api("POST", "/api/v1/cameras", json=added).is_success
    bench.until(lambda: api("GET", "/api/v1/results/gate/latest").is_success)  # after its counts
    for path in ("history", "timeline"):
        assert api("GET", f"/api/v1/cameras/gate/{path}").is_success
    assert api("GET", "/api/v1/system").json()["redis"]["words"] == ""
    stream = "/api/v1/results/gate/stream"
    with bench.http.stream("GET", stream, headers={"Last-Event-ID": "0-0"}) as lines:
        assert any(line.startswith("id:") for line in lines.iter_lines())
    with open_socket(f"{bench.address.replace('http', 'ws')}/api/v1/live", open_timeout=60) as page:
        page.send(json.dumps({"watch": ["gate"]}))
        while not isinstance(page.recv(timeout=60), bytes):
            pass
        page.send(json.dumps({"watch": []}))
    unknown = {"url": "rtsp://${UNKNOWN}@192.0.2.1/"}  # for which the worker starts no process
    assert "variable UNKNOWN" in api("POST", "/api/v1/cameras/test", json=unknown).text
    swap = api("POST", "/api/v1/models/swap", json={"model": "test-boxes", "to": "test-pose"})
    assert swap.is_success, swap.text
    assert api("PATCH", (yard := "/api/v1/cameras/yard"), json={"fps": 5}).is_success
    for what in ("pause", "resume"):
        assert api("POST", f"{yard}/{what}").is_success
    assert api("DELETE", yard).is_success


def command(mirante: Run, url: str) -> None:
    """All that the command line asks of Redis; its trials ask as the API's do."""
    for words in (
        ("camera", "add", "lane", "test://"),
        ("camera", "edit", "lane", "--fps", "5"),
        ("camera", "list"),
        ("camera", "pause", "lane"),
        ("camera", "resume", "lane"),
        ("camera", "remove", "lane"),
        ("tail", "*", "--count", "1"),
    ):
        outcome = mirante(*words, "--redis", url)
        assert outcome.status == 0, (words, outcome.err)


@pytest.fixture(scope="module", params=["redis-6.2", "installed"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A cluster of one node."""
    with tempfile.TemporaryDirectory(prefix="mr") as short:
        made = Site(request.param, Path(short), "--cluster-enabled", "yes", port=free_port())
        made.owner.execute_command("CLUSTER", "ADDSLOTS", *range(16_384))
        eventually(lambda: b"cluster_state:ok" in asked(made.server, "CLUSTER", "INFO"))
        yield made
        made.server.kill()


def test_every_role_in_a_cluster(cluster: Site) -> None:
    addresses = {
        role: f"redis+cluster://{role}:PASSWORD@127.0.0.1:{cluster.server.port}" for role in ROLES
    }
    for publisher in ("publisher", "worker"):
        with cluster.used_by(publisher):
            publish_two(addresses[publisher])
    for viewer in ("viewer", "worker"):
        with cluster.used_by(viewer):
            assert len(frames(addresses[viewer], 4, kinds=("detections", "masks"))) == 4
    with cluster.used_by("consumer"):
        assert len(frames(addresses["consumer"], 4, group="alarm", consumer="a")) == 4
    for writer in ("dashboard", "worker"):
        with cluster.used_by(writer), connect(addresses[writer]) as client:
            Registry(client).add("lane", {"url": "test://", "stages": []})
            Registry(client).remove("lane")
            assert reports(client) == {}


def test_a_user_of_sentinels_finds_the_primary() -> None:
    [line] = re.findall("^ACL SETUSER watcher .*", (ROOT / "docs/operations.md").read_text(), re.M)
    with tempfile.TemporaryDirectory(prefix="mr") as short:
        sentinels = SentinelSite(Path(short)).start()
        try:
            owner = sentinels.sentinel()
            owner.execute_command(*line.split())
            login = "sentinel_username=watcher&sentinel_password=PASSWORD"
            url = RedisUrl(f"{sentinels.url}?{login}")
            for _ in range(2):
                with url.client() as client:
                    assert client.execute_command("PING") == b"PONG"
            wrong = RedisUrl(f"{sentinels.url.removesuffix('main')}other?{login}")
            with (
                wrong.client() as client,
                pytest.raises(redis.RedisError, match="they watch main"),
            ):
                client.execute_command("PING")
            assert owner.acl_log(9) == []
            watcher = redis.Redis(port=sentinels.port, username="watcher", password="PASSWORD")
            with watcher, pytest.raises(redis.exceptions.NoPermissionError):
                watcher.execute_command("SENTINEL", "FAILOVER", "main")
        finally:
            sentinels.kill()


def publish_two(url: str) -> None:
    """Publish a frame of each of two cameras."""
    outbox = Outbox(url)
    outbox.start()
    for camera in ("gate", "yard"):
        outbox.publish(frame(0, camera, masks=(LANES,), epoch=time.time_ns()))
    eventually(lambda: outbox.state.sent == {"gate": 1, "yard": 1})
    outbox.close(2)


NOBODY = (
    "FLUSHALL",
    "CONFIG GET maxmemory",
    "KEYS *",
    "ACL LIST",
    "SHUTDOWN",
    "GET other",
    "SCRIPT FLUSH",
)
WRITES = (f"XADD {STREAM} * a 1", f"XTRIM {STREAM} MAXLEN 0", f"RENAME {STREAM} {STREAM}x")
LOSSES = (f"DEL {STREAM}", f"EXPIRE {STREAM} 1", f"PUBLISH {key('gate', 'preview')} x")
REGISTRY = ("HSET mirante:cameras gate x", "HDEL mirante:cameras gate")
FORBIDDEN = {
    "publisher": (*NOBODY, *REGISTRY, *WRITES[2:], f"XREAD STREAMS {STREAM} 0"),
    "viewer": (
        *NOBODY,
        *REGISTRY,
        *WRITES,
        *LOSSES,
        f"XGROUP CREATE {STREAM} g 0",
        "SET mirante:x 1",
    ),
    "bridge": (*NOBODY, *REGISTRY, WRITES[1], WRITES[2], LOSSES[2], "BLPOP mirante:x 1"),
    "consumer": (*NOBODY, *REGISTRY, *WRITES, *LOSSES, "SET mirante:x 1", "SUBSCRIBE mirante:x"),
    "dashboard": (
        *NOBODY,
        *WRITES,
        LOSSES[0],
        LOSSES[2],
        "SET mirante:worker:main x",
        "EVAL return 0",
    ),
    "worker": (*NOBODY, *WRITES[2:], f"XGROUP CREATE {STREAM} g 0"),
}


@pytest.mark.parametrize("role", sorted(FORBIDDEN))
def test_a_role_may_do_no_more(site: Site, role: str) -> None:
    client = RedisUrl(site.url(role)).client()
    for words in FORBIDDEN[role]:
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*words.split())
            pytest.fail(f"{role} may {words}")


def test_a_dashboard_changes_no_key_but_the_registry(site: Site) -> None:
    if site.kind == "redis-6.2":
        pytest.skip("Redis 6.2 knows no keys that may be read and not written")
    client = RedisUrl(site.url("dashboard")).client()
    client.execute_command("HSET", "mirante:cameras", "x", "1")
    for words in (f"EXPIRE {STREAM} 1", "HSET mirante:{mirante:models}:kept:main a b"):
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*words.split())
