"""Images of a camera's view stream, each sent with the results of the analysed frame nearest in
time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirante.frame import FrameResult, TsSource
from plugins.preview.jpeg import Jpegs

if TYPE_CHECKING:
    from plugins.outbox.outbox import Outbox

WAIT_S = 0.5  # for a result that may be nearer
EARLY_S = 0.1  # results come this much later than the moment that they are of
IMAGES_MOST = 32  # that wait, at 60 a second
RESULTS_MOST = 256
SILENT_NS = 1_000_000_000  # without an image, or three times as long as between the last two
SHAPE_TOLERANCE = 0.02  # of width to height: streams are cut to multiples of 8 or 16 pixels


@dataclass(frozen=True, slots=True)
class Moment:
    """The time of a frame.

    Attributes:
        captured_ns: Unix time of capture in ns.
        ts_source: whose clock that is.
        seen_ns: Unix time in ns at which the frame came here.
    """

    captured_ns: int
    ts_source: TsSource
    seen_ns: int

    def after(self, other: Moment) -> float:
        """Return the seconds from ``other`` to this one: by capture where one kind of clock told
        both, else by when they came here.
        """
        if self.ts_source == other.ts_source:
            return (self.captured_ns - other.captured_ns) / 1e9
        return (self.seen_ns - other.seen_ns) / 1e9


@dataclass(frozen=True, slots=True)
class _Analysed:
    moment: Moment
    seq: int
    epoch: int


@dataclass(frozen=True, slots=True)
class _Waiting:
    moment: Moment
    jpeg: bytes
    size: tuple[int, int]


class ViewImages:
    """The images of one camera that come from its view stream. Safe between threads.

    Only the numbers of analysed frames are kept: their results are on their way already, and
    viewers bring both together by these numbers.

    Args:
        camera: the camera's name.
        outbox: says who watches, and takes the images.
        fps: maximum number of images per second.
        quality: JPEG quality, 1 to 100.
        is_strict: parts of the image are hidden by their place in it, so that nothing is shown
            unless both streams have one shape: the other may show another field of view.
        wall_ns: Unix time in ns.

    Attributes:
        source: width and height of the view stream's frames; None before the first.
        off_ms: milliseconds between the newest image and its results; None before the first.
        refusal: why the view stream is not shown though it runs, in words; else empty.
    """

    def __init__(
        self,
        camera: str,
        outbox: Outbox,
        fps: float,
        quality: int,
        is_strict: bool = False,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.camera = camera
        self.quality = quality
        self.source: tuple[int, int] | None = None
        self.off_ms: float | None = None
        self.refusal = ""
        self._is_strict = is_strict
        self._size: tuple[int, int] | None = None  # of the analysed frames
        self._outbox = outbox
        self._period_ns = round(1e9 / fps)
        self._wall_ns = wall_ns
        self._lock = threading.Lock()
        self._analysed: deque[_Analysed] = deque(maxlen=RESULTS_MOST)
        self._waiting: deque[_Waiting] = deque(maxlen=IMAGES_MOST)
        self._due_ns = 0
        self._is_live = False
        self._newest_ns = (
            0  # when the last frame of the view came, and how long after the one before
        )
        self._interval_ns = 0

    def take_over(self, result: FrameResult) -> bool:
        """Note an analysed frame; return True when viewers get the view stream's images instead of
        its own.
        """
        moment = Moment(result.captured_ns, result.ts_source, self._wall_ns())
        with self._lock:
            self._size = (result.width, result.height)
            self._analysed.append(_Analysed(moment, result.seq, result.epoch))
            silent_ns = moment.seen_ns - self._newest_ns
            is_live = self._is_live and silent_ns <= max(SILENT_NS, 3 * self._interval_ns)
        self._send()
        return is_live

    def show(self, jpegs: Jpegs, frame: FrameResult) -> None:
        """Take a frame of the view stream; sent when somebody watches and the last is old enough.

        Args:
            jpegs: the frame.
            frame: its time and size.
        """
        moment = Moment(frame.captured_ns, frame.ts_source, self._wall_ns())
        self.source = (frame.width, frame.height)
        with self._lock:
            self.refusal = self._refusal(*self.source)
            self._interval_ns = moment.seen_ns - self._newest_ns if self._is_live else 0
            self._newest_ns, self._is_live = moment.seen_ns, not self.refusal
        if not self._is_live:
            return
        if moment.seen_ns >= self._due_ns and self._outbox.watched(self.camera):
            is_late = moment.seen_ns - self._due_ns > self._period_ns
            self._due_ns = (moment.seen_ns if is_late else self._due_ns) + self._period_ns
            image = _Waiting(moment, jpegs.of(self.quality), jpegs.size)
            with self._lock:
                self._waiting.append(image)
        self._send()

    def end(self) -> None:
        """The view stream gives no images: the analysed frames are shown again."""
        with self._lock:
            self._is_live = False
            self._waiting.clear()
        self.source = self.off_ms = None
        self.refusal = ""

    def _refusal(self, width: int, height: int) -> str:
        """Return why frames of a size must not be shown; an empty text where they may."""
        if not self._is_strict:
            return ""
        if self._size is None:
            return "not shown before the shape of the analysed stream is known"
        if abs(width * self._size[1] / (height * self._size[0]) - 1) <= SHAPE_TOLERANCE:
            return ""
        shapes = "{}x{} beside {}x{}".format(width, height, *self._size)
        return (
            f"not shown, as its images have another shape than the analysed ones ({shapes}), and "
            "what mask and crop hide may lie elsewhere in them"
        )

    def _send(self) -> None:
        """Send the images whose nearest analysed frame is known."""
        while True:
            with self._lock:
                paired = self._pair()
            if paired is None:
                return
            image, nearest = paired
            off_s = image.moment.after(nearest.moment)
            self.off_ms = abs(off_s) * 1e3
            header = {
                "camera": self.camera,
                "seq": nearest.seq,
                "epoch": nearest.epoch,
                "ts": image.moment.captured_ns / 1e9,
                "size": image.size,
                "stream": "view",
                "off_ms": round(off_s * 1e3, 1),
            }
            self._outbox.preview(self.camera, image.jpeg, header)

    def _pair(self) -> tuple[_Waiting, _Analysed] | None:
        """Take the oldest image and its nearest frame, unless a nearer one may still come."""
        if not self._waiting or not self._analysed:
            return None
        moment = self._waiting[0].moment
        lag_s = moment.after(self._analysed[-1].moment)
        waited_s = (self._wall_ns() - moment.seen_ns) / 1e9
        if lag_s > 0 and waited_s < min(WAIT_S, lag_s + EARLY_S):
            return None
        nearest = min(self._analysed, key=lambda one: abs(moment.after(one.moment)))
        return self._waiting.popleft(), nearest
