"""What README.md and docs/plugins.md show is run, or held equal to what is."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mirante import subscribe
from pipeline.config.settings import Settings
from pipeline.gst.camera import CameraRunner
from pipeline.gst.floor import trim_clip
from pipeline.worker.worker import Worker
from tests.support import ROOT
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
    assert "gst-inspect-1.0 mirinfer" in setup
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
    run: Callable[..., Any], tmp_path: Path
) -> None:
    (code,) = blocks(PLUGINS, "python")
    assert code == (ROOT / "docs/examples/crowd.py").read_text()
    (text,) = blocks(PLUGINS, "yaml")
    (tmp_path / "crowd.py").write_text(code)
    config = tmp_path / "square.yaml"
    config.write_text(text)
    assert run("mirante", "check", config, PYTHONPATH="").returncode == 0


def accounts(said: str) -> dict[str, dict[str, str]]:
    """The table that the demo ends with: the cells of each camera by their headings."""
    table = said.partition("every frame accounted for:\n")[2].splitlines()
    headings = re.split(r"  +", table[0])
    assert headings[:5] == ["camera", "decoded", "published", "dropped", "failed"]
    rows = [re.split(r"  +", row) for row in table[1:]]
    return {row[0]: dict(zip(headings, row, strict=True)) for row in rows}


def few(table: dict[str, dict[str, str]]) -> list[str]:
    """What each camera is to show, of which there is too little."""
    shown = (("street", "detections"), ("face", "detections"), ("face", "masks"), ("road", "masks"))
    return [f"{name}: {kind}" for name, kind in shown if int(table[name][kind]) <= 5]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_here", [True, pytest.param(False, marks=pytest.mark.full)])
def test_the_demo_ends_with_an_account(
    run: Callable[..., Any], tmp_path: Path, is_here: bool
) -> None:
    """Also where the files of its detectors are not, and street stands in for both."""
    where = {} if is_here else {"MIRANTE_MODEL_MIRROR": str(tmp_path)}
    for seconds in ("6", "20", "60"):  # beside other programs its cameras begin late
        done: subprocess.CompletedProcess[str] = run(
            "mirante", "demo", "--seconds", seconds, **where
        )
        assert done.returncode == 0, done.stderr
        table = accounts(done.stdout)
        assert set(table) == {"street", "face", "road", "yard"}
        assert not int(table.pop("yard")["failed"]), "nothing is there to be found"
        found = [int(cells["detections"]) + int(cells["masks"]) for cells in table.values()]
        if min(found) > 5 and ("stands in" in done.stdout or not few(table)):
            break
    if not is_here and "stands in" not in done.stdout:
        assert "fewer faces found than with yunet" in done.stdout
        assert "fewer objects found than with yolox-street" in done.stdout
    for name, cells in table.items():
        dropped = sum(int(n) for n in re.findall(r"(\d+) \w+", cells["dropped"]))
        assert int(cells["decoded"]) == int(cells["published"]) + dropped + int(cells["failed"])
        assert int(cells["detections"]) + int(cells["masks"]) > 0, name
    if "stands in" not in done.stdout:  # ./run test fetches the clips
        assert few(table) == []
        assert int(table["street"]["events"]) > 0
