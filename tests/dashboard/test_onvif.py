from __future__ import annotations

import asyncio
import socket
from datetime import timedelta

import pytest

from dashboard.onvif import device, discovery
from dashboard.onvif.device import Streams, streams
from dashboard.onvif.discovery import Answer, Found, Network, is_at, probe
from dashboard.onvif.profile import Profile, for_analysis, for_view
from pipeline.cameras.onvif.soap import MAX_BYTES, MAX_WORDS, Login, MalformedError, parse
from tests.support.onvif_camera import GROUP, HOST, OnvifCamera, fault, heard_out, soap

pytestmark = pytest.mark.slow

MEDIA2 = "http://127.0.0.1:{port}/onvif/media2"
LOGIN = ("anna", "pass<&>wörd")
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


def network(camera: OnvifCamera) -> Network:
    return Network(GROUP, camera.udp_port, 0.4, (HOST,))


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that answers in the end is waited for."""
    monkeypatch.setattr(device, "CAMERA_S", 60.0)
    monkeypatch.setattr(device, "REQUEST_S", 60.0)


def found(camera: OnvifCamera, *others: OnvifCamera) -> Found:
    with heard_out(camera, *others):
        return asyncio.run(probe(network(camera)))


def offered(camera: OnvifCamera, login: tuple[str, str] | None = None) -> Streams:
    service = f"http://{HOST}:{camera.port}/onvif/device_service"
    answer = Answer(camera.endpoint, HOST, service, "", "", "")
    return asyncio.run(streams(answer, Login(*login) if login else None))


def test_a_camera_is_found_by_multicast() -> None:
    with OnvifCamera() as camera:
        result = found(camera)
    service = f"http://{HOST}:{camera.port}/onvif/device_service"
    wanted = Answer("urn:uuid:0001", HOST, service, "Front gate", "Eye-7", "yard")
    assert result == Found({"urn:uuid:0001": wanted})
    first, second = camera.probes
    assert first == second, "sent twice with one MessageID, so that both may be answered"
    assert "dn:NetworkVideoTransmitter" in first


def test_cameras_are_told_apart_by_their_endpoint() -> None:
    with (
        OnvifCamera() as first,
        OnvifCamera(endpoint="urn:uuid:0002", udp_port=first.udp_port) as second,
    ):
        result = found(first, second)
    assert [each.service for each in result.cameras.values()] != []
    ports = {each.service.split(":")[2].split("/")[0] for each in result.cameras.values()}
    assert ports == {str(first.port), str(second.port)}


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x00\xff not XML",
        BOMB,
        b'<?xml version="1.0" encoding="nonsense"?><x/>',
        soap("<d:ProbeMatches/>", "<wsa:RelatesTo>urn:uuid:of-another</wsa:RelatesTo>"),
        soap("<d:ProbeMatch/>", "<wsa:RelatesTo>{message}</wsa:RelatesTo>"),
        b"<x>" * 20_000,
    ],
    ids=["empty", "bytes", "entities", "encoding", "another's", "nothing in it", "deep"],
)
def test_an_answer_that_cannot_be_read_is_counted(datagram: bytes) -> None:
    with OnvifCamera(datagrams=[datagram]) as camera:
        camera.datagrams = [datagram, camera.match()]
        result = found(camera)
    assert list(result.cameras) == ["urn:uuid:0001"]
    assert result.malformed == len(camera.probes) == 2


def test_a_flood_of_answers_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "MAX_ANSWERS", 3)
    with OnvifCamera() as camera:
        camera.datagrams = [b"x"] * 3 + [camera.match()]
        assert found(camera) == Found(malformed=8)


@pytest.mark.parametrize(
    "services",
    [
        "http://127.0.0.2:{port}/onvif",
        "http://127.0.0.1.example.com/onvif",
        "http://127.0.0.1@127.0.0.2:{port}/onvif",
        "http://localhost:{port}/onvif",
        "file://127.0.0.1/etc/passwd",
        "http://127.0.0.1:notaport/",
        "http://[",
    ],
)
def test_an_address_of_another_machine_is_refused(services: str) -> None:
    with OnvifCamera(services=services) as camera:
        result = found(camera)
    assert result.cameras == {}
    assert result.foreign == 2
    assert camera.asked == []


def test_nothing_answers() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((HOST, 0))
        asked = Network(GROUP, free.getsockname()[1], 0.1, (HOST,))
        assert asyncio.run(probe(asked)) == Found()


def test_no_interface() -> None:
    with pytest.raises(OSError, match="no network interface that is up"):
        asyncio.run(probe(Network(interfaces=())))
    with pytest.raises(OSError, match=r"[Aa]ssign"):
        asyncio.run(probe(Network(interfaces=("192.0.2.1",))))


def test_own_addresses_are_of_this_machine_and_not_loopback() -> None:
    addresses = Network().own_addresses()
    assert not any(address.startswith("127.") for address in addresses)
    for address in addresses:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.bind((address, 0))


def test_streams_of_a_camera_that_asks_nobody() -> None:
    with OnvifCamera() as camera:
        result = offered(camera)
    assert (result.urls, result.words) == (camera.uris, "")
    asked = ["GetServices", "GetCapabilities", "GetProfiles", "GetStreamUri", "GetStreamUri"]
    assert camera.asked == asked


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(days=-9000), timedelta(hours=7)])
def test_password_is_proven_by_the_cameras_clock(ahead: timedelta) -> None:
    with OnvifCamera(login=LOGIN, ahead=ahead) as camera:
        assert offered(camera, LOGIN).urls == camera.uris
        assert offered(camera).words.startswith("it wants a password")
        wrong = offered(camera, (LOGIN[0], "wrong"))
        assert wrong == Streams(words="it refuses this user and password (WS-UsernameToken)")


def test_a_camera_that_tells_no_time() -> None:
    refused = {"GetSystemDateAndTime": (400, fault("ActionNotSupported", "No"))}
    broken = soap("<tt:UTCDateTime><tt:Date><tt:Year>9999999</tt:Year></tt:Date></tt:UTCDateTime>")
    for answers in (refused, {"GetSystemDateAndTime": (200, broken)}):
        with OnvifCamera(login=LOGIN, answers=answers) as camera:
            assert offered(camera, LOGIN).urls == camera.uris


def test_password_is_shown_by_nothing() -> None:
    assert "wörd" not in repr(Login(*LOGIN))


def test_credentials_in_a_stream_are_taken_out() -> None:
    uris = (
        "rtsp://root:hunter2@127.0.0.1:554/main",
        "rtsp://127.0.0.1/s?user=a&amp;password=hunter2",
    )
    with OnvifCamera(uris=uris) as camera:
        assert offered(camera).urls == (
            "rtsp://127.0.0.1:554/main",
            "rtsp://127.0.0.1/s?user=a&password=***",
        )


def test_nothing_of_another_machine_is_asked_or_offered() -> None:
    with OnvifCamera() as other, OnvifCamera() as camera:
        elsewhere = f"127.0.0.2:{other.port}"
        camera.media = f"http://{elsewhere}/onvif/media"
        assert offered(camera) == Streams(
            words="its media service is at another address (127.0.0.2): not asked"
        )
        camera.media = OnvifCamera.media
        camera.uris = (f"rtsp://{elsewhere}/x", "rtsp://127.0.0.1/own", "file:///etc/passwd")
        result = offered(camera)
        assert result.urls == ("rtsp://127.0.0.1/own",)
        assert result.words == "one of its streams has no RTSP address"
        camera.uris = camera.uris[:2]
        assert "at another address (127.0.0.2)" in offered(camera).words
        away = f"http://{HOST}:{other.port}/onvif/device_service".encode()
        camera.answers = {"GetCapabilities": (302, away)}
        assert offered(camera).words == "it answered with HTTP status 302"
    assert other.asked == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, b"x" * (1 << 20)), f"its answer is larger than {MAX_BYTES} bytes"),
        ((200, BOMB), "its answer was ignored: it cannot be read: DTDForbidden"),
        ((200, b"\x1f\x8b\x08"), "its answer was ignored: it cannot be read: ParseError"),
        ((401, b""), "it wants a password: give the user and password of the camera"),
        ((400, fault("X", "a\n b")), "it says: a b"),
        ((404, b"<html/>"), "it answered with HTTP status 404"),
        ((200, soap("")), "it has no stream that is set up"),
    ],
    ids=["1 MB", "entities", "gzip", "401", "fault", "404", "empty"],
)
def test_an_answer_that_is_no_use(answer: tuple[int, bytes], words: str) -> None:
    with OnvifCamera(answers={"GetProfiles": answer}) as camera:
        assert offered(camera) == Streams(words=words)


def test_a_camera_that_goes_away_or_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    with OnvifCamera() as camera:
        pass
    assert offered(camera).words.startswith("its ONVIF service cannot be reached: ")
    monkeypatch.setattr(device, "CAMERA_S", 0.3)
    with socket.create_server((HOST, 0)) as silent:
        camera.port = silent.getsockname()[1]
        assert offered(camera).words == "it did not finish answering within 0.3 s"


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with OnvifCamera() as camera:
        assert offered(camera).words == ""


def test_large_xml_is_not_parsed() -> None:
    with pytest.raises(MalformedError, match="larger than"):
        parse(b"<x>" + b" " * MAX_BYTES + b"</x>")


def test_is_at() -> None:
    assert is_at("http://192.0.2.1:80/x", "192.0.2.1")
    assert not is_at("http://192.0.2.1:80/x", "192.0.2.2")
    assert not is_at("http://user@192.0.2.1/x", "192.0.2.1")


def test_what_each_stream_is() -> None:
    uris = tuple(f"rtsp://127.0.0.1/{i}" for i in range(5))
    encoders = (
        ("H265", 3840, 2160, 25),
        ("h264", 640, 360, 12.5),
        ("JPEG", "640x", 0, "NaN"),
        ("H266 " + "x" * 500, 10**9, 480, -3),
    )
    with OnvifCamera(uris=uris, encoders=encoders, media2=MEDIA2) as camera:
        big, small, broken, absurd, unsaid = offered(camera).profiles
    assert big == Profile(uris[0], "profile 0", (3840, 2160), 25.0, "H.265")
    assert small == Profile(uris[1], "profile 1", (640, 360), 12.5, "H.264")
    assert broken == Profile(uris[2], "profile 2", None, None, "MJPEG")
    assert (absurd.size, absurd.fps, len(absurd.codec)) == (None, None, MAX_WORDS)
    assert unsaid == Profile(uris[4], "profile 4")


def test_the_older_service_is_asked_where_the_newer_one_is_no_use() -> None:
    encoders = (("H265", 3840, 2160, 25), ("H264", 640, 360, 25))
    elsewhere = MEDIA2.replace(HOST, "127.0.0.2")
    for media2 in ("", elsewhere, MEDIA2 + "/missing"):
        with OnvifCamera(encoders=encoders, media2=media2) as camera:
            profiles = offered(camera).profiles
        assert [each.codec for each in profiles] == ["", "H.264"]


@pytest.mark.parametrize(
    ("sizes", "analysis", "view"),
    [
        ([(3840, 2160), (1280, 720), (640, 360)], 2, 0),
        ([(352, 288), (3840, 2160), (704, 576)], 2, 1),
        ([(1920, 1080), (320, 180)], 0, None),
        ([(320, 240), (640, 480)], 1, None),
        ([(320, 180), (480, 270)], 1, None),
        ([(640, 360), (640, 360)], 0, None),
        ([None, (1920, 1080)], 1, None),
        ([None, None], None, None),
        ([], None, None),
    ],
)
def test_which_stream_is_for_what(
    sizes: list[tuple[int, int] | None], analysis: int | None, view: int | None
) -> None:
    profiles = [Profile(f"rtsp://c/{i}", size=size) for i, size in enumerate(sizes)]
    analysed = for_analysis(profiles, 640, 640)
    assert analysed is (None if analysis is None else profiles[analysis])
    assert for_view(profiles, analysed) is (None if view is None else profiles[view])
