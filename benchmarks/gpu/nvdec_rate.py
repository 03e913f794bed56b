"""Frames a second of decoders that take one access unit after the other, each on a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

_FIRST_FRAME_S = 15.0
_LOOK_S = 0.01


def decode_units(
    open_decoder: Callable[[], Any],
    units: Sequence[bytes],
    streams: int,
    seconds: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> float:
    """Return the frames a second of several decoders together, each as fast as it goes.

    Args:
        open_decoder: opens one such as ``plugins.device.nvdec.NvDecoder``.
        units: access units, decoded again and again.
        streams: how many decoders.
        seconds: how long they are counted, once each has given a frame.
        meanwhile: called once while they run.

    Raises:
        RuntimeError: one fails, or gives nothing; what a decoder raised.
    """
    with _Decoding(open_decoder, units, streams) as decoding:
        decoding.await_first()
        began_s, before = time.monotonic(), decoding.frames
        meanwhile()
        decoding.ended.wait(seconds)
        return (decoding.frames - before) / (time.monotonic() - began_s)


class _Decoding:
    """Decoders that run until the end of this context, which raises what one of them raised."""

    def __init__(
        self, open_decoder: Callable[[], Any], units: Sequence[bytes], streams: int
    ) -> None:
        self.ended = threading.Event()
        self._open, self._counts = open_decoder, [0] * streams
        self._units = [np.frombuffer(unit, np.uint8) for unit in units]
        self._errors: list[Exception] = []
        self._threads = [
            threading.Thread(target=self._run, args=(n,), name=f"decode-{n}")
            for n in range(streams)
        ]

    @property
    def frames(self) -> int:
        """So far, of all."""
        return sum(self._counts)

    def await_first(self) -> None:
        """Wait for the first frame of each."""
        until_s = time.monotonic() + _FIRST_FRAME_S
        while min(self._counts) == 0 and not self.ended.wait(_LOOK_S):
            if time.monotonic() > until_s:
                silent = f"{self._counts.count(0)} of {len(self._counts)}"
                raise RuntimeError(f"{silent} gave no frame in {_FIRST_FRAME_S:g} s")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def _run(self, stream: int) -> None:
        try:
            decoder = self._open()
            try:
                while not self.ended.is_set():
                    self._once(decoder, stream)
            finally:
                decoder.close()
        except Exception as error:  # noqa: BLE001 - raised by the thread that measures
            self._errors.append(error)
            self.ended.set()

    def _once(self, decoder: Any, stream: int) -> None:
        for number, unit in enumerate(self._units):
            if self.ended.is_set():
                return
            for surface, _ in decoder.decode(unit.ctypes.data, unit.size, number):
                surface.give_back()
                self._counts[stream] += 1
