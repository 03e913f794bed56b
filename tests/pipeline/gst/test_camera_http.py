"""MJPEG over HTTP, and what can go wrong with it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import pytest

from pipeline.cameras.state import State
from pipeline.cameras.synthetic import picture
from tests.support.watched import Watched

pytestmark = pytest.mark.slow

FPS = 10


class Mjpeg(BaseHTTPRequestHandler):
    """/good for ever; /closed and /stalled after ten images; /text is none; /locked; else 404."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/locked" and "Authorization" not in self.headers:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.end_headers()
        elif path == "/text":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>a page for people</html>" * 50)
        elif path in {"/good", "/closed", "/stalled", "/locked"}:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            self.send_pictures(10_000 if path in {"/good", "/locked"} else 10)
            if path == "/stalled":
                self.server.stopping.wait()  # type: ignore[attr-defined]
        else:
            self.send_error(404)

    def send_pictures(self, count: int) -> None:
        for n in range(count):
            _, jpeg = cv2.imencode(".jpg", picture(n, 320, 180)[..., ::-1])
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")
            except OSError:
                return
            if self.server.stopping.wait(1 / FPS):  # type: ignore[attr-defined]
                return

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mjpeg)
    server.daemon_threads = True
    server.stopping = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stopping.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def test_pictures_come_in_order(address: str) -> None:
    with Watched("mjpeg", f"{address}/good") as camera:
        camera.seen.wait(20)
        stream = camera.stream_of("date")
    assert stream.decoder is not None
    assert "jpegdec" in stream.decoder
    assert stream.clock_off_s is not None
    assert abs(stream.clock_off_s) < 5
    camera.check_account(10_000)
    assert {result.ts_source for _, result, _ in camera.seen.frames} == {"arrival"}
    assert camera.seen.frames[-1][1].captured_ns <= time.time_ns()


def test_a_password_is_sent_when_asked_for(address: str) -> None:
    locked = address.replace("//", "//viewer:right@")
    with Watched("basic", f"{locked}/locked") as camera:
        camera.seen.wait(3)


def test_a_query_reaches_the_camera(address: str) -> None:
    with Watched("query", f"{address}/good?user=viewer&password=x") as camera:
        camera.seen.wait(3)


WORDS = {
    "closed": (State.RECONNECTING, "the camera ended the stream"),
    "stalled": (State.STALLED, "no frame for"),
    "locked": (State.FAILED, "401 unauthorised: the camera asks for a user and password"),
    "nothing": (State.FAILED, '404 not found: the camera has no path "/nothing"'),
    "text": (State.FAILED, "the address gives a web page (text/html), not video"),
}


@pytest.mark.parametrize("path", WORDS)
def test_each_fault_has_its_words(path: str, address: str) -> None:
    state, words = WORDS[path]
    with Watched(path, f"{address}/{path}") as camera:
        _, reason = camera.wait(state)
    assert words in reason


def test_a_camera_that_is_refused_is_told_of_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Watched("refused", f"http://127.0.0.1:{port}/good") as camera:
        _, reason = camera.wait(State.RECONNECTING)
    assert reason == f"connection refused: nothing listens at 127.0.0.1:{port}"


def test_a_camera_that_says_nothing_of_use_is_told_of_in_words() -> None:
    def hang_up(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                listener.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        with Watched("mute", f"http://127.0.0.1:{listener.getsockname()[1]}/good") as camera:
            _, reason = camera.wait(State.RECONNECTING)
        listener.shutdown(socket.SHUT_RDWR)
    assert reason == "the camera answers, but not with video"


def test_a_closed_stream_is_opened_again(address: str) -> None:
    with Watched("again", f"{address}/closed") as camera:
        camera.seen.wait(15)
    assert camera.states.count(State.RUNNING) >= 2, "ten images each time, less what is dropped"
