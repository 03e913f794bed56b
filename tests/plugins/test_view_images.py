"""Images of a view stream: which analysed frame each is sent with, and when none is."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import pytest

from mirante.frame import FrameResult, TsSource
from plugins.frame import Frame
from plugins.outbox.outbox import Outbox
from plugins.preview.jpeg import Jpegs
from plugins.preview.stage import PreviewStage
from plugins.preview.view_images import IMAGES_MOST, ViewImages
from tests.support.images import decode_image

S = 1_000_000_000


class Watched:
    """An outbox with viewers or without."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.jpegs: list[bytes] = []
        self.has_viewers = True

    def watched(self, _camera: str) -> bool:
        return self.has_viewers

    def preview(self, _camera: str, jpeg: bytes, header: dict[str, Any]) -> None:
        self.jpegs.append(jpeg)
        self.sent.append(header)


class Camera:
    """A camera's images on a clock that a test sets, in seconds."""

    def __init__(self, fps: float = 60.0, is_strict: bool = False) -> None:
        self.now_s = 0.0
        self.outbox = Watched()
        outbox = cast(Outbox, self.outbox)
        self.images = ViewImages("gate", outbox, fps, 90, is_strict, lambda: round(self.now_s * S))
        self.stage = PreviewStage(outbox, 60.0, 90, clock=lambda: self.now_s, view=self.images)
        self.seq = 0

    def analyse(self, captured_s: float, seen_s: float, source: TsSource = "arrival") -> None:
        self.now_s = seen_s
        result = FrameResult("gate", self.seq, 5, round(captured_s * S), source, 640, 360)
        self.seq += 1
        self.stage(Frame(np.zeros((36, 64, 3), np.uint8)), result)

    def see(
        self,
        captured_s: float,
        seen_s: float,
        source: TsSource = "arrival",
        size: tuple[int, int] = (1280, 720),
    ) -> None:
        self.now_s = seen_s
        result = FrameResult("gate view", 0, 9, round(captured_s * S), source, *size)
        self.images.show(Jpegs(Frame(np.full((72, 128, 3), 200, np.uint8))), result)

    @property
    def sent(self) -> list[tuple[int, float]]:
        """Number of the analysed frame, and how far off it is, of each view image."""
        return [(one["seq"], one["off_ms"]) for one in self.outbox.sent if "stream" in one]


def test_an_image_waits_for_the_frame_that_is_nearest() -> None:
    gate = Camera()
    gate.analyse(10.00, 10.02)
    gate.see(10.08, 10.09)
    assert gate.sent == [], "the next analysed frame may be nearer"
    gate.analyse(10.10, 10.12)
    assert gate.sent == [(1, -20.0)]
    gate.see(10.14, 10.15)
    gate.analyse(10.20, 10.22)
    assert gate.sent[1:] == [(1, 40.0)]
    header = gate.outbox.sent[-1]
    assert (header["epoch"], header["size"], header["ts"]) == (5, (128, 72), 10.14)
    assert gate.images.off_ms == pytest.approx(40)


def test_it_does_not_wait_for_ever() -> None:
    gate = Camera()
    gate.analyse(10.0, 10.0)
    gate.see(10.04, 10.05)
    gate.see(10.2, 10.21)
    assert gate.sent == [(0, 40.0)], "a frame that is nearer would have come"
    gate.see(10.72, 10.73)
    assert gate.sent == [(0, 40.0), (0, 200.0)]


def test_a_slow_analysis_is_shown_at_the_rate_of_the_view() -> None:
    gate = Camera()
    gate.analyse(0.0, 0.02)
    for n in range(1, 40):
        if n % 20 == 0:
            gate.analyse(n / 20, n / 20 + 0.02)
        gate.see(n / 20, n / 20 + 0.03)
    times = [one["ts"] for one in gate.outbox.sent if "stream" in one]
    assert len(times) > 20
    assert times == sorted(times)
    assert {seq for seq, _ in gate.sent} == {0, 1}
    assert max(abs(off) for _, off in gate.sent) <= 600


def test_clocks_of_two_kinds_are_not_compared() -> None:
    """The camera's own clock is 5 s ahead, and is told for one of the streams so far."""
    gate = Camera()
    for n in range(3):
        gate.analyse(15.0 + n / 10, 10.0 + n / 10, "rtcp")
    gate.see(10.1, 10.1)
    gate.see(15.2, 10.2, "rtcp")
    assert gate.sent == [(1, 0.0), (2, 0.0)]


def test_its_own_images_are_shown_until_the_view_gives_some_and_after_it() -> None:
    gate = Camera()

    def own() -> int:
        return sum("stream" not in one for one in gate.outbox.sent)

    gate.analyse(1.0, 1.0)
    assert own() == 1
    gate.see(1.1, 1.1)
    gate.analyse(1.1, 1.12)
    assert (own(), gate.sent) == (1, [(1, 0.0)])
    brightness = [decode_image(jpeg).mean() for jpeg in gate.outbox.jpegs]
    assert brightness == pytest.approx([0, 200], abs=2)
    gate.see(1.2, 1.2)
    gate.images.end()
    gate.analyse(1.2, 1.22)
    assert (own(), len(gate.sent)) == (2, 1), "what waited is of a stream that is gone"
    assert (gate.images.source, gate.images.off_ms) == (None, None)


@pytest.mark.parametrize(("period_s", "patience_s"), [(0.1, 1.0), (2.0, 6.0)])
def test_a_view_that_falls_silent_is_not_waited_for(period_s: float, patience_s: float) -> None:
    gate = Camera()
    for n in range(3):
        gate.see(n * period_s, n * period_s)
    last_s = 2 * period_s
    gate.analyse(last_s, last_s + patience_s - 0.05)
    assert all("stream" in one for one in gate.outbox.sent)
    gate.analyse(last_s, last_s + patience_s + 0.05)
    assert "stream" not in gate.outbox.sent[-1]
    gate.see(last_s + 8, last_s + 8)
    gate.analyse(last_s + 8, last_s + 8.02)
    assert "stream" in gate.outbox.sent[-1]


def test_nothing_is_encoded_without_viewers_or_above_the_rate() -> None:
    gate = Camera(fps=2.0)
    gate.analyse(0.0, 0.0)
    gate.outbox.has_viewers = False
    gate.see(0.1, 0.1)
    gate.outbox.has_viewers = True
    for n in range(20):
        gate.see(1 + n / 10, 1 + n / 10)
        gate.analyse(1 + n / 10, 1.02 + n / 10)
    assert len(gate.sent) == 4


def test_memory_is_bounded_without_results() -> None:
    gate = Camera()
    for n in range(50):
        gate.see(n / 10, n / 10)
    gate.analyse(5.0, 5.0)
    assert 0 < len(gate.sent) <= IMAGES_MOST


def test_where_parts_are_hidden_by_place_another_shape_is_not_shown() -> None:
    gate = Camera(is_strict=True)
    gate.see(0.9, 0.9)
    assert "before the shape" in gate.images.refusal
    gate.analyse(1.0, 1.0)
    gate.see(1.0, 1.0, size=(1280, 960))
    gate.analyse(1.1, 1.1)
    assert gate.sent == []
    assert "1280x960 beside 640x360" in gate.images.refusal
    gate.see(1.2, 1.2, size=(1920, 1088))
    gate.analyse(1.2, 1.2)
    assert (len(gate.sent), gate.images.refusal) == (1, "")


def test_a_stage_that_blurs_takes_no_view() -> None:
    outbox = cast(Outbox, Watched())
    view = ViewImages("gate", outbox, 8.0, 70)
    with pytest.raises(ValueError, match="blur: face; expected none beside a view"):
        PreviewStage(outbox, 8.0, 70, ["face"], view=view)


def test_each_quality_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []
    encode = cv2.imencode

    def counted(kind: str, image: Any, options: list[int]) -> Any:
        asked.append(options)
        return encode(kind, image, options)

    monkeypatch.setattr(cv2, "imencode", counted)
    jpegs = Jpegs(Frame(np.zeros((8, 8, 3), np.uint8)))
    assert jpegs.of(50) is jpegs.of(50)
    jpegs.of(60)
    assert [quality for _, quality in asked] == [50, 60]
