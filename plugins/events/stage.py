"""The stage that reports what happened to tracked objects."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import msgspec

from mirante.detections import UNTRACKED
from mirante.events import Event
from mirante.frame import FrameResult
from mirante.zones.counter import UntrackedError
from plugins.carriage import Carriage
from plugins.events.life import BETTER, CANDIDATE, REPORTED, Sight
from plugins.events.lives import Lives
from plugins.events.options import EventsOptions
from plugins.events.pictures import Corners, Pictures, sharpness
from plugins.events.tallies import Tallies
from plugins.frame import Frame
from plugins.memory import Memory

EVENTS, COUNTS = "events", "counts"  # parts of the memory
LOOKS = 8  # at objects, for a better moment, in one frame
_LOOK_US = 200_000  # between two looks for a better moment of one object
_AGAIN = 0.8  # of the best quality is enough where the image of that moment was lost

log = logging.getLogger(__name__)


class EventsStage:
    """Adds events of objects to a frame's, gives all of them images, and counts.

    Events that earlier stages found in frames which were dropped on the way here go on with the
    next frame, so that they have images too. An image that cannot be made keeps no event back.

    Args:
        options: of the stage.
        memory: that of the camera; None for a stage by itself.
        carriage: takes images and counts; None to make none.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        options: EventsOptions | None = None,
        memory: Memory | None = None,
        carriage: Carriage | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options or EventsOptions()
        memory = memory or Memory()
        self._lives = memory.part(EVENTS, Lives)
        self._tallies = memory.part(COUNTS, Tallies)
        self._carriage = carriage
        if carriage is not None:
            carriage.tally = self._tallies
        has_images = self._options.images and carriage is not None
        self._pictures = Pictures(self._options, clock) if has_images else None
        self._looked: dict[int, int] = {}
        self._is_failing = False

    def __call__(self, frame: Frame, result: FrameResult) -> FrameResult:
        """Return the result with what happened.

        Raises:
            UntrackedError: its objects have no tracks.
        """
        began_ns = time.perf_counter_ns()
        found = result.detections
        if self._options.tracked and found.track_id is None and len(found):
            raise UntrackedError(
                "events: the objects have no tracks; expected a track stage (mirtrack) before"
            )
        if self._pictures is not None:
            self._pictures.observe(frame, result)
        events = result.events
        if result.damaged:
            self._tallies.observe(result)
        else:
            sights = self._lives.see(result, self._options)
            new = [self._lives.label_of(sight.life) for sight in sights if sight.is_new]
            self._tallies.observe(result, new)
            events = tuple(self._events(frame, result, sights))
        timings = {**result.timings, EVENTS: (time.perf_counter_ns() - began_ns) / 1e6}
        return replace(result, timings=timings, events=events)

    def _events(
        self, frame: Frame, result: FrameResult, sights: Sequence[Sight]
    ) -> Iterator[Event]:
        """Yield the events of a frame: those of stages before, and of objects."""
        self._look_at(frame, result, sights)
        yield from self._with_images(self._late(frame, result), frame, result)
        for sight in sights:
            if sight.is_new and sight.life.state == REPORTED:
                yield self._with_best(self._lives.appeared(sight, result.camera), sight.track)
        yield from self._with_images(result.events, frame, result)
        for sight in sights:
            changed = self._lives.changed(sight, result.camera, self._options.update_s)
            if changed is not None:
                yield self._with_best(changed, sight.track)
        for track, event in self._lives.gone(result.camera):
            yield self._with_best(event, track)
        for track in self._lives.ended:
            self._lives.images.pop(track, None)
            self._looked.pop(track, None)
        yield from self._with_images(self._lives.silent(result, self._options), frame, result)

    def _late(self, frame: Frame, result: FrameResult) -> Sequence[Event]:
        """Return events of frames that did not come so far. Those of no frame, which wait for one,
        have an image of this one.
        """
        if self._carriage is None:
            return ()
        self._carriage.show(lambda event: self._with_image(event, frame, result))
        return self._carriage.late()

    def _with_images(
        self, events: Iterable[Event], frame: Frame, result: FrameResult
    ) -> Iterator[Event]:
        for event in events:
            yield self._with_image(event, frame, result)

    def _look_at(self, frame: Frame, result: FrameResult, sights: Sequence[Sight]) -> None:
        """Look for better moments of objects."""
        looks = LOOKS
        for sight in sights:
            if looks and sight.life.state != CANDIDATE:
                looks -= self._look(frame, result, sight)

    def _look(self, frame: Frame, result: FrameResult, sight: Sight) -> bool:
        """Keep the moment, and an image of it, if it shows the object better than those before.

        Returns:
            True if the pixels were looked at.
        """
        life, images, pictures = sight.life, self._lives.images, self._pictures
        if pictures is None:
            if sight.quality > BETTER * life.best:
                life.best, life.best_us = sight.quality, life.captured_us
            return False
        has_image = sight.track in images
        limit = life.best * (BETTER if has_image else _AGAIN)
        if sight.quality <= limit or (sight.is_still and has_image) or not pictures.may:
            return False
        if 0 <= life.captured_us - self._looked.get(sight.track, -_LOOK_US) < _LOOK_US:
            return False
        self._looked[sight.track] = life.captured_us
        box = life.box
        quality = round(sight.quality * sharpness(frame, result, box))
        if quality > limit and (jpeg := self._image(frame, result, box)) is not None:
            images[sight.track] = jpeg
            life.best, life.best_us = quality, life.captured_us
        return True

    def _with_best(self, event: Event, track: int) -> Event:
        """Return an event with the best image of its object so far."""
        return self._with(event, self._lives.images.get(track))

    def _with_image(self, event: Event, frame: Frame, result: FrameResult) -> Event:
        """Return another stage's event with an image of this moment, or of its object's best."""
        if self._pictures is None or event.image:
            return event
        track, jpeg = event.track_id, None
        box = None if track is None else _box_of(result, track)
        if (track is None or box is not None) and self._pictures.may:
            jpeg = self._image(frame, result, box)
        elif track is not None:
            jpeg = self._lives.images.get(track)
        return self._with(event, jpeg)

    def _image(self, frame: Frame, result: FrameResult, box: Corners | None) -> bytes | None:
        """Return an image; None, and log it once, where none can be made."""
        assert self._pictures is not None
        try:
            jpeg = self._pictures.of(frame, result, box)
        except Exception:
            if not self._is_failing:
                log.exception("camera %s: no image of an event can be made", result.camera)
            self._is_failing = True
            return None
        self._is_failing = False
        return jpeg

    def _with(self, event: Event, jpeg: bytes | None) -> Event:
        if jpeg is None or self._carriage is None:
            return event
        self._carriage.add_image(event.id, jpeg)
        return msgspec.structs.replace(event, image=True)


def _box_of(result: FrameResult, track: int) -> Corners | None:
    """Return where a frame shows an object; None where it does not."""
    ids = result.detections.track_id
    if ids is None or track == UNTRACKED:
        return None
    rows = (ids == track).nonzero()[0]
    if not len(rows):
        return None
    left, top, right, bottom = result.detections.xyxy[rows[0]].tolist()
    return left, top, right, bottom
