"""The ring of encoded images, the times of a clip, and which moments share one."""

from __future__ import annotations

import json
import random
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirante import Detections, FrameResult
from mirante.clips import MP4_CODECS, Clip
from mirante.events import Event, EventKind
from mirante.wire import encode
from plugins.clips.kept import KeptResults, Published
from plugins.clips.mp4 import PARSERS
from plugins.clips.recorder import NoClipError, Recorder, Rule
from plugins.clips.recording import Draft, Recording
from plugins.clips.ring import Packet, PacketRing, Stream
from plugins.clips.shown import AHEAD_NS, REACH_NS, Decoder, Hiding
from plugins.clips.sidecar import END, Sidecar
from plugins.clips.timeline import DEPTH, Placed, Timeline

S = 1_000_000_000
H264 = Stream("video/x-h264, stream-format=byte-stream")


def packet(n: int, key: bool = False, size: int = 10, fps: int = 10, order: int = -1) -> Packet:
    shown = n if order < 0 else order
    return Packet(bytes(size), H264, key, (0, shown), 100 * S + shown * S // fps)


def filled(ring: PacketRing, count: int, gop: int = 10, size: int = 10) -> PacketRing:
    for n in range(count):
        ring.put(packet(n, n % gop == 0, size))
    return ring


def orders(packets: list[Packet]) -> list[int]:
    return [each.order[1] for each in packets]


def test_the_ring_keeps_its_seconds_and_the_group_that_they_begin_in() -> None:
    ring = filled(PacketRing(3, 1 << 20), 1000)
    packets, number = ring.after(0)
    assert number == 1000
    assert packets[0].is_key
    newest_ns = packets[-1].captured_ns
    assert newest_ns - packets[0].captured_ns >= 5 * S, "3 s, and 2 s by which events are late"
    assert newest_ns - packets[0].captured_ns <= 7 * S
    assert ring.bytes == 10 * len(packets)


@pytest.mark.parametrize("gop", [1, 10, 100, 1000])
def test_the_ring_never_takes_more_than_its_bytes(gop: int) -> None:
    ring = PacketRing(3, 500)
    for n in range(1000):
        ring.put(packet(n, n % gop == 0))
        assert ring.bytes <= 500
        packets, _ = ring.after(0)
        assert not packets or packets[0].is_key


@pytest.mark.parametrize("gop", [1, 10, 100, 1000])
def test_who_reads_along_misses_no_image_of_a_group_that_is_larger_than_the_ring(gop: int) -> None:
    ring, seen, number = PacketRing(3, 500), [], 0
    for n in range(3000):
        ring.put(packet(n, n % gop == 0))
        if n % 20 == 0:
            packets, number = ring.after(number)
            seen += orders(packets)
    assert seen == list(range(2981))


def test_who_begins_within_such_a_group_waits_for_a_key_frame() -> None:
    ring = filled(PacketRing(3, 500), 180, gop=100)
    number = ring.since(100 * S)
    assert ring.after(number) == ([], 180)
    assert ring.after(0)[0] == [], "the key frame of all that is there is gone"
    ring.put(packet(180, key=True))
    assert orders(ring.after(number)[0]) == [180]
    assert ring.since(0) == 180


def test_the_ring_begins_with_a_key_frame() -> None:
    ring = PacketRing(1, 1000)
    ring.put(packet(0))
    assert ring.newest is None
    ring.put(packet(1, key=True))
    assert orders(ring.after(0)[0]) == [1]


def test_a_clip_begins_with_the_last_key_frame_before_its_moment() -> None:
    ring = filled(PacketRing(5, 1 << 20), 65)
    for at_ns, first in ((100 * S + 5 * S // 2, 20), (103 * S, 30), (0, 0), (200 * S, 60)):
        packets, _ = ring.after(ring.since(at_ns))
        assert orders(packets)[0] == first


def test_whoever_reads_the_ring_late_goes_on_with_a_key_frame() -> None:
    ring = filled(PacketRing(1, 1 << 20), 12)
    _, number = ring.after(0)
    for n in range(12, 500):
        ring.put(packet(n, n % 10 == 0))
    late, after = ring.after(number)
    assert late[0].is_key
    assert after == 500
    ring.put(packet(500, key=True))
    assert orders(ring.after(after)[0]) == [500]


def test_times_are_set_right_unless_the_camera_told_them() -> None:
    ring = PacketRing(5, 1000)
    ring.put(packet(0, key=True))
    told = packet(1)
    told.is_timed = True
    ring.put(told)
    for n in (0, 1, 7):
        ring.timed((0, n), 7)
    assert [each.captured_ns for each in ring.after(0)[0]] == [7, 100 * S + S // 10]


def test_the_ring_is_read_while_it_is_written() -> None:
    ring, seen, ended = PacketRing(100, 1 << 20), [], threading.Event()

    def read() -> None:
        number = 0
        while not ended.is_set() or number < 2000:
            packets, number = ring.after(number)
            seen.extend(orders(packets))

    thread = threading.Thread(target=read)
    thread.start()
    filled(ring, 2000, size=1)
    ended.set()
    thread.join(20)
    assert seen == sorted(set(seen))


def placed(packets: list[Packet]) -> tuple[Timeline, list[Placed]]:
    line = Timeline()
    found = [each for one in packets for each in line.put(one)]
    return line, [*found, *line.end()]


def pyramid(groups: int) -> list[Packet]:
    """I P B B B P B B B …: shown 0, 4, 2, 1, 3, 8, 6, 5, 7, …"""
    order = [0]
    for n in range(groups):
        order += [4 * n + shown for shown in (4, 2, 1, 3)]
    return [packet(n, n == 0, order=shown) for n, shown in enumerate(order)]


@pytest.mark.parametrize(
    "packets", [[packet(n, n % 10 == 0) for n in range(50)], pyramid(12), pyramid(1), pyramid(0)]
)
def test_images_are_shown_when_they_were_taken_and_decoded_in_order(packets: list[Packet]) -> None:
    line, found = placed(packets)
    assert [each.packet for each in found] == packets
    for each in found:
        assert line.began_ns + each.pts_ns == each.packet.captured_ns
        assert 0 <= each.dts_ns <= each.pts_ns
    decoded = [each.dts_ns for each in found]
    assert decoded == sorted(set(decoded))
    assert found[0].dts_ns == 0
    assert line.shown_ns == max(each.captured_ns for each in packets)


def test_times_that_fall_or_repeat_still_rise_in_a_clip() -> None:
    chance = random.Random(1)
    packets = [packet(n, n == 0) for n in range(200)]
    for each in packets:
        each.captured_ns += chance.choice([0, -S, -S // 10, S])
    _, found = placed(packets)
    shown = [each.pts_ns for each in found]
    assert shown == sorted(set(shown))
    assert all(each.dts_ns <= each.pts_ns for each in found)


def test_images_that_lean_on_some_before_the_clip_are_left_out() -> None:
    packets = [packet(0, True, order=3), packet(1, order=1), packet(2, order=2), packet(3, order=4)]
    _, found = placed(packets)
    assert [each.packet.order[1] for each in found] == [3, 4]


def test_two_images_of_one_time_both_stay() -> None:
    packets = [packet(n // 2, n == 0) for n in range(2 * DEPTH + 4)]
    _, found = placed(packets)
    assert len(found) == len(packets)


def result(at_ns: int, *events: Event) -> FrameResult:
    face = Detections(
        np.array([[40, 20, 60, 40]], np.float32),
        np.ones(1, np.float32),
        np.zeros(1, np.int32),
        ("face",),
    )
    return FrameResult("gate", 0, 0, at_ns, "arrival", 100, 80, detections=face, events=events)


def published(at_ns: int) -> Published:
    return Published(at_ns, encode(result(at_ns)).detections["json"], None)


def test_results_go_for_want_of_time_and_of_room() -> None:
    kept = KeptResults(2, 1 << 20)
    for n in range(50):
        kept.put(Published(n * S // 10, b"x" * 10, {"json": b"y", "m0": b"z" * 9}))
    found, number = kept.after(0)
    assert number == 50
    assert [each.captured_ns for each in (found[0], found[-1])] == [29 * S // 10, 49 * S // 10]
    assert kept.after(48)[0] == found[-2:]
    small = KeptResults(2, 55)
    for n in range(50):
        small.put(Published(n, b"x" * 20, None))
    assert [each.captured_ns for each in small.after(0)[0]] == [48, 49]
    small.put(Published(60, b"x" * 100, None))
    assert small.after(0) == ([], 51)


def blurred(results: list[int], at_ns: int) -> tuple[bool, bool]:
    """Whether the face's place and another are blurred in an image of a time."""
    hiding = Hiding(["face"])
    hiding.know([published(each) for each in results])
    image = np.zeros((80, 100, 3), np.uint8)
    image[::2] = 255
    hiding.hide(image, at_ns)
    return bool(image[30, 50, 0] != 255), bool(image[60, 90, 0] != 255)


@pytest.mark.parametrize(
    ("results", "at_ns", "expected"),
    [
        ([100 * S], 100 * S, (True, False)),
        ([100 * S + AHEAD_NS], 100 * S, (True, False)),  # before it was found there
        ([100 * S], 100 * S + REACH_NS // 2, (True, False)),
        ([], 100 * S, (True, True)),
        ([90 * S], 100 * S, (True, True)),
        ([102 * S], 100 * S, (True, True)),
    ],
)
def test_what_is_blurred_by_the_results_around_an_image(
    results: list[int], at_ns: int, expected: tuple[bool, bool]
) -> None:
    assert blurred(results, at_ns) == expected


def test_a_sidecar_is_json_however_many_frames_it_has(tmp_path: Path) -> None:
    for count in range(3):
        path = tmp_path / f"{count}.json"
        sidecar = Sidecar(path, "gate", "20261129-041503-250", 1_500_000_000, [])
        for n in range(count):
            sidecar.put(Published(n, b'{"seq":1}', {"json": b'{"masks":[]}', "m0": b"\xff\x00"}))
        sidecar.close()
        told = json.loads(path.read_bytes())
        assert (told["began"], told["camera"], len(told["frames"])) == (1.5, "gate", count)
        frame = {"detections": {"seq": 1}, "masks": {"masks": []}, "planes": {"m0": "/wA="}}
        assert told["frames"] == [frame] * count
        assert path.read_bytes().endswith(END)


def test_every_codec_of_mp4_has_a_parser_and_a_name() -> None:
    assert set(PARSERS) == set(MP4_CODECS)


class Drafts:
    """A store and a draft that only note what is begun."""

    video = sidecar = Path("/nonexistent")

    def __init__(self) -> None:
        self.plans: list[Clip] = []

    def begin(self, plan: Clip) -> Draft:
        self.plans.append(plan)
        return self

    def keep(self, clip: Clip, jpeg: bytes | None) -> Clip:
        raise NotImplementedError

    def discard(self) -> None:
        raise NotImplementedError


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Recording]:
    """The recordings that were begun, of which none runs."""
    found: list[Recording] = []

    def note(recording: Recording) -> None:
        found.append(recording)

    monkeypatch.setattr(Recording, "start", note)
    return found


def no_decoder(stream: Stream) -> Decoder:
    raise NotImplementedError(stream)


CROSSED: EventKind = "line-crossed"
RULE = Rule(before_s=5, after_s=10, max_s=30, on=[CROSSED])


def recorder(drafts: Drafts, rule: Rule = RULE) -> Recorder:
    made = Recorder("gate", rule, drafts)
    made.decoder = no_decoder
    made.ring.put(packet(0, key=True))
    return made


def event(at_s: float, kind: EventKind = CROSSED, line: str = "", clip: str = "") -> Event:
    return Event(id=f"e{at_s}", camera="gate", kind=kind, ts=at_s, line=line, clip=clip)


def test_moments_near_each_other_share_a_clip(started: list[Recording]) -> None:
    drafts = Drafts()
    clips = recorder(drafts)
    ids = [clips.marked(event(at_s)).clip for at_s in (1000.0, 1004.0, 1014.0, 1019.5, 1041.0)]
    assert ids[0] == ids[1] == ids[2] == "19700101-001640-000"
    assert ids[3] == "19700101-001659-500", "the first would last more than 30 s"
    assert ids[4] not in ids[:4]
    first = started[0]
    assert (first.begin_ns, first.end_ns) == (995 * S, 1024 * S)
    assert [cause.event for cause in first.causes] == ["e1000.0", "e1004.0", "e1014.0"]
    for recording in started:
        recording.is_open = False
    assert clips.marked(event(1000.0)).clip not in ids
    assert len({each.id for each in started}) == len(started) == 4
    assert drafts.plans == [], "no disk is waited for on the camera's thread"


def test_only_events_of_the_rule_make_clips(started: list[Recording]) -> None:
    drafts = Drafts()
    clips = recorder(drafts, replace(RULE, where=lambda event: event.line == "gate"))
    frame = result(
        100 * S, event(101, "object-new"), event(102), event(103, line="gate"), event(104, clip="x")
    )
    marked = clips.mark(frame)
    assert [each.clip for each in marked.events] == ["", "", started[0].id, "x"]
    assert [each.id for each in marked.events] == [each.id for each in frame.events]
    plain = result(100 * S, event(101, "object-new"))
    assert clips.mark(plain) is plain
    assert len(started) == 1
    assert clips.marked(event(92.9, line="gate")).clip == "", "no longer in memory"
    assert clips.marked(event(93.1, line="gate")).clip != ""


@pytest.mark.usefixtures("started")
def test_an_event_goes_on_without_a_clip_where_none_can_be_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clips = recorder(Drafts())
    clips.ring.clear()
    for at_s in (1.0, 2.0):
        assert clips.marked(event(at_s)).clip == ""
    assert caplog.text.count("no encoded images are in memory") == 1
    with pytest.raises(NoClipError, match="raw ones"):
        clips.request(None, None)


def test_what_cannot_be_kept_is_said_and_events_name_no_clip_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Full(Drafts):
        def begin(self, plan: Clip) -> Draft:
            raise NoClipError("0 MiB are left", is_full=True)

    clips = recorder(Full())
    with pytest.raises(NoClipError, match="0 MiB"):
        clips.request(None, None)
    assert clips.marked(event(1.0)).clip == ""
    clips._failed_s = None
    assert clips.marked(event(2e9)).clip != ""
    clips.close()
    assert "no clip 20330518-033320-000: 0 MiB are left" in caplog.text
    assert clips.marked(event(2e9 + 100)).clip == ""
