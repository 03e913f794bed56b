"""A camera that speaks ONVIF on loopback: answers probes by UDP, and checks passwords itself.

It is written from the specifications and shares no code with what it tests.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from tests.support.onvif_device import is_proven, time_answer

GROUP = "239.255.255.250"
HOST = "127.0.0.1"
_SOAP = (
    '<?xml version="1.0"?><SOAP-ENV:Envelope'
    ' xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
    ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'
    ' xmlns:trt="http://www.onvif.org/ver10/media/wsdl"'
    ' xmlns:tr2="http://www.onvif.org/ver20/media/wsdl"'
    ' xmlns:tt="http://www.onvif.org/ver10/schema"'
    ' xmlns:ter="http://www.onvif.org/ver10/error">'
    "<SOAP-ENV:Header>{header}</SOAP-ENV:Header><SOAP-ENV:Body>{body}</SOAP-ENV:Body>"
    "</SOAP-ENV:Envelope>"
)
_FAULT = (
    "<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:Sender</SOAP-ENV:Value>"
    "<SOAP-ENV:Subcode><SOAP-ENV:Value>ter:{code}</SOAP-ENV:Value></SOAP-ENV:Subcode>"
    '</SOAP-ENV:Code><SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">{reason}</SOAP-ENV:Text>'
    "</SOAP-ENV:Reason></SOAP-ENV:Fault>"
)
_MATCH = (
    "<d:ProbeMatches><d:ProbeMatch><wsa:EndpointReference><wsa:Address>{endpoint}</wsa:Address>"
    "</wsa:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types>"
    "<d:Scopes>{scopes}</d:Scopes><d:XAddrs>{services}</d:XAddrs>"
    "<d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>"
)


def soap(body: str, header: str = "") -> bytes:
    return _SOAP.format(header=header, body=body).encode()


def fault(code: str, reason: str) -> bytes:
    return soap(_FAULT.format(code=code, reason=reason))


@dataclass
class OnvifCamera:
    """Listens while it is a context.

    Attributes:
        login: user and password that its media service wants; None: nobody is asked.
        ahead: how far its clock is ahead of ours.
        services: what it says about its own address; {port} is that of its HTTP server.
        encoders: what it says of each of ``uris``: encoding, width, height, frame rate limit.
        media2: address of its Media2 service; empty: it has none, and knows no GetServices.
        answers: what it answers to a request instead of what is right, by the request's name:
            status and content.
        datagrams: what it sends instead of a ProbeMatch; {message} is what it answers to.
        asked: names of the requests that came, in order.
        probes: that came, in order.
        answered: how many of them were.
    """

    name: str = "Front%20gate"
    login: tuple[str, str] | None = None
    ahead: timedelta = timedelta()
    endpoint: str = "urn:uuid:0001"
    services: str = "http://192.0.2.7/other http://127.0.0.1:{port}/onvif/device_service"
    media: str = "http://127.0.0.1:{port}/onvif/media"
    uris: tuple[str, ...] = ("rtsp://127.0.0.1/main", "rtsp://127.0.0.1/sub")
    encoders: tuple[tuple[str, object, object, object], ...] = ()
    media2: str = ""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    datagrams: list[bytes] | None = None
    udp_port: int = 0
    asked: list[str] = field(default_factory=list)
    probes: list[str] = field(default_factory=list)
    answered: int = 0
    _nonces: set[str] = field(default_factory=set)

    def __enter__(self) -> OnvifCamera:
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._udp.bind(("", self.udp_port))
        member = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(HOST))
        self._udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self._udp.settimeout(0.1)
        self.udp_port = self._udp.getsockname()[1]
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["Content-Length"])).decode()
                is_here = not self.path.endswith("/missing")
                status, content = camera.answer(request) if is_here else (404, b"")
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", content.decode())
                self.send_header("Content-Type", "application/soap+xml")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                try:
                    self.wfile.write(content)
                except OSError:  # who asked has hung up
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self._http = ThreadingHTTPServer((HOST, 0), Handler)
        self.port = self._http.server_port
        self._open = True
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.05,)),
            threading.Thread(target=self._listen),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._http.shutdown()
        for thread in self._threads:
            thread.join()
        self._http.server_close()
        self._udp.close()

    def _listen(self) -> None:
        while self._open:
            try:
                probe, sender = self._udp.recvfrom(65_536)
            except TimeoutError:
                continue
            text = probe.decode()
            self.probes.append(text)
            message = re.search(r"MessageID[^>]*>([^<]+)<", text)
            assert message, text
            for datagram in self._datagrams():
                filled = datagram.replace(b"{message}", message[1].encode())
                self._udp.sendto(filled, sender)
            self.answered += 1

    def _datagrams(self) -> list[bytes]:
        return [self.match()] if self.datagrams is None else self.datagrams

    def match(self) -> bytes:
        """Its ProbeMatch."""
        scope = "onvif://www.onvif.org"
        scopes = f"{scope}/type/video_encoder {scope}/name/{self.name} {scope}/hardware/Eye-7"
        services = self.services.format(port=self.port)
        body = _MATCH.format(
            endpoint=self.endpoint,
            scopes=f"{scopes} {scope}/location/yard",
            services=services,
        )
        return soap(body, "<wsa:RelatesTo>{message}</wsa:RelatesTo>")

    def answer(self, request: str) -> tuple[int, bytes]:
        """HTTP status and content."""
        name = re.search(r"<s:Body><(\w+)", request)
        assert name, request
        self.asked.append(name[1])
        if name[1] in self.answers:
            return self.answers[name[1]]
        if name[1] == "GetSystemDateAndTime":
            assert "UsernameToken" not in request, "it is asked before anyone is known"
            return 200, soap(time_answer(self.ahead))
        if name[1] == "GetServices":
            return self._services()
        if name[1] == "GetCapabilities":
            media = self.media.format(port=self.port)
            return 200, soap(
                "<tds:GetCapabilitiesResponse><tds:Capabilities>"
                f"<tt:Media><tt:XAddr>{media}</tt:XAddr></tt:Media>"
                "</tds:Capabilities></tds:GetCapabilitiesResponse>"
            )
        if self.login and not is_proven(request, self.login, self.ahead, self._nonces):
            return 400, fault("NotAuthorized", "Sender not authorized")
        return self._of_media(name[1], request)

    def _services(self) -> tuple[int, bytes]:
        if not self.media2:
            return 400, fault("ActionNotSupported", "No")
        services = "".join(
            f"<tds:Service><tds:Namespace>http://www.onvif.org/{name}/wsdl</tds:Namespace>"
            f"<tds:XAddr>{address.format(port=self.port)}</tds:XAddr></tds:Service>"
            for name, address in (("ver10/media", self.media), ("ver20/media", self.media2))
        )
        return 200, soap(f"<tds:GetServicesResponse>{services}</tds:GetServicesResponse>")

    def _of_media(self, name: str, request: str) -> tuple[int, bytes]:
        if name == "GetProfiles":
            profiles = "".join(
                f'<trt:Profiles token="profile {i}&amp;"><tt:Name>profile {i}</tt:Name>'
                f"{self._encoder(i, 'ver20/media' in request)}</trt:Profiles>"
                for i in range(len(self.uris))
            )
            return 200, soap(f"<trt:GetProfilesResponse>{profiles}</trt:GetProfilesResponse>")
        assert name == "GetStreamUri", name
        token = re.search(r"<ProfileToken>profile (\d+)&amp;</ProfileToken>", request)
        assert token and ">RTSP<" in request, request
        if "ver20/media" in request:
            return 200, soap(
                "<tr2:GetStreamUriResponse>"
                f"<tr2:Uri>{self.uris[int(token[1])]}</tr2:Uri></tr2:GetStreamUriResponse>"
            )
        assert "RTP-Unicast" in request, request
        return 200, soap(
            "<trt:GetStreamUriResponse><trt:MediaUri>"
            f"<tt:Uri>{self.uris[int(token[1])]}</tt:Uri>"
            "</trt:MediaUri></trt:GetStreamUriResponse>"
        )

    def _encoder(self, profile: int, is_newer: bool) -> str:
        if profile >= len(self.encoders):
            return ""
        coding, width, height, fps = self.encoders[profile]
        if coding == "H265" and not is_newer:
            return ""  # its schema has no such encoding
        start, end = (
            ("<tr2:Configurations><tr2:VideoEncoder>", "</tr2:VideoEncoder></tr2:Configurations>")
            if is_newer
            else ("<tt:VideoEncoderConfiguration>", "</tt:VideoEncoderConfiguration>")
        )
        return (
            f"{start}<tt:Encoding>{coding}</tt:Encoding>"
            f"<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height>"
            "</tt:Resolution><tt:RateControl>"
            f"<tt:FrameRateLimit>{fps}</tt:FrameRateLimit><tt:BitrateLimit>4096</tt:BitrateLimit>"
            f"</tt:RateControl>{end}"
        )


@contextmanager
def heard_out(*cameras: OnvifCamera) -> Iterator[None]:
    """Let whoever probes wait for the answers of cameras, however late they are."""
    sent, before = 0, [camera.answered for camera in cameras]

    async def wait(seconds: float) -> None:
        nonlocal sent
        sent += 1
        await asyncio.sleep(seconds)
        end_s = time.monotonic() + 60
        while any(c.answered < was + sent for c, was in zip(cameras, before, strict=True)):
            assert time.monotonic() < end_s, "a camera answers no probe"
            await asyncio.sleep(0.01)
        for _ in range(50):  # one datagram is read in each turn of the loop
            await asyncio.sleep(0)

    patient = SimpleNamespace(**vars(asyncio) | {"sleep": wait})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dashboard.onvif.discovery.asyncio", patient)
        yield
