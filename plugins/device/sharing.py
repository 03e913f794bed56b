"""One CUDA context for GStreamer's decoders and for us: addresses are valid in their own alone."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from plugins.device.surfaces import gstreamer

LIBRARY = "libgstcuda-1.0.so.0"  # of GStreamer's "bad" plug-ins, from 1.22 on
_FUNCTIONS = (
    "gst_cuda_load_library",
    "gst_cuda_memory_init_once",
    "gst_cuda_context_new_wrapped",
    "gst_context_new_cuda_context",
)


class SharingError(RuntimeError):
    """GStreamer's decoders cannot work in our context; the message says why."""


def share(element: Any, context: int, library: Any = None) -> None:
    """Have the decoders of a bin work in a context, those that are added later too.

    Args:
        element: the bin.
        context: handle of the primary context of the first GPU.
        library: GStreamer's for CUDA, or what behaves like it; None for the one installed.

    Raises:
        SharingError: it is not installed, too old, or finds no driver.
    """
    library = _library() if library is None else library
    if not library.gst_cuda_load_library():
        raise SharingError(f"{LIBRARY} finds no NVIDIA driver")
    library.gst_cuda_memory_init_once()
    wrapped = library.gst_cuda_context_new_wrapped(context, 0)
    if not wrapped:
        raise SharingError(f"{LIBRARY} refuses the GPU's context")
    told = library.gst_context_new_cuda_context(wrapped)
    gst, gobject = gstreamer(), _gobject()
    gst.gst_element_set_context(hash(element), told)
    gst.gst_mini_object_unref(told)
    gobject.g_object_unref(wrapped)


def await_written(buffer: Any) -> None:
    """Wait until a decoder of GStreamer's has written the memory of a buffer: from 1.24 on it is
    handed on before, and mapping it does not wait.
    """
    if (library := _waiting()) is None:
        return
    memory = gstreamer().gst_buffer_peek_memory(hash(buffer), 0)
    if library.gst_is_cuda_memory(memory):
        library.gst_cuda_memory_sync(memory)


@cache
def _waiting() -> Any:
    """Return GStreamer's library for CUDA where it has what waits; None where nothing need wait."""
    try:
        library = _library()
    except SharingError:
        return None  # no memory of its kind was made
    if not hasattr(library, "gst_cuda_memory_sync"):
        return None  # before 1.24 decoders wait themselves
    library.gst_is_cuda_memory.argtypes = (ctypes.c_void_p,)
    library.gst_cuda_memory_sync.argtypes = (ctypes.c_void_p,)
    library.gst_cuda_memory_sync.restype = None
    return library


@cache
def _library() -> Any:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise SharingError(
            f"{error}; expected GStreamer 1.22 or later (Debian: libgstreamer-plugins-bad1.0-0)"
        ) from error
    for name in _FUNCTIONS:
        if not hasattr(library, name):
            raise SharingError(f"{LIBRARY} has no {name}; expected GStreamer 1.22 or later")
    library.gst_cuda_context_new_wrapped.restype = ctypes.c_void_p
    library.gst_cuda_context_new_wrapped.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.gst_context_new_cuda_context.restype = ctypes.c_void_p
    library.gst_context_new_cuda_context.argtypes = (ctypes.c_void_p,)
    return library


@cache
def _gobject() -> Any:
    library = ctypes.CDLL("libgobject-2.0.so.0")
    library.g_object_unref.argtypes = (ctypes.c_void_p,)
    library.g_object_unref.restype = None
    return library
