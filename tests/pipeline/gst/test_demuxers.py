"""A demuxer whose error nobody heard is found by what it left."""

from __future__ import annotations

from pathlib import Path

import pytest
from gi.repository import Gst

from pipeline.gst.demuxers import unheard

WAIT_NS = 60 * Gst.SECOND


@pytest.mark.parametrize("share", [0.8, 1.0])
def test_a_demuxer_that_rests_without_a_stream_has_failed(
    clips: tuple[Path, Path], tmp_path: Path, share: float
) -> None:
    content = clips[0].read_bytes()
    path = tmp_path / "open.mp4"
    path.write_bytes(content[: int(len(content) * share)])  # its index is at the end
    pipeline = Gst.parse_launch(f"filesrc location={path} ! qtdemux ! fakesink")
    try:
        assert unheard(pipeline) is None
        pipeline.set_state(Gst.State.PAUSED)
        ended = Gst.MessageType.ERROR | Gst.MessageType.ASYNC_DONE
        assert pipeline.get_bus().timed_pop_filtered(WAIT_NS, ended) is not None
        message = unheard(pipeline)
    finally:
        pipeline.set_state(Gst.State.NULL)
    if share == 1.0:
        assert message is None
    else:
        error, _ = message.parse_error()
        assert error.matches(Gst.StreamError.quark(), Gst.StreamError.FAILED)
