"""What a model looks at in each frame, and what is known of the rest of the picture."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from engines.inference import Inference, summed
from engines.model import Model
from engines.placement import Size
from engines.serving import Served
from mirante.detections import Detections
from mirante.frame import FrameResult
from plugins.frame import Area, Frame
from plugins.infer.areas import Boxes, Tiles, region_around
from plugins.infer.seams import Flags, Look, covered, joined, moved, same

WHOLE_S = 2.0  # after which the whole frame is looked at again
_HOLD_S = 0.4  # for which it is looked where something moved: a mask of motion has gaps
_REASONS = frozenset({"motion", "track"})  # of the gate, for which a region will do
_TOUCHED = 0.1  # share of an object in which something moves, from which all of it is looked at


class Looker:
    """Looks at a region around what moves, or at the whole frame and tiles of it.

    What lies outside a region stays as it was. An object that a region showed is not gone just
    because a look at the whole frame misses it: another region is looked at there.

    Args:
        served: the model; all that it finds are boxes.
        tiles: of the frame, looked at beside the whole; None for none.
        has_regions: a region will do where something moves in a small part of the frame.
    """

    def __init__(self, served: Served, tiles: Tiles | None, has_regions: bool) -> None:
        self._served, self._tiles, self._has_regions = served, tiles, has_regions
        self._begin(served.model, (0, 0))

    def _begin(self, model: Model, source: Size) -> None:
        spec = model.manifest.input
        self._model, self._source, self._takes = model, source, spec.frame or spec.size
        self._known = Detections.empty()
        self._is_fine: Flags = np.zeros(0, np.bool_)  # of the known: a close look found it
        self._whole_s = float("-inf")
        self._is_due = False  # a region cut something that is not known whole
        self._stirred: deque[tuple[float, Boxes]] = deque()
        self._timings: Mapping[str, float] = {}

    def look(self, frame: Frame, result: FrameResult) -> tuple[Model, Inference, Area | None]:
        """Return the model, what is there, and the region that it looked at; None for all.

        Arguments and errors as of a stage, and those of ``Frame.crop``.
        """
        model, source = self._served.model, (result.width, result.height)
        if model is not self._model or source != self._source:
            self._begin(model, source)
        self._timings = {}
        at_s = result.captured_ns / 1e9
        area = self._region(frame, result, at_s)
        if area is not None:
            self._look_at_region(frame, area)
            found = self._known
        elif result.damaged:  # no evidence of what comes
            found = self._whole(frame)
        else:
            self._look_at_all(frame)
            self._whole_s, self._is_due = at_s, False
            found = self._known
        return model, Inference(found, timings=self._timings), area

    def _region(self, frame: Frame, result: FrameResult, at_s: float) -> Area | None:
        if not self._has_regions or result.damaged:
            return None
        boxes = self._moving(frame, at_s)
        is_whole_due = self._is_due or not 0 <= at_s - self._whole_s < WHOLE_S
        if is_whole_due or result.looked not in _REASONS or not len(boxes):
            return None
        return region_around(boxes, self._source, self._takes)

    def _moving(self, frame: Frame, at_s: float) -> Boxes:
        """Return where something moves or did a moment ago, and the objects that it moves in.

        At low rates nothing moves any more where an object was in the last look, so that is looked
        at too: else it would stay there, beside itself.
        """
        self._stirred.append((at_s, frame.moving() * np.array(self._source * 2, np.float32)))
        while len(self._stirred) > 2 and not 0 <= at_s - self._stirred[0][0] <= _HOLD_S:
            self._stirred.popleft()
        boxes = np.concatenate([each for _, each in self._stirred])
        known = self._known.xyxy
        if not len(boxes) or not len(known):
            return boxes
        touched = covered(known, boxes).max(axis=1) >= _TOUCHED
        return np.concatenate([boxes, known[touched]])

    def _look_at_region(self, frame: Frame, area: Area) -> None:
        look = self._at(frame, area)
        held = look.holds(self._known.xyxy, self._source)
        kept = self._known.select(~held)
        cut, had = look.cut(self._source), self._matches(look, kept)
        self._is_due = bool((cut & ~had).any())
        new = look.found.select(~cut & ~had)
        self._known = kept.merge(new)
        self._is_fine = np.concatenate([self._is_fine[~held], np.ones(len(new), np.bool_)])

    def _look_at_all(self, frame: Frame) -> None:
        tiles = self._tiles.areas(self._source, self._takes) if self._tiles else []
        found = self._whole(frame)
        if tiles:
            looks = [self._at(frame, area) for area in tiles]
            found = joined([*looks, Look(self._all, found)], self._source)
        fine = self._known.select(self._is_fine)
        if not len(fine) or tiles:
            self._known, self._is_fine = found, np.zeros(len(found), np.bool_)
            return
        here = Look(self._all, found)
        unseen = ~self._matches(Look(self._all, fine), found)
        seen, missing = fine.select(~unseen), fine.select(unseen)
        if len(missing) and (area := self._region_of_first(missing)) is not None:
            look = self._at(frame, area)
            missing = missing.select(~look.holds(missing.xyxy, self._source))
            look = Look(area, look.found.select(~look.cut(self._source)))
            look = Look(area, look.found.select(~self._matches(look, missing)))
            seen, found = seen.merge(look.found), joined([look, here], self._source)
        else:
            missing = missing.select([])
        is_fine = self._matches(Look(self._all, found), seen)
        self._known = missing.merge(found)
        self._is_fine = np.concatenate([np.ones(len(missing), np.bool_), is_fine])

    def _region_of_first(self, missing: Detections) -> Area | None:
        """Return a region with all of them, or with the one that was looked at longest ago."""
        area = region_around(missing.xyxy, self._source, self._takes)
        return area or region_around(missing.xyxy[:1], self._source, self._takes)

    def _matches(self, look: Look, others: Detections) -> Flags:
        """Return which boxes of a look are among others that are whole: (n,)."""
        if not len(look.found) or not len(others):
            return np.zeros(len(look.found), np.bool_)
        return np.asarray(same(look, Look(self._all, others), self._source).any(axis=1))

    @property
    def _all(self) -> Area:
        return 0, 0, *self._source

    def _whole(self, frame: Frame) -> Detections:
        return self._run(frame, None, self._source)

    def _at(self, frame: Frame, area: Area) -> Look:
        left, top, right, bottom = area
        found = self._run(frame, area, (right - left, bottom - top))
        return Look(area, moved(found, left, top))

    def _run(self, frame: Frame, area: Area | None, size: Size) -> Detections:
        rgb = frame if area is None else frame.crop(area, self._source)
        found = self._served.run(rgb, size, Detections.empty(), self._model)[1]
        self._timings = summed(self._timings, found.timings)
        return found.detections
