"""What GStreamer's Python bindings do differently from version to version."""

from __future__ import annotations

from typing import Any

import pytest
from gi.repository import Gst

from plugins.bindings import set_time, structure_of

Gst.init(None)
PLAIN = Gst.Caps.get_structure


class Wrapped:
    """What the bindings of 1.26 return from ``get_structure``: it does nothing but be entered."""

    def __init__(self, structure: Gst.Structure | None) -> None:
        self._structure = structure

    def __enter__(self) -> Gst.Structure | None:
        return self._structure

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture(params=["plain", "wrapped"])
def bindings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bindings that return structures, and those that wrap the ones of caps and events."""
    if request.param == "wrapped" and Gst.version() < (1, 26):  # which has its own
        for kind in (Gst.Caps, Gst.Event):
            plain = kind.get_structure

            def wrapped(holder: Any, *index: int, plain: Any = plain) -> Wrapped:
                return Wrapped(plain(holder, *index))

            monkeypatch.setattr(kind, "get_structure", wrapped)
        monkeypatch.setattr(Gst.Caps, "__getitem__", PLAIN)


@pytest.mark.usefixtures("bindings")
def test_structures_are_read_whatever_bindings_wrap_them_in() -> None:
    caps = Gst.Caps.from_string("video/x-raw,width=3;image/jpeg")
    told = Gst.Structure.new_empty("told")
    assert structure_of(caps).get_value("width") == 3
    assert structure_of(caps, 1).get_name() == "image/jpeg"
    event = Gst.Event.new_custom(Gst.EventType.CUSTOM_UPSTREAM, told)
    assert structure_of(event).get_name() == "told"
    assert structure_of(Gst.Event.new_eos()) is None
    assert structure_of(Gst.Message.new_element(None, told.copy())).get_name() == "told"
    assert structure_of(Gst.Message.new_eos(None)) is None


def test_a_probe_changes_a_time_that_is_read_behind_it() -> None:
    """As any buffer in a probe, this one is held twice, which bindings of 1.26 refuse to change."""
    pipeline = Gst.parse_launch("videotestsrc num-buffers=1 ! identity name=at ! appsink name=out")

    def on_buffer(_pad: Any, info: Any) -> Any:
        for number, field in enumerate(("pts", "dts", "duration")):
            set_time(info.get_buffer(), field, 70 + number)
        return Gst.PadProbeReturn.OK

    pipeline.get_by_name("at").get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, on_buffer)
    pipeline.set_state(Gst.State.PLAYING)
    try:
        buffer = pipeline.get_by_name("out").emit("pull-sample").get_buffer()
        assert (buffer.pts, buffer.dts, buffer.duration) == (70, 71, 72)
    finally:
        pipeline.set_state(Gst.State.NULL)
