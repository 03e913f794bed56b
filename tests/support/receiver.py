"""A receiver of webhooks: a real HTTP server on loopback that does as it is told."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, NamedTuple


class Received(NamedTuple):
    """A request.

    Attributes:
        path: of its address.
        headers: by name in lower case.
        body: as it came.
    """

    path: str
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """An answer: its status, headers and body; it waits for ``after`` first."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"
    after: threading.Event | None = None


class Receiver:
    """Takes requests.

    Attributes:
        got: requests that were taken (2xx), in the order of their answers.
        tries: all requests, in the order in which they came.
        replies: answers to the next requests, before ``usual``.
        usual: makes any other answer.
    """

    def __init__(self) -> None:
        self.got: list[Received] = []
        self.tries: list[Received] = []
        self.replies: deque[Reply] = deque()
        self.usual: Callable[[Received], Reply] = lambda _request: Reply()
        self.url = ""
        self._lock = threading.Lock()

    def answer(self, request: Received) -> Reply:
        with self._lock:
            self.tries.append(request)
            reply = self.replies.popleft() if self.replies else self.usual(request)
        if reply.after is not None:
            reply.after.wait(60)
        if 200 <= reply.status < 300:
            with self._lock:
                self.got.append(request)
        return reply

    @property
    def ids(self) -> list[str]:
        """``ce-id`` of what was taken."""
        return [each.headers["ce-id"] for each in self.got]


@contextmanager
def receiving(
    receiver: Receiver | None = None, tls: ssl.SSLContext | None = None, port: int = 0
) -> Iterator[Receiver]:
    """Serve until the block is left.

    Args:
        receiver: that takes the requests; a new one by default.
        tls: the server's side of TLS.
        port: to listen on; 0 for a free one.
    """
    takes = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = takes.answer(Received(self.path, headers, body))
            try:
                self.send_response(reply.status)
                for name, value in reply.headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:
                self.close_connection = True  # who asked has left

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        open_sockets: ClassVar[set[object]] = set()

        def get_request(self) -> tuple[object, object]:  # type: ignore[override]
            made, address = super().get_request()
            self.open_sockets.add(made)
            return made, address

        def handle_error(self, *_: object) -> None:
            """Those who leave early are no errors here."""

    server = Server(("127.0.0.1", port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    takes.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield takes
    finally:
        server.shutdown()
        for each in list(server.open_sockets):
            _close(each)
        thread.join()
        server.server_close()


def _close(made: object) -> None:
    """End a kept connection, so that its thread ends."""
    assert isinstance(made, socket.socket)
    try:
        made.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
