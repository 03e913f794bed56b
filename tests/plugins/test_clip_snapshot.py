"""Which moment of a clip its image shows, and which packets are kept for it."""

from __future__ import annotations

import msgspec
import pytest

from mirante.clips import Cause
from plugins.clips.kept import Published
from plugins.clips.ring import Packet, Stream
from plugins.clips.snapshot import Snapshot
from plugins.clips.timeline import DEPTH, Placed

S = 1_000_000_000
STREAM = Stream("video/x-h264")
SIZE = (1000, 500)


def seen(
    at_s: float, *objects: tuple[int, float, int], left: int = 200, damaged: bool = False
) -> Published:
    """A result: the track, score and width of each object, all of one height."""
    listed = [
        {"track_id": track, "score": score, "bbox": (left, 100, width, 100)}
        for track, score, width in objects
    ]
    said = {"size": SIZE, "objects": listed, "damaged": damaged}
    return Published(round(at_s * S), msgspec.json.encode(said), None)


def snapshot(track_id: int | None = 7, *results: Published, at_s: float = 10.0) -> Snapshot:
    made = Snapshot(Cause(ts=at_s, event="e", track_id=track_id), [])
    for each in results:
        made.hear(each)
        made.look(each)
    return made


@pytest.mark.parametrize(
    ("results", "at_s"),
    [
        ([], 10),
        ([seen(8, (6, 0.9, 400)), seen(9)], 10),
        ([seen(8, (7, 0.9, 100)), seen(11, (6, 0.9, 500), (7, 0.9, 200)), seen(12)], 11),
        ([seen(8, (7, 0.9, 100)), seen(10, (7, 0.5, 100)), seen(12, (7, 0.8, 100))], 8),
        ([seen(n, (7, 0.9, 100)) for n in range(5, 20)], 10),  # the nearest of equals
        ([seen(9, (7, 0.9, 100)), seen(12, (7, 0.9, 200), left=0)], 9),  # cut off by the edge
        ([seen(9, (7, 0.9, 100)), seen(12, (7, 0.9, 400), damaged=True)], 9),
        ([Published(9 * S, b"{", None), seen(12, (7, 0.9, 100))], 12),
    ],
)
def test_it_is_where_the_object_is_largest_and_surest(
    results: list[Published], at_s: float
) -> None:
    assert snapshot(7, *results).at_ns == at_s * S


def test_without_an_object_it_is_the_moment() -> None:
    assert snapshot(None, seen(12, (7, 0.9, 400)), seen(13, (-1, 0.9, 400))).at_ns == 10 * S


def placed(n: int) -> Placed:
    """Ten images a second from 5 s on, every tenth of them a key frame."""
    packet = Packet(b"", STREAM, n % 10 == 0, (0, n), 5 * S + n * S // 10)
    return Placed(packet, n * S // 10, n * S // 10)


@pytest.mark.parametrize("late", [0, 5, 15])
@pytest.mark.parametrize("best_s", [5, 7.4, 10.0, 13.9, 17.0, 18.9])
def test_the_packets_that_show_it_are_kept_and_no_others(best_s: float, late: int) -> None:
    """Results come ``late`` images behind the packets."""
    made, most = snapshot(), 0
    for n in range(140 + late):
        if n < 140:
            made.place(placed(n))
        if n >= late:
            at_s = 5 + (n - late) / 10
            made.look(seen(at_s, (7, 0.9, 200 if at_s == best_s else 100)))
            made.settle(round(at_s * S))
        most = max(most, sum(map(len, made._groups)))
    assert made.at_ns == round(best_s * S)
    assert most <= 10 + late + 1, "no more than a group, and what results are behind"
    while made._groups:
        made._keep(made._groups.popleft())
    kept = made._until_shown()
    assert kept[0].packet.is_key
    assert kept[0].packet.captured_ns <= made.at_ns <= kept[-1].packet.captured_ns
    assert len(kept) <= 10 + DEPTH


def test_what_is_found_when_its_packets_are_gone_comes_too_late() -> None:
    made = snapshot()
    for n in range(80):
        made.place(placed(n))
    made.settle(12 * S)
    made.look(seen(6, (7, 0.9, 200)))
    assert made.at_ns == 10 * S
    made.look(seen(12.5, (7, 0.9, 200)))
    assert made.at_ns == round(12.5 * S)


def test_results_around_the_best_moment_blur_it_and_no_others_are_kept() -> None:
    made = Snapshot(Cause(ts=10.0, event="e", track_id=7), ["face"])
    for n in range(200):
        result = seen(n / 10, (7, 0.9, 200 if n == 60 else 100))
        made.hear(result)
        if n >= 20:
            made.look(seen((n - 20) / 10, (7, 0.9, 200 if n == 80 else 100)))
    assert made.at_ns == 6 * S
    assert [each.captured_ns / S for each in made._around] == [n / 10 for n in range(46, 75)]
    assert len(made._heard) <= 20 + 15
