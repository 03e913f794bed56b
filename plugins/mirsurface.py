"""``mirsurface``: decoded frames on a GPU, which stay there or are copied to the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
gi.require_version("GstVideo", "1.0")
import numpy as np
from gi.repository import GObject, Gst, GstBase, GstVideo

from engines.cuda.fill import bytes_of
from plugins.bindings import post_error, structure_of
from plugins.device.gpu import gpu
from plugins.device.pool import Pool
from plugins.device.sharing import await_written
from plugins.device.surface import Surface
from plugins.device.surfaces import (
    FORMATS,
    NUMBER_BYTES,
    SURFACES,
    address_of,
    are_surfaces,
    put,
    surface_of,
)
from plugins.element import (
    DECODED,
    ERROR,
    OK,
    RAW,
    READ,
    FrameHandler,
    max_failures,
    pad_templates,
)
from plugins.mirrgb import MirRgb
from plugins.packed_rows import Placed

_NAMES = ",".join(FORMATS)
_CUDA = Gst.Caps.from_string(f"video/x-raw(memory:CUDAMemory),format={{{_NAMES}}}")
_PLAIN = Gst.Caps.from_string(f"video/x-raw,format={{{_NAMES}}}")
_TAKEN = Gst.Caps.from_string(";".join(each.to_string() for each in (SURFACES, _CUDA, RAW)))
_MAP_CUDA = Gst.MapFlags(int(READ) | 0x20000)  # GST_MAP_CUDA: an address of the GPU
_WRITE = Gst.MapFlags.WRITE
_INTERLACED = {"interleaved", "mixed", "fields", "alternate"}
_UPRIGHT = {"", "rotate-0"}


class MirSurface(FrameHandler, GstBase.BaseTransform):  # type: ignore[misc]
    """Stands behind a decoder. What elements behind it take decides: surfaces, else frames that are
    copied to the host. Of interlaced streams, and of those that are to be turned, they always are.
    What did not come from a GPU passes through.

    Attributes:
        stays: frames in GStreamer's own CUDA memory may stay there.
    """

    __gstmetadata__ = (
        "Mirante surface",
        "Filter/Video",
        "Hands on decoded frames in a GPU's memory, or copies them to the host",
        "Mirante",
    )
    __gsttemplates__ = pad_templates(_TAKEN, DECODED)

    stays = GObject.Property(
        type=bool,
        default=False,
        nick="Stays",
        blurb="Take frames of GStreamer's CUDA memory, whose decoder works in the primary context",
    )
    max_failures = max_failures()

    always_looks = False
    _orientation = ""
    _pool: Pool | None = None  # of copies of GStreamer's own frames

    def __init__(self) -> None:
        super().__init__()
        pad = self.get_static_pad("sink")
        pad.add_probe(Gst.PadProbeType.EVENT_DOWNSTREAM, _on_event)

    def prepare(self) -> None:
        """Nothing is needed before frames of a GPU come."""

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        return self.start()

    def do_stop(self) -> bool:
        """Gives back what elements behind it looked at surfaces with: their threads are done."""
        self.line.viewers.close()
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        return True

    def do_transform_caps(self, direction: Any, caps: Gst.Caps, only: Gst.Caps | None) -> Gst.Caps:
        """Called to negotiate: the same frames on the other side, on the GPU where that may be."""
        there, here = Gst.Caps.new_empty(), Gst.Caps.new_empty()
        for index in range(caps.get_size()):
            shape, features = structure_of(caps, index), caps.get_features(index)
            for name in self._others(direction, shape, features):
                each = Gst.Caps.new_empty()
                new = Gst.CapsFeatures.from_string(name) if name else features.copy()
                each.append_structure_full(shape.copy(), new)
                is_there = name in ("mirante:Surface", "memory:CUDAMemory")
                (there if is_there else here).append(each.intersect(_of(name)) if name else each)
        there.append(here)  # what is first is preferred
        return there if only is None else only.intersect_full(there, Gst.CapsIntersectMode.FIRST)

    def _others(
        self, direction: Any, shape: Gst.Structure, features: Gst.CapsFeatures
    ) -> list[str]:
        """Return what features frames may have on the other side; "" for the same."""
        is_surface = features.contains("mirante:Surface")
        is_cuda = features.contains("memory:CUDAMemory")
        if direction == Gst.PadDirection.SINK:
            if is_cuda and not self.stays:
                return []
            if not is_surface and not is_cuda:
                return [""]
            copied = ["memory:SystemMemory"]
            may_stay = not self._needs_host(shape) and self._is_taken()
            return ["mirante:Surface", *copied] if may_stay else copied
        taken = ["mirante:Surface", *(["memory:CUDAMemory"] if self.stays else ())]
        return taken if is_surface else [*taken, ""]

    def _needs_host(self, shape: Gst.Structure) -> bool:
        return (
            shape.get_string("interlace-mode") in _INTERLACED or self._orientation not in _UPRIGHT
        )

    def _is_taken(self) -> bool:
        """Return whether what scales takes surfaces, which it cannot say in caps; or there is
        nothing that does.
        """
        pad = self.get_static_pad("src")
        while pad is not None and (peer := pad.get_peer()) is not None:
            element = peer.get_parent_element()
            if element is None:
                return True
            if isinstance(element, MirRgb):
                return element.takes_surfaces()
            pad = element.get_static_pad("src")
        return True

    def note(self, event: Gst.Event) -> None:
        """Take in an event: a tag may say that images are to be turned, as is done on the host."""
        if event.type == Gst.EventType.TAG:
            is_there, text = event.parse_tag().get_string(Gst.TAG_IMAGE_ORIENTATION)
            if is_there:
                self._orient(text)
        elif event.type == Gst.EventType.STREAM_START:
            self._orient("")

    def _orient(self, text: str) -> None:
        was_upright = self._orientation in _UPRIGHT
        self._orientation = text
        if was_upright != (text in _UPRIGHT):
            self.reconfigure_src()

    def do_set_caps(self, taken: Gst.Caps, given: Gst.Caps) -> bool:
        """Called when size or format changes."""
        self._video = GstVideo.VideoInfo.new_from_caps(taken)
        self._placed = Placed(self._video)
        self._takes, self._gives = are_surfaces(taken), are_surfaces(given)
        self._given = GstVideo.VideoInfo.new_from_caps(given)
        is_plain = taken.get_features(0).is_equal(given.get_features(0))
        self.set_passthrough(is_plain)
        return True

    def do_get_unit_size(self, caps: Gst.Caps) -> tuple[bool, int]:
        """Called for the size of a frame in bytes."""
        if are_surfaces(caps):
            return True, NUMBER_BYTES
        return True, int(GstVideo.VideoInfo.new_from_caps(caps).size)

    def do_transform_size(
        self, _direction: Any, _caps: Gst.Caps, _size: int, other: Gst.Caps
    ) -> tuple[bool, int]:
        """Called for the size of a frame on the other side."""
        return self.do_get_unit_size(other)

    def do_decide_allocation(self, query: Gst.Query) -> bool:
        """Called to agree on memory: a surface is given back as its buffer's memory is freed, so
        that this must be used once.
        """
        while query.get_n_allocation_pools():
            query.remove_nth_allocation_pool(0)
        return True

    def do_transform(self, buffer: Gst.Buffer, given: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame whose memory is another behind it."""
        try:
            if self._takes:
                with buffer.map(READ) as mapped:
                    self._fetch(surface_of(mapped.data), given)
            else:
                with self._mapped(buffer) as surface:
                    if self._gives:
                        self._keep(surface, given)
                    else:
                        self._fetch(surface, given)
        except Exception as error:  # noqa: BLE001  # must not be raised into GStreamer
            post_error(self, "mirsurface", Gst.StreamError.DECODE, error)
            return ERROR
        return OK

    @contextmanager
    def _mapped(self, buffer: Gst.Buffer) -> Iterator[Surface]:
        """Yield the surface of a buffer of GStreamer's CUDA memory."""
        strides, offsets = self._placed.of(buffer)
        if strides[0] != strides[1]:
            raise ValueError(f"rows of {strides[0]} and {strides[1]} bytes; expected them equal")
        with buffer.map(_MAP_CUDA) as mapped:
            await_written(buffer)
            start = address_of(mapped.data)
            video = self._video
            size, bits = (video.width, video.height), FORMATS[video.finfo.name]
            yield Surface(size, start + offsets[0], start + offsets[1], strides[0], bits)

    def _keep(self, surface: Surface, given: Gst.Buffer) -> None:
        """Have a buffer stand for a copy: a decoder may have but one or two surfaces to hand out,
        and stands still while they are held.
        """
        if self._pool is None:
            self._pool = Pool(gpu().cuda)
        put(given, self._pool.copy(surface), self.line.held)

    def _fetch(self, surface: Surface, given: Gst.Buffer) -> None:
        """Copy a surface into a buffer of the host."""
        viewer, video = self.line.viewers.of("mirsurface"), self._given
        (width, height), sample = surface.size, bytes_of(surface.bits)
        planes = (
            (surface.luma, height, width * sample),
            (surface.chroma, -(-height // 2), (width + width % 2) * sample),
        )
        with given.map(_WRITE) as mapped:
            for plane, (address, count, length) in enumerate(planes):
                offset, strides = video.offset[plane], (video.stride[plane], 1)
                there = np.ndarray((count, length), np.uint8, mapped.data, offset, strides)
                there[:] = viewer.rows(address, surface.pitch, count)[:, :length]


def _of(name: str) -> Gst.Caps:
    return {"mirante:Surface": SURFACES, "memory:CUDAMemory": _CUDA}.get(name, _PLAIN)


def _on_event(pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
    pad.get_parent_element().note(info.get_event())
    return Gst.PadProbeReturn.OK
