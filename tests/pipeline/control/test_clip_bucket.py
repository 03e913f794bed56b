"""Clips in a bucket: moved whole, bounded, read in parts, and what is said when it is away."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from mirante.clips import Cause, Clip, clip_id
from pipeline.config.clips import Bucket, ClipsKept
from pipeline.control.clip_bucket import ClipBucket
from pipeline.control.clip_place import bucket_of
from pipeline.control.clip_store import ClipStore, ClipStoreError
from tests.support.bucket_server import BucketServer, bucket_server

pytest.importorskip("minio", reason="the client of buckets is not installed (mirante[s3])")
NOW_S = 1_795_925_700.0


@pytest.fixture
def server() -> Iterator[BucketServer]:
    with bucket_server() as server:
        yield server


def kept(server: BucketServer, folder: Path, **keys: Any) -> ClipsKept:
    bucket = Bucket(
        endpoint=server.endpoint,
        bucket="clips",
        prefix="site/",
        region="x",
        access_key=SecretStr("key"),
        secret_key=SecretStr("hunter2"),
    )
    return ClipsKept(folder=folder, s3=bucket, **{"days": 3650, **keys})


def bucket(server: BucketServer, folder: Path, **keys: Any) -> ClipBucket:
    made = bucket_of(kept(server, folder, **keys))
    assert made is not None
    return made


def record(folder: Path, n: int, camera: str = "gate", size: int = 1000) -> Clip:
    at_s = NOW_S + n
    clip = Clip(
        id=clip_id(round(at_s * 1000)),
        camera=camera,
        began=at_s - 5,
        ended=at_s + 10,
        causes=[Cause(ts=at_s)],
        codec="h264",
        size=(640, 360),
    )
    draft = ClipStore(folder, 1 << 40, 3650).begin(clip)
    draft.video.write_bytes(bytes(n % 256 for n in range(size)))
    draft.sidecar.write_bytes(b"{}")
    return draft.keep(clip, b"jpeg")


def test_clips_are_moved_and_read_as_if_they_were_here(
    server: BucketServer, tmp_path: Path
) -> None:
    place = bucket(server, tmp_path)
    clips = [record(tmp_path, n) for n in range(3)][::-1]
    assert place.listed("gate") == clips, "those that wait here are listed too"
    assert place.move() == 3
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    puts = [name for method, name in server.requests if method == "PUT"]
    assert all(name.startswith("site/gate/") for name in puts)
    assert [name.rpartition(".")[2] for name in puts] == ["json", "jpg", "mp4", "clip"] * 3
    assert place.listed("gate") == clips
    assert place.listed("gate", 1, clips[0].id) == clips[1:2]
    assert place.listed("yard") == []
    found = place.find("gate", clips[0].id, "mp4")
    assert found is not None
    assert (found.size, found.path) == (1000, None)
    assert b"".join(found.read(10, 20)) == bytes(range(10, 20))
    assert b"".join(found.read(0, 1000)) == bytes(n % 256 for n in range(1000))
    assert place.find("gate", clip_id(0), "mp4") is None
    assert place.delete("gate", clips[0].id)
    assert not place.delete("gate", clips[0].id)
    assert place.listed("gate") == clips[1:]
    assert server.unsigned == 0


def test_a_bucket_is_bounded_by_bytes_and_days(server: BucketServer, tmp_path: Path) -> None:
    for n, camera in enumerate(["gate", "yard", "gate", "yard"]):
        record(tmp_path, n, camera)
    place = bucket(server, tmp_path, max_gib=3000 / 2**30)
    server.objects["site/notes.txt"] = b"not ours" * 1000
    server.objects[f"site/gate/{clip_id(1_000)}.mp4"] = b"of no clip"
    place.move()
    assert place.bound(NOW_S) == 3
    assert len(place.listed("gate")) == len(place.listed("yard")) == 1
    assert "site/notes.txt" in server.objects
    aged = bucket(server, tmp_path, days=2)
    assert aged.bound(NOW_S + 3 * 86_400) == 2
    assert list(server.objects) == ["site/notes.txt"]


def test_while_the_bucket_is_away_clips_wait_here(server: BucketServer, tmp_path: Path) -> None:
    place, clip = bucket(server, tmp_path), record(tmp_path, 0)
    server.refuses = {"PUT", "GET"}
    with pytest.raises(ClipStoreError, match=r"clips\.s3: .*bucket clips: busy") as raised:
        place.move()
    assert "hunter2" not in str(raised.value)
    assert not raised.value.is_full
    found = place.find("gate", clip.id, "mp4")
    assert found is not None
    assert found.path is not None
    with pytest.raises(ClipStoreError, match="busy"):
        place.delete("gate", clip.id)
    assert place.here("gate") == [clip], "what could not be deleted is still there"
    server.refuses = set()
    assert place.move() == 1


def test_a_server_that_is_not_there_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = bucket(BucketServer(port=1), tmp_path)
    with pytest.raises(ClipStoreError, match="refused"):
        place.listed("gate")
    assert not caplog.records, "who asked says it, once"


def test_what_is_no_clip_is_not_listed(server: BucketServer, tmp_path: Path) -> None:
    place, clip = bucket(server, tmp_path), record(tmp_path, 0)
    place.move()
    server.objects[f"site/gate/{clip_id(5_000)}.clip"] = b"{"
    server.objects["site/gate/other.clip"] = msgspec.json.encode(clip)
    assert place.listed("gate") == [clip]


def test_without_the_client_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *args: Any, **named: Any) -> Any:
        if name.startswith("minio"):
            raise ModuleNotFoundError("no", name="minio")
        return imported(name, *args, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ClipStoreError, match=r"install mirante\[s3\]"):
        bucket(BucketServer(), tmp_path)
