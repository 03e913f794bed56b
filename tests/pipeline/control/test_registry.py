"""Desired cameras in a real Redis; passwords not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import redis

from mirante.keys import CAMERAS, lease_key
from pipeline.config.messages import ConfigError
from pipeline.config.settings import Settings
from pipeline.config.source_kinds import forms
from pipeline.control.changing import RegistryError
from pipeline.control.credentials import Credentials, CredentialsError
from pipeline.control.registry import Registry, UnknownCameraError, connect
from pipeline.worker.redis_server import RedisServer

pytestmark = pytest.mark.redis
SECRET_URL = "rtsp://admin:hunter2@h/x?channel=1&token=hunter2"


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


def settings(**cameras: object) -> Settings:
    return Settings(cameras=cameras, defaults={"fps": 5})


def everything_in(client: redis.Redis) -> str:
    return str(
        [client.hgetall(key) for key in client.keys("mirante:*") if client.type(key) == b"hash"]
    )


def test_a_worker_sees_what_is_added_and_removed(client: redis.Redis) -> None:
    worker = Registry(client, settings=settings(yard={"url": "test://"}))
    worker.publish_config()
    assert list(worker.changes() or {}) == ["yard"]
    assert worker.changes() is None
    Registry(client).put("gate", {"url": "test://", "width": 320})
    assert list(worker.changes() or {}) == ["gate", "yard"]
    camera = worker.resolved("gate")
    assert (camera.width, camera.fps) == (320, 5)
    assert Registry(client).remove("gate").origin == "api"
    assert list(worker.changes() or {}) == ["yard"]


def test_passwords_stay_out_of_redis(client: redis.Redis, home: Path) -> None:
    worker = Registry(client, settings=settings(yard={"url": SECRET_URL}))
    worker.publish_config()
    Registry(client).put("gate", {"url": SECRET_URL})
    assert "hunter2" not in everything_in(client)
    assert "channel=1" in everything_in(client)
    file = home / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    for name in ("gate", "yard"):
        url = worker.resolved(name).url
        assert (url.username, url.password) == ("admin", "hunter2")
        assert url.query == "channel=1&token=hunter2"
    Registry(client).remove("gate")
    assert json.loads(file.read_text()) == {}


def test_the_password_of_a_view_is_kept_like_that_of_the_address(
    client: redis.Redis, home: Path
) -> None:
    gate = {"url": "rtsp://admin:hunter2@h/sub", "view": "rtsp://admin:hunter3@h/main"}
    Registry(client).put("gate", gate)
    assert "hunter" not in everything_in(client)
    Registry(client).edit("gate", {"view": "rtsp://***@h/main", "fps": 3})
    camera = Registry(client).resolved("gate")
    assert camera.view is not None
    assert (camera.url.password, camera.view.password) == ("hunter2", "hunter3")
    Registry(client).edit("gate", {"view": "rtsp://root:hunter4@h/main"})
    secrets = json.loads((home / "credentials.json").read_text())
    assert sorted(secrets.values()) == ["admin:hunter2", "root:hunter4"]
    Registry(client).edit("gate", {"view": None})
    assert Registry(client).resolved("gate").view is None
    secrets = json.loads((home / "credentials.json").read_text())
    assert list(secrets.values()) == ["admin:hunter2"]


def test_options_of_configured_stages_stay_out_of_redis(client: redis.Redis) -> None:
    stage = {"python": "mine:Stage", "options": {"key": "hunter2"}}
    Registry(client, settings=settings(yard={"url": "test://", "stages": [stage]})).publish_config()
    assert "mine:Stage" in everything_in(client)
    assert "hunter2" not in everything_in(client)


def test_replacing_a_camera_forgets_its_old_password(client: redis.Redis, home: Path) -> None:
    for password in ("hunter2", "hunter3"):
        Registry(client).put("gate", {"url": f"rtsp://admin:{password}@h/x"})
    assert list(json.loads((home / "credentials.json").read_text()).values()) == ["admin:hunter3"]


def test_variables_are_looked_up_by_the_worker(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "rtsp://admin:${GATE_PASSWORD}@h/x"
    Registry(client).put("gate", {"url": url})
    assert Registry(client).cameras()["gate"].spec["url"] == url
    with pytest.raises(RegistryError, match=r'camera "gate": .* GATE_PASSWORD to be set'):
        Registry(client).resolved("gate")
    monkeypatch.setenv("GATE_PASSWORD", "p@ss/word")
    assert Registry(client).resolved("gate").url.password == "p@ss/word"


def test_password_that_is_on_another_machine(client: redis.Redis, tmp_path: Path) -> None:
    Registry(client).put("gate", {"url": SECRET_URL})
    elsewhere = Credentials(tmp_path / "elsewhere.json")
    with pytest.raises(RegistryError, match=r"is not in .*elsewhere.json on this machine"):
        Registry(client, credentials=elsewhere).resolved("gate")


def test_credentials_that_others_can_read_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text("{}")
    file.chmod(0o644)
    with pytest.raises(CredentialsError, match="chmod 600"):
        Credentials(file).lookup("credential:gate-1")


def test_a_camera_whose_credentials_others_can_read_fails_alone(
    client: redis.Redis, home: Path
) -> None:
    Registry(client).put("gate", {"url": SECRET_URL})
    (home / "credentials.json").chmod(0o644)
    with pytest.raises(RegistryError, match=r'camera "gate": .* chmod 600'):
        Registry(client).resolved("gate")


def test_a_wrong_camera_is_refused(client: redis.Redis) -> None:
    with pytest.raises(ConfigError) as raised:
        Registry(client).put("gate", {"url": "rtsp://admin:hunter2@/x", "fsp": 3})
    assert raised.value.lines == [
        'gate.url: "rtsp://***@/x" — no host in "rtsp://***@/x"; expected rtsp://host/path',
        'gate.fsp: unknown key — did you mean "fps"?',
    ]
    assert client.keys("*") == []


def paused(client: redis.Redis) -> list[str]:
    return [name for name, entry in Registry(client).cameras().items() if entry.paused]


def test_a_pause_holds_until_it_is_resumed(client: redis.Redis) -> None:
    worker = Registry(client, settings=settings(yard={"url": "test://"}))
    worker.publish_config()
    anyone = Registry(client, "another")
    Registry(client).put("gate", {"url": "test://"})
    assert paused(client) == []
    for name in ("gate", "yard"):
        anyone.pause(name)
    changed = worker.changes() or {}
    assert {name: (e.origin, e.worker, e.paused) for name, e in changed.items()} == {
        "gate": ("api", "main", True),
        "yard": ("config", "main", True),
    }
    worker.publish_config()
    Registry(client).put("gate", {"url": "test://", "fps": 3})
    Registry(client).edit("gate", {"fps": 4})
    assert paused(client) == ["gate", "yard"]
    client.flushall()
    worker.changes()
    assert paused(client) == ["gate", "yard"], "Redis lost it and the worker put it back"
    anyone.resume("yard")
    assert paused(client) == ["gate"]
    assert not (worker.changes() or {})["yard"].paused


def test_an_entry_of_an_older_version_is_not_paused(client: redis.Redis) -> None:
    entry = {"name": "gate", "spec": {"url": "test://"}, "origin": "api", "worker": "main"}
    client.hset("mirante:cameras", "gate", json.dumps(entry))
    assert not Registry(client).cameras()["gate"].paused


def _deep(entry: dict[str, Any], levels: int) -> str:
    """The entry with a key that is nested, each another one."""
    spec = json.dumps(entry["spec"] | {token_hex(4): "DEEP"})
    spec = spec.replace('"DEEP"', "[" * levels + "]" * levels)
    return json.dumps(entry | {"spec": "SPEC"}).replace('"SPEC"', spec)


def test_an_entry_that_is_none_is_left_alone(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    Registry(client).put("gate", {"url": "test://"})
    (entry,) = client.hvals(CAMERAS)
    newer = json.loads(entry) | {"name": "yard", "colour": "of a later version"}
    client.hset(CAMERAS, "yard", json.dumps(newer))
    wrong = {
        "a": f"no JSON {token_hex(4)}",
        "b": f'["{token_hex(4)}"]',
        "c": json.dumps(newer | {"spec": {}, "worker": token_hex(4)}),
        "d": json.dumps(newer | {"name": f"a b {token_hex(4)}"}),
        "e": json.dumps(newer | {"worker": f"a/b {token_hex(4)}"}),
        "f": _deep(newer, 100_000),
        "g": _deep(newer, 40),
    }
    for field, value in wrong.items():
        client.hset(CAMERAS, field, value)
    for _ in range(3):
        assert list(Registry(client).cameras()) == ["gate", "yard"]
    assert len(caplog.records) == len(wrong), "each is told of once"
    assert "no camera in b'no JSON" in caplog.text
    assert "expected 1 to 64 letters, digits" in caplog.text
    assert "up to 32 levels deep" in caplog.text
    client.hset(CAMERAS, "a", f"no JSON either {token_hex(4)}")
    assert list(Registry(client).cameras()) == ["gate", "yard"]
    assert len(caplog.records) == len(wrong) + 1


@pytest.mark.parametrize("query", ["ball=street", "fps=0"])
def test_an_address_that_its_source_does_not_know_is_refused(
    client: redis.Redis, query: str
) -> None:
    with pytest.raises(ConfigError, match=r'gate\.url: "test://\?.*" — test:// .*: expected'):
        Registry(client).put("gate", {"url": f"test://?{query}"})
    Registry(client).put("gate", {"url": "test://?${SIZE}"})  # which its worker knows


def test_an_edit_keeps_what_it_does_not_name(client: redis.Redis, home: Path) -> None:
    Registry(client).put("gate", {"url": SECRET_URL, "fps": 5, "width": 320})
    before = Registry(client).cameras()["gate"].spec["url"]
    Registry(client, "another").edit("gate", {"fps": 7, "width": None, "latency_ms": 10})
    entry = Registry(client).cameras()["gate"]
    assert entry.spec == {"url": before, "fps": 7, "latency_ms": 10}
    assert entry.worker == "main"
    Registry(client).edit("gate", {"url": "rtsp://***@h/x?channel=1&token=***", "fps": 8})
    assert Registry(client).cameras()["gate"].spec["url"] == before, "it was sent as it is shown"
    url = Registry(client).resolved("gate").url
    assert (url.password, url.query) == ("hunter2", "channel=1&token=hunter2")
    assert "hunter2" not in everything_in(client)


def test_an_edit_of_the_address_forgets_the_old_password(client: redis.Redis, home: Path) -> None:
    Registry(client).put("gate", {"url": SECRET_URL, "fps": 5})
    Registry(client).edit("gate", {"url": "rtsp://admin:hunter3@h/y"})
    camera = Registry(client).resolved("gate")
    assert (camera.url.password, camera.url.path, camera.fps) == ("hunter3", "/y", 5)
    secrets = json.loads((home / "credentials.json").read_text())
    assert list(secrets.values()) == ["admin:hunter3"]
    assert "hunter" not in everything_in(client)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"fsp": None}, 'gate.fsp: unknown key — did you mean "fps"?'),
        ({"fps": 0}, "gate.fps: 0 — expected a number greater than 0"),
        (
            {"url": None},
            f"gate.url: missing — expected {forms()}",
        ),
        (
            {"url": "rtsp://***@other/x"},
            'gate.url: "rtsp://***@other/x" — *** stands for a secret that is not shown; expected '
            "the whole address",
        ),
        (
            {"url": "http://h/x?token=***"},
            'gate.url: "http://h/x?token=***" — *** stands for a secret that is not shown; '
            "expected the whole address",
        ),
    ],
)
def test_a_wrong_edit_changes_nothing(
    changes: dict[str, object], line: str, client: redis.Redis
) -> None:
    Registry(client).put("gate", {"url": SECRET_URL, "fps": 5})
    before = Registry(client).cameras()
    with pytest.raises(ConfigError) as raised:
        Registry(client).edit("gate", changes)
    assert raised.value.lines == [line]
    assert Registry(client).cameras() == before
    assert Registry(client).resolved("gate").url.password == "hunter2"


def test_when_a_camera_was_added_is_kept_with_it(client: redis.Redis) -> None:
    registry = Registry(client, settings=settings(yard={"url": "test://"}))
    registry.publish_config()

    def added() -> dict[str, float]:
        return {name: entry.added for name, entry in registry.cameras().items()}

    before = time.time()
    registry.add("gate", {"url": "test://"})
    first = added()
    assert before <= first["gate"] <= time.time()
    assert first["yard"] == 0
    registry.edit("gate", {"fps": 5})
    registry.pause("gate")
    registry.put("gate", {"url": "test://", "fps": 3})
    registry.resume("gate")
    registry.publish_config()
    assert added() == first
    registry.remove("gate")
    registry.put("gate", {"url": "test://"})
    assert added()["gate"] > first["gate"]


def test_what_the_configuration_says_is_changed_there(client: redis.Redis) -> None:
    Registry(client, settings=settings(yard={"url": "test://"})).publish_config()
    words = 'camera "yard" is in the configuration of worker "main"; change it there'
    with pytest.raises(RegistryError, match=words):
        Registry(client).edit("yard", {"fps": 3})


def test_a_camera_that_is_not_there(client: redis.Redis) -> None:
    Registry(client).put("gate", {"url": "test://"})
    registry = Registry(client)
    for call in (registry.pause, registry.resume, registry.remove, registry.resolved):
        with pytest.raises(UnknownCameraError, match=r'no camera "gat"; did you mean "gate"\?'):
            call("gat")
    with pytest.raises(UnknownCameraError, match='no camera "yard"; there are: gate'):
        registry.edit("yard", {})


def test_names_belong_to_the_file_or_to_another_worker(client: redis.Redis) -> None:
    Registry(client, settings=settings(yard={"url": "test://"})).publish_config()
    with pytest.raises(RegistryError, match='"yard" is in the configuration of worker "main"'):
        Registry(client).put("yard", {"url": "test://"})
    with pytest.raises(RegistryError, match='"yard" belongs to worker "main"'):
        Registry(client, "other").put("yard", {"url": "test://"})
    with pytest.raises(RegistryError, match='no camera "gate"; there are: yard'):
        Registry(client).remove("gate")


def test_a_file_s_cameras_go_with_it_to_a_worker_of_another_name(client: redis.Redis) -> None:
    of_main = settings(yard={"url": "test://"})
    Registry(client, settings=of_main).publish_config()
    Registry(client).pause("yard")
    client.set(lease_key("main"), "")
    other = Registry(client, settings=of_main.model_copy(update={"worker": "main-1"}))
    with pytest.raises(RegistryError, match='"yard" belongs to worker "main"'):
        other.publish_config()
    client.delete(lease_key("main"))
    other.publish_config()
    yard = Registry(client).cameras()["yard"]
    assert (yard.worker, yard.paused) == ("main-1", True)


def test_a_pause_goes_along_to_the_worker_of_another_gpu(client: redis.Redis) -> None:
    file = Settings.model_validate({"cameras": {c: {"url": "test://"} for c in ("a", "b", "c")}})

    def start(number: int, *cameras: str) -> Registry:
        share = file.share(cameras).model_copy(update={"worker": f"main-{number}"})
        registry = Registry(client, settings=share)
        registry.publish_config()
        return registry

    for number, cameras in enumerate(("ab", "c")):
        client.set(lease_key(f"main-{number}"), "")
        start(number, *cameras)
    Registry(client).pause("b")
    for order in ((0, 1), (1, 0)):
        shares = {order[0]: ("a",), order[1]: ("b", "c")}
        for number in (0, 1):
            start(number, *shares[number])
        found = Registry(client).cameras()
        assert {name: entry.worker[-1] for name, entry in found.items()} == {
            name: str(number) for number, names in shares.items() for name in names
        }
        assert {name for name, entry in found.items() if entry.paused} == {"b"}
    with pytest.raises(RegistryError, match='"a" belongs to worker "main-'):
        Registry(client, settings=file.model_copy(update={"worker": "other"})).publish_config()


def test_a_restart_replaces_what_the_file_said(client: redis.Redis) -> None:
    Registry(client, settings=settings(a={"url": "test://"})).publish_config()
    Registry(client).put("mine", {"url": "test://"})
    Registry(client, settings=settings(b={"url": "test://"})).publish_config()
    assert {n: e.origin for n, e in Registry(client).cameras().items()} == {
        "b": "config",
        "mine": "api",
    }


def test_what_redis_lost_is_put_back(client: redis.Redis) -> None:
    worker = Registry(client, settings=settings(yard={"url": "test://"}))
    worker.publish_config()
    Registry(client).put("gate", {"url": "test://"})
    before = worker.changes()
    client.flushall()
    Registry(client).put("late", {"url": "test://"})
    after = worker.changes()
    assert before and after
    assert list(after) == ["gate", "late", "yard"]
    assert {name: after[name] for name in before} == before
    assert Registry(client).cameras() == after
