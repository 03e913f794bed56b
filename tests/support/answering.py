"""A camera that refuses: RTSP and HTTP at two ports, what it answers chosen by the path."""

from __future__ import annotations

import hashlib
import re
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SDP = b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
VIDEO = b"m=video 0 RTP/AVP 26\r\na=control:track0\r\n"
SOUND = b"m=audio 0 RTP/AVP 0\r\na=control:track1\r\n"
H264 = b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track0\r\n"
SECOND = b"m=video 0 RTP/AVP 26\r\na=control:track2\r\n"
DESCRIBED = {
    "several": SDP + SOUND + VIDEO + SECOND,
    "sound": SDP + SOUND,
    "nothing": SDP,
    "bare": SDP + H264,
}
KEY = b"\x80\xe0" + bytes(9) + b"\x01" + b"\x65" + bytes(50)  # RTP of a key frame
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
LATE_S = 3.0
DEAD = "rtsp://a:hunter@127.0.0.1:9/x"
HOSTS = {"here": "127.0.0.1", "away": "localhost"}
USER, PASSWORD = "viewer", "right"
Request = tuple[str, str, str]  # method, path, Authorization


class RtspCamera(socketserver.StreamRequestHandler):
    """``/DESCRIBE/453`` answers DESCRIBE with 453; ``/login/SHA-256`` asks for a digest login, with
    a nonce for each connection; ``/ask/TEXT`` for a login by TEXT; ``/bare`` sends H.264 without
    parameter sets; ``/redirect/itself`` redirects to itself, ``/redirect/dead`` to a port where
    nothing listens, ``/redirect/nowhere`` does not say where, ``/redirect/here`` and
    ``/redirect/away`` to a login at ``127.0.0.1`` and ``localhost``; ``/late/MD5`` is
    ``/login/MD5``, but takes 3 s for each answer to DESCRIBE; ``/close`` hangs up on DESCRIBE.
    """

    server: Any

    def handle(self) -> None:
        nonce = f"nonce-{self.client_address[1]}"
        while line := self.rfile.readline().decode().strip():
            method, address, _ = line.split(" ")
            head: dict[str, str] = {}
            while field := self.rfile.readline().decode().strip():
                name, _, value = field.partition(":")
                head[name.lower()] = value.strip()
            path = re.sub(r"^rtsp://[^/]*/", "", address)
            login = head.get("authorization", "")
            self.server.seen.append((method, path, login))
            if path == "close" and method == "DESCRIBE":
                return
            if path.startswith("late") and method == "DESCRIBE":
                time.sleep(LATE_S)
            status, lines, body = answer_of(method, address, path, login, nonce)
            lines = [f"RTSP/1.0 {status} Said", f"CSeq: {head['cseq']}", *lines]
            lines += [f"Content-Length: {len(body)}", "", ""]
            self.wfile.write("\r\n".join(lines).encode() + body)
            if method == "PLAY" and path.startswith("bare"):
                threading.Thread(target=self._send, daemon=True).start()

    def _send(self) -> None:
        with suppress(OSError):  # the client has gone
            for n in range(600):
                packet = KEY[:2] + struct.pack(">HI", n, 9000 * n) + KEY[8:]
                self.wfile.write(b"$\0" + struct.pack(">H", len(packet)) + packet)
                time.sleep(0.1)


def answer_of(
    method: str, address: str, path: str, login: str, nonce: str
) -> tuple[int, list[str], bytes]:
    """Status, fields and body of the answer to a request."""
    what, _, how = path.partition("/")
    how, fields = how.partition("/")[0], []
    if what == "redirect" and method == "DESCRIBE":
        login_at = re.sub(r"//[^/:]*(:\d+)/.*", rf"//{HOSTS.get(how)}\1/moved/MD5/{how}", address)
        place = {"itself": address, "dead": DEAD, **dict.fromkeys(HOSTS, login_at)}.get(how)
        what, how, fields = method, "302", [f"Location: {place}"] if place else []
    if what == "ask" and method != "OPTIONS":
        return 401, [f"WWW-Authenticate: {how.replace('_', ' ')}"], b""
    asks = what in {"login", "late", "moved"} and method != "OPTIONS"
    if asks and not fits(how, method, address, login, nonce):
        ask = f'Digest realm="camera", nonce="{nonce}", algorithm={how}, qop="auth"'
        return 401, [f"WWW-Authenticate: {ask}"], b""
    if what == method:
        return int(how), fields, b""
    if method == "DESCRIBE":
        fields = ["Content-Type: application/sdp", f"Content-Base: {address}/"]
        return 200, fields, DESCRIBED.get(what, SDP + VIDEO)
    if method == "SETUP":
        return 200, ["Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"], b""
    return 200, ["Session: 1", "Public: DESCRIBE, SETUP, PLAY, TEARDOWN"], b""


def fits(algorithm: str, method: str, address: str, login: str, nonce: str) -> bool:
    """Whether a digest login is right, computed as of RFC 7616."""
    told = dict(re.findall(r'(\w+)="?([^",]*)"?', login.removeprefix("Digest ")))

    def hashed(*parts: str) -> str:
        return HASHES[algorithm](":".join(parts).encode()).hexdigest()

    secret, asked = hashed(USER, "camera", PASSWORD), hashed(method, address)
    if "qop" in told:
        middle = (told["nc"], told["cnonce"], told["qop"])
        right = hashed(secret, nonce, *middle, asked)
    else:
        right = hashed(secret, nonce, asked)
    return told.get("nonce") == nonce and told.get("response") == right


class HttpCamera(BaseHTTPRequestHandler):
    """``/503`` answers with that status, ``/login/SHA-256`` and ``/ask/TEXT`` as over RTSP; other
    paths with what is there.
    """

    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def do_GET(self) -> None:
        name, _, how = self.path[1:].partition("/")
        login = self.headers.get("Authorization", "")
        if name == "login" and not fits(how, "GET", self.path, login, "nonce-1"):
            ask = f'Digest realm="camera", nonce="nonce-1", algorithm={how}, qop="auth"'
            return self._say(401, {"WWW-Authenticate": ask}, b"")
        if name == "ask":
            return self._say(401, {"WWW-Authenticate": how}, b"")
        if name == "moved":
            return self._say(302, {"Location": "/page"}, b"")
        if name.isdigit():
            return self._say(int(name), {}, b"")
        kind, body = self.server.contents[name]
        return self._say(200, {"Content-Type": kind} if kind else {}, body)

    def _say(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Quiet(socketserver.BaseServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A camera that hangs up is no error."""


class RtspServer(Quiet, socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class HttpServer(Quiet, ThreadingHTTPServer):
    pass


@contextmanager
def answering(contents: dict[str, tuple[str, bytes]]) -> Iterator[tuple[int, int, list[Request]]]:
    """Run both.

    Args:
        contents: path → type and body of what is there over HTTP.

    Yields:
        The ports of RTSP and HTTP, and the requests over RTSP as they come.
    """
    rtsp = RtspServer(("127.0.0.1", 0), RtspCamera)
    http = HttpServer(("127.0.0.1", 0), HttpCamera)
    seen: list[Request] = []
    vars(rtsp)["seen"], vars(http)["contents"] = seen, contents
    for server in (rtsp, http):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield rtsp.server_address[1], http.server_address[1], seen
    for server in (rtsp, http):
        server.shutdown()
        server.server_close()
