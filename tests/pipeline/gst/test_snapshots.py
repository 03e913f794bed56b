"""Snapshots: one image for each question, at the camera's rate."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator

import cv2
import pytest

from mirante.faults import FaultCode
from pipeline.cameras.state import State
from pipeline.cameras.synthetic import picture
from tests.support.http_camera import HttpCamera, Request, http_camera, jpeg
from tests.support.watched import Watched

pytestmark = pytest.mark.slow

IMAGES = [jpeg(n) for n in range(40)]
PASSWORD = "p@ss:w/rd"
LOGIN = "viewer:p%40ss%3Aw%2Frd@"


@pytest.fixture
def camera() -> Iterator[HttpCamera]:
    with http_camera() as server:
        yield server


def _next(request: Request) -> None:
    """A new image each time."""
    asked = request.server.paths().count(request.path)
    request.answer(200, IMAGES[(asked - 1) % len(IMAGES)], Content_Type="image/jpeg")


def test_each_question_gives_a_frame_over_one_connection(camera: HttpCamera) -> None:
    connections = set()

    def count(request: Request) -> None:
        connections.add(request.client_address)
        _next(request)

    camera.manners["/a.jpg"] = count
    with Watched("asked", camera.url("/a.jpg", "snapshot+"), fps=20) as watched:
        watched.seen.wait(10)
    watched.check_account(len(IMAGES))
    assert len(connections) == 1
    assert camera.asked[0][1]["Host"] == f"127.0.0.1:{camera.server_port}"


def test_the_rate_is_one_a_second_unless_it_is_told(camera: HttpCamera) -> None:
    camera.manners["/a.jpg"] = _next
    began_s = time.monotonic()
    with Watched("slowly", camera.url("/a.jpg", "snapshot+")) as watched:
        watched.seen.wait(3)
    lasted_s = time.monotonic() - began_s
    assert lasted_s >= 2
    assert 3 <= len(camera.asked) <= 1 + lasted_s


def test_not_modified_is_no_frame_and_no_silence(camera: HttpCamera) -> None:
    began_s, watchdog_s = time.monotonic(), 3.0

    def send(request: Request) -> None:
        nonlocal began_s
        is_first = len(request.server.asked) == 1
        if is_first:
            began_s = time.monotonic()
        if is_first or time.monotonic() > began_s + 1.5 * watchdog_s:
            number = 1 if is_first else 31
            request.answer(200, IMAGES[number], ETag=f'"{number}"', Last_Modified="then")
        else:
            assert request.headers["If-None-Match"] == '"1"'
            assert request.headers["If-Modified-Since"] == "then"
            request.answer(304)

    camera.manners["/a.jpg"] = send
    with Watched(
        "same", camera.url("/a.jpg", "snapshot+"), fps=20, watchdog_s=watchdog_s
    ) as watched:
        watched.seen.wait(2)
    assert watched.seen.read[:2] == [1, 31]
    assert watched.states == [State.CONNECTING, State.RUNNING, State.STOPPED]


def test_a_damaged_image_is_one_failed_frame(camera: HttpCamera) -> None:
    bad = {2: IMAGES[2][:500], 4: b"", 5: IMAGES[5][:-2]}

    def send(request: Request) -> None:
        asked = len(request.server.asked) - 1
        request.answer(200, bad.get(asked, IMAGES[asked % 40]), Content_Type="image/jpeg")

    camera.manners["/a.jpg"] = send
    with Watched("bad", camera.url("/a.jpg", "snapshot+"), fps=20) as watched:
        watched.seen.wait(6)
    assert not {2, 4, 5} & set(watched.seen.read)
    counts, _ = watched.ledger.counts()
    assert counts.failed == 3
    assert counts.balanced
    assert watched.states == [State.CONNECTING, State.RUNNING, State.STOPPED]


def test_a_passing_trouble_is_one_failed_frame(camera: HttpCamera) -> None:
    """Until it is the third in a row."""

    def send(request: Request) -> None:
        asked = len(request.server.asked) - 1
        if asked == 1:
            _page(request)
        elif asked in {2, 4} or asked > 5:
            request.answer(503)
        else:
            request.answer(200, IMAGES[asked], Content_Type="image/jpeg")

    camera.manners["/a.jpg"] = send
    with Watched("passing", camera.url("/a.jpg", "snapshot+"), fps=20) as watched:
        _, change = watched.wait_for(lambda change: change.state == State.RECONNECTING)
    assert change.code == FaultCode.UNAVAILABLE
    counts, _ = watched.ledger.counts()
    came = watched.seen.read
    assert came == [number for number in (0, 3, 5) if number in came]
    assert len(came) + counts.dropped["queue"] == 3, "a busy machine drops some"
    assert counts.failed == 5
    assert counts.balanced


def test_png(camera: HttpCamera) -> None:
    png = cv2.imencode(".png", picture(17, 320, 180)[..., ::-1])[1].tobytes()
    camera.manners["/image"] = lambda request: request.answer(200, png, Content_Type="image/png")
    with Watched("png", camera.url("/image", "snapshot+"), fps=20) as watched:
        watched.seen.wait(2)
    assert set(watched.seen.read) == {17}


def test_the_first_image_of_a_stream_is_one(camera: HttpCamera) -> None:
    parts = [b"--x\r\nContent-Type: image/jpeg\r\n\r\n" + image for image in IMAGES]
    kind = "multipart/x-mixed-replace; boundary=x"
    camera.manners["/s"] = lambda request: request.stream(iter(parts), 50, Content_Type=kind)
    with Watched("stream", camera.url("/s", "snapshot+"), fps=10) as watched:
        watched.seen.wait(3)
    assert set(watched.seen.read) == {0}
    assert watched.states == [State.CONNECTING, State.RUNNING, State.STOPPED]


def _digest(request: Request, name: str, qop: str) -> None:
    told = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("Authorization", "")))

    def hashed(*parts: str) -> str:
        return hashlib.new(name.replace("-", ""), ":".join(parts).encode()).hexdigest()

    if told:
        first, second = hashed("viewer", "cam", PASSWORD), hashed("GET", told["uri"])
        middle = [told[key] for key in ("nc", "cnonce", "qop")] if qop else []
        if told["response"] == hashed(first, "n1", *middle, second) and told["uri"] == request.path:
            _next(request)
            return
    asks = f'Digest realm="cam", nonce="n1", algorithm={name}' + (f', qop="{qop}"' if qop else "")
    request.answer(401, WWW_Authenticate=f'Basic realm="cam", {asks}')


@pytest.mark.parametrize(
    ("name", "qop"), [("MD5", ""), ("MD5", "auth"), ("SHA-256", "auth,auth-int")]
)
def test_a_digest_login_is_answered_once(name: str, qop: str, camera: HttpCamera) -> None:
    camera.manners["/a.jpg"] = lambda request: _digest(request, name, qop)
    url = camera.url("/a.jpg?channel=1", "snapshot+", LOGIN)
    with Watched("digest", url, fps=20) as watched:
        watched.seen.wait(3)
    refused = [fields for _, fields in camera.asked if "Authorization" not in fields]
    assert len(refused) == 1
    assert all("Basic" not in fields.get("Authorization", "") for _, fields in camera.asked)


def _page(request: Request) -> None:
    request.answer(200, b"<html>login</html>", Content_Type="text/html; charset=utf-8")


def _hang(request: Request) -> None:
    request.server.stopping.wait()


FAULTS = {
    "/nothing": (State.FAILED, '404 not found: the camera has no path "/nothing"'),
    "/locked": (State.FAILED, "401 unauthorised: the camera asks for a user and password"),
    "/page": (State.FAILED, "the address gives a web page (text/html), not video"),
    "/moving": (State.FAILED, "the address gives image/gif, not video"),
    "/busy": (State.RECONNECTING, "503 service unavailable: the camera cannot serve this now"),
    "/slow": (State.RECONNECTING, "the camera takes the connection but never answers"),
    "/drips": (State.RECONNECTING, "the camera takes the connection but never answers"),
    "/round": (State.FAILED, "the camera redirects without an end"),
}


@pytest.mark.parametrize("path", FAULTS)
def test_each_fault_has_its_words(path: str, camera: HttpCamera) -> None:
    camera.manners["/page"] = _page
    camera.manners["/moving"] = lambda r: r.answer(200, b"GIF89a" * 9, Content_Type="image/gif")
    camera.manners["/locked"] = lambda r: r.answer(401, WWW_Authenticate='Basic realm="x"')
    camera.manners["/slow"] = _hang
    camera.manners["/drips"] = lambda request: request.stream(iter([IMAGES[0][:900], b""]), 0.1)
    camera.manners["/busy"] = lambda request: request.answer(503)
    camera.manners["/round"] = lambda request: request.answer(302, Location="/round")
    state, words = FAULTS[path]
    answer_s = 1 if "never answers" in words else 60
    with Watched("fault", camera.url(path, "snapshot+"), answer_s=answer_s) as watched:
        _, reason = watched.wait(state)
    assert reason == words


def test_a_password_is_not_taken_elsewhere(camera: HttpCamera) -> None:
    """A redirection to another host, and what it asks for there."""
    with http_camera() as other:
        other.manners["/a.jpg"] = lambda r: r.answer(401, WWW_Authenticate='Basic realm="x"')
        elsewhere = other.url("/a.jpg").replace("127.0.0.1", "localhost")
        camera.manners["/a.jpg"] = lambda request: request.answer(302, Location=elsewhere)
        with Watched("away", camera.url("/a.jpg", "snapshot+", LOGIN)) as watched:
            watched.wait(State.FAILED)
    assert other.asked
    assert all("Authorization" not in fields for _, fields in other.asked)


def test_a_camera_is_asked_again_when_it_has_hung_up(camera: HttpCamera) -> None:
    def once(request: Request) -> None:
        _next(request)
        request.close_connection = True  # without a word of it

    camera.manners["/a.jpg"] = once
    with Watched("hung", camera.url("/a.jpg", "snapshot+"), fps=20) as watched:
        watched.seen.wait(4)
    assert watched.states == [State.CONNECTING, State.RUNNING, State.STOPPED]
