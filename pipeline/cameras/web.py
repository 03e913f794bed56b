"""A small HTTP client for cameras: connections kept, logins answered, redirects followed."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
)
from http.cookies import CookieError, SimpleCookie
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from mirante.faults import FaultCode
from pipeline.cameras.answers import date_off_s, fault_of, no_login, redirected
from pipeline.cameras.login import Login
from pipeline.cameras.reach import fault_of_error, reach
from pipeline.cameras.state import Fault
from pipeline.cameras.targets import check_host, check_peer
from pipeline.config.camera_url import CameraUrl, redact

_REDIRECTS_MOST = 5
_LEFT_MOST = 65536  # bytes of an unread body that are read to keep the connection
_BLOCK = 65536
_MOVED = {301, 302, 303, 307, 308}
_PORTS = {"http": 80, "https": 443}


class FetchError(Exception):
    """An address that gave nothing.

    Attributes:
        fault: why.
        status: the answer's status; None without an answer.
    """

    def __init__(self, fault: Fault, status: int | None = None) -> None:
        super().__init__(fault.reason)
        self.fault = fault
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still to be read.

    Attributes:
        address: what answered, behind redirects.
        status: 200, 206 or 304.
        headers: its fields.
    """

    address: str
    status: int
    headers: Mapping[str, str]
    _response: HTTPResponse
    _origin: tuple[str, int]

    def blocks(self) -> Iterator[bytes]:
        """Yield the body in blocks as they come.

        Raises:
            FetchError: it broke off.
        """
        try:
            while block := self._response.read1(_BLOCK):
                yield block
            if self._response.length:  # of what was announced
                raise FetchError(Fault(FaultCode.ENDED, FaultCode.ENDED.words))
        except (OSError, HTTPException) as error:
            raise FetchError(_broken(error, *self._origin, has_answered=True)) from None


class Web:
    """Requests on behalf of one camera. The user and password go to its own host alone.

    Args:
        url: the camera's address.
        timeout_s: seconds of silence before a request is given up.
        pause_s: the same inside an answer, where that is another time.

    Attributes:
        date_off_s: how far the camera's clock is ahead of this machine's, by the Date of its newest
            answer; None where that names none.
    """

    def __init__(self, url: CameraUrl, timeout_s: float, pause_s: float | None = None) -> None:
        self.date_off_s: float | None = None
        self._url, self._timeout_s, self._pause_s = url, timeout_s, pause_s or timeout_s
        self._login = Login(url.username or "", url.password or "")
        self._connections: dict[tuple[str, str, int], HTTPConnection] = {}
        self._cookies: dict[str, SimpleCookie] = {}
        self._pending: tuple[HTTPConnection, HTTPResponse] | None = None
        self._socket: socket.socket | None = None  # of the newest request
        self._is_aborted = False

    def get(self, address: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Request an address.

        Raises:
            FetchError: it gave no answer, or one that is neither 200, 206 nor 304.
        """
        for _ in range(_REDIRECTS_MOST):
            split = _split(address)
            response = self._ask(split, headers or {})
            location = response.getheader("Location")
            if response.status not in _MOVED or location is None:
                return self._answer(split, response)
            try:
                address = urljoin(address, location)
            except ValueError:
                raise FetchError(redirected("to what is no address")) from None
            if urlsplit(address).scheme not in _PORTS:
                raise FetchError(redirected("away from HTTP"))
        raise FetchError(redirected("without an end"))

    def close(self) -> None:
        """Close all connections."""
        if self._pending is not None:
            self._pending[1].close()
        for connection in self._connections.values():
            connection.close()

    def abort(self) -> None:
        """End what another thread asks for; there it goes on at once, with a FetchError."""
        self._is_aborted = True
        if (open_socket := self._socket) is not None:
            with suppress(OSError):  # the server was faster
                open_socket.shutdown(socket.SHUT_RDWR)

    def _answer(self, split: SplitResult, response: HTTPResponse) -> Answer:
        if response.status not in {200, 206, 304}:
            fault = fault_of(self._url, response.status, phrase=response.reason)
            raise FetchError(fault, response.status)
        if self._is_own(split):
            self.date_off_s = date_off_s(response.getheader("Date", ""))
        if response.headers.get_content_maintype() == "multipart":
            response.length = None  # many cameras tell that of one image, or none at all
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(split.geturl(), response.status, fields, response, _origin(split)[1:])

    def _ask(self, split: SplitResult, headers: Mapping[str, str]) -> HTTPResponse:
        """Request once, and once more with the login that was asked for."""
        response = self._send(split, headers)
        if response.status != 401 or not self._is_own(split):
            return response
        challenges = response.headers.get_all("WWW-Authenticate", [])
        if self._login.challenged(challenges):
            return self._send(split, headers)
        if self._url.username is not None or self._url.password is not None:
            raise FetchError(no_login(challenges), response.status)
        return response

    def _is_own(self, split: SplitResult) -> bool:
        """Return whether it is the camera's own host, and no less safe than its address."""
        is_safe = split.scheme == "https" or not self._url.location.startswith("https:")
        return split.hostname == self._url.host and is_safe

    def _send(self, split: SplitResult, headers: Mapping[str, str]) -> HTTPResponse:
        origin = _origin(split)
        self._settle()
        kept = self._connections.get(origin)
        is_kept = kept is not None and kept.sock is not None
        try:
            return self._exchange(origin, split, headers)
        except (OSError, HTTPException) as error:
            self._drop(origin)
            is_timeout = isinstance(error, TimeoutError)
            if self._is_aborted or is_timeout or not is_kept:
                raise FetchError(self._unanswered(error, origin)) from None
        try:  # the server had closed the connection meanwhile
            return self._exchange(origin, split, headers)
        except (OSError, HTTPException) as error:
            self._drop(origin)
            raise FetchError(self._unanswered(error, origin)) from None

    def _unanswered(self, error: Exception, origin: tuple[str, str, int]) -> Fault:
        """Why a request had no answer; another protocol may be spoken at the camera's port."""
        fault = _broken(error, *origin[1:], has_answered=False)
        return fault if self._is_aborted else reach(self._url) or fault

    def _exchange(
        self, origin: tuple[str, str, int], split: SplitResult, headers: Mapping[str, str]
    ) -> HTTPResponse:
        connection = self._connection(origin)
        target = quote(split.path or "/", safe="%/:=&~+!$,;'@()*[]")
        target += f"?{quote(split.query, safe='%/:=&?~+!$,;@()*[]')}" if split.query else ""
        fields = {"User-Agent": "Mirante", "Accept": "*/*", **headers}
        if self._is_own(split) and (answer := self._login.header("GET", target)):
            fields["Authorization"] = answer
        if jar := self._cookies.get(origin[1]):
            fields["Cookie"] = "; ".join(f"{m.key}={m.coded_value}" for m in jar.values())
        self._limit_silence(self._timeout_s)
        connection.request("GET", target, headers=fields)
        response = connection.getresponse()
        self._limit_silence(self._pause_s)
        self._pending = connection, response
        jar = self._cookies.setdefault(origin[1], SimpleCookie())
        with suppress(CookieError):  # the camera's mistake
            for cookie in response.headers.get_all("Set-Cookie", []):
                jar.load(cookie)
        return response

    def _connection(self, origin: tuple[str, str, int]) -> HTTPConnection:
        connection = self._connections.get(origin)
        if connection is None:
            scheme, host, port = origin
            if scheme == "https":
                trusted = ssl.create_default_context()  # reads SSL_CERT_FILE
                connection = HTTPSConnection(host, port, timeout=self._timeout_s, context=trusted)
            else:
                connection = HTTPConnection(host, port, timeout=self._timeout_s)
            self._connections[origin] = connection
        if connection.sock is None:
            try:
                check_host(origin[1])
                connection.connect()
                check_peer(connection)
            except OSError as error:
                self._drop(origin)
                raise FetchError(fault_of_error(error, *origin[1:])) from None
        self._socket = connection.sock
        if self._is_aborted:
            raise FetchError(Fault(FaultCode.ENDED, FaultCode.ENDED.words))
        return connection

    def _limit_silence(self, seconds: float) -> None:
        if self._socket is not None:
            self._socket.settimeout(seconds)

    def _settle(self) -> None:
        """Read the rest of the answer before, so that its connection can be used again."""
        if self._pending is None:
            return
        connection, response = self._pending
        self._pending = None
        if response.length is not None and response.length <= _LEFT_MOST:
            with suppress(OSError, HTTPException):
                response.read()
        if not response.isclosed():
            response.close()
            connection.close()

    def _drop(self, origin: tuple[str, str, int]) -> None:
        if (connection := self._connections.pop(origin, None)) is not None:
            connection.close()


def _split(address: str) -> SplitResult:
    """Return the parts of an address, which a playlist or a redirect may have named.

    Raises:
        FetchError: it is none of HTTP.
    """
    try:
        split = urlsplit(address)
        if split.scheme in _PORTS and split.hostname and (split.port is None or split.port):
            return split
    except ValueError:  # of a port or an IPv6 address that is none
        pass
    words = f"not a readable video: it names {redact(address)[:100]!r}, no address of HTTP"
    raise FetchError(Fault(FaultCode.UNREADABLE, words))


def _origin(split: SplitResult) -> tuple[str, str, int]:
    return split.scheme, split.hostname or "", split.port or _PORTS[split.scheme]


def _broken(error: Exception, host: str, port: int, has_answered: bool) -> Fault:
    """Why a connection that was made gave no answer, or broke off."""
    code = FaultCode.ENDED if has_answered else FaultCode.NOT_VIDEO
    if isinstance(error, TimeoutError):
        code = FaultCode.UNRESPONSIVE
    if isinstance(error, ssl.SSLError):
        return fault_of_error(error, host, port)
    return Fault(code, code.words.partition(" / ")[0])
