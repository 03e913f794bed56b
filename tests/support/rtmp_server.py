"""An RTMP server that plays one FLV file to whoever asks, as far as a client needs it.

Written after Adobe's Real-Time Messaging Protocol (RTMP) specification 1.0; its login is the
challenge that encoders and players call ``authmod=adobe``.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar
from urllib.parse import parse_qsl

_EXTENDED = 0xFFFFFF  # a time that stands behind the header
_HEADERS = {0: 11, 1: 7, 2: 3, 3: 0}  # format of a chunk → bytes of its header
_SET_CHUNK, ACKNOWLEDGEMENT, CONTROL, _WINDOW, _AUDIO, _VIDEO, _COMMAND = 1, 3, 4, 5, 8, 9, 20
PING, PONG = struct.pack(">HI", 6, 77), struct.pack(">HI", 7, 77)
_SOUND = b"\x72" + bytes(160)  # an FLV tag of A-law, mono
SALT, CHALLENGE = "c2FsdA==", "Y2hhbGxlbmdl"


def flv_tags(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, time in ms and payload of each tag of an FLV file."""
    at = 13
    while at + 11 <= len(content):
        kind, size = content[at], int.from_bytes(content[at + 1 : at + 4])
        ms = int.from_bytes(content[at + 7 : at + 8] + content[at + 4 : at + 7])
        yield kind, ms, content[at + 11 : at + 11 + size]
        at += 11 + size + 4


def text(value: str) -> bytes:
    return b"\x02" + struct.pack(">H", len(value)) + value.encode()


def number(value: float) -> bytes:
    return b"\x00" + struct.pack(">d", value)


def fields(**values: str) -> bytes:
    named = (struct.pack(">H", len(k)) + k.encode() + text(v) for k, v in values.items())
    return b"\x03" + b"".join(named) + b"\x00\x00\x09"


NULL = b"\x05"


def strings(body: bytes) -> list[str]:
    """Every string value in an AMF message that holds nothing but what clients send."""
    found, at, depth = [], 0, 0
    while at < len(body):
        if depth:
            size = int.from_bytes(body[at : at + 2])
            key, at = body[at + 2 : at + 2 + size], at + 2 + size
            if not key and body[at] == 9:
                depth, at = depth - 1, at + 1
                continue
        kind, at = body[at], at + 1
        if kind == 2:
            size = int.from_bytes(body[at : at + 2])
            found.append(body[at + 2 : at + 2 + size].decode())
            at += 2 + size
        elif kind == 3:
            depth += 1
        else:
            at += {0: 8, 1: 1, 5: 0, 6: 0}[kind]
    return found


class _Client(socketserver.BaseRequestHandler):
    server: RtmpServer

    def handle(self) -> None:
        self.chunk_size, self.partial = 128, dict[int, tuple[list[int], bytes]]()
        self.is_connected = False
        with suppress(OSError, EOFError):
            hello = self.read(1537)
            self.request.sendall(b"\x03" + hello[1:] + hello[1:])
            self.read(1536)
            while True:
                self.answer(*self.message())

    def read(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            if not (part := self.request.recv(size - len(content))):
                raise EOFError
            content += part
        return content

    def message(self) -> tuple[int, bytes]:
        while True:
            first = self.read(1)[0]
            form, stream = first >> 6, first & 63
            header = self.read(_HEADERS[form])
            (size, kind), content = self.partial.get(stream, ([0, 0], b""))
            if form < 2:
                size, kind = int.from_bytes(header[3:6]), header[6]
            content += self.read(min(self.chunk_size, size - len(content)))
            done = len(content) == size
            self.partial[stream] = ([size, kind], b"" if done else content)
            if done:
                return kind, content

    def send(self, kind: int, content: bytes, ms: int = 0, stream: int = 0) -> None:
        short_ms, extended = ms.to_bytes(4)[1:], b""
        if ms >= _EXTENDED:
            short_ms, extended = _EXTENDED.to_bytes(3), ms.to_bytes(4)
        head = short_ms + len(content).to_bytes(3) + bytes([kind]) + struct.pack("<I", stream)
        size = self.server.chunk if self.is_connected else 128
        parts = [content[at : at + size] for at in range(0, len(content), size)] or [b""]
        self.request.sendall(b"\x04" + head + extended + (b"\xc4" + extended).join(parts))

    def answer(self, kind: int, content: bytes) -> None:
        if kind == _SET_CHUNK:
            self.chunk_size = int.from_bytes(content)
        if kind in {ACKNOWLEDGEMENT, CONTROL}:
            self.server.heard.append((kind, content))
        if kind != _COMMAND:
            return
        name, *said = strings(content)
        transaction = struct.unpack(">d", content[len(text(name)) + 1 :][:8])[0]
        if name == "connect":
            self.connect(transaction, said[0])
        elif name == "createStream":
            self.send(_COMMAND, text("_result") + number(transaction) + NULL + number(1))
        elif name == "play":
            self.play(said[0])

    def connect(self, transaction: float, app: str) -> None:
        self.send(_SET_CHUNK, self.server.chunk.to_bytes(4))
        self.is_connected = True
        self.send(_WINDOW, (100).to_bytes(4))
        self.send(CONTROL, PING)
        refusal = self.server.refusal(app)
        verb, code = ("_error", "Rejected") if refusal else ("_result", "Success")
        about = fields(
            level="error" if refusal else "status",
            code=f"NetConnection.Connect.{code}",
            description=refusal,
        )
        self.send(_COMMAND, text(verb) + number(transaction) + fields(fmsVer="1") + about)
        self.send(_WINDOW, (2_500_000).to_bytes(4))

    def play(self, name: str) -> None:
        self.server.played.append(name)
        limit_ms = self.server.streams.get(name.partition("?")[0], -1)
        is_here = limit_ms >= 0
        code = "NetStream.Play.Start" if is_here else "NetStream.Play.StreamNotFound"
        about = fields(level="status" if is_here else "error", code=code, description=name)
        self.send(CONTROL, struct.pack(">HI", 0, 1))
        self.send(_COMMAND, text("onStatus") + number(0) + NULL + about, stream=1)
        if is_here and name.startswith("heard"):
            self.send(_AUDIO, _SOUND, stream=1)
        began_s = time.monotonic()
        for kind, ms, content in flv_tags(self.server.flv) if is_here else ():
            if self.server.ended.wait(max(0.0, began_s + ms / 1000 - time.monotonic())):
                return
            if ms > limit_ms:
                break
            if kind in {_AUDIO, _VIDEO}:
                begin_ms = self.server.begin_ms if kind == _VIDEO else 0
                self.send(kind, content, (begin_ms + ms) % 2**32, self.server.media_stream)
        if is_here:  # the end of the recording is the end of the stream
            self.request.shutdown(socket.SHUT_RDWR)


class RtmpServer(socketserver.ThreadingTCPServer):
    """Plays ``rtmp://127.0.0.1:PORT/live/gate`` at its own pace.

    Attributes:
        played: the names that were asked for.
        heard: acknowledgements and control messages of clients: kind and content.
        streams: those that there are, and after how many ms each ends at the latest; ``heard``
            begins with sound.
    """

    streams: ClassVar = {"gate": 60_000, "short": 500, "heard": 500}

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self,
        flv: Path,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        *,
        chunk: int = 4096,
        media_stream: int = 1,
        begin_ms: int = 0,
    ) -> None:
        self.chunk, self.media_stream, self.begin_ms = chunk, media_stream, begin_ms
        super().__init__(("127.0.0.1", 0), _Client)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.flv, self._login = flv.read_bytes(), login
        self.played: list[str] = []
        self.heard: list[tuple[int, bytes]] = []
        self.ended = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def refusal(self, app: str) -> str:
        """Why an application is not given, as the login's own steps say it; "" if it is."""
        if self._login is None:
            return ""
        said = dict(parse_qsl(app.partition("?")[2].replace("+", "%2B")))
        user, password = self._login
        if "authmod" not in said:
            return "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "
        if "response" not in said and said.get("user") == user:
            return (
                "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth"
                f"&user={user}&salt={SALT}&challenge={CHALLENGE}&opaque={CHALLENGE}"
            )
        salted = _digest(user + SALT + password)
        if said.get("response") == _digest(salted + CHALLENGE + said.get("challenge", "")):
            return ""
        return "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=-"

    def __enter__(self) -> RtmpServer:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error."""


def _digest(words: str) -> str:
    return base64.b64encode(hashlib.md5(words.encode()).digest()).decode()
