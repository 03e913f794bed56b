"""One clip, from the moment that asks for it until it is kept: a thread of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from mirante.clips import MP4_CODECS, Cause, Clip
from plugins.clips.encoders import encoder
from plugins.clips.kept import KeptResults, Published
from plugins.clips.mp4 import PlainVideo, VideoError
from plugins.clips.ring import Packet, PacketRing, Stream
from plugins.clips.shown import AHEAD_NS, Hiding, MakeDecoder, ShownVideo
from plugins.clips.sidecar import Sidecar
from plugins.clips.snapshot import Snapshot
from plugins.clips.timeline import DEPTH, Placed, Timeline

LOOK_S = 0.2
SILENT_S = 5.0  # without a packet after its end was due, and a clip ends with what there is
RESULTS_LATE_S = 2.0  # by which results may come behind their images
NICE = 10  # what looks at images goes before what keeps them

log = logging.getLogger(__name__)


class Draft(Protocol):
    """A clip that is written."""

    video: Path
    sidecar: Path

    def keep(self, clip: Clip, jpeg: bytes | None) -> Clip:
        """Make a clip of it; raise a RuntimeError in words where that cannot be."""

    def discard(self) -> None:
        """Leave nothing of it."""


class Video(Protocol):
    """A file that packets are written to."""

    is_shown: bool

    @property
    def frames(self) -> int:
        """The number of frames written."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""

    def write(self, placed: Placed) -> None:
        """Write the next packet."""

    def close(self) -> None:
        """Finish the file."""

    def abort(self) -> None:
        """Leave the file as it is."""


@dataclass(frozen=True)
class Sources:
    """The sources of a camera's clips.

    Attributes:
        ring: its encoded images.
        results: what was found in them.
        blur: classes that are made unrecognisable.
        is_altered: it shows its images otherwise than they come: turned, cut, painted, blurred.
        decoder: makes what decodes its images as it shows them.
    """

    ring: PacketRing
    results: KeptResults
    blur: Sequence[str]
    is_altered: bool
    decoder: MakeDecoder

    def check(self) -> None:
        """Check that clips can show what the camera shows.

        Raises:
            VideoError: nothing here encodes them.
        """
        packet = self.ring.newest
        if packet is not None and not self.is_plain(packet.stream) and encoder() is None:
            raise VideoError(
                "its images must be encoded again, to show what the camera shows, and nothing here "
                "encodes H.264: install gstreamer1.0-plugins-bad"
            )

    def is_plain(self, stream: Stream) -> bool:
        """Return whether clips of a stream are the camera's own images."""
        is_turned = stream.orientation not in {"", "rotate-0"}
        return stream.media in MP4_CODECS and not (self.is_altered or is_turned)


@dataclass
class Recording:
    """A clip that is recorded. The attributes that change do so under its recorder's lock.

    Attributes:
        camera: its name.
        id: of the clip.
        sources: what it is made of.
        begin: makes the draft that it is written to; raises a RuntimeError in words.
        begin_ns: Unix time of capture at which it is to begin.
        end_ns: Unix time of capture at which it is to end.
        causes: why it is made.
        is_open: it can still be extended.
        on_end: called when it is over, with whether it was kept.
        draft: where it is written; None before it is prepared.
    """

    camera: str
    id: str
    sources: Sources
    begin: Callable[[], Draft]
    begin_ns: int
    end_ns: int
    causes: list[Cause]
    on_end: Callable[[Recording, bool], None]
    lock: threading.Lock
    is_open: bool = True
    draft: Draft | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def prepare(self) -> Draft:
        """Make the draft. It may wait for a disk, or a trial of encoders.

        Raises:
            RuntimeError: no clip can be kept; in words.
        """
        if self.draft is None:
            self.sources.check()
            self.draft = self.begin()
        return self.draft

    def start(self) -> None:
        """Begin; return at once."""
        self._thread = threading.Thread(target=self._run, name=f"clip-{self.camera}", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End with what there is; wait for at most ``timeout_s``."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, NICE)  # of this thread, and those that it starts
        work, is_kept = Work(self), False
        try:
            clip = work.record(self.prepare(), self._stop)
            is_kept = True
            log.info("camera %s: clip %s: %.1f s", self.camera, clip.id, clip.ended - clip.began)
        except Exception as error:  # the camera goes on
            work.abort()
            if self.draft is not None:
                self.draft.discard()
            words = str(error) or type(error).__name__
            known = isinstance(error, RuntimeError | OSError)
            log.error("camera %s: no clip %s: %s", self.camera, self.id, words, exc_info=not known)
        finally:
            with self.lock:
                self.is_open = False
            self.on_end(self, is_kept)


class Work:
    """Writes one recording: packets to the video, results beside it.

    Args:
        recording: what is to be made.
    """

    def __init__(self, recording: Recording) -> None:
        self._of, self._from = recording, recording.sources
        self._timeline = Timeline()
        self._packets = self._from.ring.since(recording.begin_ns)
        self._results = 0
        self._hiding = Hiding(self._from.blur)
        self._stream: Stream | None = None
        self._draft: Draft | None = None
        self._video: Video | None = None
        self._sidecar: Sidecar | None = None
        self._tail: list[Packet] = []  # images behind the clip's end, as far as is known
        self._order = (0, 0)
        self._is_reordered = False
        self._waiting: deque[Placed] = deque()
        self._snapshot = Snapshot(recording.causes[0], self._from.blur)
        self._early: list[Published] = []
        self._newest_s, self._newest_ns = time.monotonic(), 0
        self.note = ""

    def record(self, draft: Draft, stop: threading.Event) -> Clip:
        """Write until the end, and keep it.

        Args:
            draft: where to.
            stop: ends it with what there is.

        Raises:
            RuntimeError, OSError: it cannot be kept; in words.
        """
        self._draft = draft
        began_s, began_ns = time.monotonic(), time.time_ns()
        while not self._take() and not stop.is_set():
            due_s = began_s + (self._end_ns() - began_ns) / 1e9
            if time.monotonic() - max(due_s, self._newest_s) > SILENT_S:
                self.note = "the camera gave no more images"
                break
            stop.wait(LOOK_S)
        with self._of.lock:
            self._of.is_open = False
        for placed in self._timeline.end():
            self._place(placed)
        self._write()
        self._await_results(stop)
        self._write(everything=True)
        return self._finish()

    def abort(self) -> None:
        """Let go of what is open."""
        if self._video is not None:
            self._video.abort()
        if self._sidecar is not None:
            with suppress(OSError):
                self._sidecar.close()

    def _end_ns(self) -> int:
        with self._of.lock:
            return self._of.end_ns

    def _take(self) -> bool:
        """Take what has come; return whether the end has."""
        due = self._packets
        packets, self._packets = self._from.ring.after(due)
        if self._stream is not None and self._packets - len(packets) > due:
            self.note = "images are missing in it: the disk was slower than clips.max_mib allows"
        if packets:
            self._newest_s, self._newest_ns = time.monotonic(), packets[-1].captured_ns
        end_ns = self._end_ns()
        is_over = False
        for packet in packets:
            if is_over := self._add(packet):
                break
        last = max((n for n, p in enumerate(self._tail, 1) if p.captured_ns <= end_ns), default=0)
        for packet in self._tail[:last]:
            for placed in self._timeline.put(packet):
                self._place(placed)
        del self._tail[:last]
        self._take_results()
        self._write()
        return is_over or self._is_behind()

    def _add(self, packet: Packet) -> bool:
        """Take a packet of the clip's stream, from a key frame on; return whether it is of another
        one.
        """
        if self._stream is None and not packet.is_key:
            return False
        self._stream = self._stream or packet.stream
        if packet.stream != self._stream:
            self.note = "the stream changed"
            return True
        self._is_reordered |= packet.order < self._order
        self._order = packet.order
        self._tail.append(packet)
        return False

    def _is_behind(self) -> bool:
        """Return whether no image before the clip's end can come any more."""
        tail = self._tail
        enough = DEPTH if self._is_reordered else 1
        return len(tail) >= enough or any(packet.is_key for packet in tail[1:])

    def _place(self, placed: Placed) -> None:
        self._waiting.append(placed)
        self._snapshot.place(placed)

    def _take_results(self) -> None:
        results, self._results = self._from.results.after(self._results)
        self._hiding.know(results)
        self._early += results
        for result in results:
            self._snapshot.hear(result)
        if self._sidecar is None:
            return
        began_ns, shown_ns = self._timeline.began_ns, self._timeline.shown_ns
        known_ns = self._newest_ns - round(RESULTS_LATE_S * 1e9)
        for result in self._early:
            if began_ns <= result.captured_ns <= shown_ns:
                self._sidecar.put(result)
                self._snapshot.look(result)
                known_ns = max(known_ns, result.captured_ns)
        self._snapshot.settle(known_ns)
        self._early = [r for r in self._early if r.captured_ns > shown_ns]

    def _await_results(self, stop: threading.Event) -> None:
        """Wait for the results of the last images."""
        until_s = time.monotonic() + RESULTS_LATE_S
        last_ns = self._timeline.shown_ns
        while self._from.results.newest_ns < last_ns and time.monotonic() < until_s:
            if stop.wait(LOOK_S):
                break
        self._take_results()

    def _write(self, everything: bool = False) -> None:
        """Write the images whose results are known, as far as they need any."""
        if not self._waiting:
            return
        if self._video is None:
            self._open()
        assert self._video is not None
        known_ns = self._from.results.newest_ns - AHEAD_NS
        late_ns = self._newest_ns - round(RESULTS_LATE_S * 1e9) - AHEAD_NS
        until_ns = max(known_ns, late_ns)
        while self._waiting:
            is_known = not self._from.blur or self._waiting[0].packet.captured_ns <= until_ns
            if not (everything or is_known):
                return
            self._video.write(self._waiting.popleft())

    def _open(self) -> None:
        assert self._stream is not None
        assert self._draft is not None
        of, draft, began_ns = self._of, self._draft, self._timeline.began_ns
        self._sidecar = Sidecar(draft.sidecar, of.camera, of.id, began_ns, of.causes)
        if self._from.is_plain(self._stream):
            self._video = PlainVideo(draft.video, self._stream.caps)
        else:
            decoder = self._from.decoder(self._stream)
            self._video = ShownVideo(draft.video, decoder, self._hiding, began_ns)

    def _finish(self) -> Clip:
        if not (self._video and self._sidecar and self._stream and self._draft):
            raise VideoError(self._why_empty())
        self._video.close()
        self._sidecar.close()
        began_ns = self._timeline.began_ns
        missing_s = (began_ns - self._of.begin_ns) / 1e9
        if missing_s > 0.5 and not self.note:
            self.note = f"it begins {missing_s:.1f} s late: no more was in memory"
        codec = MP4_CODECS[self._stream.media] if not self._video.is_shown else "h264"
        with self._of.lock:
            causes = list(self._of.causes)
        clip = Clip(
            id=self._of.id,
            camera=self._of.camera,
            began=began_ns / 1e9,
            ended=self._timeline.shown_ns / 1e9,
            causes=causes,
            codec=codec,
            size=self._video.size,
            frames=self._video.frames,
            is_shown=self._video.is_shown,
            note=self.note,
        )
        return self._draft.keep(clip, self._jpeg())

    def _why_empty(self) -> str:
        newest = self._from.ring.newest
        if newest is None or newest.captured_ns < self._of.begin_ns:
            return "the camera gave no images"
        return (
            "the camera gave no key frame in its time, and the last one before it is no longer in "
            "memory: give the camera a shorter key frame interval, or clips.max_mib more"
        )

    def _jpeg(self) -> bytes | None:
        """Return the image of the best moment, as the camera shows it; None where there is none."""
        assert self._stream is not None
        try:
            decoder = self._from.decoder(self._stream)
            return self._snapshot.jpeg(decoder, self._timeline.began_ns)
        except VideoError as error:
            log.warning("camera %s: clip %s has no image: %s", self._of.camera, self._of.id, error)
            return None
