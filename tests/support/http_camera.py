"""An HTTP server whose answers a test chooses, and that remembers what it was asked."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from pipeline.cameras.synthetic import picture

Manner = Callable[["Request"], None]


def jpeg(number: int, width: int = 320, height: int = 180) -> bytes:
    """Image ``number`` of the synthetic camera."""
    return cv2.imencode(".jpg", picture(number, width, height)[..., ::-1])[1].tobytes()


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HttpCamera

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers.items())))
        path = self.path.partition("?")[0]
        manner = self.server.manners.get(path)
        with suppress(ConnectionError):
            if manner is not None:
                manner(self)
            elif path in self.server.files:
                self.file(self.server.files[path])
            else:
                self.answer(404)

    def answer(self, status: int, body: bytes = b"", **fields: str) -> None:
        """Fields have ``_`` for ``-``; the length is told."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **fields}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def file(self, body: bytes) -> None:
        """A file, or the part of it that is asked for."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found is None:
            self.answer(200, body, Accept_Ranges="bytes")
            return
        start, end = int(found[1]), int(found[2] or len(body) - 1) + 1
        told = f"bytes {start}-{end - 1}/{len(body)}"
        self.answer(206, body[start:end], Content_Range=told, Accept_Ranges="bytes")

    def stream(self, parts: Iterator[bytes], fps: float, **fields: str) -> None:
        """Parts without an announced end, one after another."""
        self.close_connection = True
        self.send_response(200)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            if self.server.stopping.wait(1 / fps):
                return

    def log_message(self, *_: object) -> None:
        pass


class HttpCamera(ThreadingHTTPServer):
    """The server; ``manners`` and ``files`` are by path."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.scheme = "http" if tls is None else "https"
        self.manners: dict[str, Manner] = {}
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.stopping = threading.Event()

    def handle_error(self, *_: object) -> None:
        """A camera that is stopped hangs up in the middle of an answer."""

    def url(self, path: str, prefix: str = "", login: str = "") -> str:
        return f"{prefix}{self.scheme}://{login}127.0.0.1:{self.server_port}{path}"

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [path for path, _ in self.asked]


@contextmanager
def http_camera(tls: ssl.SSLContext | None = None) -> Iterator[HttpCamera]:
    server = HttpCamera(tls)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
