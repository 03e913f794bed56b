"""What README.md and docs/plugins.md show is run, or held equal to what is."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mirante import Event, Frame, subscribe
from mirante.client.plan import SubscribedKind
from pipeline.config.settings import Settings
from pipeline.control.worker_file import live_worker
from pipeline.gst.camera import CameraRunner
from pipeline.gst.floor import trim_clip
from pipeline.worker.worker import Worker
from tests.support import ROOT
from tests.support.live_site import until
from tests.support.outcome import Run
from tests.support.printed import printed
from tests.support.running_worker import running

README = (ROOT / "README.md").read_text()
PLUGINS = (ROOT / "docs/plugins.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


def test_the_commands_of_the_readme_are_those_of_run(mirante: Run) -> None:
    (commands,) = blocks(README, "bash")
    words = [line.partition("#")[0].split() for line in commands.splitlines()]
    assert [word[:2] for word in words] == [["./run", "demo"], ["./run", "tail"], ["./run", "test"]]
    for word in words[:2]:
        assert mirante(word[1], "--help").status == 0
    for name in set(re.findall(r"`\./run (\w+)", README)) - {"test"}:
        assert mirante(name, "--help").status == 0, name


def test_the_readmes_camera_is_accepted(
    mirante: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = blocks(README, "yaml")
    config = tmp_path / "street.yaml"
    config.write_text(text)
    without = mirante("check", str(config))
    assert "STREET_PASSWORD" in without.err
    monkeypatch.setenv("STREET_PASSWORD", "secret")
    done = mirante("check", str(config))
    assert done.status == 0, done.err


def test_the_readmes_message_is_one_of_ours() -> None:
    (text,) = blocks(README, "json")
    schema = json.loads((ROOT / "mirante/schemas/detections.json").read_text())
    message = json.loads(text)
    jsonschema.validate(message, schema)
    counts = message["counts"]
    assert counts["decoded"] == (
        counts["published"] + sum(counts["dropped"].values()) + counts["failed"]
    )


def test_the_readmes_python_reads_a_running_camera(
    started: Callable[..., Any], redis_url: str
) -> None:
    (code,) = blocks(README, "python")
    cameras = {"street": {"url": "test://", "stages": [{"model": "test-boxes"}]}}
    worker = Worker(Settings.model_validate({"cameras": cameras}), redis_url, CameraRunner)
    with running(worker):
        reader = started("python", "-u", "-c", code, MIRANTE_REDIS_URL=redis_url)
        assert re.fullmatch(r"\d+ red [01]\.\d\d \d+\.\d \d+\.\d\n", printed(reader))


def test_every_page_that_is_linked_exists() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_launch_line_shown_runs(
    run: Callable[..., Any], tmp_path: Path, redis_url: str
) -> None:
    """As printed, through a shell, on a clip of that name and our Redis."""
    setup, line = blocks(PLUGINS, "bash")
    setup, _, inspect = setup.partition("\n")
    assert inspect == "gst-inspect-1.0 mirinfer\n", "which test_gst_launch.py runs"
    clips = ROOT.parent / "shared/clips"
    if not clips.is_dir():
        pytest.skip("shared/clips is not beside the checkout")
    clip = trim_clip(clips / "bikes.mp4", 50, tmp_path)
    line = line.replace("location=highway.mp4", f"location={clip}")
    line = line.replace("redis://127.0.0.1:6379", redis_url)
    script = f"set -e\n{setup.replace('PWD/.venv/bin:', 'PATH:')}\n{line}"
    done = run("bash", "-c", script)
    assert done.returncode == 0, done.stderr
    found = list(subscribe("highway", since="0", redis=redis_url, timeout_s=1.0))
    assert len(found) == 50
    assert sum(len(frame.detections) for frame in found) > 20


def test_the_stage_shown_is_the_example_that_other_tests_run(
    mirante: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "crowd", sys)  # so that it is as it was afterwards
    del sys.modules["crowd"]
    (code,) = blocks(PLUGINS, "python")
    assert code == (ROOT / "docs/examples/crowd.py").read_text()
    (text,) = blocks(PLUGINS, "yaml")
    (tmp_path / "crowd.py").write_text(code)
    config = tmp_path / "square.yaml"
    config.write_text(text)
    done = mirante("check", str(config))
    assert done.status == 0, done.err
    assert sys.modules["crowd"].__file__ == str(tmp_path / "crowd.py")


def accounts(said: str) -> dict[str, dict[str, str]]:
    """The table that the demo ends with: the cells of each camera by their headings."""
    table = said.partition("every frame accounted for:\n")[2].splitlines()
    headings = re.split(r"  +", table[0])
    assert headings[:5] == ["camera", "decoded", "published", "dropped", "failed"]
    rows = [re.split(r"  +", row) for row in table[1:]]
    return {row[0]: dict(zip(headings, row, strict=True)) for row in rows}


FOUND_IN = ("street", "face", "road")  # nothing is there to be found in the yard
SHOWN = (("street", "detections"), ("face", "detections"), ("face", "masks"), ("road", "masks"))


def few(table: dict[str, dict[str, str]]) -> list[str]:
    """What each camera is to show, of which there is too little."""
    return [f"{name}: {kind}" for name, kind in SHOWN if int(table[name][kind]) <= 5]


def until_all_is_seen(url: str, output: Path) -> None:
    """Read what the demo publishes until each camera has shown what it is to show."""
    seen: Counter[tuple[str, str]] = Counter()
    is_enough = False
    end_s = time.monotonic() + 240
    kinds: tuple[SubscribedKind, ...] = ("detections", "masks", "events")
    subscription = subscribe("*", kinds, since="0", redis=url, timeout_s=60.0)
    for item in subscription:
        if isinstance(item, Event):
            seen[item.camera, "events"] += 1
        elif isinstance(item, Frame):
            seen[item.camera, "detections"] += len(item.detections)
            seen[item.camera, "masks"] += len(item.masks) + sum(map(len, item.detections.masks))
        if "stands in" in output.read_text():
            found = [seen[name, "detections"] + seen[name, "masks"] for name in FOUND_IN]
            is_enough = min(found) > 5
        else:
            is_enough = all(seen[each] > 5 for each in SHOWN) and seen["street", "events"] > 0
        if is_enough or time.monotonic() > end_s:
            break
    subscription.close()
    assert is_enough, f"too little: {seen}\n{output.read_text()}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_here", [True, pytest.param(False, marks=pytest.mark.full)])
def test_the_demo_ends_with_an_account(
    started: Callable[..., Any], tmp_path: Path, is_here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the files of its detectors are not, and street stands in for both."""
    where = {} if is_here else {"MIRANTE_MODEL_MIRROR": str(tmp_path)}
    output = tmp_path / "output"
    # It ends at Ctrl-C: beside other programs its cameras begin late.
    demo = started("sh", "-c", f"exec mirante demo --seconds 300 > {output} 2>&1", **where)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # as the environment of the command has it
    until(lambda: live_worker() or demo.poll() is not None, 300)  # the first one encodes its clips
    url = live_worker()
    assert url is not None, output.read_text()
    until_all_is_seen(url, output)
    demo.send_signal(signal.SIGINT)
    assert demo.wait(90) == 0, output.read_text()
    said = output.read_text()
    table = accounts(said)
    assert set(table) == {*FOUND_IN, "yard"}
    assert not int(table.pop("yard")["failed"])
    if not is_here and "stands in" not in said:
        assert "fewer faces found than with yunet" in said
        assert "fewer objects found than with yolox-street" in said
    for name, cells in table.items():
        dropped = sum(int(n) for n in re.findall(r"(\d+) \w+", cells["dropped"]))
        assert int(cells["decoded"]) == int(cells["published"]) + dropped + int(cells["failed"])
        assert int(cells["detections"]) + int(cells["masks"]) > 0, name
    if "stands in" not in said:  # ./run test fetches the clips
        assert few(table) == []
        assert int(table["street"]["events"]) > 0
