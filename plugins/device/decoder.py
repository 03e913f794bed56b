"""``mirnvdec``: decodes H.264 and H.265 by PyNvVideoCodec into surfaces of a GPU's memory.

Registered where that is asked for and there (``offer``), so that nothing else ever takes it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from plugins.bindings import structure_of
from plugins.device.gpu import gpu, why_not
from plugins.device.nvdec import Decoded, NvdecError, NvDecoder, api
from plugins.device.surface import Held, Surface
from plugins.device.surfaces import NUMBER_BYTES, SURFACES, address_of, put

NAME = "mirnvdec"
_TAKEN = ";".join(
    f"video/x-{codec},stream-format=byte-stream,alignment=au" for codec in ("h264", "h265")
)
_SHOWN = ("framerate", "pixel-aspect-ratio", "colorimetry", "chroma-site", "interlace-mode")
_OK, _ERROR = Gst.FlowReturn.OK, Gst.FlowReturn.ERROR
_CARRIED = Gst.BufferCopyFlags.TIMESTAMPS | Gst.BufferCopyFlags.META
_WHOLE = 2**64 - 1
_BITS = {8: "NV12", 10: "P010_10LE", 12: "P012_LE"}  # of a sample, and their formats
_NO_TIME: int = Gst.CLOCK_TIME_NONE
_CORRUPTED = Gst.BufferFlags.CORRUPTED
_MOST_PENDING = 64  # pictures inside a decoder; those that it gave up are forgotten
_Event = Gst.EventType


def _template(name: str, direction: Any, caps: Gst.Caps) -> Gst.PadTemplate:
    return Gst.PadTemplate.new(name, direction, Gst.PadPresence.ALWAYS, caps)


class MirNvdec(Gst.Element):  # type: ignore[misc]
    """Hands each access unit to the decoder, and on what that gives, with its unit's time."""

    __gstmetadata__ = (
        "Mirante NVDEC",
        "Codec/Decoder/Video/Hardware",
        "Decodes H.264 and H.265 on an NVIDIA GPU, in whose memory frames stay",
        "Mirante",
    )
    __gsttemplates__ = (
        _template("sink", Gst.PadDirection.SINK, Gst.Caps.from_string(_TAKEN)),
        _template("src", Gst.PadDirection.SRC, SURFACES),
    )

    def __init__(self) -> None:
        super().__init__()
        sink, source = (
            Gst.Pad.new_from_template(self.get_pad_template(name), name) for name in ("sink", "src")
        )
        # Plain functions: a pad that knew the element would keep it for ever.
        sink.set_chain_function_full(_on_buffer, None)
        sink.set_event_function_full(_on_event, None)
        self.add_pad(sink)
        self.add_pad(source)
        self._source = source
        self._decoder: NvDecoder | None = None
        self._stream: Gst.Structure | None = None  # of the caps in front
        self._shown: tuple[tuple[int, int], int] | None = None  # size and bits of the caps behind
        self._early: list[Gst.Event] = []  # that come behind the caps
        self._units: dict[int, Gst.Buffer] = {}  # whose pictures have not come, by number
        self._number = 0
        self._last: int | None = None  # PTS of the picture before
        self._held = Held()

    def do_change_state(self, change: Gst.StateChange) -> Gst.StateChangeReturn:
        """Called between states; the session ends with the stream."""
        if change == Gst.StateChange.READY_TO_PAUSED:
            self._held = _held_of(self)
        done = Gst.Element.do_change_state(self, change)
        if change == Gst.StateChange.PAUSED_TO_READY:
            self._end()
            self._stream, self._early = None, []
        return done

    def take(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Decode one access unit."""
        try:
            self._number += 1
            self._units[self._number] = buffer
            if len(self._units) > _MOST_PENDING:
                del self._units[next(iter(self._units))]
            decoder = self._session()
            with buffer.map(Gst.MapFlags.READ) as mapped:
                address = address_of(mapped.data)
                decoded = decoder.decode(address, len(mapped.data), self._number)
            return self._hand_on(decoded)
        except Exception as error:  # noqa: BLE001  # must not be raised into GStreamer
            return self._fail(error)

    def note(self, event: Gst.Event) -> bool:
        """Take in an event; frames that are still inside go before it."""
        if event.type == _Event.CAPS:
            return self._begin(structure_of(event.parse_caps()).copy())
        if event.type in (_Event.SEGMENT, _Event.EOS):
            self._drain()
        if event.type == _Event.FLUSH_STOP:
            self._end()
        if event.type in (_Event.SEGMENT, _Event.TAG) and self._shown is None:
            self._early.append(event)
            return True
        if event.type == _Event.EOS:
            self._push_early()
        return bool(self._source.push_event(event))

    def _begin(self, stream: Gst.Structure) -> bool:
        """Take in a format; another session decodes another one."""
        chroma = stream.get_string("chroma-format")
        if chroma not in (None, "4:2:0"):
            self._fail(NvdecError(f"chroma of {chroma}: expected 4:2:0"))
            return False
        if (bits := _bits_of(stream)) not in _BITS:
            self._fail(NvdecError(f"samples of {bits} bits: expected 8, 10 or 12"))
            return False
        before, self._stream = self._stream, stream
        if before is not None and not before.is_equal(stream):
            self._stream = before
            self._drain()
            self._stream = stream
        self._shown = None
        return True

    def _session(self) -> NvDecoder:
        if self._stream is None:
            raise NvdecError("an access unit without a format before it")
        if self._decoder is None:
            media = self._stream.get_name()
            self._decoder = NvDecoder(api(), gpu(), media, _bits_of(self._stream))
        return self._decoder

    def _drain(self) -> None:
        """Hand on what is still inside, and end the session. Flow that is refused ends with the
        event that follows.
        """
        if self._decoder is None:
            return
        try:
            self._hand_on(self._decoder.drain())
        except Exception as error:  # noqa: BLE001  # must not be raised into GStreamer
            self._fail(error)
        self._end()

    def _end(self) -> None:
        """End the session; what is inside is lost."""
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = None
        self._units.clear()
        self._last = None

    def _hand_on(self, decoded: Decoded) -> Gst.FlowReturn:
        flow = _OK
        for surface, number in decoded:
            unit = self._units.pop(number, None)
            if unit is None or flow != _OK:
                surface.give_back()
            if unit is None:
                flow = self._fail(NvdecError(f"picture {number} comes of no access unit, or twice"))
            elif flow == _OK:
                flow = self._push(surface, unit)
        return flow

    def _push(self, surface: Surface, unit: Gst.Buffer) -> Gst.FlowReturn:
        buffer = Gst.Buffer.new_allocate(None, NUMBER_BYTES, None)
        put(buffer, surface, self._held)
        if self._shown != (surface.size, surface.bits):
            self._shown = surface.size, surface.bits
            self._source.push_event(Gst.Event.new_caps(self._caps(surface)))
            self._push_early()
        buffer.copy_into(unit, _CARRIED, 0, _WHOLE)
        buffer.dts = _NO_TIME
        self._last = buffer.pts = self._time_of(buffer)
        if unit.has_flags(_CORRUPTED):
            buffer.set_flags(_CORRUPTED)
        return self._source.push(buffer)

    def _time_of(self, buffer: Gst.Buffer) -> int:
        """Return its PTS; where its stream has none, as a file without a container, what the rate
        of the stream makes of the one before.
        """
        if buffer.pts != _NO_TIME or self._last is None:
            return 0 if buffer.pts == _NO_TIME else int(buffer.pts)
        assert self._stream is not None
        is_told, frames, seconds = self._stream.get_fraction("framerate")
        if not is_told or not frames or self._last == _NO_TIME:
            return int(_NO_TIME)
        return int(self._last + Gst.SECOND * seconds // frames)

    def _push_early(self) -> None:
        early, self._early = self._early, []
        for event in early:
            self._source.push_event(event)

    def _caps(self, surface: Surface) -> Gst.Caps:
        assert self._stream is not None
        caps = SURFACES.copy()
        caps.set_value("format", _BITS[surface.bits])
        caps.set_value("width", surface.size[0])
        caps.set_value("height", surface.size[1])
        caps.set_value("pixel-aspect-ratio", Gst.Fraction(1, 1))  # where the stream does not say
        for field in _SHOWN:
            if self._stream.has_field(field):
                caps.set_value(field, self._stream.get_value(field))
        return caps

    def _fail(self, error: Exception) -> Gst.FlowReturn:
        words = f"{NAME}: {error}"
        domain, code = Gst.StreamError.quark(), int(Gst.StreamError.DECODE)
        fault = GLib.Error.new_literal(domain, words, code)
        self.post_message(Gst.Message.new_error(self, fault, ""))
        return _ERROR


def _on_buffer(_pad: Gst.Pad, element: MirNvdec, buffer: Gst.Buffer) -> Gst.FlowReturn:
    return element.take(buffer)


def _on_event(_pad: Gst.Pad, element: MirNvdec, event: Gst.Event) -> bool:
    try:
        return element.note(event)
    except Exception as error:  # noqa: BLE001  # must not be raised into GStreamer
        element._fail(error)
        return False


def _bits_of(stream: Gst.Structure) -> int:
    is_told, bits = stream.get_uint("bit-depth-luma")
    return int(bits) if is_told else 8


def _held_of(element: Any) -> Held:
    """Return the account of the camera in whose graph an element is; one of its own elsewhere."""
    top = element
    while (parent := top.get_parent()) is not None:
        top = parent
    surface: Any = top.get_by_name("surface") if isinstance(top, Gst.Bin) else None
    held: Held = surface.line.held if hasattr(surface, "line") else Held()
    return held


@cache
def offer() -> str:
    """Make the element known to this process, once; return why it cannot be, empty where it is."""
    try:
        api()
    except NvdecError as error:
        return f"PyNvVideoCodec: {error}"
    if words := why_not():
        return f"PyNvVideoCodec: {words}"
    Gst.Element.register(None, NAME, int(Gst.Rank.NONE), MirNvdec)
    return ""
