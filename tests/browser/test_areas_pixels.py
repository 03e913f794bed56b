"""Zones, lines, lanes, trails and what stands still, drawn at the right pixels of a canvas."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

# The brightest channel of each place, on a black image of 64 x 36 drawn ten times as large.
_DRAWN = """async ({ messages, areas, layers, places }) => {
  const { drawFrame } = await import("/static/lib/draw.js");
  const { Trails } = await import("/static/lib/trails.js");
  const bitmap = new OffscreenCanvas(64, 36), canvas = new OffscreenCanvas(640, 360);
  const trails = new Trails();
  bitmap.getContext("2d").fillRect(0, 0, 64, 36);
  for (const message of messages) trails.take(message);
  const on = { masks: true, boxes: true, points: true, trails: true, areas: true, lanes: true };
  const shown = { ...on, labels: false, ...layers, hidden: new Set(layers.hidden) };
  const message = messages.at(-1);
  drawFrame(canvas, { bitmap, masks: [], message }, shown, { areas, trails });
  const { data } = canvas.getContext("2d").getImageData(0, 0, 640, 360);
  return places.map(([x, y]) => Math.max(...data.slice((y * 640 + x) * 4, (y * 640 + x) * 4 + 3)));
}"""
AREAS = {
    "zones": {"door": {"polygon": [[0.1, 0.2], [0.4, 0.2], [0.4, 0.8], [0.1, 0.8]]}},
    "lines": {"gate": {"from": [0.6, 0.5], "to": [0.9, 0.5]}},
}


def message(ts: float, left: float, **more: Any) -> dict[str, Any]:
    """A frame of one object, which is 4 x 4 pixels and stands on row 30."""
    still = more.pop("still", False)
    found = {"label": "person", "class_id": 0, "score": 1, "bbox": [left, 26, 4, 4], "track_id": 7}
    return {
        "epoch": 1,
        "ts": ts,
        "size": [64, 36],
        "objects": [found | ({"still": True} if still else {})],
        **more,
    }


@pytest.fixture
def page(scripts: Page) -> Page:
    return scripts


def drawn(page: Page, messages: list[dict[str, Any]], *places: tuple[int, int], **more: Any) -> Any:
    """The brightness of places on the canvas."""
    asked: dict[str, Any] = {"messages": messages, "areas": None, "layers": {}, "places": places}
    return page.evaluate(_DRAWN, asked | more)


def test_a_zone_is_an_outline_over_a_tint_that_is_stronger_with_somebody_inside(
    page: Page,
) -> None:
    places = (64, 180), (160, 180), (300, 180)  # on its edge, in it, beside it
    empty = drawn(page, [message(1, 50)], *places, areas=AREAS)
    busy = [message(1, 50, zones={"door": {"inside": 2, "entered": 3, "left": 1}})]
    occupied = drawn(page, busy, *places, areas=AREAS)
    assert empty[0] > 150
    assert 0 < empty[1] < occupied[1] < 80
    assert empty[2] == occupied[2] == 0
    off = drawn(page, busy, *places, areas=AREAS, layers={"areas": False})
    assert off == [0, 0, 0]


def test_the_arrow_of_a_line_points_to_its_right(page: Page) -> None:
    """As seen from its start: down, for a line drawn from left to right."""
    on, below, above = drawn(page, [message(1, 2)], (420, 180), (480, 190), (480, 170), areas=AREAS)
    assert on > 150
    assert below > 150
    assert above == 0


def test_a_trail_lies_where_the_object_stood_and_fades(page: Page) -> None:
    way = [message(1 + n / 2, 4 + 6 * n) for n in range(8)]
    old, new, beside = (100, 300), (440, 300), (300, 200)
    faint, strong, nothing = drawn(page, way, old, new, beside)
    assert 0 < faint < strong
    assert nothing == 0
    assert drawn(page, way, old, new, layers={"trails": False}) == [0, 0]
    assert drawn(page, way, old, new, layers={"hidden": ["person"]}) == [0, 0]
    anew = {**way[-1], "epoch": 2}  # the camera counts from the beginning again
    assert drawn(page, [*way, anew], old, new) == [0, 0]
    later = message(20, 4 + 6 * 7)  # it was away, or nobody watched
    assert drawn(page, [*way, later], old, new) == [0, 0]


def test_what_stands_still_is_drawn_quietly(page: Page) -> None:
    edge = (300, 280)
    moving, standing = (
        drawn(page, [message(1, 30, still=still)], edge)[0] for still in (False, True)
    )
    assert 0 < standing < moving


def test_lanes_are_lines_over_a_tint_with_the_offset_below(page: Page) -> None:
    left, right, far = [[20, 36], [30, 10]], [[44, 36], [34, 10]], [[60, 36], [38, 10]]
    lines = [
        {"number": number, "confidence": 1, "points": points, "curve": [5, 32, 0, 0]}
        for number, points in ((-1, left), (1, right), (2, far))
    ]
    lanes = {
        "lines": lines,
        "ego": {"offset": 0.1, "curvature": 0, "confidence": 1},
        "drivable": [[[2, 34], [14, 34], [14, 20], [2, 20]]],
    }
    on_line, in_lane, on_far, words, edge = (
        (250, 230),
        (320, 200),
        (490, 230),
        (278, 345),
        (80, 200),
    )
    places = (on_line, in_lane, on_far, words, edge, (600, 100))
    shown = drawn(page, [message(1, 2, lanes=lanes)], *places)
    assert min(shown[0], shown[2]) > 150
    assert shown[4] > 100
    assert 0 < shown[1] < 80
    assert shown[5] == 0
    alone = message(1, 2, lanes={"lines": lines})
    assert drawn(page, [alone], words)[0] != shown[3]
    off = drawn(page, [message(1, 2, lanes=lanes)], *places, layers={"lanes": False})
    assert off == [0] * len(places)
    told = page.evaluate("""async () => {
      const { offsetWords } = await import("/static/lib/lanes.js");
      const all = [[0.104], [-0.2, -0.7], [0.001], [0.001, 0.004]];
      return all.map(([offset, offset_m]) => offsetWords({ offset, offset_m }));
    }""")
    centre = "in the lane's centre"
    assert told == ["10 % right of centre", "0.70 m left of centre", centre, centre]
