"""Elements in real pipelines: pixels, accounts and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gi.repository import Gst

from plugins.meta.mirror import FRAMES
from tests.support import recorded_stages

pytestmark = pytest.mark.rtsp


def video(frames: int = 12, width: int = 64, pattern: str = "red") -> str:
    return (
        f"videotestsrc num-buffers={frames} pattern={pattern} "
        f"! video/x-raw,format=RGB,width={width},height=50"
    )


def record(**options: Any) -> str:
    text = str(options).replace("'", '\\"')
    return f'mirstage python=tests.support.recorded_stages:Record options="{text}"'


@pytest.mark.parametrize("width", [101, 128])
def test_a_stage_sees_the_pixels_whatever_the_row_stride(launch: Any, width: int) -> None:
    ended = launch(f"{video(2, width)} ! {record()} ! fakesink")
    assert ended.error is None
    shape, frame, result = recorded_stages.seen[0]
    assert shape == (50, width, 3)
    assert np.array_equal(np.unique(frame.reshape(-1, 3), axis=0), [[255, 0, 0]])
    assert (result.width, result.height) == (width, 50)
    assert [r.seq for _, _, r in recorded_stages.seen] == [0, 1]


def test_a_failed_frame_is_counted_and_said_once_a_burst(launch: Any) -> None:
    ended = launch(f"{video()} ! {record(fail=[2, 3, 7])} ! fakesink")
    assert ended.error is None
    assert [w.split(": ", 1)[1] for w in ended.warnings] == [
        "RuntimeError: frame 2 is cursed",
        "RuntimeError: frame 7 is cursed",
    ]
    assert ended.counts.failed == 3
    assert len(recorded_stages.seen) == 9


def test_too_many_failures_in_a_row_are_an_element_error(launch: Any) -> None:
    ended = launch(f"{video()} ! {record(fail=[1, 2, 3, 4])} max-failures=3 ! fakesink")
    assert ended.error is not None
    assert ended.error.endswith("RuntimeError: frame 3 is cursed")


def test_a_dropped_frame_has_its_reason(launch: Any) -> None:
    ended = launch(f"{video()} ! {record(drop=[0, 5])} ! fakesink")
    assert ended.counts.dropped["stage"] == 2


def test_a_stage_cannot_draw_on_what_belongs_to_everybody(launch: Any) -> None:
    ended = launch(f"{video(3)} ! mirstage python=tests.support.recorded_stages:Writer ! fakesink")
    assert ended.counts.failed == 3
    assert "read-only" in ended.warnings[0]


@pytest.mark.usefixtures("launch")
def test_a_plain_line_takes_the_decoders_word_on_damage() -> None:
    caps = "video/x-raw,format=RGB,width=64,height=50,framerate=10/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=source format=time caps={caps} ! {record()} ! fakesink sync=false"
    )
    pipeline.set_state(Gst.State.PLAYING)
    source = pipeline.get_by_name("source")
    for n, damaged in enumerate([True, False]):
        buffer = Gst.Buffer.new_wrapped(bytes(64 * 50 * 3))
        buffer.pts = n * 10**8
        if damaged:
            buffer.set_flags(Gst.BufferFlags.CORRUPTED)
        source.emit("push-buffer", buffer)
    source.emit("end-of-stream")
    pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS)
    pipeline.set_state(Gst.State.NULL)
    assert [result.damaged for _, _, result in recorded_stages.seen] == [True, False]


def test_a_line_that_nothing_publishes_keeps_few_frames(launch: Any) -> None:
    ended = launch(f"{video(FRAMES + 5)} ! {record()} ! fakesink")
    assert ended.counts.dropped["unpublished"] == 5
    assert ended.counts.decoded == 5


def test_stages_add_to_each_other(launch: Any) -> None:
    launch(f"{video(1)} ! {record()} ! {record()} ! fakesink")
    assert recorded_stages.seen[-1][2].timings["record"] == 1.0


@pytest.mark.parametrize(
    ("element", "words"),
    [
        ("mirstage", 'python: not set; expected "module:Class"'),
        ("mirstage python=nowhere:Nothing", "No module named 'nowhere'"),
        ("mirstage python=tests.support.recorded_stages:Recrod", "has no attribute 'Recrod'"),
        (
            'mirstage python=tests.support.recorded_stages:Record options="[1]"',
            "expected a JSON object",
        ),
        (
            'mirstage python=tests.support.recorded_stages:Record options="{\\"no\\": 1}"',
            "argument 'no'",
        ),
        ("mirinfer", "model: not set; expected a zoo name or the path of a manifest"),
        ("mirinfer model=yolo-nano", 'did you mean "yolox-nano"'),
        ("mirinfer model=test-boxes thresholds=red=high", 'thresholds: "red=high"; expected CLASS'),
        ("mirinfer model=test-boxes thresholds=red=0.4,0.3", 'thresholds: "0.3"; expected CLASS'),
        ("mirinfer model=test-boxes thresholds=cat=0.5", "cat"),
        ("mirpublish", "redis: not set; expected redis://HOST:PORT"),
        ("mirpublish masks=gif redis=redis://127.0.0.1:1", 'masks: "gif"; expected one of'),
        ("mirpreview", "redis: not set"),
    ],
)
def test_a_bad_property_is_an_element_error(
    launch: Any, monkeypatch: pytest.MonkeyPatch, element: str, words: str
) -> None:
    monkeypatch.delenv("MIRANTE_REDIS_URL", raising=False)
    sink = "" if element.startswith("mirpublish") else "! fakesink"
    ended = launch(f"{video(3)} ! {element} {sink}")
    assert ended.error is not None
    assert words in ended.error


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("zero", "Liar returned 0; expected a FrameResult or None"),
        ("number", "Liar returned 5; expected a FrameResult or None"),
        ("text", "Liar returned 'x'; expected a FrameResult or None"),
        ("camera", "a stage changed camera to 'victim'; expected 'camera'"),
        ("seq", "a stage changed seq to 99; expected 0"),
        ("captured_ns", "a stage changed captured_ns to 99"),
        ("width", "a stage changed width to 99; expected 64"),
        ("exit", "SystemExit: bye"),
    ],
)
def test_what_a_stage_may_not_do_fails_the_frame_in_words(
    launch: Any, kind: str, words: str
) -> None:
    stage = (
        f'mirstage python=tests.support.recorded_stages:Liar options="{{\\"kind\\": \\"{kind}\\"}}"'
    )
    ended = launch(f"{video(5)} ! {stage} ! {record()} ! fakesink")
    assert words in ended.warnings[0]
    assert ended.counts.failed == 5
    assert ended.counts.balanced
    assert not recorded_stages.seen


@pytest.mark.usefixtures("no_redis")
def test_two_publishers_in_one_pipeline_are_refused(launch: Any) -> None:
    publisher = "queue ! mirpublish redis=redis://127.0.0.1:1 camera"
    ended = launch(f"{video(5)} ! tee name=t ! {publisher}=a t. ! {publisher}=b")
    assert ended.error is not None
    assert "a second mirpublish in this pipeline" in ended.error


@pytest.mark.usefixtures("launch")
@pytest.mark.usefixtures("no_redis")
def test_a_publisher_that_did_not_start_starts_once_it_is_right() -> None:
    pipeline = Gst.parse_launch(
        f"{video(3)} ! mirpublish name=end camera=a/b redis=redis://127.0.0.1:1"
    )
    try:
        assert pipeline.set_state(Gst.State.PLAYING) == Gst.StateChangeReturn.FAILURE
        error = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
        assert "camera: expected 1 to 64 letters" in error.parse_error()[0].message
        pipeline.set_state(Gst.State.NULL)
        while pipeline.get_bus().pop() is not None:  # GStreamer's own words about it
            pass
        pipeline.get_by_name("end").set_property("camera", "a")
        pipeline.set_state(Gst.State.PLAYING)
        ends = Gst.MessageType.EOS | Gst.MessageType.ERROR
        message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, ends)
        assert message is not None
        assert message.type == Gst.MessageType.EOS, message.parse_error()
    finally:
        pipeline.set_state(Gst.State.NULL)


@pytest.mark.usefixtures("launch")
@pytest.mark.usefixtures("no_redis")
def test_the_end_arrives_where_a_busy_machine_notes_paused_last() -> None:
    """gst-launch-1.0 may set PLAYING before the thread that posted PAUSED has gone on."""
    pipeline = Gst.parse_launch(
        "appsrc name=source caps=video/x-raw,format=RGB,width=64,height=50,framerate=10/1 "
        "! mirpublish camera=a redis=redis://127.0.0.1:1"
    )
    pipeline.set_state(Gst.State.PLAYING)
    try:
        assert pipeline.get_state(60 * Gst.SECOND)[1] == Gst.State.PLAYING
        late = (Gst.State.READY, Gst.State.PAUSED, Gst.State.VOID_PENDING)
        pipeline.post_message(Gst.Message.new_state_changed(pipeline, *late))
        pipeline.get_by_name("source").emit("end-of-stream")
        ends = Gst.MessageType.EOS | Gst.MessageType.ERROR
        message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, ends)
        assert message is not None, "the bin kept the end of the stream to itself"
        assert message.type == Gst.MessageType.EOS
    finally:
        pipeline.set_state(Gst.State.NULL)


@pytest.mark.usefixtures("no_redis")
def test_a_result_that_cannot_be_written_is_a_failed_frame(launch: Any) -> None:
    stage = "mirstage python=tests.support.recorded_stages:Unwritable"
    ended = launch(f"{video(6)} ! {stage} ! mirpublish camera=a redis=redis://127.0.0.1:1")
    assert ended.counts.failed == 3
    assert ended.counts.published + ended.counts.dropped.get("outbox", 0) == 3
    assert ended.counts.balanced
