"""Test how far a connection to a network camera gets: GStreamer cannot tell these cases apart."""

from __future__ import annotations

import socket
import ssl

from mirante.faults import FaultCode
from pipeline.cameras.state import Fault
from pipeline.cameras.targets import LocalTargetError, check_host, check_peer, fault_of_words
from pipeline.config.camera_url import CameraUrl

HEAR_S = 0.5  # for an answer; whoever asks has waited for one before
_SPOKEN = {
    b"RTSP/": "RTSP",
    b"HTTP/": "HTTP",
    b"<": "HTTP",
    b"SSH-": "SSH",
    b"220": "FTP or mail",
    b"\x15\x03": "TLS",
}


class _SilentError(ssl.SSLError):
    """A connection is taken, and nothing answers to the beginning of TLS."""

    reason = "no answer"


def reach(url: CameraUrl, timeout_s: float = 3.0) -> Fault | None:
    """Try to connect; say in words why that fails, or None when it does not.

    May block longer than ``timeout_s`` on a name server. Trusts the certificates of the system,
    or those of ``SSL_CERT_FILE``. Over UDP only the name and the route can be tried.
    """
    host, port = url.host, url.port or 0
    endpoint = url.endpoint
    try:
        if endpoint is not None and endpoint.protocol == "udp":
            _find_route(host, port)
            return None
        with connected(url, timeout_s) as connection:
            if endpoint is None or not endpoint.speaks:
                return None
            heard = _answer(connection, endpoint.speaks)
        if heard == "":  # it hangs up on what it does not understand
            with connected(url, timeout_s) as connection:
                heard = _answer(connection, "HTTP" if endpoint.speaks == "RTSP" else "RTSP")
        if heard == "" and endpoint.protocol != "tls" and _speaks_tls(url, timeout_s):
            heard = "TLS"
    except OSError as error:
        return fault_of_error(error, host, port)
    if not heard or heard == endpoint.speaks:
        return None
    words = f"{_place(host, port)} speaks {heard}, not {endpoint.speaks}"
    return Fault(FaultCode.WRONG_PROTOCOL, words)


def connected(url: CameraUrl, timeout_s: float) -> socket.socket:
    """Return a connection to a camera, encrypted where its scheme says so.

    Raises:
        OSError: why there is none.
    """
    connection = _opened(url, timeout_s)
    if url.endpoint is None or url.endpoint.protocol != "tls":
        return connection
    with connection:  # which its encrypted form takes over
        try:
            trusted = ssl.create_default_context()
            return trusted.wrap_socket(connection, server_hostname=url.host)
        except TimeoutError:
            raise _SilentError from None


def _opened(url: CameraUrl, timeout_s: float) -> socket.socket:
    """The host is looked at before, as a port that refuses would tell of itself, and what was
    connected to behind, as the name may stand for another address by then.
    """
    check_host(url.host)
    connection = socket.create_connection((url.host, url.port or 0), timeout_s)
    check_peer(connection)
    return connection


def _answer(connection: socket.socket, protocol: str) -> str | None:
    """Return the protocol that answers to a request; "" where the other end hangs up, None for
    silence and for one that is not known.
    """
    connection.settimeout(HEAR_S)
    try:
        connection.sendall(f"OPTIONS * {protocol}/1.0\r\nCSeq: 1\r\n\r\n".encode())
        said = connection.recv(64)
    except ConnectionResetError:
        return ""
    except OSError:
        return None
    return next(
        (name for begin, name in _SPOKEN.items() if said.startswith(begin)), None if said else ""
    )


def _speaks_tls(url: CameraUrl, timeout_s: float) -> bool:
    """Whether what hangs up on a request in plain text answers to the beginning of TLS."""
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE  # nothing is sent to it
    try:
        with _opened(url, timeout_s) as connection, anyone.wrap_socket(connection):
            return True
    except OSError:
        return False


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _find_route(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as sender:
        sender.connect(address)


def fault_of_error(error: OSError, host: str, port: int) -> Fault:
    """Return why a connection could not be made."""
    if isinstance(error, LocalTargetError):
        return fault_of_words(str(error))
    if isinstance(error, ssl.SSLError):
        return _fault_of_tls(error, _place(host, port))
    if isinstance(error, socket.gaierror):
        return Fault(FaultCode.UNKNOWN_HOST, f'unknown host "{host}"')
    if isinstance(error, ConnectionRefusedError):
        words = f"connection refused: nothing listens at {_place(host, port)}"
        return Fault(FaultCode.REFUSED, words)
    if isinstance(error, TimeoutError):
        words = f"{_place(host, port)} does not answer: switched off, or behind a firewall"
        return Fault(FaultCode.UNREACHABLE, words)
    return Fault(FaultCode.NO_ROUTE, f"no route to {host}: {error.strerror}")


def _fault_of_tls(error: ssl.SSLError, place: str) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        words = f"the camera's certificate is not trusted: {error.verify_message}"
        return Fault(FaultCode.UNTRUSTED, words)
    return Fault(FaultCode.NO_TLS, f"{place} does not speak TLS: {error.reason}")
