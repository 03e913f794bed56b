"""GStreamer's own analytics metadata, both ways, on a GStreamer that has it: Debian 13's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from gi.repository import Gst
from onnx import TensorProto, helper, numpy_helper

from mirante.keys import key
from pipeline.gst.session import leave_meta
from plugins.meta.library import IS_THERE
from tests.support.newer_gstreamer import NewerGStreamer
from tests.support.redis_child import RedisChild
from tests.support.redis_entries import entries

pytestmark = [pytest.mark.rtsp, pytest.mark.slow]

VIDEO = "rawvideoparse format=rgb width=640 height=360 framerate=25/1"
# What ssdobjectdetector of 1.26 calls the outputs of a model.
OUTPUTS = {
    "boxes": "Boxes",
    "scores": "Scores",
    "labels": "Classes",
    "num_detections": "NumDetections",
}


@pytest.fixture(scope="module")
def newer(run_folder: Path) -> NewerGStreamer:
    return NewerGStreamer(run_folder)


@pytest.fixture(scope="module")
def said(newer: NewerGStreamer) -> dict[str, Any]:
    return json.loads(newer.python("tests.support.relation_meta"))


def red_in_grey() -> np.ndarray:
    image = np.full((360, 640, 3), 100, np.uint8)
    image[80:200, 160:320] = (255, 0, 0)
    return image


def detector(path: Path) -> None:
    """Write a detector of an image of 64x48: two places, scored by how red all of it is."""
    constants = {
        "red_channel": np.int64(0),
        "most": np.float32(255),
        "ratios": np.array([[1, 0.5]], np.float32),
        "places": np.array([[[0.25, 0.125, 0.75, 0.5], [0, 0.5, 0.5, 1]]], np.float32),
        "kinds": np.array([[1, 0]], np.float32),
        "count": np.array([2], np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["float", "red_channel"], ["red"], axis=3),
        helper.make_node("ReduceMean", ["red"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "most"], ["share"]),
        helper.make_node("Mul", ["ratios", "share"], ["scores"]),
        helper.make_node("Identity", ["places"], ["boxes"]),
        helper.make_node("Identity", ["kinds"], ["labels"]),
        helper.make_node("Identity", ["count"], ["num_detections"]),
    ]
    shapes = {"boxes": [1, 2, 4], "scores": [1, 2], "labels": [1, 2], "num_detections": [1]}
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 48, 64, 3])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    for name, kind in OUTPUTS.items():
        model.metadata_props.add(key=name, value=f"Gst.Model.ObjectDetector.{kind}")
    onnx.save(model, path)


def test_an_overlay_of_gstreamers_draws_what_mirinfer_finds(
    newer: NewerGStreamer, tmp_path: Path
) -> None:
    image = red_in_grey()
    (tmp_path / "in.rgb").write_bytes(image.tobytes() * 2)
    overlay = "objectdetectionoverlay draw-labels=false object-detection-outline-color=0xff0000ff"
    infer, sink = "queue ! mirinfer model=test-boxes threads=1", "filesink location"
    newer.launch(
        f"filesrc location={tmp_path}/in.rgb ! {VIDEO} ! tee name=t "
        f"t. ! {infer} ! {overlay} ! {sink}={tmp_path}/with.rgb "
        f"t. ! {infer} meta=false ! {overlay} ! {sink}={tmp_path}/without.rgb"
    )
    drawn, plain = (
        np.fromfile(tmp_path / f"{name}.rgb", np.uint8).reshape(2, 360, 640, 3)
        for name in ("with", "without")
    )
    assert np.array_equal(plain, [image, image])
    for frame in drawn:
        rows, columns = np.nonzero((frame != image).any(axis=2))
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert np.abs(np.array(edges) - [160, 80, 320, 200]).max() <= 2, edges
        assert np.array_equal(frame[90:190, 170:310], image[90:190, 170:310])  # a line around it


def test_what_onnxinference_finds_is_published(
    newer: NewerGStreamer, server: RedisChild, tmp_path: Path
) -> None:
    detector(tmp_path / "detector.onnx")
    (tmp_path / "labels").write_text("cat\nperson\n")
    source = "videotestsrc num-buffers=3 pattern=red ! video/x-raw,format=RGB,width=64,height=48"
    infer = f"onnxinference model-file={tmp_path}/detector.onnx"
    decoder = f"ssdobjectdetector label-file={tmp_path}/labels"
    newer.launch(
        f"{source} ! {infer} ! {decoder} ! videoconvert ! video/x-raw,format=NV12 "
        f"! mirmeta ! mirpublish camera=theirs redis={server.url}"
    )
    published = entries(server.client(), key("theirs", "detections"))
    assert len(published) == 3
    for _, fields in published:
        objects = json.loads(fields[b"json"])["objects"]
        assert [(each["label"], each["score"], each["bbox"]) for each in objects] == [
            ("person", 1, [8, 12, 24, 24]),
            ("cat", 0.5, [32, 0, 32, 24]),
        ]


def test_what_is_written_is_read_again(said: dict[str, Any]) -> None:
    told = said["there_and_back"]
    assert told["names"] == ["person", "car", "person"]
    # In pixels of the buffer, which is half as large: an odd edge is off by one.
    assert told["boxes"][0] == [10, 20, 40, 60]
    assert np.abs(np.array(told["boxes"][2]) - [1, 2, 127, 95]).max() == 1
    assert told["scores"] == [0.5, 0.75, 1]
    assert told["tracks"] == [7, -1, 2**40]
    assert told["attributes"] == [{"class": ["old", 0.25]}, {}, {}]
    assert told["rotated"][1] == [70, 76, 36, 24, 0.5]
    assert not np.any([told["rotated"][0], told["rotated"][2]])
    assert told["points"] == [
        {"nose": [12, 30, 0.5]},
        {},
        {"nose": [2, 4, 1], "chin": [8, 6, 0.25]},
    ]


def test_masks_keep_their_resolution_and_planes_that_overlap(said: dict[str, Any]) -> None:
    face, hair = said["there_and_back"]["masks"][0]
    assert (face[0], face[2]) == (["face"], [10, 20, 40, 60])
    assert np.argwhere(face[1][0]).tolist() == [[2, 2], [2, 3]]
    assert np.argwhere(hair[1][0]).tolist() == [[2, 2]]
    assert np.shape(hair[1]) == (1, 4, 6)
    [(labels, planes, place)] = said["there_and_back"]["frame"]
    assert (labels, place) == (["road", "lane"], [0, 0, 128, 96])
    assert np.argwhere(planes).tolist() == [[0, 0, 0], [1, 1, 5]]


def test_what_others_wrote_is_kept_and_read_once(said: dict[str, Any]) -> None:
    gone, read, again, lengths = said["theirs_among_ours"]
    assert lengths == [2, 2, 5]  # the dog, and ours as they are now: car; car; person
    assert read == again == ["person", "dog", "cat"]
    assert gone == []  # all that was read, a later stage has dropped


def test_what_cannot_be_is_refused(said: dict[str, Any]) -> None:
    assert said["refused"] == [
        "relation meta: object dog has confidence 55; expected 0..1",
        "relation meta: object dog has confidence nan; expected 0..1",
        "relation meta: object dog is -20 x 4; expected 0 or more",
        "relation meta: a box is turned by nan; expected radians",
    ]


def test_a_track_is_any_number_of_64_bits(said: dict[str, Any]) -> None:
    there, back = said["large_tracks"]
    assert there == [0, 2**63 - 1, -(2**63), -2]
    assert back == [0, 2**63 - 1, 2**63, 2**64 - 2]


def test_frames_without_a_time_are_not_taken_for_each_other(said: dict[str, Any]) -> None:
    assert said["untimed"] == [1, 1, 1]


def test_a_branch_of_a_tee_has_its_own(said: dict[str, Any]) -> None:
    assert said["behind_a_tee"] == {"a": [2, 2, 2], "b": [0, 0, 0]}  # a box and its track


@pytest.mark.usefixtures("launch")
def test_it_is_on_where_gstreamer_has_it(said: dict[str, Any]) -> None:
    assert said["by_default"] is True
    assert Gst.ElementFactory.make("mirtrack").get_property("meta") is IS_THERE


@pytest.mark.usefixtures("launch")
def test_a_camera_writes_none() -> None:
    pipeline = Gst.parse_launch("videotestsrc ! mirtrack name=track meta=true ! fakesink")
    leave_meta(pipeline)
    assert pipeline.get_by_name("track").get_property("meta") is False


@pytest.mark.skipif(IS_THERE, reason="this GStreamer has relation meta")
@pytest.mark.parametrize(
    ("element", "words"),
    [
        ("mirmeta", "mirmeta: no GstAnalytics for Python here; expected GStreamer 1.24 or later"),
        ("mirinfer model=test-boxes meta=true", "meta: true: no GstAnalytics for Python here"),
    ],
)
def test_a_gstreamer_without_it_says_so(launch: Any, element: str, words: str) -> None:
    ended = launch(f"videotestsrc num-buffers=2 ! video/x-raw,format=RGB ! {element} ! fakesink")
    assert words in ended.error
