"""Changes of desired cameras that meet in a real Redis: none is lost, and none undoes another."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from mirante.keys import CAMERAS
from pipeline.config.settings import Settings
from pipeline.control import registry as registry_module
from pipeline.control.changing import RegistryError
from pipeline.control.credentials import Credentials
from pipeline.control.registry import Registry, UnknownCameraError, connect
from pipeline.worker.redis_server import RedisServer

pytestmark = pytest.mark.redis
ROUNDS = 8
URL = "rtsp://admin:hunter2@h/x"


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def race(*calls: Callable[[], object]) -> list[BaseException | None]:
    """Makes the calls at the same moment, each on a thread; what each raised."""
    barrier = threading.Barrier(len(calls))
    raised: list[BaseException | None] = [None] * len(calls)

    def run(number: int) -> None:
        barrier.wait()
        try:
            calls[number]()
        except Exception as error:  # noqa: BLE001 - the test tells which are expected
            raised[number] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def secrets(home: Path) -> list[str]:
    return list(json.loads((home / "credentials.json").read_text()).values())


def test_no_change_is_lost(client: redis.Redis) -> None:
    keys = {"fps": 5, "width": 320, "height": 240, "latency_ms": 10, "loop": True}
    settings = Settings.model_validate({"cameras": {"yard": {"url": "test://"}}})
    worker = Registry(client, settings=settings)
    for _ in range(ROUNDS):
        Registry(client).put("gate", {"url": "test://"})
        worker.publish_config()
        edits = [lambda k=k, v=v: Registry(client).edit("gate", {k: v}) for k, v in keys.items()]
        raised = race(
            *edits,
            lambda: Registry(client).pause("gate"),
            lambda: Registry(client).pause("yard"),
            worker.publish_config,
        )
        assert raised == [None] * 8
        cameras = Registry(client).cameras()
        assert cameras["gate"].spec == {"url": "test://", **keys}
        assert cameras["gate"].paused
        assert cameras["yard"].paused
        Registry(client).remove("gate")
        Registry(client).resume("yard")


def test_one_of_many_adds_a_camera_and_its_password(client: redis.Redis, home: Path) -> None:
    for _ in range(ROUNDS):
        raised = race(
            *(
                lambda n=n: Registry(client, f"worker{n}").add("gate", {"url": URL, "fps": n + 1})
                for n in range(8)
            )
        )
        [winner] = [number for number, error in enumerate(raised) if error is None]
        entry = Registry(client).cameras()["gate"]
        assert (entry.worker, entry.spec["fps"]) == (f"worker{winner}", winner + 1)
        assert Registry(client).resolved("gate").url.password == "hunter2"
        assert secrets(home) == ["admin:hunter2"], "others left theirs"
        for number, error in enumerate(raised):
            if number != winner:
                assert isinstance(error, RegistryError)
                assert str(error).startswith('camera "gate" exists already; ')
        Registry(client).remove("gate")


def test_a_removed_camera_stays_removed(client: redis.Redis, home: Path) -> None:
    for number in range(ROUNDS):
        Registry(client).add("gate", {"url": URL})
        new = URL.replace("hunter2", f"hunter{number}")
        *others, removed = race(
            lambda: Registry(client).edit("gate", {"fps": 5}),
            lambda new=new: Registry(client).edit("gate", {"url": new}),  # type: ignore[misc]
            lambda: Registry(client).pause("gate"),
            lambda: Registry(client).remove("gate"),
        )
        assert removed is None
        assert all(each is None or isinstance(each, UnknownCameraError) for each in others)
        assert client.hgetall(CAMERAS) == {}
        assert secrets(home) == []


def test_without_end_others_win(client: redis.Redis, tmp_path: Path) -> None:
    """Whoever withdraws a password here has somebody else write before it is used."""

    class Slow(Credentials):
        def withdraw(self, camera: str, url: str, travels: bool = False) -> str:
            client.hset(CAMERAS, "other", "{}")
            return super().withdraw(camera, url, travels)

    credentials = Slow(tmp_path / "credentials.json")
    with pytest.raises(RegistryError, match="others change the cameras without a pause"):
        Registry(client, credentials=credentials).add("gate", {"url": URL})
    assert secrets(tmp_path) == []
    assert client.hkeys(CAMERAS) == [b"other"]


def test_an_answer_that_did_not_come_takes_no_password_back(
    client: redis.Redis, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change stands: what it names must be there."""
    execute = redis.client.Pipeline._execute_transaction

    def lose(self: redis.client.Pipeline, *arguments: Any, **options: Any) -> Any:
        execute(self, *arguments, **options)
        raise redis.TimeoutError("Timeout reading from socket")

    with monkeypatch.context() as patch:
        patch.setattr(redis.client.Pipeline, "_execute_transaction", lose)
        with pytest.raises(redis.TimeoutError):
            Registry(client).add("gate", {"url": URL})
    assert secrets(home) == ["admin:hunter2"]
    assert Registry(client).resolved("gate").url.password == "hunter2"


def test_a_worker_that_comes_back_as_its_cameras_are_taken_over_undoes_nothing(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that took them over would end with an error, its change written."""
    cameras = {"gate": {"url": "test://"}}
    old, new = (Settings.model_validate({"worker": w, "cameras": cameras}) for w in ("a", "b"))
    Registry(client, settings=old).publish_config()
    answers = iter([True])  # then its lease is held again
    monkeypatch.setattr(registry_module, "is_left", lambda *_: next(answers, False))
    taker = Registry(client, settings=new)
    taker.publish_config()
    assert taker.own.keys() == {"gate"}
    assert taker.cameras()["gate"].worker == "b"
