"""The HTTP server of /metrics, /livez and /readyz."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import CollectorRegistry

from pipeline.control.reports import WorkerState
from pipeline.worker.metrics import WorkerCollector

log = logging.getLogger(__name__)


class MetricsServerError(OSError):
    """The address cannot be listened on; the message names the keys that say it."""


class MetricsServer:
    """Serves until closed; a context manager.

    ``/livez`` answers 200 while the process can answer at all. ``/readyz`` answers 200 once Redis
    is connected and every camera has been tried, else 503 with a line per reason. ``/metrics`` is
    the Prometheus text format.

    Args:
        host: address to listen on.
        port: port to listen on, 0 for a free one; afterwards ``port`` says which.
        snapshot: the worker now; called on the server's threads.

    Raises:
        MetricsServerError: the port is taken, or the address is not one of this machine.
    """

    def __init__(self, host: str, port: int, state: Callable[[], WorkerState]) -> None:
        registry = CollectorRegistry()
        registry.register(WorkerCollector(state))

        class Handler(_Handler):
            pages = {  # noqa: RUF012 - the class is made for this one server
                "/livez": lambda: (200, "text/plain", b"alive\n"),
                "/readyz": lambda: _readiness(state()),
                "/metrics": lambda: (200, CONTENT_TYPE_LATEST, generate_latest(registry)),
            }

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise MetricsServerError(
                f"metrics.host: {host}, metrics.port: {port} — {error.strerror or error}; expected "
                "an address of this machine and a free port (0 takes one, null turns it off)"
            ) from None
        self._server.daemon_threads = True
        self.host = host
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True
        )

    def start(self) -> Self:
        """Begins to answer."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stops answering and frees the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


def _readiness(now: WorkerState) -> tuple[int, str, bytes]:
    reasons = now.not_ready()
    text = "\n".join(reasons or ["ready"]) + "\n"
    return (503 if reasons else 200), "text/plain; charset=utf-8", text.encode()


class _Handler(BaseHTTPRequestHandler):
    pages: dict[str, Callable[[], tuple[int, str, bytes]]]
    timeout = 10.0  # seconds for a client to send its request

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("?")[0])
        try:
            status, kind, body = page() if page else (404, "text/plain", _NOT_FOUND)
        except Exception:
            log.exception("%s failed", self.path)
            status, kind, body = 500, "text/plain", b"see the log\n"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


_NOT_FOUND = b"expected /metrics, /livez or /readyz\n"
