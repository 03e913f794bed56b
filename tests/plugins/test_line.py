"""What the elements of one graph share, given or made by themselves."""

from __future__ import annotations

from typing import Any

import gi
import pytest

gi.require_version("Gst", "1.0")
from gi.repository import Gst

from plugins.element import FrameHandler, elements_of, give_line
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.outbox.outbox import Outbox

pytestmark = pytest.mark.usefixtures("launch", "no_redis")  # launch registers the elements
FRAMES = 3
ELEMENTS = (
    f"videotestsrc num-buffers={FRAMES} ! video/x-raw,format=RGB,width=64,height=64 "
    "! mirstage python=tests.support.recorded_stages:Record "
    "! bin.( mirpreview name=preview redis=redis://127.0.0.1:1 "
    "! mirpublish name=end camera=gate redis=redis://127.0.0.1:1 )"
)


def made(name: str = "gate") -> Any:
    return Gst.parse_launch(f"pipeline.( name={name} {ELEMENTS} )")


def run(pipeline: Any) -> None:
    pipeline.set_state(Gst.State.PLAYING)
    wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, wanted)
    assert message is not None
    assert message.type == Gst.MessageType.EOS, message.parse_error()


def line_of(pipeline: Any) -> Line:
    """The one line of its elements."""
    ours = [each for each in elements_of(pipeline) if isinstance(each, FrameHandler)]
    assert len(ours) == 3
    line = ours[0].line
    assert all(each.line is line for each in ours)
    return line


def test_elements_of_a_plain_pipeline_share_one_line() -> None:
    pipeline = made()
    run(pipeline)
    line = line_of(pipeline)
    assert line.ledger.camera == "gate"
    assert line.ledger.counts()[0].decoded == FRAMES
    publisher = pipeline.get_by_name("end")
    assert publisher.outbox is pipeline.get_by_name("preview").outbox
    assert publisher.outbox is not None
    pipeline.set_state(Gst.State.NULL)
    assert publisher.outbox is None


def test_pipelines_of_one_name_do_not_share() -> None:
    first, second = made(), made()
    run(first)
    run(second)
    assert line_of(first) is not line_of(second)
    assert line_of(first).ledger.counts()[0].decoded == FRAMES
    for pipeline in (first, second):
        pipeline.set_state(Gst.State.NULL)


def test_a_line_that_is_given_is_the_elements_own() -> None:
    line = Line(Ledger("yard"))
    pipeline = made()
    give_line(pipeline, line)
    run(pipeline)
    pipeline.set_state(Gst.State.NULL)
    assert line_of(pipeline) is line
    assert line.ledger.counts()[0].decoded == FRAMES


def test_a_given_outbox_is_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIRANTE_REDIS_URL", raising=False)
    with pytest.raises(ValueError, match="redis: not set"):
        Line().acquire("")
    given = Outbox("redis://127.0.0.1:1")
    line = Line(outbox=given)
    assert line.acquire("") is given
    line.release(given)
    assert line.acquire("") is given


def test_frames_that_never_reach_redis_are_in_the_account() -> None:
    pipeline = made()
    run(pipeline)
    line = line_of(pipeline)
    pipeline.set_state(Gst.State.NULL)
    counts, in_flight = line.ledger.counts()
    assert (counts.published, counts.dropped.get("outbox"), in_flight) == (0, FRAMES, 0)
