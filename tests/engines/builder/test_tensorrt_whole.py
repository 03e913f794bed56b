"""Engines of TensorRT from request to gate on a simulated GPU: what is kept, and what is given."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import engines
from engines.builder.build import build
from engines.builder.builders import BuildError
from engines.builder.request import Request
from engines.runtimes import RefusedError
from engines.store import engines as shelf
from tests.support.colour_engines import asked, machine, model, network, on, planes
from tests.support.simulated_engines import Machine

pytestmark = pytest.mark.slow

__all__ = ["machine", "model"]


def test_a_build_is_proved_and_says_its_gpu_and_driver(machine: Machine, model: str) -> None:
    engine = build(asked(model))
    assert engine.is_proved
    assert (engine.about["device"], engine.about["driver"]) == ("sm89 Simulated L4", "580.95.05")
    machine.driver = "590.10"
    again = build(asked(model))
    assert again.key != engine.key
    assert machine.trt.builds == 2
    assert shelf.prune() == [engine.key]  # of those that differ in the driver the newest stays


def test_a_build_tells_how_far_it_is_by_the_librarys_own_phases(
    machine: Machine, model: str
) -> None:
    told: list[tuple[float | None, str]] = []
    build(asked(model), lambda share, words: told.append((share, words)))
    known = [share for share, _ in told if share is not None]
    assert known == sorted(known)
    assert (known[0], known[-1]) == (0.0, 1.0)
    measuring = [share for share, words in told if words == "measuring"]
    assert len(measuring) > 2
    assert (measuring[0], measuring[-1]) == pytest.approx((0.2, 0.9))
    silent = [words for share, words in told if share is None]  # nothing tells how far these are
    assert silent == ["waiting for its turn", "building", "comparing the engine with its source"]


def test_measurements_are_kept_for_later_builds(
    machine: Machine, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(asked(model))
    first = machine.trt.measured
    assert first > 0
    build(asked(model, batch=4))
    assert (machine.trt.builds, machine.trt.measured) == (2, first)
    (kept,) = (tmp_path / "home" / "engines" / ".timings").glob("[!.]*")
    assert kept.name == "11.4.0.106-sm89-Simulated-L4"
    kept.write_bytes(kept.read_bytes()[:-1])  # damaged: not used, and written anew
    build(asked(model, batch=5))
    assert machine.trt.measured == 2 * first
    build(asked(model, batch=6))
    assert machine.trt.measured == 2 * first
    machine.close()

    other = on(Machine(version="10.13.3.9"), tmp_path / "home", monkeypatch)
    shutil.copyfile(kept, kept.with_name("10.13.3.9-sm89-Simulated-L4"))
    build(asked(model))  # those of another version, in its place: refused by the library
    assert other.trt.measured == first
    build(asked(model, batch=4))
    assert other.trt.measured == first
    other.close()


def test_measurements_that_cannot_be_kept_stop_no_build(
    machine: Machine, model: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "home" / "engines"
    folder.mkdir(parents=True)
    (folder / ".timings").write_text("a file")
    assert build(asked(model)).is_proved
    assert "not kept, the next build measures again" in caplog.text


def test_a_network_that_was_trained_on_is_not_built_again(
    machine: Machine, model: str, tmp_path: Path
) -> None:
    old = build(asked(model, refit=True))
    before = old.file.read_bytes()
    trained = network(tmp_path, gain=12.0, name="trained")
    engine = build(asked(trained, refit=True))
    assert (machine.trt.builds, engine.about["refitted"]) == (1, old.key)
    assert engine.is_proved
    assert old.file.read_bytes() == before
    for got, wanted, was in zip(
        planes(str(engine.manifest)), planes(trained), planes(model), strict=True
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-4)
        assert np.abs(got - was).max() > 1
    # What was given weights is given others too.
    shelf.remove(old.key)
    third = build(asked(network(tmp_path, gain=9.0, name="third"), refit=True))
    assert (machine.trt.builds, third.about["refitted"]) == (1, engine.key)


@pytest.mark.parametrize(
    "keys", [{"most": 29.0}, {"batch": 2}, {"precision": "fp16"}, {"refit": False}]
)
def test_another_network_or_engine_is_built(
    machine: Machine,
    model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, Any],
) -> None:
    """The bound of a Clip is part of an engine; so is its largest batch."""
    monkeypatch.setattr("engines.builder.prepare.to_float16", lambda model, feeds: model)
    build(asked(model, refit=True))
    made = {"most": keys.pop("most")} if "most" in keys else {}
    engine = build(asked(network(tmp_path, 12.0, "other", **made), **{"refit": True, **keys}))
    assert machine.trt.builds == 2
    assert "refitted" not in engine.about
    assert engine.about["notes"] == []


def test_where_weights_are_refused_the_engine_is_built_and_says_why(
    machine: Machine, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = build(asked(model, refit=True))
    monkeypatch.setattr(
        "tests.support.simulated_builder.Refitter.get_missing_weights", lambda self: ["weight"]
    )
    engine = build(asked(network(tmp_path, 12.0, "trained"), refit=True))
    assert (machine.trt.builds, engine.is_proved) == (2, True)
    (note,) = engine.about["notes"]
    assert note.startswith(f"built, as giving {old.key} these weights failed: ")
    assert "lacks the weights weight" in note


def test_what_finds_something_else_with_the_weights_is_built(
    machine: Machine, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(asked(model, refit=True))
    monkeypatch.setattr(
        "tests.support.simulated_builder.Refitter.refit_cuda_engine",
        lambda self: spoil(self._engine),
    )
    engine = build(asked(network(tmp_path, 12.0, "trained"), refit=True))
    assert (machine.trt.builds, engine.is_proved) == (2, True)
    assert "finds something else than its source" in engine.about["notes"][0]


def spoil(engine: Any) -> bool:
    """None of the weights arrive."""
    made = onnx.load_model_from_string(engine._network)
    for tensor in made.graph.initializer:
        value = onnx.numpy_helper.to_array(tensor)
        if value.dtype == np.float32 and value.ndim:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros_like(value), tensor.name))
    engine._network = made.SerializeToString()
    return True


def test_an_engine_for_later_versions_runs_on_them(
    machine: Machine, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, engine = build(asked(model)), build(asked(model, compatible=True))
    assert plain.key != engine.key
    machine.close()
    later = on(Machine(version="11.5.0.1"), tmp_path / "home", monkeypatch)
    assert len(planes(str(engine.manifest))) == 2
    with pytest.raises(RefusedError, match=r"refuses it: .*not compatible with this version"):
        engines.load(str(plain.manifest))
    # It holds code, which is run of this machine's own engines alone.
    shutil.copytree(engine.folder, tmp_path / "elsewhere")
    with pytest.raises(RefusedError, match="engines with host code are not allowed"):
        engines.load(str(tmp_path / "elsewhere" / shelf.MANIFEST))
    later.close()


def test_the_lean_runtime_runs_what_was_built_for_it(
    machine: Machine, model: str, tmp_path: Path
) -> None:
    request = asked(model)
    lean = build(Request(**{**_fields(request), "runtime": "tensorrt-lean"}))
    assert lean.is_proved
    assert lean.about["library"] == "tensorrt-lean 11.4.0.106"
    assert not (lean.folder / shelf.LOADING).exists()  # no code is inside
    assert engines.load(str(lean.manifest)).manifest.runs_on == "tensorrt-lean"
    plain = build(request)
    with pytest.raises(RefusedError, match="stub loadRunner"):
        machine.open_lean(plain.file, 1)


def _fields(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name in Request.__dataclass_fields__}


def test_dla_takes_what_it_can(
    machine: Machine, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.builder.prepare.to_float16", lambda model, feeds: model)
    request = asked(model, precision="fp16", dla=1)
    with pytest.raises(BuildError, match=r"dla: 1 — TensorRT 11\.4\.0\.106 finds no DLA here"):
        build(request)
    machine.trt.dla_cores = 2
    engine = build(request)
    assert (engine.is_proved, engine.about["batch"], engine.about["dla"]) == (True, 1, 1)
    machine.trt.dla_cores = 1
    with pytest.raises(RefusedError, match=r"built for DLA core 1, here are 1"):
        machine.open(engine.file, 1)


def test_what_waits_for_its_device_is_told_by_its_driver_too(machine: Machine, model: str) -> None:
    from engines.builder.build import prove

    engine = build(asked(model))
    unproved = shelf.note(engine.key, {"parity": {"graph": None, "engine": None}})
    machine.driver = "590.10"
    with pytest.raises(BuildError, match="model, library or driver has changed since"):
        prove(unproved)
