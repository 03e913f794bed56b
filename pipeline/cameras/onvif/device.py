"""A conversation with one camera over ONVIF: SOAP by HTTP, with its login and its clock.

Nothing but the camera's own host is spoken to. Where a camera names another one as its own, as
those behind a router do, the path that it names is asked for at the host and port that are known.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from ssl import create_default_context
from urllib.parse import SplitResult, quote, urlsplit
from uuid import uuid4
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from mirante.faults import FaultCode
from pipeline.cameras.answers import fault_of, no_login
from pipeline.cameras.login import Login
from pipeline.cameras.onvif import soap
from pipeline.cameras.reach import fault_of_error
from pipeline.cameras.state import Fault
from pipeline.cameras.targets import check_host, check_peer
from pipeline.config.camera_url import CameraUrl
from pipeline.config.onvif_address import PATH

ADDRESSING = "http://www.w3.org/2005/08/addressing"
MOST_BYTES = 1 << 20  # of an answer
_ANSWER_S = 10.0
_OF_ADDRESSES = "%/?:@!$&'()*+,;=-._~[]"  # signs that stand in an address as they are
_CLOSE_CLOCKS_S = 2.0  # clocks are told to the second, so that nearer ones count as equal


class OnvifError(RuntimeError):
    """A camera gives no answer that can be used.

    Attributes:
        fault: why.
        said: the fault that the camera answered with; None where it did not.
    """

    def __init__(self, fault: Fault, said: soap.SoapFault | None = None) -> None:
        super().__init__(fault.reason)
        self.fault, self.said = fault, said


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the camera, as it names it.

    Attributes:
        target: path and query, as HTTP asks for them.
        port: where it listens.
        address: the whole of it as the camera said it, for WS-Addressing.
        headers: XML of the reference parameters that go with each request.
    """

    target: str
    port: int
    address: str = ""
    headers: str = ""


class Device:
    """One camera, asked by one thread; ``abort`` may be called from another.

    Args:
        url: of its device service, with the user and password.
        answer_s: seconds that it may take to answer.
    """

    def __init__(self, url: CameraUrl, answer_s: float = _ANSWER_S) -> None:
        self._url = url
        self._answer_s = answer_s
        self._is_tls = url.scheme == "https"
        has_login = url.username is not None
        self._token = soap.Login(url.username or "", url.password or "") if has_login else None
        self._login = Login(url.username or "", url.password or "")
        self._by_http = False  # it asked for a login by HTTP
        self._connections: dict[int, HTTPConnection] = {}
        self._socket: socket.socket | None = None
        self._is_aborted = False
        self._peer = ""  # the address that its name leads to
        self.ahead = timedelta()
        """How far its clock is ahead of ours, where that is more than the seconds it tells."""
        target = url.target if url.path not in {"", "/"} else PATH
        self.service = Service(quote(target, safe=_OF_ADDRESSES), url.port or 80)

    def read_clock(self) -> None:
        """Ask for the time there: it refuses a password that is proven at another time.

        Raises:
            OnvifError: it cannot be reached, or is no ONVIF device.
        """
        try:
            answer = self.ask(
                self.service, f'<GetSystemDateAndTime xmlns="{soap.DEVICE}"/>', proven=False
            )
        except OnvifError as error:
            if error.said is None and error.fault.code not in _ABOUT_LOGIN:
                raise
            return  # it tells no time: ours will do
        theirs = soap.clock(answer)
        ahead = timedelta() if theirs is None else theirs - datetime.now(UTC)
        self.ahead = ahead if abs(ahead.total_seconds()) > _CLOSE_CLOCKS_S else timedelta()

    def at(self, address: str, headers: str = "") -> Service:
        """Return the service at an address that the camera named; always at its own host.

        Raises:
            OnvifError: the address is none of HTTP.
        """
        try:
            split = urlsplit(address.strip())
            is_http, port = split.scheme in {"http", "https"}, split.port
        except ValueError:
            is_http, port, split = False, None, SplitResult("", "", "", "", "")
        if not is_http:
            raise OnvifError(_no_onvif(self._place, f"it names no address, but {address!r:.60}"))
        is_own = (
            split.hostname in {self._url.host, self._peer}
            and (split.scheme == "https") == self._is_tls
        )
        port = port or (443 if self._is_tls else 80)
        target = split._replace(scheme="", netloc="", fragment="").geturl() or "/"
        target = quote(target, safe=_OF_ADDRESSES)
        return Service(target, port if is_own else self.service.port, address.strip(), headers)

    def ask(
        self,
        service: Service,
        body: str,
        action: str = "",
        *,
        proven: bool = True,
        within_s: float | None = None,
    ) -> Element:
        """Send one request and return its answer.

        Args:
            service: what is asked.
            body: of the SOAP envelope.
            action: of WS-Addressing; without it no such headers are sent.
            proven: with the login.
            within_s: seconds that the answer may take; None for ``answer_s``.

        Raises:
            OnvifError: it cannot be reached, or its answer cannot be used.
        """
        within_s = self._answer_s if within_s is None else within_s
        status, content, challenges = self._asked(service, body, action, proven, within_s)
        if status == 401 and proven and self._answers(challenges):
            status, content, challenges = self._asked(service, body, action, proven, within_s)
        return self._read(status, content, challenges)

    def abort(self) -> None:
        """End a request that waits, from another thread; others fail at once."""
        self._is_aborted = True
        if (waiting := self._socket) is not None:
            with suppress(OSError):
                waiting.shutdown(socket.SHUT_RDWR)

    def revive(self) -> None:
        """Allow requests again after ``abort``."""
        self.close()
        self._is_aborted = False

    def close(self) -> None:
        """Close the connections; the next request opens others."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        self._socket = None

    @property
    def _place(self) -> str:
        return f"{self._url.host}:{self.service.port}"

    def _answers(self, challenges: list[str]) -> bool:
        """Take a challenge of HTTP. A password is sent in plain over TLS alone."""
        self._by_http = self._login.challenged(challenges, plain=self._is_tls)
        return self._by_http

    def _envelope(self, service: Service, body: str, action: str, proven: bool) -> bytes:
        header = service.headers
        if action:
            header += (
                f'<a:Action xmlns:a="{ADDRESSING}">{action}</a:Action>'
                f'<a:MessageID xmlns:a="{ADDRESSING}">urn:uuid:{uuid4()}</a:MessageID>'
                f'<a:ReplyTo xmlns:a="{ADDRESSING}"><a:Address>{ADDRESSING}/anonymous</a:Address>'
                f'</a:ReplyTo><a:To xmlns:a="{ADDRESSING}">{escape(service.address)}</a:To>'
            )
        if proven and self._token is not None and not self._by_http:
            header += self._token.token(datetime.now(UTC) + self.ahead)
        return soap.envelope(body, header)

    def _asked(
        self, service: Service, body: str, action: str, proven: bool, within_s: float
    ) -> tuple[int, bytes, list[str]]:
        """Return status, content and challenges; a kept connection that was closed is renewed."""
        message = self._envelope(service, body, action, proven)
        said = f'; action="{action}"' if action else ""
        kind = f"application/soap+xml; charset=utf-8{said}"
        headers: dict[str, str | bytes] = {"Content-Type": kind}
        if proven and self._by_http and (login := self._login.header("POST", service.target)):
            headers["Authorization"] = login.encode()
        kept = self._connections.get(service.port)
        is_kept = kept is not None and kept.sock is not None
        try:
            return self._exchange(service, message, headers, within_s)
        except (OSError, HTTPException, UnicodeError) as error:
            self._drop(service.port)
            if self._is_aborted or isinstance(error, TimeoutError) or not is_kept:
                raise OnvifError(self._unanswered(error, service.port)) from None
        try:
            return self._exchange(service, message, headers, within_s)
        except (OSError, HTTPException, UnicodeError) as error:
            self._drop(service.port)
            raise OnvifError(self._unanswered(error, service.port)) from None

    def _exchange(
        self, service: Service, message: bytes, headers: dict[str, str | bytes], within_s: float
    ) -> tuple[int, bytes, list[str]]:
        until_s = time.monotonic() + within_s
        connection = self._connected(service.port, within_s)
        connection.sock.settimeout(within_s)
        connection.request("POST", service.target, message, headers)
        with connection.getresponse() as response:
            content = _content(response, connection, until_s)
        if response.will_close or response.status != 200:
            self._drop(service.port)
        return response.status, content, response.headers.get_all("WWW-Authenticate", [])

    def _connected(self, port: int, within_s: float) -> HTTPConnection:
        connection = self._connections.get(port)
        if connection is None or connection.sock is None:
            host = self._url.host
            check_host(host)
            connection = (  # whose certificates SSL_CERT_FILE may name
                HTTPSConnection(host, port, timeout=within_s, context=create_default_context())
                if self._is_tls
                else HTTPConnection(host, port, timeout=within_s)
            )
            self._connections[port] = connection
            connection.connect()
            check_peer(connection)
            self._peer = connection.sock.getpeername()[0]
        self._socket = connection.sock
        if self._is_aborted:
            raise ConnectionAbortedError
        return connection

    def _drop(self, port: int) -> None:
        if (connection := self._connections.pop(port, None)) is not None:
            connection.close()

    def _unanswered(self, error: Exception, port: int) -> Fault:
        """Why a request had no answer."""
        place = f"{self._url.host}:{port}"
        if isinstance(error, _TooLargeError):
            return _no_onvif(place, str(error))
        if isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError):
            return Fault(FaultCode.ENDED, FaultCode.ENDED.words)
        if isinstance(error, OSError):
            return fault_of_error(error, self._url.host, port)
        return _no_onvif(place, type(error).__name__)

    def _read(self, status: int, content: bytes, challenges: list[str]) -> Element:
        root, said, words = None, None, ""
        try:
            root = soap.parse(content, MOST_BYTES)
            said = soap.fault_of(root)
        except soap.MalformedError as error:
            words = str(error)
        if status == 401 or (said is not None and said.refusal):
            raise OnvifError(self._refused(challenges), said)
        if said is not None:
            code = FaultCode.EVENTS_REFUSED
            raise OnvifError(Fault(code, code.words.replace("…", said.words)), said)
        if status != 200:
            raise OnvifError(fault_of(self._url, status, "POST"))
        if root is None or not root.tag.endswith("}Envelope"):
            raise OnvifError(_no_onvif(self._place, words or f"it answers with {root.tag:.60}"))  # type: ignore[union-attr]
        return root

    def _refused(self, challenges: list[str]) -> Fault:
        if self._token is not None and challenges and not self._by_http:
            return no_login(challenges)
        return fault_of(self._url, 401)


class _TooLargeError(OSError):
    """An answer is larger than ``MOST_BYTES``."""


_ABOUT_LOGIN = {FaultCode.LOGIN_REQUIRED, FaultCode.UNAUTHORISED, FaultCode.LOGIN_UNSUPPORTED}


def _content(response: HTTPResponse, connection: HTTPConnection, until_s: float) -> bytes:
    """Read an answer as it comes, within the time and size that are allowed.

    Raises:
        OSError: it takes longer, or is larger.
    """
    content = bytearray()
    while True:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left_s)
        part = response.read1(65_536)
        if not part:
            return bytes(content)
        content += part
        if len(content) > MOST_BYTES:
            raise _TooLargeError(f"its answer is larger than {MOST_BYTES} bytes")


def _no_onvif(place: str, words: str) -> Fault:
    return Fault(FaultCode.NO_ONVIF, f"{place} does not answer as ONVIF does: {words}")
