"""A drawn street behind a gate: what is published of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from gi.repository import Gst

from engines.manifest import ZOO
from mirante.events import Event
from mirante.frame import FrameResult
from plugins.element import give_line
from plugins.ledger import Ledger
from plugins.line import Line
from plugins.memory import Memory
from plugins.outbox.outbox import Outbox

WIDTH, HEIGHT, FPS = 320, 180, 10


class KeptOutbox(Outbox):
    """Keeps the images of events, and who is watched; nothing goes to Redis."""

    def __init__(self) -> None:
        super().__init__("redis://127.0.0.1:1")
        self.images: dict[str, bytes] = {}
        self.is_watched = False
        self.shown: list[int] = []

    def events(
        self,
        camera: str,
        captured_ms: int,
        events: Sequence[Event] = (),
        images: Mapping[str, bytes] | None = None,
        *args: Any,
    ) -> None:
        """Keep the images."""
        self.images |= images or {}

    def preview(self, camera: str, jpeg: bytes, header: dict[str, Any]) -> None:
        """Keep the number of a frame that is shown."""
        self.shown.append(header["seq"])

    def watched(self, camera: str) -> bool:
        """As the test says."""
        return self.is_watched


def infer_small(folder: Path) -> str:
    """Return an element with test-boxes for an image of the street's own size, a quarter of what
    that model sees: its cost is that of the pixels.
    """
    text = (ZOO / "test-boxes.yaml").read_text(encoding="utf-8")
    small = text.replace("size: [640, 360]", f"size: [{WIDTH}, {HEIGHT}]")
    assert small != text
    (folder / "test-boxes.yaml").write_text(small, encoding="utf-8")
    shutil.copy(ZOO / "test-boxes.onnx", folder)
    return f"mirinfer model={folder}/test-boxes.yaml threads=1"


def pictures(seconds: float, leaves_s: float, also_s: float) -> Iterator[bytes]:
    """A red car on a grey street comes at 3 s, stands from 5 s on and leaves; a green one comes."""
    random = np.random.default_rng(1)
    street = cv2.GaussianBlur(random.uniform(0, 255, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 2)
    grain = random.normal(0, 2, (16, *street.shape)).astype(np.float32)
    for number in range(int(seconds * FPS)):
        at_s = number / FPS
        grey = street + np.roll(grain[number % 16], random.integers(0, HEIGHT, 2), (0, 1))
        rgb = np.repeat(np.clip(grey, 0, 255)[:, :, None], 3, 2).astype(np.uint8)
        if at_s >= 3:
            left = int(min(at_s - 3, 2) * 60 + max(at_s - leaves_s, 0) * 90)
            rgb[60:110, left : left + 80] = (255, 0, 0)
        if at_s >= also_s:
            rgb[10:40, 250:300] = (0, 255, 0)
        yield cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).tobytes()


def run(
    stages: str,
    seconds: float,
    leaves_s: float,
    outbox: Outbox,
    memory: Memory | None = None,
    gate_keys: str = "",
    also_s: float = 99,
    called_s: float = 0,
) -> list[FrameResult]:
    """Return what is published of a camera, whose time is that of the images."""
    published: list[FrameResult] = []
    line = Line(Ledger("gate", published.append), outbox, memory=memory or Memory())
    line.calm.call(called_s)
    caps = f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1"
    pipeline = Gst.parse_launch(
        f"appsrc name=source format=time block=true max-buffers=4 caps={caps} "
        f"! mirgate name=gate {gate_keys} ! mirrgb ! video/x-raw,format=RGB ! {stages} ! mirpublish"
    )
    give_line(pipeline, line)

    def on_frame(_pad: Any, info: Any) -> Any:
        pts = info.get_buffer().pts
        line.ledger.decoded(pts, 10**18 + pts, "rtcp", (WIDTH, HEIGHT))
        line.ledger.admitted(pts)
        line.ledger.taken(pts)
        return Gst.PadProbeReturn.OK

    gate = pipeline.get_by_name("gate").get_static_pad("sink")
    gate.add_probe(Gst.PadProbeType.BUFFER, on_frame)
    pipeline.set_state(Gst.State.PLAYING)
    source = pipeline.get_by_name("source")
    for number, image in enumerate(pictures(seconds, leaves_s, also_s)):
        buffer = Gst.Buffer.new_wrapped(image)
        buffer.pts = number * 10**9 // FPS
        source.emit("push-buffer", buffer)
    source.emit("end-of-stream")
    wanted = Gst.MessageType.EOS | Gst.MessageType.ERROR
    message = pipeline.get_bus().timed_pop_filtered(60 * Gst.SECOND, wanted)
    pipeline.set_state(Gst.State.NULL)
    assert message is not None
    assert message.type == Gst.MessageType.EOS, message.parse_error()
    return published
