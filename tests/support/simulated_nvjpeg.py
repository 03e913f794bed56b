"""nvJPEG in host memory: OpenCV encodes what is asked for when the stream is waited for."""

from __future__ import annotations

import ctypes
import itertools
from typing import Any

import cv2
import numpy as np

from tests.support.simulated_cuda import SimulatedCuda, Work

RGBI, CSS_420 = 5, 2


class SimulatedNvjpeg:
    """The functions of the library.

    Attributes:
        refuse: statuses that functions answer, by name.
        qualities: of the files made.
    """

    def __init__(self, gpu: SimulatedCuda) -> None:
        self.refuse: dict[str, int] = {}
        self.qualities: list[int] = []
        self._gpu, self._quality, self._file = gpu, 0, b""
        self._open: set[int] = set()
        self._handles = itertools.count(1)

    @property
    def open(self) -> int:
        """How many things are not given back."""
        return len(self._open)

    def nvjpegCreateSimple(self, made: Any) -> int:  # noqa: N802
        return self._make("nvjpegCreateSimple", made)

    def nvjpegEncoderStateCreate(self, _handle: Any, made: Any, _queue: Any) -> int:  # noqa: N802
        return self._make("nvjpegEncoderStateCreate", made)

    def nvjpegEncoderParamsCreate(self, _handle: Any, made: Any, _queue: Any) -> int:  # noqa: N802
        return self._make("nvjpegEncoderParamsCreate", made)

    def nvjpegEncoderParamsSetSamplingFactors(  # noqa: N802
        self, _options: Any, value: int, _queue: Any
    ) -> int:
        assert value == CSS_420
        return 0

    def nvjpegEncoderParamsSetQuality(self, _options: Any, value: int, _queue: Any) -> int:  # noqa: N802
        self._quality = value
        return 0

    def nvjpegEncodeImage(  # noqa: N802
        self,
        handle: Any,
        state: Any,
        options: Any,
        source: Any,
        form: int,
        width: int,
        height: int,
        queue: Any,
    ) -> int:
        assert {handle.value, state.value, options.value} <= self._open
        assert (form, source._obj.pitch[0]) == (RGBI, width * 3)
        if status := self.refuse.get("nvjpegEncodeImage", 0):
            return status
        address, quality = source._obj.channel[0], self._quality

        def encode() -> None:
            rgb = self._gpu.memory(address, width * height * 3).reshape(height, width, 3)
            bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
            _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
            self._file = np.asarray(file).tobytes()
            self.qualities.append(quality)

        self._gpu.enqueue(queue.value, Work(encode, frozenset({address})))
        return 0

    def nvjpegEncodeRetrieveBitstream(  # noqa: N802
        self, _handle: Any, _state: Any, data: Any, length: Any, queue: Any
    ) -> int:
        def hand_out() -> None:
            if data is not None:
                assert length._obj.value >= len(self._file)
                ctypes.memmove(data, self._file, len(self._file))
            length._obj.value = len(self._file)

        self._gpu.enqueue(queue.value, Work(hand_out))
        return 0

    def nvjpegEncoderParamsDestroy(self, made: Any) -> int:  # noqa: N802
        self._open.remove(made.value)
        return 0

    nvjpegEncoderStateDestroy = nvjpegDestroy = nvjpegEncoderParamsDestroy  # noqa: N815

    def _make(self, function: str, made: Any) -> int:
        if status := self.refuse.get(function, 0):
            return status
        made._obj.value = next(self._handles)
        self._open.add(made._obj.value)
        return 0
