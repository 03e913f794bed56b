"""Networks with several tasks: one manifest, one inference, the findings of all heads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

import engines
from engines.batcher import Batcher
from engines.builder.builders import BuildError
from engines.builder.parity import LIMITS, compare
from engines.fit import of_parts, thresholds
from engines.found import Boxes, Planes
from engines.manifest import ZOO, Manifest, ManifestError, find, read
from engines.model import Model, session_of
from engines.runtimes import Tensors
from engines.serving import Models, SwapError
from mirante.frame import FrameResult
from pipeline.cameras.synthetic import picture, truth
from pipeline.config.references import check_blur, check_stages
from pipeline.config.stages.facts import facts_here
from pipeline.config.stages.stage import STAGES
from pipeline.worker.swaps import ModelSwaps
from plugins.frame import Frame
from plugins.infer.stage import InferStage

SIZE = (640, 360)
DOCUMENT = yaml.safe_load((ZOO / "test-heads.yaml").read_text())


def write(folder: Path, name: str = "both", **changes: Any) -> str:
    """The manifest of test-heads with other keys, beside the zoo's file."""
    path = folder / f"{name}.yaml"
    document = DOCUMENT | {"name": name, "file": str(ZOO / "test-heads.onnx")} | changes
    path.write_text(yaml.safe_dump(document))
    return str(path)


def headed(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The heads with other keys."""
    return [head | change for head, change in zip(DOCUMENT["heads"], changes, strict=True)]


class Counted:
    """A session that counts its calls."""

    def __init__(self, session: Any) -> None:
        self.session, self.calls = session, 0
        self.inputs, self.outputs = session.inputs, session.outputs

    def run(self, feeds: Tensors) -> Any:
        self.calls += 1
        return self.session.run(feeds)


def frame() -> FrameResult:
    return FrameResult("gate", 0, 0, 0, "arrival", *SIZE)


def test_one_inference_finds_what_all_heads_find() -> None:
    manifest = find("test-heads")
    session = Counted(session_of(manifest, 1))
    model = Model(manifest, session, thresholds(manifest, None))
    for n in (0, 7, 41):
        boxes, band = truth(n, *SIZE)
        found = model(picture(n, *SIZE))
        order = np.argsort(found.detections.class_id)
        np.testing.assert_allclose(found.detections.xyxy[order], boxes.xyxy, atol=2)
        assert found.detections.labels == ("red", "green", "blue")
        (mask,) = found.masks
        assert mask.labels == ("drivable", "lane")
        got, expected = mask.on_frame("lane", *SIZE), band.plane("lane")
        assert (got & expected).sum() / (got | expected).sum() > 0.94
        ground = mask.on_frame("drivable", *SIZE)
        assert ground.mean() > 0.6
        assert not (ground & expected).any()
    assert session.calls == 3
    assert set(found.timings) == {"preprocess", "infer", "decode"}
    assert (model.labels, model.task) == (
        ("red", "green", "blue", "drivable", "lane"),
        "detect, segment",
    )


def test_all_of_it_joins_a_frames_result() -> None:
    stage = InferStage("test-heads", threads=1)
    before = replace(frame(), timings={"infer": 1.0})
    after = stage(Frame(picture(3, *SIZE)), before)
    assert len(after.detections) == 3
    assert [mask.labels for mask in after.masks] == [("drivable", "lane")]
    assert after.timings["infer"] > 1.0
    later = InferStage("test-lane", on="green", threads=1)(Frame(picture(3, *SIZE)), after)
    assert [len(later.detections.masks_of(i)) for i in range(3)].count(1) == 1


def test_two_heads_of_boxes_have_the_labels_of_both_in_each_frame(tmp_path: Path) -> None:
    """Also where one of them finds nothing, so that a class keeps its number."""
    boxes, _ = DOCUMENT["heads"]
    second = boxes | {"labels": ["car", "bus", "van"], "threshold": 1.0}
    model = engines.load(write(tmp_path, heads=[boxes, second]), threshold={"bus": 0.5})
    for rgb in (picture(0, *SIZE), np.full((360, 640, 3), 100, np.uint8)):
        found = model(rgb).detections
        assert found.labels == ("red", "green", "blue", "car", "bus", "van")
    shown = model(picture(0, *SIZE)).detections
    assert {label for label, _, _ in shown} >= {"red", "green", "blue", "bus"}


def test_thresholds_are_of_each_head(tmp_path: Path) -> None:
    planes = {"decoder": "sigmoid", "threshold": 0.4, "thresholds": {"lane": 0.8}}
    options = {"logits": True, "planes": {"drive_area_seg": [None, "drivable"], **LANE}}
    heads = headed({"thresholds": {"green": 0.7}}, planes | {"options": options})
    manifest = read(Path(write(tmp_path, heads=heads)))

    def least(asked: Any) -> list[list[float]]:
        return [each.tolist() for each in of_parts(manifest, thresholds(manifest, asked))]

    def near(*parts: list[float]) -> Any:
        return [pytest.approx(part) for part in parts]

    assert least(None) == near([0.5, 0.7, 0.5], [0.4, 0.8])
    assert least(0.9) == near([0.9] * 3, [0.9] * 2)
    assert least({"lane": 0.1, "red": 0.2}) == near([0.2, 0.7, 0.5], [0.4, 0.1])
    with pytest.raises(ValueError, match='threshold: no label "lnae"; did you mean "lane"'):
        least({"lnae": 0.1})
    own = find("test-heads")  # of its argmax head there is none
    (of_boxes, of_planes) = of_parts(own, thresholds(own, 0.9))
    assert of_boxes.tolist() == pytest.approx([0.9] * 3)
    assert np.isnan(of_planes).all()
    with pytest.raises(ValueError, match='threshold: no label "lane"; there are red, green, blue'):
        thresholds(own, {"lane": 0.1})


LINES = {"drive_area_seg": [None, "drivable"], "lane_line_seg": [None, "line"]}
LANE = {"lane_line_seg": [None, "lane"]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": "detect"}, "heads: expected task in each head, got them beside"),
        ({"labels": ["a"], "iou": 0.3}, "heads: expected labels, iou in each head"),
        ({"heads": headed({"labls": ["x"]}, {})}, 'heads.0.labls: no such key; did you mean "labe'),
        ({"heads": headed({}, {"task": "sing"})}, "heads.1.task: expected 'detect', "),
        ({"heads": headed({"threshold": None}, {})}, "heads.0.threshold: expected with task det"),
        ({"heads": [{"task": "detect"}]}, "heads.0.decoder: missing, and required; labels: mis"),
        ({"heads": headed({"labels": ["a", "a"]}, {})}, "heads.0.labels: expected each name once"),
    ],
)
def test_a_mistake_in_a_head_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(Path(write(tmp_path, **changes)))
    assert words in str(caught.value)


def test_a_head_whose_decoder_does_not_fit_is_named(tmp_path: Path) -> None:
    wrong = headed({}, {"options": {"planes": {"lanes": [None, "drivable"]}}})
    with pytest.raises(ManifestError, match='model both: decoder argmax: no output "lanes"'):
        engines.load(write(tmp_path, heads=wrong))
    swapped = headed({"task": "segment", "threshold": None}, {})
    with pytest.raises(ManifestError, match="yolov5: gives boxes, which is not task segment"):
        engines.load(write(tmp_path, heads=swapped))


def test_later_stages_and_the_blur_know_what_each_head_finds() -> None:
    facts = facts_here("test-heads")
    assert (facts.boxes, facts.masks) == (("red", "green", "blue"), ("drivable", "lane"))

    def lines(*stages: dict[str, Any], blur: tuple[str, ...] = ()) -> list[str]:
        named = STAGES.validate_python(list(stages))
        return [*check_stages(named, "stages"), *check_blur(blur, named, "blur")]

    both = {"model": "test-heads"}
    assert lines(both, {"model": "face", "on": "green"}, blur=("lane", "red")) == []
    (line,) = lines(both, {"model": "face", "on": "lane"})
    assert "expected a class that an earlier stage finds" in line
    (line,) = lines(both, blur=("face",))
    assert 'blur[0]: "face"' in line
    (line,) = lines({"model": "test-heads", "threshold": {"lan": 0.5}})
    assert line.endswith('did you mean "lane"?')


def test_another_network_with_the_same_tasks_takes_its_place(tmp_path: Path) -> None:
    models = Models()
    stage = InferStage("test-heads", threads=1, models=models)
    turned = write(tmp_path, "turned", heads=DOCUMENT["heads"][::-1])
    assert models.swap("test-heads", turned).startswith("model test-heads → turned")
    assert len(stage(Frame(picture(0, *SIZE)), frame()).detections) == 3
    with pytest.raises(
        SwapError, match="expected a segmenter and a detector, but test-boxes is a detector"
    ):
        models.swap("test-heads", "test-boxes")
    later = InferStage("test-lane", on="blue", models=models)
    names = headed({"labels": ["red", "green", "cyan"]}, {})
    with pytest.raises(SwapError, match="renamed does not find blue, on which test-lane runs"):
        models.swap("test-heads", write(tmp_path, "renamed", heads=names))
    del later


def test_a_network_that_does_not_find_what_is_blurred_takes_no_place(tmp_path: Path) -> None:
    models = Models()
    stage = InferStage("test-heads", threads=1, models=models)
    client: Any = SimpleNamespace(hset=lambda *_: None)
    swaps = ModelSwaps(client, "main", models, lambda _: None, lambda _: {"lane", "red"})
    without = headed({}, {"labels": ["drivable", "line"], "options": {"planes": LINES}})
    with pytest.raises(ValueError, match="does not find lane, which cameras blur"):
        swaps.swap({"model": "test-heads", "to": write(tmp_path, "line", heads=without)})
    twin = write(tmp_path, "twin")
    assert swaps.swap({"model": "test-heads", "to": twin}).startswith(b"model test-heads")
    del stage


def test_calls_of_several_threads_are_batched_as_for_any_other(tmp_path: Path) -> None:
    """The batcher cuts the outputs of all heads; it knows nothing of them."""
    import onnx

    network = onnx.load(ZOO / "test-lane.onnx")  # its first axis can be opened
    network.graph.input[0].type.tensor_type.shape.dim[0].ClearField("dim_value")
    network.graph.output[0].type.tensor_type.shape.dim[0].ClearField("dim_value")
    onnx.save(network, tmp_path / "open.onnx")
    heads = [
        {"task": "segment", "decoder": "sigmoid", "threshold": least, "labels": [name]}
        | {"options": {"logits": False, "planes": {"lane": [name]}}}
        for name, least in (("sure", 0.9), ("maybe", 0.1))
    ]
    at = {"name": "image", "size": list(SIZE)}
    path = write(tmp_path, heads=heads, input=at, sha256=None, bytes=None, file="open.onnx")
    manifest = read(Path(path))
    batcher = Batcher(session_of(manifest, 1), 4)
    model = Model(manifest, batcher, thresholds(manifest, None))
    sure, maybe = model(picture(0, *SIZE)).masks
    assert (sure.labels, maybe.labels) == (("sure",), ("maybe",))
    assert 0 < sure.planes.sum() <= maybe.planes.sum()


def test_the_gate_judges_each_head_by_itself(tmp_path: Path) -> None:
    seen = [picture(n, *SIZE) for n in (0, 7)]
    right = engines.load("test-heads")
    least = thresholds(right.manifest, None)
    same = compare(right, right, seen, LIMITS["fp32"], least)
    assert same["detect: boxes"].value == 6
    assert same["segment: iou of lane"].value == 1
    assert not any(figure.is_missed for figure in same.values())
    swapped = {"drive_area_seg": [None, "lane"], "lane_line_seg": [None, "drivable"]}
    wrong = engines.load(write(tmp_path, heads=headed({}, {"options": {"planes": swapped}})))
    other = compare(right, wrong, seen, LIMITS["int8"], least)
    missed = [name for name, figure in other.items() if figure.is_missed]
    assert missed == ["segment: iou of drivable", "segment: iou of lane"]
    grey = np.full((360, 640, 3), 100, np.uint8)
    with pytest.raises(BuildError, match="head detect finds nothing in these images"):
        compare(right, right, [grey], LIMITS["fp32"], least)


@pytest.mark.slow
def test_an_engine_of_it_is_built_and_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')
    from engines.builder.build import Request, build

    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    np.savez(tmp_path / "seen.npz", *(picture(n, *SIZE) for n in (0, 7)))
    engine = build(
        Request(model="test-heads", runtime="onnxruntime", frames=str(tmp_path / "seen.npz"))
    )
    figures = engine.about["parity"]["engine"]["figures"]
    assert figures["detect: lost"] == 0
    assert figures["segment: iou of drivable"] > 0.99
    found = engines.load(str(engine.manifest))(picture(3, *SIZE))
    assert (len(found.detections), found.masks[0].labels) == (3, ("drivable", "lane"))


def test_a_manifest_of_one_task_stays_as_it_is() -> None:
    manifest = find("test-boxes")
    assert manifest.parts == (manifest,)
    assert (manifest.kind, manifest.heads) == (Boxes, ())
    several = find("test-heads")
    assert [part.kind for part in several.parts] == [Boxes, Planes]
    with pytest.raises(ManifestError, match="test-heads: expected a model of one task, it is a de"):
        _ = several.kind
    twice = Manifest.model_validate(DOCUMENT | {"heads": DOCUMENT["heads"] * 2})
    assert twice.part_names == ("detect 1", "segment 1", "detect 2", "segment 2")
