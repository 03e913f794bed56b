"""A worker runs models that it has never seen: it fetches them, and a camera waits for its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import yaml

from engines.manifest import ZOO
from mirante.keys import key
from pipeline.config.camera import Camera
from pipeline.config.environment import KEY_VARIABLE
from pipeline.config.settings import Settings
from pipeline.control.blob_places import RedisBlobs
from pipeline.control.blob_store import shelf
from pipeline.control.carried_models import carry, pinned
from pipeline.control.credentials import Credentials
from pipeline.control.registry import Registry, connect
from pipeline.control.rpc import RefusedError
from pipeline.control.sealing import default_path, key_text, made_key
from pipeline.control.trials import ask_trial
from pipeline.gst.camera import CameraRunner
from pipeline.worker import worker as worker_module
from pipeline.worker.fleet_models import FleetModels
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.worker import Worker
from tests.support import running_worker
from tests.support.redis_entries import entries

pytestmark = pytest.mark.redis


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


@pytest.fixture
def model(client: redis.Redis, tmp_path: Path, home: Path) -> str:
    """A model of one's own that is in Redis, and nowhere else; the name that cameras give it."""
    del home
    about = yaml.safe_load((ZOO / "test-boxes.yaml").read_text())
    (tmp_path / "mine.onnx").write_bytes((ZOO / "test-boxes.onnx").read_bytes())
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump({**about, "name": "mine", "file": "mine.onnx"})
    )
    name = str(carry(RedisBlobs(client), str(tmp_path / "mine.yaml")))
    for path in tmp_path.glob("mine.*"):
        path.unlink()
    return name


def wait_for(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_camera_runs_a_model_that_travels(
    redis_server: RedisServer, client: redis.Redis, model: str
) -> None:
    camera = {"url": "test://?size=640x360&fps=5", "stages": [{"model": model}]}
    lost = {**camera, "stages": [{"model": f"fleet/lost@{'0' * 64}"}]}
    settings = Settings.model_validate({"cameras": {}})
    worker = Worker(settings, redis_server.url, CameraRunner)
    with running_worker.running(worker):
        Registry(client).put("gate", camera)
        Registry(client).put("yard", lost)
        wait_for(lambda: client.xlen(key("gate", "detections")) > 2)
        [(_, fields), *_] = entries(client, key("gate", "detections"))
        assert {each["label"] for each in json.loads(fields[b"json"])["objects"]} <= COLOURS
        wait_for(lambda: failed(client, "yard"))
        [words] = failed(client, "yard")
        assert f"Redis does not have fleet/lost@{'0' * 64}" in words
        with pytest.raises(RefusedError, match="does not have fleet/lost@"):
            ask_trial(client, Credentials(), "new", lost, "main")
    assert [path.name for path in shelf().glob("*/*.onnx")] == ["mine.onnx"]


def test_what_a_camera_lacks_may_come_later(
    redis_server: RedisServer,
    client: redis.Redis,
    model: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model that somebody puts there, and the key that is copied to this machine."""
    monkeypatch.setattr(worker_module, "AGAIN_S", 0.1)
    place, pin, made = RedisBlobs(client), pinned(model), key_text([made_key()])
    assert pin is not None
    about = b"".join(place.read(pin.digest))
    place.remove(pin.digest)
    camera = {"url": "test://?size=640x360&fps=5", "stages": [{"model": model}]}
    Registry(client).put("gate", camera)
    monkeypatch.setenv(KEY_VARIABLE, made)
    Registry(client).put("yard", {"url": "rtsp://admin:hunter2@127.0.0.1:9/x", "stages": []})
    monkeypatch.delenv(KEY_VARIABLE)
    worker = Worker(Settings.model_validate({"cameras": {}}), redis_server.url, CameraRunner)
    with running_worker.running(worker):
        wait_for(lambda: failed(client, "gate") and failed(client, "yard"))
        assert "which this machine has not: put it into" in failed(client, "yard")[0]
        said = worker.state().cameras["yard"]
        assert (said.state, said.code) == ("failed", "invalid"), "which the fleet's keeper reads"
        home.mkdir(exist_ok=True)
        (home / "about.yaml").write_bytes(about)
        place.put(pin.digest, home / "about.yaml")
        default_path().touch(0o600)
        default_path().write_text(made)
        wait_for(lambda: client.xlen(key("gate", "detections")) > 2)
        wait_for(lambda: "yard" in worker.cameras)
    assert len(failed(client, "gate")) == 1, "it is said once"


def test_a_worker_that_ends_waits_for_no_file(client: redis.Redis, model: str) -> None:
    begun = threading.Event()

    class Slow(RedisBlobs):
        def read(self, digest: str) -> Iterator[bytes]:
            is_manifest = model.endswith(digest)
            yield from super().read(digest) if is_manifest else self.without_end()

        def without_end(self) -> Iterator[bytes]:
            while True:
                begun.set()
                yield b""

    models = FleetModels([Slow(client)], 1 << 30)
    camera = Camera.model_validate({"url": "test://", "stages": [{"model": model}]})
    assert models.placed(camera) is None
    assert begun.wait(60)
    [thread] = [each for each in threading.enumerate() if each.name == "fetch-mine"]
    models.close()
    thread.join(60)
    assert not thread.is_alive()
    assert [path.name for path in shelf().iterdir()] == [".locks"]


COLOURS = {"red", "green", "blue"}


def failed(client: redis.Redis, camera: str) -> list[str]:
    told = [json.loads(fields[b"json"]) for _, fields in entries(client, key(camera, "status"))]
    return [each["reason"] for each in told if each["state"] == "failed"]
