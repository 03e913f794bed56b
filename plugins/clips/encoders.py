"""The encoder of H.264 on this machine: in hardware where that works, else OpenH264."""

from __future__ import annotations

from functools import cache

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst

Gst.init(None)

# Of none is a licence worse than BSD: x264enc is GPL. {kbit} stands for the rate in kbit/s.
_ENCODERS = (
    "nvh264enc bitrate={kbit} gop-size=50",
    "vah264enc bitrate={kbit} key-int-max=50",
    "vah264lpenc bitrate={kbit} key-int-max=50",
    "v4l2h264enc",
    "openh264enc rate-control=bitrate bitrate={kbit}000 gop-size=50 complexity=low multi-thread=1 "
    "background-detection=false",  # which leaves what has moved on standing where it was
)
BITS_PER_PIXEL = 0.12
FPS = 25
_TRIAL = (
    "videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! "
    "videoconvert ! {encoder} ! h264parse ! fakesink"
)
TRIAL_S = 5.0


@cache
def encoder() -> str | None:
    """Return the launch text of the first encoder that works in a trial, with ``{kbit}`` in it;
    None where none does. The trial is done once.
    """
    return next((text for text in _ENCODERS if _works(text)), None)


def encoder_for(width: int, height: int) -> str:
    """Return the launch text of the encoder for images of a size.

    Raises:
        LookupError: there is none.
    """
    text = encoder()
    if text is None:
        raise LookupError("nothing here encodes H.264: install gstreamer1.0-plugins-bad (openh264)")
    return text.format(kbit=max(200, round(width * height * FPS * BITS_PER_PIXEL / 1000)))


def _works(text: str) -> bool:
    if Gst.ElementFactory.find(text.partition(" ")[0]) is None:
        return False
    try:
        pipeline = Gst.parse_launch(_TRIAL.format(encoder=text.format(kbit=500)))
    except GLib.Error:
        return False
    pipeline.set_state(Gst.State.PLAYING)
    endings = Gst.MessageType.ERROR | Gst.MessageType.EOS
    message = pipeline.get_bus().timed_pop_filtered(int(TRIAL_S * Gst.SECOND), endings)
    pipeline.set_state(Gst.State.NULL)
    return message is not None and message.type == Gst.MessageType.EOS
