"""Models that another replaces between two frames."""

from __future__ import annotations

import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from engines.manifest import ManifestError
from engines.serving import Models, SwapError
from mirante.frame import FrameResult
from plugins.frame import Frame
from plugins.infer.stage import InferStage
from tests.support.onnx_networks import COLOURS, colour_grid


@pytest.fixture
def models() -> Models:
    return Models()


def grid(folder: Path, name: str, layout: str = "yolov8", width: int = 96, **keys: object) -> str:
    """A detector of colours; its manifest's path."""
    path = colour_grid(folder / f"{name}.onnx", layout, width, 64)
    manifest = {
        "name": name,
        "task": "detect",
        "file": path.name,
        "licence": "Apache-2.0",
        "input": {"name": "images", "size": [width, 64], "scale": 1 / 255},
        "decoder": layout,
        "labels": list(COLOURS),
        "threshold": 0.5,
        **keys,
    }
    target = folder / f"{name}.yaml"
    target.write_text(yaml.safe_dump(manifest))
    return str(target)


RED = Frame(np.full((64, 96, 3), (255, 0, 0), np.uint8))


def blank() -> FrameResult:
    return FrameResult("drawn", 0, 0, 0, "arrival", 96, 64)


def labels_seen(stage: InferStage) -> set[str]:
    return {label for label, _, _ in stage(RED, blank()).detections}


def test_another_architecture_takes_over_and_goes_again(tmp_path: Path, models: Models) -> None:
    first = grid(tmp_path, "first")
    second = grid(tmp_path, "second", "yolov5", 64, labels=["blau", "green", "red"][::-1])
    stage, other = InferStage(first, models=models), InferStage(first, models=models)
    assert labels_seen(stage) == {"red"}
    words = models.swap(first, second)
    assert words == (
        "model first → second; input 96x64 → 64x64; decoder yolov8 → yolov5; "
        "labels red, green, blue → red, green, blau"
    )
    assert stage.model.name == other.model.name == "second"
    assert labels_seen(stage) == {"red"}
    assert InferStage(first, models=models).model.name == "second"  # a camera that comes later
    (entry,) = models.in_use()
    assert (entry.name, entry.runs, entry.before) == (first, second, (first,))
    assert models.rollback(first) == first
    assert stage.model.name == other.model.name == "first"
    with pytest.raises(SwapError, match="nothing to go back to"):
        models.rollback(first)


def test_frames_go_on_while_models_are_swapped(tmp_path: Path, models: Models) -> None:
    """Each frame is of one model or of the other, whole; none fails."""
    first, second = grid(tmp_path, "first"), grid(tmp_path, "second", "yolov5", 64)
    stage, stop = InferStage(first, models=models), threading.Event()
    seen: list[set[str]] = []
    failed: list[BaseException] = []

    def camera() -> None:
        while not stop.is_set():
            try:
                seen.append(labels_seen(stage))
            except BaseException as error:  # noqa: BLE001 it fails the test below
                failed.append(error)

    thread = threading.Thread(target=camera)
    thread.start()
    while not (seen or failed):
        time.sleep(0.001)
    for _ in range(10):
        models.swap(first, second)
        models.rollback(first)
    stop.set()
    thread.join()
    assert failed == []
    assert seen
    assert all(labels == {"red"} for labels in seen)


def test_a_model_that_cannot_be_loaded_changes_nothing(tmp_path: Path, models: Models) -> None:
    first, broken = grid(tmp_path, "first"), grid(tmp_path, "broken")
    stage = InferStage(first, models=models)
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(RuntimeError, match="refuses"):
        models.swap(first, broken)
    with pytest.raises(ManifestError, match="no model"):
        models.swap(first, "yolo-nonsense")
    assert stage.model.name == "first"
    assert models.in_use()[0].before == ()


def test_a_detector_is_swapped_for_one_that_finds_more_and_back(models: Models) -> None:
    stage = InferStage("test-boxes", models=models)
    for to in ("test-instances", "test-boxes", "test-pose"):
        models.swap("test-boxes", to)
        assert stage.model.name == to
    assert models.rollback("test-boxes") == "test-boxes"
    models.swap("test-boxes", "test-pose")
    with pytest.raises(SwapError, match="expected a pose network, but test-instances is an inst"):
        models.swap("test-boxes", "test-instances")


def test_another_task_or_a_class_that_is_needed_is_refused(tmp_path: Path, models: Models) -> None:
    first = grid(tmp_path, "first")
    stage = InferStage(first, threshold={"blue": 0.3}, models=models)
    with pytest.raises(SwapError, match="expected a detector, but test-lane is a seg"):
        models.swap(first, "test-lane")
    with pytest.raises(SwapError, match='no model "street" runs here; there are'):
        models.swap("street", first)
    fewer = grid(tmp_path, "fewer", labels=["red", "green", "cyan"])
    with pytest.raises(ValueError, match='no label "blue"'):  # to which a threshold refers
        models.swap(first, fewer)
    stage = InferStage(first, models=models)
    later = InferStage("face", on="blue", models=models)
    with pytest.raises(SwapError, match="fewer does not find blue, on which face runs"):
        models.swap(first, fewer)
    del later
    models.swap(first, fewer)
    assert stage.model.name == "fewer"


def test_what_nothing_holds_is_freed(tmp_path: Path, models: Models) -> None:
    first, second = grid(tmp_path, "first"), grid(tmp_path, "second")
    stage = InferStage(first, models=models)
    old = weakref.ref(stage.model)
    models.swap(first, second)
    assert old() is None
    del stage
    assert models.in_use() == ()


def test_frames_are_kept_while_they_are_wanted(tmp_path: Path, models: Models) -> None:
    first = grid(tmp_path, "first")
    stage = InferStage(first, models=models)
    stage(RED, blank())
    samples = models.collect(first, 2, 0.0)
    for _ in range(5):
        labels_seen(stage)
    assert samples.wait(0)
    assert [picture.shape for picture in samples.taken()] == [(64, 96, 3)] * 2
    models.discard(first)
    labels_seen(stage)
    assert len(samples.taken()) == 2


def test_frames_in_which_nothing_is_found_are_kept_unless_others_are_wanted(
    tmp_path: Path, models: Models
) -> None:
    first = grid(tmp_path, "first")
    stage = InferStage(first, models=models)
    grey = np.full((64, 96, 3), 90, np.uint8)
    samples = models.collect(first, 1, 0.0, only_found=True)
    stage(Frame(grey), blank())
    assert samples.taken() == []
    stage(RED, blank())
    assert len(samples.taken()) == 1
    samples = models.collect(first, 1, 0.0)
    stage(Frame(grey), blank())
    assert len(samples.taken()) == 1


def test_a_frame_that_is_not_kept_is_not_converted(tmp_path: Path, models: Models) -> None:
    reads: list[str] = []

    class Planes(Frame):
        @property
        def pixels(self) -> NDArray[np.uint8]:
            reads.append("pixels")
            return super().pixels

    first = grid(tmp_path, "first")
    stage = InferStage(first, models=models)
    frame = Planes(RED.pixels.copy())

    def reads_of_a_frame() -> int:
        reads.clear()
        stage(frame, blank())
        return len(reads)

    by_model = reads_of_a_frame()
    models.collect(first, 2, 600.0)
    assert reads_of_a_frame() == by_model + 1
    assert reads_of_a_frame() == by_model  # none is due for ten minutes
    models.collect(first, 1, 0.0)
    assert reads_of_a_frame() == by_model + 1
    assert reads_of_a_frame() == by_model  # there are enough


def test_of_a_model_on_crops_the_crops_are_kept(tmp_path: Path, models: Models) -> None:
    first = grid(tmp_path, "first")
    stage, crops = InferStage(first, models=models), InferStage("face", on="red", models=models)
    samples = models.collect("face", 1, 0.0)
    rgb = np.zeros((64, 96, 3), np.uint8)
    rgb[:16, :16, 0] = 255
    frame = Frame(rgb)
    crops(frame, stage(frame, blank()))
    (picture,) = samples.taken()
    assert picture.shape[0] <= 64
    assert picture.shape[1] < 96


def test_an_earlier_swap_is_put_back_before_and_behind_the_first_stage(
    tmp_path: Path, models: Models
) -> None:
    first, second = grid(tmp_path, "first"), grid(tmp_path, "second")
    models.restore(first, second, (first,))
    stage = InferStage(first, models=models)
    assert stage.model.name == "second"
    models.rollback(first)
    models.restore(first, second, (first,))
    assert stage.model.name == "second"
    (tmp_path / "second.onnx").unlink()
    with pytest.raises(RuntimeError):
        models.restore(first, second, (first,))


@pytest.mark.slow
def test_an_engine_that_was_never_proved_passes_its_gate_before_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models: Models
) -> None:
    pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')
    from engines.builder.build import build
    from engines.builder.request import Request
    from engines.store.engines import get, note

    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    engine = build(Request(model="face", runtime="onnxruntime", parity_frames=2))
    parity = {"graph": engine.about["parity"]["engine"], "engine": None}
    runs = str(note(engine.key, {"parity": parity}).manifest)  # as if built for a device elsewhere
    stage = InferStage("face", models=models)
    assert models.swap("face", runs) == "nothing but the file"
    again = get(engine.key)
    assert again is not None
    assert again.is_proved
    (entry,) = models.in_use()
    assert (entry.runs, entry.precision, entry.parity) == (runs, "fp32", "proved")
    assert stage.model.manifest.folder == engine.folder


@pytest.mark.slow
def test_a_stage_that_comes_during_a_swap_runs_what_the_others_run(
    tmp_path: Path, models: Models
) -> None:
    first, second = grid(tmp_path, "first"), grid(tmp_path, "second")
    stages = [InferStage(first, models=models)]

    def cameras_come() -> None:
        stages.extend(InferStage(first, models=models) for _ in range(20))

    thread = threading.Thread(target=cameras_come)
    thread.start()
    for _ in range(5):
        models.swap(first, second)
        models.rollback(first)
    models.swap(first, second)
    thread.join()
    assert len(stages) == 21
    assert {stage.model.name for stage in stages} == {"second"}
