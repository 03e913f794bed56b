"""A network whose every step ends in time for the whole of a try.

Timeouts of httpx begin anew with each read: a receiver that drips bytes would hold one for ever.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore

_PIECE = 16 << 10  # bytes that one step sends


class LimitedNetwork(threading.local, httpcore.NetworkBackend):
    """Opens connections; each thread has a limit of its own.

    Attributes:
        end_s: monotonic seconds at which this thread's try ends.
    """

    def __init__(self) -> None:
        self.end_s = 0.0
        self._real = httpcore.SyncBackend()

    def left_s(self) -> float:
        """Return the seconds that are left.

        Raises:
            httpcore.TimeoutException: none.
        """
        left_s = self.end_s - time.monotonic()
        if left_s <= 0:
            raise httpcore.ReadTimeout("the try took too long")
        return left_s

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a connection."""
        del timeout
        made = self._real.connect_tcp(host, port, self.left_s(), local_address, socket_options)
        return _Stream(made, self)


class _Stream(httpcore.NetworkStream):
    """A connection, which several threads use one after the other."""

    def __init__(self, real: httpcore.NetworkStream, network: LimitedNetwork) -> None:
        self._real, self._network = real, network

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self._real.read(max_bytes, self._network.left_s())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        for at in range(0, len(buffer), _PIECE):
            self._real.write(buffer[at : at + _PIECE], self._network.left_s())

    def close(self) -> None:
        self._real.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        del timeout
        left_s = self._network.left_s()
        made = self._real.start_tls(ssl_context, server_hostname, left_s)
        return _Stream(made, self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._real.get_extra_info(info)
