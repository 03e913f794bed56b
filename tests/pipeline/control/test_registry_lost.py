"""What Redis loses of the registry is put back; what was removed stays removed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import redis

from mirante.keys import CAMERAS, CAMERAS_VERSION, lease_key
from pipeline.config.settings import Settings
from pipeline.control import changing, memory
from pipeline.control.registry import Registry, UnknownCameraError, connect
from pipeline.worker.redis_server import RedisServer

pytestmark = pytest.mark.redis


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def of_worker(client: redis.Redis, name: str, *cameras: str) -> Registry:
    """A worker's registry after its start, its cameras those of its file."""
    spec = {"worker": name, "cameras": {camera: {"url": "test://"} for camera in cameras}}
    registry = Registry(client, settings=Settings.model_validate(spec))
    registry.publish_config()
    registry.changes()
    return registry


def names(client: redis.Redis) -> list[str]:
    return list(Registry(client).cameras())


LOSSES: dict[str, Callable[[redis.Redis], object]] = {
    "hash": lambda client: client.delete(CAMERAS),
    "version": lambda client: client.delete(CAMERAS_VERSION),
    "both": lambda client: client.delete(CAMERAS, CAMERAS_VERSION),
    "everything": lambda client: client.flushall(),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_workers_put_back_their_own_and_do_not_fight(client: redis.Redis, loss: str) -> None:
    workers = [of_worker(client, "main", "gate"), of_worker(client, "yard", "shed", "barn")]
    Registry(client, "yard").put("late", {"url": "test://", "fps": 3})
    Registry(client).pause("gate")
    for worker in workers:
        worker.changes()
    before = Registry(client).cameras()
    for lose in (LOSSES[loss], LOSSES["hash"], LOSSES[loss]):
        lose(client)
        for _ in range(2):
            found = [worker.changes() for worker in workers]
            assert all(cameras != {} for cameras in found), "no worker is told to stop its cameras"
        assert Registry(client).cameras() == before
        number = client.hget(CAMERAS_VERSION, "number")
        assert [worker.changes() for worker in workers] == [None, None]
        assert client.hget(CAMERAS_VERSION, "number") == number, "nobody writes any more"


@pytest.mark.parametrize("loss", LOSSES)
def test_what_was_removed_before_or_after_a_loss_stays_removed(
    client: redis.Redis, loss: str
) -> None:
    worker = of_worker(client, "main", "gate", "shed")
    Registry(client).remove("shed")
    assert list(worker.changes() or {}) == ["gate"]
    LOSSES[loss](client)
    assert list(worker.changes() or {}) == ["gate"]
    Registry(client).remove("gate")
    assert client.exists(CAMERAS) == 0
    assert worker.changes() == {}, "the last one was removed on purpose"
    assert worker.changes() is None
    assert names(client) == []


@pytest.mark.parametrize("loss", ["hash", "version"])
def test_a_change_right_after_a_loss_waits_for_the_workers(
    client: redis.Redis, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = [of_worker(client, "main", "gate", "shed"), of_worker(client, "yard", "barn")]
    LOSSES[loss](client)
    over, waited, turns = threading.Event(), list[float](), 0

    def tick() -> None:
        nonlocal turns
        while not over.wait(0.05):
            for worker in workers:
                worker.changes()
            turns += 1

    def wait(seconds: float) -> None:
        """For as long as the workers take for that many turns, however slow they are."""
        waited.append(seconds)
        before, end_s = turns, time.monotonic() + 60
        while turns < before + 2 and threading.current_thread() is not thread:
            assert time.monotonic() < end_s
            time.sleep(0.01)

    monkeypatch.setattr(changing, "time", SimpleNamespace(sleep=wait))

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        Registry(client).pause("gate")
        Registry(client).remove("shed")
        Registry(client).put("new", {"url": "test://"})
        time.sleep(0.2)
    finally:
        over.set()
        thread.join()
    assert changing.PUT_BACK_S in waited
    cameras = Registry(client).cameras()
    assert {name: entry.paused for name, entry in cameras.items()} == {
        "barn": False,
        "gate": True,
        "new": False,
    }


def test_the_cameras_of_a_worker_that_does_not_run_are_put_back_too(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "FOREIGN_S", 0.0)
    main = of_worker(client, "main", "gate")
    of_worker(client, "gone", "barn")
    of_worker(client, "alive", "shed")
    client.set(lease_key("alive"), "x")
    main.changes()
    client.delete(CAMERAS)
    main.changes()
    assert names(client) == ["gate"]
    main.changes()
    assert names(client) == ["barn", "gate"], "a worker that runs puts its own back"
    Registry(client).remove("barn")
    for _ in range(3):
        main.changes()
    assert names(client) == ["gate"]


def test_a_server_that_lost_its_last_changes_gets_them_again(client: redis.Redis) -> None:
    """As a replica does that becomes the primary before it has them."""
    worker = of_worker(client, "main", "gate")
    older = (client.dump(CAMERAS), client.dump(CAMERAS_VERSION))
    Registry(client).put("late", {"url": "test://"})
    Registry(client).pause("gate")
    other = of_worker(client, "yard")
    worker.changes()
    after = Registry(client).cameras()
    for key, value in zip((CAMERAS, CAMERAS_VERSION), older, strict=True):
        assert isinstance(value, bytes)
        client.restore(key, 0, value, replace=True)
    assert worker.changes() == after
    assert other.changes() == {}
    assert Registry(client).cameras() == after


def test_a_change_of_an_earlier_version_is_no_loss(client: redis.Redis) -> None:
    worker = of_worker(client, "main", "gate")
    with client.pipeline() as pipe:
        pipe.hdel(CAMERAS, "gate")
        pipe.hsetnx(CAMERAS_VERSION, "generation", "x")
        pipe.hincrby(CAMERAS_VERSION, "number", 1)
        pipe.execute()
    assert worker.changes() == {}
    with pytest.raises(UnknownCameraError):
        Registry(client).remove("gate")


def test_a_loss_while_a_worker_starts(client: redis.Redis) -> None:
    spec = {"cameras": {"gate": {"url": "test://"}}}
    worker = Registry(client, settings=Settings.model_validate(spec))
    worker.publish_config()
    client.delete(CAMERAS)
    assert list(worker.changes() or {}) == ["gate"]
