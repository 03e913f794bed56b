"""A camera's own events over ONVIF, from a camera that is as awkward as real ones are."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from mirante.faults import FaultCode
from pipeline.cameras.onvif import soap
from pipeline.cameras.onvif.device import MOST_BYTES, Device, OnvifError
from pipeline.cameras.onvif.meaning import Told, meaning
from pipeline.cameras.onvif.notices import Notice
from pipeline.cameras.onvif.pullpoint import PullPoint
from pipeline.config.camera_url import CameraUrl
from tests.support.certificate import certificate
from tests.support.fault_words import reads_as
from tests.support.onvif_events import EventCamera

LOGIN = ("admin", "h0rse/battery")
MOTION = "tns1:RuleEngine/CellMotionDetector/Motion"


def address(camera: EventCamera) -> CameraUrl:
    url = CameraUrl(f"{'https' if camera.certificate else 'http'}://127.0.0.1:{camera.port}/")
    if camera.login:
        url.username, url.password = camera.login
    return url


def opened(camera: EventCamera, pull_s: float = 10.0) -> PullPoint:
    point = PullPoint(Device(address(camera)), pull_s=pull_s)
    point.open()
    return point


def failed(camera: EventCamera) -> OnvifError:
    point = PullPoint(Device(address(camera), 60.0), pull_s=1.0)
    with pytest.raises(OnvifError) as error:
        point.open()
        point.pull()
    point.close()
    assert reads_as(error.value.fault), error.value.fault
    assert LOGIN[1] not in str(error.value)
    return error.value


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder)
    return str(folder / "own.pem"), str(folder / "key.pem")


CAMERAS = [
    EventCamera(),
    EventCamera(login=LOGIN, ahead=timedelta(hours=1), prefixes="gsoap"),
    EventCamera(login=LOGIN, ahead=timedelta(hours=-1), older=True, by_parameter=True),
    EventCamera(login=LOGIN, way="digest", by_parameter=True, prefixes="gsoap"),
    EventCamera(named_host="192.168.1.64"),
    EventCamera(login=("Łukasz", "zażółć"), way="digest", folder="wyjście nr 1"),
]


@pytest.mark.parametrize(
    "camera",
    CAMERAS,
    ids=["plain", "clock ahead", "clock behind", "digest", "behind a router", "not of ASCII"],
)
def test_messages_come_as_they_are_said(camera: EventCamera) -> None:
    with camera:
        point = opened(camera)
        source = {"VideoSourceConfigurationToken": "1", "Rule": "Gate & <yard>"}
        camera.say(*(camera.message(MOTION, {"IsMotion": f"{n}"}, source) for n in range(40)))
        heard = point.pull() + point.pull()
        assert [int(each.data["IsMotion"]) for each in heard] == list(range(40))
        assert heard[0].topic == "RuleEngine/CellMotionDetector/Motion"
        assert heard[0].source == source
        assert heard[0].at is not None
        ahead = camera.ahead
        assert abs(heard[0].at - ahead - datetime.now(UTC)) < timedelta(seconds=60)
        point.close()
        assert not camera.subscriptions, "it still holds a subscription"


def test_its_events_are_on_another_port_of_a_camera_that_has_a_name() -> None:
    with EventCamera() as events, EventCamera(named_port=events.port) as camera:
        point = PullPoint(Device(CameraUrl(f"http://localhost:{camera.port}/")))
        point.open()
        events.say(events.message(MOTION, {"IsMotion": "1"}))
        assert len(point.pull()) == 1
        point.close()
        assert camera.asked == ["GetSystemDateAndTime", "GetServices"]


def test_over_tls_only_to_a_camera_that_is_trusted(
    own_certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventCamera(login=LOGIN, certificate=own_certificate) as camera:
        assert failed(camera).fault.code == FaultCode.UNTRUSTED
        assert camera.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", own_certificate[0])
        point = opened(camera, 1)
        camera.say(camera.message(MOTION, {"IsMotion": "true"}))
        assert len(point.pull()) == 1
        point.close()


def test_a_subscription_is_renewed_in_time_and_a_refusal_is_no_end() -> None:
    with EventCamera(lives_s=8) as camera:
        point = opened(camera, 1)
        until_s = time.monotonic() + 60
        while camera.asked.count("Renew") < 2 and time.monotonic() < until_s:
            point.pull()
        assert camera.asked.count("Renew") == 2
        camera.renews = False
        while camera.asked.count("Renew") < 3 and time.monotonic() < until_s:
            point.pull()
        assert camera.asked[-1] == "PullMessages", "it goes on as long as it is heard"
        point.close()


def test_a_subscription_that_lives_for_seconds_is_not_waited_out() -> None:
    with EventCamera(lives_s=8) as camera:
        point = opened(camera)
        camera.say(camera.message(MOTION, {"IsMotion": "1"}))
        assert len(point.pull()) == 1
        assert camera.waits[0] <= 4, "half of its life"
        point.close()


@pytest.mark.parametrize(
    "challenge",
    [
        'Basic realm="camera"',
        ', Basic realm="camera"',
        'Negotiate, Basic realm="camera"',
        'Digest realm="camera", nonce="1", algorithm=SHA-1, Basic realm="camera"',
    ],
)
def test_a_password_is_never_sent_in_plain_without_tls(challenge: str) -> None:
    with EventCamera(login=LOGIN, challenge=challenge) as camera:
        assert failed(camera).fault.code == FaultCode.LOGIN_UNSUPPORTED
        assert set(camera.logins) == {""}


@pytest.mark.parametrize("month", ["9" * 30, "x", "13", ""])
def test_a_time_that_is_none_is_no_time(month: str) -> None:
    parts = (
        {"Year": "2026", "Month": month, "Day": "1"},
        {"Hour": "1", "Minute": "1", "Second": "1"},
    )
    date, hour = ("".join(f"<{k}>{v}</{k}>" for k, v in each.items()) for each in parts)
    answer = f"<a><UTCDateTime><Date>{date}</Date><Time>{hour}</Time></UTCDateTime></a>"
    assert soap.clock(soap.parse(answer.encode())) is None


@pytest.mark.parametrize(
    ("camera", "code"),
    [
        (EventCamera(login=LOGIN), FaultCode.UNAUTHORISED),
        (EventCamera(login=LOGIN, way="digest"), FaultCode.UNAUTHORISED),
        (EventCamera(most=0), FaultCode.EVENTS_REFUSED),
        (EventCamera(answers={"GetSystemDateAndTime": b"<html/>"}), FaultCode.NO_ONVIF),
        (EventCamera(answers={"PullMessages": b"<a>" * 9}), FaultCode.NO_ONVIF),
        (
            EventCamera(answers={"PullMessages": b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'}),
            FaultCode.NO_ONVIF,
        ),
        (EventCamera(answers={"PullMessages": b" " * (MOST_BYTES + 1)}), FaultCode.NO_ONVIF),
        (EventCamera(resets=9), FaultCode.ENDED),
    ],
    ids=["token", "digest", "full", "web page", "cut", "entities", "vast", "resets"],
)
def test_what_fails_is_said(camera: EventCamera, code: FaultCode) -> None:
    right, camera.login = camera.login, camera.login and ("admin", "wrong")
    with camera:
        url_login = camera.login
        camera.login = right
        device = Device(address(camera), 60.0)
        if url_login is not None:
            url = address(camera)
            url.username, url.password = url_login
            device = Device(url, 60.0)
        point = PullPoint(device, pull_s=1.0)
        with pytest.raises(OnvifError) as error:
            point.open()
            point.pull()
        point.close()
    assert (error.value.fault.code, reads_as(error.value.fault)) == (code, True)
    assert "wrong" not in str(error.value)


def test_no_login_no_events_and_nobody_there() -> None:
    empty = EventCamera(answers={})
    with EventCamera(login=LOGIN) as camera:
        url = address(camera)
        url.username = url.password = None
        point = PullPoint(Device(url))
        with pytest.raises(OnvifError) as error:
            point.open()
        point.close()
        assert error.value.fault.code == FaultCode.LOGIN_REQUIRED
    with empty as camera:
        bare = camera._soap("<a/>")
        camera.answers |= {"GetServices": bare, "GetCapabilities": bare}
        assert failed(camera).fault.reason == "the camera offers no events over ONVIF"
    assert failed(empty).fault.code == FaultCode.REFUSED


def test_a_kept_connection_that_was_closed_is_opened_again() -> None:
    with EventCamera() as camera:
        point = opened(camera, 1)
        point.pull()
        camera.resets = 1
        camera.say(camera.message(MOTION, {"IsMotion": "1"}))
        assert len(point.pull()) == 1
        point.close()


def test_who_waits_for_an_answer_can_be_ended() -> None:
    with EventCamera() as camera:
        device = Device(address(camera))
        point = PullPoint(device, pull_s=60)
        point.open()
        errors: list[OnvifError] = []

        def pull() -> None:
            with pytest.raises(OnvifError) as error:
                point.pull()
            errors.append(error.value)

        thread = threading.Thread(target=pull)
        thread.start()
        camera.wait("PullMessages")
        device.abort()
        thread.join(30)
        assert len(errors) == 1
        device.revive()
        point.close()
        camera.wait("Unsubscribe")


# Topics and items as cameras of Hikvision, Dahua, Reolink, TP-Link, Axis and others send them.
SENT = yaml.safe_load((Path(__file__).parent / "onvif_messages.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("topic", "data", "operation", "found"), SENT)
def test_what_cameras_send_is_known(
    topic: str,
    data: dict[str, str],
    operation: str,
    found: list[list[object]],
) -> None:
    told = meaning(Notice(topic, {"Rule": "door"}, data, operation))
    assert [[each.kind, each.active, each.label] for each in told] == found
    assert all(each.rule == "door" for each in told)


def test_the_way_across_a_line_is_told_where_the_camera_knows_it() -> None:
    notice = Notice("RuleEngine/LineDetector/Crossed", {"Rule": "door"}, {"Direction": "Right"})
    assert meaning(notice) == [Told("camera:line", None, "", "door", "right")]
