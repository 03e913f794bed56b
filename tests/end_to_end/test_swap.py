"""Engines built and models swapped under a running camera, which loses no frame by it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import yaml

from mirante import subscribe
from pipeline.config.settings import Settings
from pipeline.gst.camera import CameraRunner
from pipeline.worker.process import run_worker
from pipeline.worker.worker import Worker
from tests.support import MEASURES, ROOT
from tests.support.outcome import Run
from tests.support.running_worker import running

Up = Callable[..., Any]
Here = Callable[..., AbstractContextManager[None]]
# Its image says what is in it; a frame that is lost or doubled shows in its number.
DRAWN = {"url": "test://?size=640x360&fps=5", "stages": [{"model": "test-boxes"}]}
# Each frame of this clip waits for the one before it, so a swap has nothing to hide behind: the
# clip shows the same three rectangles.
CLIP = {
    "url": f"file:{ROOT / 'tests/support/numbers.h265.mp4'}",
    "pace": "every_frame",
    "loop": True,
    "stages": [
        {"model": "test-boxes"},
        {
            "python": "tests.support.overload:Slow",
            "options": {"seconds": 0.04, "fail": 10**9, "drop": 10**9},
        },
    ],
}
PATIENCE_S = 100.0
IDLE_S = 250.0  # what steps back for everything else, beside other tests


@pytest.fixture
def up(started: Up, redis_url: str, tmp_path: Path) -> Up:
    """Starts ``mirante up`` with the camera ``drawn``."""

    def start(port: int, camera: Any = DRAWN, runtime: str = "null", **settings: Any) -> Any:
        config = tmp_path / "config.yaml"
        document = {"redis": {"url": redis_url}, "metrics": {"port": port}}
        document["cameras"] = {"drawn": camera}
        config.write_text(yaml.safe_dump(document | settings))
        return started("mirante", "up", config, **{MEASURES: runtime})

    return start


@pytest.fixture
def here(redis_url: str, free_port: int) -> Here:
    """Runs a worker with the camera ``drawn`` in this process until the block ends."""

    @contextmanager
    def run(camera: Any = DRAWN) -> Iterator[None]:
        off, metrics = {"port": None}, {"port": free_port}
        kept = {"detections_s": 600}  # all frames, however long a swap takes
        document: dict[str, Any] = {"redis": {"url": redis_url, "retention": kept}}
        document |= {"metrics": metrics, "dashboard": off}
        settings = Settings.model_validate(document | {"cameras": {"drawn": camera}})
        stop = threading.Event()
        with ThreadPoolExecutor(1) as thread:
            ended = thread.submit(run_worker, settings, CameraRunner, stop=stop)
            try:
                yield
            finally:
                stop.set()
        assert ended.result() == 0

    return run


def german(folder: Path) -> Path:
    """The same model with another word for red."""
    zoo = ROOT / "engines" / "zoo"
    manifest = yaml.safe_load((zoo / "test-boxes.yaml").read_text())
    manifest |= {"name": "twin", "labels": ["rot", "green", "blue"], "sha256": None}
    manifest["file"] = str(zoo / manifest["file"])
    path = folder / "twin.yaml"
    path.write_text(yaml.safe_dump(manifest))
    return path


def infos(port: int, name: str) -> list[str]:
    """Lines of one metric; none while the worker does not answer."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except (OSError, HTTPException):
        return []
    return [line for line in lines if line.startswith(name + "{")]


def wait_for(port: int, name: str, *parts: str, patience_s: float = PATIENCE_S) -> str:
    """The first line of that metric that holds all parts."""
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s:
        for line in infos(port, name):
            if all(part in line for part in parts):
                return line
        time.sleep(0.2)
    raise AssertionError(f"{name} {parts} never came; last {infos(port, name)}")


def published(redis_url: str, count: int) -> list[Any]:
    """The first frames; each account holds, and nothing failed."""
    found = subscribe("drawn", ("detections",), since="0", redis=redis_url, timeout_s=60.0)
    seen = [frame for _, frame in zip(range(count), found, strict=False)]
    assert len(seen) == count
    for frame in seen:
        counts = frame.counts
        assert counts.failed == 0
        assert counts.decoded == counts.published + sum(counts.dropped.values())
    return seen


def published_until(redis_url: str, label: str, count: int = 40) -> list[Any]:
    """The first frames, so many at least, as far as one in which that is found."""
    seen = published(redis_url, count)
    while label not in {found for found, _, _ in seen[-1].detections}:
        assert len(seen) < 4000
        seen = published(redis_url, len(seen) + 20)
    return seen


# Its parts: builder/test_build_engines.py has a real child, worker/test_fastest.py a real engine
# that takes over in a worker, worker/test_builds.py what becomes of a child.
@pytest.mark.full
@pytest.mark.timeout(290)
def test_an_engine_is_built_in_a_child_and_swapped_in(
    up: Up, redis_url: str, free_port: int
) -> None:
    pytest.importorskip("openvino", reason="the engine is OpenVINO's")
    pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')
    settings = {"engine": {"precision": "fp32"}}
    process = up(free_port, runtime="openvino", **settings)
    wait_for(free_port, "mirante_model_info", 'model="test-boxes"', 'runtime="onnxruntime"')
    wait_for(free_port, "mirante_engine_build", 'state="ready"', patience_s=IDLE_S)
    line = wait_for(free_port, "mirante_model_info", 'runtime="openvino"')
    assert 'precision="fp32"' in line
    assert 'parity="proved"' in line
    published(redis_url, 30)
    process.terminate()
    process.wait(timeout=60)
    up(free_port, runtime="openvino", **settings)  # the engine is there: it serves from frame 1
    wait_for(free_port, "mirante_model_info", 'runtime="openvino"')
    assert not [line for line in infos(free_port, "mirante_engine_build") if "ready" not in line]


@pytest.mark.full  # its parts: builder/test_contest.py, worker/test_fastest.py
@pytest.mark.timeout(290)
def test_the_fastest_runtime_is_found_once(
    up: Up, redis_url: str, free_port: int, tmp_path: Path
) -> None:
    pytest.importorskip("openvino", reason="there is no choice without it")
    pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')
    process = up(free_port, runtime="auto")
    wait_for(free_port, "mirante_model_info", 'model="test-boxes"', 'runtime="onnxruntime"')
    wait_for(free_port, "mirante_engine_build", 'state="ready"', patience_s=IDLE_S)
    published(redis_url, 150)
    (kept,) = (tmp_path / "home" / "verdicts").glob("test-boxes-*.json")
    verdict = json.loads(kept.read_text())
    winner = verdict["measured"][verdict["fastest"]]
    wait_for(free_port, "mirante_model_info", f'runtime="{winner["runtime"]}"')
    process.terminate()
    log, _ = process.communicate(timeout=60)
    assert f"{winner['runtime']} {winner['precision']} is fastest here" in log
    up(free_port, runtime="auto")  # it is known: nothing is measured
    wait_for(free_port, "mirante_engine_build", 'state="ready"')
    wait_for(free_port, "mirante_model_info", f'runtime="{winner["runtime"]}"')
    assert json.loads(kept.read_text()) == verdict


def test_a_model_is_swapped_by_hand_kept_and_rolled_back(
    here: Here, mirante: Run, redis_url: str, free_port: int, tmp_path: Path
) -> None:
    twin = german(tmp_path)
    with here():
        wait_for(free_port, "mirante_model_info", 'runs="test-boxes"')
        refused = mirante("models", "swap", "test-boxes", "test-lane", "--redis", redis_url)
        assert refused.status == 1
        assert "but test-lane is a segmenter; the running model stays" in refused.err
        done = mirante("models", "swap", "test-boxes", str(twin), "--redis", redis_url)
        assert (done.status, done.err) == (0, "")
        assert done.out == (
            "test-boxes: model test-boxes → twin; labels red, green, blue → rot, green, blue\n"
            "undo: mirante models rollback test-boxes\n"
        )
        wait_for(free_port, "mirante_model_info", f'runs="{twin}"')
    with here():
        wait_for(free_port, "mirante_model_info", f'runs="{twin}"')  # kept
        back = mirante("models", "rollback", "test-boxes", "--redis", redis_url)
        assert back.out == "test-boxes: test-boxes runs again\n"
        again = mirante("models", "rollback", "test-boxes", "--redis", redis_url)
        assert again.status == 1
        assert "nothing to go back to" in again.err


def test_a_model_that_does_not_find_what_is_blurred_is_refused(
    mirante: Run, redis_url: str, tmp_path: Path
) -> None:
    cameras = {"drawn": DRAWN | {"preview": {"blur": ["red"]}}}
    settings = Settings.model_validate({"cameras": cameras})
    with running(Worker(settings, redis_url, CameraRunner)):
        published(redis_url, 1)
        words = ("models", "swap", "test-boxes", str(german(tmp_path)), "--redis", redis_url)
        refused = mirante(*words)
    assert refused.status == 1
    assert "does not find red, which cameras blur (preview.blur)" in refused.err


def test_a_swap_loses_no_frame(
    here: Here, mirante: Run, redis_url: str, free_port: int, tmp_path: Path
) -> None:
    twin = german(tmp_path)
    at = ("--redis", redis_url)
    with here(CLIP):
        wait_for(free_port, "mirante_model_info", 'runs="test-boxes"')
        assert mirante("models", "swap", "test-boxes", str(twin), *at).out
        seen = published_until(redis_url, "rot")  # or it may run for no frame at all
        assert mirante("models", "rollback", "test-boxes", *at).out
        seen = published_until(redis_url, "red", len(seen))
    assert [frame.seq for frame in seen] == list(range(len(seen)))
    assert sum(seen[-1].counts.dropped.values()) == 0
    names = [{label for label, _, _ in frame.detections} for frame in seen]
    swapped = [i for i, labels in enumerate(names) if "rot" in labels]
    assert swapped == list(range(swapped[0], swapped[-1] + 1))  # from one frame to the next
    assert all(len(labels) == 3 for labels in names)
