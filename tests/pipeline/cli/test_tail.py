"""``mirante tail`` on a real Redis that an outbox fills."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from mirante import Attribute, Counts, Detections, FrameResult, Mask
from mirante.status import Status
from pipeline.cli.tail import frame_words, objects_words
from pipeline.worker.redis_server import RedisServer
from plugins.outbox.outbox import Outbox
from tests.support.outcome import Run
from tests.support.printed import printed

pytestmark = pytest.mark.redis
START_NS = 1_700_000_000_250_000_000


def detections() -> Detections:
    return Detections(
        np.array([[0, 0, 9, 9], [10, 10, 19, 19], [5, 5, 8, 8]], np.float32),
        np.array([0.5, 0.75, 0.875], np.float32),
        np.array([1, 0, 1], np.int32),
        ("car", "person"),
    )


def result(seq: int, published: int) -> FrameResult:
    lane = np.zeros((1, 36, 64), np.bool_)
    lane[0, 18:, 10] = True
    return FrameResult(
        "gate",
        seq,
        START_NS // 1_000_000,
        START_NS + seq * 100_000_000,
        "arrival",
        1280,
        720,
        detections(),
        (Mask.from_planes(("lane",), lane, (0, 0, 1280, 720), "twinlitenet"),),
        counts=Counts(seq + 1, published, {"queue": seq + 1 - published}, 0),
    )


@pytest.fixture
def filled(redis_server: RedisServer) -> Iterator[str]:
    """Redis with the frames 0, 1 and 4; one of those between was published and is gone."""
    outbox = Outbox(redis_server.url)
    outbox.start()
    for seq, published in ((0, 1), (1, 2), (4, 4)):
        outbox.publish(result(seq, published))
    assert outbox.close(10) == 0
    yield redis_server.url


def tail_command(url: str, *options: str) -> list[str]:
    code = "import sys; from pipeline.cli import main; main()"
    return [sys.executable, "-c", code, "tail", "gate", "--redis", url, "--since", "1e9", *options]


def test_a_line_a_frame_and_a_picture_of_its_mask(filled: str, mirante: Run) -> None:
    options = ("--since", "1e9", "--count", "3", "--pictures", "100")
    outcome = mirante("tail", "gate", "--redis", filled, *options)
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    frames = [line for line in lines if "2 person" in line]
    assert len(frames) == 3
    assert frames[0].endswith("2 person (0.88, 0.50), 1 car (0.75), lane 1%")
    assert " #4 " in frames[2]
    assert any("1 frames before #4 are missing" in line for line in lines)
    picture = [line for line in lines if line.startswith("  |")]
    assert len(picture) == 18, "one image in so many seconds"
    assert picture[-1] == f"  |{' ' * 10}█{' ' * 53}|"


def test_no_pictures(filled: str, mirante: Run) -> None:
    arguments = ("--redis", filled, "--since", "1e9", "--count", "1", "--pictures", "0")
    outcome = mirante("tail", "gate", *arguments)
    assert "|" not in outcome.out
    assert "lane" not in outcome.out


def test_a_reader_that_leaves_is_no_error(filled: str) -> None:
    process = subprocess.Popen(
        tail_command(filled), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stderr
    assert process.stdout.readline()
    process.stdout.close()
    outbox = Outbox(filled)
    outbox.start()
    try:
        for seq in range(5, 400):
            outbox.publish(result(seq, seq))
            if process.poll() is not None:
                break
            time.sleep(0.05)
        assert process.wait(60) != 0
    finally:
        process.kill()
        outbox.close(5)
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_camera_that_nobody_knows_is_waited_for_until_ctrl_c_ends_it_in_silence(
    redis_server: RedisServer,
) -> None:
    process = subprocess.Popen(
        tail_command(redis_server.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stderr
    said = process.stderr.readline()
    assert said == 'mirante: no camera "gate" is known yet, waiting for it\n'
    outbox = Outbox(redis_server.url)
    outbox.start()
    status = Status(camera="gate", state="stalled", reason="no frame for 3 s", ts=1e9, since=1e9)
    outbox.status(status)
    assert printed(process).endswith("gate is stalled: no frame for 3 s\n")
    outbox.publish(result(0, 1))
    outbox.close(10)
    for line in process.stdout:
        if " #0 " in line:
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")


def test_words() -> None:
    assert objects_words(detections()) == "2 person (0.88, 0.50), 1 car (0.75)"
    named = detections().with_attributes({1: {"colour": Attribute("red", 0.6)}})
    assert " colour: red" in objects_words(named)
    from mirante.client.items import Frame

    frame = Frame("gate", 7, 0, START_NS, "rtcp", 8, 8, sent=START_NS / 1e9 + 0.042)
    assert frame_words(frame).endswith(".250  #7    42 ms  nothing")
    assert "  gate  #7" in frame_words(frame, several=True)
    assert frame_words(replace(frame, skipped="still")).endswith("  still: nothing")
    half = Mask.from_planes(("skin",), np.eye(2, dtype=bool)[None], (0, 0, 9, 9), "face")
    owned = replace(frame, detections=detections().with_masks([(1, half)]))
    assert frame_words(owned).endswith("2 person (0.88, 0.50), 1 car (0.75), skin 50%")
