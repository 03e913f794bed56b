"""How far a connection to a network camera gets: GStreamer tells these cases not apart."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}


def reach(url: CameraUrl, timeout_s: float = 3.0) -> Fault | None:
    """Tries to connect; says in words why that fails, or None when it does not.

    May block longer than ``timeout_s`` on a name server. Trusts the certificates of the system,
    or those of ``SSL_CERT_FILE``.
    """
    split = urlsplit(url.bare)
    host, port = split.hostname or "", split.port or _PORTS[url.scheme]
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            if url.scheme in {"rtsps", "https"}:
                ssl.create_default_context().wrap_socket(connection, server_hostname=host).close()
    except OSError as error:
        return _fault(error, host, port)
    return None


def _fault(error: OSError, host: str, port: int) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Fault(f"the camera's certificate is not trusted: {error.verify_message}", slow=True)
    if isinstance(error, ssl.SSLError):
        return Fault(f"{host}:{port} does not speak TLS: {error.reason}", slow=True)
    if isinstance(error, socket.gaierror):
        return Fault(f'unknown host "{host}"')
    if isinstance(error, ConnectionRefusedError):
        return Fault(f"connection refused: nothing listens at {host}:{port}")
    if isinstance(error, TimeoutError):
        return Fault(f"{host}:{port} does not answer: switched off, or behind a firewall")
    return Fault(f"no route to {host}: {error.strerror}")
