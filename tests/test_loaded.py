"""What processes load, looked at in ``sys.modules`` of one that did its work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.slow
OF_A_CONSUMER = {"numpy", "msgspec", "redis"}
SAID = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
STEPS = ("", "import mirante", "for name in mirante.__all__: getattr(mirante, name)")
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
    gate = worker.state().cameras.get("gate")
    if gate and gate.counts and gate.counts.published > 3:
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
    return loaded_by_steps([program], home)[-1]


def loaded_by_steps(steps: Sequence[str], home: Path) -> list[set[str]]:
    """Return the names of the modules of one process after each of the steps that it ran."""
    done = subprocess.run(
        [sys.executable, "-c", "".join(f"{step}{SAID}\n" for step in steps)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "MIRANTE_HOME": str(home), "XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [set(json.loads(line)) for line in done.stdout.splitlines()[-len(steps) :]]


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
    # The first is what this installation starts Python with.
    at_rest, first, used = map(libraries, loaded_by_steps(STEPS, tmp_path))
    assert first - at_rest <= OF_A_CONSUMER
    assert used >= OF_A_CONSUMER
    assert used <= libraries(loaded("import numpy, msgspec, redis, redis.asyncio", tmp_path))


@pytest.mark.redis
def test_a_worker_loads_nothing_that_trains_or_converts(tmp_path: Path) -> None:
    of_redis, modules = loaded_by_steps(("import redis, redis.asyncio", WORKER), tmp_path)
    assert of(modules, "plugins.mirinfer", "engines.model"), "it ran models"
    others = ("training", "benchmarks", "bridges", "fleet", "ray", "dashboard")
    heavy = ("engines.convert", "engines.inspect", "torch", "tensorflow", "onnx")
    assert of(modules, *others, *heavy) == []
    # Telemetry is off: nothing of it beyond what redis-py takes by itself, where it is installed.
    assert of(modules - of_redis, "opentelemetry", "requests", "urllib3") == []
