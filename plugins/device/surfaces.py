"""The buffers that stand for decoded surfaces in a GPU's memory."""

from __future__ import annotations

import ctypes
import itertools
import logging
from functools import cache
from typing import Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstVideo", "1.0")
from gi.repository import Gst, GstVideo

from engines.cuda.fill import Colours
from plugins.colour.planes import on_gpu
from plugins.device.surface import Held, Surface

if not Gst.is_initialized():
    Gst.init(None)

# And the bits of a sample. GStreamer's own decoders say P016_LE of 12 bits.
FORMATS = {"NV12": 8, "P010_10LE": 10, "P012_LE": 12, "P016_LE": 16}
_NAMES = ",".join(FORMATS)
# Of buffers whose only memory is the number of a surface.
SURFACES = Gst.Caps.from_string(f"video/x-raw(mirante:Surface),format={{{_NAMES}}}")
NUMBER_BYTES = 8
_WRITE = Gst.MapFlags.WRITE
_FULL = 1  # GstVideoColorRange
_log = logging.getLogger(__name__)

# Without a lock: a step on a dictionary is one, and a surface may be given back inside any other.
_surfaces: dict[int, tuple[Surface, Held]] = {}
_numbers = itertools.count(1)


def put(buffer: Gst.Buffer, surface: Surface, held: Held) -> None:
    """Have a buffer, with one memory of its own of ``NUMBER_BYTES``, stand for a surface, which is
    given back when that memory is: with the last buffer that shares it.
    """
    number = next(_numbers)
    with buffer.map(_WRITE) as mapped:
        mapped.data[:NUMBER_BYTES] = number.to_bytes(NUMBER_BYTES, "little")
    _surfaces[number] = surface, held
    held.surfaces[number] = surface.bytes
    held.most = max(held.most, len(held.surfaces))
    library = gstreamer()
    memory = library.gst_buffer_peek_memory(hash(buffer), 0)
    library.gst_mini_object_weak_ref(memory, _freed, number)


def surface_of(data: memoryview) -> Surface:
    """Return the surface that the data of a buffer stand for, valid while the buffer is.

    Raises:
        ValueError: they stand for none: something has copied them.
    """
    found = _surfaces.get(int.from_bytes(data[:NUMBER_BYTES], "little"))
    if found is None or len(data) != NUMBER_BYTES:
        raise ValueError("a buffer of no surface; expected one as its decoder made it")
    return found[0]


def address_of(data: memoryview) -> int:
    """Return where mapped data lie; they stay where they are for as long as they are mapped."""
    return int(np.frombuffer(data, np.uint8).ctypes.data)


def colours_of(caps: Gst.Caps) -> Colours:
    """Return the matrix and black of frames with whole colorimetry, as ``mirrgb`` writes it."""
    video = GstVideo.VideoInfo.new_from_caps(caps)
    _, kr, kb = GstVideo.VideoColorMatrix.get_Kr_Kb(video.colorimetry.matrix)
    bits = FORMATS[video.finfo.name]
    return on_gpu((kr, kb), int(video.colorimetry.range) == _FULL, bits)


def are_surfaces(caps: Gst.Caps, index: int = 0) -> bool:
    """Return whether buffers of a structure of caps stand for surfaces."""
    features = caps.get_features(index)
    return bool(features.contains("mirante:Surface") and not features.is_any())


def _free(number: int, _memory: int) -> None:
    """Called by GStreamer when a memory is freed, on whichever thread that is."""
    surface, held = _surfaces.pop(number)
    try:
        surface.give_back()
    except Exception:  # noqa: BLE001  # it would end in C, unseen
        _log.exception("a surface of a GPU could not be given back")
    held.surfaces.pop(number, None)


_freed = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(_free)  # for as long as all is


@cache
def gstreamer() -> Any:
    """Return GStreamer's own library, for what PyGObject does not bind."""
    library = ctypes.CDLL("libgstreamer-1.0.so.0")
    library.gst_buffer_peek_memory.restype = ctypes.c_void_p
    library.gst_buffer_peek_memory.argtypes = (ctypes.c_void_p, ctypes.c_uint)
    library.gst_mini_object_weak_ref.restype = None
    library.gst_mini_object_weak_ref.argtypes = (ctypes.c_void_p, type(_freed), ctypes.c_void_p)
    library.gst_mini_object_unref.restype = None
    library.gst_mini_object_unref.argtypes = (ctypes.c_void_p,)
    library.gst_element_set_context.restype = None
    library.gst_element_set_context.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    return library
