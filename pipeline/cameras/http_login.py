"""Logins over HTTP that souphttpsrc does not know: digest logins by other hashes than MD5."""

from __future__ import annotations

import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote

from pipeline.cameras.answers import is_plain, no_login
from pipeline.cameras.login import Login
from pipeline.cameras.state import Fault
from pipeline.config.camera_url import CameraUrl


def log_in(url: CameraUrl, timeout_s: float) -> str | Fault | None:
    """Ask a camera, without a login, which one it wants.

    Args:
        url: its address.
        timeout_s: seconds of silence before the question is given up.

    Returns:
        The value of the field ``Authorization`` for the next request, or why none can be given;
        None where it wants none, or one that souphttpsrc knows.
    """
    host, port = url.host, url.port
    connection = HTTPConnection(host, port, timeout=timeout_s)
    if url.endpoint is not None and url.endpoint.protocol == "tls":
        trusted = ssl.create_default_context()
        connection = HTTPSConnection(host, port, timeout=timeout_s, context=trusted)
    target = quote(url.target, safe="/?&=:;,+$!*'()@~%[]")
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        challenges = answer.headers.get_all("WWW-Authenticate", [])
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
    if answer.status != 401 or is_plain(challenges):
        return None
    login = Login(url.username or "", url.password or "")
    return login.header("GET", target) if login.challenged(challenges) else no_login(challenges)
