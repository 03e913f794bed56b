"""A client that pulls a stream by RTMP (Adobe, RTMP specification 1.0, sections 5.2, 5.4, 7)."""

from __future__ import annotations

import os
import re
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

from mirante.faults import FaultCode
from pipeline.cameras.amf import Given, Value, decode, encode
from pipeline.cameras.faults import hide
from pipeline.cameras.reach import connected, fault_of_error
from pipeline.cameras.rtmp_chunks import ChunkReader, Kind, Message, chunked, parts_of
from pipeline.cameras.rtmp_login import AdobeLogin
from pipeline.cameras.state import Fault
from pipeline.cameras.web import FetchError
from pipeline.config.camera_url import CameraUrl, redact

_VERSION = 3
_HELLO = 1536  # bytes
_CONTROL_LANE, _COMMAND_LANE = 2, 3
_STREAM_EOF, _BUFFER_LENGTH, _PING, _PONG = 1, 3, 6, 7
_BUFFER_MS = 1000
_WINDOW = 2_500_000  # bytes that the server may send between two acknowledgements
_PAUSE_S = 600.0  # between two messages; the watchdog is there before
_LEFT = "NetStream.Play.Stop", "NetStream.Play.UnpublishNotify", "NetStream.Play.Complete"
_ABSENT = (
    "NetStream.Play.StreamNotFound",
    "NetStream.Play.FileNotFound",
    "NetConnection.Connect.InvalidApp",
)
# As Flash Player 10 tells of itself, which servers expect: all codecs, no acceleration.
_ABILITIES = {"fpad": False, "capabilities": 15, "audioCodecs": 4071, "videoCodecs": 252}


class RtmpClient:
    """One connection to a server at a time, for one stream.

    Args:
        url: its address, whose path is the application, a slash, and the stream.
        answer_s: seconds of silence before a step is given up.

    Attributes:
        due_s: monotonic time until which the step under way may take.
        has_video: some came.
    """

    def __init__(self, url: CameraUrl, answer_s: float) -> None:
        self._url, self._answer_s = url, answer_s
        self._app, self._stream = _split(url)
        self._socket: socket.socket | None = None
        self._is_aborted = False
        self._asked = ""
        self.due_s = time.monotonic() + answer_s
        self.has_video = False

    def play(self) -> None:
        """Connect and ask for the stream.

        Raises:
            FetchError: why there is none.
        """
        login = AdobeLogin(self._url.username, self._url.password)
        try:
            while (refusal := self._connect(login.query)) is not None:
                if not login.challenged(refusal):
                    raise FetchError(self._refused(refusal, login.query != ""))
            stream = self._ask("createStream", None)
            number = int(stream) if isinstance(stream, float) else 1
            self._begin("play")
            self._command(number, "play", 0, None, self._stream)
            self._control(struct.pack(">HII", _BUFFER_LENGTH, number, _BUFFER_MS))
        except (OSError, EOFError, ValueError) as error:
            raise FetchError(self._broken(error)) from None

    def video(self) -> Iterator[tuple[int, bytes]]:
        """Yield the time in ms and the content of each video message, until the stream ends.

        Raises:
            FetchError: why there is none.
        """
        try:
            self._wire.settimeout(_PAUSE_S)
            while True:
                for part in parts_of(self._chunks.next()):
                    if part.kind == Kind.VIDEO and part.content:
                        self.has_video = True
                        yield part.time_ms, part.content
                    elif self._is_end(part):
                        return
        except EOFError:
            if not self.has_video:
                raise FetchError(_plain(FaultCode.ENDED)) from None
        except (OSError, ValueError) as error:
            raise FetchError(self._broken(error)) from None

    def abort(self) -> None:
        """End what another thread waits for."""
        self._is_aborted = True
        if (wire := self._socket) is not None:
            with suppress(OSError):  # the server was faster
                socket.socket.shutdown(wire, socket.SHUT_RDWR)  # TLS, too, is only cut

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._reader.close()
            self._socket.close()
            self._socket = None

    @property
    def _wire(self) -> socket.socket:
        if self._socket is None or self._is_aborted:
            raise EOFError
        return self._socket

    def _connect(self, query: str) -> str | None:
        """Make a connection; return the words in which the server refuses it, None if it does not.

        Each answer to a challenge has a connection of its own.
        """
        self.close()
        self._begin("")
        try:
            self._socket = connected(self._url, self._answer_s)
        except OSError as error:
            raise FetchError(self._unreached(error)) from None
        self._reader = self._socket.makefile("rb", 1 << 16)
        self._taken = self._acknowledged = self._window = 0
        self._chunks = ChunkReader(self._read)
        self._transaction = 0
        self._shake_hands()
        app = self._app + query
        place = f"[{self._url.host}]" if ":" in self._url.host else self._url.host
        tc_url = f"{self._url.scheme}://{place}:{self._url.port}/{app}"
        about: dict[str, str | float | bool] = {"app": app, "flashVer": "LNX 10,0,32,18"}
        try:
            self._ask("connect", {**about, "tcUrl": tc_url, **_ABILITIES, "videoFunction": 1})
        except _Refused as refused:
            if refused.code in _ABSENT:
                raise FetchError(self._absent()) from None
            return refused.words
        self._send(Kind.WINDOW, _WINDOW.to_bytes(4, "big"))
        return None

    def _shake_hands(self) -> None:
        self._wire.settimeout(self._answer_s)
        hello = bytes(8) + os.urandom(_HELLO - 8)
        self._wire.sendall(bytes([_VERSION]) + hello)
        if self._read(1)[0] != _VERSION:
            raise FetchError(_plain(FaultCode.NOT_VIDEO))
        theirs = self._read(_HELLO)
        self._wire.sendall(theirs)
        self._read(_HELLO)

    def _begin(self, asked: str) -> None:
        self._asked, self.due_s = asked, time.monotonic() + self._answer_s

    def _ask(self, name: str, about: Given) -> Value:
        """Give a command and return the last value of its answer.

        Raises:
            _Refused: the connection.
            FetchError: anything else, or no answer in time.
        """
        self._begin(name)
        self._transaction += 1
        self._command(0, name, self._transaction, about)
        while time.monotonic() < self.due_s:
            message = self._chunks.next()
            said = _command_of(message)
            if said[:2] == ["_result", float(self._transaction)]:
                return said[-1]
            if said[:2] == ["_error", float(self._transaction)]:
                self._reject(said[-1])
            elif self._is_end(message):
                raise EOFError
        raise TimeoutError

    def _reject(self, info: Value) -> None:
        code, words = _words(info)
        if self._asked == "connect":
            raise _Refused(code, words)
        raise FetchError(self._rejection(code))

    def _is_end(self, message: Message) -> bool:
        """Act on a message that is no media; return whether it ends the stream."""
        if message.kind == Kind.WINDOW:
            self._window = int.from_bytes(message.content[:4], "big")
        elif message.kind == Kind.PEER_WINDOW:
            self._send(Kind.WINDOW, message.content[:4])
        elif message.kind == Kind.CONTROL:
            event = int.from_bytes(message.content[:2], "big")
            if event == _PING:
                self._control(_PONG.to_bytes(2, "big") + message.content[2:6])
            return event == _STREAM_EOF
        return self._is_status_end(_command_of(message))

    def _is_status_end(self, said: list[Value]) -> bool:
        if not said or said[0] not in {"onStatus", "onPlayStatus", "close"}:
            return False
        code, _ = _words(said[-1])
        if code in _ABSENT:
            raise FetchError(self._absent())
        if code in _LEFT or code == "NetConnection.Connect.Closed" or said[0] == "close":
            return True
        info = said[-1]
        if isinstance(info, dict) and info.get("level") == "error":
            raise FetchError(self._rejection(code))
        return False

    def _read(self, size: int) -> bytes:
        content: bytes = self._reader.read(size)
        if len(content) < size:
            raise EOFError
        self._taken += size
        if self._window and self._taken - self._acknowledged >= self._window:
            self._acknowledged = self._taken
            self._send(Kind.ACKNOWLEDGEMENT, (self._taken & 0xFFFFFFFF).to_bytes(4, "big"))
        return content

    def _send(self, kind: Kind, content: bytes) -> None:
        self._wire.sendall(chunked(kind, content, _CONTROL_LANE))

    def _control(self, content: bytes) -> None:
        self._send(Kind.CONTROL, content)

    def _command(self, stream: int, *values: Given) -> None:
        self._wire.sendall(chunked(Kind.COMMAND, encode(*values), _COMMAND_LANE, stream))

    def _absent(self) -> Fault:
        words = f'404 not found: the camera has no path "{redact(self._url.path)}"'
        return Fault(FaultCode.NOT_FOUND, words)

    def _refused(self, words: str, has_answered: bool) -> Fault:
        """Why a connection is refused: for its login, or as a whole."""
        small = words.lower()
        if (way := re.search(r"authmod=(\w+)", words)) is not None and way[1] != "adobe":
            code = FaultCode.LOGIN_UNSUPPORTED
            return Fault(code, code.words.replace("…", way[1][:40]))
        if "forbidden" in small:
            return _plain(FaultCode.FORBIDDEN)
        if has_answered or "auth" in small:
            has_login = self._url.username is not None or self._url.password is not None
            return _plain(FaultCode.UNAUTHORISED if has_login else FaultCode.LOGIN_REQUIRED)
        return self._rejection(words)

    def _rejection(self, said: str) -> Fault:
        said = hide(said, self._url)[:80] or "an error"
        words = FaultCode.REJECTED.words.replace("…", said, 1).replace("…", self._asked)
        return Fault(FaultCode.REJECTED, words)

    def _unreached(self, error: OSError) -> Fault:
        if isinstance(error, ConnectionResetError):  # in the handshake of TLS
            return _plain(FaultCode.NOT_VIDEO)
        return fault_of_error(error, self._url.host, self._url.port or 0)

    def _broken(self, error: Exception) -> Fault:
        """Why a connection that was made gave nothing more."""
        if isinstance(error, TimeoutError):
            words = FaultCode.UNRESPONSIVE.words.split(" / ")
            said = words[1].replace("…", self._asked) if self._asked else words[0]
            return Fault(FaultCode.UNRESPONSIVE, said)
        if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
            return fault_of_error(error, self._url.host, self._url.port or 0)
        is_other = not self._asked or isinstance(error, ValueError)
        return _plain(FaultCode.NOT_VIDEO if is_other else FaultCode.ENDED)


class _Refused(Exception):  # noqa: N818  # no fault yet: it may ask for a login
    """The server refuses a connection."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


def _plain(code: FaultCode) -> Fault:
    return Fault(code, code.words)


def _split(url: CameraUrl) -> tuple[str, str]:
    """Return application and stream; the query belongs to the stream, as servers have it."""
    path, mark, query = url.target.partition("?")
    app, _, stream = path.strip("/").rpartition("/")
    return app, stream + mark + query


def _command_of(message: Message) -> list[Value]:
    """Return the values of a command, or of data that stands for one; none of anything else."""
    if message.kind not in {Kind.COMMAND, Kind.COMMAND_3, Kind.DATA}:
        return []
    begin = 1 if message.kind == Kind.COMMAND_3 else 0  # a zero, and then the same
    with suppress(ValueError):  # what the camera says of its own
        return decode(message.content[begin:])
    return []


def _words(info: Value) -> tuple[str, str]:
    """Return the code of what a server tells, and code and description as one text."""
    if not isinstance(info, dict):
        return "", str(info or "")
    code, description = str(info.get("code") or ""), str(info.get("description") or "")
    return code, f"{code} {description}".strip()
