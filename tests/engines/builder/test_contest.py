"""Which runtime is fastest: who takes part, how it is measured, and for how long it is known."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engines.builder import contest
from engines.builder.__main__ import main
from engines.builder.builders import BuildError, Told
from engines.builder.contest import hold, measure, remembered
from engines.builder.request import Contest, Request
from engines.store import engines as shelf
from engines.store import verdicts
from tests.support.built_engines import save_pictures, synthetic

pytestmark = pytest.mark.slow

pytest.importorskip("openvino", reason="the other engines are OpenVINO's")
pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')

Costs = Callable[[Mapping[int, float]], None]


def silent(_share: float | None, _words: str) -> None:
    pass


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Contest:
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    frames = save_pictures(tmp_path / "frames.npz", synthetic())
    return Contest(model="test-boxes", frames=frames)


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> Costs:
    """Says what each way costs, by its place, of those that run."""

    def say(ms: Mapping[int, float]) -> None:
        monkeypatch.setattr(contest, "measure", lambda models, *_, **__: {n: ms[n] for n in models})

    return say


def changed(asked: Contest, **keys: Any) -> Contest:
    return Contest(**{"model": asked.model, "frames": asked.frames} | keys)


def test_all_ways_are_measured_and_the_verdict_is_kept(
    asked: Contest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contest, "_ROUNDS", (1, 1))
    told: list[str] = []
    assert remembered(asked) is None
    verdict = hold(asked, lambda _share, words: told.append(words))
    assert [way.name for way in verdict.measured] == ["onnxruntime as published", "openvino fp32"]
    assert all(way.ms is not None and way.ms > 0 for way in verdict.measured)
    assert told[0] == "building openvino fp32"
    assert told[-1] == "measuring"
    assert remembered(asked) == verdict
    assert verdict.words().count(" ms") == 2
    assert set(verdict.facts["versions"]) == {"onnxruntime", "openvino", "onnx", "onnxslim"}


def test_what_is_clearly_cheaper_wins_and_is_there_afterwards(asked: Contest, costs: Costs) -> None:
    costs({0: 10.0, 1: 9.4})
    verdict = hold(asked, silent)
    assert verdict.winner.name == "openvino fp32"
    assert verdict.words() == "openvino fp32 9.4 ms, onnxruntime as published 10.0 ms"
    engine = shelf.get(str(verdict.winner.engine))
    assert engine is not None
    assert engine.is_proved
    shelf.remove(engine.key)
    assert remembered(asked) is None  # it is built again


def test_the_child_steps_back_and_says_the_verdict(
    asked: Contest,
    costs: Costs,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    costs({0: 10.0, 1: 9.4})
    stepped: list[tuple[int, int]] = []
    monkeypatch.setattr("os.sched_setscheduler", lambda *how: stepped.append(how[:2]))
    (tmp_path / "asked.json").write_text(asked.to_json())
    words = ("engines.builder", "--contest", "--nice", "0", str(tmp_path / "asked.json"))
    monkeypatch.setattr("sys.argv", [*words])
    assert main() == 0
    assert stepped == [(0, os.SCHED_IDLE)]
    first, *between, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["doing"] == "building openvino fp32"
    steps = [said["doing"] for said in between]
    assert "openvino fp32: converting" in steps
    known = [said["share"] for said in between if said["share"] is not None]
    assert known == sorted(known)
    assert len(known) < len(between)  # OpenVINO does not tell how far it is
    assert msgspec.convert(last["verdict"], verdicts.Verdict) == remembered(asked)


def test_a_gain_that_may_be_noise_is_none(asked: Contest, costs: Costs) -> None:
    costs({0: 10.0, 1: 9.6})
    assert hold(asked, silent).winner.engine is None


def test_it_is_measured_again_when_something_changes(
    asked: Contest, costs: Costs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    costs({0: 1.0, 1: 2.0})
    hold(asked, silent)
    assert remembered(changed(asked, frames=None)) is not None  # the images were a sample
    assert remembered(changed(asked, threads=2)) is None
    assert remembered(changed(asked, model="test-lane")) is None
    images = save_pictures(tmp_path / "calibration.npz", synthetic())
    assert remembered(changed(asked, calibrate=images)) is None
    assert remembered(changed(asked, calibrate="cameras", by_cameras=True)) is None
    with monkeypatch.context() as other:
        other.setattr(contest, "processor", lambda: "another, 4 cores")
        assert remembered(asked) is None
    with monkeypatch.context() as other:
        other.setattr(contest, "version", lambda name: f"{name} 99")
        assert remembered(asked) is None
    assert remembered(asked) is not None


def test_int8_takes_part_where_images_calibrate_it(
    asked: Contest, costs: Costs, tmp_path: Path
) -> None:
    costs({0: 4.0, 1: 3.0, 2: 2.0, 3: 1.0})
    images = save_pictures(tmp_path / "calibration.npz", synthetic())
    verdict = hold(changed(asked, calibrate=images, by_cameras=True), silent)
    names = [way.name for way in verdict.measured]
    assert names[2:] == ["openvino int8", "onnxruntime int8"]
    for way in verdict.measured[1:]:
        assert (way.ms is None) == bool(way.words)  # it ran, or it is said why not
    least = min((way.ms, way.name) for way in verdict.measured if way.ms is not None)
    assert verdict.winner.name == least[1]
    assert remembered(changed(asked, calibrate="cameras", by_cameras=True)) == verdict


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [(BuildError("node x: no such op"), True), (OSError(28, "No space left on device"), False)],
)
def test_what_fails_takes_no_part(
    asked: Contest,
    costs: Costs,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    is_kept: bool,
) -> None:
    costs({0: 10.0})

    def fail(_request: Request, _told: Told) -> Any:
        raise error

    monkeypatch.setattr(contest, "build", fail)
    verdict = hold(asked, silent)
    assert verdict.winner.name == "onnxruntime as published"
    assert verdict.measured[1].ms is None
    assert verdict.measured[1].words == str(error)
    assert (remembered(asked) is not None) is is_kept


def test_a_damaged_verdict_is_no_verdict(
    asked: Contest, costs: Costs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    costs({0: 1.0, 1: 2.0})
    hold(asked, silent)
    (path,) = (tmp_path / "home" / "verdicts").glob("*.json")
    path.write_text(path.read_text().replace('"fastest": 0', '"fastest": 9'))
    assert remembered(asked) is None
    assert "it is measured again" in caplog.text
    path.write_text("{")
    assert verdicts.get(path.stem) is None


def test_processor_time_is_compared_in_turns() -> None:
    order: list[str] = []
    told: list[tuple[int, float]] = []

    def burning(name: str, seconds: float) -> Any:
        def run(_rgb: Any) -> None:
            order.append(name)
            until_s = time.process_time() + seconds
            while time.process_time() < until_s:
                pass

        return run

    models = {0: burning("a", 0.02), 3: burning("b", 0.001)}
    found = measure(
        models, synthetic(), seconds=0.0, told=lambda share: told.append((len(order), share))
    )
    assert found.keys() == {0, 3}
    assert found[0] >= 20.0
    assert found[3] >= 1.0
    assert order == ["a", "b"] * 6  # once before it counts, and five rounds
    assert [at for at, _ in told] == [0, 1, 2, 4, 6, 8, 10]  # it is alive
    assert [share for _, share in told] == pytest.approx([0, 0, 0, 0.2, 0.4, 0.6, 0.8])


def test_only_onnx_files_of_this_machine_leave_a_choice() -> None:
    assert contest.applies_to("test-boxes")
    assert not contest.applies_to("unet-face-int8")
