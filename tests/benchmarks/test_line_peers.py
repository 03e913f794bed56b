"""The peers measured beside the line: they do the same work, or are left out with words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import redis
from numpy.typing import NDArray
from onnx import helper

from benchmarks.line import line, peers
from benchmarks.line.job import Job
from benchmarks.line.loops import Loop, stream_of
from benchmarks.line.openvino_queue import OpenvinoQueue
from benchmarks.line.peers import programs_of_peers
from engines.placement import place
from pipeline.cameras.synthetic import picture
from pipeline.gst.clips import encode_pictures
from pipeline.worker.redis_server import RedisServer
from tests.support.onnx_networks import floats, save

SIDE, FRAMES = 32, 40


def network(tmp_path: Path) -> Path:
    """A network of YOLOX's shape: what it finds and how sure it is depends on how bright it is."""
    cells = sum((SIDE // stride) ** 2 for stride in (8, 16, 32))
    raw = np.zeros((1, cells, 85), np.float32)
    raw[0, 5, 4:7] = 2, 0.6, 0.5  # objectness; two classes
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["share"]),
        helper.make_node("Mul", ["share", "raw"], ["output"]),
    ]
    constants = {"raw": raw, "white": np.array([255], np.float32)}
    inputs, outputs = floats("images", (1, 3, SIDE, SIDE)), floats("output", (1, cells, 85))
    return save(tmp_path / "bright.onnx", nodes, constants, [inputs], [outputs])


def frames(_clip: str, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    for number in range(FRAMES):
        yield np.full((size[1], size[0], 3), 160 + number, np.uint8)


def results(url: str, camera: int) -> list[list[dict[str, Any]]]:
    """Return the objects of each result of a camera, in the order of their scores."""
    with redis.Redis.from_url(url) as client:
        entries = client.xrange(stream_of(camera))
    objects = [msgspec.json.decode(fields[b"json"])["objects"] for _, fields in entries]
    return sorted(objects, key=lambda each: each[0]["score"] if each else 0.0)


def test_a_queue_finds_in_each_frame_what_a_loop_finds(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    """Requests end in any order, and inputs are used again: no frame may take another's place."""
    pytest.importorskip("openvino")
    at = place((SIDE, SIDE), (SIDE, SIDE), "stretch", None)
    loop = Loop(frames, ("one", "two"), network(tmp_path), at, redis_server.url, 1)
    assert loop.prepare()() == 2 * FRAMES
    wanted = results(redis_server.url, 0)
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    assert OpenvinoQueue(loop).run() == 2 * FRAMES
    for camera in (0, 1):
        found = results(redis_server.url, camera)
        assert len(found) == len(wanted) == FRAMES
        for ours, theirs in zip(found, wanted, strict=True):
            assert len(ours) == 1
            assert ours[0]["score"] == pytest.approx(theirs[0]["score"], abs=1e-4)
            assert ours[0]["bbox"] == pytest.approx(theirs[0]["bbox"], abs=1e-3)


def test_a_result_that_cannot_be_sent_ends_the_run(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    at = place((SIDE, SIDE), (SIDE, SIDE), "stretch", None)
    loop = Loop(frames, ("one",), network(tmp_path), at, "redis://127.0.0.1:1", 1)
    with pytest.raises((RuntimeError, redis.ConnectionError), match=r"127\.0\.0\.1:1"):
        OpenvinoQueue(loop).run()


def test_a_peer_that_cannot_be_had_is_left_out_with_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What can be had is installed once."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(exist_ok=True)
        is_refused = any("streamvision" in word for word in command[3:-1])
        return subprocess.CompletedProcess(command, int(is_refused), "", "ERROR: no network\n")

    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(peers, "find_spec", lambda _: None)
    programs = programs_of_peers()
    assert list(programs) == ["modelpipe"]
    python, script = programs["modelpipe"]
    assert Path(python).is_relative_to(tmp_path)
    assert Path(script).is_file()
    assert "openvino is missing; pip install" in caplog.text
    assert "Roboflow streamvision" in caplog.text
    assert "pip install: ERROR: no network" in caplog.text
    commands.clear()
    assert programs_of_peers() == programs
    assert not any("modelpipe" in word for command in commands for word in command)


def test_a_peer_that_fails_is_left_out_from_then_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encode_pictures([picture(0, 64, 48)], 10, clip := tmp_path / "clip.mp4")
    command = [sys.executable, "-c", "raise SystemExit('it has no such model')"]
    programs = {"modelpipe": command, "roboflow": ["of no use"]}
    job = Job(str(clip), "test-boxes", 1, 30, "redis://127.0.0.1:1")
    assert line.measure_peer("modelpipe", programs, job, os.getpid()) == []
    assert list(programs) == ["roboflow"]
    assert "ModelPipe" in (said := capsys.readouterr().err)
    assert "left out: modelpipe: it has no such model" in said
    assert line.measure_peer("modelpipe", programs, job, os.getpid()) == []
