"""What files say of themselves, and what is said of where each part of an import came from."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

import engines
from engines.convert.asked import Asked, InputKeys
from engines.convert.describe import reading
from engines.convert.importing import import_model
from engines.convert.metadata import Told, of_properties
from engines.convert.origins import fed, known
from engines.convert.tidy import Picture
from engines.convert.told import told_by
from engines.refusal import RefusalError
from tests.support.conversions import imported
from tests.support.outcome import Run
from tests.support.recognised import Gives


def cells(side: int, classes: int) -> np.ndarray[Any, Any]:
    """(1, 4 + classes, n) of a YOLOv8 of ``side``: a box at each cell, all but sure of nothing."""
    rows = []
    for stride in (8, 16, 32):
        row, column = np.mgrid[: side // stride, : side // stride].reshape(2, -1)
        centre = (np.stack([column, row]) + 0.5) * stride
        noise = np.random.default_rng(stride).uniform(0.5, 3, (2, row.size)) * stride
        rows.append(np.concatenate([centre, noise, np.full((classes, row.size), 0.01)]))
    return np.concatenate(rows, axis=1)[None].astype(np.float32)


def detector(
    path: Path, metadata: Mapping[str, str], classes: int = 3, side: int = 64, open_: bool = False
) -> Path:
    """A network in the layout of YOLOv8 that always gives the same."""
    sides: list[int | str] = ["h", "w"] if open_ else [side, side]
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *sides])
    value = cells(side, classes)
    end = helper.make_tensor_value_info("output0", TensorProto.FLOAT, value.shape)
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["value", "nothing"], ["output0"]),
    ]
    values = [
        numpy_helper.from_array(value, "value"),
        numpy_helper.from_array(np.array(0, np.float32), "zero"),
    ]
    graph = helper.make_graph(nodes, "detector", [image], [end], values)
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    helper.set_model_props(model, dict(metadata))
    onnx.save(model, path)
    return path


EXPORTED = {
    "description": "Helmets, trained on site.yaml",
    "author": "A builder",
    "license": "AGPL-3.0 License (https://example.org/license)",
    "stride": "32",
    "task": "detect",
    "imgsz": "[64, 64]",
    "names": "{0: 'helmet', 1: \"worker's vest\", 2: 'person'}",
}


def test_what_an_exporter_writes_is_read(tmp_path: Path) -> None:
    made = imported(detector(tmp_path / "best.onnx", EXPORTED, open_=True), tmp_path / "out")
    manifest = engines.manifest.read(made.manifest)
    assert manifest.labels == ("helmet", "worker's vest", "person")
    assert (manifest.task, manifest.decoder) == ("detect", "yolov8")
    assert (manifest.input.size, manifest.input.resize) == ((64, 64), "letterbox-centre")
    assert (manifest.licence, manifest.summary) == ("AGPL-3.0", "Helmets, trained on site.yaml")
    assert "by A builder" in manifest.source
    assert made.origins == {
        "colour": "family YOLOv5, v8 and their heirs",
        "scale": "family YOLOv5, v8 and their heirs",
        "mean": "family YOLOv5, v8 and their heirs",
        "std": "family YOLOv5, v8 and their heirs",
        "resize": "family YOLOv5, v8 and their heirs",
        "labels": "file's metadata (names)",
    }
    assert made.notes == ()


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ('{"0": "a", "1": "b", "2": "c"}', ("a", "b", "c")),
        ('["a", "b", "c"]', ("a", "b", "c")),
        ("['a', 'b', 'c']", ("a", "b", "c")),
        ("{0: 'a', 2: 'c'}", ("a", "class_1", "c")),
        ("a,b,c", ("a", "b", "c")),
        ("a\nb\nc\n", ("a", "b", "c")),
        ("{'a': 0, 'c': 2, 'b': 1}", ("a", "b", "c")),
        ("{'a': 'b'}", None),
        ("", None),
    ],
)
def test_names_in_each_way_of_writing(value: str, labels: tuple[str, ...] | None) -> None:
    assert of_properties({"names": value}).labels == labels


def test_characters_of_a_text_recogniser() -> None:
    told = of_properties({"character": "0\n1\n \n(\n'\n\u3042\n"})
    assert told.labels == ("0", "1", " ", "(", "'", "\u3042")
    assert told.is_text


def test_a_text_recogniser_is_refused_as_one(tmp_path: Path) -> None:
    source = detector(tmp_path / "text.onnx", {"character": "\n".join("abcdefgh")})
    with pytest.raises(RefusalError, match="decoder: none reads text; it reads text, of 8 char"):
        import_model(Asked(source=str(source), name="m", out=tmp_path / "out"))


def test_a_size_that_the_network_has_holds_before_the_metadata(tmp_path: Path) -> None:
    stale = EXPORTED | {"imgsz": "[640, 640]"}
    made = imported(detector(tmp_path / "best.onnx", stale), tmp_path / "out")
    assert made.fed["size"] == [64, 64]


def test_the_stride_is_the_multiple_of_an_open_size() -> None:
    picture = Picture("images", "nchw", (64, 64), np.dtype(np.float32), 3)
    asked = Asked(source="", name="m", out=Path(), dynamic="size")
    told = of_properties(EXPORTED)
    assert fed(picture, asked, told, "yolo")[0]["multiple"] == 32
    assert "multiple" not in fed(picture, asked, told)[0]  # stretched
    own = Asked(source="", name="m", out=Path(), dynamic="size", input=InputKeys(multiple=64))
    assert fed(picture, own, told, "yolo")[0]["multiple"] == 64


def test_a_label_file_that_begins_with_nothing(tmp_path: Path) -> None:
    """Finished boxes, whose classes are counted from the label behind the first."""
    random = np.random.default_rng(3)
    corner = random.uniform(0, 40, (1, 10, 2))
    outputs = {
        "boxes": np.concatenate([corner, corner + 20], axis=2),
        "labels": np.array([[0, 1, 2, 0, 0, 0, 0, 0, 0, 0]]),
        "scores": random.uniform(0, 1, (1, 10)),
    }
    session = Gives({name: value.astype(np.float32) for name, value in outputs.items()})
    asked = Asked(source="", name="m", out=Path())
    listed = known(asked, Told(labels=("???", "person", "car", "bus"), labels_key="labelmap.txt"))
    picture = Picture("images", "nchw", (64, 64), np.dtype(np.float32), 3)
    read = reading(session, {}, picture, listed, {})
    assert read.labels == ("person", "car", "bus")
    assert read.origin == "file's metadata (labelmap.txt), without its first, ???"


def test_sizes_and_strides() -> None:
    told = of_properties({"imgsz": "[480, 640]", "stride": "32"})
    assert (told.size, told.stride) == ((640, 480), 32)
    assert of_properties({"imgsz": "640"}).size == (640, 640)
    assert of_properties({"imgsz": "large", "stride": "x"}).size is None


def test_options_hold_and_what_contradicts_them_is_said(tmp_path: Path, mirante: Run) -> None:
    source = detector(tmp_path / "best.onnx", EXPORTED)
    outcome = mirante(
        *("models", "import", str(source), "--name", "m", "--out", str(tmp_path / "out")),
        *("--labels", "x,y,z", "--scale", "1", "--colour", "bgr"),
    )
    assert outcome.status == 0, outcome.err
    assert outcome.err == (
        "mirante: warning: labels: --labels has 3 (x, y, z), the file's metadata (names) "
        "3 (helmet, worker's vest, person); the option holds\n"
    )
    assert "input     colour bgr, scale 1: option\n" in outcome.out
    assert "          mean 0, std 1: assumed\n" in outcome.out
    assert "labels    3 (x, y, z): option\n" in outcome.out
    text = (tmp_path / "out" / "m.yaml").read_text()
    assert "  colour: bgr  # option\n" in text
    assert "  resize: letterbox-centre  # family YOLOv5, v8 and their heirs\n" in text
    assert yaml.safe_load(text)["labels"] == ["x", "y", "z"]


def test_ten_names_for_three_channels_are_told_with_both(tmp_path: Path) -> None:
    names = {"names": str({i: f"n{i}" for i in range(10)})}
    asked = Asked(
        source=str(detector(tmp_path / "best.onnx", names)), name="m", out=tmp_path / "out"
    )
    with pytest.raises(RefusalError) as caught:
        import_model(asked)
    assert str(caught.value).startswith(
        "labels: 10 by the file's metadata (names) (n0, n1, n2, …), but 3 by the outputs\n"
    )
    assert "what helps: 3 names in --labels" in str(caught.value)


def test_names_that_fit_no_reading_are_told_with_where_they_came_from(tmp_path: Path) -> None:
    """Channels last may have an objectness or not, so nothing says how many there should be."""
    path = detector(tmp_path / "best.onnx", {"names": str([f"n{i}" for i in range(10)])}, classes=8)
    model = onnx.load(path)
    value = numpy_helper.to_array(model.graph.initializer[0]).transpose(0, 2, 1)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(value.copy(), "value"))
    end = helper.make_tensor_value_info("output0", TensorProto.FLOAT, value.shape)
    model.graph.output[0].CopyFrom(end)
    onnx.save(model, path)
    with pytest.raises(RefusalError) as caught:
        import_model(Asked(source=str(path), name="m", out=tmp_path / "out"))
    said = str(caught.value)
    assert "12 is 4 + 8 or 5 + 7, not with 10 labels" in said
    assert "labels: 10 by the file's metadata (names) (n0, n1, n2, …)" in said
    assert "what helps: as many names in --labels as the outputs have" in said


def test_names_twice_are_allowed_with_a_warning(tmp_path: Path) -> None:
    names = {"names": "['crane', 'owl', 'crane']"}
    made = imported(detector(tmp_path / "best.onnx", names), tmp_path / "out")
    assert made.labels == ("crane", "owl", "crane (2)")
    assert made.notes == (
        'labels: crane more than once; the later ones are called "crane (2)" and so on',
    )
    model = engines.load(str(made.manifest), threshold={"crane (2)": 0.9})
    assert model.labels == made.labels


def test_a_family_is_fed_as_its_authors_do(tmp_path: Path) -> None:
    made = imported(detector(tmp_path / "best.onnx", {}), tmp_path / "out")
    assert made.fed["resize"] == "letterbox-centre"
    assert made.labels == ("class_0", "class_1", "class_2")
    assert made.origins["labels"] == "assumed"


def test_one_of_scale_mean_and_std_alone_is_not_mixed_with_others(tmp_path: Path) -> None:
    keys = InputKeys(mean=(1, 2, 3))
    made = imported(detector(tmp_path / "best.onnx", {}), tmp_path / "out", input=keys)
    assert (made.fed["mean"], made.fed["std"]) == ([1, 2, 3], [1, 1, 1])
    assert (made.origins["mean"], made.origins["scale"]) == ("option", "assumed")


def test_the_zip_behind_a_tf_lite_file(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="its schema reads the file")
    from ai_edge_litert import schema_py_generated as schema

    from tests.support.tflite_files import classifier

    def file(name: str, **members: str) -> Path:
        path = classifier(tmp_path / f"{name}.tflite", schema.TensorType.UINT8)
        with zipfile.ZipFile(path, "a") as archive:
            for member, text in members.items():
                archive.writestr(member.replace("_txt", ".txt").replace("_json", ".json"), text)
        return path

    told = told_by(str(file("list", labels_txt="red\ngreen\nblue\n")))
    assert (told.labels, told.labels_key) == (("red", "green", "blue"), "labels.txt")
    about = {"names": {"0": "a", "1": "b"}, "imgsz": [32, 64], "task": "classify"}
    told = told_by(str(file("json", metadata_json=json.dumps(about))))
    assert (told.labels, told.size, told.task) == (("a", "b"), (64, 32), "classify")
    told = told_by(str(file("dict", temp_meta_txt=str({"names": {0: "a", 1: "b"}, "stride": 32}))))
    assert (told.labels, told.stride) == (("a", "b"), 32)
    assert told_by(str(file("plain"))).labels is None


def test_damaged_metadata_is_told_and_left(tmp_path: Path, caplog: Any) -> None:
    pytest.importorskip("ai_edge_litert", reason="its schema reads the file")
    from tests.support.tflite_metadata import with_metadata

    path = tmp_path / "net.tflite"
    path.write_bytes(b"\x00\xffno network at all")
    assert told_by(str(path)) == Told()
    path.write_bytes(b"\xff\xff\xff\x7fTFL3 and no more")
    assert told_by(str(path)) == Told()
    content = with_metadata(path, mean=[1.0], std=[2.0]).read_bytes()
    at = content.index(b"M001") - 4
    path.write_bytes(content[:at] + b"\xff\xff\xff\x00" + content[at + 4 :])
    caplog.clear()
    assert told_by(str(path)) == Told()
    assert "what it says of itself cannot be read" in caplog.text


def test_normalisation_and_labels_of_tf_lite_metadata(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="its schema reads the file")
    from tests.support.tflite_metadata import with_metadata

    told = told_by(
        str(
            with_metadata(
                tmp_path / "net.tflite",
                mean=[127.5],
                std=[127.5],
                labels={"other.txt": "x\ny", "kinds.txt": "red\ngreen\nblue"},
                named="kinds.txt",
            )
        )
    )
    assert (told.labels, told.labels_key) == (("red", "green", "blue"), "kinds.txt")
    assert told.scale == pytest.approx(1 / 127.5)
    assert (told.mean, told.std) == ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    assert (told.colour, told.summary, told.author) == ("rgb", "tells kinds", "a maker")
    told = told_by(
        str(with_metadata(tmp_path / "net.tflite", mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]))
    )
    assert (told.scale, told.mean, told.std) == (1.0, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


@pytest.mark.parametrize(
    ("told", "task"), [("detect", "detect"), ("segment", "instances"), ("", None)]
)
def test_tasks_of_exporters(told: str, task: str | None) -> None:
    asked = Asked(source="", name="m", out=Path())
    assert known(asked, of_properties({"task": told})).asked.task == task
    segments = Asked(source="", name="m", out=Path(), task="segment")
    notes = known(segments, of_properties({"task": told})).notes
    assert bool(notes) == (told != "")
