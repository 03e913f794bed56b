"""Test how far a connection to a network camera gets: GStreamer cannot tell these cases apart."""

from __future__ import annotations

import socket
import ssl

from mirante.faults import FaultCode
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl


def reach(url: CameraUrl, timeout_s: float = 3.0) -> Fault | None:
    """Try to connect; say in words why that fails, or None when it does not.

    May block longer than ``timeout_s`` on a name server. Trusts the certificates of the system,
    or those of ``SSL_CERT_FILE``. Over UDP only the name and the route can be tried.
    """
    host, port = url.host, url.port or 0
    protocol = url.endpoint.protocol if url.endpoint else ""
    try:
        if protocol == "udp":
            _find_route(host, port)
            return None
        with socket.create_connection((host, port), timeout_s) as connection:
            if protocol == "tls":
                ssl.create_default_context().wrap_socket(connection, server_hostname=host).close()
    except OSError as error:
        return _fault(error, host, port)
    return None


def _find_route(host: str, port: int) -> None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as sender:
        sender.connect(address)


def _fault(error: OSError, host: str, port: int) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        words = f"the camera's certificate is not trusted: {error.verify_message}"
        return Fault(FaultCode.UNTRUSTED, words)
    if isinstance(error, ssl.SSLError):
        return Fault(FaultCode.NO_TLS, f"{host}:{port} does not speak TLS: {error.reason}")
    if isinstance(error, socket.gaierror):
        return Fault(FaultCode.UNKNOWN_HOST, f'unknown host "{host}"')
    if isinstance(error, ConnectionRefusedError):
        words = f"connection refused: nothing listens at {host}:{port}"
        return Fault(FaultCode.REFUSED, words)
    if isinstance(error, TimeoutError):
        words = f"{host}:{port} does not answer: switched off, or behind a firewall"
        return Fault(FaultCode.UNREACHABLE, words)
    return Fault(FaultCode.NO_ROUTE, f"no route to {host}: {error.strerror}")
