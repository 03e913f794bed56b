"""Clips on disk: bounds, a full disk, and what a process that was killed leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from mirante.clips import Cause, Clip, clip_id
from pipeline.control.clip_store import ClipStore, ClipStoreError
from pipeline.control.clip_sweep import NOTE, sweep
from pipeline.control.fragments import whole_fragments
from tests.support import ROOT
from tests.support.played import played
from tests.support.printed import printed

NOW_S = 1_795_925_700.0


def plan(n: int = 0, camera: str = "gate", at_s: float = NOW_S) -> Clip:
    at_s += n
    return Clip(
        id=clip_id(round(at_s * 1000)),
        camera=camera,
        began=at_s - 5,
        ended=at_s + 10,
        causes=[Cause(ts=at_s)],
        codec="h264",
        size=(640, 360),
    )


def keep(store: ClipStore, clip: Clip, size: int = 1000) -> Clip:
    draft = store.begin(clip)
    draft.video.write_bytes(b"v" * size)
    draft.sidecar.write_bytes(b"{}")
    return draft.keep(clip, b"jpeg")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_an_id_is_the_utc_of_its_moment() -> None:
    assert clip_id(1_795_925_703_250) == "20261129-041503-250"


def test_a_clip_is_listed_once_it_is_whole(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30)
    draft = store.begin(plan())
    draft.video.write_bytes(b"part")
    assert store.listed("gate") == []
    assert store.drafts("gate") == [draft.id]
    assert store.find("gate", draft.id, "mp4") is None
    assert store.draft("gate", draft.id) == draft.video
    draft.sidecar.write_bytes(b"{}")
    kept = draft.keep(plan(), b"jpeg")
    assert store.listed("gate") == [kept]
    assert (kept.bytes, kept.image) == (len(b"part{}jpeg"), True)
    assert store.drafts("gate") == []
    assert store.draft("gate", draft.id) is None
    found = store.find("gate", draft.id, "mp4")
    assert found is not None
    assert b"".join(found.read(1, 3)) == b"ar"
    assert store.delete("gate", draft.id)
    assert not store.delete("gate", draft.id)
    assert files(tmp_path) == set()


def test_a_draft_that_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    draft = ClipStore(tmp_path, 1 << 30, 30).begin(plan())
    draft.video.write_bytes(b"part")
    draft.discard()
    assert files(tmp_path) == set()


def test_clips_are_listed_newest_first_and_by_pages(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30_000)
    clips = [keep(store, plan(n)) for n in range(5)][::-1]
    assert store.listed("gate", 2) == clips[:2]
    assert store.listed("gate", 2, clips[1].id) == clips[2:4]
    assert store.listed("yard") == []


def test_what_is_no_clip_is_not_listed(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30_000)
    keep(store, plan())
    (tmp_path / "gate" / "20261129-041503-251.clip").write_bytes(b"{")
    (tmp_path / "gate" / "20261129-041503-252.clip").write_bytes(b"[" * 100_000)
    assert len(store.listed("gate")) == 1


@pytest.mark.parametrize("name", ["../gate", "..", "a/b", ""])
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    store = ClipStore(tmp_path / "clips", 1 << 30, 30)
    for call in (store.listed, store.drafts):
        with pytest.raises(ValueError, match="camera"):
            call(name)
    with pytest.raises(ValueError, match="clip"):
        store.find("gate", f"../{plan().id}", "mp4")


def test_the_oldest_of_all_cameras_go_first(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30_000)
    for n, camera in enumerate(["gate", "yard", "gate", "yard"]):
        keep(store, plan(n, camera))
    gone = ClipStore(tmp_path, 3000, 30_000).bound(NOW_S)
    assert [(clip.camera, clip.began) for clip in gone] == [
        ("yard", NOW_S - 4),
        ("gate", NOW_S - 5),
    ]
    assert len(store.listed("gate")) == len(store.listed("yard")) == 1


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30_000)
    kept = [keep(store, plan(0, at_s=NOW_S - day * 86_400)) for day in (3, 1)]
    assert ClipStore(tmp_path, 1 << 30, 2).bound(NOW_S) == kept[:1]
    assert store.listed("gate") == kept[1:]


def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30)
    statvfs = os.statvfs

    def full(path: Path) -> os.statvfs_result:
        values = list(statvfs(path))
        values[4] = 0
        return os.statvfs_result(values)

    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", full)
        with pytest.raises(ClipStoreError, match="0 MiB are left") as raised:
            store.begin(plan())
        assert raised.value.is_full
    draft = store.begin(plan())
    draft.video.write_bytes(b"v")
    fsync = os.fsync

    def no_space(number: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(ClipStoreError, match="No space left") as raised:
        draft.keep(plan(), b"jpeg")
    monkeypatch.setattr(os, "fsync", fsync)
    assert raised.value.is_full
    assert files(tmp_path) == set()


def test_what_all_may_be_is_not_passed_when_a_clip_is_kept(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 3000, 30_000)
    kept = [keep(store, plan(n)) for n in range(4)]
    assert store.listed("gate") == kept[:1:-1]
    assert sum(clip.bytes for clip in store.all()) <= 3000
    with pytest.raises(ClipStoreError, match=r"larger than clips\.max_gib allows"):
        keep(store, plan(5), size=4000)
    assert store.listed("gate") == kept[:1:-1], "they do not go for one that is not kept"
    assert store.drafts("gate") == []


def test_a_draft_that_cannot_be_begun_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30)

    def no_space(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(ClipStoreError, match="No space left"):
        store.begin(plan())
    assert files(tmp_path) == set()


def test_what_nobody_writes_any_more_is_not_said_to_be_written(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30)
    draft = store.begin(plan())
    (tmp_path / "gate" / f".{plan(9).id}.clip").write_bytes(b"{}")  # of a process that was killed
    assert store.drafts("gate") == [plan().id]
    draft.discard()
    assert store.drafts("gate") == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = ClipStore(tmp_path / "file" / "clips", 1 << 30, 30)
    with pytest.raises(ClipStoreError, match="Not a directory"):
        store.begin(plan())


KILLED = """
import sys, time
from pathlib import Path
from pipeline.control.clip_store import ClipStore
from plugins.clips.mp4 import PlainVideo
from plugins.clips.ring import Packet, Stream
from plugins.clips.sidecar import Sidecar
from plugins.clips.kept import Published
from plugins.clips.timeline import Timeline
from pipeline.gst.clips import read_clip
import msgspec
from mirante.clips import Clip

store = ClipStore(Path(sys.argv[1]), 1 << 30, 30_000)
draft = store.begin(msgspec.json.decode(sys.argv[3], type=Clip))
clip = read_clip(Path(sys.argv[2]))
video, line = PlainVideo(draft.video, clip.caps), Timeline()
sidecar = Sidecar(draft.sidecar, "gate", draft.id, 1_795_925_694_500_000_000, [])
for n in range(400):
    sidecar.put(Published(n, b'{"seq":%d}' % n, None))
sent = clip.loop()
for n in range(100):
    p = next(sent)
    at_ns = 1_795_925_694_500_000_000 + p.pts_ns
    for placed in line.put(Packet(p.data, Stream(clip.caps), p.key, (0, p.pts_ns), at_ns)):
        video.write(placed)
while draft.video.read_bytes().count(b"moof") < 8:  # of twelve, each of eight frames
    time.sleep(0.01)
print("written", flush=True)
time.sleep(100)
"""


@pytest.mark.slow
def test_what_a_killed_process_wrote_is_kept_as_far_as_it_plays(tmp_path: Path) -> None:
    numbers = ROOT / "tests/support/numbers/numbers_b0.h264.mp4"
    planned = msgspec.json.encode(plan()).decode()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path), str(numbers), planned],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert printed(process).strip() == "written"
    store = ClipStore(tmp_path, 1 << 30, 30_000)
    assert list(sweep(tmp_path)) == [], "it is held"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    assert store.listed("gate") == []
    with (tmp_path / "gate" / f".{plan().id}.mp4").open("ab") as file:
        file.write(b"\0\0\1\0moof half")
    with (tmp_path / "gate" / f".{plan().id}.json").open("ab") as file:
        file.write(b',\n{"detections":{"se')
    (words,) = sweep(tmp_path)
    assert NOTE in words
    (clip,) = store.listed("gate")
    assert (clip.note, clip.codec, clip.size, clip.began) == (NOTE, "h264", (192, 96), NOW_S - 5.5)
    kept = store.find("gate", clip.id, "mp4")
    assert kept is not None
    assert kept.path is not None
    frames = played(kept.path)
    assert len(frames) == clip.frames >= 40
    assert clip.ended - clip.began == pytest.approx(clip.frames / 10, abs=0.2)
    told = store.find("gate", clip.id, "json")
    assert told is not None
    lines = msgspec.json.decode(b"".join(told.read(0, told.size)))["frames"]
    assert lines[0] == {"detections": {"seq": 0}}
    assert len(lines) >= 1
    assert list(sweep(tmp_path)) == []


@pytest.mark.parametrize("name", [".{}.mp4", ".{}.told", "{}.mp4", "{}.jpg", ".{}.json"])
def test_parts_of_no_clip_are_deleted(name: str, tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30_000)
    keep(store, plan(1))
    (tmp_path / "gate" / name.format(plan().id)).write_bytes(b"part")
    (tmp_path / "gate" / "notes.txt").write_bytes(b"not ours")
    (words,) = sweep(tmp_path)
    assert "part of no clip" in words
    assert len(files(tmp_path)) == 5
    assert len(store.listed("gate")) == 1


@pytest.mark.parametrize("written", [b"", b"\0\0\0\x08ftyp", b"\xff" * 100])
def test_a_draft_of_which_nothing_plays_is_deleted(written: bytes, tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30_000)
    draft = store.begin(plan())
    draft.video.write_bytes(written)
    os.close(draft._held)
    (words,) = sweep(tmp_path)
    assert "deleted" in words
    assert files(tmp_path) == set()


def test_a_clip_that_was_killed_between_two_renames_is_whole(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, 1 << 30, 30_000)
    keep(store, plan())
    (tmp_path / "gate" / f".{plan().id}.clip").write_bytes(b"{}")
    assert "was whole" in next(iter(sweep(tmp_path)))
    assert len(store.listed("gate")) == 1


def test_fragments_are_read_as_they_were_written() -> None:
    with pytest.raises(ValueError, match="no whole fragment"):
        whole_fragments(ROOT / "tests/support/numbers/numbers_b0.h264.mp4")
