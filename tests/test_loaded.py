"""What processes load, looked at in ``sys.modules`` of one that did its work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

OF_A_CONSUMER = {"numpy", "msgspec", "redis"}
SAID = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
DASHBOARD = """
import dashboard.app
from dashboard.api.camera_keys import body_of, check
from pipeline.control.spec import checked
keys = {"url": "test://?fps=5", "stages": [{"model": "street"}], "preview": {"blur": ["person"]}}
body_of(keys)
check("gate", keys, None, None)
checked("gate", keys)
"""
WORKER = """
import threading
from pipeline.config.settings import Settings
from pipeline.gst.camera import CameraRunner
from pipeline.worker.process import run_worker
stop = threading.Event()
def look(worker):
    if worker.state().cameras["gate"].counts.published > 3:
        stop.set()
camera = {"url": "test://?fps=20", "stages": [{"model": "test-boxes"}, {"model": "test-lane"}]}
off = {"port": None}
settings = Settings.model_validate({"metrics": off, "dashboard": off, "cameras": {"gate": camera}})
run_worker(settings, CameraRunner, stop=stop, on_tick=look)
from pipeline.cli.app import run
assert run(["up", "no-such-file.yaml"]) != 0  # how the command line finds a worker's command
"""


def loaded(program: str, home: Path) -> set[str]:
    """Return the names of the modules of a process that ran ``program``."""
    done = subprocess.run(
        [sys.executable, "-c", program + SAID],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "MIRANTE_HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def of(modules: set[str], *rooms: str) -> list[str]:
    """Return those modules that are one of ``rooms``, or inside."""
    return sorted(name for name in modules if f"{name}.".startswith(tuple(f"{r}." for r in rooms)))


def libraries(modules: set[str]) -> set[str]:
    """Return the names of what neither Python nor Mirante brings."""
    names = {name.partition(".")[0] for name in modules}
    return names - sys.stdlib_module_names - {"mirante", "__main__"}


def test_the_dashboard_loads_nothing_that_runs_models(tmp_path: Path) -> None:
    modules = loaded(DASHBOARD, tmp_path)
    assert of(modules, "dashboard.app", "pipeline.config.stages.model")
    assert of(modules, "engines", "plugins", "gi", "cv2", "torch", "onnxruntime") == []


def test_a_consumer_loads_three_libraries(tmp_path: Path) -> None:
    at_rest = libraries(loaded("", tmp_path))  # what this installation starts Python with
    assert libraries(loaded("import mirante", tmp_path)) - at_rest <= OF_A_CONSUMER
    whole = "import mirante\nfor name in mirante.__all__: getattr(mirante, name)"
    theirs = libraries(loaded("import numpy, msgspec, redis, redis.asyncio", tmp_path))
    used = libraries(loaded(whole, tmp_path))
    assert used >= OF_A_CONSUMER
    assert used <= theirs


@pytest.mark.redis
def test_a_worker_loads_nothing_that_trains_or_converts(tmp_path: Path) -> None:
    modules = loaded(WORKER, tmp_path)
    assert of(modules, "plugins.mirinfer", "engines.model"), "it ran models"
    others = ("training", "benchmarks", "bridges", "fleet", "ray", "dashboard")
    heavy = ("engines.convert", "engines.inspect", "torch", "tensorflow", "onnx")
    assert of(modules, *others, *heavy) == []
