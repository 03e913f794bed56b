"""A worker of a configuration: truth, account, previews, a Redis that goes and comes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import redis
import yaml

from mirante import Frame, Status, subscribe
from mirante.client.plan import FrameKind
from mirante.keys import key
from pipeline.cameras.synthetic import read_number, truth
from pipeline.config.settings import Settings
from pipeline.gst.camera import CameraRunner
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.worker import Worker
from tests.support.images import decode_image
from tests.support.outcome import Run
from tests.support.running_worker import running

DRAWN = {"url": "test://?size=640x360&fps=10", "stages": [{"model": "test-boxes"}]}


def worker(cameras: dict[str, Any], redis_url: str) -> Worker:
    """One to run in this process."""
    return Worker(Settings.model_validate({"cameras": cameras}), redis_url, CameraRunner)


def statuses(told: Iterable[Frame | Status]) -> list[Status]:
    """What is told, which must be states alone."""
    found = list(told)
    assert all(isinstance(one, Status) for one in found)
    return [one for one in found if isinstance(one, Status)]


def frames(url: str, camera: str, count: int, *kinds: FrameKind) -> Iterator[Any]:
    """The first frames that a camera publishes."""
    found = subscribe(camera, kinds or ("detections",), since="0", redis=url, timeout_s=60.0)
    for _, frame in zip(range(count), found, strict=False):
        yield frame


def test_the_account_holds_in_every_message_under_overload(redis_url: str) -> None:
    """Fast cameras, slow stages that fail and drop: every reason occurs, and nothing is missing."""
    stage = {
        "python": "tests.support.overload:Slow",
        "options": {"seconds": 0.06, "fail": 7, "drop": 5},
    }
    busy = {"url": "test://?size=320x240&fps=60", "stages": [stage]}
    cameras = {"busy": busy, "rated": busy | {"fps": 25}}
    with running(worker(cameras, redis_url)):
        check_account(redis_url, "busy", {"queue", "stage"})
        check_account(redis_url, "rated", {"rate", "queue", "stage"})


def check_account(redis_url: str, camera: str, reasons: set[str]) -> None:
    """All that was decoded is accounted for, with these reasons."""
    before = None
    for frame in frames(redis_url, camera, 60):
        counts = frame.counts
        assert counts.decoded == counts.published + sum(counts.dropped.values()) + counts.failed
        assert counts.decoded == frame.seq + 1
        if before is not None:
            assert counts.published == before.counts.published + 1
        before = frame
    assert before is not None
    assert {reason for reason, n in before.counts.dropped.items() if n} == reasons
    assert before.counts.failed > 0


@pytest.mark.parametrize(
    ("cameras", "words"),
    [
        ({"a": {"url": "rtps://x/y"}}, "unknown scheme"),
        ({"a": {**DRAWN, "stages": [{"model": "tset-boxes"}]}}, "test-boxes"),
        ({"a": {**DRAWN, "fsp": 3}}, "fps"),
    ],
)
def test_what_cannot_start_is_refused_before_anything_starts(
    mirante: Run, tmp_path: Path, cameras: dict[str, Any], words: str
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"cameras": cameras}))
    outcome = mirante("up", str(config))
    assert outcome.status == 2
    assert words in outcome.err
    assert "Traceback" not in outcome.err


def test_many_cameras_all_start_at_once(redis_url: str) -> None:
    """Each from the first: none may view for the outbox before it is there."""
    names = [f"c{i}" for i in range(8)]
    cameras = {name: {"url": "test://?size=64x48&fps=2", "stages": []} for name in names}
    with running(worker(cameras, redis_url)):
        for name in names:
            assert next(frames(redis_url, name, 1)).seq < 20
            told = subscribe(name, ("status",), since="0", redis=redis_url, timeout_s=60.0)
            first_two = statuses(islice(told, 2))
            assert [status.state for status in first_two] == ["connecting", "running"]


def test_a_library_that_refuses_a_file_leaves_the_process_alive(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    """GStreamer brings an unwinder of its own, which breaks C++ exceptions of others."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    code = f"""
import time
from pathlib import Path
from pipeline.config.camera import Camera
from pipeline.gst.camera import CameraRunner
from plugins.ledger import Ledger
from plugins.line import Line
camera = Camera.model_validate({{"url": "test://?size=160x96&fps=5", "stages": []}})
runner = CameraRunner("a", camera, "fakesink", Line(Ledger("a")), lambda change: None)
runner.start()
while runner.state != "running":
    time.sleep(0.05)
from engines.runtimes import open_session
try:
    open_session("onnxruntime", Path({str(broken)!r}), 1)
except RuntimeError:
    print("refused")
runner.stop()
"""
    done = run("python", "-c", code)
    assert done.stdout == "refused\n", done.stderr
    assert done.returncode == 0


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The Redis of a worker with a camera that is drawn, and one that cannot be reached."""
    stages = {"stages": [{"model": "test-boxes"}, {"model": "test-lane"}]}
    away = {"url": "rtsp://user:hunter2@127.0.0.1:9/none", "stages": []}
    cameras = {"drawn": DRAWN | stages | {"preview": {"fps": 2}}, "away": away}
    with RedisServer(port=0) as server, running(worker(cameras, server.url)):
        yield server.url


def test_what_is_published_is_what_is_in_the_picture(site: str) -> None:
    seen = list(frames(site, "drawn", 15, "detections", "masks"))
    assert len(seen) == 15
    for frame in seen:
        boxes, lane = truth(frame.seq, 640, 360)
        assert np.abs(frame.detections.xyxy - boxes.xyxy).max() <= 2
        found = frame.masks[0].on_frame("lane", 640, 360)
        drawn = lane.on_frame("lane", 640, 360)
        assert (found & drawn).sum() / (found | drawn).sum() > 0.97
        steps = ["video_decode", "queue", "convert", "preprocess", "infer", "decode", "encode"]
        assert list(frame.timings) == steps
        assert frame.sent >= frame.captured


def test_previews_are_made_only_while_somebody_listens(site: str) -> None:
    next(frames(site, "drawn", 1))
    client = redis.Redis.from_url(site, protocol=2)
    with client.pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(key("drawn", "preview"))
        pictures = [_message(channel) for _ in range(7)]
    header, jpeg = _parts(pictures[0])
    shown = decode_image(jpeg, cv2.IMREAD_COLOR_RGB)
    assert read_number(shown) == header["seq"]
    assert header["size"] == [640, 360]
    headers = [_parts(each)[0] for each in pictures]
    assert len({each["seq"] for each in headers}) == 7
    # By when they were taken: who reads late gets several at once. At most two a second of ten; a
    # frame that had to wait for its turn is an older one.
    assert headers[-1]["ts"] - headers[0]["ts"] > 6 / 2 * 0.4


def _parts(message: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and JPEG of an image."""
    (length,) = struct.unpack(">I", message[:4])
    return json.loads(message[4 : 4 + length]), message[4 + length :]


def _message(channel: Any) -> bytes:
    for _ in range(60):
        message = channel.get_message(timeout=1.0)
        if message is not None:
            data: bytes = message["data"]
            return data
    raise AssertionError("no image came")


def test_a_camera_that_cannot_be_reached_leaves_the_other_alone(site: str) -> None:
    seen = list(frames(site, "drawn", 30))
    for number, frame in enumerate(seen, seen[0].counts.published):
        dropped = {reason: n for reason, n in frame.counts.dropped.items() if n}
        assert (frame.counts.decoded, frame.counts.published) == (frame.seq + 1, number)
        assert dropped.keys() <= {"queue"}, "by the other camera"
        assert frame.seq + 1 == number + sum(dropped.values())
    told = subscribe("away", ("status",), since="0", redis=site, timeout_s=60.0)
    tried = next(each for each in told if isinstance(each, Status) and each.state != "connecting")
    assert tried.state == "reconnecting"
    assert "refused" in tried.reason
    client = redis.Redis.from_url(site)
    for stored in client.scan_iter("*"):
        assert b"hunter2" not in (client.dump(stored) or b"")
