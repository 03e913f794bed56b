"""The streets whose truth is known, what is said of numbers on them, and the bench."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.objects import plan
from benchmarks.objects.camera import Faults, watch
from benchmarks.objects.costs import frames_of
from benchmarks.objects.identities import score
from benchmarks.objects.identity import Numbered, judge
from benchmarks.objects.library import NOT_HERE
from benchmarks.objects.ours import track
from benchmarks.objects.plan import Plan
from benchmarks.objects.run import run_bench
from benchmarks.objects.scenes import SCENES
from benchmarks.objects.sequences import sequence_rows
from benchmarks.objects.world import Walker, World

HERE, THERE = [0.0, 0, 10, 20], [100.0, 0, 110, 20]


def numbers(*pairs: tuple[int, list[float]]) -> Numbered:
    boxes = np.array([box for _, box in pairs], np.float64).reshape(-1, 4)
    return Numbered(np.array([number for number, _ in pairs], np.int64), boxes)


def test_a_number_that_changes_hands_counts_for_the_longer_time() -> None:
    truth = [numbers((1, HERE), (2, THERE))] * 10
    said = [numbers((7, HERE), (8, THERE))] * 6 + [numbers((8, HERE), (7, THERE))] * 4
    found = judge(truth, said)
    assert (found.idf1, found.switches) == (0.6, 2)
    assert (found.objects, found.numbers) == (2, 2)


def test_what_is_missed_and_what_is_made_up_count_against() -> None:
    truth = [numbers((1, HERE))] * 10
    found = judge(truth, [numbers((4, HERE), (5, THERE))] * 5 + [numbers()] * 5)
    assert (found.precision, found.recall, found.switches) == (0.5, 0.5, 0)
    assert judge(truth, [numbers()] * 10).idf1 == 0


def test_an_object_keeps_its_number_where_two_boxes_fit() -> None:
    near = [1.0, 0, 11, 20]
    said = [numbers((4, HERE)), numbers((4, near), (5, HERE))]
    assert judge([numbers((1, HERE))] * 2, said).switches == 0


def test_who_is_behind_a_pillar_or_behind_somebody_hardly_shows() -> None:
    walkers = [
        Walker(1, (100, 400), (0, 0), 200),
        Walker(2, (100, 380), (0, 0), 180),
        Walker(3, (600, 400), (0, 0), 200),
        Walker(4, (900, 400), (0, 0), 200, begins_s=1.0),
    ]
    truth = World(walkers, [(500, 700)]).truth(0.0)
    shown = dict(zip(truth.numbers.tolist(), truth.shown.tolist(), strict=True))
    assert sorted(shown) == [1, 2, 3]
    assert shown[1] == 1
    assert shown[2] < 0.4
    assert shown[3] == 0


@pytest.mark.parametrize("bout_s", [0.0, 0.5])
def test_a_tenth_of_the_boxes_is_missed_at_any_rate(bout_s: float) -> None:
    world = World([Walker(n, (150.0 * n, 600), (0, 0), 100) for n in range(1, 8)])
    faults = Faults(0.1, bout_s, false=0)
    for fps in (2, 10):
        found = [len(seen.result.detections) for seen in watch(world, fps, 30, faults)]
        assert 0.8 < np.mean(found) / 7 < 0.97


@pytest.mark.parametrize("scene", plan.SCENES)
def test_a_scene_is_the_same_again(scene: str) -> None:
    world, faults = SCENES[scene](3)
    once, again = (list(watch(world, 2, 4, faults, 3)) for _ in range(2))
    for one, other in zip(once, again, strict=True):
        assert np.array_equal(one.truth.numbers, other.truth.numbers)
        assert np.array_equal(one.result.detections.xyxy, other.result.detections.xyxy)


@pytest.mark.slow
def test_time_is_measured_with_so_many_objects() -> None:
    frames = frames_of(60)[:60]
    assert {len(frame.detections) for frame in frames} == {60}
    ids = track(frames).ids
    assert set(np.concatenate(ids[5:]).tolist()) == set(range(1, 61))


def test_two_who_pass_each_other_keep_their_numbers() -> None:
    world, faults = SCENES["crossing"](1)
    seen = list(watch(world, 15, 7.5, faults, 1))
    truth = [Numbered(each.truth.numbers, each.truth.xyxy) for each in seen]
    found = score(lambda frames, _: track(frames), 15, [each.result for each in seen], truth)
    assert found.idf1 > 0.8


def test_a_sequence_is_read_and_the_best_of_its_boxes_is_said(tmp_path: Path) -> None:
    """One of two people is found in two of three frames, and so is what is nobody."""
    real = [f"{n},{who},{100 * who},50,20,60,1,-1,-1" for n in range(1, 31) for who in (1, 2)]
    found = [f"{n},-1,{left},50,20,60,0.9,-1" for n in range(1, 31) if n % 3 for left in (101, 400)]
    real.append("1,9,300,50,20,60,0,-1,-1")  # not to be judged
    (tmp_path / "gt.txt").write_text("\n".join(real))
    (tmp_path / "det.txt").write_text("\n".join(found))
    rows = sequence_rows([tmp_path], {"ours": lambda frames, _: track(frames), "other": None})
    assert rows == [(tmp_path.name, "0.500", "0.388 (0.0)", NOT_HERE)]


@pytest.mark.slow
def test_a_library_that_cannot_be_installed_is_said_to_be_not_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "no way out\n")

    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", refuse)
    run_bench(
        Plan(scenes=("crossing",), fps=(1,), seeds=(1,), objects=(5,), rounds=1, appearance=True)
    )
    said = capsys.readouterr().out
    assert said.count(NOT_HERE) == 4
    assert said.count("crossing") == 2
    assert "looked at" in said
