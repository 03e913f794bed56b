"""A sink that reads the synthetic camera's frame number from each image and closes the frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gi
import numpy as np

gi.require_version("Gst", "1.0")
gi.require_version("GstBase", "1.0")
from gi.repository import Gst, GstBase

from mirante import FrameResult
from pipeline.cameras.synthetic import read_number
from plugins.bindings import structure_of
from plugins.element import FrameHandler

Gst.init(None)

Frame = tuple[int | None, FrameResult, tuple[int, int]]


@dataclass
class Seen:
    """What came out of one camera: number in the image, result, size of the image."""

    frames: list[Frame] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def numbers(self) -> list[int | None]:
        return [number for number, _, _ in self.frames]

    @property
    def read(self) -> list[int]:
        """The numbers, each of which must have been read."""
        assert None not in self.numbers
        return [number for number in self.numbers if number is not None]

    def wait(self, count: int, timeout_s: float = 60.0) -> None:
        self.wait_until(lambda frames: len(frames) >= count, timeout_s)

    def wait_until(self, wanted: Callable[[list[Frame]], bool], timeout_s: float = 60.0) -> None:
        with self.changed:
            came = self.changed.wait_for(lambda: self.frames and wanted(self.frames), timeout_s)
        assert came, f"only {len(self.frames)} frames came in {timeout_s} s; {self.errors}"


SEEN: dict[str, Seen] = {}


class NumberSink(FrameHandler, GstBase.BaseSink):
    __gstmetadata__ = ("Number sink", "Sink", "Reads the synthetic camera's number", "tests")
    __gsttemplates__ = Gst.PadTemplate.new(
        "sink",
        Gst.PadDirection.SINK,
        Gst.PadPresence.ALWAYS,
        Gst.Caps.from_string("video/x-raw,format=RGB"),
    )

    def __init__(self) -> None:
        super().__init__()
        self.set_sync(False)
        self.size = (0, 0)

    def do_set_caps(self, caps: Any) -> bool:
        shape = structure_of(caps)
        self.size = (shape.get_value("width"), shape.get_value("height"))
        return True

    def do_render(self, buffer: Any) -> Any:
        name = self.get_parent().get_name()
        seen = SEEN[name]
        width, height = self.size
        try:
            with buffer.map(Gst.MapFlags.READ) as mapped:
                rows = np.frombuffer(mapped.data, np.uint8).reshape(height, -1)
                number = read_number(rows[:, : width * 3].reshape(height, width, 3))
            self.line.ledger.get(buffer.pts)  # as the first stage does
            result = self.line.ledger.publish(buffer.pts)
            assert result is not None, f"no open frame with PTS {buffer.pts}"
            with seen.changed:
                seen.times_s.append(time.monotonic())
                seen.frames.append((number, result, self.size))
                seen.changed.notify_all()
        except Exception as error:  # noqa: BLE001
            seen.errors.append(error)
        return Gst.FlowReturn.OK


Gst.Element.register(None, "numbersink", Gst.Rank.NONE, NumberSink)
