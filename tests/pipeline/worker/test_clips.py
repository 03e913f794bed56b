"""Which cameras of a worker keep clips, of what, and how requests for one are answered."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mirante.clips import Clip, clip_id
from pipeline.config.camera import Camera
from pipeline.config.clips import Bucket, Clips, ClipsKept
from pipeline.control.clip_requests import Made
from pipeline.control.clip_store import ClipStore
from pipeline.worker.clips import BOUND_S, BUCKET_S, WorkerClips, of_view, rule_of
from plugins.clips.recorder import Recorder
from tests.support.bucket_server import bucket_server
from tests.support.wire_frames import some_event

ZONE = [[[0, 0], [1, 0], [1, 1]]]


def camera(**keys: Any) -> Camera:
    return Camera.model_validate({"url": "rtsp://h/sub", "clips": {}, **keys})


@dataclass
class Running:
    """A camera that runs."""

    clips: Recorder | None


@pytest.mark.parametrize(
    ("keys", "hides", "is_altered"),
    [
        ({}, False, False),
        ({"mask": ZONE}, True, True),
        ({"crop": [0, 0, 1, 0.5]}, True, True),
        ({"preview": {"blur": ["face"]}}, True, False),
        ({"rotate": 90}, False, True),
        ({"mirror": True}, False, True),
        ({"deinterlace": "on"}, False, True),
        ({"width": 64, "fps": 1, "keyframes_only": True}, False, False),
    ],
)
def test_what_keeps_a_clip_from_being_plain(
    keys: dict[str, Any], hides: bool, is_altered: bool
) -> None:
    rule = rule_of(camera(**keys))
    assert (rule.hides, rule.is_altered) == (hides, is_altered)
    assert rule.blur == tuple(keys.get("preview", {}).get("blur", ()))
    assert not rule.refuses


def test_a_rule_is_as_configured() -> None:
    clips = {"before_s": 1, "after_s": 2, "max_s": 3, "on": ["line-crossed"], "max_mib": 7}
    rule = rule_of(camera(clips={**clips, "private": "refuse"}))
    assert (rule.before_s, rule.after_s, rule.max_s, rule.max_bytes) == (1, 2, 3, 7 << 20)
    assert (set(rule.on), rule.refuses) == ({"line-crossed"}, True)
    crossed = {label: some_event(label=label) for label in ("person", "car")}
    assert rule.where(crossed["car"])
    rule = rule_of(camera(clips={**clips, "where": "label = person and line = gate"}))
    assert [label for label, event in crossed.items() if rule.where(event)] == ["person"]


def test_clips_are_of_the_view_unless_something_is_hidden_by_its_place() -> None:
    view = {"view": "rtsp://h/main"}
    assert of_view(camera(**view))
    others: list[dict[str, Any]] = [{"mask": ZONE}, {"clips": None}, {"clips": {"view": False}}]
    assert not any(of_view(camera(**view, **keys)) for keys in others)
    assert not of_view(camera())


def test_a_camera_without_the_key_keeps_none(tmp_path: Path) -> None:
    clips = WorkerClips(ClipsKept(folder=tmp_path), dict)
    assert clips.recorder("gate", camera(clips=None)) is None
    assert clips.recorder("gate", camera()) is not None


def test_requests_are_answered_in_words(tmp_path: Path) -> None:
    running = {"plain": Running(None)}
    clips = WorkerClips(ClipsKept(folder=tmp_path), lambda: running)
    running["gate"] = Running(clips.recorder("gate", camera()))
    asked = {"before_s": None, "after_s": None}
    for name, words in (("door", "does not run"), ("plain", "its key clips is null")):
        with pytest.raises(ValueError, match=words):
            clips.answer({"camera": name, **asked})
    made = msgspec.json.decode(clips.answer({"camera": "gate", **asked}), type=Made)
    assert (made.id, made.is_full) == ("", False)
    assert "none came yet" in made.words


def test_old_clips_go_now_and_then(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clip = Clip(
        id=clip_id(1000), camera="gate", began=0, ended=1, causes=[], codec="h264", size=(64, 64)
    )
    kept, now_s = ClipsKept(folder=tmp_path), 0.0
    clips = WorkerClips(kept, dict, lambda: now_s)
    store = ClipStore(tmp_path, 1 << 30, 1e6)

    def add() -> None:
        draft = store.begin(clip)
        draft.video.write_bytes(b"v")
        draft.keep(clip, None)

    def poll() -> None:
        clips.poll()
        if clips._mover is not None:
            clips._mover.join()

    add()
    poll()
    assert store.listed("gate") == []
    add()
    poll()
    assert len(store.listed("gate")) == 1, "not yet again"
    now_s = BOUND_S
    poll()
    assert store.listed("gate") == []
    assert caplog.records == []


def test_a_bucket_that_is_away_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("minio", reason="the client of buckets is not installed (mirante[s3])")
    bucket = Bucket.model_validate(
        {
            "endpoint": "http://127.0.0.1:1",
            "bucket": "clips",
            "access_key": "key",
            "secret_key": "hunter2",
            "region": "x",
        }
    )
    clip = Clip(
        id=clip_id(4 * 10**12), camera="gate", began=4e9, ended=4e9, causes=[], codec="h264",
        size=(64, 64),
    )  # fmt: skip
    draft = ClipStore(tmp_path, 1 << 30, 30).begin(clip)
    draft.video.write_bytes(b"v")
    draft.keep(clip, None)
    caplog.set_level(logging.INFO)
    clips = WorkerClips(ClipsKept(folder=tmp_path, s3=bucket), dict)
    for _ in range(2):
        clips._tidy()
    assert caplog.text.count("clips.s3: http://127.0.0.1:1, bucket clips") == 1
    assert "hunter2" not in caplog.text
    assert len(ClipStore(tmp_path, 1 << 30, 30).listed("gate")) == 1


def test_clips_in_a_bucket_go_when_they_are_old_though_none_comes(tmp_path: Path) -> None:
    pytest.importorskip("minio", reason="the client of buckets is not installed (mirante[s3])")
    now_s = 0.0
    with bucket_server() as server:
        keys = {"endpoint": server.endpoint, "bucket": "clips", "region": "x"}
        bucket = Bucket.model_validate({**keys, "access_key": "key", "secret_key": "hunter2"})
        clips = WorkerClips(ClipsKept(folder=tmp_path, s3=bucket), dict, lambda: now_s)
        clips._tidy()
        server.objects[f"gate/{clip_id(1000)}.mp4"] = b"v"
        clips._tidy()
        assert server.objects, "not at each look"
        now_s = BUCKET_S
        clips._tidy()
        assert not server.objects


def test_the_default_is_on_request_alone() -> None:
    assert (Clips().on, Clips().before_s, Clips().after_s) == ([], 5, 10)
