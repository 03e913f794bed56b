"""A zone that is proposed lies where objects were, and is one that may be counted."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from mirante.frame import FrameResult
from mirante.trails import Moment, Trail, write_trail
from mirante.zones.geometry import Polygons
from mirante.zones.propose import CORNERS, Proposal, Seen
from mirante.zones.rules import Zone
from mirante.zones.scale import WHOLE, Edges
from tests.support.walks import frame, walk

PAVEMENT, BENCH = (0.5, 300 / 360), (500 / 640, 120 / 360)


def proposed(
    frames: Iterable[FrameResult],
    classes: tuple[str, ...] = (),
    area: Edges = WHOLE,
    *,
    standing: bool = False,
) -> Proposal:
    seen = Seen("gate", classes, standing=standing, area=area)
    for each in frames:
        assert each.detections.track_id is not None
        moment = Moment.of(each, each.detections.track_id)
        seen.take([write_trail(Trail.of([moment]))])
    return seen.propose()


def holds(proposal: Proposal, place: tuple[float, float]) -> bool:
    assert proposal.polygon is not None
    return bool(Polygons([np.array(proposal.polygon)]).contain(np.array([place]))[0, 0])


@pytest.fixture(scope="module")
def street() -> list[FrameResult]:
    """Five people walk along the pavement; one sits on a bench for longer than all of them."""
    walks = [walk(np.linspace(20, 620, 61).tolist(), 10, 10 * n, n + 1) for n in range(5)]
    sits = [frame(60 + n / 5, {50: (500, 120)}, still=[True]) for n in range(500)]
    return [each for one in walks for each in one] + sits


def test_where_objects_pass_each_counts_once(street: list[FrameResult]) -> None:
    found = proposed(street)
    assert holds(found, PAVEMENT)
    assert not holds(found, BENCH)
    assert (found.labels, found.tracks, found.inside) == ({"person": 6}, 6, 5)


def test_where_objects_stand(street: list[FrameResult]) -> None:
    found = proposed(street, standing=True)
    assert holds(found, BENCH)
    assert not holds(found, PAVEMENT)
    assert (found.tracks, found.inside) == (1, 1)


def test_other_classes_are_left_out(street: list[FrameResult]) -> None:
    found = proposed(street, ("car",))
    assert (found.polygon, found.tracks, found.frames) == (None, 0, len(street))
    cars = [frame(200 + n, {60 + n: (100, 200)}, "car") for n in range(3)]
    assert proposed([*street, *cars], ("car", "bus")).labels == {"car": 3}


def test_coordinates_are_of_the_whole_image(street: list[FrameResult]) -> None:
    found = proposed(street, area=(0.5, 0.0, 1.0, 0.5))
    assert holds(found, (0.75, PAVEMENT[1] / 2))
    assert not holds(found, PAVEMENT)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_was_seen_makes_a_zone(seed: int) -> None:
    """Also of objects at and beyond the edges of the image."""
    random = np.random.default_rng(seed)
    places = random.normal(random.uniform(0, 640, 2), random.uniform(1, 200), (60, 2))
    found = proposed(frame(n / 5, {n // 7: (x, y)}) for n, (x, y) in enumerate(places.tolist()))
    assert found.polygon is not None
    assert 3 <= len(Zone(polygon=found.polygon).polygon) <= CORNERS
    corners = np.array(found.polygon)
    assert ((corners >= 0) & (corners <= 1)).all()
    along = np.roll(corners, -1, 0) - corners
    turns = along[:, 0] * np.roll(along, -1, 0)[:, 1] - along[:, 1] * np.roll(along, -1, 0)[:, 0]
    assert (turns > 0).all(), "convex, so that no edges cross"
