"""The launch text of each kind of camera, without GStreamer."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from pipeline.cameras.graph import camera_graph, stages_text
from pipeline.cameras.sources import source_of
from pipeline.config.camera import Camera
from pipeline.config.camera_url import CameraUrl

SECRET = "h0rse-battery"


def graph(url: str, **options: Any) -> str:
    return camera_graph("gate", Camera(url=url, **options), "fakesink")


SOURCES = {
    "rtsp://cam/live": 'rtspsrc name=source location="rtsp://cam/live" protocols=tcp latency=150 ',
    "rtsps://cam/live": 'rtspsrc name=source location="rtsps://cam/live" protocols=tcp ',
    "http://cam/video": "appsrc name=source is-live=true do-timestamp=true format=time caps=image",
    "https://cam/video": "appsrc name=source is-live=true ",
    "snapshot+http://cam/a.jpg": "appsrc name=source is-live=true do-timestamp=true format=time ! ",
    "ts+http://cam/a": 'souphttpsrc name=source location="http://cam/a" timeout=10 '
    "automatic-redirect=true is-live=true ",
    "rtmp://cam/live/gate": "caps=video/x-flv ! flvdemux name=flv flv.video ! decodebin ",
    "srt://cam:8890": 'srtsrc name=source uri="srt://cam:8890?mode=caller" latency=150 ',
    "srt://:7001?latency=60": 'uri="srt://:7001?mode=listener" latency=60 authentication=true '
    "auto-reconnect=false poll-timeout=200 ! ",
    "srt://[::1]:7001?mode=listener": 'uri="srt://[::1]:7001?mode=listener" ',
    "udp://:5000": 'udpsrc name=source address="0.0.0.0" port=5000 reuse=false buffer-size=0 '
    'caps="video/mpegts,systemstream=true" ! decodebin ',
    "udp://@239.1.1.1:5000?interface=eth0&buffer=4000000": 'address="239.1.1.1" port=5000 '
    'reuse=true buffer-size=4000000 caps="video/mpegts,systemstream=true" multicast-iface="eth0" ',
    "udp://localhost:5000": 'address="127.0.0.1" port=5000 reuse=false ',
    "udp://[ff15::1]:5000": 'address="ff15::1" port=5000 reuse=true ',
    "rtp://[::]:5004?encoding=H265": 'address="::" port=5004 reuse=false buffer-size=0 '
    'caps="application/x-rtp,media=video,clock-rate=90000,encoding-name=H265" ! '
    "rtpjitterbuffer latency=150 ! decodebin ",
    "rtp://:5004": "clock-rate=90000,encoding-name=MP2T",
    "sdp:a b.sdp": 'filesrc name=source location="a b.sdp" ! sdpdemux timeout=0 latency=150 ! ',
    "file:clips/a b.mp4": 'filesrc name=source location="clips/a b.mp4" ! decodebin ',
    "/dev/video2": 'v4l2src name=source device="/dev/video2" ! ',
    "test://?size=320x240&fps=5": "width=320,height=240,framerate=5/1",
}


@pytest.mark.parametrize("url", SOURCES)
def test_each_scheme_has_its_source(url: str) -> None:
    assert SOURCES[url] in graph(url)


@pytest.mark.parametrize("url", SOURCES)
def test_all_end_in_the_same_way(url: str) -> None:
    text = graph(url, width=320, height=200)
    assert text.startswith('pipeline.( name="gate" ')
    assert text.endswith(
        '! mirrgb planes=true ! capsfilter name=analysis caps="'
        "video/x-raw(mirante:Surface),width=[1,320],height=[1,200],pixel-aspect-ratio=1/1;"
        "video/x-raw(mirante:Planes),format=I420,"
        "width=[1,320],height=[1,200],pixel-aspect-ratio=1/1;video/x-raw,format=RGB,"
        'width=[1,320],height=[1,200],pixel-aspect-ratio=1/1" ! fakesink )'
    )


@pytest.mark.parametrize(
    ("url", "more", "holds"),
    [
        *((url, {}, url.startswith("file:")) for url in SOURCES),
        ("http://cam/a.mp4", {}, True),
        ("http://cam/live.m3u8", {}, False),
        ("images:/gate", {}, True),
        ("images:/gate", {"watch": True}, False),
        ("file:a.mp4", {"pace": "realtime"}, False),
    ],
)
def test_only_results_of_what_is_there_already_wait_for_one_another(
    url: str, more: dict[str, Any], holds: bool
) -> None:
    """A live camera may name a pace too, which means nothing there."""
    camera = Camera(url=url, **{"pace": "every_frame", "stages": [], **more})
    assert ("holds=true" in stages_text("gate", camera, 1)) is holds


@pytest.mark.parametrize(("window", "text"), [([3000, 9000], "3000,9000"), ("auto", "auto")])
def test_a_thermal_camera_is_asked_for_its_counts(window: Any, text: str) -> None:
    webcam = graph("/dev/video2", thermal_range=window)
    assert 'device="/dev/video2" ! video/x-raw,format={GRAY16_LE,GRAY16_BE} ! decodebin ' in webcam
    assert f"! mirrgb thermal-range={text} planes=true ! " in webcam
    assert "format={GRAY16" not in graph("/dev/video2")


@pytest.mark.parametrize("url", [u for u in SOURCES if not u.startswith("file:")])
def test_live_sources_keep_the_newest_frame_and_are_never_paced(url: str) -> None:
    text = graph(url, pace="every_frame")
    assert "max-size-buffers=1 " in text
    assert "leaky=downstream" in text
    assert "sync=true" not in text


def test_a_file_in_real_time_is_paced_before_the_queue() -> None:
    text = graph("file:a.mp4")
    assert "! identity name=pace sync=true ! queue name=newest max-size-buffers=1 " in text
    assert "leaky=downstream" in text


@pytest.mark.parametrize(
    ("url", "kind", "location"),
    [
        ("http://cam/a.MP4?x=1", "Recording", "http://cam/a.MP4?x=1"),
        ("https://cam/clips/a.ts", "Recording", "https://cam/clips/a.ts"),
        ("file+http://cam/get?id=7", "Recording", "http://cam/get?id=7"),
        ("ts+https://cam/a.ts", "Stream over HTTP", "https://cam/a.ts"),
        ("http://cam/live.m3u8?token=a", "HLS", "http://cam/live.m3u8?token=a"),
        ("hls+https://u:p@cam/live", "HLS", "https://cam/live"),
        ("mjpeg+http://cam/a.mp4", "MJPEG", "http://cam/a.mp4"),
        ("http://cam/a.mp4/stream?x=.m3u8", "MJPEG", "http://cam/a.mp4/stream?x=.m3u8"),
        ("snapshot+http://cam:81/a.jpg", "Snapshots", "http://cam:81/a.jpg"),
    ],
)
def test_the_path_or_a_prefix_tells_what_http_is(url: str, kind: str, location: str) -> None:
    address = CameraUrl(url)
    assert address.kind.title == kind
    assert address.location == location
    assert address.port == (81 if ":81" in url else 443 if "https" in url else 80)


def test_recordings_over_http_are_paced_like_files() -> None:
    assert "identity name=pace sync=true" in graph("http://cam/a.mp4")
    assert "leaky" not in graph("http://cam/a.mp4", pace="every_frame")


def test_a_file_with_every_frame_drops_nothing() -> None:
    text = graph("file:a.mp4", pace="every_frame")
    assert "leaky" not in text
    assert "sync=true" not in text


def test_images_are_paced_by_their_feed() -> None:
    text = graph("images:/a b/%05d.jpg")
    assert "appsrc name=source is-live=true " in text
    assert "leaky=downstream" in text
    assert "sync=true" not in text
    for options in ({"pace": "every_frame"}, {"watch": True}):
        assert "leaky" not in graph("images:/a b", **options)
    images = source_of(Camera(url="images:/a b/%05d?.jpg")).images
    assert images is not None
    assert images.place == "/a b/%05d?.jpg"


def test_transport_and_jitter_buffer() -> None:
    assert "protocols=udp latency=40 " in graph("rtsp://cam/", transport="udp", latency_ms=40)
    assert "protocols=tcp " in graph("rtsps://cam/", transport="udp")


@pytest.mark.parametrize(
    "url",
    [
        f"rtsp://user:{SECRET}@cam/live",
        f"ts+http://cam/video?user=a&pwd={SECRET}",
        f"srt://cam:8890?passphrase={SECRET}",
        f"srt://:8890?streamid=#!::u=a,s={SECRET}",
    ],
)
def test_secrets_go_around_the_text(url: str) -> None:
    spec = Camera(url=url)
    source = source_of(spec)
    assert any(SECRET in value for value in source.secrets.values())
    for text in (camera_graph("gate", spec, "fakesink"), repr(source), repr(spec)):
        assert SECRET not in text


@pytest.mark.parametrize(
    "url",
    [
        f"rtmp://user:{SECRET}@cam/live/gate",
        f"rtmp://cam/live/gate?user=a&pass={SECRET}",
    ],
)
def test_secrets_of_what_is_fetched_are_nowhere(url: str) -> None:
    spec = Camera(url=url)
    for text in (camera_graph("gate", spec, "fakesink"), repr(source_of(spec)), repr(spec)):
        assert SECRET not in text


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("test://?size=big", 'size="big": expected WIDTHxHEIGHT'),
        ("test://?fps=0", 'fps="0": expected 1 to 999'),
        ("test://?colour=red", 'colour="red": expected keys size and fps'),
        ("test://?size=32x32", "expected 64x48 or more, got 32x32"),
        ("srt://cam:1?mode=rendezvous", '"mode=rendezvous": expected caller or listener'),
        ("srt://:1?mode=caller", '"mode=caller": expected srt://host:port'),
        ("srt://cam:1?passphrase=short", r'"passphrase=\*\*\*": expected 10 to 79 characters'),
        ("srt://cam:1?pasphrase=0123456789", 'did you mean "passphrase"?'),
        ("rtp://:1?encoding=VP8", '"encoding=VP8": expected one of TS, H264, H265, JPEG'),
        ("udp://:1?encoding=H264", '"encoding=H264": expected rtp://, udp:// is MPEG-TS'),
        ("udp://:1?buffer=4M", '"buffer=4M": expected bytes of the socket'),
        ("rtmp://cam/gate", 'path "/gate": expected /application/stream'),
    ],
)
def test_a_bad_query_is_refused(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        graph(url)


def test_a_plus_in_a_passphrase_is_a_plus() -> None:
    secrets = source_of(Camera(url="srt://cam:1?passphrase=ab+cd%2Fef==&streamid=a@b")).secrets
    assert secrets == {"passphrase": "ab+cd/ef==", "streamid": "a@b"}


@pytest.mark.parametrize("url", ["srt://user:secret@cam:1", "udp://user:secret@cam:1"])
def test_a_login_that_nothing_takes_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="expected no user and password") as refused:
        Camera(url=url)
    assert "secret" not in str(refused.value)


@pytest.mark.slow
def test_no_gstreamer_is_needed() -> None:
    program = "import sys; import pipeline.cameras.graph; sys.exit('gi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
