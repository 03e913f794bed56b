"""An RTSP camera whose manners can be chosen: its answers, refusals and media."""

from __future__ import annotations

import base64
import io
import itertools
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from pipeline.gst.clips import Clip

NTP_TO_UNIX_S = 2_208_988_800
RATE_HZ = 90_000
METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
SSRC = 0x12345678


@dataclass(frozen=True)
class Manners:
    """How a camera behaves.

    Attributes:
        clip: H.264 or H.265, sent for ever; its images are at most a packet each.
        offers: what it names under ``Public``.
        answer_s: seconds before it answers DESCRIBE.
        session_s: seconds after which a session ends that nothing kept alive.
        kept_by: the methods that keep it alive; empty where nothing needs to.
        refuses: the transports of which SETUP is answered 461.
        mute: the transports over which nothing is sent.
        clock_s: what the camera's clock is off, in seconds, by the seconds since PLAY.
        login: ``user:password`` without which a tunnel's HTTP is answered 401.
        unanswered: methods that get no answer once the media flows.
        images: how many it sends before it ends a session; None for ever.
        refuses_to_keep: methods that are answered 454 once the media flows.
        delimiter: a NAL unit before each image, so that it comes in several packets.
    """

    clip: Clip
    offers: str = METHODS
    answer_s: float = 0.0
    session_s: int = 60
    kept_by: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    mute: tuple[str, ...] = ()
    clock_s: Callable[[float], float] = lambda elapsed_s: 0.0
    login: str = ""
    unanswered: tuple[str, ...] = ()
    images: int | None = None
    refuses_to_keep: tuple[str, ...] = ()
    delimiter: bytes = b""


@dataclass
class MannersServer:
    """Listens until it is closed.

    Attributes:
        port: the port it listens on.
        requests: monotonic time and method of each request, in order.
        plays: the transport of each PLAY, in order.
        began_s: Unix time at which the image with number 0 of the last PLAY was taken.
    """

    manners: Manners
    tls: ssl.SSLContext | None = None
    requests: list[tuple[float, str]] = field(default_factory=list)
    plays: list[str] = field(default_factory=list)
    began_s: float = 0.0

    def __enter__(self) -> MannersServer:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port: int = self._socket.getsockname()[1]
        self._tunnels: dict[str, socket.socket] = {}
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def url(self, scheme: str = "rtsp", login: str = "") -> str:
        return f"{scheme}://{login}127.0.0.1:{self.port}/live"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            reader: IO[bytes] = connection.makefile("rb")
            line, headers = read_head(reader)
            if "HTTP/" in line:
                self._tunnel(connection, reader, line, headers)
            else:
                Talk(self, connection, reader).run(line, headers)
        except OSError:
            return
        finally:
            connection.close()

    def _tunnel(
        self, connection: socket.socket, reader: IO[bytes], line: str, headers: dict[str, str]
    ) -> None:
        """The GET of a tunnel carries what the camera says, its POST the client's requests."""
        known = base64.b64encode(self.manners.login.encode()).decode()
        if self.manners.login and headers.get("authorization") != f"Basic {known}":
            challenge = 'WWW-Authenticate: Basic realm="camera"\r\nContent-Length: 0'
            connection.sendall(f"HTTP/1.0 401 Unauthorized\r\n{challenge}\r\n\r\n".encode())
        elif line.startswith("GET"):
            self._tunnels[headers["x-sessioncookie"]] = connection
            kind = "Content-Type: application/x-rtsp-tunnelled"
            connection.sendall(f"HTTP/1.0 200 OK\r\n{kind}\r\n\r\n".encode())
            connection.recv(1)  # until the client has gone
        else:
            decoded = io.BufferedReader(Base64(reader))
            Talk(self, self._tunnels[headers["x-sessioncookie"]], decoded).run()


class Base64(io.RawIOBase):
    """What comes in Base64 from ``coded``, decoded as it comes; each message may be padded."""

    def __init__(self, coded: IO[bytes]) -> None:
        self._coded = coded

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        block = self._coded.read(4)
        plain = base64.b64decode(block) if len(block) == 4 else b""
        room[: len(plain)] = plain
        return len(plain)


def read_head(reader: IO[bytes]) -> tuple[str, dict[str, str]]:
    """A request's first line and headers, with names in lower case; its body is skipped.

    Raises:
        OSError: the connection ended.
    """
    while (first := reader.read(1)) == b"$":  # RTCP of the client
        (length,) = struct.unpack(">xH", reader.read(3))
        reader.read(length)
    line = (first + reader.readline()).decode().strip()
    if not line:
        raise OSError("the client has gone")
    headers: dict[str, str] = {}
    while header := reader.readline().decode().strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    reader.read(int(headers.get("content-length", 0)) if not line.startswith("POST") else 0)
    return line, headers


class Talk:
    """One client's session: answers requests, and sends the clip once it is asked to play."""

    def __init__(self, server: MannersServer, out: socket.socket, reader: IO[bytes]) -> None:
        self._server, self._manners = server, server.manners
        self._out, self._reader = out, reader
        self._lock = threading.Lock()
        self._transport = ""
        self._udp: tuple[socket.socket, tuple[str, int], tuple[str, int]] | None = None
        self._kept_s = time.monotonic()
        self._ended = threading.Event()

    def run(self, line: str = "", headers: dict[str, str] | None = None) -> None:
        """Answer until the client has gone, first a request that was read before."""
        try:
            if headers is not None:
                self._answer(line, headers)
            while not self._ended.is_set():
                self._answer(*read_head(self._reader))
        finally:
            self._ended.set()

    def _say(self, headers: dict[str, str], status: str, *lines: str, body: str = "") -> None:
        length = (f"Content-Length: {len(body)}",) if body else ()
        head = (f"RTSP/1.0 {status}", f"CSeq: {headers.get('cseq', 0)}", *lines, *length)
        self._send("\r\n".join((*head, "", body)).encode())

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._out.sendall(data)

    def _answer(self, line: str, headers: dict[str, str]) -> None:
        method, url, _ = line.split(" ", 2)
        self._server.requests.append((time.monotonic(), method))
        if method in {*self._manners.kept_by, "PLAY"}:
            self._kept_s = time.monotonic()
        if method in self._manners.unanswered and self._transport:
            return
        if method in self._manners.refuses_to_keep and self._transport:
            self._say(headers, "454 Session Not Found")
            return
        session = f"Session: 4711;timeout={self._manners.session_s}"
        if method == "OPTIONS":
            self._say(headers, "200 OK", f"Public: {self._manners.offers}")
        elif method == "DESCRIBE":
            self._ended.wait(self._manners.answer_s)
            base = f"Content-Base: {url.rstrip('/')}/"
            self._say(headers, "200 OK", "Content-Type: application/sdp", base, body=self._sdp())
        elif method == "SETUP":
            self._setup(headers, session)
        elif method == "PLAY":
            self._say(headers, "200 OK", session)
            self._server.plays.append(self._transport)
            threading.Thread(target=self._play, daemon=True).start()
        elif method == "TEARDOWN":
            self._say(headers, "200 OK", session)
            self._ended.set()
        elif method in self._manners.offers:
            self._say(headers, "200 OK", session)
        else:
            self._say(headers, "501 Not Implemented")

    def _setup(self, headers: dict[str, str], session: str) -> None:
        asked = headers["transport"]
        transport = "tcp" if "TCP" in asked else "udp"
        if transport in self._manners.refuses:
            self._say(headers, "461 Unsupported Transport")
            return
        self._transport = transport
        said = f"{asked};ssrc={SSRC:08x}"
        if transport == "udp":
            found = re.search(r"client_port=(\d+)-(\d+)", asked)
            assert found
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.bind(("127.0.0.1", 0))
            port = sender.getsockname()[1]
            self._udp = (sender, ("127.0.0.1", int(found[1])), ("127.0.0.1", int(found[2])))
            said += f";server_port={port}-{port + 1}"
        self._say(headers, "200 OK", f"Transport: {said}", session)

    def _sdp(self) -> str:
        codec = self._manners.clip.caps.partition(",")[0].removeprefix("video/x-").upper()
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            f"a=control:*\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 {codec}/{RATE_HZ}\r\n"
            "a=control:track1\r\n"
        )

    def _play(self) -> None:
        first_s = self._manners.clip.pictures[0].dts_ns / 1e9
        began_s, began_unix_s = time.monotonic() - first_s, time.time() - first_s
        shown = min(picture.pts_ns for picture in self._manners.clip.pictures) / 1e9
        self._server.began_s = began_unix_s + shown
        reported_s, sequence = -1e9, itertools.count(60_000)
        try:
            for dts_s, pts_s, units in itertools.islice(self._images(), self._manners.images):
                due_s = began_s + dts_s
                if self._ended.wait(max(0.0, due_s - time.monotonic())) or self._expired():
                    return
                if due_s - reported_s >= 1.0:
                    reported_s = due_s
                    clock_s = began_unix_s + pts_s + self._manners.clock_s(dts_s - first_s)
                    self._packet(_report(clock_s, _rtp_time(pts_s)), 1)
                for unit in units:
                    head = struct.pack(
                        ">BBHII",
                        0x80,
                        96 | (unit is units[-1]) << 7,
                        next(sequence) & 0xFFFF,
                        _rtp_time(pts_s),
                        SSRC,
                    )
                    self._packet(head + unit, 0)
            self._end()
        except OSError:
            return
        finally:
            if self._udp is not None:
                self._udp[0].close()

    def _images(self) -> Iterator[tuple[float, float, list[bytes]]]:
        """Decoding time, presentation time and NAL units of each image, for ever."""
        pictures = self._manners.clip.pictures
        shown = sorted(picture.pts_ns for picture in pictures)
        turn_s = (shown[1] - shown[0]) * len(pictures) / 1e9
        for turn in itertools.count():
            for picture in pictures:
                units = [unit for unit in re.split(b"\0\0\0?\1", picture.data) if unit]
                units[:0] = [self._manners.delimiter] if self._manners.delimiter else []
                offset_s = turn * turn_s
                yield picture.dts_ns / 1e9 + offset_s, picture.pts_ns / 1e9 + offset_s, units

    def _packet(self, data: bytes, channel: int) -> None:
        if self._transport in self._manners.mute:
            return
        if self._udp is not None:
            sender, *addresses = self._udp
            sender.sendto(data, addresses[channel])
        else:
            self._send(b"$" + struct.pack(">BH", channel, len(data)) + data)

    def _expired(self) -> bool:
        if self._manners.kept_by and time.monotonic() - self._kept_s > self._manners.session_s:
            self._end()
        return self._ended.is_set()

    def _end(self) -> None:
        self._ended.set()
        self._out.shutdown(socket.SHUT_RDWR)


def _rtp_time(pts_s: float) -> int:
    return round(pts_s * RATE_HZ) + 0x7000_0000 & 0xFFFF_FFFF


def _report(clock_s: float, rtp_time: int) -> bytes:
    """An RTCP sender report: the camera's clock at ``rtp_time``; and a CNAME, which RTP wants."""
    ntp_s = clock_s + NTP_TO_UNIX_S
    whole, part = int(ntp_s), int(ntp_s % 1 * 2**32)
    report = struct.pack(">BBHIIIIII", 0x80, 200, 6, SSRC, whole, part, rtp_time, 1, 1)
    return report + struct.pack(">BBHI", 0x81, 202, 4, SSRC) + b"\1\6camera\0\0\0\0"
