"""Redis killed under four cameras of 15 frames a second: nothing lost that the ring can hold."""

import logging
from pathlib import Path

import pytest

from tests.support.outage import Report, outage


def assert_no_frame_thread_waited(report: Report, record: object) -> None:
    """The longest call is recorded; a socket's wait would be 1 s, and of each call in turn."""
    stalls_ms = sorted(stall_s * 1e3 for stall_s in report.stalls_s)
    record("max_stall_ms", round(stalls_ms[-1], 2))  # type: ignore[operator]
    assert stalls_ms[int(len(stalls_ms) * 0.98)] < 100
    assert stalls_ms[-1] < 1000 + 2e3 * report.paused_s


@pytest.mark.parametrize(
    ("down_s", "keep"),
    [(2, True), (2, False), pytest.param(8, True, marks=pytest.mark.full)],
    ids=["2s-aof-everysec", "2s-data-lost", "8s-aof-everysec"],
)
def test_nothing_is_lost_nor_doubled(
    folder: Path, down_s: float, keep: bool, record_property: object
) -> None:
    report = outage(folder, before_s=1, down_s=down_s, after_s=1, keep=keep)
    assert report.published > 4 * 12 * (down_s + 1), "the cameras were not running"
    assert report.in_stream == report.received == report.published
    assert (report.doubled, report.maskless) == (0, 0)
    assert (report.provable, report.counted, report.announced) == (0, 0, 0)
    assert_no_frame_thread_waited(report, record_property)


def test_loss_beyond_the_ring_is_counted_published_and_proved(
    folder: Path, record_property: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    # With "everysec" Redis forgets what it has confirmed where its disk is busy, and the ring here
    # is too short to have it still.
    report = outage(folder, before_s=1, down_s=3, after_s=1, keep=True, ring_s=1, fsync="always")
    assert report.counted > 50
    assert report.published - report.in_stream == report.counted
    assert report.announced == report.provable == report.counted
    assert report.received == report.in_stream
    assert (report.doubled, report.maskless) == (0, 0)
    assert_no_frame_thread_waited(report, record_property)
