"""Serves the application on a socket that is bound already."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import uvicorn

from dashboard.app import make_app
from dashboard.services import Services

PAGE_MESSAGE_MOST = 64 << 10  # bytes that a page may say at once
GRACE_S = 2


def serve(
    services: Services, listening: socket.socket, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Serves until SIGINT or SIGTERM.

    Args:
        services: what the routes share.
        listening: the socket.
        on_ready: called when requests are answered.
    """
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # that it started is said here
    config = uvicorn.Config(
        make_app(services),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whose word they are nobody knows
        ws_max_size=PAGE_MESSAGE_MOST,
        ws_per_message_deflate=False,  # JPEG and packed masks do not get smaller
        timeout_graceful_shutdown=GRACE_S,
    )
    _Server(config, on_ready).run(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()
