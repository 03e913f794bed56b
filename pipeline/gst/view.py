"""Turns, cuts and deinterlaces a graph's images as its stream and its options say.

What a stream says comes in events between the frames that it holds for: its size, a tag with its
rotation, whether it is interlaced. Elements for what the options do not name are added when the
stream asks for them, so that nothing is passed through for streams that do not.
"""

from __future__ import annotations

import logging
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from pipeline.cameras.exif import HEAD_BYTES, is_jpeg, orientation_of
from pipeline.cameras.graph import analysis_caps
from pipeline.cameras.view import DEINTERLACE, Turn, View, before_scaling, view_of
from pipeline.config.camera import CameraOptions
from plugins.bindings import structure_of
from plugins.element import elements_of
from plugins.packed_rows import PackedRows

Gst.init(None)

_log = logging.getLogger(__name__)
_OK, _DROP, _REMOVE = Gst.PadProbeReturn.OK, Gst.PadProbeReturn.DROP, Gst.PadProbeReturn.REMOVE
_MIXED = {"interleaved", "mixed"}
_JPEG = Gst.Caps.from_string("image/jpeg")


class Seen:
    """What the events that pass a pad say of the images behind them.

    Attributes:
        is_interlaced: some of them may be.
        orientation: GStreamer's tag of that name, where one was seen; else "".
    """

    def __init__(self, options: CameraOptions) -> None:
        self.options = options
        self.is_interlaced = False
        self._size = (0, 0)
        self._tag = Turn()
        self.orientation = ""

    def note(self, event: Any) -> bool:
        """Take an event in; return whether the view may be another now, if one is known."""
        before = self._size, self._tag, self.is_interlaced
        if event.type == Gst.EventType.STREAM_START:
            self._tag, self.orientation = Turn(), ""
        elif event.type == Gst.EventType.CAPS:
            shape = structure_of(event.parse_caps())
            self._size = (shape.get_value("width"), shape.get_value("height"))
            self.is_interlaced = shape.get_string("interlace-mode") in _MIXED
        elif event.type == Gst.EventType.TAG:
            is_there, text = event.parse_tag().get_string(Gst.TAG_IMAGE_ORIENTATION)
            if is_there:
                self._tag, self.orientation = Turn.of_tag(text), text
        return any(self._size) and before != (self._size, self._tag, self.is_interlaced)

    @property
    def view(self) -> View:
        """The way of the images that come next. Caps must have been noted."""
        return view_of(self.options, self._size, self._tag)


def follow_view(pipeline: Any, options: CameraOptions) -> None:
    """Make a graph of ``camera_graph`` show its images as they are to be shown.

    Events are noted as they leave the queue ``newest``, on the thread that has all behind it: the
    crop is set before new caps reach it, as those of a smaller image would not fit the old one, and
    the next frame waits until all is set. Where that fails it is dropped, and the graph ends with
    an error: nothing may see an image that is not cut and painted.
    """
    seen = Seen(options)
    is_waiting = False

    def on_event(pad: Any, info: Any) -> Any:
        nonlocal is_waiting
        if seen.note(info.get_event()):
            if not is_waiting:
                is_waiting = True
                pad.add_probe(Gst.PadProbeType.BUFFER, on_frame)
            _cut(pad.get_parent_element().get_parent(), seen.view)
        return _OK

    def on_frame(pad: Any, _info: Any) -> Any:
        nonlocal is_waiting
        try:
            _apply(pad, seen)
        except Exception as error:  # noqa: BLE001  # it would end in C, unseen
            _refuse(pad.get_parent_element(), error)
            return _DROP
        is_waiting = False
        return _REMOVE

    pad = pipeline.get_by_name("newest").get_static_pad("src")
    if before_scaling(options):
        PackedRows(pad.get_peer())
    pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, on_event)
    pipeline.connect("deep-element-added", lambda _pipeline, _bin, element: tell_exif(element))
    for element in elements_of(pipeline):
        tell_exif(element)


def tell_exif(element: Any) -> None:
    """Have a decoder of JPEG say how its images are turned; other elements are left alone.

    jpegdec does not read that, and jpegparse, which does, ends a stream at a damaged image. An
    image without such data is not turned once another one was; where none has it, as those of
    cameras, no tag is made.
    """
    factory, pad = element.get_factory(), element.get_static_pad("sink")
    if factory is None or pad is None or "Decoder" not in factory.get_metadata("klass"):
        return
    if isinstance(element, Gst.Bin) or not pad.get_pad_template_caps().can_intersect(_JPEG):
        return
    told = ""

    def on_image(pad: Any, info: Any) -> Any:
        nonlocal told
        buffer = info.get_buffer()
        head = buffer.extract_dup(0, min(HEAD_BYTES, buffer.get_size()))
        if is_jpeg(head):
            orientation = orientation_of(head) or (told and "rotate-0")
            if orientation != told:
                told = orientation
                tags = Gst.TagList.new_empty()
                tags.add_value(Gst.TagMergeMode.REPLACE, Gst.TAG_IMAGE_ORIENTATION, told)
                pad.send_event(Gst.Event.new_tag(tags))
        return _OK

    pad.add_probe(Gst.PadProbeType.BUFFER, on_image)


def _apply(pad: Any, seen: Seen) -> None:
    graph = pad.get_parent_element().get_parent()
    view, options = seen.view, seen.options
    if seen.is_interlaced and options.deinterlace == "auto":
        _ensure(graph, "deinterlace", pad, DEINTERLACE)
    analysis = graph.get_by_name("analysis")
    limits = Gst.Caps.from_string(analysis_caps(*view.turn.size((options.width, options.height))))
    if not limits.is_equal(analysis.get_property("caps")):
        analysis.set_property("caps", limits)
    if view.turn != Turn():
        _ensure(graph, "turn", analysis.get_static_pad("src"), "videoflip name=turn")
    if (turn := graph.get_by_name("turn")) is not None:
        Gst.util_set_object_arg(turn, "video-direction", view.turn.direction)
    if (gate := graph.get_by_name("gate")) is not None:
        gate.scene.turn(view.turn.mirrored, view.turn.quarters, view.area)
    if (closeup := graph.get_by_name("closeup")) is not None:
        closeup.view.turn(view.turn.mirrored, view.turn.quarters, view.area)
    for name in ("blackout", "zones"):
        if (element := graph.get_by_name(name)) is not None:
            element.area = view.area


def _cut(graph: Any, view: View) -> None:
    if (crop := graph.get_by_name("crop")) is not None:
        for side, pixels in zip(("left", "top", "right", "bottom"), view.cuts, strict=True):
            crop.set_property(side, pixels)


def _ensure(graph: Any, name: str, behind: Any, launch: str) -> None:
    """Put elements behind a pad, on the thread that pushes there, unless one of ``name`` is there.

    Raises:
        GLib.Error: GStreamer lacks one of them.
        RuntimeError: they cannot be linked.
    """
    if graph.get_by_name(name) is not None:
        return
    added = Gst.parse_bin_from_description(launch, True)
    graph.add(added)
    ahead = behind.get_peer()
    behind.unlink(ahead)
    links = (behind, added.get_static_pad("sink")), (added.get_static_pad("src"), ahead)
    if any(source.link(sink) != Gst.PadLinkReturn.OK for source, sink in links):
        raise RuntimeError(f"{name} cannot be put into the graph")
    added.sync_state_with_parent()


def _refuse(element: Any, error: Exception) -> None:
    words = f"the image cannot be shown as asked for: {type(error).__name__}: {error}"
    domain, code = Gst.LibraryError.quark(), int(Gst.LibraryError.FAILED)
    fault = GLib.Error.new_literal(domain, words, code)
    element.post_message(Gst.Message.new_error(element, fault, words))
