"""One frame of a clip, as a camera's graph shows it, in a process of its own.

``pipeline.cameras.clip_frame`` starts it. It reads what is wanted as JSON from standard input and
writes the frame as .npy, or why there is none.
"""

from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path
from typing import Any

import gi
import msgspec
import numpy as np
from numpy.typing import NDArray

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

from pipeline.cameras.clip_frame import NO_CLIP, NO_FRAME, Wanted
from pipeline.cameras.graph import camera_graph
from pipeline.config.camera import Camera, CameraOptions
from pipeline.gst.decoding import Decoding
from pipeline.gst.formats import guard_formats
from pipeline.gst.mp4_range import leave_range_open
from pipeline.gst.view import follow_view
from plugins.bindings import structure_of
from plugins.elements import factory
from plugins.frame import Frame

_read_wanted = msgspec.json.Decoder(Wanted)
Gst.init(None)
for name in (
    "mirsurface",
    "mirrgb",
    "mirblackout",
):  # not all elements: a model's take half a second to load
    Gst.Element.register(None, *factory(name))

TIMEOUT_S = 60  # without a frame
LARGEST = {"width": 7680, "height": 4320}

_OUT = "appsink name=out caps=video/x-raw,format=RGB sync=false"


def shown_frame(path: Path, number: int, options: CameraOptions) -> NDArray[np.uint8]:
    """A frame of a clip: (height, width, 3) uint8 RGB, not scaled, turned, cut and painted.

    Args:
        path: the clip.
        number: of the frame, from 0; those before it are decoded too.
        options: the camera's.

    Raises:
        ValueError: there is no frame of that number.
        OSError: GStreamer cannot read the clip.
    """
    ways = options.model_dump(exclude={"stages", "fps", "loop", "keyframes_only", "preview"})
    source = {"url": f"file:{path.resolve()}", "pace": "every_frame"}
    spec = Camera.model_validate(ways | source | LARGEST)
    try:
        pipeline = Gst.parse_launch(camera_graph("once", spec, _OUT))
    except GLib.Error as error:
        raise OSError(f"{path}: {error.message}") from None
    follow_view(pipeline, spec)
    leave_range_open(pipeline)
    decoding = Decoding(spec.decode)
    decoding.install(pipeline.get_by_name("decode"))
    pipeline.connect("deep-element-added", lambda _pipeline, _bin, each: guard_formats(each))
    passed = _skip(pipeline.get_by_name("newest").get_static_pad("sink"), number)
    pipeline.set_state(Gst.State.PLAYING)
    try:
        sample, words = _first(pipeline)
        if sample is not None:
            return _pixels(sample)
    finally:
        pipeline.set_state(Gst.State.NULL)
    if 0 < passed[0] <= number:
        raise ValueError(f"frame: {number}; expected 0 to {passed[0] - 1}, as {path} has")
    words = decoding.refusal or words or "it has no frame"
    raise OSError(f"{path}: expected a clip that GStreamer can read: {words}")


def _first(pipeline: Any) -> tuple[Any, str]:
    """The first frame that comes out, or None and why none does; no words at the end."""
    out, bus = pipeline.get_by_name("out"), pipeline.get_bus()
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        if (sample := out.emit("try-pull-sample", Gst.SECOND // 20)) is not None:
            return sample, ""
        if (message := bus.timed_pop_filtered(0, Gst.MessageType.ERROR)) is not None:
            return None, message.parse_error()[0].message
        if out.get_property("eos"):
            return None, ""
    return None, f"no frame came within {TIMEOUT_S} s"


def _skip(pad: Any, frames: int) -> list[int]:
    """Let the first frames of a pad go nowhere; return how many came, counted on."""
    came = [0]

    def on_frame(_pad: Any, _info: Any) -> Any:
        came[0] += 1
        return Gst.PadProbeReturn.DROP if came[0] <= frames else Gst.PadProbeReturn.OK

    pad.add_probe(Gst.PadProbeType.BUFFER, on_frame)
    return came


def _pixels(sample: Any) -> NDArray[np.uint8]:
    shape, buffer = structure_of(sample.get_caps()), sample.get_buffer()
    width, height = shape.get_value("width"), shape.get_value("height")
    with buffer.map(Gst.MapFlags.READ) as mapped:
        stride = (width * 3 + 3) // 4 * 4
        return Frame.of_rows(mapped.data, (width, height), stride).pixels.copy()


def main() -> None:
    """Reads what is wanted from standard input and writes the frame to standard output."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print does not belong into the answer
    wanted = _read_wanted.decode(sys.stdin.buffer.read())
    options = CameraOptions.model_validate(wanted.options)
    status = 0
    with answer:
        try:
            np.save(frame := io.BytesIO(), shown_frame(Path(wanted.path), wanted.number, options))
            answer.write(frame.getbuffer())
        except (ValueError, OSError) as error:
            answer.write(str(error).encode())
            status = NO_FRAME if isinstance(error, ValueError) else NO_CLIP
    sys.exit(status)


if __name__ == "__main__":
    main()
