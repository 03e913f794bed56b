"""Scenes with known motion, and the figures of cameras that watched them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.quiet import run
from benchmarks.quiet.plan import LEVERS, PEER, SCENES, Plan, levers_in
from benchmarks.quiet.run import COLUMNS
from benchmarks.quiet.scenes import (
    CROSSED,
    VISIT_S,
    Image,
    Material,
    crossing,
    material_of,
    scene,
    visits,
)
from benchmarks.quiet.seen import Seen, false_wakes, first_found_s, found_again, unseen
from mirante.detections import Detections
from mirante.frame import FrameResult
from pipeline.config.camera import Camera
from pipeline.gst.clips import encode_pictures

LABELS = ("red", "green", "blue")
FPS, SECONDS = 3, 34


def street(count: int = 40) -> list[Image]:
    """A grey street that a red thing crosses, (120, 214, 3) uint8 RGB."""
    grey = np.linspace(60, 160, 120, dtype=np.uint8)[:, None, None]
    images = []
    for n in range(count):
        image = np.broadcast_to(grey, (120, 214, 3)).copy()
        left = 4 * n + 2
        image[50:80, left : left + 40] = (255, 0, 0)
        images.append(image)
    return images


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("street") / "street.mp4"
    encode_pictures(street(), 10, path)
    return path


@pytest.fixture(scope="module")
def material(clip: Path) -> Material:
    return material_of(clip, 4.0)


def test_a_clip_is_taken_apart(material: Material) -> None:
    empty = np.linspace(60, 160, 120)[:, None, None]
    assert np.abs(material.empty - empty).max() < 12
    tall, wide = material.thing.alpha.shape
    assert abs(material.top - 50) <= 3
    assert abs(tall - 30) <= 6
    assert abs(wide - 40) <= 8
    red = material.thing.pixels[material.thing.alpha > 0.99]
    assert red[:, 0].mean() > 200
    assert red[:, 1].mean() < 60


def test_a_clip_in_which_nothing_moves_is_refused(tmp_path: Path) -> None:
    encode_pictures(street(1) * 5, 10, tmp_path / "still.mp4")
    with pytest.raises(ValueError, match="--clip: expected something that moves in a still image"):
        material_of(tmp_path / "still.mp4", 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_a_scene_shows_what_its_truth_says(name: str, material: Material) -> None:
    frames = list(scene(name, material, SECONDS, FPS, 180))
    assert {frame.shape for frame in frames} == {(180, 320, 3)}
    assert len(frames) == SECONDS * FPS
    if name not in CROSSED:
        return
    light = 8 if name == "night" else 1
    there = visits(name, SECONDS)
    assert len(there) == 2
    for number, frame in enumerate(frames):
        at_s = number / FPS
        redness = cv2.blur(frame[..., 0].astype(np.float32) - frame[..., 1], (9, 9))
        into = [(at_s - begin_s) / VISIT_S for begin_s, end_s in there if begin_s <= at_s < end_s]
        found = redness > 100 / light
        if not into:
            assert not found.any()
            continue
        left, top, right, bottom = crossing(material, into[0])
        outside = found.copy()
        columns = slice(max(0, int(left * 320) - 4), int(right * 320) + 5)
        outside[int(top * 180) - 4 : int(bottom * 180) + 5, columns] = False
        assert not outside.any()
        if 0.3 < into[0] < 0.7:
            assert found.sum() > 0.4 * (right - left) * 320 * (bottom - top) * 180


def frame(
    number: int, boxes: list[tuple[float, ...]], skipped: str = "", looked: str = ""
) -> FrameResult:
    """A result of 200x100 pixels with sure red objects."""
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    count = len(boxes)
    found = Detections(xyxy, np.full(count, 0.9, np.float32), np.zeros(count, np.int32), LABELS)
    return FrameResult(
        "gate", number, 0, 0, "rtcp", 200, 100, found, skipped=skipped, looked=looked
    )


def test_objects_are_looked_for_frame_by_frame() -> None:
    one, other, off = (0, 0, 40, 40), (100, 0, 140, 40), (20, 20, 60, 60)
    whole = Seen({0: frame(0, [one, other]), 1: frame(1, [one]), 2: frame(2, [one])})
    gated = Seen({0: frame(0, [(1, 0, 41, 40)]), 1: frame(1, [off]), 3: frame(3, [one])})
    assert found_again(gated, whole) == (1, 4), "of frame 2 it tells what it told of frame 1"
    assert found_again(Seen({0: frame(0, [one, other])}), whole) == (4, 4)
    assert found_again(gated, Seen({0: frame(0, [])})) == (0, 0)
    assert found_again(Seen({0: frame(0, [])}), whole) == (0, 4)
    assert found_again(Seen({1: frame(1, [one])}), whole) == (2, 2), "nothing is known of frame 0"


def test_a_wake_is_false_where_nothing_moves() -> None:
    looked = ["motion", "motion", "", "motion", "check", "motion", "", "", "motion", ""]
    seen = Seen({40 + n: frame(n, [], looked=why) for n, why in enumerate(looked)})
    assert false_wakes(seen, 5, 10, []) == 60 * 5 * 4 / 10
    # What moves from 0.6 s to 0.8 s is still seen 2 s later, which is the rest of the scene.
    assert false_wakes(seen, 5, 10, [(0.6, 0.8)]) == 60 * 5 * 1 / 3
    assert false_wakes(seen, 5, 10, [(0.0, 2.0)]) is None


def test_how_late_what_crosses_is_found() -> None:
    boxes = [(0.1 * n, 0.2, 0.1 * n + 0.2, 0.6) for n in range(6)]
    near = [(100 * x, 20, 100 * x + 40, 60) for x in (0.2 * n for n in range(6))]
    parked = (150, 60, 190, 100)
    frames = {20 + n: frame(n, [parked] + ([near[n]] if n >= 3 else [])) for n in range(6)}
    assert first_found_s(Seen(frames), 5, 20, boxes) == 3 / 5
    assert first_found_s(Seen({n: frame(n, [parked]) for n in range(20, 26)}), 5, 20, boxes) is None


def test_frames_that_no_model_looked_at_are_missed_where_one_would_have_found_it() -> None:
    boxes = [(0.1 * n, 0.2, 0.1 * n + 0.2, 0.6) for n in range(4)]
    there = [[(20.0 * n, 20.0, 20.0 * n + 40, 60.0)] for n in range(4)]
    off = Seen({20 + n: frame(n, [] if n == 1 else [*there[n]]) for n in range(4)})
    assert unseen(off, off, 20, boxes) == 0
    gated = {20: frame(0, [], skipped="still"), 22: frame(2, [], looked="motion")}
    assert unseen(Seen(gated), off, 20, boxes) == 2, "20 was passed over, 23 was not decoded"


def test_a_scene_that_the_machine_is_too_slow_for_is_named() -> None:
    report: dict[str, dict[str, run.Figures]] = {
        "busy": {"off": {"published_percent": 40.0}},
        "night": {"off": {"published_percent": 99.0}},
    }
    [told] = run.overloaded(report)
    assert told.startswith("overloaded: busy: 40 %")


def test_levers_are_compared_with_none() -> None:
    assert levers_in("sleep") == levers_in("off,sleep") == ("off", "sleep")
    with pytest.raises(ValueError, match="--levers"):
        levers_in("doze")


def test_levers_run_in_groups_beside_none() -> None:
    plan = Plan(Path("clip"), levers=("off", "gate", "skip", "rates"), together=2)
    assert run.groups_of(plan) == [("off", "gate", "skip"), ("off", "rates")]
    assert run.groups_of(Plan(Path("clip"), levers=("off",))) == [("off",)]


@pytest.mark.parametrize("name", LEVERS)
def test_a_lever_is_a_camera_with_its_keys(name: str) -> None:
    lever = LEVERS[name]
    stages = [{"model": "yolox-nano", **lever.model}, {"track": "bytetrack", **lever.track}]
    said = {"url": "rtsp://192.0.2.1/a", **lever.camera, "stages": stages}
    camera = Camera.model_validate(said)
    assert camera.gate == ("off" if name == "off" else "on")


def test_what_is_counted_of_a_run() -> None:
    frames = {5: frame(5, [], looked="track"), 6: frame(6, [], skipped="still")}
    frames[9] = frame(9, [], skipped="still")  # after three that were not decoded
    seen = Seen(frames, ["object-new", "object-end", "object-new"], cpu_s=1.5, wall_s=30.0)
    assert (seen.of_a_core, seen.new_objects, seen.sent) == (5.0, 2, 5)
    assert (seen.published_percent, seen.looked_percent) == (60, 20)
    assert (seen.looked_for("track"), seen.looked_for("motion")) == (20, 0)


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.rtsp
@pytest.mark.parametrize(
    ("cameras", "levers"),
    [(1, ("off", PEER)), pytest.param(2, ("off", "sleep", PEER), marks=pytest.mark.full)],
)
def test_a_scene_is_sent_and_seen_with_the_gate_and_without(
    cameras: int,
    levers: tuple[str, ...],
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, seconds in (("SETTLE_S", 2.5), ("VISIT_S", 0.0)):
        monkeypatch.setattr(run, name, seconds)
    monkeypatch.chdir(tmp_path)  # where the clips of scenes are kept
    options: dict[str, Any] = {"height": 180, "seconds": 4, "json": tmp_path / "figures.json"}
    plan = Plan(clip, ("parked",), levers, cameras=cameras, model="test-boxes", fps=5, **options)
    run.run_bench(plan)
    [(scene_name, found)] = json.loads((tmp_path / "figures.json").read_text())["scenes"].items()
    assert scene_name == "parked"
    assert tuple(found) == levers
    for lever, figures in found.items():
        assert list(figures) == list(COLUMNS)
        assert figures["found_percent"] > 0
        assert figures["percent_of_a_core"] > 0
        assert (figures["wakes_a_minute"] is None) == (lever == "off")
    assert found["off"]["found_percent"] == 100
    said = capsys.readouterr()
    assert said.err.startswith(f"parked, 4 s: {', '.join(levers)}")
    rows = said.out.splitlines()[-len(levers) - 1 :]
    assert [row.split()[:2] for row in rows[:-1]] == [["parked", name] for name in levers]
    assert "not Frigate" in rows[-1]
