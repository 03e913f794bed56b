"""``mirgate``: frames in which nothing moves pass by the models."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

from gi.repository import GObject, Gst, GstBase

from mirante.frame import FrameResult
from plugins.blackout.zones import read_zones
from plugins.colour.thermal import Window
from plugins.element import DECODED, READ, FrameHandler, max_failures, number, pad_templates
from plugins.gate.areas import Box
from plugins.gate.gate import CHECK, DAMAGED, FORMAT, MOTION, STILL, STILL_S, Gate, Presence
from plugins.gate.luma import Luma, SurfaceLuma, luma_of
from plugins.gate.scene import Scene, carried, moving_in, predicted
from plugins.gate.stride import Stride
from plugins.rate import RateLimit
from plugins.skipped import skipped_event
from plugins.track.stage import PART


class MirGate(FrameHandler, GstBase.BaseTransform):  # type: ignore[misc]
    """Looks at the luma of decoded video. A frame in which nothing moves goes on as an event, with
    what was found in the last one; as a buffer too while somebody watches.

    Attributes:
        scene: what of the image counts, and how it is turned; set on the streaming thread.
    """

    __gstmetadata__ = (
        "Mirante gate",
        "Filter/Analyzer/Video",
        "Lets frames in which nothing moves pass by the models",
        "Mirante",
    )
    __gsttemplates__ = pad_templates(DECODED, DECODED)

    still_s = number(
        STILL_S, 86400.0, "Check", "Seconds after which models look although nothing moves"
    )
    skips_still = GObject.Property(
        type=bool,
        default=True,
        nick="Skip still frames",
        blurb="Frames in which nothing moves pass by the models; else models look at them, too",
    )
    quiet_fps = number(
        0.0, 1000.0, "Quiet rate", "Maximum frames a second while nothing moves (0 = all)"
    )
    busy_fps = number(0.0, 1000.0, "Busy rate", "Maximum frames a second otherwise (0 = all)")
    most_tracked = GObject.Property(
        type=GObject.TYPE_UINT,
        minimum=0,
        maximum=1000,
        default=0,
        nick="Most tracked frames",
        blurb="Maximum frames in a row that pass by the models while only tracked objects move, as "
        "expected (0 = none)",
    )
    zones = GObject.Property(
        type=str,
        default="",
        nick="Areas",
        blurb="Polygons in which nothing counts, as those of mirblackout (empty = none)",
    )
    thermal_range = GObject.Property(
        type=str,
        default="",
        nick="Thermal range",
        blurb="The part of 16-bit grey that counts, as that of mirrgb",
    )
    max_failures = max_failures()

    scene: Scene
    _gate: Gate | None = None
    _luma: Luma | SurfaceLuma | None = None
    _presence: Presence
    _stride: Stride | None = None
    _judged: FrameResult | None = None  # the last look that the stride knows of

    def __init__(self) -> None:
        super().__init__()
        self.set_passthrough(True)
        self.scene = Scene([])

    def prepare(self) -> None:
        """Reads the areas, and what is shown of 16-bit grey."""
        self.scene = Scene(read_zones(self.zones) if self.zones else [])
        self._thermal = Window.of_text(self.thermal_range)
        self._busy = RateLimit(self.busy_fps) if self.busy_fps else None
        self._quiet = RateLimit(self.quiet_fps) if self._has_quiet_rate else self._busy

    @property
    def spares(self) -> bool:
        """Whether models look at fewer frames while nothing new happens."""
        return bool(self.skips_still or self.most_tracked or self._has_quiet_rate)

    @property
    def _has_quiet_rate(self) -> bool:
        return bool(self.quiet_fps) and self.quiet_fps != self.busy_fps

    def do_start(self) -> bool:
        """Called on the way from READY to PAUSED."""
        return self.start()

    def do_set_caps(self, caps: Gst.Caps, _out: Gst.Caps) -> bool:
        """Called when size or format changes: what was learnt is of another image."""
        self.set_passthrough(True)
        self.read_caps(caps)
        viewer = partial(self.line.viewers.of, "stages")
        self._gate, self._luma = None, luma_of(caps, viewer)
        if self._luma is not None:
            self._gate, self._presence = Gate(self.still_s), Presence()
            self._stride = Stride(self.most_tracked) if self.most_tracked else None
            self.scene.window = self._thermal if self._luma.is_counts else None
        self.line.moves = None if self._gate is None else self._moves
        return True

    def _moves(self) -> list[Box]:
        """Return where something moves, else where objects are that are tracked and not still."""
        looked = self.line.looked
        if self._gate is not None and (moving := self._gate.areas()):
            return moving
        is_tracked = looked is not None and looked.detections.track_id is not None
        return moving_in(looked) if is_tracked else []

    def do_transform_ip(self, buffer: Gst.Buffer) -> Gst.FlowReturn:
        """Called for each frame."""
        return self.process(buffer)

    def known(self, key: int) -> FrameResult | None:
        """What is known of a frame that has not reached the first stage yet."""
        return self.ledger.waiting(key)

    def handle(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> bool:
        """Decides whether models look at a frame, and whether there is one at all at this time."""
        began_ns = time.perf_counter_ns()
        reason = self._decide(buffer, key, result)
        is_still = reason == STILL
        is_quiet = self.skips_still and reason in {STILL, CHECK}
        self.line.calm.noted(is_quiet, time.monotonic())
        limit = self._quiet if is_still else self._busy
        if limit is not None and not limit.admits(result.captured_ns):
            self.ledger.drop(key, "rate")
            if is_still and self._quiet is not self._busy:
                self._rest(result)
            return False
        passed = self._passed_over(result, reason)
        looks = passed is None
        if looks and self._gate is not None:
            self._gate.looked(result.captured_ns / 1e9)
        result = passed or replace(result, looked=CHECK if is_still else reason)
        took_ms = (time.perf_counter_ns() - began_ns) / 1e6
        self.ledger.put(key, replace(result, timings={**result.timings, "gate": took_ms}))
        outbox = self.line.carriage.outbox
        if looks or (outbox is not None and outbox.watched(self.ledger.camera)):
            return True
        self.get_static_pad("src").push_event(skipped_event(key))
        return False

    def _decide(self, buffer: Gst.Buffer, key: int, result: FrameResult) -> str:
        if self._gate is None or self._luma is None:
            return FORMAT
        if result.damaged:
            return DAMAGED
        luma = self._luma
        with buffer.map(READ) as mapped:
            thumb = self.scene.thumb(luma.of(buffer, mapped.data), luma.bits, luma.shares)
        at_s, looked = result.captured_ns / 1e9, self.line.looked
        return self._gate.decide(
            thumb,
            at_s,
            moving_in(looked),
            self._is_settled(at_s, result),
            key in self.line.calm.alone,
            float("-inf") if looked is None else looked.captured_ns / 1e9,
            self.line.calm.is_called(time.monotonic()),
        )

    def _passed_over(self, result: FrameResult, reason: str) -> FrameResult | None:
        """Return the result of a frame that no model looks at; None where they do."""
        looked = self.line.looked
        if reason == STILL:
            return carried(result, looked) if self.skips_still else None
        tracker: Any = self.line.memory.find(PART)
        if self._stride is None or self._gate is None or looked is None or tracker is None:
            return None
        at_s = result.captured_ns / 1e9
        if looked is not self._judged:
            self._judged = looked
            self._stride.looked(tracker.outlook, looked.captured_ns / 1e9)
        if reason != MOTION or self.line.calm.is_called(time.monotonic()):
            return None
        ahead = tracker.ahead(result)
        boxes = ahead.xyxy / (result.width, result.height, result.width, result.height)
        if not self._stride.passes(self._gate.moving, boxes.tolist(), at_s):
            return None
        return predicted(result, looked, ahead)

    def _rest(self, result: FrameResult) -> None:
        """Tell tracks that time has passed: no object is missing in a frame that is dropped while
        nothing moves, and the time to the next one is no gap.
        """
        tracker: Any = self.line.memory.find(PART)
        if tracker is not None:
            tracker.rest(result)

    def _is_settled(self, at_s: float, result: FrameResult) -> bool:
        """Return whether each object was in the last frame that was looked at, or does not move."""
        if (looked := self.line.looked) is None:
            return False
        if looked.detections.track_id is None:
            return self._presence.is_settled([label for label, *_ in looked.detections], at_s)
        tracker: Any = self.line.memory.find(PART)
        if tracker is None:
            return True
        watched, size = tracker.unsettled, (result.width, result.height)
        if self._gate is None or watched is None:
            return False
        return not len(watched.xyxy) or self._gate.explains(watched, size, at_s)
