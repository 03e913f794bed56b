"""Playlists as servers write them."""

from __future__ import annotations

import pytest

from pipeline.cameras.playlist import Part, Playlist, Variant, choose, read_playlist

BASE = "http://cam/live/all.m3u8?key=1"


def read(*lines: str) -> Playlist:
    return read_playlist("\r\n".join(["#EXTM3U", *lines]), BASE)


def test_live_segments_have_numbers_and_absolute_addresses() -> None:
    found = read(
        "#EXT-X-VERSION:3",
        "#EXT-X-TARGETDURATION:4",
        "#EXT-X-MEDIA-SEQUENCE:41",
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z",
        "#EXTINF:3.840,a title, with a comma",
        "a.ts?x=1",
        "# a remark",
        "#EXT-X-DISCONTINUITY",
        "#EXTINF:4",
        "/b.ts",
        "#EXTINF:2,",
        "https://other/c.ts",
    )
    assert [s.number for s in found.segments] == [41, 42, 43]
    assert [s.part.address for s in found.segments] == [
        "http://cam/live/a.ts?x=1",
        "http://cam/b.ts",
        "https://other/c.ts",
    ]
    assert [s.seconds for s in found.segments] == [3.84, 4, 2]
    assert [s.is_cut for s in found.segments] == [False, True, False]
    assert (found.target_s, found.is_ended, found.is_whole) == (4, False, False)


@pytest.mark.parametrize(
    ("lines", "whole"),
    [
        (["#EXT-X-MEDIA-SEQUENCE:0"], True),
        (["#EXT-X-MEDIA-SEQUENCE:1"], True),
        ([], True),
        (["#EXT-X-MEDIA-SEQUENCE:7"], False),
        (["#EXT-X-MEDIA-SEQUENCE:7", "#EXT-X-PLAYLIST-TYPE:VOD"], True),
    ],
)
def test_a_recording_begins_where_its_stream_did(lines: list[str], whole: bool) -> None:
    found = read(*lines, "#EXTINF:4,", "a.ts", "#EXT-X-ENDLIST")
    assert (found.is_ended, found.is_whole) == (True, whole)


def test_ranges_continue_and_headers_stay() -> None:
    found = read(
        '#EXT-X-MAP:URI="a.mp4",BYTERANGE="700@20"',
        "#EXTINF:4,",
        "#EXT-X-BYTERANGE:100@720",
        "a.mp4",
        "#EXTINF:4,",
        "#EXT-X-BYTERANGE:50",
        "a.mp4",
        "#EXTINF:4,",
        "b.mp4",
    )
    address = "http://cam/live/a.mp4"
    assert [s.part for s in found.segments] == [
        Part(address, 720, 100),
        Part(address, 820, 50),
        Part("http://cam/live/b.mp4"),
    ]
    assert {s.header for s in found.segments} == {Part(address, 20, 700)}


def test_keys_and_gaps() -> None:
    found = read(
        '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x1',
        "#EXTINF:4,",
        "a.ts",
        "#EXT-X-KEY:METHOD=NONE",
        "#EXT-X-DISCONTINUITY",
        "#EXTINF:4,",
        "#EXT-X-GAP",
        "b.ts",
        "#EXTINF:4,",
        "c.ts",
    )
    assert [(s.number, s.cipher, s.is_cut) for s in found.segments] == [
        (0, "AES-128", False),
        (2, "", True),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "#EXTM3U\n#EXTINF:long,\na.ts",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x",
        "#EXTM3U\n#EXT-X-MAP:NAME=1\n#EXTINF:1,\na.ts",
        "#EXTM3U\n#EXT-X-BYTERANGE:all\na.ts",
    ],
)
def test_what_is_no_playlist_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="playlist"):
        read_playlist(text, BASE)


def test_variants_and_their_sizes() -> None:
    found = read(
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a, b",URI="sound.m3u8"',
        '#EXT-X-STREAM-INF:BANDWIDTH=2000,CODECS="avc1.4d401f,mp4a.40.2",RESOLUTION=1280x720',
        "720/a.m3u8",
        '#EXT-X-STREAM-INF:BANDWIDTH=64,CODECS="mp4a.40.2"',
        "sound.m3u8",
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9,URI="keys.m3u8"',
    )
    assert found.variants == (
        Variant("http://cam/live/720/a.m3u8", 2000, (1280, 720)),
        Variant("http://cam/live/sound.m3u8", 64, None, is_sound=True),
    )


SIZES = {"4k": (3840, 2160), "720": (1280, 720), "360": (640, 360), "180": (320, 180)}
VARIANTS = [Variant(name, 9 - n, size) for n, (name, size) in enumerate(SIZES.items())]
TALL = [Variant("tall", 2, (360, 640)), Variant("small", 1, (270, 480))]


@pytest.mark.parametrize(
    ("variants", "size", "taken"),
    [
        (VARIANTS, (640, 640), "360"),
        (VARIANTS, (641, 641), "720"),
        (VARIANTS, (960, 200), "360"),
        (VARIANTS, (7680, 4320), "4k"),
        (VARIANTS, (16, 16), "180"),
        (TALL, (640, 640), "tall"),
        ([Variant("more", 9, (640, 360)), Variant("less", 8, (640, 360))], (640, 640), "less"),
        ([Variant("low", 1, None), Variant("high", 2, None)], (640, 640), "high"),
        ([Variant("x", 1, None, is_sound=True), Variant("y", 1, None)], (640, 640), "y"),
    ],
)
def test_the_smallest_that_need_not_be_enlarged(
    variants: list[Variant], size: tuple[int, int], taken: str
) -> None:
    assert choose(variants, *size).address == taken
