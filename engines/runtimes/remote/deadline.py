"""Connections over which no exchange takes longer than it may, however slowly a server speaks.

Time-outs of HTTP libraries are of each read or write: a byte now and then keeps them from ending
what will never be whole.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore

SLICE_BYTES = 1 << 16  # of a request; the time left is looked at before each


class Deadline:
    """When the exchange of the calling thread has to be over."""

    def __init__(self) -> None:
        self._local = threading.local()

    def set(self, within_s: float) -> None:
        """Begins an exchange of this thread."""
        self._local.until = time.monotonic() + within_s

    def left_s(self) -> float:
        """Seconds left.

        Raises:
            httpcore.TimeoutException: none.
        """
        left: float = self._local.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


class DeadlineBackend(httpcore.NetworkBackend):
    """Opens connections whose every step has the time that is left."""

    def __init__(self, deadline: Deadline, slice_bytes: int = SLICE_BYTES) -> None:
        self._deadline, self._slice_bytes = deadline, slice_bytes
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See ``httpcore.NetworkBackend``; ``timeout`` is not looked at."""
        left_s = self._deadline.left_s()
        stream = self._inner.connect_tcp(host, port, left_s, local_address, socket_options)
        return _Stream(stream, self._deadline, self._slice_bytes)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline, slice_bytes: int) -> None:
        self._inner, self._deadline, self._slice_bytes = inner, deadline, slice_bytes

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left_s())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        for start in range(0, len(view), self._slice_bytes):
            part = view[start : start + self._slice_bytes]
            self._inner.write(part, self._deadline.left_s())  # type: ignore[arg-type]

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left_s = self._deadline.left_s()
        stream = self._inner.start_tls(ssl_context, server_hostname, left_s)
        return _Stream(stream, self._deadline, self._slice_bytes)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
