"""Embeddings: the decoder, the crops, the gate, the stage's option, the import."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

import engines
from engines.builder.build import Request, build
from engines.builder.parity import LIMITS, compare
from engines.convert.recognise import RecogniseError
from engines.decoders import OptionError, bind
from engines.found import Embedding
from engines.manifest import ZOO, Manifest, ManifestError, find, read
from mirante.frame import FrameResult
from mirante.wire import decode, encode
from pipeline.cameras.synthetic import picture
from pipeline.config.camera import Camera
from pipeline.config.references import check_stages
from plugins.frame import Frame
from plugins.infer.stage import InferStage
from tests.support.decoded import spec
from tests.support.recognised import auto

SIZE = (640, 360)
DOCUMENT = yaml.safe_load((ZOO / "test-embedding.yaml").read_text())


def vector_of(output: NDArray[Any], **options: Any) -> NDArray[np.float32]:
    found = bind("embedding", options)({"feat": output}, spec(0.5))
    assert isinstance(found, Embedding)
    assert found.vector.dtype == np.float32
    return found.vector


@pytest.mark.parametrize("shape", [(1, 32), (32,), (1, 32, 1, 1)])
def test_a_vector_is_of_length_one_unless_it_is_to_stay(shape: tuple[int, ...]) -> None:
    raw = np.random.default_rng(1).normal(0, 3, 32).astype(np.float32)
    np.testing.assert_allclose(vector_of(raw.reshape(shape)), raw / np.linalg.norm(raw), rtol=1e-6)
    np.testing.assert_array_equal(vector_of(raw.reshape(shape), normalise=False), raw)
    assert not vector_of(np.zeros(shape, np.float32)).any()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (np.zeros((2, 32), np.float32), r"expected an output \(1, d\) of floats, got \(2, 32\)"),
        (np.zeros((1, 32), np.int64), "got .1, 32. int64"),
        (np.full((1, 4), 7e4, np.float32), "options.normalise: expected true, as the vector rea"),
    ],
)
def test_what_is_no_vector_is_refused(output: NDArray[Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        vector_of(output, normalise=False)


def seen(n: int = 3, **options: Any) -> FrameResult:
    """A frame after test-boxes, and then a vector of each red box."""
    first = InferStage("test-boxes", threads=1)
    second = InferStage("test-embedding", on="red", threads=1, **options)
    frame = Frame(picture(n, *SIZE))
    return second(frame, first(frame, FrameResult("gate", 0, 0, 0, "arrival", *SIZE)))


def test_a_vector_per_box_of_the_class_is_there_for_later_stages() -> None:
    result = seen()
    found = result.detections
    labels = [found.labels[i] for i in found.class_id]
    assert [set(found.embeddings_of(i)) for i in range(3)] == [
        {"test-embedding"} if label == "red" else set() for label in labels
    ]
    (red,) = [found.embeddings_of(i) for i, label in enumerate(labels) if label == "red"]
    vector = red["test-embedding"]
    assert vector.shape == (48,)
    assert vector.dtype == np.float16
    assert np.linalg.norm(vector.astype(float)) == pytest.approx(1, abs=1e-3)
    assert vector[5] > 0 > vector[21]  # a cell of red's middle: much red, little green
    other = seen(n=9).detections.of("red").embeddings_of(0)["test-embedding"]
    assert float(vector.astype(float) @ other.astype(float)) > 0.99


def test_it_is_published_only_where_it_is_asked_for() -> None:
    quiet = encode(seen())
    assert set(quiet.detections) == {"json"}
    assert b"embeddings" not in quiet.detections["json"]
    result = seen(publish=True)
    assert result.published == ("test-embedding",)
    coded = encode(result)
    assert set(coded.detections) == {"json", "e0"}
    assert len(coded.detections["e0"]) == 48 * 2
    back = decode(coded.detections["json"], None, coded.detections)
    assert back.published == ("test-embedding",)
    for i in range(3):
        expected, got = (each.detections.embeddings_of(i) for each in (result, back))
        assert set(expected) == set(got)
        for name, vector in got.items():
            np.testing.assert_array_equal(vector, expected[name])
    without = decode(coded.detections["json"])
    assert (without.detections.embeddings, without.published) == ((), ())


def test_a_stage_that_cannot_publish_is_refused() -> None:
    with pytest.raises(ValueError, match="publish: test-boxes gives no embeddings"):
        InferStage("test-boxes", publish=True)
    with pytest.raises(ValueError, match="on: missing, and required: test-embedding desc"):
        InferStage("test-embedding")

    def lines(*stages: dict[str, Any]) -> list[str]:
        camera = Camera.model_validate({"url": "test://", "stages": stages})
        return list(check_stages(camera.stages or (), "stages"))

    boxes = {"model": "test-boxes"}
    vectors = {"model": "test-embedding", "on": "red", "publish": True}
    assert lines(boxes, vectors) == []
    assert lines(boxes | {"publish": True}) == [
        "stages[0].publish: true — test-boxes gives no embeddings"
    ]
    (line,) = lines(boxes, {"model": "test-embedding"})
    assert "boxes" in line
    camera = Camera.model_validate({"url": "test://", "stages": [boxes, vectors]})
    assert [s.launch_text(1) for s in camera.stages or ()] == [
        'mirinfer model="test-boxes" threads=1',
        'mirinfer model="test-embedding" threads=1 on="red" publish=true',
    ]


def test_a_manifest_of_embeddings_has_no_labels(tmp_path: Path) -> None:
    manifest = find("test-embedding")
    assert (manifest.labels, manifest.every_label, manifest.gives_vectors) == ((), (), True)
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT | {"labels": ["a"]}))
    with pytest.raises(ManifestError, match=r"labels: expected none with task embed, got \['a'\]"):
        read(path)
    with pytest.raises(ValueError, match="labels: missing, and required"):
        Manifest.model_validate(DOCUMENT | {"task": "classify", "decoder": "softmax"})


def test_the_gate_compares_directions() -> None:
    model = engines.load("test-embedding")
    shown = [picture(n, *SIZE) for n in (0, 7)]
    least = np.empty(0, np.float32)
    same = compare(model, model, shown, LIMITS["fp32"], least)
    assert (same["vectors"].value, same["cosine min"].is_missed) == (2, False)

    class Turned:
        """The same model, each of whose vectors is one place off."""

        manifest = model.manifest

        def of_heads(self, rgb: NDArray[np.uint8]) -> list[Any]:
            (found,) = model.of_heads(rgb)
            off = {"test-embedding": np.roll(found.embeddings[None]["test-embedding"], 1)}
            return [replace(found, embeddings={None: off})]

    other = compare(model, Turned(), shown, LIMITS["int8"], least)
    assert other["cosine min"].is_missed


@pytest.mark.slow
def test_an_engine_of_it_is_judged_by_directions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxslim", reason='building needs "mirante[build]"')
    monkeypatch.setenv("MIRANTE_HOME", str(tmp_path / "home"))
    np.savez(tmp_path / "seen.npz", *(picture(n, *SIZE) for n in (0, 7)))
    asked = Request(
        model="test-embedding", runtime="onnxruntime", frames=str(tmp_path / "seen.npz")
    )
    engine = build(asked)
    figures = engine.about["parity"]["engine"]["figures"]
    assert (figures["vectors"], figures["cosine min"] > 0.9999) == (2, True)


def test_an_import_reads_a_vector_where_it_is_asked_to_and_says_so_where_it_looks_like_one() -> (
    None
):
    unit = np.random.default_rng(3).normal(size=(1, 128)).astype(np.float32)
    unit /= np.linalg.norm(unit)
    found = auto({"feat": unit}, None, task="embed")
    assert (found.decoder, found.options, found.labels) == ("embedding", {}, 0)
    with pytest.raises(RecogniseError, match="a vector of length 1") as caught:
        auto({"feat": unit}, None)
    assert "--task embed" in str(caught.value)
    two = {"feat": unit, "quality": np.ones((1, 1), np.float32)}
    assert auto(two, None, task="embed").options == {"output": "feat"}
    with pytest.raises(RecogniseError, match="0 outputs"):
        auto({"feat": unit[:, :3]}, None, task="embed")
