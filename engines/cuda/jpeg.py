"""JPEG files made on a GPU by nvJPEG, where that is installed."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from engines.placement import Size
from engines.runtimes.tensorrt.cuda import CudaError, Stream

_RGB, _420 = 5, 2  # NVJPEG_INPUT_RGBI, NVJPEG_CSS_420
_STATUS = {
    1: "NOT_INITIALIZED",
    2: "INVALID_PARAMETER",
    5: "ALLOCATOR_FAILURE",
    6: "EXECUTION_FAILED",
    7: "ARCH_MISMATCH",
    8: "INTERNAL_ERROR",
    9: "IMPLEMENTATION_NOT_SUPPORTED",
}


class Picture(ctypes.Structure):
    """``nvjpegImage_t``: addresses and bytes from row to row of at most four planes."""

    _fields_ = (("channel", ctypes.c_void_p * 4), ("pitch", ctypes.c_size_t * 4))


@cache
def library() -> Any:
    """Return nvJPEG's library; None where it is not installed."""
    try:
        from cuda import pathfinder

        return ctypes.CDLL(pathfinder.load_nvidia_dynamic_lib("nvjpeg").abs_path)
    except (ImportError, OSError, RuntimeError):  # the finder's own error is the last
        return None


class JpegEncoder:
    """An encoder for one thread; to be closed.

    Args:
        api: nvJPEG's library, or what behaves like it.
        stream: on which it works.

    Raises:
        CudaError: it does not start.
    """

    def __init__(self, api: Any, stream: Stream) -> None:
        self._api, self._stream = api, stream
        self._handle, self._state, self._options = (ctypes.c_void_p() for _ in range(3))
        try:
            self._ask("nvjpegCreateSimple", ctypes.byref(self._handle))
            self._make("nvjpegEncoderStateCreate", self._state)
            self._make("nvjpegEncoderParamsCreate", self._options)
            self._set("nvjpegEncoderParamsSetSamplingFactors", _420)
        except CudaError:
            self.close()
            raise

    def encode(self, address: int, size: Size, quality: int) -> bytes:
        """Return the JPEG of an image of the GPU's memory.

        Args:
            address: of (height, width, 3) uint8 RGB.
            size: width and height.
            quality: 1 to 100.

        Raises:
            CudaError: nvJPEG or the GPU fails.
        """
        self._set("nvjpegEncoderParamsSetQuality", quality)
        picture = Picture()
        picture.channel[0], picture.pitch[0] = address, size[0] * 3
        shape = _RGB, *size
        source = ctypes.byref(picture)
        coder = self._handle, self._state
        self._ask("nvjpegEncodeImage", *coder, self._options, source, *shape, self._queue)
        length = ctypes.c_size_t()
        got = ctypes.byref(length)
        self._ask("nvjpegEncodeRetrieveBitstream", *coder, None, got, self._queue)
        self._stream.synchronize()
        file = (ctypes.c_ubyte * length.value)()
        self._ask("nvjpegEncodeRetrieveBitstream", *coder, file, got, self._queue)
        self._stream.synchronize()
        return bytes(file)[: length.value]

    def close(self) -> None:
        """Give its memory back."""
        for function, made in (
            ("nvjpegEncoderParamsDestroy", self._options),
            ("nvjpegEncoderStateDestroy", self._state),
            ("nvjpegDestroy", self._handle),
        ):
            if made.value:
                getattr(self._api, function)(made)
                made.value = None

    @property
    def _queue(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(self._stream.handle)

    def _make(self, function: str, made: ctypes.c_void_p) -> None:
        self._ask(function, self._handle, ctypes.byref(made), self._queue)

    def _set(self, function: str, value: int) -> None:
        self._ask(function, self._options, value, self._queue)

    def _ask(self, function: str, *arguments: Any) -> None:
        status = int(getattr(self._api, function)(*arguments))
        if status:
            name = f"NVJPEG_STATUS_{_STATUS.get(status, status)}"
            raise CudaError(name, f"nvJPEG was asked for a JPEG: {function} answers {name}")
