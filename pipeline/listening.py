"""The dashboard's listening socket, bound before its process starts."""

from __future__ import annotations

import socket

from pipeline.config.dashboard import Dashboard


def bind(settings: Dashboard) -> socket.socket:
    """A socket that listens on the configured address.

    Raises:
        OSError: the port is taken, or the address is not one of this machine; in words that name
            the keys.
    """
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port or 0), family=family)
    except OSError as error:
        raise OSError(
            f"dashboard.host: {settings.host}, dashboard.port: {settings.port} — "
            f"{error.strerror or error}; expected an address of this machine and a free port "
            "(0 takes one, null turns it off)"
        ) from None


def shown_url(listening: socket.socket) -> str:
    """Return the URL at which a browser on this machine finds the socket."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
