"""The result of one frame: when and where, what was found, and what was lost before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mirante.detections import Detections
from mirante.events import Event, EventKind
from mirante.lanes import Lanes
from mirante.mask import Mask
from mirante.zones import ZoneCounts

TsSource = Literal["rtcp", "arrival"]
_NOTHING = Detections.empty()  # one for all frames: nobody can change it


@dataclass(frozen=True, slots=True)
class Counts:
    """A camera's account as of one frame: every frame decoded so far is in exactly one of these.

    ``decoded == published + sum(dropped.values()) + failed`` always holds.

    Attributes:
        decoded: frames that left the video decoder, this one included.
        published: frames whose results were handed on, this one included.
        dropped: frames dropped on purpose, by reason (``rate``, ``queue``, ``outbox``, …).
        failed: frames on which a stage failed, and images that broke off before they were decoded.
        damaged: of the decoded frames, those that the decoder had to make up in part; each is in
            one of the counters above too.
        skipped: frames that no model looked at before they were published, by reason.
    """

    decoded: int = 0
    published: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    damaged: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """True when the equation holds."""
        return self.decoded == self.published + sum(self.dropped.values()) + self.failed


_SEEN_BEFORE = {"motion", "track", "check", "asked"}  # values of ``looked``


@dataclass(frozen=True, slots=True)
class FrameResult:
    """The results of one frame. Frozen: a stage returns ``dataclasses.replace(result, …)``.

    Attributes:
        camera: the camera's name.
        seq: number of the frame among those decoded since ``epoch``, from 0.
        epoch: Unix time in ms at which this camera's counting began.
        captured_ns: Unix time of capture in ns.
        ts_source: ``rtcp`` when the camera's own clock gave ``captured_ns``, ``arrival`` when it is
            the moment that the frame reached this machine.
        width, height: size of the source frame in pixels.
        detections: objects in source pixels, with their masks, attributes, tracks and key points.
        masks: masks of the whole frame (lanes, road, …); an object's masks are in ``detections``.
        timings: milliseconds per stage of this frame's way, in order.
        counts: the camera's account as of this frame.
        published: the models whose embeddings are written into the frame's message.
        damaged: the decoder made up at least a part of the image: no key frame had come yet, or
            data was lost. What was found in it is no evidence, least of all of where a thing went.
        events: what happened, as far as this frame tells. Those of a frame that is dropped or fails
            later on its way go on with the next one.
        lanes: the lanes of the road as lines; None where no stage looks for them.
        zones: who is in the camera's zones and crossed its lines; None where no stage counts.
        skipped: why no model looked at the frame: ``still``, as nothing moves in it, and what was
            found is that of the last frame that models looked at; ``tracked``, as tracked objects
            alone move, and their boxes are where they are expected; empty where they looked.
        looked: why models looked at the frame of a camera with a gate: ``learning``, ``motion``,
            ``track``, ``check``, ``damaged``, ``format`` or ``asked``; empty without a gate.
        regions: the part of the frame that a model looked at, by its name: left, top, right, bottom
            in source pixels. What it found elsewhere is as in the frame before. Models that looked
            at the whole frame are left out.
    """

    camera: str
    seq: int
    epoch: int
    captured_ns: int
    ts_source: TsSource
    width: int
    height: int
    detections: Detections = _NOTHING
    masks: tuple[Mask, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    published: tuple[str, ...] = ()
    damaged: bool = False
    events: tuple[Event, ...] = ()
    lanes: Lanes | None = None
    zones: ZoneCounts | None = None
    skipped: str = ""
    looked: str = ""
    regions: Mapping[str, tuple[int, int, int, int]] = field(default_factory=dict)

    @property
    def is_watched(self) -> bool:
        """True if a gate has seen all the time since the frame before: it is no gap, however
        long, as nothing moved in it.
        """
        return bool(self.skipped) or self.looked in _SEEN_BEFORE

    @property
    def ts(self) -> float:
        """Unix seconds of capture as messages say them: whole microseconds."""
        return self.captured_ns // 1000 / 1e6

    def new_event(self, kind: EventKind, id: str, **facts: Any) -> Event:
        """Return an event that this frame shows.

        Args:
            kind: what happened.
            id: the same for the same object and cause.
            **facts: other fields of ``Event``.
        """
        return Event(
            id=id,
            camera=self.camera,
            kind=kind,
            ts=self.ts,
            seq=self.seq,
            epoch=self.epoch,
            **facts,
        )

    def all_masks(self) -> Iterator[tuple[int | None, Mask]]:
        """Yield every mask with the index of its object: first those of the frame, with None."""
        for mask in self.masks:
            yield mask.object_index, mask
        for index, masks in enumerate(self.detections.masks):
            for mask in masks:
                yield index, mask
