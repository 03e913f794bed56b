"""RTSP through a tunnel of HTTP: how a camera answers the request that opens one."""

from __future__ import annotations

import re
import socket

from mirante.faults import FaultCode
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl, redact

SCHEMES = ("rtsph", "rtspsh")


def open_fault(connection: socket.socket, url: CameraUrl) -> Fault | None:
    """Ask to open a tunnel without a login; say why that fails, None if the camera opens it.

    rtspsrc has tried with the login, where there is one, so 401 means that it is refused.

    Raises:
        OSError: the connection is lost, or no answer comes in its time.
    """
    path = url.bare.partition("://")[2].partition("/")[2]
    connection.sendall(
        f"GET /{path} HTTP/1.0\r\nHost: {url.host}\r\nx-sessioncookie: 0\r\n"
        "Accept: application/x-rtsp-tunnelled\r\n\r\n".encode()
    )
    found = re.match(rb"HTTP/\d\.\d (\d{3})", connection.recv(64))
    status = int(found[1]) if found else 0
    if status == 200:
        return None
    if status == 401:
        has_login = url.username is not None or url.password is not None
        code = FaultCode.UNAUTHORISED if has_login else FaultCode.LOGIN_REQUIRED
        return Fault(code, code.words)
    if status == 403:
        return Fault(FaultCode.FORBIDDEN, FaultCode.FORBIDDEN.words)
    if status == 404:
        words = f'404 not found: the camera has no path "{redact(url.path)}"'
        return Fault(FaultCode.NOT_FOUND, words)
    return Fault(FaultCode.NOT_VIDEO, FaultCode.NOT_VIDEO.words)
