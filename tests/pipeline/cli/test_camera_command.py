from __future__ import annotations

import json
import re
import shlex
import shutil
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engines.manifest import ZOO
from mirante.keys import WORKERS, key, lease_key
from pipeline.cameras.state import State
from pipeline.control.blob_places import RedisBlobs
from pipeline.control.carried_models import pinned
from pipeline.control.entries import Needs
from pipeline.control.fleet_report import FleetReport, publish
from pipeline.control.lease import WorkerLease
from pipeline.control.registry import Registry, connect
from pipeline.control.rpc import Requests
from pipeline.control.worker_file import WorkerFile
from pipeline.worker.redis_server import RedisServer
from pipeline.worker.wakes import answer_wake
from plugins.gate.calm import Calm
from tests.support import ROOT
from tests.support.outcome import Run
from tests.support.polled_requests import polled

pytestmark = pytest.mark.redis


def test_add_list_remove(redis_server: RedisServer, mirante: Run, home: Path) -> None:
    at = ("--redis", redis_server.url)
    url = "rtsp://admin:hunter2@192.0.2.1/x"
    added = mirante("camera", "add", "gate", url, "--model", "test-boxes", "--fps", "5", *at)
    assert (added.status, added.err) == (0, "")
    assert added.out == 'camera "gate" added; it starts when worker "main" does\n'
    listed = mirante("camera", "list", *at).out.splitlines()
    headings = ["camera", "state", "reason", "url", "stages", "origin", "worker"]
    assert re.split(r"  +", listed[0]) == headings
    assert re.split(r"  +", listed[1])[:2] == ["gate", "unknown"]
    assert 'worker "main" is not running' in listed[1]
    assert "rtsp://***@192.0.2.1/x" in listed[1]
    assert "test-boxes" in listed[1]
    removed = mirante("camera", "remove", "gate", *at)
    assert removed.out == 'camera "gate" removed\n'
    assert len(mirante("camera", "list", *at).out.splitlines()) == 1
    assert "hunter2" not in str([added, listed, removed])


def test_a_camera_goes_to_the_only_worker_that_is_up(
    redis_server: RedisServer, mirante: Run, home: Path
) -> None:
    at = ("--redis", redis_server.url)
    with connect(redis_server.url) as client:
        client.sadd(WORKERS, "demo")
        client.set(lease_key("demo"), "{}")
    added = mirante("camera", "add", "gate", "test://", *at)
    assert added.out == 'camera "gate" added; see: mirante camera list\n'
    with connect(redis_server.url) as client:
        assert Registry(client).cameras()["gate"].worker == "demo"


def test_how_the_image_is_shown(redis_server: RedisServer, mirante: Run, home: Path) -> None:
    at = ("--redis", redis_server.url)
    areas = ("--mask", "0,0 0.5,0 0,0.5", "--mask", "1,1 0.5,1 1,0.5")
    shown = ("--rotate", "90", "--mirror", "--deinterlace", "off", "--crop", "0,0.25,1,1", *areas)
    assert mirante("camera", "add", "gate", "test://", *shown, *at).status == 0
    with connect(redis_server.url) as client:
        spec = dict(Registry(client).cameras()["gate"].spec)
        assert spec == {
            "url": "test://",
            "rotate": 90,
            "mirror": True,
            "deinterlace": "off",
            "crop": [0, 0.25, 1, 1],
            "mask": [[[0, 0], [0.5, 0], [0, 0.5]], [[1, 1], [0.5, 1], [1, 0.5]]],
        }
        edited = mirante("camera", "edit", "gate", "--no-mirror", "--default", "crop", *at)
        assert edited.status == 0
        assert not Registry(client).resolved("gate").mirror
        assert Registry(client).resolved("gate").crop is None
        assert Registry(client).cameras()["gate"].spec["mask"] == spec["mask"]
    for option, value, words in (
        (
            "--crop",
            "0,0,1",
            "--crop: expected LEFT,TOP,RIGHT,BOTTOM, each 0 to 1 of the image, got",
        ),
        ("--mask", "0,0 1,x", "--mask: expected X,Y X,Y X,Y …"),
        ("--mask", "0,0 1,1", "mask[0]: a list — expected 3 to 100 corners"),
        ("--rotate", "45", "rotate: 45 — expected 0, 90, 180 or 270"),
    ):
        refused = mirante("camera", "edit", "gate", option, value, *at)
        assert (refused.status, words in refused.err) == (2, True), refused.err


def test_a_model_on_crops_of_another(redis_server: RedisServer, mirante: Run, home: Path) -> None:
    models = ("--model", "street", "--model", "face@face")
    added = mirante("camera", "add", "gate", "test://", *models, "--redis", redis_server.url)
    assert (added.status, added.err) == (0, "")
    with connect(redis_server.url) as client:
        spec = Registry(client, "main").cameras()["gate"].spec
    assert spec["stages"] == [{"model": "street"}, {"model": "face", "on": "face"}]


def test_a_camera_is_woken_by_its_worker(
    redis_server: RedisServer, mirante: Run, home: Path
) -> None:
    at = ("--redis", redis_server.url)
    assert mirante("camera", "add", "gate", "test://", *at).status == 0
    refused = mirante("camera", "wake", "gat", *at)
    assert refused.status != 0
    assert 'no camera "gat"; did you mean "gate"?' in refused.err
    calm = Calm()
    calm.spares = True
    runner: Any = SimpleNamespace(state=State.RUNNING, reason="", finished=False)
    running = {"gate": SimpleNamespace(calm=calm, runner=runner)}
    with connect(redis_server.url) as client:
        waking = Requests(client, "main", {"wake": partial(answer_wake, lambda: running)})
        with polled(waking):
            woken = mirante("camera", "wake", "gate", "--for", "600", *at)
    assert woken.out == 'models look at each frame of camera "gate" for 600 s\n'
    assert calm.is_called(time.monotonic() + 60)


def test_pause_resume_edit(redis_server: RedisServer, mirante: Run, home: Path) -> None:
    at = ("--redis", redis_server.url)
    url = "rtsp://admin:hunter2@192.0.2.1/x"
    assert mirante("camera", "add", "gate", url, "--fps", "5", "--width", "320", *at).status == 0
    paused = mirante("camera", "pause", "gate", *at)
    assert paused.out == 'camera "gate" is paused; to resume: mirante camera resume gate\n'
    listed = mirante("camera", "list", *at).out.splitlines()[1]
    reason = "to resume: mirante camera resume gate"
    assert re.split(r"  +", listed)[:3] == ["gate", "paused", reason]
    models = ("--model", "street", "--model", "face@face")
    edited = mirante("camera", "edit", "gate", *models, "--height", "99", "--default", "fps", *at)
    assert edited.out == 'camera "gate" is changed; see: mirante camera list\n'
    with connect(redis_server.url) as client:
        camera = Registry(client).resolved("gate")
        assert camera.model_dump(exclude_unset=True, exclude={"url"}) == {
            "width": 320,
            "height": 99,
            "stages": [{"model": "street"}, {"model": "face", "on": "face"}],
        }
        assert camera.url.password == "hunter2"
        assert mirante("camera", "edit", "gate", "--url", "test://", *at).status == 0
        assert str(Registry(client).resolved("gate").url) == "test://"
    resumed = mirante("camera", "resume", "gate", *at)
    assert resumed.out == 'camera "gate" is resumed; see: mirante camera list\n'
    assert "  unknown  " in mirante("camera", "list", *at).out
    assert mirante("camera", "edit", "gate", "--fps", "1,10", *at).status == 0
    with connect(redis_server.url) as client:
        assert Registry(client).cameras()["gate"].spec["fps"] == {"quiet": 1, "busy": 10}


def test_the_commands_of_the_page_run(
    redis_server: RedisServer, mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRANTE_REDIS_URL", redis_server.url)
    page = (ROOT / "docs" / "cameras.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^## Pause and edit\n+```bash\n(.*?)^```", page, re.M | re.S)
    assert mirante("camera", "add", "gate", "test://", "--width", "320").status == 0
    for line in block.splitlines():
        outcome = mirante(*shlex.split(line, comments=True)[1:])
        assert (outcome.status, outcome.err) == (0, ""), line
    with connect(redis_server.url) as client:
        entry = Registry(client).cameras()["gate"]
    url = "rtsp://viewer:${GATE_PASSWORD}@192.0.2.20/stream2"
    assert (entry.spec, entry.paused) == ({"url": url, "fps": 5.0}, False)


def test_actual_state_is_that_of_a_live_worker(redis_server: RedisServer, mirante: Run) -> None:
    with connect(redis_server.url) as client, WorkerFile("main", redis_server.url):
        WorkerLease(client, "main").acquire()
        client.persist(lease_key("main"))  # nobody renews it
        assert mirante("camera", "add", "gate", "test://").out.endswith("mirante camera list\n")
        listed = mirante("camera", "list").out
        assert "  not started  " in listed
        assert "  its worker's defaults  " in listed
        now_s = time.time()
        status = {"state": "stalled", "reason": "no frame for 3.0 s", "ts": now_s}
        client.xadd(key("gate", "status"), {"json": json.dumps(status)})
        assert "  stalled  no frame for 3.0 s  " in mirante("camera", "list").out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("add", "gate", "rtspp://h/x"),
            'gate.url: "rtspp://h/x" — unknown scheme "rtspp"; did you mean "rtsp"?',
        ),
        (
            ("add", "gate", "test://", "--model", "test-boxs"),
            'gate.stages[0].model: "test-boxs" — did you mean "test-boxes"?, or the path of a '
            "manifest (.yaml)",
        ),
        (
            ("add", "gate", "test://", "--model", "street", "--model", "face"),
            'gate.stages[1].on: nothing — "face" runs on crops: expected a class that an earlier '
            "stage finds, such as face",
        ),
        (
            ("add", "gate", "test://", "--model", "street", "--model", "face@fase"),
            'gate.stages[1].on: "fase" — expected a class that an earlier stage finds; did you '
            'mean "face"?',
        ),
        (
            ("add", "gate", "test://", "--fps", "0"),
            "gate.fps: 0.0 — expected a number greater than 0",
        ),
        (
            ("add", "gate", "test://", "--fps", "5,2"),
            "gate.fps: a mapping — expected quiet ≤ busy, got 5 and 2",
        ),
        (
            ("add", "gate", "test://", "--fps", "1,2,3"),
            'mirante: --fps: expected a number, or two as QUIET,BUSY, got "1,2,3"',
        ),
        (
            ("add", "gate", "test://", "--worker", "a b"),
            'worker: "a b" — expected 1 to 64 letters, digits, _ . or -, the first a letter or '
            "digit",
        ),
    ],
)
def test_mistakes_are_status_2(
    arguments: tuple[str, ...], line: str, redis_server: RedisServer, mirante: Run
) -> None:
    outcome = mirante("camera", *arguments, "--redis", redis_server.url)
    assert (outcome.status, outcome.err.splitlines()) == (2, [line])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "expected an option that says what to change"),
        (("--fps", "0"), "gate.fps: 0.0 — expected a number greater than 0"),
        (("--default", "fsp"), 'gate.fsp: unknown key — did you mean "fps"?'),
        (
            ("--model", "test-boxs"),
            'gate.stages[0].model: "test-boxs" — did you mean "test-boxes"?, or the path of a '
            "manifest (.yaml)",
        ),
    ],
)
def test_mistakes_of_an_edit_are_status_2(
    arguments: tuple[str, ...], line: str, redis_server: RedisServer, mirante: Run
) -> None:
    at = ("--redis", redis_server.url)
    assert mirante("camera", "add", "gate", "test://", *at).status == 0
    outcome = mirante("camera", "edit", "gate", *arguments, *at)
    assert outcome.status == 2
    assert line in outcome.err


def test_remove_what_is_not_there(redis_server: RedisServer, mirante: Run) -> None:
    outcome = mirante("camera", "remove", "gate", "--redis", redis_server.url)
    assert (outcome.status, outcome.err) == (1, 'mirante: no camera "gate"; there is none\n')


def test_a_camera_is_added_to_a_fleet_with_what_it_takes_along(
    redis_server: RedisServer, mirante: Run, home: Path, tmp_path: Path
) -> None:
    at = ("--redis", redis_server.url)
    shutil.copy(ZOO / "test-boxes.onnx", tmp_path / "mine.onnx")
    about = (ZOO / "test-boxes.yaml").read_text().replace("test-boxes", "mine")
    (tmp_path / "mine.yaml").write_text(about)
    add = ("camera", "add", "gate", "rtsp://admin:hunter2@192.0.2.1/x", *at)
    needs = ("--fleet", "--needs", "gpu,zone=yard,label=night,label=dry")
    refused = mirante(*add, *needs)
    assert (refused.status, "there is no fleet on this Redis" in refused.err) == (1, True)
    with connect(redis_server.url) as client:
        publish(client, FleetReport(at=time.time(), cameras=3, placed=3, more=0))
        assert "3 of 3 cameras fit" in mirante(*add, *needs).err
        publish(client, FleetReport(at=time.time(), more=None))
        assert "mirante fleet key" in mirante(*add, *needs).err
        assert mirante("fleet", "key").status == 0
        added = mirante(*add, *needs, "--model", str(tmp_path / "mine.yaml"))
        assert (added.status, added.err) == (0, "")
        gate = Registry(client).cameras()["gate"]
        assert (gate.fleet, gate.worker) == (True, "")
        assert gate.needs == Needs(("night", "dry"), True, "yard")
        [stage, *_] = gate.spec["stages"]
        model = pinned(stage["model"])
        assert model is not None
        assert RedisBlobs(client).has(model.digest)
        assert Registry(client).resolved("gate").url.password == "hunter2"
        RedisBlobs(client).remove(model.digest)
        edit = ("camera", "edit", "gate", "--model", str(tmp_path / "mine.yaml"), *at)
        assert mirante(*edit).status == 0
        assert Registry(client).cameras()["gate"].spec["stages"][0]["model"] == stage["model"]
        assert RedisBlobs(client).has(model.digest)
    assert "belongs to the fleet; expected --fleet" in mirante(*add).err
    wrong = mirante(*add, "--needs", "zone=a,zone=b")
    assert (wrong.status, 'got "zone=b"' in wrong.err) == (2, True)
    assert mirante(*add, "--fleet", "--worker", "main").status == 2
