"""``mirante size``: how many cameras like one fit here."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from pipeline.cli.size import lines_of
from pipeline.control.room import Space
from pipeline.worker import sizing
from pipeline.worker.load import Mark, Use
from pipeline.worker.sizing import Cost, Size
from pipeline.worker.worker import Worker
from tests.support.outcome import Run

GIB = 1 << 30
SPACE = Space(cores=2, used=0.108, memory_bytes=8 * GIB, memory_free_bytes=4 * GIB)
SIZE = Size(
    busy=Cost(cores=0.21, decoded=25.0, looked=10.0, lost=0.0),
    quiet=Cost(cores=0.023, decoded=0.5, looked=0.1, lost=0.0),
    asleep=True,
    camera_bytes=50 << 20,
    worker=0.008,
    worker_bytes=200 << 20,
    others=0.1,
    space=SPACE,
    fits_busy=7,
    fits_quiet=64,
    limited_by="processor",
    is_full=False,
)


def test_the_answer_in_words() -> None:
    camera, in_use, here, fits = lines_of(SIZE)
    assert "21 % of a core busy (25.0 frames/s decoded, 10.0 analysed)" in camera
    assert "2.3 % quiet (0.5 frames/s decoded, 0.1 analysed, key frames alone)" in camera
    assert "50 MiB" in camera
    assert "10 % of a core by others; a worker by itself 0.8 % and 200 MiB" in in_use
    assert "2 cores, of which 20 % are kept free: 149 % of a core left; 3.2 GiB" in here
    assert fits.endswith(
        "7 cameras like this one, if all are busy (processor); 64 if nothing happens before any"
    )


def test_a_full_machine_is_said_to_be_full() -> None:
    assert "costs more than this" in lines_of(msgspec.structs.replace(SIZE, is_full=True))[-1]
    assert len(lines_of(SIZE)) == 4


@pytest.mark.parametrize(
    ("own", "lost", "is_full"),
    [(0.3, 0.0, False), (1.95, 0.0, True), (0.3, 1.0, True), (0.3, 0.1, False)],
)
def test_a_machine_is_full_without_time_or_when_frames_are_lost(
    monkeypatch: pytest.MonkeyPatch, own: float, lost: float, is_full: bool
) -> None:
    monkeypatch.setattr(sizing, "space_of", lambda used: SPACE)
    before, after = Mark(0.0, 0.0, 0.0), Mark(10.0, 10 * own, 10 * own)
    part = sizing._Part("busy", 10.0, [(before, 0, 0, 0), (after, 250, 100, round(10 * lost))])
    found = sizing._size(part, None, False, [Use(0.01, 0.0), part.use()])
    assert found.is_full is is_full
    assert found.busy.cores == pytest.approx(own - 0.01)
    assert (found.busy.decoded, found.busy.looked, found.busy.lost) == (25.0, 10.0, lost)
    assert found.fits_quiet is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected URL, or --config FILE with cameras"),
        (["test://", "--config", "x.yaml"], "expected URL, or --config FILE with cameras"),
        (["test://", "--camera", "gate"], "--camera: expected with --config"),
        pytest.param(
            ["test://", "--seconds", "5"],
            "--seconds: expected 20 or more, got 5",
            marks=pytest.mark.slow,  # it is seen when all is loaded
        ),
        (["test://", "--fps", "0"], "fps: 0.0 — expected a number greater than 0"),
        (["ftp://x"], 'url: "ftp://x"'),
    ],
)
def test_what_is_wrong_is_said(mirante: Run, arguments: list[str], words: str) -> None:
    outcome = mirante("size", *arguments)
    assert outcome.status == 2
    assert words in outcome.err


def test_a_camera_that_takes_all_there_is_has_no_size(mirante: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("cameras: {gate: {url: 'file:/x.mp4', pace: every_frame, stages: []}}")
    outcome = mirante("size", "--config", str(config))
    assert outcome.status == 2
    assert "pace: expected realtime, got every_frame" in outcome.err


def test_a_camera_is_named_where_there_are_several(mirante: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("cameras: {gate: {url: 'test://'}, yard: {url: 'test://'}}")
    outcome = mirante("size", "--config", str(config))
    assert "--camera: expected one of gate, yard" in outcome.err
    outcome = mirante("size", "--config", str(config), "--camera", "gste")
    assert 'no camera "gste"; did you mean "gate"' in outcome.err
    outcome = mirante("size", "--config", str(config), "--fps", "3")
    assert "--model, --fps: expected with URL" in outcome.err


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.timeout(240)
def test_a_camera_is_measured_busy_and_quiet(mirante: Run, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "cameras: {gate: {url: 'test://?size=320x180&fps=10', fps: 5, "
        "stages: [{model: test-boxes}]}}"
    )
    outcome = mirante("size", "--config", str(config), "--seconds", "20", "--json")
    assert outcome.status == 0, outcome.err
    found = json.loads(outcome.out.splitlines()[-1])
    busy, quiet, space = found["busy"], found["quiet"], found["space"]
    assert busy["cores"] > 0
    assert busy["looked"] > 0
    assert quiet["looked"] < busy["looked"]  # nothing moves in a black image
    assert 0 < found["camera_bytes"] < GIB
    assert found["others"] >= 0
    left = 0.8 * space["cores"] - space["used"]
    assert space["used"] == pytest.approx(found["others"] + found["worker"])
    assert found["fits_busy"] <= max(0.0, left) / busy["cores"] + 1e-6


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.timeout(240)
def test_a_camera_that_shows_nothing_is_not_measured(
    mirante: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = sizing._reason

    def reason(worker: Worker) -> str:
        """Why, after which it is not waited any longer."""
        words = said(worker)
        if "127.0.0.1:9" in words:
            monkeypatch.setattr(sizing, "_START_S", 0.0)
        return words

    monkeypatch.setattr(sizing, "_reason", reason)
    outcome = mirante("size", "rtsp://127.0.0.1:9/x", "--model", "test-boxes", "--seconds", "20")
    assert outcome.status == 1
    assert "nothing was measured: " in outcome.err
    assert "127.0.0.1:9" in outcome.err
