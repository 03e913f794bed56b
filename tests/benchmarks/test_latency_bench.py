"""Numbers in images, frames sent in step, and the figures of frames sent and results read."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from onnx import helper

from benchmarks.latency import run
from benchmarks.latency.figures import Read, Sent, Taken, row, taken
from benchmarks.latency.numbers import TIMING, Image, Numbers, numbered
from benchmarks.latency.plan import Plan
from benchmarks.latency.processes import sending
from benchmarks.latency.reading import reading
from benchmarks.latency.sender import in_step
from benchmarks.line.loops import Loop
from benchmarks.models.rounds import turns
from engines.placement import place
from mirante.frame import FrameResult
from pipeline.cameras.synthetic import draw_number, read_number
from pipeline.gst.clips import Clip, Picture, encode_pictures
from pipeline.worker.redis_server import RedisServer
from tests.support.onnx_networks import floats, save

RESULT = FrameResult("gate", 0, 0, 0, "arrival", 640, 352, timings={"infer": 5.0})
MS = 1_000_000


def busy_images(count: int, size: tuple[int, int]) -> Iterator[Image]:
    """Noise in colours, which is the hardest to encode."""
    chance = np.random.default_rng(3)
    coarse = chance.integers(0, 256, (count, size[1] // 4, size[0] // 4, 3)).astype(np.uint8)
    return (np.asarray(cv2.resize(each, size), np.uint8) for each in coarse)


@pytest.mark.parametrize("size", [(640, 352), (352, 640)])
def test_numbers_outlive_h264_and_scaling(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "numbered.mp4"
    encode_pictures(numbered(busy_images(12, size)), 25, path)
    capture, small = cv2.VideoCapture(str(path)), (size[0] * 416 // 640, size[1] * 416 // 640)
    seen = []
    while (got := capture.read())[0]:
        whole = np.asarray(got[1], np.uint8)
        scaled = np.asarray(cv2.resize(whole, small), np.uint8)
        stage = Numbers()(whole, RESULT)
        assert stage is not None
        seen.append((read_number(whole), read_number(scaled), stage.timings[TIMING]))
    assert seen == [(n, n, n) for n in range(12)]


def test_a_frame_without_a_number_is_dropped() -> None:
    assert Numbers()(next(busy_images(1, (640, 352))), RESULT) is None


def test_cameras_send_in_step_from_a_key_frame_on() -> None:
    pictures = [Picture(b"", n, n, key=n % 4 == 0) for n in range(12)]
    clip, told = Clip("video/x-h264", tuple(pictures), 12), list[tuple[int, int]]()
    before_ns = time.monotonic_ns()
    one = list(islice(in_step(clip, 200, lambda *each: told.append(each)), 30))
    other = list(islice(in_step(clip, 200, lambda *each: told.append(each)), 2))
    assert one[0].key
    assert other[0].key
    first = one[0].pts_ns
    assert [each.pts_ns for each in one] == [(first + n) % 12 for n in range(30)]
    assert [number for number, _ in told[:30]] == [each.pts_ns for each in one]
    # On a busy machine each may be late: the first moment is one that none was sent before.
    first_turn = min(at_ns // (5 * MS) - n for n, (_, at_ns) in enumerate(told[:30]))
    first_turn -= (first_turn - first) % 12
    assert before_ns < first_turn * 5 * MS, "no frame is sent before its moment"


def test_each_frame_sent_in_the_span_is_told_from_others_of_its_number() -> None:
    sent = [Sent(0, n % 10, n * 40 * MS) for n in range(30)] + [Sent(1, 5, 15 * 40 * MS)]
    read = [
        Read(0, 5, (5 * 40 + 30) * MS, 10),  # of a frame before the span
        Read(0, 5, (15 * 40 + 30) * MS, 10),
        Read(0, 5, (15 * 40 + 35) * MS, 10),  # the same again
        Read(1, 5, (15 * 40 + 100) * MS, 20),
        Read(0, 6, (16 * 40 + 390) * MS, 8),  # before the next of this number is sent
        Read(0, 8, (28 * 40 + 1) * MS, 8),  # of a frame behind the span
        Read(1, 7, 900 * MS, 8),  # never sent
    ]
    found = taken(sent, read, 10 * 40 * MS, 20 * 40 * MS)
    assert found.sent == 11
    assert sorted(zip(found.total_ms, found.beyond_ms, strict=True)) == [
        (30, 20),
        (100, 80),
        (390, 382),
    ]
    assert found.figures()["read_percent"] == pytest.approx(100 * 3 / 11)


def test_a_row_is_of_medians_over_rounds() -> None:
    runs = [Taken(4, [level] * 2, [level - 5] * 2) for level in (10.0, 30.0, 20.0)]
    assert row("line", runs) == ("line", "50.0", "20.0", "20.0", "15.0", "15.0")
    late = Taken(4, [], [])  # so late that nothing was read
    assert row("line", [runs[0], late, late]) == ("line", "0.0", "10.0", "10.0", "5.0", "5.0")
    assert row("line", [late]) == ("line", "0.0", "-", "-", "-", "-")


def test_a_variant_that_does_not_keep_up_is_named() -> None:
    late, good = Taken(10, [900.0] * 8, [890.0] * 8), Taken(10, [20.0] * 10, [10.0] * 10)
    [told] = run.overloaded({"line": [good, good, late], "cv2_loop": [late, good, late]})
    assert told.startswith("overloaded: loop: OpenCV")
    assert "read 80% of the frames" in told


@pytest.mark.slow
@pytest.mark.rtsp
def test_cameras_that_end_are_an_error(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    encode_pictures(busy_images(5, (320, 176)), 25, clip)
    ended = pytest.raises(RuntimeError, match=f"the cameras ended with status -{signal.SIGKILL}")
    with ended, sending(str(clip), 1, 10):
        [sender] = [each for each in psutil.Process().children() if str(clip) in each.cmdline()]
        sender.kill()
        # Not until it is a zombie: its first thread is one before the others have ended.
        os.waitid(os.P_PID, sender.pid, os.WEXITED | os.WNOWAIT)


def test_every_other_round_goes_the_other_way_round() -> None:
    order = [(0, "line"), (0, "loop"), (1, "loop"), (1, "line"), (2, "line"), (2, "loop")]
    assert list(turns(["line", "loop"], 3)) == order


@pytest.mark.redis
def test_a_loop_tells_the_numbers_of_each_camera(tmp_path: Path) -> None:
    shape = (1, 64 + 16 + 4, 85)
    network = save(
        tmp_path / "yolox.onnx",
        [helper.make_node("Identity", ["none"], ["output"])],
        {"none": np.zeros(shape, np.float32)},
        [floats("images", (1, 3, 64, 64))],
        [floats("output", shape)],
    )

    def read_frames(source: str, size: tuple[int, int]) -> Iterator[Image]:
        """A camera whose numbers begin at its address."""
        for number in itertools.count(int(source)):
            image = np.zeros((*size, 3), np.uint8)
            draw_number(image, number)
            yield image
            if stop.wait(0.02):
                return

    stop = threading.Event()
    at = place((64, 64), (64, 64), "stretch")
    with RedisServer(port=0) as server, reading("cv2_loop", server.url, 2) as read:
        loop = Loop(read_frames, ("0", "1000"), network, at, server.url, 1, None, read_number, 0.0)
        thread = threading.Thread(target=loop.prepare())
        thread.start()
        until_s = time.monotonic() + 60
        while min(Counter(each.camera for each in read).get(n, 0) for n in (0, 1)) < 5:
            assert time.monotonic() < until_s
            time.sleep(0.02)
        stop.set()
        thread.join()
    for camera, first in ((0, 0), (1, 1000)):
        numbers = [each.number for each in read if each.camera == camera]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert first <= numbers[0] < first + 1000
    assert all(each.infer_ms > 0 for each in read)


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.rtsp
def test_a_camera_is_sent_and_its_results_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "SETTLE_S", 0.3)
    monkeypatch.setattr(run, "LATE_S", 4.0)  # on a busy machine
    monkeypatch.chdir(tmp_path)  # where the numbered clip is kept
    clip, figures = tmp_path / "clip.mp4", tmp_path / "figures.json"
    encode_pictures(busy_images(5, (320, 176)), 25, clip)
    plan = Plan(clip, "test-boxes", (1,), fps=10, rounds=1, seconds=1.5, json=figures)
    run.run_bench(plan)
    [told] = json.loads(figures.read_text())["runs"]
    assert told["of"] == "line"
    assert told["read_percent"] > 0
    assert 0 < told["beyond_inference_p50_ms"] < told["sent_to_read_p50_ms"]
    said = capsys.readouterr()
    assert "1 cameras, round 1 of 1: mirante line" in said.err
    assert said.out.splitlines()[-1].startswith("mirante line")
    assert "loops are left out: they read YOLOX alone, not test-boxes" in said.err
