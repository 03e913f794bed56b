"""Models that travel: named by what they hold, put into Redis or a bucket, fetched once."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import yaml
from pydantic import SecretStr

from engines.files import digest_of
from engines.manifest import ZOO, read
from engines.store.models import resolve_file
from mirante.keys import BLOBS, blob_key
from pipeline.config.clips import Bucket
from pipeline.control.blob_places import (
    MOST_IN_REDIS,
    BlobError,
    BlobPlace,
    BucketBlobs,
    RedisBlobs,
    digest_of_bytes,
)
from pipeline.control.blob_store import BlobStore, shelf
from pipeline.control.carried_models import Pinned, carried, carry, must_travel, pinned
from pipeline.control.registry import connect
from pipeline.worker.redis_server import RedisServer
from tests.support.bucket_server import bucket_server

pytestmark = pytest.mark.redis
ROOM = 1 << 30


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with connect(redis_server.url) as client:
        yield client


@pytest.fixture(params=["redis", "bucket"])
def place(request: pytest.FixtureRequest) -> Iterator[BlobPlace]:
    """A real Redis, and a server of the calls that a bucket needs."""
    if request.param == "redis":
        yield RedisBlobs(request.getfixturevalue("client"))
        return
    pytest.importorskip("minio", reason="the client of buckets is not installed (mirante[s3])")
    with bucket_server() as server:
        secret = SecretStr("hunter2")
        keys = {"bucket": "clips", "prefix": "site/", "region": "x", "access_key": secret}
        yield BucketBlobs(Bucket(endpoint=server.endpoint, secret_key=secret, **keys))


@pytest.fixture
def mine(tmp_path: Path) -> str:
    return made(tmp_path, "mine")


def made(folder: Path, name: str, size: int = 0) -> str:
    """Write a model of one's own, its file padded to a size; return the path of its manifest."""
    shutil.copy(ZOO / "test-boxes.onnx", folder / f"{name}.onnx")
    with (folder / f"{name}.onnx").open("ab") as file:
        file.write(b"\0" * size)
    about = yaml.safe_load((ZOO / "test-boxes.yaml").read_text())
    about |= {"name": name, "file": f"{name}.onnx"}
    (folder / f"{name}.yaml").write_text(
        yaml.safe_dump({k: v for k, v in about.items() if k not in ("sha256", "bytes")})
    )
    return str(folder / f"{name}.yaml")


def test_a_model_is_fetched_as_it_was_put(place: BlobPlace, mine: str) -> None:
    pin = carry(place, mine)
    assert pinned(str(pin)) == pin
    assert carry(place, mine) == pin, "the same model has the same name"
    store = BlobStore([place], ROOM)
    assert store.find(pin) is None
    store.fetch(pin)
    path = store.find(pin)
    assert path == shelf() / pin.digest / "mine.yaml"
    manifest = read(path)
    assert resolve_file(manifest).read_bytes() == Path(mine).with_suffix(".onnx").read_bytes()
    assert manifest.labels == read(Path(mine)).labels
    assert place.digests() == {pin.digest, manifest.sha256}
    place.remove(pin.digest)
    assert not place.has(pin.digest)
    store.close()


@pytest.mark.parametrize("harm", [b"", b"other"], ids=["cut", "changed"])
def test_a_file_that_was_damaged_here_is_fetched_again(
    client: redis.Redis, mine: str, harm: bytes
) -> None:
    place = RedisBlobs(client)
    pin = carry(place, mine)
    BlobStore([place], ROOM).fetch(pin)
    file = shelf() / pin.digest / "mine.onnx"
    whole = file.read_bytes()
    file.write_bytes(harm + whole[len(harm) :] if harm else whole[:-1])
    store = BlobStore([place], ROOM)
    assert store.find(pin) is None, "it was not compared yet"
    store.fetch(pin)
    assert store.find(pin) is not None
    assert file.read_bytes() == whole
    store.close()


def test_another_content_has_another_name(place: BlobPlace, mine: str) -> None:
    before = carry(place, mine)
    file = Path(mine).with_suffix(".onnx")
    file.write_bytes(file.read_bytes() + b"\0")
    after = carry(place, mine)
    assert after.digest != before.digest
    assert len(place.digests()) == 4


def test_a_wrong_hash_is_refused_and_leaves_nothing(client: redis.Redis, mine: str) -> None:
    place = RedisBlobs(client)
    pin = carry(place, mine)
    store = BlobStore([place], ROOM)
    [file] = place.digests() - {pin.digest}
    first = client.hget(blob_key(file), "0")
    assert isinstance(first, bytes)
    client.hset(blob_key(file), "0", b"X" + first[1:])
    with pytest.raises(BlobError, match=r"refused mine\.onnx, wrong hash: expected .* sha256"):
        store.fetch(pin)
    client.hset(blob_key(file), "0", first + b"X")
    with pytest.raises(BlobError, match="wrong hash"):
        store.fetch(pin)
    client.hdel(blob_key(file), "0")
    with pytest.raises(BlobError, match="Redis lost piece 0 of 1"):
        store.fetch(pin)
    client.hset(blob_key(pin.digest), "0", b"name: other")
    with pytest.raises(BlobError, match=f"wrong hash: expected sha256 {pin.digest}"):
        store.fetch(pin)
    assert store.find(pin) is None
    assert [path.name for path in shelf().iterdir()] == [".locks"]


def test_what_is_put_in_part_is_not_there(client: redis.Redis, mine: str) -> None:
    place = RedisBlobs(client)
    pin = carry(place, mine)
    client.hdel(blob_key(pin.digest), "pieces")
    with pytest.raises(BlobError, match="Redis does not have fleet/mine@"):
        BlobStore([place], ROOM).fetch(pin)
    assert carry(place, mine) == pin
    assert place.has(pin.digest)


def test_what_is_removed_while_it_is_put_is_not_there(
    client: redis.Redis, mine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be taken for whole ever after, as nothing says which pieces it lost."""
    place, hset = RedisBlobs(client), client.hset

    def pruned_before(key: str, field: str, value: Any) -> Any:
        if field == "pieces":
            RedisBlobs(client).remove(digest)
        return hset(key, field, value)

    digest = digest_of(Path(mine).with_suffix(".onnx"))
    monkeypatch.setattr(client, "hset", pruned_before)
    with pytest.raises(BlobError, match=r"mine\.onnx: it was removed while it was put there"):
        carry(place, mine)
    assert not place.has(digest)
    monkeypatch.undo()
    assert place.has(carry(place, mine).digest)
    assert client.hgetall(blob_key(digest)).keys() == {b"0", b"pieces", b"size"}


def test_what_others_keep_in_the_bucket_is_not_ours() -> None:
    pytest.importorskip("minio", reason="the client of buckets is not installed (mirante[s3])")
    secret = SecretStr("hunter2")
    with bucket_server() as server:
        keys = {"bucket": "models", "region": "x", "access_key": secret, "secret_key": secret}
        place = BucketBlobs(Bucket(endpoint=server.endpoint, **keys))
        server.objects["models/street/weights.onnx"] = b"of somebody else"
        assert place.digests() == set()


@pytest.mark.own_redis
def test_what_redis_would_not_hold_is_refused(client: redis.Redis, tmp_path: Path) -> None:
    used = int(client.info("memory")["used_memory"])
    client.config_set("maxmemory", used + (2 << 20))
    place = RedisBlobs(client)
    with pytest.raises(BlobError, match=r"big\.onnx: Redis would not hold its 4\.0 MiB: .*bucket"):
        carry(place, made(tmp_path, "big", 4 << 20))
    assert client.exists(BLOBS) == 0
    patched = pytest.MonkeyPatch()
    with patched.context() as patch:
        patch.setattr(client, "info", lambda _: {"used_memory": 0})  # full only while it comes
        with pytest.raises(BlobError, match=r"big\.onnx: Redis is full"):
            carry(place, str(tmp_path / "big.yaml"))
    assert client.exists(BLOBS) == 0, "what came before is removed"
    carry(place, made(tmp_path, "small"))


def test_a_file_that_is_too_large_for_redis_is_refused(client: redis.Redis, tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(MOST_IN_REDIS + 1)  # of holes
    with pytest.raises(BlobError, match=r"huge: 512\.0 MiB, expected up to 512\.0 MiB in Redis"):
        RedisBlobs(client).put(digest_of_bytes(b""), tmp_path / "huge")


def test_a_place_that_does_not_answer_may_later(home: Path) -> None:
    from tests.support.ports import free_port

    del home
    with connect(f"redis://127.0.0.1:{free_port()}") as nowhere:
        store = BlobStore([RedisBlobs(nowhere)], ROOM)
        with pytest.raises(BlobError) as raised:
            store.fetch(Pinned("mine", digest_of_bytes(b"")))
    assert raised.value.is_away


def test_workers_of_a_machine_fetch_once(client: redis.Redis, tmp_path: Path) -> None:
    class Counted(RedisBlobs):
        reads = 0

        def read(self, digest: str) -> Iterator[bytes]:
            type(self).reads += 1
            return super().read(digest)

    place = Counted(client)
    pin = carry(place, made(tmp_path, "mine", 3 << 20))
    stores = [BlobStore([place], ROOM) for _ in range(4)]
    threads = [threading.Thread(target=store.fetch, args=(pin,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counted.reads == 2, "the manifest and its file"
    assert all(store.find(pin) is not None for store in stores)
    for store in stores:
        store.close()


def test_those_not_used_for_longest_go_but_none_in_use(client: redis.Redis, tmp_path: Path) -> None:
    place = RedisBlobs(client)
    pins = [carry(place, made(tmp_path, f"m{n}", 1 << 20)) for n in range(4)]
    store = BlobStore([place], int(2.5 * 2**20))
    other = BlobStore([place], ROOM)  # of another worker, which runs the first
    for pin in pins[:2]:
        store.fetch(pin)
    other.fetch(pins[0])  # which compares it
    assert other.find(pins[0]) is not None
    store.fetch(pins[2])
    assert [store.find(pin) is not None for pin in pins[:3]] == [True, False, True]
    with pytest.raises(
        BlobError, match=r"fleet\.models_gib: 0\.00244 — expected room for 1\.0 MiB"
    ):
        store.fetch(pins[3])
    store.release({pins[0].digest})
    store.fetch(pins[3])
    assert store.find(pins[2]) is None
    store.close()
    other.close()


def test_a_disk_that_holds_less_than_the_bound_is_the_bound(
    client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its volume is full of models that nobody uses, far below ``fleet.models_gib``."""
    place = RedisBlobs(client)
    pins = [carry(place, made(tmp_path, f"m{n}", 1 << 20)) for n in range(2)]
    store = BlobStore([place], ROOM)
    store.fetch(pins[0])
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    store.fetch(pins[1])
    assert [store.find(pin) is not None for pin in pins] == [False, True]
    with pytest.raises(
        BlobError, match=r"fleet: the disk has 1\.\d MiB .* expected room for 2\.\d"
    ):
        store.fetch(pins[0])
    store.close()


def test_only_what_others_cannot_get_by_its_name_travels(client: redis.Redis, mine: str) -> None:
    assert must_travel(mine)
    assert not must_travel("street"), "it is part of Mirante"
    assert not must_travel("yolox-street"), "each machine fetches it from where it is published"
    stages: list[dict[str, Any]] = [
        {"model": "street"},
        {"model": mine, "threshold": 0.3},
        {"track": "box"},
    ]
    first, second, third = carried(RedisBlobs(client), stages)
    assert (first, third) == (stages[0], stages[2])
    assert pinned(second["model"]) is not None
    assert second["threshold"] == 0.3
    assert carried(RedisBlobs(client), [second]) == [second]


def test_a_network_in_several_files_is_refused(client: redis.Redis, mine: str) -> None:
    file = Path(mine).with_suffix(".onnx")
    file.with_name("weights.bin").write_bytes(b"")
    file.write_bytes(file.read_bytes() + b"weights.bin")
    with pytest.raises(BlobError, match=r"its weights are in weights\.bin beside mine\.onnx"):
        carry(RedisBlobs(client), mine)


@pytest.mark.parametrize("name", ["street", "fleet/street", "fleet/a@12", f"fleet/../x@{'0' * 64}"])
def test_other_names_are_those_of_models_that_stay(name: str) -> None:
    assert pinned(name) is None
