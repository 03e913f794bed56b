"""A camera that tells of events over ONVIF on loopback, and checks who asks.

It is written from the Core Specification, WS-BaseNotification and WS-Addressing, and from how
cameras of several makers are known to differ; it shares no code with what it tests.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from tests.support.onvif_device import is_proven, time_answer

HOST = "127.0.0.1"
_EVENTS = "http://www.onvif.org/ver10/events/wsdl"
_PREFIXES = {
    "usual": ("s", "wsnt", "tt", "tev", "wsa", "tds"),
    "gsoap": ("SOAP-ENV", "ns1", "ns2", "ns3", "ns4", "ns5"),
}
_SPACES = (
    "http://www.w3.org/2003/05/soap-envelope",
    "http://docs.oasis-open.org/wsn/b-2",
    "http://www.onvif.org/ver10/schema",
    _EVENTS,
    "http://www.w3.org/2005/08/addressing",
    "http://www.onvif.org/ver10/device/wsdl",
)


@dataclass
class _Subscription:
    lives_s: float
    ends_s: float
    queue: list[str]


@dataclass
class EventCamera:
    """Listens while it is a context.

    Attributes:
        login: user and password that it wants.
        way: how they are proven: the token of WS-Security, or HTTP digest alone.
        challenge: it asks for a login by this alone, and takes none.
        ahead: how far its clock is ahead of ours.
        prefixes: of its XML; the meaning is the same.
        by_parameter: subscriptions have one address, and a reference parameter each.
        named_host: the host in the addresses that it names, as one behind a router has it.
        named_port: of its event service; 0: the port of all.
        folder: of the addresses that it names.
        older: it does not know GetServices.
        renews: it takes renewals.
        lives_s: the longest life of a subscription.
        most: subscriptions at the same time.
        certificate: files of its certificate and key; None: plain HTTP.
        hello: it says the state of each thing to a new subscriber.
        asked: names of the requests that came, in order.
        logins: what they said of HTTP's login.
        waits: seconds for which answers of PullMessages may wait.
    """

    login: tuple[str, str] | None = None
    way: Literal["token", "digest"] = "token"
    challenge: str = ""
    ahead: timedelta = timedelta()
    prefixes: Literal["usual", "gsoap"] = "usual"
    by_parameter: bool = False
    named_host: str = HOST
    named_port: int = 0
    folder: str = "onvif"
    older: bool = False
    renews: bool = True
    lives_s: float = 600.0
    most: int = 4
    certificate: tuple[str, str] | None = None
    hello: list[str] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    subscriptions: dict[str, _Subscription] = field(default_factory=dict)
    resets: int = 0
    port: int = 0

    def __enter__(self) -> EventCamera:
        self._changed = threading.Condition()
        self._nonce = secrets.token_hex(8)
        self._seen: set[str] = set()
        self._open = True
        camera = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, body, more = camera.answer(
                    self.path,
                    request,
                    self.headers.get("Authorization", "").encode("latin-1").decode(),
                )
                if status == 0:  # its network breaks
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that hangs up is none."""

        self._server = Server((HOST, self.port), Handler)
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._open = False
            self._changed.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        scheme = "https" if self.certificate else "http"
        user = f"{self.login[0]}:{self.login[1]}@" if self.login else ""
        return f"{scheme}://{user}{HOST}:{self.port}/onvif/device_service"

    def message(
        self,
        topic: str,
        data: Mapping[str, str],
        source: Mapping[str, str] | None = None,
        operation: str = "",
        at: datetime | None = None,
    ) -> str:
        """A NotificationMessage; by its clock it is now."""
        _, wsnt, tt, *_ = _PREFIXES[self.prefixes]

        def items(values: Mapping[str, str]) -> str:
            return "".join(
                f"<{tt}:SimpleItem Value={quoteattr(value)} Name={quoteattr(name)}>"
                f"</{tt}:SimpleItem>"
                for name, value in values.items()
            )

        now = (at or datetime.now(UTC) + self.ahead).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        state = f' PropertyOperation="{operation}"' if operation else ""
        return (
            f"<{wsnt}:NotificationMessage><{wsnt}:Topic Dialect="
            '"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">\n  '
            f"{escape(topic)}\n</{wsnt}:Topic><{wsnt}:Message>"
            f'<{tt}:Message UtcTime="{now}"{state}><{tt}:Source>{items(source or {})}</{tt}:Source>'
            f"<{tt}:Data>{items(data)}</{tt}:Data></{tt}:Message></{wsnt}:Message>"
            f"</{wsnt}:NotificationMessage>"
        )

    def say(self, *messages: str) -> None:
        """Tell all subscribers."""
        with self._changed:
            for each in self.subscriptions.values():
                each.queue += messages
            self._changed.notify_all()

    def forget(self) -> None:
        """Lose all subscriptions, as by a restart."""
        with self._changed:
            self.subscriptions.clear()
            self._changed.notify_all()

    def wait(self, request: str, times: int = 1, timeout_s: float = 60.0) -> None:
        """Wait until a request came so many times."""
        with self._changed:
            done = self._changed.wait_for(lambda: self.asked.count(request) >= times, timeout_s)
        assert done, f"{request} came {self.asked.count(request)} times: {self.asked}"

    def answer(self, path: str, request: str, login: str) -> tuple[int, bytes, dict[str, str]]:
        """HTTP status, content and header fields; status 0: the connection breaks."""
        found = re.search(r"<s:Body><(\w+)", request)
        assert found, request
        name = found[1]
        with self._changed:
            self.asked.append(name)
            self.logins.append(login)
            self._changed.notify_all()
            if self.resets or not self._open:
                self.resets -= 1
                return 0, b"", {}
        if name in self.answers:
            return 200, self.answers[name], {}
        if name == "GetSystemDateAndTime":
            assert "UsernameToken" not in request, "it is asked before anyone is known"
            _, _, tt, _, _, tds = _PREFIXES[self.prefixes]
            return 200, self._soap(time_answer(self.ahead, tt, tds)), {}
        if self.login is not None and (refusal := self._refusal(request, login)):
            return refusal
        if name in {"GetServices", "GetCapabilities"}:
            return self._services(name)
        return self._of_events(name, path, request)

    def _services(self, name: str) -> tuple[int, bytes, dict[str, str]]:
        _, _, tt, _, _, tds = _PREFIXES[self.prefixes]
        place = f"{self.named_host}:{self.named_port or self.port}"
        address = f"http{'s' if self.certificate else ''}://{place}/{self.folder}/ev"
        if name == "GetServices":
            if self.older:
                return self._fault(500, "ter:ActionNotSupported", "not implemented")
            body = (
                f"<{tds}:GetServicesResponse><{tds}:Service><{tds}:Namespace>{_EVENTS}"
                f"</{tds}:Namespace><{tds}:XAddr>{address}</{tds}:XAddr></{tds}:Service>"
                f"</{tds}:GetServicesResponse>"
            )
        else:
            body = (
                f"<{tds}:GetCapabilitiesResponse><{tds}:Capabilities><{tt}:Events><{tt}:XAddr>"
                f"{address}</{tt}:XAddr></{tt}:Events></{tds}:Capabilities>"
                f"</{tds}:GetCapabilitiesResponse>"
            )
        return 200, self._soap(body), {}

    def _of_events(self, name: str, path: str, request: str) -> tuple[int, bytes, dict[str, str]]:
        assert f"{name}Request" in request, "no wsa:Action"
        if name == "CreatePullPointSubscription":
            return self._create(request)
        found = re.search(r"IsReferenceParameter=\"true\"[^>]*>(\w+)<", request)
        key = (found[1] if found else "") if self.by_parameter else path.rpartition("/")[2]
        with self._changed:
            subscription = self.subscriptions.get(key)
            if subscription is None or time.monotonic() > subscription.ends_s:
                self.subscriptions.pop(key, None)
                return self._fault(400, "wsrf-rw:ResourceUnknownFault", "no such subscription")
            if name == "Unsubscribe":
                del self.subscriptions[key]
                return 200, self._soap(""), {}
            if name == "Renew":
                if not self.renews:
                    return self._fault(500, "ter:ActionNotSupported", "no renewal")
                subscription.ends_s = time.monotonic() + subscription.lives_s
                return 200, self._soap(self._times("Renew", subscription.lives_s)), {}
            return self._pull(key, request)

    def _create(self, request: str) -> tuple[int, bytes, dict[str, str]]:
        _, _, _, tev, wsa, _ = _PREFIXES[self.prefixes]
        found = re.search(r"<InitialTerminationTime>PT(\d+)S<", request)
        assert found, request
        if len(self.subscriptions) >= self.most:
            return self._fault(400, "wsnt:SubscribeCreationFailedFault", "too many subscribers")
        lives_s, key = min(float(found[1]), self.lives_s), secrets.token_hex(4)
        with self._changed:
            ends_s = time.monotonic() + lives_s
            self.subscriptions[key] = _Subscription(lives_s, ends_s, list(self.hello))
        address = f"http{'s' if self.certificate else ''}://{self.named_host}:{self.port}/{self.folder}/ev"
        parameters = ""
        if self.by_parameter:
            parameters = (
                f"<{wsa}:ReferenceParameters>"
                '<dom0:SubscriptionId xmlns:dom0="http://www.vendor.example/2009/event">'
                f"{key}</dom0:SubscriptionId></{wsa}:ReferenceParameters>"
            )
        else:
            address += f"/{key}"
        return (
            200,
            self._soap(
                f"<{tev}:CreatePullPointSubscriptionResponse><{tev}:SubscriptionReference><{wsa}:Address>"
                f"\n{address}\n</{wsa}:Address>{parameters}</{tev}:SubscriptionReference>"
                f"{self._times('', lives_s)}</{tev}:CreatePullPointSubscriptionResponse>"
            ),
            {},
        )

    def _pull(self, key: str, request: str) -> tuple[int, bytes, dict[str, str]]:
        found = re.search(r"<Timeout>PT(\d+)S</Timeout><MessageLimit>(\d+)<", request)
        assert found, request
        tev = _PREFIXES[self.prefixes][3]
        subscription = self.subscriptions[key]
        self.waits.append(int(found[1]))

        def is_due() -> bool:
            return bool(subscription.queue) or not self._open or key not in self.subscriptions

        self._changed.wait_for(is_due, float(found[1]))
        if key not in self.subscriptions:
            return self._fault(400, "wsrf-rw:ResourceUnknownFault", "no such subscription")
        most = int(found[2])
        now, subscription.queue = subscription.queue[:most], subscription.queue[most:]
        times = self._times("", subscription.ends_s - time.monotonic())
        body = f"<{tev}:PullMessagesResponse>{times}{''.join(now)}</{tev}:PullMessagesResponse>"
        return 200, self._soap(body), {}

    def _times(self, of: str, lives_s: float) -> str:
        _, wsnt, _, tev, *_ = _PREFIXES[self.prefixes]
        now = datetime.now(UTC) + self.ahead
        prefix = wsnt if of else tev
        parts = (("CurrentTime", now), ("TerminationTime", now + timedelta(seconds=lives_s)))
        inside = "".join(
            f"<{prefix}:{name}>{at.strftime('%Y-%m-%dT%H:%M:%SZ')}</{prefix}:{name}>"
            for name, at in parts
        )
        return f"<{wsnt}:{of}Response>{inside}</{wsnt}:{of}Response>" if of else inside

    def _soap(self, body: str) -> bytes:
        prefixes = _PREFIXES[self.prefixes]
        spaces = "".join(
            f' xmlns:{prefix}="{space}"' for prefix, space in zip(prefixes, _SPACES, strict=True)
        )
        s = prefixes[0]
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<{s}:Envelope{spaces} '
            'xmlns:tns1="http://www.onvif.org/ver10/topics"><'
            f"{s}:Header/><{s}:Body>{body}</{s}:Body></{s}:Envelope>"
        ).encode()

    def _fault(self, status: int, code: str, reason: str) -> tuple[int, bytes, dict[str, str]]:
        s = _PREFIXES[self.prefixes][0]
        body = (
            f"<{s}:Fault><{s}:Code><{s}:Value>{s}:Sender</{s}:Value><{s}:Subcode><{s}:Value>{code}"
            f'</{s}:Value></{s}:Subcode></{s}:Code><{s}:Reason><{s}:Text xml:lang="en">{reason}'
            f"</{s}:Text></{s}:Reason></{s}:Fault>"
        )
        return status, self._soap(body), {}

    def _refusal(self, request: str, login: str) -> tuple[int, bytes, dict[str, str]] | None:
        if self.challenge:
            return 401, b"", {"WWW-Authenticate": self.challenge}
        if self.way == "digest":
            if self._proves_by_http(login):
                return None
            fields = f'Digest realm="camera", qop="auth", nonce="{self._nonce}", algorithm=MD5'
            return 401, b"", {"WWW-Authenticate": fields}
        assert self.login is not None
        if is_proven(request, self.login, self.ahead, self._seen):
            return None
        return self._fault(400, "ter:NotAuthorized", "Sender not authorized")

    def _proves_by_http(self, login: str) -> bool:
        assert self.login is not None
        said = dict(re.findall(r'(\w+)="?([^",]*)"?', login))
        if said.get("nonce") != self._nonce or said.get("username") != self.login[0]:
            return False

        def md5(*parts: str) -> str:
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        one, two = md5(self.login[0], "camera", self.login[1]), md5("POST", said["uri"])
        right = md5(one, said["nonce"], said["nc"], said["cnonce"], said["qop"], two)
        return said["response"] == right
